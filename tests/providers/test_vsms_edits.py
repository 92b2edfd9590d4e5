"""Each property that can be written changes just its own part of the domain XML, whatever else stands there."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.bed.classes import class_store
from tests.providers.recorded import DOMAINS, PLATFORMS, Served, hypervisor, platform
from virtcim.libhelper.documents.domain import DomainConfig, DomainDocument, Graphics
from virtcim.libhelper.domains.change import LiveStep
from virtcim.providers.base import Element
from virtcim.providers.drafts import ValueRefusedError
from virtcim.providers.guest import ConfigurationKind, Guest
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import CIMError, EmbeddedInstance
from virtcim.providers.kinds import KINDS
from virtcim.providers.methods import MethodFailedError
from virtcim.providers.properties import Property
from virtcim.providers.Virt_RASD import ResourceSetting, settings_of
from virtcim.providers.Virt_RASD.Virt_DiskResourceAllocationSettingData import DiskSetting
from virtcim.providers.Virt_VirtualSystemManagementService.modification import (
    Edit,
    modify_resources,
    modify_system,
)
from virtcim.providers.Virt_VirtualSystemManagementService.resources import ResourceRequest
from virtcim.providers.Virt_VirtualSystemManagementService.targets import Scope, Target
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData
from virtcim.schema.classes import ClassStore

#: What is written, where it is not the opposite of a boolean or the next number: a value, or a function of the old one.
VALUES: dict[str, Any] = {
    "AccessMode": "squash",
    "AddressProperties": lambda _old: ["type", "bus"],
    "Arch": "riscv64",
    "AutoStart": 1,
    "AutomaticStartupAction": 4,
    "AutomaticRebootAction": lambda old: 2 if old != 2 else 3,
    "AutomaticRecoveryAction": lambda old: 3 if old != 3 else 123,
    "AutomaticShutdownAction": lambda old: 3 if old != 3 else 123,
    "BootDevices": lambda old: ["network", "cdrom"] if old != ["network", "cdrom"] else ["hd"],
    "BootOrder": 7,
    "CPUFeatures": ["require:vmx"],
    "ClockOffset": lambda old: 1 - (old or 0),
    "ClockAdjustment": "-7200",
    "Description": "Another & <description>",
    "DetectZeroes": "on",
    "Discard": "ignore",
    "DriverCache": "directsync",
    "DriverType": "vmdk",
    "ErrorPolicy": "report",
    "Firmware": lambda old: "bios" if old != "bios" else "efi",
    "FurtherEncryptionSecrets": ["usage=another"],
    "HostProcessors": "0-1",
    "HugePageSizes": [1048576],
    "HyperVFeatures": ["relaxed", "ipi"],
    "IOMode": "threads",
    "InitArguments": ["one", "two"],
    "KeyMap": "de",
    "LinkState": "down",
    "NUMACells": ["0:1024"],
    "NetworkMode": lambda old: {"server": "client", "client": "server"}.get(old, "private"),
    "Password": "another",
    "PinnedTo": ["0:1", "1:0-3,^2"],
    "Queues": "3",
    "Ports": "9",
    "Vectors": "5",
    "Timers": ["pit:tickpolicy=delay", "rtc:tickpolicy=catchup,track=guest,catchup_slew=7"],
    "rawio": lambda old: "no" if old == "yes" else "yes",
    "sgio": "filtered",
    "WWN": "5000c50015ea71ff",
    "ClockTimezone": "Asia/Tokyo",
    "VLANTags": [42, 43],
}
#: Identity or platform: tested one by one in other modules.
ELSEWHERE = frozenset(
    {
        "VirtualSystemIdentifier",
        "ElementName",
        "UUID",
        "VirtualSystemType",
        "DomainType",
        "IsFullVirt",
        "Address",
        "PoolID",
        "HostResource",
        "NetworkType",
        "NetworkName",
        "SourceDevice",
        "AddressValues",
        "EmulatedType",
        "ResourceSubType",
        "SourceType",
        "SourcePath",
        "BindURL",
        "ConnectURL",
        "IsIPv6Only",
        "VirtualQuantity",
        "MaxVirtualQuantity",
        "Reservation",
        "Limit",
        "SecureBoot",
        "CPUModel",
        "MountPoint",
        "CPUMode",
        "NativeVLAN",
        "NativeVLANMode",
        "FilterParameterNames",
        "FilterParameterValues",
        "GuestAddresses",
        "ListenAddresses",
        "SourceMode",
        "BackendType",
        "PeerPath",
        "Options",
    }
)
#: What may change beside the path that the property names.
BESIDE: dict[str, tuple[str, ...]] = {
    "Arch": ("devices/emulator",),
    "BootDevices": ("devices/*/boot",),
    "BootOrder": ("os/boot", "devices/*/boot"),
    "ClockTimezone": ("clock",),
    "ClockOffset": ("clock",),
    "ClockAdjustment": ("clock",),
    "ClockStart": ("clock",),
    "Timers": ("clock",),
    "Firmware": ("os",),
    "FurtherEncryptionSecrets": ("devices/disk/source/encryption", "devices/disk/encryption"),
    "FirmwareLoader": ("os/loader", "os/nvram"),
    "FirmwareLoaderType": ("os/loader",),
    "HyperVFeatures": ("features",),
    "NUMACells": ("cpu/numa",),
    "AccessMode": ("devices/filesystem/@fmode", "devices/filesystem/@dmode"),
    "ReservationsSocket": ("devices/disk/source/reservations",),
    "HugePageSizes": ("memoryBacking/hugepages",),
    "AddressProperties": ("devices/*/address",),
    "CPUSockets": ("cpu", "vcpu", "vcpus"),
    "CPUDies": ("cpu", "vcpu", "vcpus"),
    "CPUCores": ("cpu", "vcpu", "vcpus"),
    "CPUThreads": ("cpu", "vcpu", "vcpus"),
    "HugePages": ("memoryBacking",),
    "BusType": tuple(
        f"devices/{path}"
        for path in ("*/address", "*/driver", "*/@model", "disk/vendor", "disk/product", "disk/target")
    ),
    "TargetType": ("devices/*/address", "devices/*/target"),
    "VSIType": ("devices/interface/virtualport/parameters",),
    "NUMANodes": ("numatune/memory",),
    "UserName": ("devices/*/auth", "devices/*/source/auth"),
    "EncryptionFormat": ("devices/disk/encryption", "devices/disk/source/encryption"),
    "ReconnectTimeout": ("devices/disk/source/reconnect",),
    "Model": tuple(
        f"devices/controller/{path}"
        for path in ("@ports", "@vectors", "model", "driver", "master", "target", "pcihole64", "address")
    ),
    "LogFile": ("devices/console/log", "devices/serial/log"),
    "DriverType": (
        *(f"devices/disk/{path}" for path in ("backingStore", "source/dataStore", "driver/metadata_cache")),
        "devices/disk/driver/@discard_no_unref",
        "devices/filesystem",
    ),
    "MaxMemory": ("maxMemory",),
    "VLANTags": ("devices/interface/vlan",),
    "MemorySlots": ("maxMemory",),
}

FILES = sorted(DOMAINS.glob("*.xml"))


@dataclass
class Change:
    """The part of a change of a domain that the edits see: its documents."""

    defined: DomainDocument | None
    live: DomainDocument | None = None
    steps: list[LiveStep] | None = None
    checks: list[Callable[[DomainConfig], None]] = field(default_factory=list)
    live_checks: list[Callable[[DomainConfig], None]] = field(default_factory=list)
    autostart: bool | None = None
    name: str | None = None


def served_file(text: str) -> tuple[Served, Guest]:
    root = etree.fromstring(text.encode())
    prefix = {"kvm": "KVM", "qemu": "KVM", "lxc": "LXC", "xen": "Xen", "test": "Test"}[str(root.get("type"))]
    host = hypervisor(prefix)
    host.put(text)
    host.put_pool("guests", "/srv/guests", [("top.qcow2", 1 << 30)])
    served = Served([(platform(prefix), host)])
    (guest,) = all_guests(served.site, platform(prefix))
    return served, guest


def edit_of(guest: Guest, text: str) -> Edit:
    return Edit(guest, Change(DomainDocument(text), steps=[]), Scope.DEFINED)  # type: ignore[arg-type]


def write(guest: Guest, text: str, element: Element, values: dict[str, Any]) -> str:
    """The domain XML after a client changed these properties of an instance."""
    edit = edit_of(guest, text)
    if isinstance(element, ResourceSetting):
        given_ = {"InstanceID": element.instance_id, **values}
        wanted = ResourceRequest(EmbeddedInstance(element.class_name, given_), guest.platform.prefix, KINDS)
        modify_resources(edit, [(Target(guest, ConfigurationKind.STATE, element.entry.identifier), wanted)])
    else:
        modify_system(edit, values)
    assert edit.change.defined is not None
    return edit.change.defined.tostring()


def parts(text: str) -> Counter[str]:
    """Every element, attribute and text of a document with its path; elements are told apart by what they hold."""
    found: Counter[str] = Counter()

    def walk(element: etree._Element, path: str) -> None:
        for name, value in element.items():
            found[f"{path}/@{name!s}={value!r}"] += 1
        found[f"{path}={(element.text or '').strip()}"] += 1
        for child in element:
            if isinstance(child, etree._Comment | etree._ProcessingInstruction):
                found[f"{path}/#{child.text}"] += 1
            else:
                walk(child, f"{path}/{etree.QName(child).localname if '}' in child.tag else child.tag}".lstrip("/"))

    walk(etree.fromstring(text.encode()), "")
    return found


def differing(before: str, after: str) -> set[str]:
    """The paths of what is in one of the documents and not in the other."""
    one, other = parts(before), parts(after)
    return {entry.partition("=")[0] for entry in (one - other) | (other - one)}


def allowed(declared: Property[Any]) -> list[list[str]]:
    """Where a property may change the document: the paths that its source names, and what stands beside."""
    named = re.findall(r"[\w*@-]+(?:/[\w*@-]+)*", declared.source.partition("domain XML ")[2])
    return [path.split("/") for path in (*named, *BESIDE.get(declared.name, ()))]


def is_allowed(path: str, patterns: list[list[str]]) -> bool:
    """Whether a path is one of those, or below one, or the element above one, which comes and goes with it."""
    steps = path.split("/")
    return any(
        all(step in (wanted, "*") or wanted in (step, "*") for step, wanted in zip(steps, pattern, strict=False))
        for pattern in patterns
    )


@cache
def declared_classes() -> ClassStore:
    return class_store(PLATFORMS.prefixes)


def new_value(element: Element, name: str, old: Any) -> Any:
    """A value that the property does not have, of the type that its class declares."""
    made = VALUES.get(name)
    if callable(made):
        return made(old)
    if made is not None:
        return made if made != old else "" if isinstance(made, str) else made
    declared = declared_classes()[element.class_name].properties[name.lower()]
    if declared.type == "boolean":
        return not old
    new = (old or 1) + 1 if "int" in declared.type and not declared.is_array else "another"
    return [new] if declared.is_array else new


def writable(element: Element) -> Iterator[Property[Any]]:
    for declared in element.table.values():
        if declared.writable and declared.name not in ELSEWHERE:
            yield declared


def instances_of(guest: Guest) -> list[Element]:
    state = guest.state
    assert state is not None
    return [VirtualSystemSettingData(state), *settings_of(state)]


written: set[tuple[str, str]] = set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_property_changes_its_own_part_only(file: Any) -> None:
    text = file.read_text()
    _, guest = served_file(text)
    for element in instances_of(guest):
        now = element.properties()
        for declared in writable(element):
            old = now.get(declared.name)
            value = new_value(element, declared.name, old)
            values = {declared.name: value}
            if declared.name == "AddressProperties":
                values["AddressValues"] = ["pci", "0x05"]
            try:
                after = write(guest, text, element, values)
            except (ValueRefusedError, MethodFailedError, CIMError):
                assert old is None or declared.name in ("KeyMap", "Password", "ClockTimezone", "AccessMode"), declared
                continue
            written.add((element.base, declared.name))
            patterns = allowed(declared)
            for path in differing(text, after):
                assert is_allowed(path, patterns), (declared.name, value, path)


def test_every_writable_property_was_written(corpus: Served) -> None:
    """Of those that are not tested elsewhere."""
    for prefix in ("KVM", "LXC", "Xen"):
        for guest in all_guests(corpus.site, platform(prefix)):
            for element in instances_of(guest):
                missing = {declared.name for declared in writable(element)} - {
                    name for base, name in written if base == element.base
                }
                assert not missing, (element.base, missing)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_sent_back_changes_nothing(file: Any) -> None:
    """A client that gets an instance and sends it back as it is changes no byte."""
    text = file.read_text()
    _, guest = served_file(text)
    before = DomainDocument(text).tostring()
    for element in instances_of(guest):
        assert write(guest, text, element, dict(element.properties())) == before
        nulls = dict.fromkeys(element.table)
        assert (
            write(guest, text, element, {name: value for name, value in nulls.items() if value is not None}) == before
        )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_image_under_another_name_changes_nothing(file: Any) -> None:
    """By the path, the name of the pool and the volume, or the URL, the image is the one that the guest has."""
    text = file.read_text()
    _, guest = served_file(text)
    before = DomainDocument(text).tostring()
    for element in instances_of(guest):
        now = element.properties()
        path = now.get("Address") if isinstance(element, DiskSetting) else None
        if not isinstance(path, str) or not path.startswith("/"):
            continue
        names: list[dict[str, Any]] = [{"Address": path}, {"HostResource": [f"file://{path}"]}]
        if path == "/srv/guests/top.qcow2":
            names.append({"Address": "guests/top.qcow2"})
        for values in names:
            assert write(guest, text, element, values) == before, values


@settings(max_examples=60)
@given(file=st.sampled_from(FILES), seed=st.integers(0, 2**32))
def test_any_sequence_of_changes_leaves_the_rest(file: Any, seed: int) -> None:
    """Comments, unknown elements, foreign namespaces and other devices survive any number of changes."""
    text = file.read_text()
    chooser = random.Random(seed)
    current = text
    touched: list[list[str]] = []
    for _ in range(chooser.randint(1, 6)):
        _, guest = served_file(current)
        element = chooser.choice(instances_of(guest))
        properties = list(writable(element))
        if not properties:
            continue
        declared = chooser.choice(properties)
        value = new_value(element, declared.name, element.properties().get(declared.name))
        try:
            current = write(guest, current, element, {declared.name: value})
        except (ValueRefusedError, MethodFailedError, CIMError, ValueError):
            continue
        touched += allowed(declared)
    for path in differing(text, current):
        assert is_allowed(path, touched), path


def test_a_password_that_comes_back_hidden_stays() -> None:
    text = (DOMAINS / "kvm-running.xml").read_text()
    _, guest = served_file(text)
    state = guest.state
    assert state is not None
    display = next(each for each in settings_of(state) if isinstance(each.device, Graphics) and each.device.passwd_set)
    assert write(guest, text, display, {"Password": "********"}) == DomainDocument(text).tostring()
    assert 'passwd="new"' in write(guest, text, display, {"Password": "new"}).replace("'", '"')


def commented(root: etree._Element, chooser: random.Random) -> None:
    """A comment before and in every element."""
    for element in list(root.iter("*")):
        if len(element):
            element.insert(chooser.randrange(len(element) + 1), etree.Comment(f" {chooser.random()} "))


def spaced(root: etree._Element, chooser: random.Random) -> None:
    """White space of every sort between elements."""
    for element in root.iter("*"):
        if element is not root and not (element.tail or "").strip():
            element.tail = chooser.choice(["", " ", "\n", "\n\t\t", "\n\n      ", "  \t "])
        if len(element) and not (element.text or "").strip():
            element.text = chooser.choice(["", "\n", "\t", "\n          "])


def foreign(root: etree._Element, chooser: random.Random) -> None:
    """Elements of a foreign namespace, and with names that nobody knows."""
    for element in list(root.iter("*")):
        if len(element):
            made = etree.Element(chooser.choice(["{urn:foreign}thing", "unheardOf"]), kept="yes")
            made.text = "text"
            element.insert(chooser.randrange(len(element) + 1), made)


def attributed(root: etree._Element, chooser: random.Random) -> None:
    """Attributes that nobody knows."""
    for element in root.iter("*"):
        element.set(chooser.choice(["unheardOf", "{urn:foreign}kept"]), "yes")


def shuffled(root: etree._Element, chooser: random.Random) -> None:
    """Children in another order than libvirt's, the devices as they were among themselves."""
    children = list(root)
    chooser.shuffle(children)
    root[:] = children


def wordy(root: etree._Element, chooser: random.Random) -> None:
    """Sizes in other units, names with letters of every sort."""
    for name in ("title", "description"):
        for element in root.iter(name):
            element.text = "ümläut & <日本語> ]]>"
    for element in root.iter("memory", "currentMemory"):
        if element.getparent() is root and (element.text or "").isdecimal() and element.get("unit", "KiB") == "KiB":
            element.text, unit = str(int(element.text or "0") * 1024), chooser.choice(["b", "bytes"])
            element.set("unit", unit)


def instructed(root: etree._Element, chooser: random.Random) -> None:
    """Processing instructions, before the document and in it."""
    root.addprevious(etree.ProcessingInstruction("before", "the document"))
    for element in list(root.iter("*"))[:: chooser.randint(2, 4)]:
        if len(element):
            element.insert(0, etree.ProcessingInstruction("kept", "yes"))


def everything_odd(root: etree._Element, chooser: random.Random) -> None:
    for change in (foreign, attributed, commented, spaced, wordy):
        change(root, chooser)


ODD = (commented, spaced, foreign, attributed, shuffled, wordy, instructed, everything_odd)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.__name__)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_odd_documents_keep_their_oddities(file: Any, odd: Any) -> None:
    """Some property of each instance of every sample, in each of the odd forms that a document can have."""
    chooser = random.Random(f"{file.stem} {odd.__name__}")
    root = etree.fromstring(file.read_bytes())
    odd(root, chooser)
    text = etree.tostring(root.getroottree(), encoding="unicode")
    _, guest = served_file(text)
    instances = instances_of(guest)
    for element in chooser.sample(instances, min(4, len(instances))):
        for declared in chooser.sample(list(writable(element)), 3) if len(list(writable(element))) > 3 else ():
            value = new_value(element, declared.name, element.properties().get(declared.name))
            try:
                after = write(guest, text, element, {declared.name: value})
            except (ValueRefusedError, MethodFailedError, CIMError):
                continue
            for path in differing(text, after):
                assert is_allowed(path, allowed(declared)), (declared.name, value, path)


def test_there_are_two_hundred_documents() -> None:
    assert len(FILES) * len(ODD) >= 200
