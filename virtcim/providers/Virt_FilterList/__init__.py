"""Network filters as <prefix>_FilterList (CIM_FilterList)."""

from __future__ import annotations

from virtcim.providers.Virt_FilterList.provider import FilterListProvider
from virtcim.providers.Virt_FilterList.Virt_FilterList import (
    FILTER_KEYS,
    FilterList,
    filter_given,
    filter_named,
    filters_on,
    given,
    path_given,
)

__all__ = [
    "FILTER_KEYS",
    "FilterList",
    "FilterListProvider",
    "filter_given",
    "filter_named",
    "filters_on",
    "given",
    "path_given",
]
