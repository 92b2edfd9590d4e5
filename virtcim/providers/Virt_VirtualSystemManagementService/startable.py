"""What QEMU does not start although libvirt defines it: a change that leads there is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import Channel, Disk, Graphics, MemoryDevice, Parallel, Serial
from virtcim.libhelper.documents.domain.companions import root_bus_of
from virtcim.libhelper.documents.domain.defaults import is_x86
from virtcim.libhelper.documents.domain.device import VirtioOptions
from virtcim.providers.drafts import ValueRefusedError

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device, DomainConfig
    from virtcim.providers.drafts import DraftContext

__all__ = ["check_start"]

_SLOTTED = frozenset({"dimm", "nvdimm"})
"""Memory modules that stand in slots, of which the guest learns through ACPI."""
_ACPI_SLOTS = frozenset({"x86_64", "i686", "aarch64"})
"""The architectures whose slots are known to ACPI and to nothing else."""
_EMULATED = "qemu"
_NEEDS_KVM = {
    "features_hyperv_vpindex_state": "HyperVFeatures: vpindex",
    "features_pvspinlock_state": "Options: features/pvspinlock/@state=on",
}
"""By the field that switches it on, what an emulated processor has not."""
_MODERN = "virtio-non-transitional"
_SERIAL_PORTS, _PARALLEL_PORTS = 4, 3
"""What a PC has at most."""


def check_start(context: DraftContext, before: DomainConfig | None = None) -> None:
    """Refuse what keeps a guest from starting.

    Parameters:
        context: with the configuration that is to be.
        before: the configuration as it was; None for a new guest.  What kept that from starting is not held against
            the change.

    Raises:
        ValueRefusedError: names the property that is at fault.
    """
    if context.live or context.hypervisor.driver != "QEMU":
        return
    known: Counter[str] = Counter() if before is None else Counter(_obstacles(before))
    raised = Counter(_obstacles(context.config)) - known
    if raised:
        raise ValueRefusedError(next(iter(raised)), contradiction=True)


def _obstacles(config: DomainConfig) -> Iterator[str]:
    """Each thing for which QEMU would not start a guest, in words."""
    for rule in _RULES:
        yield from rule(config)


def _slots_without_acpi(config: DomainConfig) -> Iterator[str]:
    if config.features_acpi or config.os_type_arch not in _ACPI_SLOTS:
        return
    for device in config.devices:
        if isinstance(device, MemoryDevice) and device.model in _SLOTTED:
            yield f"EnableACPI: a memory module of type {device.model} needs it; expected true"


def _emulation_of_what_kvm_has(config: DomainConfig) -> Iterator[str]:
    if config.type != _EMULATED:
        return
    if config.cpu_mode == "host-passthrough":
        yield "CPUMode: host-passthrough needs the DomainType kvm; expected another mode for an emulated processor"
    for field, words in _NEEDS_KVM.items():
        if getattr(config, field):
            yield f"{words} needs the DomainType kvm; expected none for an emulated processor"


def _tables_of_firmware(config: DomainConfig) -> Iterator[str]:
    if config.os_smbios_mode == "sysinfo" and config.sysinfo_type != "smbios":
        yield "SMBIOSMode: sysinfo needs what the tables are to say; expected Options such as sysinfo/@type=smbios"


def _translation_on_old_buses(config: DomainConfig) -> Iterator[str]:
    """On a PCI bus that is no PCI Express, a virtio device is of the old kind, too, which knows no IOMMU."""
    if root_bus_of(config) != "pci":
        return
    for device in config.devices:
        if isinstance(device, VirtioOptions) and device.driver_iommu and getattr(device, "model", None) != _MODERN:
            yield (
                f"Options: driver/@iommu=on of a <{device.tag}> needs PCI Express or the Model {_MODERN};"
                f" expected another Machine than {config.os_type_machine}"
            )


def _more_than_there_can_be(config: DomainConfig) -> Iterator[str]:
    """Each device beyond those of its kind that QEMU takes."""
    found: Counter[tuple[object, ...]] = Counter()
    for device in config.devices:
        kind = _limited_kind(device, config)
        if kind is None:
            continue
        key, most, words = kind
        found[key] += 1
        if found[key] > most:
            yield words


def _limited_kind(device: Device, config: DomainConfig) -> tuple[tuple[object, ...], int, str] | None:
    """What tells the devices apart of which there can be some only, how many that is, and how more are refused.

    None for a device of which there can be any number.
    """
    match device:
        case Graphics():
            words = f"ResourceSubType: QEMU has one display of type {device.type}; expected another type"
            return (device.tag, device.type), 1, words
        case Serial() if is_x86(config.os_type_arch) and device.target_type in (None, "isa-serial"):
            words = f"ResourceSubType: QEMU has {_SERIAL_PORTS} ports of type isa-serial; expected another type"
            return (device.tag,), _SERIAL_PORTS, words
        case Parallel():
            words = f"ResourceType: QEMU has {_PARALLEL_PORTS} parallel ports; expected no more"
            return (device.tag,), _PARALLEL_PORTS, words
        case Channel() if device.target_type == "virtio" and device.target_name:
            words = f"TargetName: another channel has the name {device.target_name}; expected one of its own"
            return (device.tag, device.target_name), 1, words
        case Disk() if device.source_file and not device.readonly and not device.shareable:
            words = f"Address: another disk writes to {device.source_file}; expected shareable, or another image"
            return (device.tag, device.source_file), 1, words
        case _:
            return None


_RULES: tuple[Callable[[DomainConfig], Iterator[str]], ...] = (
    _slots_without_acpi,
    _emulation_of_what_kvm_has,
    _tables_of_firmware,
    _translation_on_old_buses,
    _more_than_there_can_be,
)
