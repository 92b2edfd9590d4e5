"""What ties a domain to its host: devices of the host that it has, and that do not move with it.

Layer rule: imports libvirt, xml, documents and errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import libvirt

from virtcim.libhelper.documents.domain import (
    Chardev,
    Device,
    Disk,
    DomainConfig,
    Filesystem,
    Hostdev,
    Input,
    Interface,
    Shmem,
    Smartcard,
    Tpm,
)
from virtcim.libhelper.errors import look_up
from virtcim.libhelper.xml.text import parse_xml

__all__ = ["missing_devices", "ties"]

_REPLACED = "transient"
"""The `<teaming>` of a device that libvirt takes away before a migration, as the guest has another one for it."""


def ties(config: DomainConfig) -> Iterator[str]:
    """Say what a domain that runs cannot take with it.

    Parameters:
        config: of the domain as it runs.
    """
    # A serial port is listed as a console, too.
    yield from dict.fromkeys(text for device in config.devices if (text := _tie(device)))


def _tie(device: Device) -> str:
    """What ties a guest with this device to its host; "" where nothing does."""
    passed = "is passed through to the guest"
    if isinstance(device, Hostdev):
        is_tied = device.teaming_type != _REPLACED
        return f"a device of this host ({device.type or 'hostdev'}) {passed}" if is_tied else ""
    if isinstance(device, Interface):
        is_tied = device.type in ("hostdev", "vdpa") and device.teaming_type != _REPLACED
        return f"a network device of this host ({device.type}) {passed}" if is_tied else ""
    if isinstance(device, Disk):
        return f"disk {device.target_dev}: an NVMe drive of this host {passed}" if device.type == "nvme" else ""
    if isinstance(device, Tpm):
        return f"the TPM of this host {passed}" if device.backend_type == "passthrough" else ""
    if isinstance(device, Smartcard):
        return f"a smart card of this host {passed}" if device.mode in ("host", "host-certificates") else ""
    if isinstance(device, Input):
        path = device.source_evdev or device.source_dev
        return f"the input device {path} of this host {passed}" if path else ""
    if isinstance(device, Filesystem):
        return f"directory {device.source_dir} of this host is shared with the guest" if device.source_dir else ""
    if isinstance(device, Shmem):
        is_own = device.role == "master"
        return "" if is_own else f"memory of this host ({device.name}) is shared with the guest, and is not its own"
    if isinstance(device, Chardev) and device.type == "dev":
        return f"the character device {device.source_path} of this host {passed}"
    return ""


def missing_devices(config: DomainConfig, target: libvirt.virConnect) -> Iterator[str]:
    """Say which devices of a host a domain that is to be started there would lack.

    Parameters:
        config: of the domain as it is to be there.
        target: the connection to that host.

    Raises:
        libvirt.libvirtError: the host cannot tell.
    """
    for device in config.devices:
        if not isinstance(device, Hostdev):
            continue
        if device.type == "pci":
            name = _pci_name(device.source_address)
            if name and look_up(target.nodeDeviceLookupByName, name) is None:
                yield f"there is no PCI device {name.removeprefix('pci_')} there"
        elif device.type == "usb" and device.source_vendor_id and device.source_product_id:
            wanted = _number(device.source_vendor_id), _number(device.source_product_id)
            if wanted not in list(_usb_devices(target)):
                yield f"there is no USB device {device.source_vendor_id}:{device.source_product_id} there"


def _pci_name(address: Mapping[str, str] | None) -> str:
    """The name by which libvirt has a PCI device of a host (`pci_0000_00_1f_2`); "" for an address that is none."""
    given = address or {}
    try:
        parts = [_number(given[name]) for name in ("bus", "slot", "function")]
        return "pci_{:04x}_{:02x}_{:02x}_{:x}".format(_number(given.get("domain", "0")), *parts)
    except (KeyError, ValueError):
        return ""


def _number(text: str) -> int:
    return int(text, 0)


def _usb_devices(target: libvirt.virConnect) -> Iterator[tuple[int, int]]:
    """The USB devices of a host: vendor and product."""
    for each in target.listAllDevices(libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV):
        found = parse_xml(each.XMLDesc(0)).find("capability[@type='usb_device']")
        ids = [] if found is None else [found.find(name) for name in ("vendor", "product")]
        if len(ids) == 2 and all(one is not None and one.get("id") for one in ids):
            vendor, product = (_number(one.get("id", "0")) for one in ids if one is not None)
            yield vendor, product
