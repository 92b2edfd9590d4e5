"""The virtual hardware of a system: its items, each with the values of a CIM_ResourceAllocationSettingData."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lxml import etree

from virtcim.images.appliances.description import DeploymentOption, Hardware, Item
from virtcim.images.appliances.descriptor.envelope import INFO, VENDOR_CONFIG, Envelope, is_number
from virtcim.images.appliances.descriptor.references import References
from virtcim.images.appliances.errors import ApplianceError

__all__ = ["read_hardware"]

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
_NEW_NAMES = {"InstanceId": "InstanceID", "ResourceID": "InstanceID"}
"""Properties that OVF 0.9 calls by other names."""
_REFERENCE = re.compile(r"(?:ovf:/{1,2}|/)?(disk|file)/(.+)")
_NUMBERS = ("VirtualQuantity", "Reservation", "Limit", "Weight")
_BOUNDS = frozenset({"normal", "min", "max"})


def read_hardware(envelope: Envelope, references: References, section: etree._Element, context: str) -> Hardware:
    """Read a VirtualHardwareSection.

    Parameters:
        context: the system that it is of, for messages.

    Raises:
        ApplianceError: it contradicts itself, or refers to what is not there.
    """
    kinds: tuple[str, ...] = ()
    items: list[Item] = []
    config: dict[str, str] = {}
    for child, name in envelope.children(section):
        if name == "System":
            kinds = tuple(filter(None, re.split(r"[\s,]+", envelope.local_text(child, "VirtualSystemType"))))
        elif name in ("Item", "StorageItem", "EthernetPortItem"):
            items.append(_read_item(envelope, references.options, child, context))
        elif name in VENDOR_CONFIG:
            _note_config(config, child)
        elif name != INFO:
            envelope.leave_out(child, name, context)
    _check_items(references, items, context)
    transports = (envelope.attribute(section, "transport") or "").split()
    return Hardware(kinds, tuple(items), tuple(transports), config)


def _note_config(config: dict[str, str], element: etree._Element) -> None:
    """Take what a vendor adds: a key and a value, in attributes of its own."""
    told = {etree.QName(key).localname: str(value) for key, value in element.attrib.items()}
    if "key" in told:
        config[told["key"]] = told.get("value", "")


def _read_item(
    envelope: Envelope, options: Mapping[str, DeploymentOption], element: etree._Element, context: str
) -> Item:
    values: dict[str, list[str]] = {}
    config: dict[str, str] = {}
    for child, _ in envelope.children(element):
        name = etree.QName(child).localname
        if name in VENDOR_CONFIG:
            _note_config(config, child)
        elif not _is_value(envelope, child, name):
            envelope.leave_out(child, name, context)
        else:
            values.setdefault(_new_name(name), []).append((child.text or "").strip())
    configurations = tuple((envelope.attribute(element, "configuration") or "").split())
    unknown = [each for each in configurations if each not in options]
    if unknown:
        raise ApplianceError(f"{context}: an item is of {unknown[0]!r}; expected the id of a deployment option")
    bound = envelope.attribute(element, "bound") or "normal"
    if bound not in _BOUNDS:
        raise ApplianceError(f"{context}: an item has the bound {bound[:80]!r}; expected normal, min or max")
    return Item(
        values={name: tuple(texts) for name, texts in values.items()},
        configurations=configurations,
        bound=bound,
        is_required=envelope.flag(element, "required", otherwise=True),
        config=config,
    )


def _is_value(envelope: Envelope, element: etree._Element, name: str) -> bool:
    """Whether an element is a value of an item, and one that is known where the item needs it."""
    if name in _VENDOR_VALUES:
        return True
    is_needed = envelope.flag(element, "required", otherwise=False)
    is_of_cim = _SETTING_DATA.fullmatch(etree.QName(element).namespace or "") is not None
    return is_of_cim and (_new_name(name) in _VALUES or not is_needed)


def _check_items(references: References, items: list[Item], context: str) -> None:
    ids = {item.text("InstanceID") for item in items}
    normal = {item.text("InstanceID") for item in items if item.bound == "normal"}
    seen = set()
    for item in items:
        id_, kind = item.text("InstanceID"), item.text("ResourceType")
        where = f"{context}: item {id_[:80]!r}"
        if not id_:
            raise ApplianceError(f"{context}: an item has no InstanceID; expected one")
        if not is_number(kind):
            raise ApplianceError(f"{where}: is of the type {kind[:80]!r}; expected a number")
        key = (id_, item.configurations, item.bound)
        if key in seen:
            raise ApplianceError(f"{where}: is there twice; expected an InstanceID of its own")
        seen.add(key)
        if id_ not in normal:
            raise ApplianceError(f"{where}: has a {item.bound} alone; expected what it is normally, too")
        for name in _NUMBERS:
            if item.text(name) and not is_number(item.text(name)):
                raise ApplianceError(f"{where}: has the {name} {item.text(name)[:80]!r}; expected a number")
        parent = item.text("Parent")
        if parent and parent not in ids:
            raise ApplianceError(f"{where}: is attached to {parent[:80]!r}; expected the InstanceID of an item")
        for source in item.values.get("HostResource", ()):
            _check_source(references, source, where)
        for network in item.values.get("Connection", ()):
            if network and network not in references.networks:
                raise ApplianceError(f"{where}: is connected to {network[:80]!r}; expected the name of a network")


def _check_source(references: References, source: str, where: str) -> None:
    match = _REFERENCE.fullmatch(source)
    if match is None:
        return
    known = references.disks if match[1] == "disk" else references.files
    if match[2] not in known:
        raise ApplianceError(f"{where}: has the {match[1]} {match[2][:80]!r}; expected the id of one")


def _new_name(name: str) -> str:
    return _NEW_NAMES.get(name, name)
