"""The provider: finding a rule by the name of its filter and its place there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.keys import main_key
from virtcim.providers.Virt_FilterEntry.entry import FilterEntry, entries_of
from virtcim.providers.Virt_FilterEntry.ethernet import Hdr8021Filter
from virtcim.providers.Virt_FilterEntry.ip import IPHeadersFilter
from virtcim.providers.Virt_FilterEntry.plain import PlainFilterEntry
from virtcim.providers.Virt_FilterList import filter_named
from virtcim.providers.Virt_HostSystem import hosts_of

__all__ = ["ENTRY_TYPES", "FilterEntryProvider"]

ENTRY_TYPES: tuple[type[FilterEntry], ...] = (PlainFilterEntry, Hdr8021Filter, IPHeadersFilter)


class FilterEntryProvider(ElementProvider):
    """Serves <prefix>_FilterEntry, <prefix>_Hdr8021Filter and <prefix>_IPHeadersFilter."""

    types: ClassVar = ENTRY_TYPES

    def find(self, platform: Platform, element: type[Element], keys: Mapping[str, Any]) -> Element:
        name = main_key(keys, "Name", "Unable to get Name from reference")
        filter_name, colon, number = name.rpartition(":")
        if not colon or not number.isascii() or not number.isdigit():
            raise CIMError(Status.NOT_FOUND, "Could not parse filter name")
        hosts = hosts_of(self.site, platform)
        filters = next(filter(None, (filter_named(host, filter_name) for host in hosts)), None)
        if filters is None:
            raise CIMError(Status.NOT_FOUND, "Could not retrieve filter")
        for entry in entries_of(filters):
            if entry.name == name:
                return entry
        raise CIMError(Status.NOT_FOUND, "Could not retrieve rule")
