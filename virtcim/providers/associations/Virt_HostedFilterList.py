"""<prefix>_HostedFilterList: a host (Antecedent) and its network filters (Dependent) (CIM_HostedFilterList)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_FilterList import FilterList, filters_on
from virtcim.providers.Virt_HostSystem import HostSystem

__all__ = ["hosted_filter_list"]


def _host(filters: FilterList) -> Iterable[HostSystem]:
    return (filters.host,)


def hosted_filter_list(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "HostedFilterList",
        Role("Antecedent", (HostSystem,)),
        Role("Dependent", (FilterList,)),
        to_right=filters_on,
        to_left=_host,
    )
