"""The whole graph of real hosts: libvirt's test driver, and QEMU and LXC with everything they can show here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bed import Libvirtd, Server, baseline_xml, boot_sector_xml, wait_until
from tests.bed.fullhost import full_host, start_container
from tests.providers.migrationbed import RUNNING, begin_migration, guest_xml
from tests.providers.test_two_nodes import GUESTS, OTHER, node_file
from tests.test_nodes import names
from tests.walk import Report, Walker, Wire
from tests.walk.clients import sample
from tests.walk.walker import NAMESPACES

PREFIXES = ("KVM", "LXC", "Xen", "Test")


DISABLED = 3
"""EnabledState of a guest that is off."""

FOLLOWED = 1
"""Of how many instances of a kind all that hangs on them is asked for, where the walk is to be quick."""

SHARE = 12
"""One of how many filters is tried then, of how many classes of platforms that show nothing, and of how many classes
the clients are tried with."""


def have_rates(server: Server, namespace: str) -> None:
    """Have the figures of guests sampled twice: from then on those of an interval are there, too."""
    with server.pywbem(namespace) as connection:

        def loads() -> int:
            values = connection.EnumerateInstanceNames("CIM_BaseMetricValue")
            return sum(each["InstanceID"].endswith(":CPULoad") for each in values)

        systems = connection.EnumerateInstances("CIM_ComputerSystem", PropertyList=["EnabledState"])
        active = [each for each in systems if "Host" not in each.classname and each["EnabledState"] != DISABLED]
        wait_until(lambda: loads() >= len(active))


def walked(server: Server, followed: int | None = FOLLOWED, *further: str) -> Report:
    """The walk of a server, which is to have no findings; prints the graph's size.

    Parameters:
        further: namespaces, beside those that each server has.
    """
    for namespace in ("root/virt", *further):
        have_rates(server, namespace)
    with Wire(server.login_url) as wire:
        share = 1 if followed is None else SHARE
        walker = Walker(wire, (*NAMESPACES, *further), followed=followed, share=share)
        report = walker.walk()
        print(f"{sample(walker, share)} classes sampled by pywbem and wbemcli")
    print(report.summary())
    assert not report.findings, report.text()
    return report


def count(report: Report, prefix: str) -> int:
    """How many instances and links of a platform there are."""
    return sum(number for name, number in (report.instances + report.links).items() if name.startswith(f"{prefix}_"))


def test_the_test_driver(default_server: Server) -> None:
    report = walked(default_server)
    assert count(report, "Test") > 300
    assert [count(report, prefix) for prefix in PREFIXES[:3]] == [0, 0, 0]


@pytest.mark.slow
def test_two_nodes(tmp_path: Path) -> None:
    """What one shows leads to nothing of the other, and all of both is found from the interop namespace."""
    files = [node_file(tmp_path, number, guests) for number, guests in enumerate(GUESTS.values())]
    config = f"uris = ['test://{files[0]}']\n[node.other]\nuris = ['test://{files[1]}']\ngroups = ['lab']\n"
    with Server(config=config) as server:
        with server.pywbem() as connection:
            wait_until(lambda: names(connection, OTHER) == GUESTS[OTHER].keys())
        report = walked(server, 1, OTHER)
    guests = sum(len(each) for each in GUESTS.values())
    assert report.instances["Test_ComputerSystem"] == guests


@pytest.fixture
def host(libvirtd: Libvirtd) -> Libvirtd:
    """The daemon without guests."""
    libvirtd.remove_domains()
    return libvirtd


@pytest.mark.parametrize("followed", [FOLLOWED, pytest.param(None, marks=pytest.mark.slow)])
def test_a_host_with_every_device(host: Libvirtd, serve: Callable[..., Server], followed: int | None) -> None:
    with full_host(host):
        container = start_container(host)
        server = serve(host.uri(), host.uri("lxc"))
        with server.pywbem() as connection:
            wait_until(lambda: len(connection.EnumerateInstanceNames("KVM_StorageVolume")) == 2)
        report = walked(server, followed)
        host.remove_domains()
    assert report.instances["KVM_ComputerSystem"] == 4
    assert report.instances["LXC_ComputerSystem"] == 1
    assert report.instances["KVM_PortResourceAllocationSettingData"] > 10
    assert count(report, "KVM") > 1000
    assert count(report, "LXC") > 100
    assert count(report, "Xen") == 0
    assert container or report.instances["LXC_Memory"] == 1


@pytest.mark.slow
def test_a_host_while_a_guest_leaves_it(
    host: Libvirtd, new_libvirtd: Callable[[], Libvirtd], serve: Callable[..., Server], tmp_path: Path
) -> None:
    """And while there are snapshots and checkpoints."""
    filling = tmp_path / "filling"
    filling.write_bytes(os.urandom(300 << 20))
    host.define(baseline_xml("snapshots", host.new_image()))
    for name in ("one", "two"):
        host.virsh("snapshot-create-as", "snapshots", name)
    host.virsh("snapshot-revert", "snapshots", "one")
    host.virsh("snapshot-create-as", "snapshots", "three")
    host.define(boot_sector_xml("checkpoints", host.new_image()))
    host.define(guest_xml("mover", "", "", filling).replace("64</memory>", "400</memory>"))
    for name in ("checkpoints", "mover"):
        host.virsh("start", name)
    for name in ("one", "two"):
        host.virsh("checkpoint-create-as", "checkpoints", name)
    there = new_libvirtd()
    config = f'[providers.migration]\nsocket_directory = "{host.directory}"\n'
    server = serve(host.uri(), there.uri(), config=config)
    connection = server.pywbem()
    wait_until(lambda: len(connection.EnumerateInstanceNames("KVM_ComputerSystem")) == 3)
    job = begin_migration(connection, "mover", there, 1)
    wait_until(lambda: connection.GetInstance(job)["DataProcessed"])
    report = walked(server, 1)
    assert connection.GetInstance(job)["JobState"] == RUNNING
    assert report.instances["KVM_Checkpoint"] == 2
    assert report.links["KVM_SnapshotDependency"] == 2
    assert report.instances["KVM_MigrationJob"] == 1
    host.remove_domains()
