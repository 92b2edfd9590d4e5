"""The provider of the settings of resources."""

from __future__ import annotations

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import CIMError, Keys, Status
from virtcim.providers.keys import main_key
from virtcim.providers.site import Site
from virtcim.providers.templates import find_template_resource
from virtcim.providers.Virt_AllocationCapabilities import find_template
from virtcim.providers.Virt_RASD.settings import setting_types

__all__ = ["ResourceSettingProvider"]


class ResourceSettingProvider(ElementProvider):
    """Serves <prefix>_DiskResourceAllocationSettingData and the other classes of settings."""

    name = "Virt_RASD"

    def __init__(self, site: Site) -> None:
        self.types = setting_types(site)
        super().__init__(site)

    def find(self, platform: Platform, element: type[Element], keys: Keys) -> Element:
        """The setting of a resource, else the template with that InstanceID."""
        try:
            return super().find(platform, element, keys)
        except CIMError as error:
            instance_id = main_key(keys, *element.main_key)
            template = find_template(self.site, platform, element.base, instance_id) or find_template_resource(
                self.site, platform, element.base, instance_id
            )
            if template is None or error.status is not Status.NOT_FOUND:
                raise
            return template
