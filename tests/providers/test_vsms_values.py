"""What single values become in the domain XML: sources, addresses, sizes, units, and values that contradict others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.poolhost import put_pool
from tests.providers.recorded import RecordedHypervisor, Served, domain_xml, hypervisor, platform
from tests.providers.test_vsms_edits import edit_of, served_file
from virtcim.libhelper.documents.domain import Device, Disk, DomainConfig, MemoryDevice
from virtcim.providers.drafts import ValueRefusedError
from virtcim.providers.guest import ConfigurationKind
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import EmbeddedInstance
from virtcim.providers.kinds import KINDS
from virtcim.providers.units import rate_in, size_in
from virtcim.providers.Virt_RASD import settings_of
from virtcim.providers.Virt_VirtualSystemManagementService.modification import (
    Edit,
    modify_resources,
    modify_system,
)
from virtcim.providers.Virt_VirtualSystemManagementService.resources import GENERAL, ResourceRequest, add_device
from virtcim.providers.Virt_VirtualSystemManagementService.targets import Target
from virtcim.providers.Virt_VSSD.parts import enrolled_keys, secure_boot
from virtcim.schema.classes import ClassStore

Fields = dict[str, Any]


def kvm() -> RecordedHypervisor:
    """A hypervisor on another machine, whose paths mean nothing here."""
    host = hypervisor("KVM")
    host.uri = "qemu+ssh://elsewhere/system"
    host.put_pool("images", "/images", [("a.qcow2", 1 << 30)])
    put_pool(host, POOL, VOLUMES)
    return host


def added_device(kind: str, **properties: Any) -> Device:
    """The device that a setting makes in an empty guest."""
    return added_device_on(kvm(), kind, properties)


def added_device_on(host: RecordedHypervisor, kind: str, properties: Fields, rest: str = "") -> Device:
    """The same on a host, in a guest of which more is said."""
    xml = domain_xml("guest", rest=rest)
    host.put(xml)
    served = Served([(platform("KVM"), host)])
    (guest,) = all_guests(served.site, platform("KVM"))
    edit = edit_of(guest, xml)
    assert edit.defined is not None
    instance = EmbeddedInstance(f"KVM_{kind}ResourceAllocationSettingData", properties)
    return add_device(edit.defined, edit.draft_context(edit.defined), ResourceRequest(instance, "KVM", KINDS))[0]


def changed(xml: str, kind: str, identifier: str, **properties: Any) -> DomainConfig:
    """The guest after a resource of it was changed."""
    host = kvm()
    host.put(xml)
    served = Served([(platform("KVM"), host)])
    (guest,) = all_guests(served.site, platform("KVM"))
    edit: Edit = edit_of(guest, xml)
    given_ = {"InstanceID": f"guest/{identifier}", **properties}
    wanted = ResourceRequest(EmbeddedInstance(f"KVM_{kind}ResourceAllocationSettingData", given_), "KVM", KINDS)
    modify_resources(edit, [(Target(guest, ConfigurationKind.STATE, identifier), wanted)])
    assert edit.change.defined is not None
    return edit.change.defined.config


def fields(device: Device, expected: Fields) -> Fields:
    return {name: getattr(device, name) for name in expected}


DISK = {"VirtualDevice": "vda"}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"Address": "/images/a.raw"}, {"type": "file", "source_file": "/images/a.raw", "device": "disk"}),
        ({"Address": "/dev/sdx"}, {"type": "block", "source_dev": "/dev/sdx"}),
        ({"Address": "/dev/vhost-vdpa-0"}, {"type": "vhostvdpa", "source_dev": "/dev/vhost-vdpa-0"}),
        (
            {"Address": "/dev/by-hand", "ResourceSubType": "vhostvdpa"},
            {"type": "vhostvdpa", "source_dev": "/dev/by-hand"},
        ),
        ({"HostResource": ["file:///images/a%20b"]}, {"type": "file", "source_file": "/images/a b"}),
        ({"Address": "a.qcow2", "PoolID": "DiskPool/images"}, {"type": "file", "source_file": "/images/a.qcow2"}),
        ({"Address": "images/a.qcow2"}, {"type": "file", "source_file": "/images/a.qcow2"}),
        (
            {"Address": "rbd://mon:6789/pool/image"},
            {"type": "network", "source_protocol": "rbd", "source_name": "pool/image"},
        ),
        ({"Address": "nbd://host:10809/x"}, {"type": "network", "source_protocol": "nbd", "source_name": "x"}),
        ({"EmulatedType": 1, "Address": ""}, {"type": "file", "device": "cdrom", "source_file": None}),
        ({"EmulatedType": 2}, {"type": "file", "device": "floppy", "source_file": None}),
        (
            {"EmulatedType": 4, "Address": "/dev/sg1", "sgio": "unfiltered", "rawio": "yes"},
            {"device": "lun", "sgio": "unfiltered", "rawio": True},
        ),
        (
            {"Address": "/a", "AddressProperties": ["type", "slot"], "AddressValues": ["pci", "0x07"]},
            {"address": {"type": "pci", "slot": "0x07"}},
        ),
        ({"Address": "/a", "BootOrder": 1}, {"boot_order": 1}),
    ],
)
def test_disks(properties: Fields, expected: Fields) -> None:
    device = added_device("Disk", **DISK, **properties)
    assert device.tag == "disk"
    assert fields(device, expected) == expected


def test_a_directory_becomes_a_file_system() -> None:
    device = added_device("Disk", EmulatedType=3, Address="/srv/shared", MountPoint="shared", AccessMode="mapped")
    expected = {
        "tag": "filesystem",
        "type": "mount",
        "source_dir": "/srv/shared",
        "target_dir": "shared",
        "accessmode": "mapped",
    }
    assert fields(device, expected) == expected


NETWORK = {"NetworkType": "bridge", "NetworkName": "br0"}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({**NETWORK}, {"type": "bridge", "source_bridge": "br0", "model_type": "virtio"}),
        ({"NetworkType": "User"}, {"type": "user"}),
        (
            {"NetworkType": "direct", "SourceDevice": "eth0", "NetworkMode": "vepa"},
            {"type": "direct", "source_dev": "eth0", "source_mode": "vepa"},
        ),
        (
            {"NetworkType": "vhostuser", "SourceDevice": "eth0", "BackendType": "passt"},
            {"type": "vhostuser", "source_dev": "eth0", "source_path": None, "backend_type": "passt"},
        ),
        ({"NetworkType": "ethernet", "VirtualDevice": "tap7"}, {"type": "ethernet", "target_dev": "tap7"}),
        (
            {**NETWORK, "Reservation": 1000, "Limit": 2000},
            {"bandwidth_inbound_average": 1000, "bandwidth_inbound_peak": 2000},
        ),
        ({**NETWORK, "Reservation": 8, "AllocationUnits": "bit*10^6/second"}, {"bandwidth_inbound_average": 1000}),
        (
            {**NETWORK, "Reservation": 1000, "AllocationUnits": "KiloBytes per Second"},
            {"bandwidth_inbound_average": 1000},
        ),
        (
            {**NETWORK, "VSIType": "802.1Qbh", "ProfileID": "p"},
            {"virtualport_type": "802.1Qbh", "virtualport_parameters_profileid": "p"},
        ),
        (
            {**NETWORK, "FilterRef": "clean-traffic", "ResourceSubType": "e1000", "MTU": 1400, "LinkState": "down"},
            {"filterref_filter": "clean-traffic", "model_type": "e1000", "mtu_size": 1400, "link_state": "down"},
        ),
    ],
)
def test_interfaces(properties: Fields, expected: Fields) -> None:
    assert fields(added_device("Net", **properties), expected) == expected


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("Graphics", {"ResourceSubType": "vnc"}, {"type": "vnc", "port": -1, "autoport": True, "listen": "127.0.0.1"}),
        (
            "Graphics",
            {"ResourceSubType": "vnc", "Address": "[::1]:5901"},
            {"port": 5901, "autoport": False, "listen": "::1"},
        ),
        (
            "Graphics",
            {"ResourceSubType": "vnc", "Address": "0.0.0.0:-1"},
            {"port": -1, "autoport": True, "listen": "0.0.0.0"},
        ),
        ("Graphics", {"ResourceSubType": "vnc", "IsIPv6Only": True}, {"listen": "::1"}),
        ("Graphics", {"ResourceSubType": "vnc", "Password": "x"}, {"passwd_set": True}),
        ("Graphics", {"ResourceSubType": "spice", "KeyMap": "de"}, {"type": "spice", "keymap": "de"}),
        (
            "Graphics",
            {"ResourceSubType": "sdl", "Address": "/x:0", "IsIPv6Only": True},
            {"type": "sdl", "xauth": "/x", "display": ":0", "fullscreen": True},
        ),
        ("Graphics", {"ResourceSubType": "console"}, {"tag": "console", "type": "pty"}),
        ("Graphics", {"ResourceSubType": "serial"}, {"tag": "serial", "type": "pty"}),
        ("Input", {"ResourceSubType": "mouse"}, {"type": "mouse", "bus": "ps2"}),
        ("Input", {"ResourceSubType": "tablet"}, {"type": "tablet", "bus": "usb"}),
        ("Console", {"SourceType": 2}, {"tag": "console", "type": "pty"}),
        ("Console", {"SourceType": 4, "SourcePath": "/log"}, {"type": "file", "source_path": "/log"}),
        (
            "Console",
            {"SourceType": 9, "BindURL": "file:///s"},
            {"type": "unix", "source_mode": "bind", "source_path": "/s"},
        ),
        (
            "Console",
            {"SourceType": 8, "ConnectURL": "telnet://[::1]:23"},
            {
                "type": "tcp",
                "source_mode": "connect",
                "source_host": "::1",
                "source_service": "23",
                "protocol_type": "telnet",
            },
        ),
        (
            "Console",
            {"SourceType": 7, "BindURL": "udp://a:1", "ConnectURL": "udp://b:2"},
            {
                "type": "udp",
                "source_bind_host": "a",
                "source_bind_service": "1",
                "source_connect_host": "b",
                "source_connect_service": "2",
            },
        ),
        ("Controller", {"ResourceSubType": "virtio-serial", "Ports": "4", "Vectors": "2"}, {"ports": 4, "vectors": 2}),
        (
            "Controller",
            {"ResourceSubType": "scsi", "Model": "virtio-scsi", "Queues": "2"},
            {"index": 0, "driver_queues": 2},
        ),
        ("", {"ResourceType": 13, "Address": "0000:03:00.1"}, {"tag": "hostdev", "type": "pci", "managed": True}),
        ("", {"ResourceType": 13, "Address": "1d6b:0002"}, {"type": "usb", "source_vendor_id": "0x1d6b"}),
        ("", {"ResourceType": 21}, {"tag": "serial", "type": "pty"}),
        ("", {"ResourceType": 24, "ResourceSubType": "qxl"}, {"tag": "video", "model_type": "qxl"}),
        (
            "",
            {"ResourceType": 1, "OtherResourceType": "rng"},
            {"tag": "rng", "model": "virtio", "backend": "/dev/urandom"},
        ),
        (
            "",
            {"ResourceType": 1, "OtherResourceType": "tpm", "ResourceSubType": "tpm-crb"},
            {"tag": "tpm", "model": "tpm-crb", "backend_type": "emulator"},
        ),
        ("", {"ResourceType": 1, "OtherResourceType": "channel"}, {"target_name": "org.qemu.guest_agent.0"}),
        ("", {"ResourceType": 1, "OtherResourceType": "watchdog"}, {"model": "i6300esb"}),
        (
            "",
            {"ResourceType": 4, "ResourceSubType": "dimm", "VirtualQuantity": 128, "AllocationUnits": "MiB"},
            {"tag": "memory", "target_size": 131072},
        ),
        ("", {"ResourceType": 24, "VideoMemory": 8192}, {"tag": "video", "model_vram": 8192}),
        ("Video", {"VideoMemory": 8192}, {"tag": "video", "model_vram": 8192}),
        ("TPM", {"BackendVersion": "1.2"}, {"tag": "tpm", "backend_version": "1.2"}),
        ("Port", {"ResourceType": 22}, {"tag": "parallel", "type": "pty"}),
        ("MemoryModule", {"VirtualQuantity": 1048576}, {"tag": "memory", "target_size": 1024}),
    ],
)
def test_other_devices(kind: str, properties: Fields, expected: Fields) -> None:
    assert fields(added_device(kind, **properties), expected) == expected


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"ResourceType": 24, "Action": "reset"}, "Action does not apply to <video>"),
        ({"ResourceType": 24, "BootOrder": 1}, "BootOrder does not apply to <video>"),
        ({"ResourceType": 17, "Address": "/a", "VideoMemory": 1}, "VideoMemory does not apply to <disk>"),
        ({"ResourceType": 1, "OtherResourceType": "vcpu"}, "Resource type not supported"),
    ],
)
def test_what_a_resource_of_no_class_of_its_own_cannot_have(properties: Fields, text: str) -> None:
    with pytest.raises(ValueRefusedError, match=text):
        added_device("", **properties)


def test_general_properties_are_those_of_the_class_above_all_resources(classes: ClassStore) -> None:
    assert {each.name for each in classes["CIM_ResourceAllocationSettingData"].properties.values()} == GENERAL


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"NetworkType": "bridge", "NetworkName": "b", "NetworkMode": "vepa"}, "NetworkMode means nothing"),
        ({"NetworkType": "direct", "SourceDevice": "e", "NetworkMode": "mesh"}, "Invalid value for NetworkMode"),
        ({"NetworkType": "user", "Address": "ff:ff:ff:ff:ff:ff"}, "is not the MAC address of one interface"),
        ({"NetworkType": "user", "LinkState": "sideways"}, "Invalid value for LinkState"),
        ({"NetworkType": "user", "Limit": 1, "AllocationUnits": "acres"}, "Unknown AllocationUnits"),
    ],
)
def test_interfaces_that_cannot_be_had(properties: Fields, text: str) -> None:
    with pytest.raises(ValueRefusedError, match=text):
        added_device("Net", **properties)


def config(rest: str = "", devices: str = "") -> str:
    return domain_xml("guest", devices, rest=rest)


@pytest.mark.parametrize(
    ("before", "properties", "expected"),
    [
        ("<vcpu>4</vcpu>", {"VirtualQuantity": 2}, {"vcpu": 4, "vcpu_current": 2}),
        ("<vcpu current='2'>4</vcpu>", {"VirtualQuantity": 4}, {"vcpu": 4, "vcpu_current": 4}),
        ("<vcpu current='2'>4</vcpu>", {"VirtualQuantity": 8}, {"vcpu": 8, "vcpu_current": 8}),
        ("<vcpu current='2'>4</vcpu>", {"MaxVirtualQuantity": 6}, {"vcpu": 6, "vcpu_current": 2}),
        ("<vcpu>4</vcpu>", {"MaxVirtualQuantity": 2}, {"vcpu": 2, "vcpu_current": 2}),
        ("<vcpu>4</vcpu>", {"MaxVirtualQuantity": 8}, {"vcpu": 8, "vcpu_current": 4}),
        ("<vcpu>2</vcpu>", {"Limit": 100}, {"cputune_quota": 50000, "cputune_period": 100000}),
        ("<vcpu>2</vcpu><cputune><quota>5000</quota></cputune>", {"Limit": 0}, {"cputune_quota": None}),
        ("<vcpu>2</vcpu><cputune><shares>5</shares></cputune>", {"Weight": 0}, {"cputune_shares": None}),
    ],
)
def test_processors(before: str, properties: Fields, expected: Fields) -> None:
    xml = config().replace("<vcpu>1</vcpu>", before)
    after = changed(xml, "Proc", "proc", **properties)
    assert {name: getattr(after, name) for name in expected} == expected


MIB = 1024


@pytest.mark.parametrize(
    ("before", "properties", "expected"),
    [
        ("", {"VirtualQuantity": 131072}, (131072, 131072)),
        ("", {"VirtualQuantity": 32768}, (65536, 32768)),
        ("", {"Reservation": 32768}, (65536, 32768)),
        ("", {"VirtualQuantity": 32, "AllocationUnits": "MegaBytes"}, (65536, 32 * MIB)),
        ("", {"Limit": 131072}, (131072, 65536)),
        ("", {"Limit": 32768}, (32768, 32768)),
        ("", {"Limit": 128 * MIB, "VirtualQuantity": 96 * MIB}, (128 * MIB, 96 * MIB)),
        ("<currentMemory>32768</currentMemory>", {"VirtualQuantity": 65536}, (65536, 65536)),
    ],
)
def test_memory(before: str, properties: Fields, expected: tuple[int, int]) -> None:
    after = changed(config(before), "Mem", "mem", **properties)
    assert (after.memory, after.current_memory) == expected


@pytest.mark.parametrize(
    ("before", "properties", "text"),
    [
        ("<currentMemory>32768</currentMemory>", {"VirtualQuantity": 131072}, "more than Limit"),
        ("", {"VirtualQuantity": 131072, "Limit": 131071}, "more than Limit"),
        ("", {"VirtualQuantity": 1, "Reservation": 2}, "contradict each other"),
        ("", {"VirtualQuantity": 0}, "a guest has memory"),
        ("", {"MaxMemory": 1048576}, "MaxMemory needs MemorySlots"),
        ("", {"VirtualQuantity": 1, "AllocationUnits": "count"}, "Unknown AllocationUnits in Memory RASD"),
    ],
)
def test_memory_that_cannot_be_had(before: str, properties: Fields, text: str) -> None:
    with pytest.raises(ValueRefusedError, match=text):
        changed(config(before), "Mem", "mem", **properties)


def test_an_interface_goes_elsewhere() -> None:
    xml = config(
        devices="<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth0' mode='vepa'/>"
        "<model type='e1000'/><boot order='1'/></interface>"
    )
    (port,) = changed(xml, "Net", "52:54:00:00:00:01", NetworkType="bridge", NetworkName="br1").devices
    expected = {
        "type": "bridge",
        "source_bridge": "br1",
        "source_dev": None,
        "source_mode": None,
        "model_type": "e1000",
        "boot_order": 1,
    }
    assert fields(port, expected) == expected


def test_a_disk_goes_to_another_bus() -> None:
    xml = config(
        devices="<disk type='file' device='disk'><source file='/a'/><target dev='vda' bus='virtio'/>"
        "<serial>S</serial><address type='pci' slot='0x07'/></disk>"
    )
    (disk,) = changed(xml, "Disk", "vda", BusType="scsi").devices
    assert isinstance(disk, Disk)
    assert (disk.target_bus, disk.address, disk.serial) == ("scsi", {}, "S")


def test_another_medium() -> None:
    xml = config(
        devices="<disk type='block' device='cdrom'><source dev='/dev/sr0' startupPolicy='optional'/>"
        "<target dev='hdc' bus='ide'/></disk>"
    )
    (drive,) = changed(xml, "Disk", "hdc", Address="/images/cd.iso").devices
    expected = {
        "type": "file",
        "source_file": "/images/cd.iso",
        "source_dev": None,
        "source_startup_policy": "optional",
    }
    assert fields(drive, expected) == expected


def test_what_describes_an_image_goes_with_it() -> None:
    """A snapshot wrote the chain into the definition; the other things said of the image are of no use to another."""
    xml = config(
        devices="<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/images/a.snap'>"
        "<encryption format='luks'><secret type='passphrase' usage='u'/></encryption>"
        "<seclabel model='dac' relabel='no'/><slices><slice type='storage' offset='0' size='9'/></slices></source>"
        "<backingStore type='file'><format type='qcow2'/><source file='/images/base'/></backingStore>"
        "<target dev='vda' bus='virtio'/><serial>S</serial></disk>"
    )
    for address in ("/images/other", "/images/base", "rbd://mon/pool/image"):
        (disk,) = changed(xml, "Disk", "vda", Address=address).devices
        assert isinstance(disk, Disk)
        left = (disk.backing_chain, disk.source_encryption_format, disk.source_slices)
        assert left == ((), None, ()), address
        assert (disk.serial, disk.driver_type, disk.target_bus) == ("S", "qcow2", "virtio")
        assert len(disk.source_seclabels) == (address.startswith("/")), address
    (told_back,) = changed(xml, "Disk", "vda", Address="/images/other", EncryptionFormat="luks").devices
    (asked,) = changed(xml, "Disk", "vda", Address="/images/other", EncryptionFormat="qcow").devices
    assert isinstance(told_back, Disk)
    assert isinstance(asked, Disk)
    assert (told_back.source_encryption_format, asked.source_encryption_format) == (None, "qcow")
    (same,) = changed(xml, "Disk", "vda", Address="/images/a.snap", SerialNumber="T").devices
    assert isinstance(same, Disk)
    assert (same.serial, len(same.backing_chain), same.source_encryption_format) == ("T", 1, "luks")


def test_another_image_of_an_image_in_the_network() -> None:
    xml = config(
        devices="<disk type='network' device='disk'><auth username='old'><secret type='ceph' usage='u'/></auth>"
        "<source protocol='https' name='a' query='q'><host name='h'/><ssl verify='no'/>"
        "<cookies><cookie name='c'>x</cookie></cookies><readahead size='5'/></source><target dev='vda'/></disk>"
    )
    (disk,) = changed(xml, "Disk", "vda", Address="https://h/b").devices
    expected: Fields = {"source_name": "b", "source_query": None, "auth_username": None, "source_ssl_verify": None}
    expected |= {"source_cookie_names": (), "source_readahead_size": None, "auth_secret_usage": None}
    assert fields(disk, expected) == expected


def test_a_container_is_lent_something_else() -> None:
    """What was lent before, and the program that lent it, are not left beside it."""
    for old in (
        "type='block'><source dev='/dev/sdb'/>",
        "type='ram'><source usage='5' units='MiB'/>",
        "type='mount'><source socket='/s'/>",
    ):
        xml = config(devices=f"<filesystem {old}<target dir='/srv'/></filesystem>")
        (lent,) = changed(xml, "Disk", "/srv", Address="/home").devices
        held = {name: value for name, value in lent.as_dict().items() if name.startswith(("source", "driver", "type"))}
        assert held == {"type": "mount", "source_dir": "/home"}


def test_a_device_of_the_host_is_behind_no_virtual_switch() -> None:
    with pytest.raises(ValueRefusedError, match="SourceDevice means nothing"):
        added_device("Net", NetworkType="vhostuser", SourceDevice="eth0", HostResource=["unix:///run/switch"])


@pytest.mark.parametrize(
    ("kind", "field", "old", "new"),
    [
        ("file", "file", "/a.img", "/b.img"),
        ("block", "dev", "/dev/sdb", "/dev/sdc"),
        ("bind", "dir", "/a", "/b"),
        ("template", "name", "old", "new"),
    ],
)
def test_another_file_system_of_the_kind_is_lent(kind: str, field: str, old: str, new: str) -> None:
    """On a host whose paths are not seen, something else is what was there before."""
    xml = config(devices=f"<filesystem type='{kind}'><source {field}='{old}'/><target dir='/srv'/></filesystem>")
    (lent,) = changed(xml, "Disk", "/srv", Address=new).devices
    held = lent.as_dict()
    assert (held["type"], held[f"source_{field}"]) == (kind, new)


@pytest.mark.parametrize(
    ("named", "path", "expected"),
    [
        (None, "", {"type": "mount", "source_dir": ""}),
        (None, "/image", {"type": "file", "source_file": "/image"}),
        ("block", "/image", {"type": "file", "source_file": "/image"}),
        ("mount", "/image", {"type": "mount", "source_dir": "/image"}),
        ("bind", "", {"type": "bind", "source_dir": ""}),
        ("file", "", {"type": "mount", "source_dir": ""}),
    ],
)
def test_a_path_of_this_host_is_lent_as_what_it_is(
    tmp_path: Path, named: str | None, path: str, expected: Fields
) -> None:
    (tmp_path / "image").write_bytes(b"file system")
    host = kvm()
    host.uri = "lxc:///system"
    given_ = {"EmulatedType": 3, "Address": f"{tmp_path}{path}", "MountPoint": "/srv", "ResourceSubType": named}
    device = added_device_on(host, "Disk", given_)
    assert fields(device, expected) == {
        name: f"{tmp_path}{value}" if name.startswith("source") else value for name, value in expected.items()
    }


def test_a_path_that_is_not_there_is_not_lent(tmp_path: Path) -> None:
    host = kvm()
    host.uri = "lxc:///system"
    with pytest.raises(ValueRefusedError, match="Can't get a valid disk type"):
        added_device_on(host, "Disk", {"EmulatedType": 3, "Address": f"{tmp_path}/gone", "MountPoint": "/srv"})


def pooled(name: str, format_type: str) -> str:
    return (
        f"<volume type='file'><name>{name}</name><target><path>/srv/{name}</path>"
        f"<format type='{format_type}'/></target></volume>"
    )


POOL = "<pool type='dir'><name>srv</name><target><path>/srv</path></target></pool>"
VOLUMES = [pooled("new.qcow2", "qcow2"), pooled("new.img", "raw"), pooled("cd.iso", "iso")]


def test_another_image_has_its_own_format() -> None:
    """That of a volume that libvirt knows or of an image below the present one, else as before; never a guess."""

    def disk(driver_type: str, more: str = "", device: str = "disk") -> str:
        return config(
            devices=f"<disk type='file' device='{device}'><driver name='qemu' type='{driver_type}'/>"
            f"<source file='/images/old'/>{more}<target dev='vda'/></disk>"
        )

    below = "<backingStore type='file'><format type='raw'/><source file='/images/base'/></backingStore>"
    for xml, properties, driver_type in (
        (disk("raw"), {"Address": "/srv/new.qcow2"}, "qcow2"),
        (disk("raw"), {"Address": "srv/new.qcow2"}, "qcow2"),
        (disk("raw"), {"HostResource": ["file:///srv/new.qcow2"]}, "qcow2"),
        (disk("raw"), {"Address": "/srv/new.qcow2", "DriverType": "raw"}, "qcow2"),
        (disk("raw"), {"Address": "/srv/new.qcow2", "DriverType": "qed"}, "qed"),
        (disk("qcow2"), {"Address": "/srv/new.img"}, "raw"),
        (disk("qcow2"), {"Address": "/srv/unknown"}, "qcow2"),
        (disk("qcow2", below), {"Address": "/images/base"}, "raw"),
        (disk("qcow2", below), {"Address": "/images/base", "DriverType": "qcow2"}, "raw"),
        (disk("qcow2", below), {"Address": "/images/base", "DriverType": "qed"}, "qed"),
        (disk("qcow2", device="cdrom"), {"Address": "/srv/cd.iso"}, "raw"),
        (disk("qcow2", device="cdrom"), {"Address": ""}, None),
        (disk("qcow2", device="cdrom"), {"Address": "", "DriverType": "qcow2"}, None),
        (disk("qcow2"), {"Address": "/images/old"}, "qcow2"),
    ):
        (after,) = changed(xml, "Disk", "vda", **properties).devices
        assert isinstance(after, Disk)
        assert after.driver_type == driver_type, properties
    added = added_device("Disk", VirtualDevice="hdc", EmulatedType=1, Address="/srv/cd.iso")
    assert isinstance(added, Disk)
    assert added.driver_type == "raw"


@pytest.mark.parametrize(("model", "cell"), [("dimm", 0), ("sgx-epc", None), ("virtio-pmem", None)])
def test_memory_is_in_a_cell_where_it_has_to_be(model: str, cell: int | None) -> None:
    cells = "<cpu><numa><cell id='0' cpus='0' memory='65536' unit='KiB'/></numa></cpu>"
    added = added_device_on(
        kvm(), "", {"ResourceType": 4, "ResourceSubType": model, "VirtualQuantity": 1 << 26}, rest=cells
    )
    assert isinstance(added, MemoryDevice)
    assert (added.model, added.target_node) == (model, cell)


def test_order_of_boot_is_of_one_sort() -> None:
    xml = config(
        "<os><type>hvm</type><boot dev='hd'/></os>",
        "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>",
    ).replace("<os><type arch='x86_64' machine='pc'>hvm</type></os>", "", 1)
    after = changed(xml, "Net", "52:54:00:00:00:01", BootOrder=1)
    assert (after.os_boot_devs, after.devices[0].boot_order) == ((), 1)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"SecureBoot": True}, {"secure-boot": True}),
        ({"SecureBoot": True, "EnrolledKeys": False}, {"secure-boot": True, "enrolled-keys": False}),
        ({"SecureBoot": False}, {"secure-boot": False}),
        ({"EnrolledKeys": True}, {"enrolled-keys": True}),
    ],
)
def test_features_that_are_asked_of_the_firmware(properties: Fields, expected: Fields) -> None:
    xml = config("<os firmware='efi'><type>hvm</type></os>").replace(
        "<os><type arch='x86_64' machine='pc'>hvm</type></os>", "", 1
    )
    after = whole_after(xml, properties)
    assert {each.name: each.enabled for each in after.os_firmware_features} == expected
    shown = {"SecureBoot": secure_boot(after), "EnrolledKeys": enrolled_keys(after)}
    assert {name: shown[name] for name in properties} == properties


def whole_after(xml: str, properties: Fields) -> DomainConfig:
    """The guest after its settings as a whole were changed."""
    host = kvm()
    host.put(xml)
    (guest,) = all_guests(Served([(platform("KVM"), host)]).site, platform("KVM"))
    edit = edit_of(guest, xml)
    modify_system(edit, properties)
    assert edit.change.defined is not None
    return edit.change.defined.config


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"Firmware": "efi", "SecureBoot": True}, {"os_firmware": "efi", "features_smm_state": True}),
        ({"CPUModel": "Haswell"}, {"cpu_mode": "custom", "cpu_model": "Haswell"}),
        ({"CPUMode": "host-passthrough"}, {"cpu_mode": "host-passthrough"}),
        ({"CPUCores": 4}, {"cpu_topology_sockets": 1, "cpu_topology_cores": 4, "cpu_topology_threads": 1}),
        ({"ClockTimezone": "Asia/Tokyo"}, {"clock_offset": "timezone", "clock_timezone": "Asia/Tokyo"}),
        ({"NUMACells": ["0:1024", "1-3:2048"]}, {}),
        ({"FirmwareLoader": "/fw", "FirmwareLoaderType": "pflash", "SecureBoot": True}, {"os_loader_secure": True}),
    ],
)
def test_settings_of_the_whole(properties: Fields, expected: Fields) -> None:
    xml = config()
    after = whole_after(xml, properties)
    assert {name: getattr(after, name) for name in expected} == expected


def test_on_power_the_model_of_the_host_behaves_like_another() -> None:
    """libvirt takes the model that stands beside host-model for a mode of compatibility there, and for nothing else."""
    expected = {"cpu_mode": "host-model", "cpu_model": "power8"}
    for arch, given_ in (
        ("ppc64le", {"CPUModel": "power8"}),
        ("ppc64", {"CPUMode": "host-model", "CPUModel": "power8"}),
    ):
        xml = config("<cpu mode='host-model'/>").replace("arch='x86_64' machine='pc'", f"arch='{arch}'", 1)
        assert {name: getattr(whole_after(xml, given_), name) for name in expected} == expected
    with pytest.raises(ValueRefusedError, match="contradict"):
        whole_after(config("<cpu mode='host-model'/>"), {"CPUModel": "power8"})


def test_another_firmware_has_its_own_variables() -> None:
    firmware = (
        "<os><type arch='x86_64' machine='pc'>hvm</type><loader readonly='yes' type='pflash' stateless='no'>/code.fd"
        "</loader><nvram template='/vars.fd' type='file'><source file='/guest.fd'/></nvram></os>"
    )
    xml = config().replace("<os><type arch='x86_64' machine='pc'>hvm</type></os>", firmware, 1)
    assert firmware in xml
    held = whole_after(xml, {"Firmware": "efi"}).as_dict()
    assert held["os_firmware"] == "efi"
    assert [name for name in held if name.startswith(("os_loader", "os_nvram"))] == []


@pytest.mark.parametrize(
    ("units", "size"),
    [
        ("B", 1),
        ("byte", 1),
        ("BYTES", 1),
        ("KiloBytes", 1024),
        ("kb", 1000),
        ("KiB", 1024),
        ("k", 1024),
        ("M", 1 << 20),
        ("GigaBytes", 1 << 30),
        ("byte*2^10", 1024),
        ("bytes*10^3", 1000),
        ("1024 * byte", 1024),
        ("byte * 2^+20", 1 << 20),
        ("tebibytes", 1 << 40),
        ("count", None),
        ("", None),
        ("byte/0", None),
        ("byte*", None),
        ("byte^2", None),
    ],
)
def test_units_of_sizes(units: str, size: int | None) -> None:
    assert size_in(units) == size


@pytest.mark.parametrize(
    ("units", "rate"),
    [
        ("byte/second", 1),
        ("KiloBytes per Second", 1000),
        ("megabytes/s", 10**6),
        ("KiB/s", 1024),
        ("byte*10^3/second", 1000),
        ("bit/second*10^6", 125000),
        ("kilobits/s", 125),
        ("KB/s", 1000),
        ("furlongs per fortnight", None),
    ],
)
def test_units_of_rates(units: str, rate: int | None) -> None:
    assert rate_in(units) == rate


@given(st.text(max_size=30))
def test_any_text_is_a_unit_or_none(text: str) -> None:
    assert size_in(text) is None or size_in(text) > 0  # type: ignore[operator]
    rate_in(text)


def test_every_kind_has_settings() -> None:
    """Each class that is served as a setting can be asked for."""
    _, guest = served_file(config())
    assert guest.state is not None
    for each in (kind.setting for kind in KINDS):
        ResourceRequest(EmbeddedInstance(f"KVM_{each.base}", {}), "KVM", KINDS)
    assert list(settings_of(guest.state))
