"""Settings of guests as <prefix>_VirtualSystemSettingData (CIM_VirtualSystemSettingData; DSP1057)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import attrgetter
from typing import Self
from uuid import UUID

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.names import DOMAIN
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, MainKey, no_such_domain, trimmed
from virtcim.providers.drafts import Draft, ValueRefusedError, Writer, as_text, chosen, flag, to
from virtcim.providers.guest import CHANGEABLE_TYPE, Configuration, Guest
from virtcim.providers.guests import split_identifier
from virtcim.providers.interface import CIMError, CIMValue, Keys, Properties, Status
from virtcim.providers.keys import main_key
from virtcim.providers.options import SYSTEM_BESIDE, with_options
from virtcim.providers.properties import MappedField, Property, PropertyTable, attribute
from virtcim.providers.requested import lasting_xml, template_in
from virtcim.providers.site import Site
from virtcim.providers.sources import GuestSource
from virtcim.providers.templates import find_template_setting
from virtcim.providers.Virt_VSSD.parts import (
    HYPERV_FIELDS,
    boot_devices,
    clock,
    cpu_features,
    enrolled_keys,
    hyperv_features,
    numa_cells,
    secure_boot,
    timers,
    write_adjustment,
    write_arguments,
    write_boot_devices,
    write_clock,
    write_cpu_features,
    write_enrolled_keys,
    write_firmware,
    write_hyperv_features,
    write_loader,
    write_loader_type,
    write_mode,
    write_model,
    write_numa_cells,
    write_secure_boot,
    write_start,
    write_timers,
    write_timezone,
    write_topology,
)
from virtcim.providers.Virt_VSSD.snapshot import SNAPSHOT

__all__ = [
    "VirtualSystemSettingData",
    "VirtualSystemSettingDataProvider",
    "setting_of",
    "settings_of_guest",
    "snapshots_of_guest",
]

_ACTIONS = {
    "destroy": 2,
    "coredump-destroy": 2,
    "restart": 3,
    "rename-restart": 3,
    "coredump-restart": 3,
    "preserve": 123,
}
"""libvirt's on_poweroff, on_reboot and on_crash in the values of the properties for them."""
_ACTION_WORDS = {2: "destroy", 3: "restart", 123: "preserve"}
_DEFAULT_ACTION = 2
_DEFAULT_REBOOT = 3

_NO_STARTUP, _ALWAYS_STARTUP = 2, 4
_STANDARD_TEXT = "Virtual System"
_SNAPSHOT_TEXT = "Snapshot"


class _Configurations(GuestSource):
    """Guests, by InstanceIDs of their configurations."""

    def owners_near(self, site: Site, platform: Platform, key: str) -> Iterable[Guest]:
        prefix, _, name = key.partition(":")
        if prefix.casefold() != platform.prefix.casefold():
            return ()
        return [
            *super().owners_near(site, platform, name),
            *(guest for guest, _ in split_identifier(site, platform, name)),
        ]


class VirtualSystemSettingData(Element):
    """The settings of a guest as a whole (Virt_VirtualSystemSettingData)."""

    __slots__ = ("config", "configuration", "guest")

    base = "VirtualSystemSettingData"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No such instance (InstanceID)", Status.NOT_FOUND)
    ignores_case = True
    source = _Configurations()

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.config = configuration.config
        self.guest = configuration.guest
        super().__init__(self.guest.site, self.guest.platform, configuration.instance_id)

    @classmethod
    def made_from(cls, owner: Guest) -> Iterable[Self]:
        return [configuration.memo(cls, cls) for configuration in owner.all_configurations]

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        if not site.hypervisors(platform):
            return CIMError(Status.NOT_FOUND, "No such instance")
        prefix, colon, name = key.partition(":")
        if not colon or prefix.casefold() != platform.prefix.casefold():
            return CIMError(Status.NOT_FOUND, "No such instance (InstanceID)")
        return CIMError(Status.NOT_FOUND, f"No such instance ({name}): {no_such_domain(name)}")

    def declared_values(self: Self) -> Properties:
        return self.table.layers("config").of_part(self, self.config)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision


def setting_of(configuration: Configuration) -> VirtualSystemSettingData:
    """The settings as a whole of a configuration."""
    return configuration.memo(VirtualSystemSettingData, VirtualSystemSettingData)


def settings_of_guest(guest: Guest) -> Sequence[VirtualSystemSettingData]:
    """The settings as a whole in which a guest is, or is going to be."""
    return [setting_of(configuration) for configuration in guest.configurations]


def snapshots_of_guest(guest: Guest) -> Sequence[VirtualSystemSettingData]:
    """The settings as a whole in which a guest was, one for each of its snapshots."""
    return [setting_of(configuration) for configuration in guest.snapshots]


def _action(word: str | None, default: int = _DEFAULT_ACTION) -> int:
    return _ACTIONS.get(word or "", default)


def _template(setting: VirtualSystemSettingData) -> str | None:
    """The template that the guest was made of."""
    made = setting.guest.memo(_template, lambda guest: template_in(lasting_xml(guest.domain)))
    return None if made is None else made.key


def _element_name(setting: VirtualSystemSettingData) -> str:
    snapshot = setting.configuration.snapshot
    return setting.guest.name if snapshot is None else snapshot.name


def _caption(setting: VirtualSystemSettingData) -> str:
    snapshot = setting.configuration.snapshot
    if snapshot is not None:
        return trimmed(f"{_SNAPSHOT_TEXT} {snapshot.name} of {setting.guest.name}")
    return trimmed(setting.config.title or _STANDARD_TEXT)


def _notes(setting: VirtualSystemSettingData) -> list[str] | None:
    snapshot = setting.configuration.snapshot
    described = setting.config if snapshot is None else snapshot.config
    return [described.description] if described is not None and described.description else None


def _autostart(setting: VirtualSystemSettingData) -> int | None:
    return None if setting.configuration.snapshot is not None else int(setting.guest.domain.autostart)


def _startup_action(setting: VirtualSystemSettingData) -> int | None:
    domain = setting.guest.domain
    if not domain.persistent or setting.configuration.snapshot is not None:
        return None
    return _ALWAYS_STARTUP if domain.autostart else _NO_STARTUP


def _xml(name: str, field: MappedField) -> Property[VirtualSystemSettingData]:
    """A property that is a field of the domain as a whole."""
    return attribute(name, lambda setting: getattr(setting.config, field.name), DomainConfig, writable=True)


def _part(
    name: str, get: Callable[[DomainConfig], CIMValue], write: Writer, *fields: MappedField
) -> Property[VirtualSystemSettingData]:
    """A property that is more than one field."""
    source = "domain XML " + ", ".join(DomainConfig.field_path(field.name) for field in fields)
    return Property(name, lambda setting: get(setting.config), source, write)


def _flag(name: str, field: MappedField) -> Property[VirtualSystemSettingData]:
    """A property that says whether an element is there."""
    return attribute(name, lambda setting: getattr(setting.config, field.name), DomainConfig, write=flag(field.name))


def _on_event(name: str, field: MappedField, default: int = _DEFAULT_ACTION) -> Property[VirtualSystemSettingData]:
    """A property that says what becomes of the domain."""
    return Property(
        name,
        lambda setting: _action(getattr(setting.config, field.name), default),
        f"domain XML {DomainConfig.field_path(field.name)}",
        chosen(name, field.name, _ACTION_WORDS),
    )


def _topology(name: str, field: MappedField) -> Property[VirtualSystemSettingData]:
    """A number of the topology of the processors."""
    return attribute(
        name,
        lambda setting: getattr(setting.config, field.name),
        DomainConfig,
        write=write_topology(name, field.name),
    )


def _write_startup(draft: Draft, value: int) -> None:
    """AutomaticStartupAction."""
    if value not in (_NO_STARTUP, _ALWAYS_STARTUP):
        raise ValueRefusedError(f"Invalid value for AutomaticStartupAction: {value}")
    _write_autostart(draft, int(value == _ALWAYS_STARTUP))


def _write_autostart(draft: Draft, value: int) -> None:
    """AutoStart."""
    if draft.autostart is not None and draft.autostart != bool(value):
        raise ValueRefusedError("AutoStart and AutomaticStartupAction contradict each other", contradiction=True)
    draft.autostart = bool(value)


def _write_name(draft: Draft, value: str) -> None:
    """VirtualSystemIdentifier and ElementName, which are both the name of the domain."""
    if objection := DOMAIN.objection(value):
        raise ValueRefusedError(f"VirtualSystemIdentifier: {objection}")
    if draft.fields.get("name", value) != value:
        raise ValueRefusedError("VirtualSystemIdentifier and ElementName contradict each other", contradiction=True)
    draft.put("name", value)


def _write_uuid(draft: Draft, value: str) -> None:
    """UUID, of a new guest only."""
    try:
        uuid = str(UUID(value))
    except ValueError:
        raise ValueRefusedError(f"Invalid value for UUID: {value}") from None
    if not draft.is_new and uuid != draft.base.uuid:
        raise ValueRefusedError(
            f"{draft.base.name} is already defined with UUID {draft.base.uuid} - cannot change "
            f"UUID to the UUID specified {value}"
        )
    draft.put("uuid", uuid)


def _write_type(draft: Draft, value: str) -> None:
    """VirtualSystemType: the platform's prefix, or one of its domain types."""
    platform = draft.context.platform
    kind = value.strip().lower()
    if kind in platform.domain_types and "DomainType" not in draft.given:
        if kind != platform.prefix.lower():
            draft.put("type", kind)
    elif kind != platform.prefix.lower():
        raise ValueRefusedError(f"Invalid value for VirtualSystemType: {value}")


def _write_domain_type(draft: Draft, value: str) -> None:
    """DomainType."""
    if value not in draft.context.platform.domain_types:
        raise ValueRefusedError(f"Invalid value for DomainType: {value}")
    draft.put("type", value)


def _write_full_virtualization(draft: Draft, value: bool) -> None:
    """IsFullVirt, of a new guest only; a container, which is neither, is not fully virtual."""
    platform = draft.context.platform
    if not value and platform.full_virtualization(draft.base.os_type) is None:
        return
    if not draft.is_new:
        raise ValueRefusedError("IsFullVirt: the type of virtualization cannot be changed")
    kinds = [kind for kind in platform.os_types if bool(platform.full_virtualization(kind)) is value]
    if not kinds:
        raise ValueRefusedError(f"Invalid value for IsFullVirt: {value}")
    draft.put("os_type", "linux" if "linux" in kinds else kinds[0])


VirtualSystemSettingData.table = with_options(
    PropertyTable(
        attribute(
            "InstanceID", lambda setting: setting.configuration.instance_id, source="platform and domain XML name"
        ),
        attribute("VirtualSystemIdentifier", lambda setting: setting.guest.name, DomainConfig, write=_write_name),
        Property("ElementName", _element_name, "domain XML name; of a snapshot, its name", _write_name),
        Property(
            "Caption", _caption, "domain XML title, else a fixed text; of a snapshot, its name and that of the guest"
        ),
        Property("Template", _template, "domain XML metadata urn:virtcim:template"),
        attribute("Title", lambda setting: setting.config.title, DomainConfig, write=as_text("title")),
        Property(
            "Description",
            lambda setting: setting.config.description or _STANDARD_TEXT,
            "domain XML description, else a fixed text",
            to("description", lambda value: None if value == _STANDARD_TEXT else value or None),
        ),
        Property("Notes", _notes, "domain XML description; of a snapshot, snapshot XML description"),
        Property("ChangeableType", lambda setting: setting.configuration.changeable_type, CHANGEABLE_TYPE),
        SNAPSHOT,
        attribute("VirtualSystemType", lambda setting: setting.platform.prefix, source="platform", write=_write_type),
        attribute("DomainType", lambda setting: setting.config.type, DomainConfig, write=_write_domain_type),
        attribute("UUID", lambda setting: setting.guest.domain.uuid, DomainConfig, write=_write_uuid),
        Property("AutomaticStartupAction", _startup_action, "autostart flag of a persistent domain", _write_startup),
        Property("AutoStart", _autostart, "autostart flag; none of a snapshot", _write_autostart),
        _on_event("AutomaticShutdownAction", DomainConfig.on_poweroff),
        _on_event("AutomaticRebootAction", DomainConfig.on_reboot, _DEFAULT_REBOOT),
        _on_event("AutomaticRecoveryAction", DomainConfig.on_crash),
        _flag("EnableACPI", DomainConfig.features_acpi),
        _flag("EnableAPIC", DomainConfig.features_apic),
        _flag("EnablePAE", DomainConfig.features_pae),
        _flag("EnableHAP", DomainConfig.features_hap),
        _xml("EnableSMM", DomainConfig.features_smm_state),
        _xml("EnableVMPort", DomainConfig.features_vmport_state),
        _xml("EnablePMU", DomainConfig.features_pmu_state),
        _xml("HideHypervisor", DomainConfig.features_kvm_hidden_state),
        _part("HyperVFeatures", hyperv_features, write_hyperv_features, *HYPERV_FIELDS),
        _part("ClockOffset", clock, write_clock, DomainConfig.clock_offset, DomainConfig.clock_basis),
        attribute("ClockTimezone", lambda setting: setting.config.clock_timezone, DomainConfig, write=write_timezone),
        attribute(
            "ClockAdjustment", lambda setting: setting.config.clock_adjustment, DomainConfig, write=write_adjustment
        ),
        attribute("ClockStart", lambda setting: setting.config.clock_start, DomainConfig, write=write_start),
        _part("Timers", timers, write_timers, DomainConfig.clock_timers),
        Property(
            "IsFullVirt",
            lambda setting: setting.platform.full_virtualization(setting.config.os_type),
            f"domain XML {DomainConfig.field_path('os_type')}",
            _write_full_virtualization,
        ),
        Property(
            "BootDevices",
            lambda setting: boot_devices(setting.config),
            f"domain XML {DomainConfig.field_path('os_boot_devs')}, else boot/@order of the devices",
            write_boot_devices,
        ),
        _xml("BootMenu", DomainConfig.os_bootmenu_enable),
        attribute(
            "BootMenuTimeout",
            lambda setting: setting.config.os_bootmenu_timeout,
            DomainConfig,
            write=to("os_bootmenu_timeout"),
        ),
        _part("Firmware", lambda config: config.os_firmware, write_firmware, DomainConfig.os_firmware),
        _part("FirmwareLoader", lambda config: config.os_loader, write_loader, DomainConfig.os_loader),
        _part(
            "FirmwareLoaderType", lambda config: config.os_loader_type, write_loader_type, DomainConfig.os_loader_type
        ),
        _xml("FirmwareVariables", DomainConfig.os_nvram),
        _part(
            "SecureBoot",
            secure_boot,
            write_secure_boot,
            DomainConfig.os_firmware_features,
            DomainConfig.os_loader_secure,
        ),
        _part("EnrolledKeys", enrolled_keys, write_enrolled_keys, DomainConfig.os_firmware_features),
        _xml("SMBIOSMode", DomainConfig.os_smbios_mode),
        _xml("Arch", DomainConfig.os_type_arch),
        _xml("Machine", DomainConfig.os_type_machine),
        _xml("Emulator", DomainConfig.emulator),
        attribute("CPUMode", lambda setting: setting.config.cpu_mode, DomainConfig, write=write_mode),
        _part("CPUModel", lambda config: config.cpu_model, write_model, DomainConfig.cpu_model),
        _part("CPUFeatures", cpu_features, write_cpu_features, DomainConfig.cpu_features),
        _topology("CPUSockets", DomainConfig.cpu_topology_sockets),
        _topology("CPUDies", DomainConfig.cpu_topology_dies),
        _topology("CPUCores", DomainConfig.cpu_topology_cores),
        _topology("CPUThreads", DomainConfig.cpu_topology_threads),
        Property(
            "NUMACells",
            lambda setting: numa_cells(setting.config),
            "domain XML "
            + ", ".join(f"{DomainConfig.field_path('cpu_numa_cells')}/{each}" for each in ("@id", "@cpus", "@memory")),
            write_numa_cells,
        ),
        attribute(
            "IOWeight",
            lambda setting: setting.config.blkiotune_weight,
            DomainConfig,
            write=to("blkiotune_weight", lambda value: value or None),
        ),
        _xml("Bootloader", DomainConfig.bootloader),
        _xml("BootloaderArgs", DomainConfig.bootloader_args),
        _xml("Kernel", DomainConfig.os_kernel),
        _xml("Ramdisk", DomainConfig.os_initrd),
        _xml("CommandLine", DomainConfig.os_cmdline),
        _xml("InitPath", DomainConfig.os_init),
        _part(
            "InitArguments", lambda config: list(config.os_initargs) or None, write_arguments, DomainConfig.os_initargs
        ),
    ),
    DomainConfig,
    get=attrgetter("config"),
    beside=SYSTEM_BESIDE,
)


class VirtualSystemSettingDataProvider(ElementProvider):
    """Serves <prefix>_VirtualSystemSettingData."""

    name = "Virt_VSSD"
    types = (VirtualSystemSettingData,)

    def find(self, platform: Platform, element: type[Element], keys: Keys) -> Element:
        """The settings of a guest, else those of the template with that InstanceID."""
        try:
            return super().find(platform, element, keys)
        except CIMError as error:
            template = find_template_setting(self.site, platform, main_key(keys, *element.main_key))
            if template is None or error.status is not Status.NOT_FOUND:
                raise
            return template
