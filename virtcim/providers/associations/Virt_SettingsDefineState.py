"""<prefix>_SettingsDefineState: a guest or device, and the settings of its state (CIM_SettingsDefineState; DSP1057)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_Device import GuestDevice, device_types, devices_for
from virtcim.providers.Virt_RASD import ResourceSetting, setting_for, setting_types
from virtcim.providers.Virt_StorageVolume import StorageVolume
from virtcim.providers.Virt_StorageVolumeRASD import VolumeSetting, volume_setting
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData, setting_of

__all__ = ["settings_define_state", "volume_settings"]


def _settings(element: ComputerSystem | GuestDevice[object]) -> Iterable[Element]:
    if isinstance(element, GuestDevice):
        setting = setting_for(element.configuration, element.entry.identifier)
        return () if setting is None else (setting,)
    state = element.guest.state
    return () if state is None else (setting_of(state),)


def _elements(setting: VirtualSystemSettingData | ResourceSetting[object]) -> Iterable[Element]:
    """What a setting defines the state of: nothing, when it belongs to another configuration than the present one."""
    if not setting.configuration.is_present:
        return ()
    if isinstance(setting, ResourceSetting):
        return devices_for(setting.configuration, setting.entry.identifier)
    return (system_of(setting.guest),)


def settings_define_state(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "SettingsDefineState",
        Role("ManagedElement", (ComputerSystem, *device_types(site))),
        Role("SettingData", (VirtualSystemSettingData, *setting_types(site))),
        to_right=_settings,
        to_left=_elements,
    )


def volume_settings(site: Site) -> Relation:
    """The association of storage volumes with their settings."""

    def settings(volume: StorageVolume) -> Iterable[VolumeSetting]:
        setting = volume_setting(site, volume.platform, volume.pool, volume.volume.name)
        return () if setting is None else (setting,)

    return Relation(
        site,
        "SettingsDefineState",
        Role("ManagedElement", (StorageVolume,)),
        Role("SettingData", (VolumeSetting,)),
        to_right=settings,
        to_left=lambda setting: (setting.volume,),
    )
