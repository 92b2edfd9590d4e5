"""Resources of guests as they are asked for and given (CIM_ResourceAllocationSettingData; DSP1041).

Every device of a guest has one.  Almost all kinds have classes of their own; all others are instances of
<prefix>_ResourceAllocationSettingData itself.
"""

from __future__ import annotations

from virtcim.providers.Virt_RASD.provider import ResourceSettingProvider
from virtcim.providers.Virt_RASD.setting import ResourceSetting
from virtcim.providers.Virt_RASD.settings import setting_for, setting_types, settings_of

__all__ = ["ResourceSetting", "ResourceSettingProvider", "setting_for", "setting_types", "settings_of"]
