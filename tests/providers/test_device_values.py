"""What the properties of devices hold, kind by kind, and that another guest can be given what is read of one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.poolhost import put_network
from tests.providers.recorded import DOMAINS, Served, domain_xml, hypervisor, platform
from tests.providers.test_vsms_edits import edit_of, served_file
from tests.providers.test_vsms_values import added_device
from virtcim.libhelper.documents.domain import Disk, DomainConfig, Interface, Nvram, UnknownDevice
from virtcim.providers.drafts import ValueRefusedError
from virtcim.providers.guest import Configuration, ConfigurationKind
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import EmbeddedInstance
from virtcim.providers.kinds import KINDS
from virtcim.providers.Virt_DevicePool import GraphicsPool
from virtcim.providers.Virt_RASD import settings_of
from virtcim.providers.Virt_VirtualSystemManagementService.resources import ResourceRequest, add_device


def settings_in(xml: str, prefix: str = "KVM") -> list[Any]:
    """The settings of the devices of a stopped guest."""
    host = hypervisor(prefix)
    host.put(xml)
    served = Served([(platform(prefix), host)])
    (guest,) = all_guests(served.site, platform(prefix))
    configuration = Configuration(guest, DomainConfig.parse(xml), ConfigurationKind.DEFINED)
    return [each for each in settings_of(configuration) if not each.entry.kind.is_guest_wide]


def values_of(device: str, prefix: str = "KVM") -> dict[str, Any]:
    """The properties of the setting of one device."""
    found = settings_in(domain_xml("guest", device), prefix)
    return dict(found[0].properties())


DISK = "<disk type='network' device='disk'>{}<target dev='vda' bus='virtio'/></disk>"
TARGET = "<target dev='vda' bus='virtio'/>"


@pytest.mark.parametrize(
    ("device", "address"),
    [
        (
            DISK.format(
                "<source protocol='nbd' name='exp'><host transport='unix' socket='/run/nbd.sock'/></source>",
            ),
            "nbd+unix:///exp?socket=/run/nbd.sock",
        ),
        (DISK.format("<source protocol='nbd'><host name='h' port='10809'/></source>"), "nbd://h:10809/"),
        (
            DISK.format(
                "<source protocol='rbd' name='pool/a@b'><host name='one' port='6789'/><host name='::1' port='6789'/>"
                "<snapshot name='s 1'/></source>"
            ),
            "rbd://one:6789,[::1]:6789/pool/a%40b@s%201",
        ),
        (
            DISK.format("<source protocol='gluster' name='v/i'><host name='h' transport='rdma'/></source>"),
            "gluster+rdma://h/v/i",
        ),
        (
            DISK.format(
                "<source protocol='gluster' name='v/i'><host name='h' port='24007'/>"
                "<host transport='unix' socket='/run/g'/></source>"
            ),
            "gluster+unix://h:24007,%2Frun%2Fg/v/i",
        ),
        (
            DISK.format(
                "<source protocol='gluster' name='v/i'><host name='one'/><host name='two' port='7' transport='rdma'/>"
                "<host transport='unix' socket='/run/g'/></source>"
            ),
            "gluster+tcp+rdma+unix://one,two:7,%2Frun%2Fg/v/i",
        ),
        (
            DISK.format(
                "<source protocol='gluster' name='v/i'><host transport='unix' socket='/run/g'/>"
                "<host name='two' transport='rdma'/></source>"
            ),
            "gluster+rdma://%2Frun%2Fg,two/v/i",
        ),
        (DISK.format("<source protocol='https' name='a/b' query='x=1'><host name='h'/></source>"), "https://h/a/b?x=1"),
        (DISK.format("<source protocol='nfs' name='/srv/a'><host name='h'/></source>"), "nfs://h/srv/a"),
        (
            "<disk type='nvme' device='disk'><source type='pci' namespace='2' managed='yes'>"
            f"<address domain='0x0000' bus='0x44' slot='0x00' function='0x0'/></source>{TARGET}</disk>",
            "nvme://0000:44:00.0/2",
        ),
        (
            f"<disk type='vhostuser' device='disk'><source type='unix' path='/run/blk'/>{TARGET}</disk>",
            "unix:///run/blk",
        ),
    ],
)
def test_images_elsewhere(device: str, address: str) -> None:
    values = values_of(device)
    assert (values["Address"], values["HostResource"]) == (address, [address])
    source = {name: value for name, value in described(values)["Disk"].items() if name.startswith("source_")}
    (config,) = DomainConfig.parse(domain_xml("guest", device)).devices
    expected = {name: value for name, value in config.as_dict().items() if name.startswith("source_")}
    expected.pop("source_managed", None)
    assert source == expected


@pytest.mark.parametrize(
    "address",
    [
        "nbd+unix:///exp",
        "rbd://user@host/pool/image",
        "rbd://host:port/pool/image",
        "rbd://host:65536/pool/image",
        "rbd://:1/pool/image",
        "nvme://0000:44:00.0",
        "nvme://0000:44:00/1",
        "unix://run/blk",
        "nbd+carrier://h/x",
        "gluster+tcp+rdma://one/v/i",
        "gluster+tcp+rdma://one,two,three/v/i",
    ],
)
def test_what_is_no_image_elsewhere(address: str) -> None:
    with pytest.raises(ValueRefusedError):
        added_device("Disk", VirtualDevice="vda", Address=address)


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("Net", {"NetworkType": "vhostuser", "HostResource": ["nbd+unix:///x?socket=/run/sw"]}),
        ("Net", {"NetworkType": "vhostuser", "HostResource": ["file:///run/sw"]}),
        ("Net", {"NetworkType": "vhostuser", "HostResource": ["unix://host/run/sw"]}),
        ("Disk", {"VirtualDevice": "vda", "Address": "unix:///run/blk?mode=client"}),
        ("Disk", {"VirtualDevice": "vda", "HostResource": ["file:///a.img?format=raw"]}),
        ("Disk", {"VirtualDevice": "vda", "HostResource": ["file://host/a.img"]}),
        ("Disk", {"VirtualDevice": "vda", "HostResource": ["file:///a%00b"]}),
        ("Console", {"SourceType": 9, "BindURL": "file:///run/s#1"}),
        ("Console", {"SourceType": 9, "ConnectURL": "file://host/run/s"}),
        ("Console", {"SourceType": 8, "BindURL": "raw://host:1/path"}),
        ("Console", {"SourceType": 8, "BindURL": "raw://user@host:1"}),
    ],
)
def test_a_url_that_says_more_than_can_be_had_is_refused(kind: str, properties: dict[str, Any]) -> None:
    with pytest.raises(ValueRefusedError, match=" has the form "):
        added_device(kind, **properties)


@pytest.mark.parametrize(
    "properties",
    [
        {"Address": "52:54:00:00:00:09"},
        {"Address": "[52:54:00]:5900"},
        {"Address": "host:5900:5901"},
        {"ListenAddresses": ["52:54:00:00:00:09"]},
    ],
)
def test_what_has_colons_and_is_no_ipv6_address_is_no_host(properties: dict[str, Any]) -> None:
    with pytest.raises(ValueRefusedError, match="Address"):
        added_device("Graphics", ResourceSubType="vnc", **properties)


def described(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of the device that a disk's properties make in another guest."""
    names = ("VirtualDevice", "Address", "HostResource", "EmulatedType", "BusType", "DriverType")
    return {"Disk": added_device("Disk", **{name: values[name] for name in names if name in values}).as_dict()}


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (
            "<filesystem type='ram'><source usage='1024' units='KiB'/><target dir='/tmp'/></filesystem>",
            {"Address": "ram", "VirtualQuantity": 1 << 20, "HostResource": None},
        ),
        (
            "<filesystem type='mount'><driver type='virtiofs'/><source socket='/run/fs'/><target dir='t'/>"
            "</filesystem>",
            {"Address": "unix:///run/fs", "DriverType": "virtiofs", "HostResource": ["unix:///run/fs"]},
        ),
        (
            "<hostdev mode='subsystem' type='scsi'><source protocol='iscsi' name='iqn.2026-01.a:b/1'>"
            "<host name='h' port='3260'/><auth username='u'><secret type='iscsi' usage='k'/></auth></source></hostdev>",
            {"Address": "iscsi://h:3260/iqn.2026-01.a:b/1", "UserName": "u", "SecretUsage": "k"},
        ),
        (
            "<hostdev mode='subsystem' type='scsi_host'>"
            "<source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>",
            {"Address": "naa.5123456789abcde0"},
        ),
        (
            "<hostdev mode='subsystem' type='usb'><source><vendor id='0x0951'/><product id='0x1666'/>"
            "<address bus='1' device='5'/></source></hostdev>",
            {"Address": "0951:1666 1.5"},
        ),
        (
            "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>"
            "<address bus='0' target='1' unit='2'/></source></hostdev>",
            {"Address": "scsi_host0:0:1:2"},
        ),
        (
            "<interface type='hostdev' managed='yes'><mac address='52:54:00:00:00:01'/><source>"
            "<address type='pci' domain='0' bus='3' slot='0x10' function='1'/></source><vlan><tag id='42'/></vlan>"
            "</interface>",
            {"HostResource": ["0000:03:10.1"], "Managed": True, "VLANTags": [42], "NetworkType": "hostdev"},
        ),
        (
            "<interface type='vhostuser'><mac address='52:54:00:00:00:01'/>"
            "<source type='unix' path='/run/sw' mode='server'/></interface>",
            {"HostResource": ["unix:///run/sw"], "NetworkMode": "server", "NetworkName": None},
        ),
        (
            "<interface type='mcast'><mac address='52:54:00:00:00:01'/><source address='230.0.0.1' port='5558'/>"
            "</interface>",
            {"HostResource": ["udp://230.0.0.1:5558"]},
        ),
        (
            "<interface type='udp'><mac address='52:54:00:00:00:01'/><source address='::1' port='1'>"
            "<local address='::2' port='2'/></source></interface>",
            {"HostResource": ["udp://[::1]:1", "udp://[::2]:2"]},
        ),
        (
            "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='ovs0'/>"
            "<vlan trunk='yes'><tag id='42'/><tag id='123' nativeMode='untagged'/></vlan>"
            "<virtualport type='openvswitch'><parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f' "
            "profileid='p'/></virtualport>"
            "<filterref filter='f'><parameter name='IP' value='10.0.0.1'/><parameter name='IP' value='10.0.0.2'/>"
            "</filterref></interface>",
            {
                "VLANTags": [42, 123],
                "NativeVLAN": 123,
                "NativeVLANMode": "untagged",
                "VLANTrunk": True,
                "InterfaceID": "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f",
                "FilterParameterNames": ["IP", "IP"],
                "FilterParameterValues": ["10.0.0.1", "10.0.0.2"],
            },
        ),
        (
            "<disk type='file' device='disk'><source file='/a'/><target dev='vda'/><iotune>"
            "<total_bytes_sec>10</total_bytes_sec><total_bytes_sec_max>20</total_bytes_sec_max>"
            "<total_bytes_sec_max_length>3</total_bytes_sec_max_length><size_iops_sec>4096</size_iops_sec>"
            "<group_name>g</group_name></iotune></disk>",
            {
                "TotalBytesPerSecond": 10,
                "TotalBytesPerSecondPeak": 20,
                "TotalBytesPerSecondPeakLength": 3,
                "OperationSize": 4096,
                "LimitGroup": "g",
            },
        ),
        (
            "<tpm model='tpm-tis'><backend type='external'>"
            "<source type='unix' mode='connect' path='/run/tpm'/></backend></tpm>",
            {"BackendType": "external", "Address": "unix:///run/tpm"},
        ),
        (
            "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
            {"BackendType": "passthrough", "Address": "/dev/tpm0"},
        ),
        (
            "<rng model='virtio'><rate bytes='10' period='20'/><backend model='random'>/dev/random</backend></rng>",
            {"BackendType": "random", "Address": "/dev/random", "RateBytes": 10, "RatePeriod": 20},
        ),
        (
            "<rng model='virtio'><backend model='egd' type='tcp'>"
            "<source mode='bind' host='h' service='1'/></backend></rng>",
            {"BackendType": "egd", "Address": "raw://h:1", "SourceMode": "bind"},
        ),
        (
            "<shmem name='s' role='peer'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
            {"Address": "s", "VirtualQuantity": 4 << 20, "AllocationUnits": "byte", "Role": "peer"},
        ),
        (
            "<vsock model='virtio'><cid auto='no' address='7'/></vsock>",
            {"ContextID": 7, "AutomaticContextID": False},
        ),
        ("<watchdog model='i6300esb' action='pause'/>", {"Action": "pause"}),
        (
            "<video><model type='qxl' ram='65536' vram='32768' vgamem='16384' heads='2' primary='yes'/></video>",
            {"VideoMemory": 32768, "SecondaryVideoMemory": 65536, "VGAMemory": 16384, "Heads": 2, "Primary": True},
        ),
        (
            "<input type='evdev'><source dev='/dev/input/event3' grab='all' repeat='on'/></input>",
            {
                "ElementName": "evdev:/dev/input/event3",
                "Address": "/dev/input/event3",
                "Grab": "all",
                "Repeat": True,
                "BusType": None,
            },
        ),
        (
            "<channel type='spiceport'><source channel='org.a.0'/><target type='virtio' name='b'/></channel>",
            {"BackendType": "spiceport", "Address": "org.a.0", "TargetName": "b"},
        ),
        (
            "<console type='nmdm'><source master='/dev/nmdm0A' slave='/dev/nmdm0B'/><target port='0'/></console>",
            {"SourceType": 11, "SourcePath": "/dev/nmdm0A", "PeerPath": "/dev/nmdm0B"},
        ),
        (
            "<graphics type='spice' port='5900' tlsPort='5901' listen='::1'><listen type='address' address='::1'/>"
            "<listen type='network' network='n'/></graphics>",
            {"TLSPort": 5901, "ListenAddresses": ["::1", "network:n"]},
        ),
        ("<graphics type='rdp' port='0' autoport='yes'/>", {"Address": "127.0.0.1:-1"}),
        (
            "<graphics type='vnc' port='5900' websocket='5700'/>",
            {"WebSocketPort": 5700},
        ),
        (
            "<audio id='2' type='pulseaudio' serverName='unix:/run/pulse'/>",
            {
                "ElementName": "audio:2",
                "AudioID": 2,
                "ResourceSubType": "pulseaudio",
                "Address": "unix:/run/pulse",
            },
        ),
    ],
)
def test_what_devices_show(device: str, expected: dict[str, Any]) -> None:
    values = values_of(device)
    assert {name: values.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("type='drive' controller='0' bus='0' target='0' unit='1'", "0:0:1"),
        ("type='drive' controller='0' bus='1' target='0' unit='1'", "1:0:1"),
        ("type='drive' controller='0' bus='0' target='5' unit='1'", "0:5:1"),
        ("type='drive' controller='0' unit='1'", "0:0:1"),
        ("type='pci' domain='0' bus='0' slot='0x1f' function='2'", "1f.2"),
        ("type='usb' bus='0' port='1.2'", "1.2"),
        ("type='ccw' cssid='0xfe' ssid='0' devno='1'", None),
    ],
)
def test_places(address: str, place: str | None) -> None:
    disk = f"<disk type='file' device='disk'><target dev='hda' bus='ide'/><address {address}/></disk>"
    assert values_of(disk).get("AddressOnParent") == place


def test_memory_of_odd_size_is_exact() -> None:
    host = hypervisor("KVM")
    xml = domain_xml("odd").replace("<memory unit='KiB'>65536</memory>", "<memory unit='KiB'>328650</memory>")
    assert "328650" in xml
    host.put(xml)
    values = Served([(platform("KVM"), host)]).device("Memory", "odd", "mem")
    assert values["BlockSize"] * values["NumberOfBlocks"] == 328650 << 10


@pytest.mark.parametrize("file", sorted(DOMAINS.glob("*.xml")), ids=lambda file: file.stem)
def test_two_devices_of_a_parent_never_share_a_place(file: Any) -> None:
    _, guest = served_file(file.read_text())
    assert guest.state is not None
    places: dict[tuple[Any, Any], str] = {}
    for setting in settings_of(guest.state):
        values = setting.properties()
        place = values.get("Parent"), values.get("AddressOnParent")
        if None in place or setting.entry.kind.pool is GraphicsPool:
            continue
        assert place not in places, (setting.instance_id, places[place])
        places[place] = setting.instance_id


def is_made(setting: Any) -> bool:
    """Whether a client can have such a device: no unknown ones, nor what a machine has by itself or nobody can find."""
    device = setting.device
    match device:
        case UnknownDevice() | Nvram():
            return False
        case Disk():
            return not device.source_pool
        case Interface():
            return device.type not in VMWARE and (device.type != "hostdev" or bool(device.source_address))
        case _:
            return not setting.entry.kind.is_guest_wide


def is_chosen(setting: Any, name: str) -> bool:
    """Whether libvirt chooses the value: the address of a network, the device of a pseudo terminal.

    Or it is of a password, which nobody can read, or of how it holds.
    """
    device = setting.device
    if name not in ("Address", "SourcePath", "IsIPv6Only"):
        return name in ("Password", "PasswordValidTo", "Connected")
    return getattr(device, "type", None) == "pty" or getattr(device, "listen_type", None) == "network"


def is_said_of(setting: Any, name: str) -> bool:
    """Whether a property says what the device is, and not where it stands in this guest."""
    return setting.table[name].writable or name == "ResourceSubType"


VMWARE = frozenset({"internal", "vds", "null"})


@pytest.mark.parametrize("file", sorted(DOMAINS.glob("*.xml")), ids=lambda file: file.stem)
def test_what_is_read_can_be_written_to_another_guest(file: Any) -> None:
    """Each device of the samples, as its setting shows it, makes one in an empty guest that shows the same."""
    text = file.read_text()
    served, guest = served_file(text)
    prefix = guest.platform.prefix
    assert guest.state is not None
    host: Any = guest.hypervisor
    host.uri = "qemu+ssh://elsewhere/system"
    for name in {device.source_network for device in guest.state.config.devices if isinstance(device, Interface)}:
        put_network(host, f"<network><name>{name}</name><uuid>{name}</uuid></network>")
    empty = domain_xml("empty").replace("type='kvm'", f"type='{guest.platform.domain_types[0]}'")
    host.put(empty)
    other = next(each for each in all_guests(served.site, platform(prefix)) if each.name == "empty")
    failures = []
    for setting in settings_of(guest.state):
        if not is_made(setting):
            continue
        given = dict(setting.properties())
        edit = edit_of(other, empty)
        assert edit.defined is not None
        draft_context = edit.draft_context(edit.defined)
        try:
            device, *_ = add_device(
                edit.defined, draft_context, ResourceRequest(EmbeddedInstance(setting.class_name, given), prefix, KINDS)
            )
        except ValueRefusedError as error:
            failures.append(f"{setting.instance_id}: {error}")
            continue
        shown = next(
            each
            for each in settings_of(Configuration(other, edit.defined.config, ConfigurationKind.DEFINED))
            if each.device is device and each.entry.kind is setting.entry.kind
        )
        now = shown.properties()
        different = {
            name: (value, now.get(name))
            for name, value in given.items()
            if is_said_of(setting, name) and not is_chosen(setting, name) and value != now.get(name)
        }
        if different:
            failures.append(f"{setting.instance_id}: {different}")
    assert not failures, "\n".join(failures)
