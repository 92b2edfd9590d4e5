"""Storage volumes as they were asked for and given: <prefix>_StorageVolumeResourceAllocationSettingData.

The key is libvirt's key of the volume, the path of most, as the results of libvirt-cim's CreateResourceInPool had it.
"""

from __future__ import annotations

from virtcim.providers.Virt_StorageVolumeRASD.provider import VolumeSettingProvider
from virtcim.providers.Virt_StorageVolumeRASD.Virt_StorageVolumeResourceAllocationSettingData import (
    FORMATS,
    VolumeSetting,
    volume_setting,
    volume_settings_of,
)

__all__ = ["FORMATS", "VolumeSetting", "VolumeSettingProvider", "volume_setting", "volume_settings_of"]
