"""The providers: finding capabilities and templates by their InstanceID."""

from __future__ import annotations

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import (
    CIMError,
    Instance,
    Keys,
    RequestContext,
    Status,
)
from virtcim.providers.keys import main_key
from virtcim.providers.Virt_AllocationCapabilities.templates import find_template
from virtcim.providers.Virt_AllocationCapabilities.Virt_AllocationCapabilities import AllocationCapabilities
from virtcim.providers.Virt_AllocationCapabilities.Virt_DiskPoolResourceAllocationSettingData import NewStoragePool
from virtcim.providers.Virt_AllocationCapabilities.Virt_NetPoolResourceAllocationSettingData import NewNetwork
from virtcim.providers.Virt_DevicePool import find_pool

__all__ = ["AllocationCapabilitiesProvider", "TemplateProvider"]


class AllocationCapabilitiesProvider(ElementProvider):
    """Serves <prefix>_AllocationCapabilities."""

    name = "Virt_AllocationCapabilities"
    types = (AllocationCapabilities,)

    def source(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        """The capabilities from which associations are followed: what there is not is told as of pools."""
        platform, element = self.resolve(class_name)
        find_pool(self.site, platform, main_key(keys, *element.main_key))
        return super().source(class_name, keys, context)


class TemplateProvider(ElementProvider):
    """Serves the settings for new networks and storage pools, of which there are templates only.

    The templates of the classes of which there are others are served together with those.
    """

    name = "Virt_AllocationCapabilities"
    types = (NewNetwork, NewStoragePool)

    def find(self, platform: Platform, element: type[Element], keys: Keys) -> Element:
        instance_id = main_key(keys, "InstanceID", "Missing InstanceID")
        template = find_template(self.site, platform, element.base, instance_id)
        if template is None:
            raise CIMError(Status.NOT_FOUND, f"No such instance ({instance_id})")
        return template
