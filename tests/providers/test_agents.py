"""What the agents of guests tell: addresses as access points, on the guest and on its network ports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import pytest

from tests.providers.agents import told
from tests.providers.recorded import CONTEXT, RecordedHypervisor, Served, hypervisor, platform
from virtcim.libhelper.agent import Agents, facts_of, has_agent
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import Association, CIMError, Status
from virtcim.providers.Virt_VirtualSystemManagementService import summaries

MAC = "52:54:00:4a:b1:02"
GUEST = """<domain type='kvm'><name>{name}</name><uuid>6f1d7c3e-0a52-4b8b-9d10-00000000{number:04}</uuid>
<memory>65536</memory><os><type arch='x86_64'>hvm</type></os><devices>
<disk type='file' device='disk'><source file='/a'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><source file='/b'/><target dev='vdb' bus='virtio'/></disk>
<interface type='network'><mac address='52:54:00:4A:B1:02'/><source network='default'/></interface>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='{state}'/></channel>
</devices></domain>"""
ENDPOINT = "KVM_IPProtocolEndpoint"


def guest_xml(name: str = "talks", number: int = 1, state: str = "connected") -> str:
    return GUEST.format(name=name, number=number, state=state)


@pytest.fixture
def host() -> RecordedHypervisor:
    """A host with two guests: one that talks and one whose agent is not there."""
    host = hypervisor("KVM")
    talks = host.put(guest_xml(), active=True)
    host.put(guest_xml("silent", 2, "disconnected"), active=True)
    host.agents.told[talks.uuid] = told(MAC)
    return host


@pytest.fixture
def served(host: RecordedHypervisor) -> Served:
    return Served([(platform("KVM"), host)])


def test_each_address_is_an_endpoint(served: Served) -> None:
    found = {each.properties()["Name"]: each.properties() for each in served.instances(ENDPOINT)}
    assert list(found) == ["talks/lo/127.0.0.1", "talks/eth0/192.0.2.7", "talks/eth0/2001:db8::7"]
    four, six = found["talks/eth0/192.0.2.7"], found["talks/eth0/2001:db8::7"]
    assert (four["IPv4Address"], four["SubnetMask"], four["PrefixLength"]) == ("192.0.2.7", "255.255.252.0", 22)
    assert (four["ProtocolIFType"], six["ProtocolIFType"]) == (4096, 4097)
    assert (six["IPv6Address"], six["IPv6SubnetPrefixLength"]) == ("2001:db8::7", 64)
    assert not six.keys() & {"IPv4Address", "SubnetMask", "PrefixLength"}
    assert four["SystemName"] == "talks"


def test_an_endpoint_is_found_by_its_key(served: Served) -> None:
    keys = {
        "SystemCreationClassName": "KVM_ComputerSystem", "SystemName": "talks",
        "CreationClassName": ENDPOINT, "Name": "talks/eth0/2001:db8::7",
    }  # fmt: skip
    assert served.get(ENDPOINT, **keys).properties()["IPv6Address"] == "2001:db8::7"
    with pytest.raises(CIMError) as caught:
        served.get(ENDPOINT, **{**keys, "Name": "talks/eth0/2001:db8::8"})
    assert caught.value.status is Status.NOT_FOUND


def link(served: Served, name: str) -> Association:
    [found] = [each for each in served.catalog.associations["root/virt"] if f"KVM_{name}" in each.class_names]
    return found


def test_an_address_is_on_its_guest_and_on_the_port_with_its_mac_address(served: Served) -> None:
    on_ports, on_systems = link(served, "PortImplementsEndpoint"), link(served, "HostedAccessPoint")
    [port] = [each for each in served.instances("KVM_NetworkPort") if each.properties()["SystemName"] == "talks"]
    [system] = [each for each in served.instances("KVM_ComputerSystem") if each.properties()["Name"] == "talks"]
    on_port = list(on_ports.to_right(port, CONTEXT))
    assert [each.properties()["ElementName"] for each in on_port] == ["eth0 192.0.2.7", "eth0 2001:db8::7"]
    assert len(list(on_systems.to_right(system, CONTEXT))) == 3
    inside = served.instances(ENDPOINT)[0]
    assert inside.properties()["ElementName"] == "lo 127.0.0.1"
    assert list(on_ports.to_left(inside, CONTEXT)) == []
    [back] = on_ports.to_left(on_port[0], CONTEXT)
    assert back.properties()["DeviceID"] == port.properties()["DeviceID"]
    [owner] = on_systems.to_left(inside, CONTEXT)
    assert owner.properties()["Name"] == "talks"


def test_an_operating_system_is_in_its_guest(served: Served) -> None:
    [found] = served.instances("KVM_OperatingSystem")
    shown = found.properties()
    assert (shown["ElementName"], shown["OSType"], shown["Version"]) == ("Debian GNU/Linux 12 (bookworm)", 96, "12")
    assert (shown["CurrentTimeZone"], shown["NumberOfUsers"], shown["CSName"]) == (120, 1, "talks")
    assert "OtherTypeDescription" not in shown
    assert served.get("KVM_OperatingSystem", **found.keys()).properties() == shown
    [system] = [each for each in served.instances("KVM_ComputerSystem") if each.properties()["Name"] == "talks"]
    for association, systems_first in (("InstalledOS", True), ("RunningOS", False)):
        linked = link(served, association)
        there, back = (linked.to_right, linked.to_left) if systems_first else (linked.to_left, linked.to_right)
        assert [each.properties()["Name"] for each in there(system, CONTEXT)] == ["talks/os"]
        assert [each.properties()["Name"] for each in back(found, CONTEXT)] == ["talks"]


@pytest.mark.parametrize(
    ("system", "number", "other"),
    [
        ({"os.id": "debian", "os.machine": "i686"}, 95, None),
        ({"os.id": "fedora", "os.machine": "s390x"}, 101, None),
        ({"os.id": "mswindows", "os.version-id": "8.1", "os.machine": "x86_64"}, 119, None),
        ({"os.id": "mswindows", "os.version-id": "2012 R2", "os.machine": "x86_64"}, 116, None),
        ({"os.id": "mswindows", "os.pretty-name": "Windows 99"}, 1, "Windows 99"),
        ({"os.id": "plan9"}, 1, "plan9"),
        ({"os.id": "own", "os.pretty-name": "x" * 100}, 1, "x" * 64),
        ({"os.kernel-release": "1"}, 0, None),
    ],
)
def test_an_operating_system_is_of_a_type(
    host: RecordedHypervisor, served: Served, system: dict[str, Any], number: int, other: str | None
) -> None:
    [guest] = [each for each in host.inventory.domains() if each.name == "talks"]
    host.agents.told[guest.uuid] = system
    [found] = served.instances("KVM_OperatingSystem")
    assert (found.properties()["OSType"], found.properties().get("OtherTypeDescription")) == (number, other)


def test_each_mount_point_is_a_file_system_on_the_disks_that_libvirt_names(served: Served) -> None:
    root, data = served.instances("KVM_LocalFileSystem")
    shown = root.properties()
    assert (shown["Name"], shown["Root"], shown["FileSystemType"]) == ("talks//", "/", "ext4")
    assert (shown["FileSystemSize"], shown["AvailableSpace"]) == (20 << 30, 16 << 30)
    assert data.properties()["Root"] == "/srv/data"
    assert not data.properties().keys() & {"FileSystemSize", "AvailableSpace"}, "it did not tell"
    assert served.get("KVM_LocalFileSystem", **data.keys()).properties() == data.properties()
    on_disks, in_systems = link(served, "ResidesOnExtent"), link(served, "HostedFileSystem")
    disks = {
        each.properties()["Name"]: each
        for each in served.instances("KVM_LogicalDisk")
        if each.properties()["SystemName"] == "talks"
    }
    [only] = on_disks.to_left(root, CONTEXT)
    assert only.properties()["Name"] == "vda"
    assert [each.properties()["Name"] for each in on_disks.to_left(data, CONTEXT)] == ["vda", "vdb"]
    assert [each.properties()["Root"] for each in on_disks.to_right(disks["vdb"], CONTEXT)] == ["/srv/data"]
    [system] = in_systems.to_left(root, CONTEXT)
    assert system.properties()["Name"] == "talks"
    assert len(list(in_systems.to_right(system, CONTEXT))) == 2


def test_a_summary_tells_what_agents_have_told(host: RecordedHypervisor, served: Served) -> None:
    guests = list(all_guests(served.site, platform("KVM")))
    summaries(guests)
    silent, talks = (each.properties for each in summaries(guests))
    assert (talks["HostName"], talks["OperatingSystem"]) == ("inside", "Debian GNU/Linux 12 (bookworm)")
    assert talks["Addresses"] == ["192.0.2.7", "2001:db8::7"]
    assert not silent.keys() & {"HostName", "OperatingSystem", "Addresses"}


def test_a_guest_that_was_stopped_has_no_addresses_and_another_run_is_asked_anew(
    host: RecordedHypervisor, served: Served
) -> None:
    assert served.instances(ENDPOINT)
    host.put(guest_xml(), active=False)
    assert served.instances(ENDPOINT) == []
    changed = host.put(guest_xml(), active=True, id=7)
    host.agents.told[changed.uuid] = {"if.count": 1, "if.0.name": "eth1", "if.0.addr.count": 1,
                                      "if.0.addr.0.type": "ipv4", "if.0.addr.0.addr": "192.0.2.9"}  # fmt: skip
    [only] = served.instances(ENDPOINT)
    assert only.properties()["Name"] == "talks/eth1/192.0.2.9"
    assert not only.properties().keys() & {"PrefixLength", "SubnetMask", "Description"}, "it did not tell"


@pytest.mark.parametrize(
    "lie",
    [
        {}, {"if.count": -3}, {"if.count": "2"}, {"if.count": 1}, {"if.count": 1 << 40},
        {"if.count": 1, "if.0.name": "x", "if.0.addr.count": 1 << 40},
        {"if.count": 1, "if.0.name": "x", "if.0.addr.count": 1, "if.0.addr.0.addr": "\0\x1b"},
        {"hostname": "\n", "os.name": 7, "if.count": 1, "if.0.name": ""},
        {"fs.count": 1 << 40, "fs.0.mountpoint": 7, "user.count": "x", "timezone.offset": 1 << 40},
    ],
)  # fmt: skip
def test_an_agent_that_tells_nonsense(lie: dict[str, Any]) -> None:
    facts = facts_of(lie)
    assert facts.host_name is None
    assert facts.operating_system is None
    assert not any(interface.addresses for interface in facts.interfaces)
    assert facts.file_systems == ()


def test_what_an_agent_tells_is_of_bounded_length_and_can_be_shown() -> None:
    facts = facts_of({"hostname": "a\0b\x1b[2J" + "x" * 10_000, "os.pretty-name": "OS"})
    assert facts.host_name is not None
    assert facts.host_name.startswith("ab[2Jx")
    assert len(facts.host_name) <= 256
    assert facts.operating_system == "OS"


class Slow:
    """Agents that answer when they are told to."""

    def __init__(self) -> None:
        self.asked: list[Future[Mapping[str, Any]]] = []

    def submit(self, _what: str, _question: Callable[..., Any]) -> Future[Mapping[str, Any]]:
        self.asked.append(Future())
        return self.asked[-1]


def test_agents_that_hang_are_few_and_keep_nobody_for_long(host: RecordedHypervisor) -> None:
    guests = [host.put(guest_xml(f"g{number}", 10 + number), active=True, id=number) for number in range(1, 6)]
    assert all(map(has_agent, guests))
    slow = Slow()
    agents = Agents(slow.submit, read_only=False)
    agents.look(guests)
    assert len(slow.asked) == 2
    waited = threading.Thread(target=agents.look, args=(guests, 60.0), daemon=True)
    waited.start()
    slow.asked[0].set_exception(RuntimeError("does not answer"))
    assert len(slow.asked) == 3, "another one has its turn"
    for number in range(1, 5):
        slow.asked[number].set_result(told(MAC))
    waited.join(60)
    assert not waited.is_alive()
    assert [agents.facts(guest) is not None for guest in guests] == [False, True, True, True, True]
    agents.look(guests, 60.0)
    assert len(slow.asked) == 5, "nobody is asked again so soon, neither those who answered nor the one who did not"
    agents.reset()
    assert agents.facts(guests[1]) is None


def test_over_a_connection_that_may_only_read_no_agent_is_asked(host: RecordedHypervisor) -> None:
    slow = Slow()
    Agents(slow.submit, read_only=True).look(host.inventory.domains(), 60.0)
    assert slow.asked == []
