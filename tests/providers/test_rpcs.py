"""ResourcePoolConfigurationService on libvirt's test driver: what it makes, what it refuses, and in which words."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.providers.poolservice import COMPLETED, EXCEPTION, HASTY, PoolService
from tests.providers.recorded import CONTEXT
from virtcim.libhelper.uris import shorten_uri
from virtcim.libhelper.xml.editing import object_text
from virtcim.providers.associations.relation import Relation
from virtcim.providers.interface import CIMError, InstancePath
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.Virt_ResourcePoolConfigurationService.settings import GivenProperties, SettingsError
from virtcim.providers.Virt_ResourcePoolConfigurationService.storagepools import pool_order

GUEST = """<domain type='test'><name>guest</name><memory>65536</memory><os><type>hvm</type></os><devices>
<disk type='file'><source file='/pools/p/used.img'/><target dev='vda'/></disk>
<interface type='network'><source network='used'/><mac address='52:54:00:00:00:01'/></interface></devices></domain>"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    node = tmp_path / "node.xml"
    node.write_text(f"<node>{GUEST}</node>")
    return f"test://{node}"


@pytest.fixture
def service(uri: str) -> Iterator[PoolService]:
    made = PoolService(uri, "Test")
    yield made
    made.close()


@pytest.fixture
def pool(service: PoolService) -> InstancePath:
    return service.create("DiskPool", "p", Type=1, Path="/pools/p")


def network(service: PoolService, name: str) -> Any:
    record = service.hypervisor.inventory.find_by_name("network", name)
    assert record is not None
    return record.config  # type: ignore[attr-defined]


def test_a_network_has_usual_values(service: PoolService) -> None:
    path = service.create("NetPool", None)
    assert path == service.pool("NetworkPool", "libvirt-cim-pool")
    made = network(service, "libvirt-cim-pool")
    (ip,) = made.ips
    assert (made.mode, ip.address, ip.dhcp_range_start, ip.dhcp_range_end) == (
        "nat",
        "192.168.122.1",
        "192.168.122.2",
        "192.168.122.254",
    )
    shown = service.shown(path)
    assert (shown["ResourceSubType"], shown["OperationalStatus"], shown["Primordial"]) == ("nat", [2], False)


def test_a_second_network_has_a_subnet_of_its_own(service: PoolService) -> None:
    service.create("NetPool", "one")
    service.create("NetPool", "two")
    one, two = (ipaddress.ip_network(f"{network(service, name).ips[0].address}/24", False) for name in ("one", "two"))
    assert not one.overlaps(two)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"ForwardMode": 0}, ("isolated", None, None)),
        ({"ForwardMode": 1, "ForwardDevice": "eth1"}, ("nat", "eth1", None)),
        ({"ForwardMode": 2}, ("route", None, None)),
        ({"ForwardMode": 3, "BridgeName": "virbr9"}, ("open", None, "virbr9")),
        ({"ForwardMode": 4, "BridgeName": "br0"}, ("bridge", None, "br0")),
    ],
)
def test_how_traffic_leaves(service: PoolService, properties: dict[str, Any], expected: tuple[Any, ...]) -> None:
    service.create("NetPool", "n", **properties)
    made = network(service, "n")
    assert (made.mode, made.forward_dev, made.bridge_name) == expected


@pytest.mark.parametrize(
    ("address", "netmask", "expected"),
    [
        ("10.1.2.1", "255.255.255.0", ("10.1.2.2", "10.1.2.254")),
        ("10.1.2.254", "255.255.255.0", ("10.1.2.1", "10.1.2.253")),
        ("10.1.0.1", "255.255.0.0", ("10.1.0.2", "10.1.255.254")),
        ("10.1.2.1", "255.255.255.252", ("10.1.2.2", "10.1.2.2")),
    ],
)
def test_addresses_that_are_given_out(
    service: PoolService, address: str, netmask: str, expected: tuple[Any, ...]
) -> None:
    service.create("NetPool", "n", Address=address, Netmask=netmask)
    (ip,) = network(service, "n").ips
    # As it was asked for, and as libvirt-cim wrote it: scripts look for the mask in the XML of the network.
    assert (ip.address, ip.netmask, ip.prefix) == (address, netmask, None)
    assert (ip.dhcp_range_start, ip.dhcp_range_end) == expected


def test_ipv6_domain_autostart_and_no_dhcp(service: PoolService) -> None:
    service.create(
        "NetPool",
        "n",
        Address="10.9.8.1",
        IPRangeStart="",
        IPv6Address="fd00::1",
        IPv6PrefixLength=80,
        IPv6RangeStart="fd00::10",
        IPv6RangeEnd="fd00::ff",
        DomainName="guests.example",
        Autostart=1,
    )
    made = network(service, "n")
    four, six = made.ips
    assert not four.dhcp_ranges
    assert (six.family, six.address, six.prefix) == ("ipv6", "fd00::1", 80)
    assert (six.dhcp_range_start, six.dhcp_range_end) == ("fd00::10", "fd00::ff")
    assert made.domain_name == "guests.example"
    record = service.hypervisor.inventory.find_by_name("network", "n")
    assert record is not None
    assert record.autostart


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"Address": "10.0.0.x"}, "Address"),
        ({"Address": "fd00::1"}, "Address"),
        ({"Address": "10.0.0.1", "Netmask": "255.0.255.0"}, "Netmask"),
        ({"Netmask": "255.255.255.0"}, "Netmask"),
        ({"Address": "10.0.0.1", "IPRangeStart": "10.0.1.1", "IPRangeEnd": "10.0.1.2"}, "IPRangeStart"),
        ({"Address": "10.0.0.1", "IPRangeStart": "10.0.0.9", "IPRangeEnd": "10.0.0.2"}, "IPRangeEnd"),
        ({"Address": "10.0.0.1", "IPRangeStart": "10.0.0.9"}, "IPRangeEnd"),
        ({"ForwardMode": 7}, "ForwardMode"),
        ({"ForwardMode": 0, "ForwardDevice": "eth0"}, "ForwardDevice"),
        ({"ForwardMode": 4}, "BridgeName"),
        ({"ForwardMode": 4, "BridgeName": "br0", "Address": "10.0.0.1"}, "Address"),
        ({"IPv6Address": "10.0.0.1"}, "IPv6Address"),
        ({"IPv6Address": "fd00::1", "IPv6PrefixLength": 129}, "IPv6PrefixLength"),
        ({"IPv6RangeStart": "fd00::1"}, "IPv6RangeStart"),
        ({"IPv6Address": "fd00::1", "IPv6RangeStart": "fd00::2"}, "IPv6RangeEnd"),
        ({"Autostart": 2}, "Autostart"),
    ],
)
def test_refused_settings_of_a_network(service: PoolService, properties: dict[str, Any], named: str) -> None:
    text = service.refused(
        "CreateChildResourcePool", ElementName="n", Settings=[service.setting("NetPool", **properties)]
    )
    assert text.startswith("FAILED Settings Error: ")
    assert f"`{named}'" in text
    assert not service.hypervisor.inventory.networks()


@pytest.mark.parametrize(("kind", "properties"), [("NetPool", {"ForwardMode": 7}), ("DiskPool", {"Type": 8})])
def test_what_no_pool_can_be(service: PoolService, kind: str, properties: dict[str, int]) -> None:
    settings = [service.setting(kind, **properties)]
    text = service.refused("CreateChildResourcePool", ElementName="n", Settings=settings)
    assert text.startswith("FAILED Settings Error: Storage pool type not supported: ")


@pytest.mark.parametrize("kind", ["NetPool", "DiskPool"])
def test_names_are_taken_once(service: PoolService, kind: str) -> None:
    properties = {"Type": 1, "Path": "/pools/x"} if kind == "DiskPool" else {}
    service.create(kind, "x", **properties)
    text = service.refused("CreateChildResourcePool", ElementName="x", Settings=[service.setting(kind, **properties)])
    assert text == "FAILED Pool with that name already exists"


def test_parameters_of_create_child_resource_pool(service: PoolService) -> None:
    net, primordial = service.setting("NetPool"), service.pool("NetworkPool", "0")
    create = "CreateChildResourcePool"
    assert service.refused(create) == "INVALID_PARAMETER Missing argument `Settings'"
    assert service.refused(create, Settings=[net, net]).startswith("INVALID_PARAMETER")
    assert service.call(create, Settings=[service.setting("Mem")]).return_value == 7
    assert service.call(create, Settings=[net], ParentPool=[service.pool("DiskPool", "0")]).return_value == 7
    made = service.call(create, Settings=[net], ParentPool=[primordial])
    assert made.return_value == 0
    assert service.call(create, Settings=[net], ParentPool=[made.out["Pool"]]).return_value == 5


def test_what_libvirt_cannot_do_is_not_supported(service: PoolService) -> None:
    for method in (
        "CreateResourcePool",
        "AddResourcesToResourcePool",
        "RemoveResourcesFromResourcePool",
        "ChangeParentResourcePool",
    ):
        assert service.call(method).return_value == 1


def test_a_storage_pool_is_made_and_removed(service: PoolService) -> None:
    path = service.create("DiskPool", "p", Type=1, Path="/pools/empty", Autostart=1)
    shown = service.shown(path)
    assert (shown["Path"], shown["ResourceSubType"], shown["Autostart"], shown["OperationalStatus"]) == (
        "/pools/empty",
        "dir",
        1,
        [2],
    )
    assert service.call("DeleteResourcePool", Pool=path).return_value == 0
    assert not service.hypervisor.inventory.pools()
    assert service.refused("DeleteResourcePool", Pool=path) == "FAILED Resource pool instance does not exist"


def test_an_inactive_pool_can_be_removed(service: PoolService) -> None:
    path = service.create("NetPool", "n")
    with service.hypervisor.connections.connection() as connection:
        connection.networkLookupByName("n").destroy()
    service.until(path, lambda shown: shown["OperationalStatus"] == [10])
    assert service.call("DeleteResourcePool", Pool=path).return_value == 0
    assert not service.hypervisor.inventory.networks()


def test_refused_deletions(service: PoolService) -> None:
    nonsense = InstancePath("Test_NetworkPool", {"InstanceID": "nonsense"})
    assert service.refused("DeleteResourcePool", Pool=nonsense) == "INVALID_PARAMETER Pool has invalid InstanceID"
    assert service.refused("DeleteResourcePool") == "INVALID_PARAMETER Missing argument `Pool'"
    assert service.call("DeleteResourcePool", Pool=service.pool("NetworkPool", "0")).return_value == 1
    used, pool = service.create("NetPool", "used"), service.create("DiskPool", "p", Type=1, Path="/pools/p")
    service.until(used, lambda shown: shown["CurrentlyConsumedResource"] == 1)
    assert service.call("DeleteResourcePool", Pool=used).return_value == 6
    assert service.call("DeleteResourcePool", Pool=pool).return_value == 6
    assert service.shown(used)["OperationalStatus"] == [2]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"Type": 1, "Path": "/d"}, "<pool type='dir'><name>n</name><target><path>/d</path></target></pool>"),
        (
            {"Type": 2, "Path": "/d", "DevicePaths": ["/dev/vdb"], "SourceFormat": "ext4"},
            "<pool type='fs'><name>n</name><source><device path='/dev/vdb'/><format type='ext4'/></source>"
            "<target><path>/d</path></target></pool>",
        ),
        (
            {"Type": 3, "Path": "/d", "Host": "h", "SourceDirectory": "/exports"},
            "<pool type='netfs'><name>n</name><source><host name='h'/><dir path='/exports'/></source>"
            "<target><path>/d</path></target></pool>",
        ),
        (
            {"Type": 4, "DevicePaths": ["/dev/vdb"]},
            "<pool type='disk'><name>n</name><source><device path='/dev/vdb'/></source>"
            "<target><path>/dev</path></target></pool>",
        ),
        (
            {"Type": 5, "DevicePaths": ["iqn.x"], "Host": "h", "InitiatorIQN": "iqn.me"},
            "<pool type='iscsi'><name>n</name><source><host name='h'/><device path='iqn.x'/><initiator>"
            "<iqn name='iqn.me'/></initiator></source><target><path>/dev/disk/by-path</path></target></pool>",
        ),
        (
            {"Type": 6, "SourceName": "vg", "DevicePaths": ["/dev/vdb", "/dev/vdc"]},
            "<pool type='logical'><name>n</name><source><device path='/dev/vdb'/><device path='/dev/vdc'/>"
            "<name>vg</name></source><target><path>/dev/vg</path></target></pool>",
        ),
        (
            {"Type": 7, "Path": "/dev/disk/by-id", "AdapterName": "host0"},
            "<pool type='scsi'><name>n</name><source><adapter type='scsi_host' name='host0'/></source>"
            "<target><path>/dev/disk/by-id</path></target></pool>",
        ),
        (
            {"Type": 7, "Path": "/dev/disk/by-id", "AdapterName": "host0", "PortName": "1", "NodeName": "2"},
            "<pool type='scsi'><name>n</name><source><adapter type='fc_host' parent='host0' wwnn='2' wwpn='1'/>"
            "</source><target><path>/dev/disk/by-id</path></target></pool>",
        ),
        (
            {"ResourceSubType": "rbd", "Host": "h", "SourceName": "images"},
            "<pool type='rbd'><name>n</name><source><host name='h'/><name>images</name></source></pool>",
        ),
        (
            {"Type": 0, "ResourceSubType": "gluster", "Host": "h", "SourceName": "v", "SourceDirectory": "/"},
            "<pool type='gluster'><name>n</name><source><host name='h'/><dir path='/'/><name>v</name></source></pool>",
        ),
        (
            {"ResourceSubType": "mpath"},
            "<pool type='mpath'><name>n</name><target><path>/dev/mapper</path></target></pool>",
        ),
    ],
)
def test_xml_of_storage_pools(properties: dict[str, Any], expected: str) -> None:
    made = object_text(pool_order(GivenProperties(properties), "n").pool)
    assert made.replace('"', "'") == expected


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({}, "Missing `Type' property"),
        ({"Type": 0}, "Missing `ResourceSubType' property"),
        ({"Type": 8}, "Storage pool type not supported: `Type' property has the unknown value 8"),
        ({"Type": 1}, "Missing `Path' property"),
        ({"Type": 1, "Path": " "}, "Missing `Path' property"),
        ({"Type": 1, "Path": "/d", "ResourceSubType": "fs"}, "`ResourceSubType' property contradicts"),
        ({"Type": 2, "Path": "/d"}, "Missing `DevicePaths' property"),
        ({"Type": 2, "Path": "/d", "DevicePaths": ["/a", "/b"]}, "Specified pool type only takes one device path"),
        ({"Type": 3, "Path": "/d", "SourceDirectory": "/e"}, "Missing `Host' property"),
        ({"Type": 3, "Path": "/d", "Host": "h"}, "Missing `SourceDirectory' property"),
        ({"Type": 7, "Path": "/d"}, "Missing `AdapterName' property"),
        ({"Type": 7, "Path": "/d", "AdapterName": "a", "PortName": "1"}, "Missing `NodeName' property"),
        ({"Type": 5, "Host": "h", "DevicePaths": ["i"], "Build": 1}, "`Build' property"),
        ({"Type": 1, "Path": "/d", "Build": 3}, "`Build' property has the unknown value"),
        ({"ResourceSubType": "rbd", "Host": "h"}, "Missing `SourceName' property"),
    ],
)
def test_refused_settings_of_storage_pools(properties: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError) as refused:
        pool_order(GivenProperties(properties), "n")
    assert named in str(refused.value)


def test_building_destroys_nothing_unless_asked_to() -> None:
    def flags(**properties: Any) -> tuple[bool, bool]:
        order = pool_order(GivenProperties({"Path": "/d", "DevicePaths": ["/dev/x"], **properties}), "n")
        return order.build, order.overwrite

    assert flags(Type=1) == (True, False)
    assert flags(Type=1, Build=0) == (False, False)
    assert flags(Type=2) == (False, False)
    assert flags(Type=2, Build=1) == (True, False)
    assert flags(Type=2, Build=2) == (True, True)


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        (None, 1),
        ("byte", 1),
        ("Bytes", 1),
        ("KiloBytes", 1 << 10),
        ("byte*2^20", 1 << 20),
        ("G", 1 << 30),
        ("byte*10^9", 10**9),
        ("MiB", 1 << 20),
        ("GigaBytes", 1 << 30),
    ],
)
def test_units_of_volumes(service: PoolService, pool: InstancePath, units: str | None, factor: int) -> None:
    given: dict[str, Any] = {} if units is None else {"AllocationUnits": units}
    result = service.create_volume(
        pool, VolumeName="v", Path="/pools/p", FormatType=1, Capacity=70000, AllocationQuantity=0, **given
    )
    if 70000 * factor > 100 << 40:
        return
    shown = service.shown(result.out["Resource"])
    assert (shown["Capacity"], shown["AllocationQuantity"]) == (70000 * factor, 0)


def test_a_volume_is_made_found_and_deleted(service: PoolService, pool: InstancePath) -> None:
    result = service.create_volume(pool, VolumeName="v.qcow2", FormatType=2, Capacity=10 << 30)
    assert result.return_value == 0
    path = result.out["Resource"]
    shown = service.shown(path)
    assert (shown["InstanceID"], shown["PoolID"], shown["FormatType"]) == ("/pools/p/v.qcow2", "DiskPool/p", 2)
    (volume,) = service.instances("Test_StorageVolume")
    assert volume.properties()["NumberOfBlocks"] == (10 << 30) // 512
    resource = service.setting("Disk", Address="/pools/p/v.qcow2")
    assert service.call("DeleteResourceInPool", Resource=resource, Pool=pool).return_value == 0
    assert not service.instances("Test_StorageVolume")
    gone = service.refused("DeleteResourceInPool", Resource=resource, Pool=pool)
    assert gone == (
        "FAILED Unable to delete resource: "
        "Storage volume not found: no storage vol with matching path '/pools/p/v.qcow2'"
    )


def test_a_volume_with_the_content_of_another(service: PoolService, pool: InstancePath) -> None:
    source = service.create_volume(pool, VolumeName="a", FormatType=1, Capacity=1 << 20).out["Resource"]
    uri = f'root/virt:{source.class_name}.InstanceID="{source.keys["InstanceID"]}"'
    for number, named in enumerate(("/pools/p/a", uri)):
        result = service.create_volume(pool, VolumeName=f"copy{number}", HostResource=[named])
        shown = service.shown(result.out["Resource"])
        assert (shown["Capacity"], shown["ResourceSubType"]) == (1 << 20, "raw")


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"VolumeName": None}, "`VolumeName'"),
        ({"Capacity": None}, "`Capacity'"),
        ({"AllocationUnits": "furlong"}, "`AllocationUnits'"),
        ({"AllocationUnits": "byte/second"}, "`AllocationUnits'"),
        ({"Capacity": 1 << 62, "AllocationUnits": "KiB"}, "`Capacity'"),
        ({"AllocationQuantity": 1 << 30}, "`AllocationQuantity'"),
        ({"Path": "/elsewhere"}, "`Path'"),
        ({"FormatType": 1, "ResourceSubType": "qcow2"}, "`ResourceSubType'"),
        ({"HostResource": ["/no/such"]}, "`HostResource'"),
        ({"HostResource": ["/a", "/b"]}, "`HostResource'"),
        ({"HostResource": ['Test_DiskPool.InstanceID="DiskPool/p"']}, "`HostResource'"),
        ({"BackingPath": "/no/such"}, "`BackingFormat'"),
        ({"BackingFormat": "raw"}, "`BackingFormat'"),
        ({"VolumeName": "a\x01b"}, "U+0001"),
    ],
)
def test_refused_settings_of_volumes(
    service: PoolService, pool: InstancePath, properties: dict[str, Any], named: str
) -> None:
    setting = service.setting("StorageVolume", **{"VolumeName": "v", "Capacity": 1 << 20, **properties})
    text = service.refused("CreateResourceInPool", Settings=setting, Pool=pool)
    field = f"{named[1:-1]} field" if named.startswith("`") else "field"
    assert text.startswith(f"FAILED Unable to get attributes for resource: StorageVolumeRASD {field} not valid: ")
    assert named in text
    assert not service.instances("Test_StorageVolume")


def test_refused_volumes(service: PoolService, pool: InstancePath) -> None:
    create, setting = "CreateResourceInPool", service.setting("StorageVolume", VolumeName="v", Capacity=512)
    assert service.refused(create, Pool=pool) == "INVALID_PARAMETER Missing argument `Settings'"
    assert service.refused(create, Settings=setting) == "INVALID_PARAMETER Missing argument `Pool'"
    assert "does not support this resource type" in service.refused(create, Settings=service.setting("Mem"), Pool=pool)
    net = service.create("NetPool", "n")
    assert "does not support this resource type" in service.refused(create, Settings=setting, Pool=net)
    odd = service.setting("StorageVolume", VolumeName="v", Capacity=512, FormatType=3)
    assert service.refused(create, Settings=odd, Pool=pool).startswith("FAILED Unable to generate XML for new resource")
    service.call(create, Settings=setting, Pool=pool)
    twice = service.refused(create, Settings=setting, Pool=pool)
    assert twice.startswith("FAILED Unable to create storage volume: ")
    path = service.setting("StorageVolume", VolumeName="w", Capacity=512, Path="/pools/p/v")
    assert service.refused(create, Settings=path, Pool=pool) == (
        "FAILED Unable to create storage volume: /pools/p/v exists already"
    )
    both = service.setting("StorageVolume", VolumeName="w", Capacity=512, Path="/pools/p/v", FormatType=99)
    assert service.refused(create, Settings=both, Pool=pool).startswith(
        "FAILED Unable to generate XML for new resource"
    )
    assert len(service.instances("Test_StorageVolume")) == 1


def test_a_volume_in_use_is_not_deleted(service: PoolService, pool: InstancePath) -> None:
    service.create_volume(pool, VolumeName="used.img", Capacity=512)
    resource = service.setting("Disk", Address="/pools/p/used.img")
    text = service.refused("DeleteResourceInPool", Resource=resource, Pool=pool)
    assert text == "FAILED Unable to delete resource: guest 'guest' uses /pools/p/used.img"
    assert service.refused("DeleteResourceInPool", Resource=service.setting("Disk"), Pool=pool) == (
        "FAILED Missing Address in resource RASD"
    )
    other = service.create("DiskPool", "q", Type=1, Path="/pools/q")
    elsewhere = service.refused("DeleteResourceInPool", Resource=resource, Pool=other)
    assert "is not a volume of DiskPool/q" in elsewhere


def test_refresh(service: PoolService, pool: InstancePath) -> None:
    with service.hypervisor.connections.connection() as connection:
        behind = connection.storagePoolLookupByName("p")
        behind.createXML("<volume><name>new</name><capacity>512</capacity></volume>")
    assert service.call("RefreshResourcesInPool", Pool=pool).return_value == 0
    assert [each.identity for each in service.instances("Test_StorageVolume")] == ["p/new"]
    assert service.call("RefreshResourcesInPool", Pool=service.pool("DiskPool", "0")).return_value == 1
    assert service.refused("RefreshResourcesInPool", Pool=service.pool("DiskPool", "x")).startswith("NOT_FOUND")


def test_what_the_driver_cannot_do_with_volumes(service: PoolService, pool: InstancePath) -> None:
    volume = service.create_volume(pool, VolumeName="v", Capacity=512).out["Resource"]
    assert service.call("ResizeVolume", Volume=volume, Capacity=1024).return_value == 1
    assert service.call("WipeVolume", Volume=volume).return_value == 1
    assert service.call("UploadVolume", Volume=volume, Data="AAAA").return_value == 1
    assert service.call("DownloadVolume", Volume=volume, Length=4).return_value == 1


def test_of_several_who_make_one_thing_one_does(service: PoolService, pool: InstancePath) -> None:
    net = service.setting("NetPool", Address="10.7.7.1")
    volume = service.setting("StorageVolume", VolumeName="v", Capacity=512)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("CreateChildResourcePool", {"ElementName": "n", "Settings": [net]}),
        ("CreateResourceInPool", {"Settings": volume, "Pool": pool}),
    ] * 8

    def attempt(call: tuple[str, dict[str, Any]]) -> str:
        try:
            return f"{call[0]} {service.call(call[0], **call[1]).return_value}"
        except CIMError as error:
            return f"{call[0]} {error.status.name}"

    with ThreadPoolExecutor(8) as clients:
        answers = Counter(clients.map(attempt, calls))
    assert answers == {
        "CreateChildResourcePool 0": 1,
        "CreateChildResourcePool FAILED": 7,
        "CreateResourceInPool 0": 1,
        "CreateResourceInPool FAILED": 7,
    }
    assert [each.name for each in service.hypervisor.inventory.networks()] == ["n"]
    assert service.shown(service.pool("NetworkPool", "n"))["OperationalStatus"] == [2]


def test_many_clients_make_and_remove(service: PoolService, pool: InstancePath) -> None:
    def client(number: int) -> None:
        for turn in range(5):
            name = f"v{number}-{turn}"
            made = service.create_volume(pool, VolumeName=name, Capacity=1 << 20).out["Resource"]
            assert service.shown(made)["VolumeName"] == name
            net = service.create("NetPool", f"n{number}", Address=f"10.{number}.0.1")
            assert service.call("DeleteResourcePool", Pool=net).return_value == 0
            resource = service.setting("StorageVolume", Address=made.keys["InstanceID"])
            assert service.call("DeleteResourceInPool", Resource=resource, Pool=pool).return_value == 0
            with pytest.raises(CIMError):
                service.shown(made)

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(client, range(8)))
    assert not service.instances("Test_StorageVolume")
    assert not service.hypervisor.inventory.networks()
    assert not service.instances("Test_ConcreteJob")


def test_associations_of_a_volume(service: PoolService, pool: InstancePath) -> None:
    made = service.create_volume(pool, VolumeName="v", Capacity=512).out["Resource"]
    setting, owner = service.get(made.class_name, **made.keys), service.get(pool.class_name, **pool.keys)
    (volume,) = service.instances("Test_StorageVolume")
    ends: dict[str, list[tuple[Any, Any]]] = {"SettingsDefineState": [], "ResourceAllocationFromPool": []}
    for relation in service.catalog.associations["root/virt"]:
        assert isinstance(relation, Relation)
        for left in relation.to_left(setting, CONTEXT) if relation.base in ends else ():
            assert [each.identity for each in relation.to_right(left, CONTEXT)] == [setting.identity]
            ends[relation.base].append((left.class_name, left.identity))
    assert ends == {
        "SettingsDefineState": [(volume.class_name, volume.identity)],
        "ResourceAllocationFromPool": [(owner.class_name, owner.identity)],
    }


def test_nothing_is_changed_over_a_read_only_connection(uri: str) -> None:
    service = PoolService(uri, "Test", read_only=True)
    try:
        text = service.refused("CreateChildResourcePool", Settings=[service.setting("NetPool")])
        assert text == f"ACCESS_DENIED The connection to {shorten_uri(uri)} is read-only"
        (capabilities,) = service.instances("Test_ResourcePoolConfigurationCapabilities")
        assert capabilities.properties()["SynchronousMethodsSupported"] == []
    finally:
        service.close()


def test_service_and_capabilities(service: PoolService) -> None:
    (capabilities,) = service.instances("Test_ResourcePoolConfigurationCapabilities")
    shown = capabilities.properties()
    assert (shown["InstanceID"], shown["SynchronousMethodsSupported"]) == ("RPCC", [3, 4])
    name = "Test_ResourcePoolConfigurationService"
    provider = service.providers[name]
    on_class = provider.invoke_method(name, None, "CreateResourcePool", {}, CONTEXT)
    assert on_class.return_value == 1


def test_work_becomes_a_job_when_it_takes_time(uri: str) -> None:
    service = PoolService(uri, "Test", settings=ProviderSettings(jobs=HASTY))
    try:
        result = service.call(
            "CreateChildResourcePool", ElementName="n", Settings=[service.setting("NetPool", Address="10.0.0.1")]
        )
        assert result.return_value == 4096
        shown = service.end_of(result.out["Job"])
        assert (shown["JobState"], shown["PercentComplete"], shown["OperationalStatus"]) == (COMPLETED, 100, [2, 17])
        pool = service.pool("NetworkPool", "n")
        uri_of_pool = '/root/virt:Test_NetworkPool.InstanceID="NetworkPool/n"'
        assert shown["JobOutParameters"].properties == {"__ReturnValue": 0, "Pool": uri_of_pool}
        assert service.shown(pool)["OperationalStatus"] == [2]
        bad = service.setting("DiskPool", Type=1, Path="relative/path")
        result = service.call("CreateChildResourcePool", ElementName="bad", Settings=[bad])
        shown = service.end_of(result.out["Job"])
        if shown["JobState"] == EXCEPTION:
            assert shown["ErrorCode"]
            assert shown["ErrorDescription"].startswith("Unable to create resource pool: ")
    finally:
        service.close()
