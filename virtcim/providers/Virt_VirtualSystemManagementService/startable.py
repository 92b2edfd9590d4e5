"""What QEMU never starts although libvirt defines it: a change that leads there is refused.

What the next change can make right is not refused: a module of memory before ACPI is switched on, say, or tags of an
interface before its network is another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import (
    Channel,
    Disk,
    Filesystem,
    Graphics,
    Parallel,
    Serial,
)
from virtcim.libhelper.documents.domain.defaults import is_x86
from virtcim.libhelper.xml.mapping import read_number
from virtcim.providers.drafts import ValueRefusedError

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device, DomainConfig
    from virtcim.providers.drafts import DraftContext

__all__ = ["check_start"]

_EVERYWHERE = "qemu64"
"""A processor that every libvirt for PCs knows."""
_SERIAL_PORTS, _PARALLEL_PORTS = 4, 3
"""What a PC has at most."""


@immutable
class _Range:
    """The numbers that QEMU takes in a field of a device.

    Attributes:
        field: of the device.
        name: of the property, and of the option where it is one.
        lowest, highest: which it takes.
        is_power: whether it takes only powers of two.
    """

    field: str
    name: str
    lowest: int
    highest: int
    is_power: bool = False

    def takes(self, number: int) -> bool:
        """Whether QEMU takes a number."""
        return self.lowest <= number <= self.highest and not (self.is_power and number & (number - 1))


_FOREIGN_BUSES = frozenset({"xen", "uml"})
"""The buses of disks that other hypervisors have."""
_SMALLEST_BLOCK, _LARGEST_BLOCK = 512, 2 << 20
_RANGES: Mapping[tuple[str, str | None], Sequence[_Range]] = {
    ("disk", None): (
        _Range("blockio_logical_block_size", "LogicalBlockSize", _SMALLEST_BLOCK, _LARGEST_BLOCK, is_power=True),
        _Range("blockio_physical_block_size", "PhysicalBlockSize", _SMALLEST_BLOCK, _LARGEST_BLOCK, is_power=True),
        _Range("driver_queues", "QueueCount", 1, 1024),
        _Range("driver_queue_size", "Options: driver/@queue_size", 4, 1024, is_power=True),
    ),
    ("controller", "scsi"): (_Range("driver_queues", "Queues", 1, 1022),),
    ("controller", "virtio-serial"): (_Range("ports", "Ports", 1, 511),),
    ("video", "virtio"): (_Range("model_heads", "Heads", 1, 16),),
    ("video", "bochs"): (_Range("model_vram", "VideoMemory", 4 << 10, 256 << 10),),
}
"""By the element of a device and its kind, None for all of them."""
_LAST_UNITS = {"ide": (1, 1), "sata": (0, 5)}
"""By the bus of a disk that has no more of them, the last bus of a controller and the last unit of each."""
_LONGEST_TAG = 31
"""Bytes in the name by which a guest finds a directory of the host."""
_LONGEST_TAGS = {"virtiofs": 36}
"""The same by the driver, where that has other ones."""


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
    _check_processor(context, before)


def _check_processor(context: DraftContext, before: DomainConfig | None) -> None:
    """Refuse a processor, and features of one, that nobody knows by that name; libvirt looks when the guest starts."""
    config, hypervisor = context.config, context.hypervisor
    is_of_host = config.os_type_arch == hypervisor.host_capabilities().cpu_arch
    if not is_x86(config.os_type_arch) or not is_of_host:
        return
    known = set() if before is None else {each.name for each in before.cpu_features}
    new = [each.name for each in config.cpu_features if each.name and each.name not in known]
    model = config.cpu_model
    if model is not None and (before is None or model != before.cpu_model):
        objection = hypervisor.domains.check_processor(model)
        if objection is not None:
            raise ValueRefusedError(f"CPUModel: {objection.message}; expected one that libvirt knows")
    objection = hypervisor.domains.check_processor(_EVERYWHERE, new) if new else None
    if objection is not None:
        raise ValueRefusedError(f"CPUFeatures: {objection.message}; expected such that libvirt knows")


def _obstacles(config: DomainConfig) -> Iterator[str]:
    """Each thing for which QEMU would not start a guest, in words."""
    for rule in _RULES:
        yield from rule(config)


def _tables_of_firmware(config: DomainConfig) -> Iterator[str]:
    if config.os_smbios_mode == "sysinfo" and config.sysinfo_type != "smbios":
        yield "SMBIOSMode: sysinfo needs what the tables are to say; expected Options such as sysinfo/@type=smbios"


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
        case _:
            return None


def _numbers_beyond(config: DomainConfig) -> Iterator[str]:
    for device in config.devices:
        kind = getattr(device, "model_type" if device.tag == "video" else "type", None)
        for each in (*_RANGES.get((device.tag, None), ()), *_RANGES.get((device.tag, kind), ())):
            number = getattr(device, each.field)
            if number is not None and not each.takes(number):
                powers = "a power of two from " if each.is_power else ""
                yield f"{each.name}: QEMU takes no {number}; expected {powers}{each.lowest} to {each.highest}"


def _places_beyond(config: DomainConfig) -> Iterator[str]:
    for device in config.devices:
        if (
            not isinstance(device, Disk)
            or device.target_bus not in _LAST_UNITS
            or device.address.get("type") != "drive"
        ):
            continue
        last_bus, last_unit = _LAST_UNITS[device.target_bus]
        bus, unit = (read_number(device.address.get(name, "0")) or 0 for name in ("bus", "unit"))
        if bus > last_bus or unit > last_unit:
            yield (
                f"AddressValues: a controller of {device.target_bus} has no bus {bus} with a unit {unit};"
                f" expected {last_bus} and {last_unit} at most"
            )


def _names_of_directories(config: DomainConfig) -> Iterator[str]:
    for device in config.devices:
        if not isinstance(device, Filesystem):
            continue
        size = len((device.target_dir or "").encode())
        most = _LONGEST_TAGS.get(device.driver_type or "", _LONGEST_TAG)
        if size > most:
            yield f"MountPoint: {device.target_dir} has {size} bytes; expected {most} at most"


def _ports_of_two_displays(config: DomainConfig) -> Iterator[str]:
    taken: set[int] = set()
    for device in config.devices:
        if not isinstance(device, Graphics):
            continue
        for name, port in (
            ("Address", device.port),
            ("TLSPort", device.tls_port),
            ("WebSocketPort", device.websocket),
        ):
            if port is None or port <= 0 or device.autoport:
                continue
            if port in taken:
                yield f"{name}: port {port} is that of another display or use; expected one of its own"
            taken.add(port)


def _nodes_without_memory(config: DomainConfig) -> Iterator[str]:
    for cell in config.cpu_numa_cells:
        if not cell.memory:
            yield "NUMACells: a cell has no memory; expected some in each"


def _nodes_before_those_with_processors(config: DomainConfig) -> Iterator[str]:
    """At the start of such a guest libvirt 9.0 itself ends, and with it the management of all others."""
    if any(after.cpus and not before.cpus for before, after in pairwise(config.cpu_numa_cells)):
        yield "NUMACells: a cell without processors stands before one with some; expected those without at the end"


def _buses_of_other_machines(config: DomainConfig) -> Iterator[str]:
    missing = _FOREIGN_BUSES | ({"sd"} if is_x86(config.os_type_arch) else set())
    for device in config.devices:
        if isinstance(device, Disk) and device.target_bus in missing:
            yield f"BusType: the guest's machine has no bus {device.target_bus}; expected another one"


_RULES: tuple[Callable[[DomainConfig], Iterator[str]], ...] = (
    _tables_of_firmware,
    _more_than_there_can_be,
    _numbers_beyond,
    _places_beyond,
    _names_of_directories,
    _ports_of_two_displays,
    _nodes_without_memory,
    _nodes_before_those_with_processors,
    _buses_of_other_machines,
)
