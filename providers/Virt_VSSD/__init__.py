"""Settings of guests as <prefix>_VirtualSystemSettingData (CIM_VirtualSystemSettingData; DSP1057)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from libhelper.domainxml import Disk, DomainConfig, Hostdev, Interface, Redirdev
from platforms.base import Platform
from providers.base import Element, ElementProvider, no_such_domain, trimmed
from providers.interface import CIMError, Status
from providers.keys import main_key
from providers.properties import Property, PropertyTable, attribute
from providers.site import Configuration, Guest, Site

__all__ = ["VirtualSystemSettingData", "VirtualSystemSettingDataProvider", "setting_of", "settings_of_guest"]

_ACTIONS = {
    "destroy": 2,
    "coredump-destroy": 2,
    "restart": 3,
    "rename-restart": 3,
    "coredump-restart": 3,
    "preserve": 123,
}
"""libvirt's on_poweroff and on_crash in the values of AutomaticShutdownAction and AutomaticRecoveryAction."""
_DEFAULT_ACTION = 2

_NO_STARTUP, _ALWAYS_STARTUP = 2, 4
_UTC, _LOCAL = 0, 1
_CLOCKS = {"utc": _UTC, "localtime": _LOCAL, "absolute": _UTC}

_BOOT_WORDS = {"disk": "hd", "lun": "hd", "cdrom": "cdrom", "floppy": "fd"}


class VirtualSystemSettingData(Element):
    """The settings of a guest as a whole."""

    __slots__ = ("config", "configuration", "guest")

    base = "VirtualSystemSettingData"
    key_names = ("InstanceID",)
    table: ClassVar[PropertyTable]

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.config = configuration.config
        self.guest = configuration.guest
        super().__init__(self.guest.platform, configuration.instance_id)

    @classmethod
    def all_of(cls, site: Site, platform: Platform) -> Iterable[VirtualSystemSettingData]:
        return site.gathered(platform, cls, settings_of_guest)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision


def setting_of(configuration: Configuration) -> VirtualSystemSettingData:
    """The settings as a whole of a configuration."""
    return configuration.memo(VirtualSystemSettingData, VirtualSystemSettingData)


def settings_of_guest(guest: Guest) -> Sequence[VirtualSystemSettingData]:
    """The settings as a whole of a guest: one for each of its configurations."""
    return [setting_of(configuration) for configuration in guest.configurations]


def _action(word: str | None) -> int:
    return _ACTIONS.get(word or "", _DEFAULT_ACTION)


def _clock(setting: VirtualSystemSettingData) -> int | None:
    """The time zone that the clock follows; NULL without a clock, and for one of a zone of its own."""
    config = setting.config
    if config.clock_offset == "variable":
        return _LOCAL if config.clock_basis == "localtime" else _UTC
    return _CLOCKS.get(config.clock_offset or "")


def _boot_devices(setting: VirtualSystemSettingData) -> list[str] | None:
    """The list of `<os>`, else the kinds of the devices that have an order of their own."""
    if setting.config.os_boot_devs:
        return list(setting.config.os_boot_devs)
    ordered = sorted(
        (device for device in setting.config.devices if device.boot_order is not None),
        key=lambda device: device.boot_order or 0,
    )
    words = [word for word in map(_boot_word, ordered) if word is not None]
    return list(dict.fromkeys(words)) or None


def _boot_word(device: Any) -> str | None:
    match device:
        case Disk():
            return _BOOT_WORDS.get(device.device or "disk")
        case Interface():
            return "network"
        case Hostdev() | Redirdev():
            return "hd"
        case _:
            return None


def _startup_action(setting: VirtualSystemSettingData) -> int | None:
    domain = setting.guest.domain
    if not domain.persistent:
        return None
    return _ALWAYS_STARTUP if domain.autostart else _NO_STARTUP


def _xml(name: str, attribute_name: str) -> Property:
    """A property that is a field of the domain as a whole."""
    return attribute(name, f"config.{attribute_name}", DomainConfig)


_CHANGEABLE_TRANSIENT, _CHANGEABLE_PERSISTENT = 1, 2

VirtualSystemSettingData.table = PropertyTable(
    attribute("InstanceID", "configuration.instance_id", source="platform and domain XML name"),
    attribute("ElementName", "guest.name", DomainConfig),
    Property("Caption", lambda setting: trimmed(setting.config.title or "Virtual System"),
             "domain XML title, else a fixed text"),
    Property("Description", lambda setting: setting.config.description or "Virtual System",
             "domain XML description, else a fixed text"),
    Property("Notes", lambda setting: [setting.config.description] if setting.config.description else None,
             "domain XML description"),
    Property("ChangeableType",
             lambda setting: _CHANGEABLE_TRANSIENT if setting.guest.domain.active else _CHANGEABLE_PERSISTENT,
             "domain state: what is changed in a running domain does not last"),
    attribute("VirtualSystemIdentifier", "guest.name", DomainConfig),
    attribute("VirtualSystemType", "platform.prefix", source="platform"),
    attribute("UUID", "guest.domain.uuid", DomainConfig),
    Property("AutomaticStartupAction", _startup_action, "autostart flag of a persistent domain"),
    Property("AutoStart", lambda setting: int(setting.guest.domain.autostart), "autostart flag"),
    Property("AutomaticShutdownAction", lambda setting: _action(setting.config.on_poweroff),
             f"domain XML {DomainConfig.field_path('on_poweroff')}"),
    Property("AutomaticRecoveryAction", lambda setting: _action(setting.config.on_crash),
             f"domain XML {DomainConfig.field_path('on_crash')}"),
    _xml("EnableACPI", "features_acpi"),
    _xml("EnableAPIC", "features_apic"),
    _xml("EnablePAE", "features_pae"),
    Property("ClockOffset", _clock, f"domain XML {DomainConfig.field_path('clock_offset')}"),
    Property("IsFullVirt", lambda setting: setting.platform.full_virtualization(setting.config.os_type),
             f"domain XML {DomainConfig.field_path('os_type')}"),
    Property("BootDevices", _boot_devices,
             f"domain XML {DomainConfig.field_path('os_boot_devs')}, else boot/@order of the devices"),
    _xml("Arch", "os_type_arch"),
    _xml("Machine", "os_type_machine"),
    _xml("Emulator", "emulator"),
    _xml("Bootloader", "bootloader"),
    _xml("BootloaderArgs", "bootloader_args"),
    _xml("Kernel", "os_kernel"),
    _xml("Ramdisk", "os_initrd"),
    _xml("CommandLine", "os_cmdline"),
    _xml("InitPath", "os_init"),
)


class VirtualSystemSettingDataProvider(ElementProvider):
    """Serves <prefix>_VirtualSystemSettingData."""

    types: ClassVar = (VirtualSystemSettingData,)

    def find(self, platform: Platform, element: type[Element], keys: Mapping[str, Any]) -> Element:
        instance_id = main_key(keys, "InstanceID", "No InstanceID specified")
        if not self.site.hypervisors(platform):
            raise CIMError(Status.NOT_FOUND, "No such instance")
        prefix, colon, name = instance_id.partition(":")
        if not colon or prefix.casefold() != platform.prefix.casefold():
            raise CIMError(Status.NOT_FOUND, "No such instance (InstanceID)")
        guest = self.site.guest(platform, name)
        for setting in settings_of_guest(guest) if guest is not None else ():
            if setting.identity == f"{platform.prefix}:{name}":
                return setting
        raise CIMError(Status.NOT_FOUND, f"No such instance ({name}): {no_such_domain(name)}")
