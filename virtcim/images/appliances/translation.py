"""The domain that a machine of an appliance becomes.

Layer rule: imports `errors`, `hardware`, `machine` and `own` of this package, `libhelper.documents` and `platforms`.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Protocol

from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.hardware import Kind, adapter_model, scsi_model
from virtcim.images.appliances.machine import Controller, Drive, Machine, Port
from virtcim.images.appliances.own import fields_of
from virtcim.immutable import immutable
from virtcim.libhelper.documents.capabilities import HostCapabilities
from virtcim.libhelper.documents.domain import Controller as ControllerElement
from virtcim.libhelper.documents.domain import Disk, DomainDocument, Interface
from virtcim.libhelper.documents.domain.defaults import is_x86
from virtcim.platforms.base import Feature, Platform
from virtcim.platforms.metatemplates import MetaTemplate, SettingValue
from virtcim.platforms.newguest import NewGuest, SystemChoice, UnavailableError

__all__ = ["Bases", "Image", "Translation", "drive_address", "translate"]

_KIB = 1024
_LEAST_MEMORY = 64 << 20
"""Bytes that a guest gets whose appliance does not say."""
_PREFIXES = {"ide": "hd", "fdc": "fd", "virtio": "vd", "xen": "xvd"}
"""How the names of disks begin, by bus; all others share one."""
_UNITS = {Kind.IDE: 2, Kind.SATA: 6}
"""Drives of a controller."""
_SCSI_UNITS = {"lsilogic": 7, "virtio-scsi": 16384}
_USUAL_SCSI_UNITS = 16
_IDE_CONTROLLERS = 2
_META_FIELDS = {"Firmware": "os_firmware", "Machine": "os_type_machine", "SecureBoot": "os_loader_secure"}
"""The settings of a meta-template that a domain has beside what the appliance says, as fields of the domain."""
_ARCHITECTURES = {"arm64": "aarch64", "aarch64": "aarch64", "arm": "aarch64"}
_UEFI_MACHINE = "q35"
"""What UEFI is at home on: secure boot needs it, and other firmware tools are tried on it."""


@immutable
class Image:
    """Where the content of a drive lies.

    Attributes:
        type: libvirt's: `file`, `block`, or `volume` for what has no path.
        format: the name of the format.
    """

    type: str
    path: str
    format: str
    pool: str = ""
    volume: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        """As fields of a disk."""
        values: dict[str, Any] = {"type": self.type, "driver_type": self.format}
        match self.type:
            case "block":
                return {**values, "source_dev": self.path}
            case "volume":
                return {**values, "source_pool": self.pool, "source_volume": self.volume}
            case _:
                return {**values, "source_file": self.path}


def drive_address(bus: str, place: int, unit: int) -> dict[str, str]:
    """Write down the address of a drive, as libvirt has it.

    Parameters:
        place: of its controller among those of the bus; of `ide`, which has one, that of the channel.
        unit: its place there.
    """
    controller, inner = (0, place) if bus == "ide" else (place, 0)
    return {"type": "drive", "controller": str(controller), "bus": str(inner), "target": "0", "unit": str(unit)}


class Bases(Protocol):
    """What guests of appliances begin with, beyond what the platform knows."""

    def find(self, machine: Machine, arch: str) -> MetaTemplate | None:
        """Find the administrator's own kind of guests for a machine; None where there is none.

        Parameters:
            arch: of the guest.
        """
        ...

    def write(self, document: DomainDocument, settings: Mapping[str, SettingValue]) -> None:
        """Write properties of Virt_VirtualSystemSettingData into a domain.

        Raises:
            ApplianceError: one cannot be.
        """
        ...


@immutable
class Translation:
    """What a machine is translated with.

    Attributes:
        name: of the guest.
        platform, host: on which it is to run.
        networks: where the ports of a network go, by its name: the fields of an interface.
        images: what is in the drives, by their ids.
        keeps_addresses: whether ports get the MAC addresses that the appliance has.
        annotation: for people.
        arch: the architecture; None leaves it to the host.
        bases: what guests begin with; None for what the platform says.
    """

    name: str
    platform: Platform
    host: HostCapabilities
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    keeps_addresses: bool = False
    annotation: str = ""
    arch: str | None = None
    bases: Bases | None = None


def architecture_of(word: str) -> str | None:
    """Tell the architecture that a vendor's word for an operating system is of; None where it does not say."""
    return next((arch for part, arch in _ARCHITECTURES.items() if word.lower().startswith(part)), None)


def fitting_template(platform: Platform, machine: Machine) -> MetaTemplate | None:
    """Choose the kind of new guests that a machine is of: the one with its firmware, else the usual one."""
    firmware = machine.firmware or "bios"
    fitting = (each for each in platform.meta_templates if each.settings.get("Firmware") == firmware)
    return next(fitting, next(iter(platform.meta_templates), None))


def translate(machine: Machine, order: Translation) -> tuple[DomainDocument, tuple[str, ...]]:
    """Make the domain of a machine.

    Returns:
        the domain, and what became something else than it was, in words.

    Raises:
        ApplianceError: the platform has no such guests.
    """
    return _Translator(machine, order).translate()


class _Translator:
    """Makes one domain."""

    def __init__(self, machine: Machine, order: Translation) -> None:
        self._machine, self._order = machine, order
        self._document = DomainDocument("<domain/>")
        self._warnings: list[str] = []
        self._taken: set[tuple[str, int, int]] = set()
        self._targets: set[str] = set()

    def translate(self) -> tuple[DomainDocument, tuple[str, ...]]:
        """Make it."""
        order, machine = self._order, self._machine
        guest = NewGuest(order.platform, order.host, self._document)
        memory = -(-(machine.memory or _LEAST_MEMORY) // _KIB)
        self._set({"name": order.name, "memory": memory, "vcpu": machine.processors})
        if order.annotation:
            self._set({"description": order.annotation})
        try:
            guest.choose_system(SystemChoice(arch=order.arch))
            self._apply_template()
            self._set(fields_of(machine.config))
            guest.check_machine()
        except UnavailableError as error:
            raise ApplianceError(f"guest {order.name!r}: {error}") from None
        self._set_topology()
        if order.platform.supports(Feature.CONTROLLERS):
            self._add_controllers()
        for drive in self._sorted_drives():
            self._add_drive(drive)
        for port in machine.ports:
            self._add_port(port)
        guest.complete(with_devices=True)
        return self._document, tuple(self._warnings)

    def _apply_template(self) -> None:
        bases = self._order.bases
        template = None if bases is None else bases.find(self._machine, self._document.config.os_type_arch or "")
        if template is None:
            template = fitting_template(self._order.platform, self._machine)
        settings = {} if template is None else template.settings
        if bases is not None:
            bases.write(self._document, {name: value for name, value in settings.items() if name not in _META_FIELDS})
        values = {_META_FIELDS[name]: value for name, value in settings.items() if name in _META_FIELDS}
        if values.get("os_firmware") == "bios":
            # What machines start with unless they are told.
            del values["os_firmware"]
        if self._machine.firmware == "efi" and "os_firmware" not in values:
            self._warnings.append("firmware: this platform has no UEFI")
        own_machine = fields_of(self._machine.config).get("os_type_machine", values.get("os_type_machine"))
        if values.get("os_firmware") == "efi" and own_machine is None and is_x86(self._document.config.os_type_arch):
            values["os_type_machine"] = _UEFI_MACHINE
        self._set(values)
        if self._machine.secure_boot and values.get("os_firmware") == "efi":
            self._set({"os_loader_secure": True, "features_smm_state": True})

    def _set_topology(self) -> None:
        cores = self._machine.cores
        if cores > 1 and self._machine.processors % cores == 0 and self._order.platform.supports(Feature.CONTROLLERS):
            sockets = self._machine.processors // cores
            self._set({"cpu_topology_sockets": sockets, "cpu_topology_cores": cores, "cpu_topology_threads": 1})

    def _add_controllers(self) -> None:
        for controller in self._machine.controllers:
            if controller.kind is Kind.SCSI:
                model = scsi_model(controller.words)
                if model is None or (controller.words and controller.words[0] == "buslogic"):
                    wanted = " ".join(controller.words) or "SCSI"
                    model = model or "lsilogic"
                    self._warnings.append(f"controller {controller.id}: {wanted} becomes {model}")
                self._add(ControllerElement, {"type": "scsi", "index": controller.place, "model": model})
            elif controller.kind is Kind.SATA:
                self._add(ControllerElement, {"type": "sata", "index": controller.place})

    def _sorted_drives(self) -> list[Drive]:
        """The drives as they stand at their controllers, so that names follow places."""

        def key(drive: Drive) -> tuple[int, int, int]:
            place = -1 if drive.controller is None else drive.controller.place
            return (0 if drive.device == "disk" else 1, place, 10**6 if drive.unit is None else drive.unit)

        return sorted(self._machine.drives, key=key)

    def _add_drive(self, drive: Drive) -> None:
        image = self._order.images.get(drive.id)
        values: dict[str, Any] = {"device": drive.device, "type": "file"}
        if image is not None:
            values |= image.fields
        if self._order.platform.supports(Feature.CONTROLLERS):
            values["driver_name"] = "qemu"
            values.setdefault("driver_type", "raw")
        bus, address = self._place(drive)
        values |= {"target_bus": bus, "target_dev": self._target(bus, address)}
        if address is not None:
            values["address"] = address
        if drive.device == "cdrom":
            values["readonly"] = True
        self._add(Disk, values)

    def _place(self, drive: Drive) -> tuple[str, dict[str, str] | None]:
        """The bus of a drive, and its address there; None where libvirt is to choose one."""
        if drive.device == "floppy":
            return "fdc", self._address("fdc", 0, drive.unit, 2)
        if not self._order.platform.supports(Feature.CONTROLLERS):
            return self._order.platform.buses.disk, None
        controller = drive.controller
        if controller is None:
            kind = Kind.VIRTIO if drive.device == "disk" else Kind.IDE
            return (self._order.platform.buses.disk if kind is Kind.VIRTIO else self._media_bus()), None
        match controller.kind:
            case Kind.IDE if controller.place < _IDE_CONTROLLERS and not self._is_q35:
                return "ide", self._address("ide", controller.place, drive.unit, _UNITS[Kind.IDE])
            case Kind.SATA:
                return "sata", self._address("sata", controller.place, drive.unit, _UNITS[Kind.SATA])
            case Kind.SCSI:
                most = _SCSI_UNITS.get(scsi_model(controller.words) or "lsilogic", _USUAL_SCSI_UNITS)
                return "scsi", self._address("scsi", controller.place, drive.unit, most)
            case Kind.VIRTIO if drive.device == "disk":
                return "virtio", None
            case _:
                self._warn_moved(controller)
                return "sata", None

    @property
    def _is_q35(self) -> bool:
        return "q35" in (self._document.config.os_type_machine or "")

    def _media_bus(self) -> str:
        return "sata" if self._is_q35 else "ide"

    def _warn_moved(self, controller: Controller) -> None:
        self._warnings.append(f"controller {controller.id}: what is attached to {controller.kind} becomes sata")

    def _address(self, bus: str, place: int, unit: int | None, most: int) -> dict[str, str] | None:
        """The address of a drive; None where it is taken, or beyond what such a controller has."""
        wanted = (bus, place, -1 if unit is None else unit)
        if unit is None or unit >= most or wanted in self._taken:
            return None
        self._taken.add(wanted)
        return drive_address(bus, place, unit)

    def _target(self, bus: str, address: Mapping[str, str] | None) -> str:
        """The name of a drive: the one that libvirt gives its place, where it has one with a name of its own."""
        prefix = _PREFIXES.get(bus, "sd")
        if address is not None and bus in ("ide", "fdc"):
            number = int(address["bus"]) * 2 + int(address["unit"])
            wanted = prefix + string.ascii_lowercase[number]
        else:
            wanted = next(name for name in _names(prefix) if name not in self._targets)
        self._targets.add(wanted)
        return wanted

    def _add_port(self, port: Port) -> None:
        platform = self._order.platform
        values: dict[str, Any] = dict(self._order.networks.get(port.network, {"type": "user"}))
        if platform.supports(Feature.CONTROLLERS):
            model = adapter_model(port.words)
            if model is None or (port.words and model not in port.words and port.words[0] in ("vmxnet", "vmxnet2")):
                model = model or platform.buses.network_model
                self._warnings.append(f"port {port.id}: {' '.join(port.words) or 'adapter'} becomes {model}")
            values["model_type"] = model
        if self._order.keeps_addresses and port.address:
            values["mac_address"] = port.address
        self._add(Interface, values)

    def _add(self, kind: type[ControllerElement] | type[Disk] | type[Interface], values: dict[str, Any]) -> None:
        self._document.add_device(kind, values)

    def _set(self, values: dict[str, Any]) -> None:
        self._document.set(self._document.config, values)


def _names(prefix: str) -> Iterator[str]:
    """The names of disks in their order: sda to sdz, sdaa and so on."""
    for letter in string.ascii_lowercase:
        yield prefix + letter
    for first in string.ascii_lowercase:
        for second in string.ascii_lowercase:
            yield prefix + first + second
