"""What one system of an appliance is in one deployment option: processors, memory, controllers, drives, ports.

Layer rule: imports `description`, `errors`, `hardware` and `units` of this package.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import field

from virtcim.images.appliances.description import Disk, Hardware, Item, System
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.hardware import NOT_NEEDED, Kind, ResourceType, controller_kind, words_of
from virtcim.images.appliances.units import bytes_per_unit
from virtcim.immutable import immutable

__all__ = ["Controller", "Drive", "Machine", "Port", "capacity_of", "settle_machine"]

_MOST_PROCESSORS = 8192
_MOST_MEMORY = 2**50
_MOST_CAPACITY = 2**60
"""Bytes: what file systems hold."""
_DRIVES: Mapping[int, str] = {
    ResourceType.FLOPPY: "floppy",
    ResourceType.CD: "cdrom",
    ResourceType.DVD: "cdrom",
    ResourceType.DISK: "disk",
    ResourceType.LOGICAL_DISK: "disk",
    ResourceType.STORAGE_VOLUME: "disk",
}
"""libvirt's word for a drive by its type."""
_MIB = 2**20
_MOST_CONTROLLERS = 16
"""Of a kind that addresses count; greater ones, such as those of a PCI bus, say something else."""
_REFERENCE = re.compile(r"(?:ovf:/{1,2}|/)?(disk|file)/(.+)")
_VARIABLE = re.compile(r"\$\{([^{}]+)\}")
_VMCI = "vmware.vmci"
"""A channel to VMware's hypervisor, which appliances name though their guests do without."""


@immutable
class Controller:
    """A controller that drives are attached to.

    Attributes:
        id: its InstanceID.
        words: alternatives of what it is, in small letters.
        place: among the controllers of its kind.
    """

    id: str
    kind: Kind
    words: tuple[str, ...] = ()
    place: int = 0


@immutable
class Drive:
    """A disk, or a drive for media.

    Attributes:
        id: its InstanceID.
        device: libvirt's word: `disk`, `cdrom`, `floppy`.
        controller: that it is attached to; None where that is left open.
        unit: its place there; None where that is left open.
        disk: id of the disk of the appliance; "" for none.
        file: id of the file of the appliance that is in the drive; "" for none.
        capacity: bytes of an empty disk that the appliance does not list; 0 for none.
    """

    id: str
    device: str
    controller: Controller | None = None
    unit: int | None = None
    disk: str = ""
    file: str = ""
    capacity: int = 0


@immutable
class Port:
    """A port to a network of the appliance.

    Attributes:
        id: its InstanceID.
        network: the name; "" for none.
        words: alternatives of what it is, in small letters.
        address: its MAC address; "" where that is left open.
    """

    id: str
    network: str = ""
    words: tuple[str, ...] = ()
    address: str = ""


@immutable
class Machine:
    """The hardware of a system.

    Attributes:
        kinds: types of systems that it fits.
        processors: how many.
        cores: of them in a socket; 0 where that is left open.
        memory: in bytes.
        firmware: `bios`, `efi`, or "" where that is left open.
        secure_boot: whether the firmware starts signed systems only.
        transports: how the guest expects to be told its properties.
        config: what a vendor adds, by key.
        warnings: what is left out, in words.
    """

    kinds: tuple[str, ...] = ()
    processors: int = 1
    cores: int = 0
    memory: int = 0
    controllers: tuple[Controller, ...] = ()
    drives: tuple[Drive, ...] = ()
    ports: tuple[Port, ...] = ()
    firmware: str = ""
    secure_boot: bool = False
    transports: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def settle_machine(system: System, option: str) -> Machine:
    """Settle the hardware of a system in a deployment option.

    Parameters:
        option: its id; "" for the appliances that have none.

    Raises:
        ApplianceError: it says of no hardware, or of some that no guest can have.
    """
    if not system.hardware:
        raise ApplianceError(f"system {system.id!r}: has no virtual hardware; expected a VirtualHardwareSection")
    return _Settler(system.id, system.hardware[0], option).settle()


def capacity_of(disk: Disk, properties: Mapping[str, str]) -> int:
    """Compute the capacity of a disk, in bytes.

    Parameters:
        properties: values by key, which a capacity may refer to.

    Raises:
        ApplianceError: it refers to no property, or is no capacity.
    """
    variable = _VARIABLE.fullmatch(disk.capacity)
    text = disk.capacity if variable is None else properties.get(variable[1], "")
    if not re.fullmatch(r"[0-9]{1,19}", text) or not 0 < int(text) * disk.unit <= _MOST_CAPACITY:
        raise ApplianceError(f"disk {disk.id!r}: has a capacity of {text[:80]!r}; expected a number of bytes")
    return int(text) * disk.unit


class _Settler:
    """Settles one machine."""

    def __init__(self, system: str, hardware: Hardware, option: str) -> None:
        self._context, self._hardware = f"system {system!r}", hardware
        chosen = (item for item in hardware.items if not item.configurations or option in item.configurations)
        # An item of the option stands for that of all options which has the same name.
        items: dict[str, Item] = {}
        for item in chosen:
            known = items.get(item.text("InstanceID"))
            if item.bound == "normal" and (known is None or not known.configurations):
                items[item.text("InstanceID")] = item
        self._items = items
        self._warnings: list[str] = []

    def settle(self) -> Machine:
        """Make the machine."""
        controllers = self._controllers()
        drives, ports = [], []
        processors, cores, memory = 0, 0, 0
        for item in self._items.values():
            match item.resource_type:
                case ResourceType.PROCESSOR:
                    processors += self._quantity(item)
                    cores = self._cores(item) or cores
                case ResourceType.MEMORY:
                    memory += self._memory(item)
                case number if number in _DRIVES:
                    drives.append(self._drive(item, controllers))
                case ResourceType.ETHERNET:
                    ports.append(self._port(item))
                case _ if item.text("InstanceID") not in controllers:
                    self._leave_out(item)
        if processors > _MOST_PROCESSORS or memory > _MOST_MEMORY:
            raise ApplianceError(f"{self._context}: has {processors} processors and {memory} bytes; expected less")
        config = self._hardware.config
        return Machine(
            kinds=self._hardware.kinds,
            processors=processors or 1,
            cores=cores,
            memory=memory,
            controllers=tuple(controllers.values()),
            drives=tuple(drives),
            ports=tuple(ports),
            firmware={"efi": "efi", "bios": "bios"}.get(config.get("firmware", "").lower(), ""),
            secure_boot=config.get("bootOptions.efiSecureBootEnabled", "").lower() == "true",
            transports=self._hardware.transports,
            config=config,
            warnings=tuple(self._warnings),
        )

    def _controllers(self) -> dict[str, Controller]:
        found: dict[str, Controller] = {}
        taken = defaultdict[Kind, set[int]](set)
        for item in sorted(self._items.values(), key=_address):
            words = words_of(item.text("ResourceSubType"))
            kind = controller_kind(item.resource_type, words)
            if kind is Kind.OTHER:
                self._leave_out(item)
            elif kind is not None:
                place = _place(item, taken[kind])
                taken[kind].add(place)
                found[item.text("InstanceID")] = Controller(item.text("InstanceID"), kind, words, place)
        return found

    def _drive(self, item: Item, controllers: Mapping[str, Controller]) -> Drive:
        disk = file = ""
        for source in item.values.get("HostResource", ()):
            reference = _REFERENCE.fullmatch(source)
            if reference is None:
                # What was in the drive of the host that it was exported from.
                continue
            disk, file = (reference[2], file) if reference[1] == "disk" else (disk, reference[2])
        device = _DRIVES[item.resource_type]
        capacity = self._capacity(item) if device == "disk" and not disk and not file else 0
        unit = item.text("AddressOnParent")
        return Drive(
            id=item.text("InstanceID"),
            device=device,
            controller=controllers.get(item.text("Parent")),
            unit=int(unit) if re.fullmatch(r"[0-9]{1,4}", unit) else None,
            disk=disk,
            file=file,
            capacity=capacity,
        )

    def _capacity(self, item: Item) -> int:
        """The bytes of a disk that no file or Disk stands for.

        Raises:
            ApplianceError: it says none that can be had.
        """
        size = int(item.text("VirtualQuantity") or 0) * bytes_per_unit(item.text("AllocationUnits"))
        if not 0 < size <= _MOST_CAPACITY:
            raise ApplianceError(f"{self._name(item)}: has no disk and no size; expected one such as ovf:/disk/ID")
        return size

    def _port(self, item: Item) -> Port:
        return Port(
            id=item.text("InstanceID"),
            network=item.text("Connection"),
            words=words_of(item.text("ResourceSubType")),
            address=item.text("Address"),
        )

    def _leave_out(self, item: Item) -> None:
        """Leave out what no guest here has.

        Raises:
            ApplianceError: the system cannot do without.
        """
        words = words_of(item.text("ResourceSubType"))
        if item.is_required and item.resource_type not in NOT_NEEDED and _VMCI not in words:
            raise ApplianceError(
                f"{self._name(item)}: is of type {item.resource_type} {' '.join(words)}; expected hardware that can "
                'be had, or required="false"'
            )
        self._warnings.append(f"{self._name(item)}: is left out")

    def _quantity(self, item: Item) -> int:
        return int(item.text("VirtualQuantity") or 1)

    def _cores(self, item: Item) -> int:
        text = item.text("CoresPerSocket")
        return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0

    def _memory(self, item: Item) -> int:
        units = item.text("AllocationUnits")
        return self._quantity(item) * (bytes_per_unit(units) if units else _MIB)

    def _name(self, item: Item) -> str:
        name = item.text("ElementName") or item.text("Caption")
        return f"{self._context}: item {item.text('InstanceID')[:80]!r}{f' ({name[:80]})' if name else ''}"


def _address(item: Item) -> int:
    """By what controllers are sorted: their addresses, those without after the others."""
    text = item.text("Address")
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 10**6


def _place(item: Item, taken: Collection[int]) -> int:
    """The place of a controller among those of its kind: its address where that can be one, else the first free one."""
    address = _address(item)
    if address < _MOST_CONTROLLERS and address not in taken:
        return address
    # Of those that are taken, only addresses can lie behind the first free one.
    first = max(0, len(taken) - _MOST_CONTROLLERS)
    return next(number for number in itertools.count(first) if number not in taken)
