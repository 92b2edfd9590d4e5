"""Nodes of private daemons: one that is lost returns, one that hangs delays nobody, and none is served twice."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.guests import baseline_xml, boot_sector_xml
from tests.bed.listener import Listener, subscribed
from tests.providers.test_two_nodes import node_file
from tests.test_nodes import has_state, managed, names

pytestmark = [pytest.mark.root, pytest.mark.qemu]

EAST, WEST = "root/virt/east", "root/virt/west"

CONNECTED, NO_CONTACT, REFUSED = 2, 4, 5
"""Virt_ManagedNode.State."""

ENABLED = pywbem.Uint16(2)
JOB, JOB_STARTED, FINAL = "KVM_ConcreteJob", 4096, range(7, 11)
"""The class of jobs, what a method says that has become one, and the states in which one has ended."""


class Hosts(NamedTuple):
    """Two daemons, and a server for both."""

    east: Libvirtd
    west: Libvirtd
    server: Server

    def reload(self) -> None:
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGHUP)


@contextlib.contextmanager
def stand_in(path: Path, answer: bytes, then_hangs: bool = False) -> Iterator[None]:
    """Listen where a daemon should, and give every client the same bytes, or none and no end.

    Parameters:
        then_hangs: whether there is no end after the bytes either.
    """
    clients: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                if then_hangs:
                    with contextlib.suppress(OSError):
                        client.sendall(answer)
                if then_hangs or not answer:
                    clients.append(client)
                    continue
                with contextlib.suppress(OSError), client:
                    client.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield
        listening.shutdown(socket.SHUT_RDWR)
        for client in clients:
            client.close()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, libvirtd: Libvirtd) -> Iterator[Hosts]:
    local = node_file(tmp_path_factory.mktemp("local"), 0, {"here": 1})
    libvirtd.remove_domains()
    with Libvirtd() as west:
        for number, daemon in enumerate((libvirtd, west)):
            daemon.define(baseline_xml("same", daemon.new_image()))
            daemon.define(baseline_xml(f"only{number}", daemon.new_image()))
        config = (
            f"uris = ['test://{local}']\n[inventory]\nopen_timeout = 2.0\n"
            f"[node.east]\nuris = ['{libvirtd.uri()}']\n[node.west]\nuris = ['{west.uri()}']\n"
        )
        with Server(config=config) as server:
            yield Hosts(libvirtd, west, server)
    libvirtd.remove_domains()


def host(ask: Any, namespace: str) -> Any:
    """The host of a node."""
    (found,) = ask.EnumerateInstances("KVM_HostSystem", namespace)
    return found


def test_each_daemon_is_a_node(hosts: Hosts) -> None:
    ask = hosts.server.pywbem()
    wait_until(lambda: names(ask, EAST, "KVM_ComputerSystem") == {"same", "only0"})
    wait_until(lambda: names(ask, WEST, "KVM_ComputerSystem") == {"same", "only1"})
    assert managed(ask, "west")["State"] == CONNECTED


def test_what_happens_on_a_node_is_told_in_its_namespace(hosts: Hosts) -> None:
    ask = hosts.server.pywbem("root/interop")
    query = "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ComputerSystem"
    with Listener() as listener, subscribed(hosts.server, listener, query, spaces=(WEST,)):
        wait_until(lambda: managed(ask, "west")["State"] == CONNECTED)
        hosts.west.define(baseline_xml("new", hosts.west.new_image()))
        told = listener.wait(lambda each: "new" in str(each.properties.get("SourceInstanceModelPath")))
    assert WEST in told["SourceInstanceModelPath"]


def test_a_node_that_is_lost_is_shown_so_and_returns(hosts: Hosts) -> None:
    server, ask = hosts.server, hosts.server.pywbem()
    wait_until(lambda: managed(ask, "west")["State"] == CONNECTED)
    try:
        with (
            Listener() as listener,
            subscribed(server, listener, CHANGES, spaces=("root/interop",)),
            subscribed(server, listener, OF_HOSTS, spaces=(WEST,)),
        ):
            hosts.west.stop()
            lost = listener.wait(has_become(NO_CONTACT))
            system = listener.wait(lambda told: told["SourceInstance"].classname == "KVM_HostSystem")
            listener.wait(lambda told: "Service" in told["SourceInstance"].classname)
        assert system["PreviousInstance"]["OperationalStatus"] == [2]
        assert system["SourceInstance"]["OperationalStatus"] == [12]
        assert lost["PreviousInstance"]["State"] == CONNECTED
        assert managed(ask, "west")["State"] == NO_CONTACT
        assert host(ask, WEST)["OperationalStatus"] == [12]
        guests = ask.EnumerateInstances("KVM_ComputerSystem", WEST)
        assert {each["Name"] for each in guests} >= {"same", "only1"}
        assert {each["EnabledState"] for each in guests} == {0}
        assert host(ask, EAST)["OperationalStatus"] == [2]
        # What it was last seen as is known over a restart of the server, too.
        server.stop()
        server.start()
        ask = server.pywbem()
        wait_until(lambda: managed(ask, "west")["State"] == NO_CONTACT)
        assert managed(ask, "west")["Platforms"] == ["KVM"]
        assert host(ask, WEST)["OperationalStatus"] == [12]
        for class_name in ("CIM_ManagedElement", "CIM_Dependency", "CIM_Component", "CIM_SystemDevice"):
            ask.EnumerateInstances(class_name, WEST)
        wait_until(lambda: "only0" in names(ask, EAST, "KVM_ComputerSystem"))
        with Listener() as listener, subscribed(server, listener, CHANGES, spaces=("root/interop",)):
            hosts.west.start()
            found = listener.wait(has_become(CONNECTED))
        assert found["SourceInstance"]["Trouble"] == ""
    finally:
        hosts.west.start()
    wait_until(lambda: host(ask, WEST)["OperationalStatus"] == [2])
    assert names(ask, WEST, "KVM_ComputerSystem") >= {"same", "only1"}


CHANGES = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA Virt_ManagedNode"
OF_HOSTS = (
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA KVM_HostSystem OR SourceInstance ISA CIM_Service"
)


def has_become(state: int) -> Callable[[Any], bool]:
    """A condition: it is told that the node in the west has come to a state."""

    def condition(told: Any) -> bool:
        source = told["SourceInstance"]
        return (source["Name"], source.get("State")) == ("west", state)

    return condition


def test_a_node_that_vanishes_in_the_middle_of_a_method(hosts: Hosts) -> None:
    """The method ends, and says why; the others go on."""
    ask = hosts.server.pywbem()
    wait_until(lambda: managed(ask, "west")["State"] == CONNECTED)
    hosts.west.define(boot_sector_xml("busy", hosts.west.new_image()))
    wait_until(lambda: "busy" in names(ask, WEST, "KVM_ComputerSystem"))
    path = pywbem.CIMInstanceName(
        "KVM_ComputerSystem", {"CreationClassName": "KVM_ComputerSystem", "Name": "busy"}, namespace=WEST
    )
    answers: list[object] = []

    def start() -> None:
        try:
            answers.append(hosts.server.pywbem().InvokeMethod("RequestStateChange", path, RequestedState=ENABLED)[0])
        except pywbem.CIMError as error:
            answers.append(error)

    asking = threading.Thread(target=start)
    # A daemon that is stopped by a signal has taken the call, and does not answer it.
    os.kill(hosts.west.pid or 0, signal.SIGSTOP)
    try:
        asking.start()
        wait_until(lambda: names(ask, EAST, "KVM_ComputerSystem") >= {"same", "only0"})
    finally:
        hosts.west.kill()
    try:
        asking.join(120)
        assert not asking.is_alive()
        (answer,) = answers
        if answer == JOB_STARTED:
            wait_until(lambda: all(each["JobState"] in FINAL for each in ask.EnumerateInstances(JOB, WEST)), 120)
        else:
            assert isinstance(answer, pywbem.CIMError) or answer != 0
    finally:
        hosts.west.start()
    wait_until(lambda: managed(ask, "west")["State"] == CONNECTED)


def test_a_node_that_says_another_uuid_than_before(hosts: Hosts) -> None:
    ask = hosts.server.pywbem()
    wait_until(lambda: managed(ask, "west")["State"] == CONNECTED)
    settings = hosts.west.directory / "etc/libvirtd.conf"
    other = str(uuid.uuid4())
    before = settings.read_text()
    settings.write_text(before.replace(hosts.west.host_uuid, other))
    try:
        hosts.west.restart()
        wait_until(lambda: other in (host(ask, WEST)["OtherIdentifyingInfo"] or ()))
        assert managed(ask, "west")["State"] == CONNECTED
        assert names(ask, WEST, "KVM_ComputerSystem") >= {"same", "only1"}
    finally:
        settings.write_text(before)
        hosts.west.restart()
    wait_until(lambda: hosts.west.host_uuid in (host(ask, WEST)["OtherIdentifyingInfo"] or ()))
    assert managed(ask, "west")["State"] == CONNECTED


def test_one_host_is_served_once(hosts: Hosts) -> None:
    """Known by its UUID, whatever its URI; once the first is gone, the second has its turn."""
    ask = hosts.server.pywbem()
    directory = hosts.server.directory / "nodes.d"
    directory.mkdir(exist_ok=True)
    wait_until(lambda: managed(ask, "west")["State"] == CONNECTED)
    twin, third = directory / "twin.toml", directory / "third.toml"
    twin.write_text(f"[node.twin]\nuris = ['{hosts.west.uri().replace('/run/', '//run/')}']\n")
    hosts.reload()
    wait_until(lambda: "twin" in names(ask, "root/interop", "Virt_ManagedNode"))
    wait_until(lambda: managed(ask, "twin")["State"] == REFUSED, 180)
    assert WEST in managed(ask, "twin")["Trouble"]
    assert names(ask, "root/virt/twin", "CIM_ComputerSystem") == set()
    assert managed(ask, "west")["State"] == CONNECTED
    # Another driver of the host is another node: its guests are others.
    third.write_text(f"[node.third]\nuris = ['{hosts.west.uri('test')}']\n")
    hosts.reload()
    wait_until(lambda: names(ask, "root/virt/third") == {"test"})
    configuration = hosts.server.directory / "virtcim.toml"
    text = configuration.read_text()
    configuration.write_text(text.partition("[node.west]")[0])
    hosts.reload()
    wait_until(lambda: managed(ask, "twin")["State"] == CONNECTED)
    assert "only1" in names(ask, "root/virt/twin", "KVM_ComputerSystem")
    configuration.write_text(text)
    twin.unlink()
    third.unlink()
    hosts.reload()
    wait_until(lambda: "only1" in names(ask, WEST, "KVM_ComputerSystem"))


def test_a_node_and_the_one_refused_because_of_it_go_at_once(hosts: Hosts) -> None:
    ask = hosts.server.pywbem()
    directory, configuration = hosts.server.directory, hosts.server.directory / "virtcim.toml"
    text = configuration.read_text()
    (directory / "nodes.d").mkdir(exist_ok=True)
    twin = directory / "nodes.d" / "twin.toml"
    wait_until(has_state(ask, "west", CONNECTED), 60)
    twin.write_text(f"[node.twin]\nuris = ['{hosts.west.uri().replace('/run/', '//run/')}']\n")
    hosts.reload()
    wait_until(lambda: "twin" in names(ask, "root/interop", "Virt_ManagedNode"), 60)
    wait_until(has_state(ask, "twin", REFUSED), 180)
    configuration.write_text(text.partition("[node.west]")[0])
    twin.unlink()
    hosts.reload()
    wait_until(lambda: names(ask, "root/interop", "Virt_ManagedNode") == {"east"}, 60)
    configuration.write_text(text)
    hosts.reload()
    wait_until(lambda: "only1" in names(ask, WEST, "KVM_ComputerSystem"), 60)


def test_nodes_that_hang_or_talk_nonsense_delay_nobody(hosts: Hosts, tmp_path: Path) -> None:
    ask = hosts.server.pywbem()
    file = hosts.server.directory / "nodes.d" / "bad.toml"
    file.parent.mkdir(exist_ok=True)
    with stand_in(tmp_path / "hangs", b""), stand_in(tmp_path / "nonsense", b"HTTP/1.0 400 What?\r\n\r\n" * 9):
        file.write_text(
            "".join(
                f"[node.{name}]\nuris = ['qemu+unix:///system?socket={tmp_path / name}']\n"
                for name in ("hangs", "nonsense", "nobody")
            )
        )
        hosts.reload()
        wait_until(lambda: "hangs" in names(ask, "root/interop", "Virt_ManagedNode"))
        for name in ("hangs", "nonsense", "nobody"):
            wait_until(has_state(ask, name, NO_CONTACT))
            assert managed(ask, name)["Trouble"]
            assert names(ask, f"root/virt/{name}", "CIM_ComputerSystem") == set()
        assert names(ask, EAST, "KVM_ComputerSystem") >= {"same", "only0"}
        file.unlink()
        hosts.reload()
        wait_until(lambda: "hangs" not in names(ask, "root/interop", "Virt_ManagedNode"))
    with pytest.raises(pywbem.CIMError):
        managed(ask, "hangs")
