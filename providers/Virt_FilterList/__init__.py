"""Network filters as <prefix>_FilterList (CIM_FilterList)."""

from __future__ import annotations

from providers.Virt_FilterList.filterlist import FILTER_KEYS, FilterList, filter_named, filters_on, given
from providers.Virt_FilterList.provider import FilterListProvider

__all__ = ["FILTER_KEYS", "FilterList", "FilterListProvider", "filter_named", "filters_on", "given"]
