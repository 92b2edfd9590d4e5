"""Editing domain XML: what is asked for changes, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.libhelper.domain_samples import SAMPLES, declarations, mapped_classes, sample
from virtcim.libhelper.documents.domain import (
    Console,
    Device,
    DeviceNotFoundError,
    Disk,
    DomainConfig,
    DomainDocument,
    Graphics,
    Interface,
    MappingError,
    Rng,
    Serial,
    UnknownDevice,
    ValueRejectedError,
    element_text,
)
from virtcim.libhelper.documents.domain.companions import settle_buses
from virtcim.libhelper.documents.domain.domain import DEVICE_CLASSES
from virtcim.libhelper.xml.mapping import (
    Attributes,
    Field,
    Flag,
    Int,
    Ints,
    Items,
    Mapped,
    OnOff,
    Secret,
    Size,
    Text,
    Texts,
    YesNo,
)

RICH = """<?xml version='1.0'?>
<!-- before -->
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' future='yes'>
  <name>rich</name>  <!-- the name -->
  <metadata>
    <app:data xmlns:app='http://example.org/app' app:key='v'><app:inner/>text<![CDATA[<raw>]]></app:data>
  </metadata>
  <memory unit='GiB'>2</memory>
  <vcpu placement='static'>2</vcpu>
  <os><type>hvm</type></os>
  <features>
    <acpi/>
    <unheard-of state='on'><deep>1</deep></unheard-of>
  </features>
  <devices>
    <!-- first disk -->
    <disk type='file' device='disk' colour='blue'>
      <driver name='qemu' type='qcow2' newer='1'/>
      <source file='/a.img'><privateData><x/></privateData></source>
      <target dev='vda' bus='virtio'/>
    </disk>
    <quantum type='entangled'/>

    <interface type='network'><source network='default'/><model type='virtio'/></interface>
    <graphics type='vnc' port='-1' passwd='hush'/>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-newarg'/>
  </qemu:commandline>
</domain>
<!-- after -->
"""


def canonical(text: str) -> bytes:
    canonical_text: bytes = etree.tostring(etree.fromstring(text.encode()).getroottree(), method="c14n")
    return canonical_text


def edited(change: Callable[[DomainDocument], object], text: str = RICH) -> str:
    document = DomainDocument(text)
    change(document)
    return document.tostring()


# What the text of a document must become: the same replacement done by hand.
def expect(change: Callable[[DomainDocument], object], *replacements: tuple[str, str]) -> None:
    wanted = RICH
    for old, new in replacements:
        assert wanted.count(old) == 1, old
        wanted = wanted.replace(old, new)
    assert canonical(edited(change)) == canonical(wanted)


def test_untouched_document_is_the_same() -> None:
    for path in SAMPLES:
        text = path.read_text("utf-8")
        assert canonical(edited(lambda document: document.config, text)) == canonical(text)
    expect(lambda document: document.config)


def test_setting_what_is_there_changes_nothing() -> None:
    for path in SAMPLES:
        text = path.read_text("utf-8")
        document = DomainDocument(text)
        document.set(document.config, document.config.writable_values())
        for device in document.devices:
            if not isinstance(device, UnknownDevice):
                document.set(device, device.writable_values())
        assert canonical(document.tostring()) == canonical(text), path.name


def test_attributes_and_texts() -> None:
    expect(lambda d: d.set(d.config, {"name": "other"}), ("<name>rich</name>", "<name>other</name>"))
    expect(lambda d: d.set(d.config, {"vcpu_current": 1}), ("placement='static'", "placement='static' current='1'"))
    expect(lambda d: d.set(d.config, {"vcpu_placement": None}), (" placement='static'", ""))
    expect(lambda d: d.set(0, {"source_startup_policy": "optional"}), ("/a.img'", "/a.img' startupPolicy='optional'"))
    expect(lambda d: d.set(0, {"driver_type": None}), (" type='qcow2'", ""))
    expect(lambda d: d.set(d.config, {"features_acpi": False}), ("<acpi/>\n    ", ""))


def test_size_keeps_its_unit_when_it_means_the_same() -> None:
    expect(lambda d: d.set(d.config, {"memory": 2 * 1024**2}))
    expect(lambda d: d.set(d.config, {"memory": 1024}), ("<memory unit='GiB'>2<", "<memory unit='KiB'>1024<"))
    text = edited(lambda d: d.set(d.config, {"memory": 5}), "<domain><memory>3</memory></domain>")
    assert text == "<domain><memory>5</memory></domain>"


def test_new_elements_have_their_place() -> None:
    expect(
        lambda d: d.set(d.config, {"uuid": "u", "title": "t", "current_memory": 7, "on_crash": "destroy"}),
        (
            "<name>rich</name>  <!-- the name -->\n",
            "<name>rich</name>  <uuid>u</uuid>  <title>t</title>  <!-- the name -->\n",
        ),
        ("2</memory>\n", "2</memory>\n  <currentMemory>7</currentMemory>\n"),
        ("  </features>\n", "  </features>\n  <on_crash>destroy</on_crash>\n"),
    )
    expect(
        lambda d: d.set(0, {"boot_order": 1, "readonly": True, "iotune_read_bytes_sec": 9}),
        (
            "bus='virtio'/>\n",
            "bus='virtio'/>\n      <iotune>\n        <read_bytes_sec>9</read_bytes_sec>\n      </iotune>\n"
            "      <readonly/>\n      <boot order='1'/>\n",
        ),
    )


def test_what_an_edit_made_goes_again() -> None:
    def there_and_back(document: DomainDocument) -> None:
        values = {"cputune_shares": 5, "os_boot_devs": ["hd", "cdrom"], "features_hyperv_relaxed_state": True}
        values |= {"clock_offset": "utc", "clock_timers": [{"name": "rtc", "catchup_slew": 4}], "title": "t"}
        document.set(document.config, values)
        document.set(document.config, dict.fromkeys(values))
        disk = document.devices[0]
        values = {"iotune_group_name": "g", "source_slices": [{"size": 1}], "address": {"type": "pci"}, "serial": "s"}
        document.set(disk, values)
        document.set(disk, dict.fromkeys(values))

    expect(there_and_back)


def test_what_was_there_stays_when_it_becomes_empty() -> None:
    text = "<domain><pm><suspend-to-mem enabled='no'/></pm></domain>"
    assert edited(lambda d: d.set(d.config, {"pm_suspend_to_mem_enabled": None}), text) == (
        "<domain><pm><suspend-to-mem/></pm></domain>"
    )


def test_lists_keep_the_elements_they_can() -> None:
    text = (
        "<domain><os><boot dev='hd' extra='1'/><boot dev='cdrom'/><!-- c --></os>"
        "<cpu><numa><cell id='0' memory='1' unit='GiB' more='x'><other/></cell></numa></cpu></domain>"
    )

    def change(document: DomainDocument) -> None:
        document.set(document.config, {"os_boot_devs": ["network"]})
        document.set(
            document.config, {"cpu_numa_cells": [{"id": 0, "memory": 1024**2, "cpus": "0-1"}, {"id": 1, "memory": 512}]}
        )

    assert edited(change, text) == (
        '<domain><os><boot dev="network" extra="1"/><!-- c --></os>'
        '<cpu><numa><cell id="0" memory="1" unit="GiB" more="x" cpus="0-1"><other/></cell>'
        '<cell id="1" memory="512"/></numa></cpu></domain>'
    )
    assert edited(lambda d: d.set(d.config, {"os_boot_devs": ()}), text).startswith("<domain><os><!-- c --></os>")


def test_comments_inside_a_text() -> None:
    text = "<domain><title>a<!-- x -->b</title></domain>"
    assert edited(lambda d: d.set(d.config, {"title": "c"}), text) == "<domain><title>c<!-- x --></title></domain>"
    assert edited(lambda d: d.set(d.config, {"title": None}), text) == "<domain><title><!-- x --></title></domain>"


def test_two_sources_of_a_udp_device() -> None:
    document = DomainDocument("<domain><devices><serial type='udp'/></devices></domain>")
    both = {"source_bind_host": "::1", "source_bind_service": "1", "source_connect_host": "::2"}
    serial = document.set(0, both)
    assert isinstance(serial, Serial)
    assert (serial.source_bind_host, serial.source_connect_host, serial.source_mode) == ("::1", "::2", "bind")
    assert '<source mode="bind" host="::1" service="1"/><source mode="connect" host="::2"/>' in document.tostring()
    document.set(0, dict.fromkeys(both))
    assert '<serial type="udp"/>' in document.tostring()


OLD_IMAGE = """<domain>
  <devices>
    <disk type='network' device='disk' snapshot='external'>
      <driver name='qemu' type='qcow2' cache='none'>
        <metadata_cache><max_size unit='bytes'>1024</max_size></metadata_cache>
      </driver>
      <auth username='old'><secret type='ceph' uuid='8b1d8a09-0000-4000-8000-000000000001'/></auth>
      <source protocol='https' name='a' query='q' tls='yes' tlsHostname='h' index='3' fdgroup='f' mode='direct'
        pool='p' volume='v' namespace='1' managed='yes' future='yes' startupPolicy='optional'>
        <host name='h1'/>
        <host name='h2'/>
        <snapshot name='s'/>
        <config file='/c'/>
        <auth username='old'><secret type='iscsi' usage='u'/></auth>
        <initiator><iqn name='iqn.2013-07.com.example:old'/></initiator>
        <ssl verify='no'/>
        <cookies><cookie name='c'>secret</cookie></cookies>
        <readahead size='1'/>
        <timeout seconds='2'/>
        <identity user='u' group='g'/>
        <reconnect enabled='yes' timeout='3'/>
        <encryption format='luks'><secret type='passphrase' uuid='8b1d8a09-0000-4000-8000-000000000002'/></encryption>
        <reservations managed='yes'/>
        <slices><slice type='storage' offset='1' size='2'/></slices>
        <seclabel model='dac' relabel='no'/>
        <dataStore type='file'><format type='raw'/><source file='/data'/></dataStore>
        <privateData/>
        <unheard-of/>
      </source>
      <backingStore type='file'>
        <format type='raw'/>
        <source file='/base'/>
        <backingStore/>
      </backingStore>
      <mirror type='file' job='copy'><source file='/copy'/></mirror>
      <target dev='vda' bus='virtio' rotation_rate='1'/>
      <iotune><read_bytes_sec>5</read_bytes_sec></iotune>
      <serial>S</serial>
      <encryption format='luks'><secret type='passphrase' uuid='8b1d8a09-0000-4000-8000-000000000003'/></encryption>
      <unheard-of/>
      <boot order='1'/>
      <address type='pci' slot='0x07'/>
    </disk>
  </devices>
</domain>"""
"""A disk with all that libvirt's schema and its successors say of an image."""

NEW_IMAGE = """<domain>
  <devices>
    <disk type="{type}" device="disk" snapshot="external">
      <driver name="qemu" type="qcow2" cache="none">
        <metadata_cache><max_size unit="bytes">1024</max_size></metadata_cache>
      </driver>
      <source{source}
      <target dev="vda" bus="virtio" rotation_rate="1"/>
      <iotune><read_bytes_sec>5</read_bytes_sec></iotune>
      <serial>S</serial>
      <unheard-of/>
      <boot order="1"/>
      <address type="pci" slot="0x07"/>
    </disk>
  </devices>
</domain>"""
"""The same with another image."""

NOWHERE = dict.fromkeys(Disk.location_fields)


@pytest.mark.parametrize(
    ("values", "kind", "source"),
    [
        (
            {**NOWHERE, "type": "network", "source_protocol": "https", "source_name": "b"},
            "network",
            ' protocol="https" name="b" startupPolicy="optional">\n        <seclabel model="dac" relabel="no"/>\n'
            "      </source>",
        ),
        ({**NOWHERE, "type": "file", "source_file": "/b"}, "file", ' file="/b">\n      </source>'),
        (
            {"source_name": "b", "source_auth_username": "old", "source_slices": [{"offset": 1, "size": 2}]},
            "network",
            ' protocol="https" name="b" query="q" pool="p" volume="v" namespace="1" startupPolicy="optional">\n'
            '        <host name="h1"/>\n        <host name="h2"/>\n        <auth username="old"/>\n        <slices>\n'
            '          <slice offset="1" size="2"/>\n        </slices>\n        <seclabel model="dac" relabel="no"/>\n'
            "      </source>",
        ),
    ],
)
def test_what_describes_an_image_goes_with_it(values: dict[str, Any], kind: str, source: str) -> None:
    """What is written together with the new image stands, the same value as before included."""
    text = edited(lambda document: document.set(0, values), OLD_IMAGE)
    assert canonical(text) == canonical(NEW_IMAGE.format(type=kind, source=source))


def test_a_medium_comes_and_goes() -> None:
    """What to do where there is none is said of the drive, on whichever way the medium comes."""
    text = (
        "<domain><devices><disk type='block' device='cdrom'><source dev='/dev/sr0' startupPolicy='optional'>"
        "<slices><slice type='storage' offset='0' size='9'/></slices></source><backingStore/>"
        "<target dev='hdc'/></disk></devices></domain>"
    )
    document = DomainDocument(text)
    document.set(0, {"type": "file", "source_dev": None, "source_file": "/cd.iso"})
    assert '<disk type="file" device="cdrom"><source startupPolicy="optional" file="/cd.iso"/><target' in (
        document.tostring()
    )
    document.set(0, {"source_file": None})
    assert '<disk type="file" device="cdrom"><source startupPolicy="optional"/><target' in document.tostring()


def test_another_format_has_another_chain() -> None:
    text = edited(lambda document: document.set(0, {"driver_type": "raw"}), OLD_IMAGE)
    assert "dataStore" not in text
    (disk,) = DomainConfig.parse(text).devices
    assert isinstance(disk, Disk)
    assert (disk.driver_type, disk.driver_metadata_cache_max_size, disk.backing_chain) == ("raw", None, ())
    assert (disk.source_encryption_format, disk.driver_cache) == ("luks", "none")


def test_a_file_system_of_another_kind() -> None:
    text = (
        "<domain><devices><filesystem type='file'><driver type='nbd' format='qcow2'/><source file='/a'/>"
        "<target dir='/'/></filesystem></devices></domain>"
    )
    assert '<driver type="nbd" format="qcow2"/><source file="/b"/>' in edited(
        lambda document: document.set(0, {"source_file": "/b", "type": "file"}), text
    )
    assert '<filesystem type="mount"><source dir="/b"/><target dir="/"/>' in edited(
        lambda document: document.set(0, {"type": "mount", "source_file": None, "source_dir": "/b"}), text
    )


def test_what_is_declared_to_go_is_named_rightly() -> None:
    """Fields that are declared, and parts that stay of elements that go."""
    for cls in mapped_classes():
        for replacement in cls.replacements:
            assert set(replacement.fields) <= cls.declared().keys(), cls
            assert all(path.startswith(tuple(f"{taken}/" for taken in replacement.takes)) for path in replacement.keeps)


@pytest.mark.parametrize(
    ("machine", "other", "settles"),
    [
        ("pc-i440fx-7.2", "pc-q35-7.2", True),
        ("pc-i440fx-rhel7.6.0", "pc-q35-rhel9.4.0", True),
        ("ubuntu", "q35", False),
        ("pc", "pc-i440fx-jammy", False),
        ("q35", "pc-q35-rhel9.4.0", False),
        ("pc", "pcx", False),
    ],
)
def test_the_buses_of_a_machine_go_where_another_is_known_to_have_others(
    machine: str, other: str, settles: bool
) -> None:
    document = DomainDocument(
        f"<domain><os><type machine='{machine}'>hvm</type></os><devices>"
        "<controller type='pci' index='0' model='pci-root'/>"
        "<interface type='user'><address type='pci' slot='0x03'/></interface></devices></domain>"
    )
    before = document.config
    document.set(before, {"os_type_machine": other})
    settle_buses(document, before)
    buses = [device.tag for device in document.devices if device.tag == "controller" or device.address]
    assert buses == ([] if settles else ["controller", "interface"])


def test_adding_devices() -> None:
    expect(
        lambda d: d.add_device(Disk, {"type": "block", "source_dev": "/dev/sdz", "target_dev": "vdb"}),
        (
            "    <quantum",
            "    <disk type='block'>\n      <source dev='/dev/sdz'/>\n      <target dev='vdb'/>\n    </disk>\n"
            "    <quantum",
        ),
    )
    expect(
        lambda d: d.add_device("<!-- x --><tpm model='tpm-crb'><new/></tpm>"),
        ("</interface>\n", "</interface>\n    <tpm model='tpm-crb'><new/></tpm>\n"),
    )
    document = DomainDocument("<domain/>")
    assert document.add_device("<rng model='virtio'/>") == Rng(model="virtio")
    assert document.add_device(Disk, {}) == Disk()
    assert [device.tag for device in document.devices] == ["disk", "rng"]
    added = document.add_device("<x:odd xmlns:x='urn:x'/>")
    assert isinstance(added, UnknownDevice)
    assert added.tag == "{urn:x}odd"


def test_removing_devices() -> None:
    expect(lambda d: d.remove_device(1), ("<quantum type='entangled'/>\n\n    ", ""))

    def add_and_remove(document: DomainDocument) -> None:
        added = [document.add_device(Disk, {"target_dev": "vdb"}), document.add_device("<vsock/>")]
        for device in added:
            document.remove_device(device)

    expect(add_and_remove)
    document = DomainDocument(RICH)
    disk = document.devices[0]
    document.remove_device(disk)
    with pytest.raises(DeviceNotFoundError):
        document.remove_device(disk)
    while document.devices:
        document.remove_device(0)
    assert "first disk" in document.tostring()


@pytest.mark.parametrize("text", ["<domain/>", "<domain>\n  <name>n</name>\n</domain>"])
@pytest.mark.parametrize("tag", DEVICE_CLASSES)
def test_a_device_that_came_and_went_leaves_nothing(tag: str, text: str) -> None:
    document = DomainDocument(text)
    document.remove_device(document.add_device(f"<{tag}/>"))
    assert document.tostring() == text
    document.add_device(f"<{tag}/>")
    document.add_device("<hub/>")
    document.remove_device(0)
    document.remove_device(0)
    assert document.tostring() == text


def simple_value(field: Field[Any]) -> Any:
    """Some value of a field."""
    if isinstance(field, Items):
        name, inner = next((name, each) for name, each in field.record.declared().items() if each.writable)
        return [{name: simple_value(inner)}]
    if isinstance(field, Texts | Ints):
        return ["x"] if isinstance(field, Texts) else [1]
    if isinstance(field, Attributes):
        return {"type": "x"}
    if isinstance(field, Flag | YesNo | OnOff):
        return True
    return 1 if isinstance(field, Int | Size) else "x"


@pytest.mark.parametrize("cls", [DomainConfig, *DEVICE_CLASSES.values()], ids=lambda cls: cls.tag)
def test_a_value_that_came_and_went_leaves_nothing(cls: type[Mapped]) -> None:
    """No element that was made for a value, whatever goes with what the value replaces."""
    is_domain = cls is DomainConfig
    text = "<domain/>" if is_domain else f"<domain><devices><{cls.tag}/></devices></domain>"
    for name, field in cls.declared().items():
        if not field.writable:
            continue
        document = DomainDocument(text)
        for value in (simple_value(field), None):
            document.set(document.config if is_domain else document.devices[0], {name: value})
        assert document.tostring() == text, name
    for replacement in cls.replacements:
        inside = [
            name
            for name, field in cls.declared().items()
            if field.writable
            and any(field.path == path or field.path.startswith((f"{path}/", f"{path}@")) for path in replacement.takes)
            and field.path not in replacement.keeps
            and name not in replacement.fields
        ]
        for name in inside:
            document = DomainDocument(text)
            values = {name: simple_value(cls.declared()[name])}
            document.set(document.config if is_domain else document.devices[0], values)
            first = replacement.fields[0]
            of_kind = next((each for each in replacement.among or () if each), simple_value(cls.declared()[first]))
            for value in (of_kind, None):
                document.set(document.config if is_domain else document.devices[0], {first: value})
            assert document.tostring() == text, (first, name)


def test_devices_are_known_by_object_by_value_and_by_place() -> None:
    document = DomainDocument(RICH)
    disk, _, interface, _ = document.devices
    document.set(disk, {"serial": "s"})
    document.set(disk, {"wwn": "5000c50015ea71aa"})
    assert document.devices[0].as_dict()["serial"] == "s"
    elsewhere = DomainConfig.parse(RICH).devices[2]
    assert elsewhere == interface
    changed = document.set(elsewhere, {"link_state": "down"})
    assert isinstance(changed, Interface)
    assert changed.link_state == "down"
    with pytest.raises(DeviceNotFoundError):
        document.set(elsewhere, {"link_state": "up"})
    with pytest.raises(LookupError):
        document.set(17, {})
    with pytest.raises(DeviceNotFoundError):
        document.set(Console(type="pty"), {})


def test_text_of_a_device() -> None:
    document = DomainDocument(RICH)
    assert document.device_xml(2) == (
        '<interface type="network"><source network="default"/><model type="virtio"/></interface>'
    )
    assert element_text(Disk, {"type": "file", "readonly": True}) == '<disk type="file">\n  <readonly/>\n</disk>'


def test_password_is_written_and_not_held() -> None:
    document = DomainDocument(RICH)
    display = document.set(3, {"passwd": "s3cret"})
    assert isinstance(display, Graphics)
    assert 'passwd="s3cret"' in document.device_xml(3)
    assert "s3cret" not in repr(display)
    with pytest.raises(ValueRejectedError) as refused:
        document.set(3, {"passwd": "hush\x00"})
    assert "hush" not in str(refused.value)
    display = document.set(display, {"passwd": None})
    assert isinstance(display, Graphics)
    assert display.passwd_set is False


@pytest.mark.parametrize(
    ("target", "values"),
    [
        ("domain", {"name": "a\x00b"}),
        ("domain", {"title": "\x1b[31m"}),
        ("domain", {"title": "\ud800"}),
        ("domain", {"title": "\ufffe"}),
        ("domain", {"name": 5}),
        ("domain", {"name": b"bytes"}),
        ("domain", {"memory": "5"}),
        ("domain", {"memory": True}),
        ("domain", {"memory": 2**70}),
        ("domain", {"features_acpi": "yes"}),
        ("domain", {"features_smm_state": "on"}),
        ("domain", {"os_boot_devs": "hd"}),
        ("domain", {"os_boot_devs": 5}),
        ("domain", {"os_boot_devs": [None]}),
        ("domain", {"clock_timers": ["rtc"]}),
        ("domain", {"clock_timers": [{"nonsense": 1}]}),
        ("domain", {"clock_timers": {"name": "rtc"}}),
        ("domain", {"unheard_of": 1}),
        ("domain", {"id": 1}),
        ("domain", {"devices": ()}),
        ("disk", {"address": "pci"}),
        ("disk", {"address": {"a b": "c"}}),
        ("disk", {"address": {5: "c"}}),
        ("disk", {"address": {"a": 5}}),
        ("disk", {"backing_chain": ()}),
    ],
)
def test_refused_values_leave_the_document_alone(target: str, values: dict[str, Any]) -> None:
    document = DomainDocument(RICH)
    whom: Any = document.config if target == "domain" else document.devices[0]
    with pytest.raises(ValueRejectedError):
        document.set(whom, {"description" if target == "domain" else "serial": "first", **values})
    assert canonical(document.tostring()) == canonical(RICH)


def test_refused_documents_and_devices() -> None:
    with pytest.raises(MappingError):
        DomainDocument("<network/>")
    with pytest.raises(MappingError):
        DomainDocument("<!DOCTYPE domain><domain/>")
    document = DomainDocument(RICH)
    for odd in ("<emulator/>", "<disk>", "<!DOCTYPE disk><disk/>"):
        with pytest.raises(MappingError):
            document.add_device(odd)
    for cls in (UnknownDevice, Device):
        with pytest.raises(MappingError):
            document.add_device(cls, {})
    with pytest.raises(ValueRejectedError):
        document.add_device(Disk, {"unheard_of": 1})
    assert canonical(document.tostring()) == canonical(RICH)


def test_every_writable_field_is_written_by_rebuilding_the_samples() -> None:
    """Each sample is built anew from its values alone, and reads as before."""
    written: set[int] = set()
    for path in SAMPLES:
        before = DomainConfig.parse(path.read_text("utf-8"))
        document = DomainDocument("<domain/>")
        document.set(document.config, before.writable_values())
        _note_written(before, written)
        for device in before.devices:
            if isinstance(device, UnknownDevice):
                continue
            after = document.add_device(type(device), device.writable_values())
            assert after.writable_values() == _only_writable(device), path.name
            _note_written(device, written)
        assert document.config.writable_values() == _only_writable(before), path.name
    missing = {
        name
        for key, name in declarations(
            cls for cls in mapped_classes() if cls.__module__.startswith("virtcim.libhelper.documents.domain.")
        ).items()
        if key not in written and _is_writable(name)
    }
    assert missing == {"Graphics.passwd", "BackingStore.type", "BackingStore.index", "BackingStore.format_type"} | {
        "UnknownDevice.attributes"
    }


def _is_writable(name: str) -> bool:
    class_name, _, field = name.partition(".")
    return any(cls.declared()[field].writable for cls in mapped_classes() if cls.__name__ == class_name)


def _only_writable(held: Mapped) -> dict[str, Any]:
    """The values that survive rebuilding: without the read-only fields of the objects in lists."""
    values = held.writable_values()
    for name, value in values.items():
        if held.declared()[name].many and value and isinstance(value[0], Mapped):
            values[name] = tuple(type(item)(**_only_writable(item)) for item in value)
    return values


def _note_written(held: Mapped, written: set[int]) -> None:
    for name, value in held.writable_values().items():
        written.add(id(held.declared()[name]))
        if isinstance(value, tuple):
            for item in value:
                if isinstance(item, Mapped):
                    _note_written(item, written)


TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff").filter(lambda c: c >= " " or c in "\t\n\r"),
    min_size=1,
    max_size=30,
)
NUMBER = st.integers(-(2**63), 2**64 - 1)


def values_of(field: Field[Any]) -> st.SearchStrategy[Any]:
    """Values that a field takes."""
    if isinstance(field, Items):
        return st.lists(values_for(field.record), max_size=3)
    if isinstance(field, Texts):
        return st.lists(TEXT, max_size=3)
    if isinstance(field, Ints):
        return st.lists(NUMBER, max_size=3)
    if isinstance(field, Attributes):
        return st.dictionaries(st.sampled_from(["type", "bus", "slot", "port"]), TEXT, min_size=1)
    if isinstance(field, Flag | YesNo | OnOff):
        return st.booleans()
    if isinstance(field, Int | Size):
        return st.integers(0, 2**50) if isinstance(field, Size) else NUMBER
    assert isinstance(field, Text), field
    return TEXT


def values_for(cls: type[Mapped]) -> st.SearchStrategy[dict[str, Any]]:
    """Values for a few fields of a class that do not stand in each other's way."""
    usable = [field for field in cls.declared().values() if field.writable and not isinstance(field, Secret)]
    return st.lists(st.sampled_from(usable), max_size=5, unique=True).flatmap(
        lambda fields: st.fixed_dictionaries({field.name: values_of(field) for field in _independent(fields)})
    )


def _independent(fields: list[Field[Any]]) -> list[Field[Any]]:
    """The fields without those that one of the others reaches through: a flag or list and what is inside it."""
    kept: list[Field[Any]] = []
    for field in fields:
        if not any(_entangled(field, other) for other in kept):
            kept.append(field)
    return kept


def _entangled(one: Field[Any], other: Field[Any]) -> bool:
    shorter, longer = sorted(([step.tag for step in field.steps] for field in (one, other)), key=len)
    wide = (Flag, Items, Texts, Ints, Attributes)
    selected = any(step.attribute for field in (one, other) for step in field.steps)
    return (isinstance(one, wide) or isinstance(other, wide) or selected) and longer[: len(shorter)] == shorter


def same(read: Any, given_value: Any) -> bool:
    if isinstance(given_value, list):
        return len(read) == len(given_value) and all(map(same, read, given_value))
    if isinstance(read, Mapped):
        return all(same(getattr(read, name), value) for name, value in given_value.items())
    return bool(read == given_value)


DEVICE_SAMPLES = [
    (path.stem, place)
    for path in SAMPLES
    for place, device in enumerate(DomainConfig.parse(path.read_text("utf-8")).devices)
    if not isinstance(device, UnknownDevice)
]


def stripped(text: str, cls: type[Mapped], place: int | None, names: set[str]) -> bytes:
    """The document without the elements and attributes that the named fields stand for and those that go with what
    they replace, and without white space."""
    root = copy.deepcopy(etree.fromstring(text.encode()))
    target = root
    if place is not None:
        devices = root.find("devices")
        assert devices is not None
        target = [child for child in devices if isinstance(child.tag, str) and child.tag != "emulator"][place]
    for replacement in cls.replacements:
        if names.isdisjoint(replacement.fields):
            continue
        for path in replacement.takes:
            steps, at, attribute = f"./{path}".partition("/@")
            for holder in target.findall(steps):
                if at:
                    holder.attrib.pop(attribute, "")
                else:
                    holder.getparent().remove(holder)  # type: ignore[union-attr]
    for name in names:
        field = cls.declared()[name]
        holders = [target]
        for step in field.steps:
            holders = [child for holder in holders for child in holder if child.tag == step.tag]
        for holder in holders:
            if field.attribute is not None and not field.many:
                holder.attrib.pop(field.attribute, "")
            elif holder is not target:
                parent = holder.getparent()
                assert parent is not None
                parent.remove(holder)
            if isinstance(field, Size):
                holder.attrib.pop(field.unit_attribute, "")
    for element in reversed(list(root.iter())):
        if element.text is not None and not element.text.strip():
            element.text = None
        element.tail = None
        parent = element.getparent()
        empty = not len(element) and not element.text and set(element.attrib) <= PARENTS.get(element.tag, set())
        if parent is not None and empty and element.tag in PARENTS:
            parent.remove(element)
    return etree.tostring(root, method="c14n")


# The elements that a field may have needed above it, with the attributes that select them.
PARENTS: dict[str, set[str]] = {"address": set(), "boot": set()}
for mapped in mapped_classes():
    for declared in mapped.declared().values():
        for path_step in declared.steps:
            PARENTS.setdefault(path_step.tag, set()).update(filter(None, [path_step.attribute]))


@settings(max_examples=150)
@given(st.data(), st.sampled_from(DEVICE_SAMPLES))
def test_values_of_devices_come_back_and_the_rest_stays(data: st.DataObject, where: tuple[str, int]) -> None:
    text, place = sample(where[0]), where[1]
    document = DomainDocument(text)
    before = document.devices
    cls = type(before[place])
    values = data.draw(values_for(cls))
    after = document.set(before[place], values)
    for name, value in values.items():
        assert same(getattr(after, name), value), name
    assert DomainConfig.parse(document.tostring()).devices[place] == after
    assert stripped(document.tostring(), cls, place, set(values)) == stripped(text, cls, place, set(values))
    others = [device for number, device in enumerate(before) if number != place]
    assert [device for number, device in enumerate(document.devices) if number != place] == others


@settings(max_examples=100)
@given(st.data(), st.sampled_from([path.stem for path in SAMPLES]))
def test_values_of_the_domain_come_back_and_the_rest_stays(data: st.DataObject, name: str) -> None:
    text = sample(name)
    document = DomainDocument(text)
    devices = document.devices
    values = data.draw(values_for(DomainConfig).filter(lambda drawn: "metadata" not in drawn))
    after = document.set(document.config, values)
    for field, value in values.items():
        assert same(getattr(after, field), value), field
    assert DomainConfig.parse(document.tostring()) == after
    assert document.devices == devices
    assert stripped(document.tostring(), DomainConfig, None, set(values)) == stripped(
        text, DomainConfig, None, set(values)
    )


@settings(max_examples=150)
@given(st.data(), st.sampled_from(DEVICE_SAMPLES))
def test_setting_absent_fields_and_taking_them_back(data: st.DataObject, where: tuple[str, int]) -> None:
    text, place = sample(where[0]), where[1]
    document = DomainDocument(text)
    device = document.devices[place]
    untouched = document.tostring()
    values = {name: value for name, value in data.draw(values_for(type(device))).items() if _is_absent(device, name)}
    document.set(device, values)
    document.set(device, dict.fromkeys(values))
    assert document.tostring() == untouched


def _is_absent(device: Device, name: str) -> bool:
    """True when neither the field nor anything below its element is in the device, and nothing goes with it."""
    if any(name in replacement.fields for replacement in device.replacements):
        return False
    steps = [step.tag for step in device.declared()[name].steps]
    field = device.declared()[name]
    for held in device.as_dict():
        other = [step.tag for step in device.declared()[held].steps]
        if other[: len(steps)] == steps and (field.attribute is None or field.many or other == steps):
            return False
    return True
