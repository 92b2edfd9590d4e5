"""Operations on network filters, each on a connection of its own.

Each change edits the XML that libvirt has, so that all that it does not concern stays.

Layer rule: imports libvirt, context, documents, errors; knows nothing of CIM.
"""

from __future__ import annotations

from collections.abc import Callable

import libvirt

from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.nwfilter import FilterConfig, FilterDocument
from virtcim.libhelper.errors import translated
from virtcim.libhelper.xml.editing import object_text

__all__ = ["FilterReferenceError", "Filters"]


class FilterReferenceError(Exception):
    """The filter to be taken in is taken in already, or the one to be left out is not there."""


class Filters:
    """The operations on the network filters of one hypervisor.

    Each raises `LibvirtError` when libvirt refuses, and has the inventory take in what it did.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def define(self, name: str, priority: int | None = None) -> str:
        """Make a filter without rules.

        Parameters:
            priority: its place among others; libvirt's default when left out.

        Returns:
            its UUID.

        Raises:
            ValueRejectedError: the name cannot stand in XML.
        """
        xml = object_text(FilterConfig(name=name, chain="root", priority=priority))
        with self._context.connections.connection() as connection, translated():
            uuid: str = connection.nwfilterDefineXML(xml).UUIDString()
        self._refresh(uuid)
        return uuid

    def remove(self, uuid: str) -> None:
        """Remove a filter; libvirt refuses while it is in use."""
        with self._context.connections.connection() as connection, translated():
            connection.nwfilterLookupByUUIDString(uuid).undefine()
        self._refresh(uuid)

    def add_reference(self, uuid: str, name: str) -> None:
        """Have a filter take in another one, after all that it has.

        Parameters:
            uuid: of the filter that changes.
            name: of the filter to be taken in.

        Raises:
            FilterReferenceError: it is taken in already.
        """

        def add(document: FilterDocument) -> None:
            if document.refers_to(name):
                raise FilterReferenceError(name)
            document.add_reference(name)

        self._edit(uuid, add)

    def remove_reference(self, uuid: str, name: str) -> None:
        """Have a filter leave out another one.

        Raises:
            FilterReferenceError: it is not taken in.
        """

        def remove(document: FilterDocument) -> None:
            if not document.remove_references(name):
                raise FilterReferenceError(name)

        self._edit(uuid, remove)

    def _edit(self, uuid: str, edit: Callable[[FilterDocument], None]) -> None:
        with self._context.connections.connection() as connection, translated():
            found: libvirt.virNWFilter = connection.nwfilterLookupByUUIDString(uuid)
            document = FilterDocument(found.XMLDesc(0))
            edit(document)
            connection.nwfilterDefineXML(document.tostring())
        self._refresh(uuid)

    def _refresh(self, uuid: str) -> None:
        self._context.inventory.refresh(uuid, kind="nwfilter")
