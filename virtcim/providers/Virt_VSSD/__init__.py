"""Settings of guests as <prefix>_VirtualSystemSettingData (CIM_VirtualSystemSettingData; DSP1057)."""

from virtcim.providers.Virt_VSSD.Virt_VirtualSystemSettingData import (
    VirtualSystemSettingData,
    VirtualSystemSettingDataProvider,
    setting_of,
    settings_of_guest,
    snapshots_of_guest,
)

__all__ = [
    "VirtualSystemSettingData",
    "VirtualSystemSettingDataProvider",
    "setting_of",
    "settings_of_guest",
    "snapshots_of_guest",
]
