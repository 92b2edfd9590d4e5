"""What a template says of its guests, as one configuration of a guest has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from virtcim.images.templates import SettingValue, Template
from virtcim.libhelper.documents.domain import Controller, Disk, DomainConfig
from virtcim.providers.base import Element
from virtcim.providers.guest import Configuration
from virtcim.providers.options import OPTIONS
from virtcim.providers.Virt_RASD import setting_for
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

__all__ = ["described_template", "own_disks"]

_SUFFIX = "ResourceAllocationSettingData"
_TAKEN = ("Mem", "Proc", "Net", "Controller")
"""The resources that a template says something of; all others are as new guests have them."""
_OWN = frozenset(
    {
        *("VirtualSystemIdentifier", "ElementName", "UUID", "Title", "Description", "VirtualSystemType"),
        *("AutomaticStartupAction", "AutoStart", "FirmwareVariables", "Emulator"),
    }
)
"""What is the guest's own, or its host's."""
_OWN_OPTIONS = ("os/nvram/@type=", "os/nvram/source/", "sysinfo/")
"""Those of the options that are: where the firmware keeps its variables, and by which numbers the machine is known."""
_OWN_OF_RESOURCES = frozenset({"Address", "ElementName", "InstanceID", "GuestDevice", "VirtualDevice"})
_SCSI = "scsi"


def described_template(configuration: Configuration) -> Template:
    """Describe the guests of a template: settings, memory, processors, networks, and what the system disk hangs on.

    Parameters:
        configuration: what they are to be like.

    Returns:
        a template without an image, whose id is still to be given.
    """
    config = configuration.config
    disks = own_disks(config)
    return Template(
        id="",
        platforms=(configuration.guest.platform.prefix,),
        architecture=config.os_type_arch or "",
        disk={"BusType": disks[0].target_bus} if disks and disks[0].target_bus else {},
        settings=_settings(VirtualSystemSettingData(configuration), _OWN | {"Arch"}),
        resources=tuple(_resources(configuration)),
    )


def own_disks(config: DomainConfig) -> list[Disk]:
    """List the disks that a guest writes to alone: drives for media are none.  The first one is that of the system."""
    return [each for each in config.devices if isinstance(each, Disk) and _is_own(each)]


def _resources(configuration: Configuration) -> Iterator[Mapping[str, SettingValue]]:
    on_scsi = any(disk.target_bus == _SCSI for disk in own_disks(configuration.config)[:1])
    for identifier in configuration.entries:
        setting = setting_for(configuration, identifier)
        word = "" if setting is None else setting.base.removesuffix(_SUFFIX)
        if setting is None or word not in _TAKEN:
            continue
        device = getattr(setting, "device", None)
        # Systems are installed for one model of controller; all others are as new guests have them.
        if isinstance(device, Controller) and not (on_scsi and device.type == _SCSI and device.model):
            continue
        values = _settings(setting, _OWN_OF_RESOURCES)
        units = setting.properties().get("AllocationUnits")
        yield {"kind": word, **({"AllocationUnits": units} if isinstance(units, str) else {}), **values}


def _is_own(disk: Disk) -> bool:
    """Whether a disk is no drive for media, and one that a guest writes to alone."""
    return (disk.device or "disk") == "disk" and not disk.readonly and not disk.shareable


def _settings(setting: Element, without: frozenset[str]) -> dict[str, SettingValue]:
    """What a client could say of a setting, as a template says it."""
    table, shown = setting.table, setting.properties()
    found: dict[str, SettingValue] = {}
    for name, value in shown.items():
        if name in without or name not in table or not table[name].writable:
            continue
        if isinstance(value, str | int) and value != "":
            found[name] = value
        elif isinstance(value, list | tuple) and value and all(isinstance(each, str | int) for each in value):
            kept = tuple(each for each in value if name != OPTIONS or not str(each).startswith(_OWN_OPTIONS))
            if kept:
                found[name] = kept
    return found
