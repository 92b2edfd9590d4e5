"""<prefix>_EntriesInFilterList: a network filter and its rules (CIM_EntriesInFilterList)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_FilterEntry import ENTRY_TYPES, FilterEntry, entries_of
from virtcim.providers.Virt_FilterList import FilterList

__all__ = ["entries_in_filter_list"]


def _filters(entry: FilterEntry) -> Iterable[FilterList]:
    return (entry.filters,)


def entries_in_filter_list(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "EntriesInFilterList",
        Role("GroupComponent", (FilterList,)),
        Role("PartComponent", ENTRY_TYPES),
        to_right=entries_of,
        to_left=_filters,
    )
