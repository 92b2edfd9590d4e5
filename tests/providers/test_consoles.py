"""Access points of graphical consoles, and the service that they belong to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.providers.recorded import CONTEXT, Served, domain_xml, hypervisor, platform, served
from virtcim.libhelper.sockets import Sockets
from virtcim.providers.associations.relation import Relation
from virtcim.providers.interface import CIMError, Instance, Status

SAP = "KVM_KVMRedirectionSAP"
VNC = "<graphics type='vnc' port='{}' autoport='{}' listen='127.0.0.1'/>"
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue\n"


def table(*lines: tuple[int, int, str]) -> str:
    """A text as /proc/net/tcp has it, of local port, remote port and state."""
    return HEADER + "".join(
        f"   0: 0100007F:{local:04X} 0100007F:{remote:04X} {state} 00000000:00000000\n"
        for local, remote, state in lines
    )


@pytest.fixture
def sockets(tmp_path: Path) -> Path:
    """The sockets of the machine, as a file to write."""
    file = tmp_path / "tcp"
    file.write_text(table())
    return file


def site_with(sockets: Path, xml: str, uri: str = "qemu:///system", **changes: Any) -> Served:
    """A site with one guest on a machine with these sockets."""
    host = hypervisor()
    host.uri = uri
    host.put(xml, **changes)
    site = Served([(platform("KVM"), host)])
    site.site.memo(Sockets, lambda _: Sockets([sockets]))
    return site


def states(site: Served) -> dict[Any, Any]:
    """Names and states of all access points."""
    found: list[dict[str, Any]] = [dict(each.properties()) for each in site.instances(SAP)]
    assert all(each["Name"] == each["ElementName"] for each in found)
    return {each["Name"]: (each["EnabledState"], each["OperationalStatus"][0]) for each in found}


def test_a_guest_that_does_not_run(sockets: Path) -> None:
    assert states(site_with(sockets, domain_xml("g", VNC.format(-1, "yes")))) == {"-1:-1": (3, 10)}
    assert states(site_with(sockets, domain_xml("g", VNC.format(5901, "no")))) == {"5901:-1": (3, 10)}


def test_clients_come_and_go(sockets: Path) -> None:
    xml = domain_xml("g", VNC.format(5901, "yes"))
    sockets.write_text(table((5901, 0, "0A"), (5902, 41000, "01")))
    assert states(site_with(sockets, xml, active=True)) == {"5901:0": (6, 2)}
    sockets.write_text(table((5901, 0, "0A"), (5901, 42000, "01"), (5901, 41000, "01"), (41000, 5901, "01")))
    site = site_with(sockets, xml, active=True)
    assert states(site) == {"5901:41000": (2, 2)}
    revision = site.instances(SAP)[0].revision
    sockets.write_text(table((5901, 0, "0A"), (5901, 42000, "06")))
    assert states(site_with(sockets, xml, active=True)) == {"5901:0": (6, 2)}
    assert site_with(sockets, xml, active=True).instances(SAP)[0].revision != revision


def test_sockets_that_do_not_tell(sockets: Path) -> None:
    """A console that is not seen to listen is elsewhere, and so are its clients."""
    xml = domain_xml("g", VNC.format(5901, "yes"))
    sockets.write_text(table((5901, 41000, "01")))
    assert states(site_with(sockets, xml, active=True)) == {"5901:0": (6, 2)}
    sockets.write_text(table((5901, 0, "0A"), (5901, 41000, "01")))
    assert states(site_with(sockets, xml, "qemu+ssh://elsewhere/system", active=True)) == {"5901:0": (6, 2)}
    assert states(site_with(sockets.parent / "none", xml, active=True)) == {"5901:0": (6, 2)}
    assert states(site_with(sockets, xml, active=True, contact=False)) == {"5901:-1": (0, 12)}


def test_several_consoles(sockets: Path) -> None:
    devices = (
        "<graphics type='sdl'/><graphics type='vnc' socket='/run/vnc'/>"
        "<graphics type='spice'><listen type='none'/></graphics>"
        "<graphics type='spice' tlsPort='5911'/><graphics type='rdp' port='3389'/>" + VNC.format(5901, "no")
    )
    site = site_with(sockets, domain_xml("g", devices), active=True)
    found: list[dict[str, Any]] = [dict(each.properties()) for each in site.instances(SAP)]
    assert [(each["Name"], each["KVMProtocol"], each.get("OtherKVMProtocol")) for each in found] == [
        ("5911:0", 1, "SPICE"),
        ("3389:0", 3, None),
        ("5901:0", 4, None),
    ]
    assert found[2]["Description"] == "127.0.0.1:5901"
    twice = site_with(sockets, domain_xml("g", VNC.format(-1, "yes") * 2))
    assert [each.keys()["Name"] for each in twice.instances(SAP)] == ["-1:-1", "-1:-1#2"]
    for each in twice.instances(SAP):
        assert twice.get(SAP, **each.keys()).identity == each.identity


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"Name": "5901:7"}, Status.NOT_FOUND, "No such instance (Name)"),
        ({"Name": None}, Status.NOT_FOUND, "No such instance (Name)"),
        ({"SystemName": "gone"}, Status.NOT_FOUND, "No such instance (SystemName)"),
        ({"SystemName": None}, Status.NOT_FOUND, "No such instance (SystemName)"),
        ({"SystemName": "plain"}, Status.FAILED, "No console device for this guest"),
        ({"CreationClassName": "x"}, Status.NOT_FOUND, "No such instance (CreationClassName)"),
    ],
)
def test_keys(change: dict[str, Any], status: Status, text: str) -> None:
    site = served("KVM", domain_xml("g", VNC.format(5901, "no")), domain_xml("plain"))
    keys = {
        "SystemCreationClassName": "KVM_ComputerSystem",
        "SystemName": "g",
        "CreationClassName": SAP,
        "Name": "5901:-1",
    }
    assert site.get(SAP, **keys).keys() == keys
    with pytest.raises(CIMError) as caught:
        site.get(SAP, **{**keys, **change})
    assert (caught.value.status, caught.value.description) == (status, text)


def test_associations_of_consoles() -> None:
    site = served("KVM", domain_xml("g", VNC.format(5901, "no") + "<input type='mouse' bus='ps2'/>"), domain_xml("h"))
    point = site.instances(SAP)[0]
    relations = [each for each in site.catalog.associations["root/virt"] if isinstance(each, Relation)]

    def names(base: str, element: Instance) -> list[Any]:
        ways = [(each.to_left, each.to_right) for each in relations if each.base == base]
        return [other.class_name for both in ways for way in both for other in way(element, CONTEXT)]

    assert names("HostedAccessPoint", point) == ["KVM_HostSystem"]
    assert names("ServiceAccessBySAP", point) == ["KVM_ConsoleRedirectionService"]
    assert names("SAPAvailableForElement", point) == ["KVM_ComputerSystem"]
    affected = names("ServiceAffectsElement", site.instances("KVM_ConsoleRedirectionService")[0])
    # In the order of libvirt-cim, whose test suite compares it.
    assert affected == ["KVM_ComputerSystem", "KVM_ComputerSystem", "KVM_PointingDevice", "KVM_DisplayController"]


@pytest.fixture
def connection() -> Iterator[tuple[int, int]]:
    """The ports of a listening socket and of its client."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        yield server.getsockname()[1], client.getsockname()[1]


def test_the_sockets_of_this_machine(connection: tuple[int, int]) -> None:
    listening, client = connection
    found = Sockets().now()
    assert listening in found.listening
    assert client not in found.listening


def test_sockets_are_read_once_a_second(sockets: Path) -> None:
    reader = Sockets([sockets])
    assert reader.now() is reader.now()
    sockets.write_text(HEADER + "odd\n" + table((1, 0, "0A"))[len(HEADER) :])
    assert Sockets([sockets]).now().listening == {1}
