"""Network filters as <prefix>_FilterList (CIM_FilterList)."""

from __future__ import annotations

from virtcim.providers.Virt_FilterList.filterlist import FILTER_KEYS, FilterList, filter_named, filters_on, given
from virtcim.providers.Virt_FilterList.provider import FilterListProvider

__all__ = ["FILTER_KEYS", "FilterList", "FilterListProvider", "filter_named", "filters_on", "given"]
