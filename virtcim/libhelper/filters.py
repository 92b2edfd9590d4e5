"""Changing network filters, and which of them interfaces have.

Each change edits the XML that libvirt has, so that all that it does not concern stays.

Layer rule: imports libvirt, change, domainxml, errors, filterxml, live; knows nothing of CIM.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import libvirt
from lxml import etree

from virtcim.libhelper.documents.domain import Device, DomainDocument, element_text
from virtcim.libhelper.documents.nwfilter import FilterConfig, FilterReference
from virtcim.libhelper.domains.change import DomainChange, DomainWork, change_domains
from virtcim.libhelper.domains.live import device_steps
from virtcim.libhelper.errors import translated
from virtcim.libhelper.xml.text import check_text, parse_xml, to_text

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = [
    "FilterReferenceError",
    "add_reference",
    "define_filter",
    "filter_interface",
    "remove_filter",
    "remove_reference",
]


class FilterReferenceError(Exception):
    """The filter to be taken in is taken in already, or the one to be left out is not there."""


def define_filter(hypervisor: Hypervisor, name: str, priority: int | None = None) -> str:
    """Make a filter without rules, and have the inventory take it in.

    Parameters:
        priority: its place among others; libvirt's default when left out.

    Returns:
        its UUID.

    Raises:
        LibvirtError: libvirt refused.
        ValueRejectedError: the name cannot stand in XML.
    """
    values = {"name": name, "chain": "root", "priority": priority}
    xml = element_text(FilterConfig, {field: value for field, value in values.items() if value is not None})
    with hypervisor.connections.connection() as connection, translated():
        uuid: str = connection.nwfilterDefineXML(xml).UUIDString()
    hypervisor.inventory.refresh(uuid, kind="nwfilter")
    return uuid


def remove_filter(hypervisor: Hypervisor, uuid: str) -> None:
    """Remove a filter.

    Raises:
        LibvirtError: libvirt refused, as it does while the filter is in use.
    """
    with hypervisor.connections.connection() as connection, translated():
        connection.nwfilterLookupByUUIDString(uuid).undefine()
    hypervisor.inventory.refresh(uuid, kind="nwfilter")


def add_reference(hypervisor: Hypervisor, uuid: str, name: str) -> None:
    """Have a filter take in another one, after all that it has.

    Parameters:
        uuid: of the filter that changes.
        name: of the filter to be taken in.

    Raises:
        FilterReferenceError: it is taken in already.
        LibvirtError: libvirt refused.
    """

    def add(root: etree._Element) -> None:
        if _references(root, name):
            raise FilterReferenceError(name)
        etree.SubElement(root, FilterReference.tag, filter=check_text(name))

    _edit(hypervisor, uuid, add)


def remove_reference(hypervisor: Hypervisor, uuid: str, name: str) -> None:
    """Have a filter leave out another one.

    Raises:
        FilterReferenceError: it is not taken in.
        LibvirtError: libvirt refused.
    """

    def remove(root: etree._Element) -> None:
        found = _references(root, name)
        if not found:
            raise FilterReferenceError(name)
        for reference in found:
            root.remove(reference)

    _edit(hypervisor, uuid, remove)


def filter_interface(
    hypervisor: Hypervisor, uuid: str, find: Callable[[DomainDocument], Device | None], name: str | None
) -> None:
    """Give an interface of a domain another filter: in the definition and, where the domain runs, at once.

    Parameters:
        uuid: of the domain.
        find: the interface in a document of the domain; None where it is not there.
        name: of the filter; None for none.  The parameters of the old one go with it.

    Raises:
        LibvirtError: libvirt refused, and nothing has changed.
    """
    values = {"filterref_filter": name, "filterref_parameters": ()}

    def edit(change: DomainChange) -> None:
        if change.defined is not None:
            device = find(change.defined)
            if device is not None:
                change.defined.set(device, values)
        if change.live is not None:
            device = find(change.live)
            if device is not None:
                change.steps.extend(device_steps(change.live, device, values))

    change_domains([DomainWork(hypervisor, uuid, edit)])


def _references(root: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in root.iterchildren(FilterReference.tag) if child.get("filter") == name]


def _edit(hypervisor: Hypervisor, uuid: str, edit: Callable[[etree._Element], None]) -> None:
    with hypervisor.connections.connection() as connection, translated():
        found: libvirt.virNWFilter = connection.nwfilterLookupByUUIDString(uuid)
        root = parse_xml(found.XMLDesc(0))
        edit(root)
        connection.nwfilterDefineXML(to_text(root))
    hypervisor.inventory.refresh(uuid, kind="nwfilter")
