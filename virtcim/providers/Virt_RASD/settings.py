"""The types of the settings of resources, and all the settings of a configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from virtcim.providers.configuration import Configuration
from virtcim.providers.deviceids import Kind
from virtcim.providers.Virt_RASD.setting import ResourceSetting
from virtcim.providers.Virt_RASD.Virt_ConsoleResourceAllocationSettingData import ConsoleSetting
from virtcim.providers.Virt_RASD.Virt_ControllerResourceAllocationSettingData import ControllerSetting
from virtcim.providers.Virt_RASD.Virt_DiskResourceAllocationSettingData import DiskSetting
from virtcim.providers.Virt_RASD.Virt_GraphicsResourceAllocationSettingData import GraphicsSetting
from virtcim.providers.Virt_RASD.Virt_InputResourceAllocationSettingData import InputSetting
from virtcim.providers.Virt_RASD.Virt_MemResourceAllocationSettingData import MemorySetting
from virtcim.providers.Virt_RASD.Virt_NetResourceAllocationSettingData import NetworkSetting
from virtcim.providers.Virt_RASD.Virt_ProcResourceAllocationSettingData import ProcessorSetting
from virtcim.providers.Virt_RASD.Virt_ResourceAllocationSettingData import OtherSetting

__all__ = ["SETTING_TYPES", "setting_for", "setting_type", "settings_of"]

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

_BY_KIND = {each.kind: each for each in SETTING_TYPES}


def setting_type(kind: Kind) -> type[ResourceSetting[Any]]:
    """The type of the settings of a kind of resource: every kind has one."""
    return _BY_KIND[kind]


def settings_of(configuration: Configuration) -> Iterable[ResourceSetting[object]]:
    """All settings of a configuration."""
    return (setting for each in SETTING_TYPES for setting in each.by_resource(configuration).values())


def setting_for(configuration: Configuration, identifier: str) -> ResourceSetting[Any] | None:
    """The setting of the resource with this identifier; None when there is no such resource."""
    entry = configuration.entries.get(identifier)
    return None if entry is None else setting_type(entry.kind).by_resource(configuration)[identifier]
