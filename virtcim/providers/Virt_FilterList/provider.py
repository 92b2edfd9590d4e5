"""The provider: finding, making and removing network filters."""

from __future__ import annotations

from typing import cast

from virtcim.libhelper.documents.domain import ValueRejectedError
from virtcim.libhelper.errors import LibvirtError
from virtcim.providers.base import ElementProvider
from virtcim.providers.errors import access_denied, libvirt_failure
from virtcim.providers.interface import (
    CIMError,
    InstancePath,
    Keys,
    Properties,
    RequestContext,
    Status,
)
from virtcim.providers.values import number_of
from virtcim.providers.Virt_FilterList.Virt_FilterList import FilterList, filter_named, given
from virtcim.providers.Virt_HostSystem import hosts_of

__all__ = ["FilterListProvider"]


class FilterListProvider(ElementProvider):
    """Serves <prefix>_FilterList."""

    name = "Virt_FilterList"
    types = (FilterList,)

    def create_instance(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        platform, _ = self.resolve(class_name)
        name = str(given(properties, "Name", "Unable to get Name property"))
        host = next(iter(hosts_of(self.site, platform)), None)
        if host is None:
            raise CIMError(Status.FAILED, f"There is no {platform.title} hypervisor")
        if filter_named(host, name) is not None:
            raise CIMError(Status.ALREADY_EXISTS, "Instance already exists")
        if host.hypervisor.read_only:
            raise access_denied(host.hypervisor)
        try:
            host.hypervisor.filters.define(name, number_of(properties.get("Priority"), "Priority"))
        except LibvirtError as error:
            raise libvirt_failure("Failed to create filter", error) from error
        except ValueRejectedError as error:
            raise CIMError(Status.INVALID_PARAMETER, f"Name: {error}") from error
        found = filter_named(host, name)
        if found is None:
            raise CIMError(Status.FAILED, f"Filter {name} was created and is gone again")
        return found.path()

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        try:
            found = cast(FilterList, self.element(class_name, keys))
        except CIMError as error:
            if error.status is not Status.NOT_FOUND:
                raise
            raise CIMError(Status.NOT_FOUND, "Instance does not exist") from None
        hypervisor = found.host.hypervisor
        if hypervisor.read_only:
            raise access_denied(hypervisor)
        try:
            hypervisor.filters.remove(found.record.uuid)
        except LibvirtError as error:
            raise libvirt_failure("Failed to delete filter", error) from error
