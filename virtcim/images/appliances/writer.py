"""Writing a descriptor: what a guest here is, in the words of OVF 1.1 or 2.1.

Layer rule: imports `errors`, `hardware`, `own` of this package, and `libhelper.documents`.
"""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.hardware import ResourceType, adapter_word, scsi_word
from virtcim.images.appliances.own import NAMESPACE, settings_of
from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import Controller, Device, Disk, DomainConfig, Interface

__all__ = ["WrittenDisk", "network_name", "write_descriptor"]

_OVF = "http://schemas.dmtf.org/ovf/envelope/{}"
_CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_{}SettingData"
_SPACES = {
    "rasd": _CIM.format("ResourceAllocation"),
    "vssd": _CIM.format("VirtualSystem"),
    "sasd": _CIM.format("StorageAllocation") + ".xsd",
    "epasd": _CIM.format("EthernetPortAllocation") + ".xsd",
    "vmw": "http://www.vmware.com/schema/ovf",
    "virtcim": NAMESPACE,
}
"""The namespaces of the schema of OVF (DSP8023), which has the last two with their ending."""
_SYSTEM_TYPE = "virtcim:1"
_STORAGE = frozenset({ResourceType.DISK, ResourceType.CD, ResourceType.FLOPPY})
_OTHER_SYSTEM = 1
"""CIM_OperatingSystem.OSType for what is not known."""
_WRITTEN = (Disk, Controller, Interface)
_DEFAULTS = frozenset({"input", "graphics", "video", "memballoon", "console", "serial", "audio", "sound", "controller"})
"""Elements of devices that a guest gets anew, or does without, wherever it goes."""


@immutable
class WrittenDisk:
    """The file that the content of a disk was written to.

    Attributes:
        disk: of the guest.
        name: of the file; "" for an empty disk, which has none.
        size: of the file, in bytes.
        capacity: of the disk, in bytes.
        uri: of the format.
    """

    disk: Disk
    name: str
    size: int
    capacity: int
    uri: str


def network_name(port: Interface) -> str:
    """Give the name that the network of a port has in a descriptor."""
    return port.source_network or port.source_bridge or port.source_dev or port.type or "network"


def write_descriptor(config: DomainConfig, disks: Sequence[WrittenDisk], version: int) -> tuple[bytes, tuple[str, ...]]:
    """Write the descriptor of a guest.

    Parameters:
        config: the guest.
        disks: what was written of its disks.
        version: of OVF, 1 or 2.

    Returns:
        the text, and what of the guest it does not hold, in words.

    Raises:
        ApplianceError: a disk is where OVF has no word for.
    """
    return _Writer(config, disks, version).write()


class _Writer:
    """Writes one descriptor."""

    def __init__(self, config: DomainConfig, disks: Sequence[WrittenDisk], version: int) -> None:
        self._config, self._disks, self._version = config, disks, version
        self._ovf = _OVF.format(version)
        self._count = 0
        self._controllers: dict[tuple[str, int], str] = {}
        self._warnings: list[str] = []
        self._root = etree.Element(self._own("Envelope"), nsmap={"ovf": self._ovf, **_SPACES})

    def write(self) -> tuple[bytes, tuple[str, ...]]:
        """Write it."""
        references = self._add(self._root, "References")
        for number, written in enumerate(self._disks, 1):
            if written.name:
                attributes = {"id": f"file{number}", "href": written.name, "size": str(written.size)}
                self._add(references, "File", attributes)
        if self._disks:
            section = self._section(self._root, "DiskSection", "Virtual disks")
            for number, written in enumerate(self._disks, 1):
                attributes = {"diskId": f"disk{number}", "capacity": str(written.capacity)}
                if written.name:
                    attributes |= {"fileRef": f"file{number}", "format": written.uri}
                self._add(section, "Disk", attributes)
        ports = [device for device in self._config.devices if isinstance(device, Interface)]
        if ports:
            section = self._section(self._root, "NetworkSection", "Networks")
            for name in dict.fromkeys(map(network_name, ports)):
                network = self._add(section, "Network", {"name": name})
                self._add(network, "Description").text = name
        self._write_system(ports)
        text = etree.tostring(self._root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
        return text, tuple(dict.fromkeys(self._warnings))

    def _write_system(self, ports: Sequence[Interface]) -> None:
        config = self._config
        system = self._add(self._root, "VirtualSystem", {"id": config.name or ""})
        self._add(system, "Info").text = "A virtual machine"
        self._add(system, "Name").text = config.name
        if config.description:
            section = self._section(system, "AnnotationSection", "Description")
            self._add(section, "Annotation").text = config.description
        section = self._section(system, "OperatingSystemSection", "Operating system")
        section.set(self._own("id"), str(_OTHER_SYSTEM))
        hardware = self._section(system, "VirtualHardwareSection", "Virtual hardware")
        described = self._add(hardware, "System")
        for name, text in (
            ("ElementName", "Virtual Hardware Family"),
            ("InstanceID", "0"),
            ("VirtualSystemIdentifier", config.name or ""),
            ("VirtualSystemType", _SYSTEM_TYPE),
        ):
            etree.SubElement(described, f"{{{_SPACES['vssd']}}}{name}").text = text
        self._write_processors(hardware)
        self._write_memory(hardware)
        for device in config.devices:
            if isinstance(device, Disk):
                self._write_drive(hardware, device)
        for port in ports:
            self._write_port(hardware, port)
        self._write_settings(hardware)
        for device in config.devices:
            if not isinstance(device, _WRITTEN) and device.tag not in _DEFAULTS:
                self._warnings.append(f"<{device.tag}> is left out")

    def _write_processors(self, hardware: etree._Element) -> None:
        count = self._config.vcpu or 1
        item = self._item(hardware, ResourceType.PROCESSOR, f"{count} virtual CPUs", VirtualQuantity=str(count))
        cores = self._config.cpu_topology_cores
        if cores and cores > 1:
            element = etree.SubElement(item, f"{{{_SPACES['vmw']}}}CoresPerSocket")
            element.set(self._own("required"), "false")
            element.text = str(cores)

    def _write_memory(self, hardware: etree._Element) -> None:
        size = self._config.memory or 0
        whole = size % 1024 == 0
        self._item(
            hardware,
            ResourceType.MEMORY,
            f"{size // 1024} MiB of memory",
            AllocationUnits="byte * 2^20" if whole else "byte * 2^10",
            VirtualQuantity=str(size // 1024 if whole else size),
        )

    def _write_drive(self, hardware: etree._Element, disk: Disk) -> None:
        place = next((number for number, each in enumerate(self._disks, 1) if each.disk is disk), None)
        kind = {"cdrom": ResourceType.CD, "floppy": ResourceType.FLOPPY}.get(disk.device or "", ResourceType.DISK)
        values: dict[str, str] = {}
        if kind is not ResourceType.FLOPPY:
            parent, unit = self._place(hardware, disk)
            values |= {"AddressOnParent": str(unit), "Parent": parent}
        if place is not None:
            values["HostResource"] = f"ovf:/disk/disk{place}"
        elif disk.source_file or disk.source_dev or disk.source_volume:
            self._warnings.append(f"{disk.target_dev}: what is in the drive is left out")
        item = self._item(hardware, kind, f"Drive {disk.target_dev}", **values)
        if kind is not ResourceType.DISK:
            item.set(self._own("required"), "false")

    def _place(self, hardware: etree._Element, disk: Disk) -> tuple[str, int]:
        """The InstanceID of the controller of a disk, which is written once, and the place there."""
        address = disk.address
        controller, bus, unit = (_number(address.get(name)) for name in ("controller", "bus", "unit"))
        match disk.target_bus:
            case "ide":
                return self._controller(hardware, "ide", bus, ResourceType.IDE_CONTROLLER, ""), unit
            case "sata":
                number = ResourceType.STORAGE_CONTROLLER
                return self._controller(hardware, "sata", controller, number, "AHCI"), unit
            case "scsi":
                model = self._scsi_model(controller)
                number = ResourceType.SCSI_CONTROLLER
                return self._controller(hardware, "scsi", controller, number, scsi_word(model)), unit
            case "virtio":
                number = ResourceType.STORAGE_CONTROLLER
                written = self._controller(hardware, "virtio", 0, number, "virtio")
                earlier = [each for each in self._config.devices if isinstance(each, Disk)]
                return written, [each for each in earlier if each.target_bus == "virtio"].index(disk)
            case _:
                raise ApplianceError(
                    f"disk {disk.target_dev!r}: is at the bus {disk.target_bus!r}; expected ide, sata, scsi or virtio"
                )

    def _scsi_model(self, index: int) -> str:
        found = (
            each.model
            for each in self._config.devices
            if isinstance(each, Controller) and each.type == "scsi" and (each.index or 0) == index
        )
        return next(found, None) or "lsilogic"

    def _controller(self, hardware: etree._Element, kind: str, index: int, number: ResourceType, word: str) -> str:
        known = self._controllers.get((kind, index))
        if known is not None:
            return known
        values = {"Address": str(index)} | ({"ResourceSubType": word} if word else {})
        self._item(hardware, number, f"{kind.upper()} controller {index}", **values)
        self._controllers[kind, index] = str(self._count)
        return str(self._count)

    def _write_port(self, hardware: etree._Element, port: Interface) -> None:
        values = {"Connection": network_name(port)}
        if port.model_type:
            values["ResourceSubType"] = adapter_word(port.model_type)
        if port.mac_address:
            values["Address"] = port.mac_address
        self._item(hardware, ResourceType.ETHERNET, f"Network port {network_name(port)}", **values)

    def _write_settings(self, hardware: etree._Element) -> None:
        config = self._config
        settings = dict(settings_of(config))
        if config.os_firmware == "efi" or (config.os_loader or config.os_nvram):
            settings["firmware"] = "efi"
        if config.os_loader_secure:
            settings["bootOptions.efiSecureBootEnabled"] = "true"
        for key, value in settings.items():
            space = _SPACES["virtcim" if key.startswith("virtcim.") else "vmw"]
            element = etree.SubElement(hardware, f"{{{space}}}Config")
            element.set(self._own("required"), "false")
            element.set(f"{{{space}}}key", key)
            element.set(f"{{{space}}}value", value)

    def _item(self, hardware: etree._Element, number: ResourceType, name: str, **values: str) -> etree._Element:
        """Write an item, with its values in the order of their names, as the schema has them."""
        self._count += 1
        tag, space = "Item", "rasd"
        if self._version > 1 and number in _STORAGE:
            tag, space = "StorageItem", "sasd"
        elif self._version > 1 and number is ResourceType.ETHERNET:
            tag, space = "EthernetPortItem", "epasd"
        item = self._add(hardware, tag)
        values |= {"ElementName": name, "InstanceID": str(self._count), "ResourceType": str(int(number))}
        for key in sorted(values):
            etree.SubElement(item, f"{{{_SPACES[space]}}}{key}").text = values[key]
        return item

    def _section(self, parent: etree._Element, name: str, info: str) -> etree._Element:
        section = self._add(parent, name)
        self._add(section, "Info").text = info
        return section

    def _add(self, parent: etree._Element, name: str, attributes: dict[str, str] | None = None) -> etree._Element:
        element = etree.SubElement(parent, self._own(name))
        for key, value in (attributes or {}).items():
            element.set(self._own(key), value)
        return element

    def _own(self, name: str) -> str:
        return f"{{{self._ovf}}}{name}"


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


def has_content(device: Device) -> bool:
    """Tell whether a device is a disk whose content belongs to the guest."""
    return isinstance(device, Disk) and device.device in (None, "disk")
