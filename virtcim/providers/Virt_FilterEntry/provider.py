"""The provider: finding a rule by the name of its filter and its place there."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.base import ElementProvider
from virtcim.providers.Virt_FilterEntry.entry import FilterEntry
from virtcim.providers.Virt_FilterEntry.Virt_FilterEntry import PlainFilterEntry
from virtcim.providers.Virt_FilterEntry.Virt_Hdr8021Filter import Hdr8021Filter
from virtcim.providers.Virt_FilterEntry.Virt_IPHeadersFilter import IPHeadersFilter
from virtcim.providers.Virt_FilterList import FilterList

__all__ = ["ENTRY_TYPES", "FilterEntryProvider", "entries_of"]

ENTRY_TYPES: tuple[type[FilterEntry], ...] = (PlainFilterEntry, Hdr8021Filter, IPHeadersFilter)


class FilterEntryProvider(ElementProvider):
    """Serves <prefix>_FilterEntry, <prefix>_Hdr8021Filter and <prefix>_IPHeadersFilter."""

    name = "Virt_FilterEntry"
    types = ENTRY_TYPES


def entries_of(filters: FilterList) -> Iterable[FilterEntry]:
    """The rules of a filter, in its order."""
    entries = (entry for each in ENTRY_TYPES for entry in each.made_from(filters))
    return sorted(entries, key=lambda entry: entry.number)
