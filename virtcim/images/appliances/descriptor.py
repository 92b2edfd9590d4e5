"""The descriptor of an appliance: its XML, held against what OVF says of it (DSP0243 1.1 and 2.1).

OVF 0.9, which the DMTF was handed by vendors, and drafts of OVF 1 name their parts by `xsi:type`; these are read as far
as they say the same.

Layer rule: imports `description`, `errors` and `units` of this package, and `libhelper.xml.text`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection as Names
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from lxml import etree

from virtcim.images.appliances.description import (
    Appliance,
    Collection,
    DeploymentOption,
    Disk,
    File,
    Hardware,
    Item,
    Network,
    OperatingSystem,
    Product,
    Property,
    StartupItem,
    System,
    numbered,
    parts_of,
)
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.units import bytes_per_unit
from virtcim.libhelper.xml.text import NotWellFormedError, parse_xml

__all__ = ["NAMESPACES", "read_descriptor"]

NAMESPACES = {
    "http://schemas.dmtf.org/ovf/envelope/1": "1",
    "http://schemas.dmtf.org/ovf/envelope/2": "2",
    "http://www.vmware.com/schema/ovf/1/envelope": "0.9",
}
"""The version of OVF by the namespace of its envelope."""

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TYPE_SUFFIX = "_Type"
_SYSTEM, _COLLECTION = "VirtualSystem", "VirtualSystemCollection"
_LEFT_OUT = {_COLLECTION: frozenset({"ResourceAllocationSection"}), _SYSTEM: frozenset({"InstallSection"})}
"""Sections that are understood, and of which nothing can be taken over, by where they stand."""
_VMWARE = "http://www.vmware.com/schema/ovf"
_WHERE = frozenset({
    "BootOrderSection", "CpuCompatibilitySection", "IpAssignmentSection", "StorageGroupSection", "StorageSection",
    "TagBasedPlacementGroupSection", "TagBasedPlacementSection", "VirtualDeviceGroupSection",
})  # fmt: skip
"""VMware's sections that say where and how a vCenter is to place things, not what the guest is; few mark them."""
_BEFORE_OVF = "http://www.vmware.com/schema/ovf/1/envelope"
"""The namespace of OVF 0.9, whose sections may do without an Info."""
_INFO = "Info"
_SCALE_OUT, _INSTANCE_COUNT = "ScaleOutSection", "InstanceCount"
_OVF_2 = "http://schemas.dmtf.org/ovf/envelope/2"
_ALSO_IN_1 = frozenset({_SCALE_OUT, _INSTANCE_COUNT})
"""What OVF 2 has brought, and tools put into an envelope of OVF 1 under its own namespace."""
_MOST_PARENTS = 32
"""Disks that one may hold differences to, over each other: as many snapshots as VMware's hypervisors have of a disk."""
_MOST_PARTS = 1000
"""Systems and collections of an appliance, replicas among them."""
_VENDOR_CONFIG = frozenset({"Config", "ExtraConfig"})
_VENDOR_VALUES = frozenset({"CoresPerSocket", "StorageGroup"})
_SETTING_DATA = re.compile(r".*CIM_[A-Za-z]+SettingData(\.xsd)?")
"""The namespaces of the values of an item: each class of CIM has one."""
_VALUES = frozenset({
    "Address", "AddressOnParent", "AllocationUnits", "AutomaticAllocation", "AutomaticDeallocation", "Caption",
    "ConfigurationName", "Connection", "ConsumerVisibility", "Description", "ElementName", "HostResource", "InstanceID",
    "Limit", "MappingBehavior", "OtherResourceType", "Parent", "PoolID", "Reservation", "ResourceSubType",
    "ResourceType", "VirtualQuantity", "VirtualQuantityUnits", "Weight",
})  # fmt: skip
"""The values of an item that are known to say something of it: CIM_ResourceAllocationSettingData has them.  Few items
say that they need a certain one, and further ones of later versions of that class are passed over."""
_TRUE, _FALSE = ("true", "1"), ("false", "0")
Key = TypeVar("Key")
Value = TypeVar("Value")

_TYPES = re.compile(
    r"(u?int(8|16|32|64)?|sint(8|16|32|64)|string|boolean|real(32|64)?|char16|datetime|password|ip(:.*)?)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"(?:ovf:/{1,2}|/)?(disk|file)/(.+)")
_PROPERTY = re.compile(r"\$\{[^{}]+\}")
_NUMBER = re.compile(r"[0-9]{1,20}")
_MOST = 2**64 - 1
"""The largest number that the schema has (`xs:unsignedLong`)."""
_NUMBERS = ("VirtualQuantity", "Reservation", "Limit", "Weight")
_BOUNDS = frozenset({"normal", "min", "max"})


def read_descriptor(text: bytes, *, without: Names[str] = ()) -> Appliance:
    """Read a descriptor.

    Parameters:
        text: XML in UTF-8.
        without: names of sections that are left out though the appliance says that it needs them; `Info` for what every
            section has to have once.

    Raises:
        ApplianceError: it is no descriptor, contradicts itself, or needs what is not understood.
    """
    try:
        root = parse_xml(text)
    except NotWellFormedError as error:
        raise ApplianceError(f"descriptor: {error}; expected XML") from None
    tag = etree.QName(root)
    version = NAMESPACES.get(tag.namespace or "")
    if tag.localname != "Envelope" or version is None:
        raise ApplianceError(f"descriptor: is a {root.tag[:120]!r}; expected the Envelope of OVF 1 or 2")
    return _Reader(root, version, frozenset(without)).read()


class _Reader:
    """Reads one descriptor."""

    def __init__(self, root: etree._Element, version: str, without: frozenset[str]) -> None:
        self._root, self._version, self._without = root, version, without
        self._warnings: list[str] = []
        self._messages = self._read_messages()
        self._files: dict[str, File] = {}
        self._disks: dict[str, Disk] = {}
        self._networks: dict[str, Network] = {}
        self._options: dict[str, DeploymentOption] = {}
        self._ids: set[str] = set()
        self._part_count = 0

    def read(self) -> Appliance:
        """Read the whole."""
        self._check_form()
        sections: dict[str, list[etree._Element]] = {}
        contents = []
        known = {"References", "DiskSection", "NetworkSection", "DeploymentOptionSection", "EulaSection"}
        for child, name in self._children(self._root):
            if name in (_SYSTEM, _COLLECTION):
                contents.append((child, name))
            elif name in known:
                sections.setdefault(name, []).append(child)
            elif name != "Strings":
                self._leave_out(child, name, "descriptor")
        self._read_references(sections.get("References", ()))
        for section in sections.get("DeploymentOptionSection", ()):
            self._read_options(section)
        for section in sections.get("DiskSection", ()):
            self._read_disks(section)
        for section in sections.get("NetworkSection", ()):
            self._read_networks(section)
        if len(contents) != 1:
            raise ApplianceError(f"descriptor: has {len(contents)} systems or collections; expected one")
        ((element, name),) = contents
        return Appliance(
            version=self._version,
            content=self._read_part(element, name),
            files=self._files,
            disks=self._disks,
            networks=self._networks,
            options=self._options,
            licences=self._licences(sections.get("EulaSection", ())),
            warnings=tuple(dict.fromkeys(self._warnings)),
        )

    def _check_form(self) -> None:
        """See that every system and section says what it is about (DSP0243, 7.1); tools write some that do not.

        Raises:
            ApplianceError: one says it twice.
        """
        own = etree.QName(self._root).namespace
        for element in self._root.iter(f"{{{own}}}*") if own != _BEFORE_OVF else ():
            kind = self._kind(element)
            if not kind.endswith("Section") and kind not in (_SYSTEM, _COLLECTION):
                continue
            count = sum(name == _INFO for _, name in self._children(element))
            if _INFO in self._without:
                continue
            if count > 1:
                raise ApplianceError(f"{kind}: has {count} Info; expected one, or to be read without Info")
            if not count:
                self._warnings.append(f"{kind}: has no Info")

    def _read_references(self, sections: Iterable[etree._Element]) -> None:
        hrefs = Counter[str]()
        for child in self._all(sections, "File"):
            file = File(
                id=self._needed(child, "id", "file"),
                href=self._needed(child, "href", "file"),
                size=self._size(child, "size"),
                compression=self._attribute(child, "compression") or "identity",
                chunk_size=self._size(child, "chunkSize"),
            )
            _put(self._files, file.id, file, "file")
            hrefs[file.href] += 1
            if file.compression not in ("identity", "gzip"):
                raise ApplianceError(f"file {file.id!r}: has compression {file.compression!r}; expected gzip")
            if file.chunk_size == 0:
                raise ApplianceError(f"file {file.id!r}: has a chunkSize of 0; expected more")
        twice = [href for href, count in hrefs.items() if count > 1]
        if twice:
            raise ApplianceError(f"file {twice[0]!r}: is referred to twice; expected each file once")

    def _read_options(self, section: etree._Element) -> None:
        for child in self._all([section], "Configuration"):
            option = DeploymentOption(
                id=self._needed(child, "id", "deployment option"),
                label=self._text(child, "Label"),
                description=self._text(child, "Description"),
                is_default=self._is(child, "default", otherwise=False),
            )
            _put(self._options, option.id, option, "deployment option")
        if sum(option.is_default for option in self._options.values()) > 1:
            raise ApplianceError("deployment options: several are the default; expected one")

    def _read_disks(self, section: etree._Element) -> None:
        for child, name in self._children(section):
            if name == "Disk":
                self._read_disk(child)
            elif name != "Info":
                self._leave_out(child, name, "DiskSection")
        for disk in self._disks.values():
            self._check_parents(disk)

    def _check_parents(self, disk: Disk) -> None:
        """See that the parents of a disk are there, and come to an end.

        Raises:
            ApplianceError: they are not, or do not.
        """
        current = disk
        for _ in range(_MOST_PARENTS):
            if not current.parent:
                return
            if current.parent not in self._disks:
                raise ApplianceError(
                    f"disk {current.id!r}: has the parent {current.parent!r}; expected the id of a disk"
                )
            current = self._disks[current.parent]
        raise ApplianceError(f"disk {disk.id!r}: has more than {_MOST_PARENTS} parents, or is its own; expected fewer")

    def _read_disk(self, element: etree._Element) -> None:
        id_ = self._needed(element, "diskId", "disk")
        capacity = self._needed(element, "capacity", f"disk {id_!r}")
        if not _is_number(capacity) and not _PROPERTY.fullmatch(capacity):
            raise ApplianceError(f"disk {id_!r}: has a capacity of {capacity[:80]!r}; expected a number")
        if _is_number(capacity) and not int(capacity):
            raise ApplianceError(f"disk {id_!r}: has a capacity of 0; expected more")
        disk = Disk(
            id=id_,
            capacity=capacity,
            unit=bytes_per_unit(self._attribute(element, "capacityAllocationUnits") or ""),
            file=self._attribute(element, "fileRef") or "",
            format=self._attribute(element, "format") or "",
            parent=self._attribute(element, "parentRef") or "",
        )
        populated = self._size(element, "populatedSize")
        if populated is not None and _is_number(capacity) and populated > int(capacity) * disk.unit:
            size = f"{int(capacity) * disk.unit} bytes"
            raise ApplianceError(
                f"disk {id_!r}: has {populated} bytes populated; expected at most its capacity, {size}"
            )
        if disk.file and disk.file not in self._files:
            raise ApplianceError(f"disk {id_!r}: is in the file {disk.file!r}; expected the id of a file")
        _put(self._disks, id_, disk, "disk")

    def _read_networks(self, section: etree._Element) -> None:
        for child in self._all([section], "Network"):
            network = Network(self._needed(child, "name", "network"), self._text(child, "Description"))
            _put(self._networks, network.name, network, "network")

    def _read_part(self, element: etree._Element, name: str) -> System | Collection:
        return self._read_collection(element) if name == _COLLECTION else self._read_system(element)

    def _read_collection(self, element: etree._Element) -> Collection:
        id_ = self._id_of(element)
        members: list[System | Collection] = []
        startup: list[StartupItem] = []
        scales: list[etree._Element] = []
        sections: dict[str, list[etree._Element]] = {}
        for child, name in self._children(element):
            if name in (_SYSTEM, _COLLECTION):
                members.append(self._read_part(child, name))
            elif name == _SCALE_OUT:
                scales.append(child)
            elif name == "StartupSection":
                startup += [self._startup_item(item) for item in self._all([child], "Item")]
            else:
                self._sort(sections, child, name, f"collection {id_!r}", _LEFT_OUT[_COLLECTION])
        ids = {member.id for member in members}
        twice = [id_ for id_, count in Counter(item.id for item in startup).items() if count > 1]
        if twice:
            raise ApplianceError(f"collection {id_!r}: starts {twice[0]!r} twice; expected each member once")
        for item in startup:
            if item.id not in ids:
                raise ApplianceError(f"collection {id_!r}: starts {item.id!r}; expected the id of a member")
        for scale in scales:
            self._scale_out(scale, members, startup, f"collection {id_!r}")
        return Collection(
            id=id_,
            name=self._text(element, "Name"),
            info=self._text(element, "Info"),
            annotation=self._annotation(sections),
            products=self._products(sections),
            licences=self._licences(sections.get("EulaSection", ())),
            startup=tuple(startup),
            members=tuple(members),
        )

    def _scale_out(
        self, section: etree._Element, members: list[System | Collection], startup: list[StartupItem], context: str
    ) -> None:
        """Put as many replicas in the place of a member as its section says by default (DSP0243 2.1, ScaleOutSection).

        Raises:
            ApplianceError: it names no member, or says no number of replicas that can be.
        """
        id_ = self._needed(section, "id", _SCALE_OUT)
        place = next((place for place, member in enumerate(members) if member.id == id_), None)
        count = next(self._all([section], _INSTANCE_COUNT), None)
        if place is None or count is None:
            raise ApplianceError(f"{context}: replicates {id_!r}; expected the id of a member and an {_INSTANCE_COUNT}")
        least, most = self._size(count, "minimum"), self._size(count, "maximum")
        wanted = self._size(count, "default")
        wanted = max(1, least or 0) if wanted is None else wanted
        least, most = least or 0, _MOST if most is None else most
        if not least <= wanted <= most:
            raise ApplianceError(f"{context}: has {wanted} replicas of {id_!r}; expected {least} to {most}")
        prototype = members[place]
        self._count_parts(
            (wanted - 1) * len(list(parts_of(prototype))), f"{context}: with {wanted} replicas of {id_!r}"
        )
        numbers = range(1, wanted + 1)
        members[place : place + 1] = [numbered(prototype, number) for number in numbers]
        for item in [item for item in startup if item.id == id_]:
            index = startup.index(item)
            startup[index : index + 1] = [replace(item, id=f"{id_}-{number}") for number in numbers]
        self._warnings.append(f"{context}: has {wanted} replicas of {id_!r}, as it says by default")

    def _startup_item(self, element: etree._Element) -> StartupItem:
        return StartupItem(
            id=self._needed(element, "id", "startup item"),
            order=self._size(element, "order") or 0,
            delay=self._size(element, "startDelay") or 0,
            action=self._attribute(element, "startAction") or "powerOn",
            waits=self._is(element, "waitingForGuest", otherwise=False),
        )

    def _read_system(self, element: etree._Element) -> System:
        id_ = self._id_of(element)
        context = f"system {id_!r}"
        hardware: list[Hardware] = []
        systems: list[OperatingSystem] = []
        sections: dict[str, list[etree._Element]] = {}
        for child, name in self._children(element):
            if name == "VirtualHardwareSection":
                hardware.append(self._read_hardware(child, context))
            elif name == "OperatingSystemSection":
                systems.append(self._operating_system(child))
            else:
                self._sort(sections, child, name, context, _LEFT_OUT[_SYSTEM])
        if len(systems) > 1:
            raise ApplianceError(f"{context}: has {len(systems)} operating systems; expected one")
        return System(
            id=id_,
            name=self._text(element, "Name"),
            info=self._text(element, "Info"),
            annotation=self._annotation(sections),
            system=next(iter(systems), OperatingSystem()),
            hardware=tuple(hardware),
            products=self._products(sections),
            licences=self._licences(sections.get("EulaSection", ())),
        )

    def _operating_system(self, element: etree._Element) -> OperatingSystem:
        vendor = (value for key, value in element.attrib.items() if etree.QName(key).localname == "osType")
        return OperatingSystem(
            id=self._os_type(element),
            version=self._attribute(element, "version") or "",
            description=self._text(element, "Description"),
            word=str(next(vendor, "")),
        )

    def _os_type(self, element: etree._Element) -> int:
        """The number of an operating system; 0, unknown, for what is none, as appliances that are in use have."""
        text = self._attribute(element, "id") or "0"
        if _is_number(text):
            return int(text)
        self._warnings.append(f"operating system {text[:80]!r}: is not known")
        return 0

    def _read_hardware(self, section: etree._Element, context: str) -> Hardware:
        kinds: tuple[str, ...] = ()
        items: list[Item] = []
        config: dict[str, str] = {}
        for child, name in self._children(section):
            if name == "System":
                kinds = tuple(filter(None, re.split(r"[\s,]+", self._value(child, "VirtualSystemType"))))
            elif name in ("Item", "StorageItem", "EthernetPortItem"):
                items.append(self._read_item(child, context))
            elif name in _VENDOR_CONFIG:
                self._note_config(config, child)
            elif name != "Info":
                self._leave_out(child, name, context)
        self._check_items(items, context)
        transports = (self._attribute(section, "transport") or "").split()
        return Hardware(kinds, tuple(items), tuple(transports), config)

    def _note_config(self, config: dict[str, str], element: etree._Element) -> None:
        """Take what a vendor adds: a key and a value, in attributes of its own."""
        told = {etree.QName(key).localname: str(value) for key, value in element.attrib.items()}
        if "key" in told:
            config[told["key"]] = told.get("value", "")

    def _read_item(self, element: etree._Element, context: str) -> Item:
        values: dict[str, list[str]] = {}
        config: dict[str, str] = {}
        for child, _ in self._children(element):
            name = etree.QName(child).localname
            if name in _VENDOR_CONFIG:
                self._note_config(config, child)
            elif not self._is_value(child, name):
                self._leave_out(child, name, context)
            else:
                values.setdefault(_new_name(name), []).append((child.text or "").strip())
        configurations = tuple((self._attribute(element, "configuration") or "").split())
        unknown = [each for each in configurations if each not in self._options]
        if unknown:
            raise ApplianceError(f"{context}: an item is of {unknown[0]!r}; expected the id of a deployment option")
        bound = self._attribute(element, "bound") or "normal"
        if bound not in _BOUNDS:
            raise ApplianceError(f"{context}: an item has the bound {bound[:80]!r}; expected normal, min or max")
        return Item(
            values={name: tuple(texts) for name, texts in values.items()},
            configurations=configurations,
            bound=bound,
            is_required=self._is(element, "required", otherwise=True),
            config=config,
        )

    def _is_value(self, element: etree._Element, name: str) -> bool:
        """Whether an element is a value of an item, and one that is known where the item needs it."""
        if name in _VENDOR_VALUES:
            return True
        is_needed = self._is(element, "required", otherwise=False)
        is_of_cim = _SETTING_DATA.fullmatch(etree.QName(element).namespace or "") is not None
        return is_of_cim and (_new_name(name) in _VALUES or not is_needed)

    def _check_items(self, items: list[Item], context: str) -> None:
        ids = {item.text("InstanceID") for item in items}
        normal = {item.text("InstanceID") for item in items if item.bound == "normal"}
        seen = set()
        for item in items:
            id_, kind = item.text("InstanceID"), item.text("ResourceType")
            where = f"{context}: item {id_[:80]!r}"
            if not id_:
                raise ApplianceError(f"{context}: an item has no InstanceID; expected one")
            if not _is_number(kind):
                raise ApplianceError(f"{where}: is of the type {kind[:80]!r}; expected a number")
            key = (id_, item.configurations, item.bound)
            if key in seen:
                raise ApplianceError(f"{where}: is there twice; expected an InstanceID of its own")
            seen.add(key)
            if id_ not in normal:
                raise ApplianceError(f"{where}: has a {item.bound} alone; expected what it is normally, too")
            for name in _NUMBERS:
                if item.text(name) and not _is_number(item.text(name)):
                    raise ApplianceError(f"{where}: has the {name} {item.text(name)[:80]!r}; expected a number")
            parent = item.text("Parent")
            if parent and parent not in ids:
                raise ApplianceError(f"{where}: is attached to {parent[:80]!r}; expected the InstanceID of an item")
            for source in item.values.get("HostResource", ()):
                self._check_source(source, where)
            for network in item.values.get("Connection", ()):
                if network and network not in self._networks:
                    raise ApplianceError(f"{where}: is connected to {network[:80]!r}; expected the name of a network")

    def _check_source(self, source: str, where: str) -> None:
        match = _REFERENCE.fullmatch(source)
        if match is None:
            return
        known = self._disks if match[1] == "disk" else self._files
        if match[2] not in known:
            raise ApplianceError(f"{where}: has the {match[1]} {match[2][:80]!r}; expected the id of one")

    def _sort(
        self,
        sections: dict[str, list[etree._Element]],
        child: etree._Element,
        name: str,
        context: str,
        left_out: frozenset[str],
    ) -> None:
        if name in ("ProductSection", "EulaSection", "AnnotationSection"):
            sections.setdefault(name, []).append(child)
        elif name in left_out:
            self._warnings.append(f"{context}: {name} is left out")
        elif name not in ("Info", "Name"):
            self._leave_out(child, name, context)

    def _annotation(self, sections: Mapping[str, list[etree._Element]]) -> str:
        texts = (self._text(section, "Annotation") for section in sections.get("AnnotationSection", ()))
        return "\n".join(text for text in texts if text)

    def _licences(self, sections: Iterable[etree._Element]) -> tuple[str, ...]:
        return tuple(filter(None, (self._text(section, "License") for section in sections)))

    def _products(self, sections: Mapping[str, list[etree._Element]]) -> tuple[Product, ...]:
        found: dict[tuple[str, str], Product] = {}
        for section in sections.get("ProductSection", ()):
            product = self._product(section)
            _put(found, (product.class_name, product.instance), product, "product")
        return tuple(found.values())

    def _product(self, section: etree._Element) -> Product:
        class_name, instance = (self._attribute(section, name) or "" for name in ("class", "instance"))
        properties: dict[str, Property] = {}
        for child, name in self._children(section):
            if name == "Property":
                read = self._property(child, class_name, instance)
                _put(properties, read.key, read, "property")
        return Product(
            class_name=class_name,
            instance=instance,
            name=self._text(section, "Product"),
            vendor=self._text(section, "Vendor"),
            version=self._text(section, "Version") or self._text(section, "FullVersion"),
            properties=tuple(properties.values()),
        )

    def _property(self, element: etree._Element, class_name: str, instance: str) -> Property:
        key = self._needed(element, "key", "property")
        if "." in key or ":" in key:
            # What the makers of well-known appliances do nevertheless (DSP0243, 9.5.1).
            self._warnings.append(f"property {key[:80]!r}: has a key with a dot or a colon")
        kind = self._needed(element, "type", f"property {key!r}")
        if not _TYPES.fullmatch(kind.partition("(")[0]):
            raise ApplianceError(f"property {key!r}: is of the type {kind[:80]!r}; expected one of CIM")
        values = {}
        for child in self._all([element], "Value"):
            option = self._attribute(child, "configuration")
            value = self._attribute(child, "value") or ""
            if option is not None and option not in self._options:
                raise ApplianceError(f"property {key!r}: has a value for {option!r}; expected a deployment option")
            if option in values:
                raise ApplianceError(f"property {key!r}: has two values for one configuration; expected one")
            values[option] = value
        return Property(
            key=".".join(filter(None, (class_name, key, instance))),
            type=kind,
            qualifiers=self._attribute(element, "qualifiers") or "",
            value=self._attribute(element, "value") if None not in values else values[None],
            values={option: value for option, value in values.items() if option is not None},
            label=self._text(element, "Label"),
            description=self._text(element, "Description"),
            is_configurable=self._is(element, "userConfigurable", otherwise=False),
            is_password=self._is(element, "password", otherwise=False),
        )

    def _leave_out(self, element: etree._Element, name: str, context: str) -> None:
        """Leave out what is not understood.

        Raises:
            ApplianceError: the appliance needs it.
        """
        tag = etree.QName(element)
        where = tag.namespace == _VMWARE and tag.localname in _WHERE
        if self._is(element, "required", otherwise=True) and not where and tag.localname not in self._without:
            raise ApplianceError(f"{context}: needs {name[:160]!r}, which is not understood; expected what OVF has")
        self._warnings.append(f"{context}: {name[:160]} is left out")

    def _count_parts(self, more: int, context: str) -> None:
        """Count further systems and collections: what is made of each takes time and memory.

        Raises:
            ApplianceError: there are too many.
        """
        self._part_count += more
        if self._part_count > _MOST_PARTS:
            raise ApplianceError(
                f"{context}: has {self._part_count} systems and collections; expected no more than {_MOST_PARTS}"
            )

    def _id_of(self, element: etree._Element) -> str:
        """The id of a system or collection, which nothing else in the descriptor has."""
        self._count_parts(1, "descriptor")
        id_ = self._needed(element, "id", "system")
        if id_ in self._ids:
            raise ApplianceError(f"system {id_!r}: is there twice; expected ids of their own")
        self._ids.add(id_)
        return id_

    def _children(self, element: etree._Element) -> Iterator[tuple[etree._Element, str]]:
        """The elements in one, with what each is; "" never."""
        for child in element:
            if isinstance(child.tag, str):
                yield child, self._kind(child)

    def _kind(self, element: etree._Element) -> str:
        """What an element is: its name where it is OVF's, with its namespace where it is not."""
        tag = etree.QName(element)
        own = tag.namespace in (etree.QName(self._root).namespace, None)
        own = own or (tag.namespace == _OVF_2 and tag.localname in _ALSO_IN_1)
        if own and tag.localname in ("Content", "Section"):
            kind = str(element.get(_XSI_TYPE, "")).rpartition(":")[2]
            return kind.removesuffix(_TYPE_SUFFIX) or tag.localname
        if own or tag.localname in _VENDOR_CONFIG or tag.localname in ("Info", "Strings"):
            return tag.localname
        return f"{tag.localname} of {tag.namespace}"

    def _all(self, elements: Iterable[etree._Element], wanted: str) -> Iterator[etree._Element]:
        for element in elements:
            yield from (child for child, name in self._children(element) if name == wanted)

    def _value(self, element: etree._Element, name: str) -> str:
        """The text of a child, in whatever namespace: those of CIM classes have one for each."""
        found = (child for child in element if isinstance(child.tag, str) and etree.QName(child).localname == name)
        child = next(found, None)
        return "" if child is None else (child.text or "").strip()

    def _text(self, element: etree._Element, name: str) -> str:
        """The text of a child, in the language of the descriptor."""
        child = next(self._all([element], name), None)
        if child is None:
            return ""
        told = "".join(map(str, child.itertext())).strip()
        return told or self._messages.get(self._attribute(child, "msgid") or "", "")

    def _attribute(self, element: etree._Element, name: str) -> str | None:
        """An attribute, with the namespace of OVF, whichever version, or without."""
        for key in (*(f"{{{namespace}}}{name}" for namespace in NAMESPACES), name):
            value = element.get(key)
            if value is not None:
                return str(value).strip()
        return None

    def _needed(self, element: etree._Element, name: str, context: str) -> str:
        value = self._attribute(element, name)
        if not value:
            raise ApplianceError(f"{context}: has no {name}; expected one")
        return value

    def _size(self, element: etree._Element, name: str) -> int | None:
        value = self._attribute(element, name)
        if value is None:
            return None
        if not _is_number(value):
            raise ApplianceError(f"{name}: is {value[:80]!r}; expected a number")
        return int(value)

    def _is(self, element: etree._Element, name: str, *, otherwise: bool) -> bool:
        value = self._attribute(element, name)
        if value is None:
            return otherwise
        if value not in (*_TRUE, *_FALSE):
            raise ApplianceError(f"{name}: is {value[:80]!r}; expected true or false")
        return value in _TRUE

    def _read_messages(self) -> dict[str, str]:
        """The texts of the descriptor's own language, by their ids."""
        language = self._root.get(_XML_LANG, "en-US")
        bundles = [child for child in self._root if isinstance(child.tag, str) and self._kind(child) == "Strings"]
        bundles.sort(key=lambda bundle: bundle.get(_XML_LANG) != language)
        found: dict[str, str] = {}
        for message in self._all(bundles[:1], "Msg"):
            found[self._attribute(message, "msgid") or ""] = (message.text or "").strip()
        return found


_NEW_NAMES = {"InstanceId": "InstanceID", "ResourceID": "InstanceID"}
"""Properties that OVF 0.9 calls by other names."""


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and int(text) <= _MOST


def _new_name(name: str) -> str:
    return _NEW_NAMES.get(name, name)


def _put(found: dict[Key, Value], key: Key, value: Value, what: str) -> None:
    """Keep a value under a key that must be its own.

    Raises:
        ApplianceError: another one has it.
    """
    if key in found:
        raise ApplianceError(f"{what} {key!r}: is there twice; expected ids of their own")
    found[key] = value
