"""The provider: finding a setting by its InstanceID."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, no_such_domain
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.keys import main_key
from virtcim.providers.Virt_AllocationCapabilities import find_template
from virtcim.providers.Virt_RASD.console import ConsoleSetting
from virtcim.providers.Virt_RASD.controller import ControllerSetting
from virtcim.providers.Virt_RASD.disk import DiskSetting
from virtcim.providers.Virt_RASD.graphics import GraphicsSetting
from virtcim.providers.Virt_RASD.input import InputSetting
from virtcim.providers.Virt_RASD.memory import MemorySetting
from virtcim.providers.Virt_RASD.network import NetworkSetting
from virtcim.providers.Virt_RASD.other import OtherSetting
from virtcim.providers.Virt_RASD.processor import ProcessorSetting
from virtcim.providers.Virt_RASD.setting import ResourceSetting, resource_settings_of

__all__ = ["SETTING_TYPES", "ResourceSettingProvider"]

SETTING_TYPES: tuple[type[ResourceSetting[object]], ...] = (
    NetworkSetting,
    DiskSetting,
    MemorySetting,
    ProcessorSetting,
    GraphicsSetting,
    InputSetting,
    ConsoleSetting,
    ControllerSetting,
    OtherSetting,
)
"""In the order in which libvirt-cim lists the resources of a guest."""


class ResourceSettingProvider(ElementProvider):
    """Serves <prefix>_DiskResourceAllocationSettingData and the other classes of settings."""

    types: ClassVar = SETTING_TYPES

    def find(self, platform: Platform, element: type[Element], keys: Mapping[str, Any]) -> Element:
        instance_id = main_key(keys, "InstanceID", "Missing InstanceID")
        if not self.site.hypervisors(platform):
            raise CIMError(Status.NOT_FOUND, "No such instance")
        guests = [guest for guest, _ in self.site.split(platform, instance_id)]
        candidates = [setting for guest in guests for setting in resource_settings_of(guest, element)]
        folded = instance_id.casefold()
        for setting in sorted(candidates, key=lambda setting: setting.instance_id != instance_id):
            if setting.instance_id.casefold() == folded:
                return setting
        template = find_template(self.site, platform, element.base, instance_id)
        if template is not None:
            return template
        if not guests:
            name = instance_id.partition("/")[0]
            raise CIMError(Status.NOT_FOUND, f"No such instance ({instance_id}): {no_such_domain(name)}")
        raise CIMError(Status.NOT_FOUND, f"No such instance ({instance_id})")
