"""<prefix>_VirtualSystemSettingDataComponent: the settings of a guest as a whole, and of its resources (DSP1057)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_RASD import ResourceSetting, setting_types, settings_of
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData, setting_of

__all__ = ["virtual_system_setting_data_component"]


def _resource_settings(system: VirtualSystemSettingData) -> Iterable[ResourceSetting[object]]:
    return settings_of(system.configuration)


def _system_settings(resource: ResourceSetting[object]) -> Iterable[VirtualSystemSettingData]:
    return (setting_of(resource.configuration),)


def virtual_system_setting_data_component(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "VirtualSystemSettingDataComponent",
        Role("GroupComponent", (VirtualSystemSettingData,)),
        Role("PartComponent", setting_types(site)),
        to_right=_resource_settings,
        to_left=_system_settings,
    )
