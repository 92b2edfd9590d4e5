"""`virtcim serve` without a URI: it finds the hypervisors of this host, whenever they come.

The server runs in the mount namespace of a private libvirtd, where libvirt's default sockets are those of that one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.bed import Libvirtd, Server, baseline_xml, container_root, container_xml, wait_until, why_unavailable
from tests.conftest import missing
from virtcim.libhelper import search
from virtcim.libhelper.errors import LibvirtError
from virtcim.providers.states import OperationalStatus

pytestmark = [pytest.mark.root, pytest.mark.qemu, pytest.mark.lxc]

FOUND_WITHIN = 10.0
"""Seconds from a daemon's answer until everything that it has is served."""

NO_CONTACT = int(OperationalStatus.NO_CONTACT)

GUESTS = {("KVM_ComputerSystem", "one"), ("KVM_ComputerSystem", "two"), ("LXC_ComputerSystem", "box")}
HOSTS = {"KVM_HostSystem", "LXC_HostSystem"}


@pytest.fixture
def daemon() -> Iterator[Libvirtd]:
    """A daemon with two guests and a container, stopped."""
    if (reason := why_unavailable()) is not None:
        missing(reason)
    with Libvirtd() as daemon:
        for name in ("one", "two"):
            daemon.define(baseline_xml(name, daemon.new_image()))
        daemon.define(container_xml("box", container_root(daemon.directory / "root")), "lxc")
        daemon.stop()
        yield daemon


def systems(connection: Any) -> tuple[set[tuple[str, str]], set[str]]:
    """The guests, class and name, and the classes of the hosts, which have to be in contact."""
    guests, hosts = set(), set()
    for each in connection.EnumerateInstances("CIM_ComputerSystem"):
        if each.classname.endswith("_HostSystem"):
            hosts.add(each.classname)
        else:
            guests.add((each.classname, each["Name"]))
        assert NO_CONTACT not in each["OperationalStatus"], f"{each.classname} {each['Name']}: No Contact"
    return guests, hosts


def wait_for_all(server: Server) -> None:
    """Wait until everything of the daemon is served, and see to it that nothing else ever is."""

    def served() -> bool:
        guests, hosts = systems(connection)
        assert guests <= GUESTS
        assert hosts <= HOSTS
        return guests == GUESTS and hosts == HOSTS

    with server.pywbem() as connection:
        wait_until(served, FOUND_WITHIN)
        wait_until(lambda: disks_are_measured(connection))
        profiles = connection.EnumerateInstanceNames("CIM_RegisteredProfile", namespace="root/interop")
        assert {"KVM_RegisteredProfile", "LXC_RegisteredProfile"} <= {path.classname for path in profiles}


def disks_are_measured(connection: Any) -> bool:
    """Tell whether the sizes of the disks are known, which are read when clients are answered already."""
    return all(disk["NumberOfBlocks"] for disk in connection.EnumerateInstances("KVM_LogicalDisk"))


def assert_empty(server: Server) -> None:
    with server.pywbem() as connection:
        assert systems(connection) == (set(), set())
        for class_name in ("CIM_ResourcePool", "CIM_Service", "CIM_Capabilities"):
            assert connection.EnumerateInstanceNames(class_name) == []
        profiles = connection.EnumerateInstanceNames("KVM_RegisteredProfile", namespace="root/interop")
        assert profiles == []


@pytest.mark.parametrize("later", [3.0, pytest.param(20.0, marks=pytest.mark.slow)])
def test_daemon_that_starts_later(serve: Callable[..., Server], daemon: Libvirtd, later: float) -> None:
    server = serve(within=daemon.namespace)
    assert "no hypervisor answers" in server.errors
    assert_empty(server)
    time.sleep(later)
    assert_empty(server)
    daemon.start()
    wait_for_all(server)
    # From here on it is a hypervisor like any other: it stays, without contact, when its daemon goes.
    daemon.stop()
    with server.pywbem() as connection:
        wait_until(
            lambda: all(
                NO_CONTACT in host["OperationalStatus"] for host in connection.EnumerateInstances("KVM_HostSystem")
            )
        )
        assert len(connection.EnumerateInstanceNames("KVM_ComputerSystem")) == 2


def test_disks_are_measured_where_the_daemon_is_named(serve: Callable[..., Server], daemon: Libvirtd) -> None:
    daemon.start()
    server = serve("qemu:///system", within=daemon.namespace)
    with server.pywbem() as connection:
        assert len(connection.EnumerateInstanceNames("KVM_LogicalDisk")) == 2
        wait_until(lambda: disks_are_measured(connection))


def test_daemon_that_hangs_at_the_start(serve: Callable[..., Server], daemon: Libvirtd) -> None:
    daemon.start()
    with stopped(daemon):
        server = serve(within=daemon.namespace, config="startup_wait = 1.0\n")
        assert "qemu:///system does not answer yet" in server.errors
        assert_empty(server)
        threads = len(os.listdir(f"/proc/{server.pid}/task"))
        time.sleep(3.0)
        assert_empty(server)
        # Attempts that hang do not pile up; a worker for requests may have come since.
        assert len(os.listdir(f"/proc/{server.pid}/task")) <= threads + 2
    wait_for_all(server)


def test_end_while_the_daemon_hangs(serve: Callable[..., Server], daemon: Libvirtd) -> None:
    daemon.start()
    with stopped(daemon):
        server = serve(within=daemon.namespace, config="startup_wait = 0.5\n")
        assert server.stop() == 0


@contextlib.contextmanager
def stopped(daemon: Libvirtd) -> Iterator[None]:
    """Let the daemon do nothing, as one that is overloaded."""
    assert daemon.pid is not None
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(daemon.pid, signal.SIGCONT)


@pytest.mark.parametrize(("late", "early"), [("qemu", "LXC"), ("lxc", "KVM")])
def test_one_platform_before_the_other(serve: Callable[..., Server], daemon: Libvirtd, late: str, early: str) -> None:
    daemon.omit(late)
    daemon.start()
    server = serve(within=daemon.namespace)
    first = {(class_name, name) for class_name, name in GUESTS if class_name.startswith(early)}
    with server.pywbem() as connection:
        assert systems(connection) == (first, {f"{early}_HostSystem"})
        time.sleep(3.0)
        assert systems(connection) == (first, {f"{early}_HostSystem"})
    # A daemon logs each attempt; it is not asked again and again for what it does not have.
    assert daemon.log.count(f"no connection driver available for {late}:///system") <= 3
    daemon.stop()
    daemon.omit()
    daemon.start()
    wait_until(lambda: all_served(server), FOUND_WITHIN)


def all_served(server: Server) -> bool:
    with server.pywbem() as connection:
        names = connection.EnumerateInstanceNames("CIM_ComputerSystem")
    return {(path.classname, path["Name"]) for path in names} >= GUESTS


def test_test_driver_where_it_is_asked_for(serve: Callable[..., Server], daemon: Libvirtd) -> None:
    server = serve(within=daemon.namespace, arguments=["--test-driver"])
    with server.pywbem() as connection:
        assert systems(connection) == ({("Test_ComputerSystem", "test")}, {"Test_HostSystem"})
        daemon.start()
        wait_until(lambda: systems(connection)[0] == {*GUESTS, ("Test_ComputerSystem", "test")}, FOUND_WITHIN)
    server.stop()
    server.start()
    wait_for_all(server)


def test_read_only_where_writing_is_refused(serve: Callable[..., Server]) -> None:
    if (reason := why_unavailable()) is not None:
        missing(reason)
    # Who wants to write is asked for a name and a password, and gives none.
    with Libvirtd(rw_authentication="sasl") as daemon:
        server = serve(within=daemon.namespace)
        assert "serving qemu:///system, read-only" in server.errors
        with server.pywbem() as connection:
            assert systems(connection) == (set(), HOSTS)
        server.close()


def test_what_a_proxy_does_not_have_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell apart a missing socket that virtproxyd logs and tells of, and one that libvirt's client saw."""
    with pytest.raises(libvirt.libvirtError) as caught:
        libvirt.open(f"qemu+unix:///system?socket={tmp_path}/none")
    error = LibvirtError.of(caught.value)
    error.__cause__ = caught.value
    monkeypatch.setattr(search, "_COMMON_SOCKET", tmp_path / "libvirt-sock")
    assert not search._is_answer("xen:///system", error)
    (tmp_path / "libvirt-sock").touch()
    assert search._is_answer("xen:///system", error)
    assert not search._is_answer(f"xen+unix:///system?socket={tmp_path}/none", error)
