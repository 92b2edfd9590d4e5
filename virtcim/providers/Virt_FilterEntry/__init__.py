"""The rules of network filters (CIM_FilterEntryBase).

A rule for Ethernet frames is a <prefix>_Hdr8021Filter, one for IP and the protocols above it a
<prefix>_IPHeadersFilter, one that names no protocol a <prefix>_FilterEntry.
"""

from __future__ import annotations

from virtcim.providers.Virt_FilterEntry.entry import FilterEntry
from virtcim.providers.Virt_FilterEntry.provider import ENTRY_TYPES, FilterEntryProvider, entries_of
from virtcim.providers.Virt_FilterEntry.Virt_FilterEntry import PlainFilterEntry
from virtcim.providers.Virt_FilterEntry.Virt_Hdr8021Filter import Hdr8021Filter
from virtcim.providers.Virt_FilterEntry.Virt_IPHeadersFilter import IPHeadersFilter

__all__ = [
    "ENTRY_TYPES",
    "FilterEntry",
    "FilterEntryProvider",
    "Hdr8021Filter",
    "IPHeadersFilter",
    "PlainFilterEntry",
    "entries_of",
]
