"""<prefix>_NestedFilterList: a network filter (Antecedent) and one that it takes in (Dependent)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.filters import FilterReferenceError, Filters
from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.errors import access_denied, libvirt_failure
from virtcim.providers.interface import (
    CIMError,
    InstancePath,
    Keys,
    Properties,
    RequestContext,
    Status,
)
from virtcim.providers.site import Site
from virtcim.providers.Virt_FilterList import FilterList, filter_given, filter_named, filters_on

__all__ = ["NestedFilterLists"]


def _names(filters: FilterList) -> list[str]:
    """The names of the filters that one takes in, each once."""
    return list(dict.fromkeys(reference.filter for reference in filters.config.filterrefs if reference.filter))


def _inner(filters: FilterList) -> Iterable[FilterList]:
    found = (filter_named(filters.host, name) for name in _names(filters))
    return (each for each in found if each is not None)


def _outer(filters: FilterList) -> Iterable[FilterList]:
    return (each for each in filters_on(filters.host) if filters.name in _names(each))


class NestedFilterLists(Relation):
    """The association, which clients can make and end.

    Parameters:
        site: what there is to serve.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(
            site,
            "NestedFilterList",
            Role("Antecedent", (FilterList,)),
            Role("Dependent", (FilterList,)),
            to_right=_inner,
            to_left=_outer,
        )

    def create(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        outer, inner = self._ends(class_name, properties)
        _change(Filters.add_reference, outer, inner, CIMError(Status.FAILED, "Failed to append filter reference"))
        return InstancePath(class_name, {"Antecedent": outer.path(), "Dependent": inner.path()}, self.site.namespace)

    def delete(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        outer, inner = self._ends(class_name, keys)
        _change(Filters.remove_reference, outer, inner, CIMError(Status.NOT_FOUND, "Instance does not exist"))

    def _ends(self, class_name: str, properties: Properties) -> tuple[FilterList, FilterList]:
        """The filters that the references mean."""
        platform = self.platform_of(class_name)
        return (
            filter_given(self.site, platform, properties, "Antecedent"),
            filter_given(self.site, platform, properties, "Dependent"),
        )


def _change(
    edit: Callable[[Filters, str, str], None], outer: FilterList, inner: FilterList, pointless: CIMError
) -> None:
    hypervisor = outer.host.hypervisor
    if hypervisor.read_only:
        raise access_denied(hypervisor)
    try:
        edit(hypervisor.filters, outer.record.uuid, inner.name)
    except FilterReferenceError:
        raise pointless from None
    except LibvirtError as error:
        raise libvirt_failure("Failed to update filter", error) from error
