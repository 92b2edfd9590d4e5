"""<prefix>_AppliedFilterList: a network interface of a guest (Antecedent) and its network filter (Dependent)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from virtcim.libhelper.documents.domain import Device, DomainDocument
from virtcim.libhelper.errors import LibvirtError
from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.deviceids import device_entries
from virtcim.providers.errors import access_denied, guest_failure
from virtcim.providers.guest import Guest
from virtcim.providers.guests import made_of_guests, split_identifier
from virtcim.providers.interface import (
    CIMError,
    InstancePath,
    Keys,
    Properties,
    RequestContext,
    Status,
)
from virtcim.providers.site import Site
from virtcim.providers.Virt_Device.Virt_NetworkPort import NetworkPort
from virtcim.providers.Virt_FilterList import FilterList, filter_given, filter_named, given, path_given
from virtcim.providers.Virt_HostSystem import host_name, host_of

__all__ = ["AppliedFilterLists"]


def _filters(port: NetworkPort) -> Iterable[FilterList]:
    name = port.device.filterref_filter
    found = None if name is None else filter_named(host_of(port.guest), name)
    return () if found is None else (found,)


def _filtered(guest: Guest) -> Sequence[NetworkPort]:
    """The interfaces of a guest that have a filter."""
    return [port for port in NetworkPort.made_from(guest) if port.device.filterref_filter]


class AppliedFilterLists(Relation):
    """The association, which clients can make and end.

    Parameters:
        site: what there is to serve.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(
            site,
            "AppliedFilterList",
            Role("Antecedent", (NetworkPort,)),
            Role("Dependent", (FilterList,)),
            to_right=_filters,
            to_left=self._ports,
        )

    def _ports(self, filters: FilterList) -> Iterable[NetworkPort]:
        return (
            port
            for port in made_of_guests(self.site, filters.platform, AppliedFilterLists, _filtered)
            if port.device.filterref_filter == filters.name and host_name(port.guest.hypervisor) == filters.host.name
        )

    def create(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        port, filters = self._port(class_name, properties), self._filter(class_name, properties)
        if port.device.filterref_filter != filters.name:
            _apply(port, filters.name)
            port = self._port(class_name, properties)
            if port.device.filterref_filter != filters.name:
                kind = port.device.type
                text = f"Failed to update the network interface: one of type {kind} has no filter"
                raise CIMError(Status.FAILED, text)
        return InstancePath(class_name, {"Antecedent": port.path(), "Dependent": filters.path()}, self.site.namespace)

    def delete(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        port, filters = self._port(class_name, keys), self._filter(class_name, keys)
        if port.device.filterref_filter != filters.name:
            raise CIMError(Status.NOT_FOUND, "Instance does not exist")
        _apply(port, None)

    def _port(self, class_name: str, properties: Properties) -> NetworkPort:
        """The interface that the reference means."""
        path = path_given(self.site, properties, "Antecedent", "Unable to get Antecedent property")
        device_id = str(given(path.keys, "DeviceID", "Unable to get Antecedent.DeviceID property"))
        for guest, _ in split_identifier(self.site, self.platform_of(class_name), device_id):
            for port in NetworkPort.made_from(guest):
                if port.device_id == device_id and port.class_name.lower() == path.class_name.lower():
                    return port
        raise CIMError(Status.FAILED, "Antecedent.Name object does not exist")

    def _filter(self, class_name: str, properties: Properties) -> FilterList:
        """The filter that the reference means."""
        return filter_given(self.site, self.platform_of(class_name), properties, "Dependent")


def _apply(port: NetworkPort, name: str | None) -> None:
    """Give an interface a filter, or none, and wait until the inventory shows it."""
    hypervisor = port.guest.hypervisor
    if hypervisor.read_only:
        raise access_denied(hypervisor)

    def find(document: DomainDocument) -> Device | None:
        entry = device_entries(document.config, port.site.kinds, lambda _identifier: False).get(port.entry.identifier)
        return None if entry is None else cast(Device, entry.device)

    try:
        hypervisor.domains.filter_interface(port.guest.domain.uuid, find, name)
    except LibvirtError as error:
        raise guest_failure("Failed to update the network interface", error) from error
