"""The provider: finding the settings of a volume by their InstanceID."""

from __future__ import annotations

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import (
    CIMError,
    Keys,
    Status,
)
from virtcim.providers.keys import main_key
from virtcim.providers.Virt_AllocationCapabilities import find_template
from virtcim.providers.Virt_StorageVolumeRASD.Virt_StorageVolumeResourceAllocationSettingData import (
    VolumeSetting,
    volume_settings_of,
)

__all__ = ["VolumeSettingProvider"]


class VolumeSettingProvider(ElementProvider):
    """Serves <prefix>_StorageVolumeResourceAllocationSettingData: of volumes, and the templates for new ones."""

    name = "Virt_StorageVolumeRASD"
    types = (VolumeSetting,)

    def find(self, platform: Platform, element: type[Element], keys: Keys) -> Element:
        instance_id = main_key(keys, "InstanceID", "Missing InstanceID")
        settings = volume_settings_of(self.site, platform)
        found = settings.get(instance_id) or find_template(self.site, platform, element.base, instance_id)
        if found is None:
            raise CIMError(Status.NOT_FOUND, f"No such instance ({instance_id})")
        return found
