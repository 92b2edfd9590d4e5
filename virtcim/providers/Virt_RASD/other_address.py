"""What is behind a device on the host, for devices without a class of their own: Address, read and written."""

from __future__ import annotations

from collections.abc import Mapping

from virtcim.libhelper.documents.domain import (
    Audio,
    Channel,
    Device,
    Hostdev,
    Lease,
    MemoryDevice,
    Parallel,
    Redirdev,
    Rng,
    Serial,
    Shmem,
    Smartcard,
    Tpm,
)
from virtcim.libhelper.documents.domain.chardev import CharacterSource
from virtcim.providers.consoles import bind_url, connect_url, file_url, host_and_port, source_path
from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.imageurls import (
    network_url,
    pci_address,
    read_image_url,
    read_pci_address,
    socket_of,
    socket_url,
)
from virtcim.providers.Virt_RASD.character_source import SOURCE_FIELDS, source_fields

__all__ = [
    "backend_type",
    "other_address",
    "source_mode",
    "write_backend_type",
    "write_other_address",
    "write_source_mode",
]

_UUID_GROUPS = (8, 4, 4, 4, 12)
_HEXADECIMAL = frozenset("0123456789abcdef")
_SCSI = "scsi_host"
_PATHS = frozenset({"file", "dev", "pipe"})
_OWN_END = ("source_bind_host", "source_bind_service")
_NAMED = _PATHS | {"tcp", "udp", "nmdm", "spiceport", "dbus"}
"""The kinds of character devices that lead to something with a name; libvirt itself can choose that of a socket."""


def other_address(device: Device) -> str | None:
    """What is behind a device on the host; None for a device that has nothing there, or chosen by libvirt."""
    match device:
        case Hostdev():
            return _host_address(device)
        case CharacterSource():
            return _character_address(device)
        case MemoryDevice():
            return device.source_path
        case Rng():
            return device.backend if device.backend_model != "egd" else _generator_address(device)
        case Tpm():
            if device.backend_type == "passthrough":
                return device.backend_device_path
            is_external = device.backend_type == "external" and device.backend_source_path is not None
            return socket_url(device.backend_source_path or "") if is_external else None
        case Shmem():
            return socket_url(device.server_path) if device.server_path else device.name
        case Audio():
            return device.server_name or device.path
        case Lease():
            return device.target_path
        case _:
            return None


def backend_type(device: Device) -> str | None:
    """What kind of thing is behind a device on the host, in libvirt's words."""
    match device:
        case Tpm():
            return device.backend_type
        case Rng():
            return device.backend_model
        case CharacterSource():
            return device.type
        case _:
            return None


def source_mode(device: Device) -> str | None:
    """Whether the host listens at a socket or connects to it."""
    match device:
        case CharacterSource():
            return device.source_mode if device.type in ("unix", "tcp") else None
        case Rng():
            return device.backend_source_mode if device.backend_type in ("unix", "tcp") else None
        case _:
            return None


def _character_address(device: CharacterSource) -> str | None:
    match device.type:
        case "spiceport" | "dbus":
            return device.source_channel
        case "nmdm":
            return device.source_master
        case "udp":
            return " ".join(url for url in (connect_url(device), bind_url(device)) if url) or None
        case _:
            if isinstance(device, Smartcard) and device.mode == "host-certificates":
                return device.database
            return source_path(device) or bind_url(device) or connect_url(device)


def _generator_address(device: Rng) -> str | None:
    """Where a random number generator is asked, in the form of a character device."""
    match device.backend_type:
        case "unix":
            return file_url(device.backend_source_path) if device.backend_source_path else None
        case "tcp":
            place = host_and_port(device.backend_source_host or "", device.backend_source_service)
            return f"{device.backend_protocol_type or 'raw'}://{place}"
        case "udp":
            ends = (
                (device.backend_source_connect_host, device.backend_source_connect_service),
                (device.backend_source_bind_host, device.backend_source_bind_service),
            )
            return " ".join(f"udp://{host_and_port(host or '', port)}" for host, port in ends if host or port)
        case _:
            return device.backend_source_path


def _host_address(device: Hostdev) -> str | None:
    """A device of the host.

    A PCI address, vendor:product or bus.device of USB or both with a blank between them, as of a running guest, the
    UUID of a mediated device, `scsi_host0:0:1:2` (adapter, bus, target, unit),
    `iscsi://host:3260/iqn.2026-01.org.example:disk/1`, the world-wide name of a vhost target.
    """
    address = device.source_address
    if "uuid" in address:
        return address["uuid"]
    if device.source_protocol == "iscsi":
        return network_url(device)
    if device.source_wwpn:
        return device.source_wwpn
    if device.source_adapter_name:
        place = (address.get(name, "0") for name in ("bus", "target", "unit"))
        return ":".join((device.source_adapter_name, *place))
    place_on_bus = pci_address(address)
    if place_on_bus is not None:
        return place_on_bus
    found: str | None = device.source_block or device.source_char or device.source_interface
    return _usb_address(device) or found


def _usb_address(device: Hostdev) -> str | None:
    """What a USB device is, and where it is: libvirt says that, too, while a guest has it."""
    address = device.source_address
    found = []
    if device.source_vendor_id and device.source_product_id:
        found.append(f"{device.source_vendor_id.removeprefix('0x')}:{device.source_product_id.removeprefix('0x')}")
    if {"bus", "device"} <= address.keys():
        found.append(f"{address['bus']}.{address['device']}")
    return " ".join(found) or None


def write_other_address(draft: Draft, value: str) -> None:
    """Address: what is behind the device on the host."""
    match draft.base:
        case Hostdev():
            _write_host_device(draft, value)
        case MemoryDevice():
            draft.put("source_path", value or None)
        case Smartcard() if draft.now("mode") == "host-certificates":
            draft.put("database", value or None)
        case Serial() | Parallel() | Channel() | Redirdev() | Smartcard():
            _write_character(draft, value)
        case Rng():
            _write_generator(draft, value)
        case Tpm():
            _write_backend(draft, value)
        case Shmem():
            is_socket = value.startswith("unix://")
            draft.put("server_path" if is_socket else "name", socket_of(value) if is_socket else value)
        case Audio():
            has_file = draft.now("type") in ("file", "oss")
            draft.put("path" if has_file else "server_name", value or None)
        case Lease():
            draft.put("target_path", value)
        case _:
            raise ValueRefusedError("Address: the device has none")


def write_backend_type(draft: Draft, value: str) -> None:
    """BackendType; the writer of Address has written it already where the two are given together."""
    match draft.base:
        case Tpm():
            draft.put("backend_type", value)
        case Rng():
            draft.put("backend_model", value)
        case CharacterSource() if draft.now("type") != value:
            if value in _NAMED and "Address" not in draft.given:
                raise ValueRefusedError(f"BackendType: {value} needs an Address", contradiction=True)
            _put_source(draft, value, {})
        case CharacterSource():
            pass
        case _:
            raise ValueRefusedError(f"BackendType does not apply to <{draft.base.tag}>", contradiction=True)


def write_source_mode(draft: Draft, value: str) -> None:
    """SourceMode; the writer of Address has written it already where the two are given together."""
    if "Address" not in draft.given:
        draft.put("backend_source_mode" if isinstance(draft.base, Rng) else "source_mode", value or None)


def _put_source(draft: Draft, kind: str | None, source: Mapping[str, object]) -> None:
    """Have a character device lead elsewhere: what said where it led goes."""
    draft.put("type", kind)
    for field in SOURCE_FIELDS:
        if field in source:
            draft.put(field, source[field])
        elif getattr(draft.base, field) is not None and (field != "source_slave" or kind != "nmdm"):
            draft.put(field, None)


def _write_character(draft: Draft, value: str) -> None:
    kind = draft.given.get("BackendType") or draft.now("type")
    if kind is None and value.startswith("/"):
        kind = "dev" if value.startswith("/dev/") else "file"
    if kind in _PATHS and not value.startswith("/"):
        raise ValueRefusedError(f"Address: {value} is not a path of the host; expected an absolute one")
    _put_source(draft, kind, _character_fields(draft, kind, value))


def _character_fields(draft: Draft, kind: str | None, value: str) -> Mapping[str, object]:
    if kind == "pty" and draft.is_new:
        return {}  # libvirt chooses it
    if kind in _PATHS or kind == "pty":
        return {"source_path": value}
    if kind in ("spiceport", "dbus"):
        return {"source_channel": value}
    if kind == "nmdm":
        return {"source_master": value}
    if kind == "udp":
        return _datagram_fields(value)
    if kind in ("unix", "tcp"):
        return source_fields(kind, _mode(draft, draft.base.source_mode), value)
    raise ValueRefusedError("Address cannot be changed")


def _datagram_fields(value: str) -> dict[str, object]:
    """Where datagrams go, and after a blank where they are awaited: libvirt needs the first only."""
    connect, _, bind = value.partition(" ")
    return source_fields("udp", "connect", connect) | (source_fields("udp", "bind", bind) if bind else {})


def _mode(draft: Draft, now: str | None) -> str:
    mode = draft.given.get("SourceMode") or now or "connect"
    if mode not in ("bind", "connect"):
        raise ValueRefusedError(f"Invalid value for SourceMode: {mode}")
    return str(mode)


def _write_generator(draft: Draft, value: str) -> None:
    is_path = value.startswith("/")
    if is_path and (draft.given.get("BackendType") or draft.now("backend_model")) != "egd":
        draft.put("backend_model", "random")
        draft.put("backend", value)
        return
    draft.put("backend_model", "egd")
    if is_path:
        if draft.base.backend_type not in _PATHS:
            draft.put("backend_type", "dev" if value.startswith("/dev/") else "file")
        draft.put("backend_source_path", value)
        return
    kind = value.partition("://")[0]
    kind = {"file": "unix", "udp": "udp"}.get(kind, "tcp")
    draft.put("backend_type", kind)
    if kind == "udp":
        found = dict.fromkeys(_OWN_END) | _datagram_fields(value)
    else:
        found = source_fields(kind, _mode(draft, draft.base.backend_source_mode), value)
    for field, each in found.items():
        draft.put(f"backend_{field}", each)


def _write_backend(draft: Draft, value: str) -> None:
    if value.startswith("/"):
        draft.put("backend_type", "passthrough")
        draft.put("backend_device_path", value)
    else:
        draft.put("backend_type", "external")
        draft.put("backend_source_type", "unix")
        draft.put("backend_source_mode", "connect")
        draft.put("backend_source_path", socket_of(value))


def _write_host_device(draft: Draft, value: str) -> None:
    if not draft.is_new:
        raise ValueRefusedError("Address of a host device cannot be changed: remove it and add another")
    fields = _host_device(draft, value)
    if fields is None:
        raise ValueRefusedError(f"Address: {value} is not a device of the host; expected one")
    draft.put("mode", "subsystem")
    for field, found in fields.items():
        draft.put(field, found)


def _host_device(draft: Draft, value: str) -> dict[str, object] | None:
    """The fields of a device of the host; None for what names none."""
    pci = read_pci_address(value)
    if pci is not None:
        return {"type": "pci", "managed": True, "source_address": pci}
    if value.startswith("/"):
        return _of_container(draft, value)
    if value.startswith("iscsi://"):
        found = read_image_url(value)
        source = {} if found is None else found[1]
        kept = ("source_protocol", "source_name", "source_hosts")
        return {"type": "scsi", **{field: source[field] for field in kept}}
    if value.startswith("naa."):
        return {"type": "scsi_host", "source_protocol": "vhost", "source_wwpn": value}
    first, *rest = value.split(":")
    if first.startswith(_SCSI) and len(rest) == len(("bus", "target", "unit")) and all(map(_is_decimal, rest)):
        place = dict(zip(("bus", "target", "unit"), rest, strict=True))
        return {"type": "scsi", "source_adapter_name": first, "source_address": place}
    usb = [_usb_fields(part) for part in value.split(" ")]
    if [len(fields) for fields in usb] in ([1], [2], [2, 1]):
        return {"type": "usb"} | {name: found for fields in usb for name, found in fields.items()}
    groups = value.split("-")
    if tuple(map(len, groups)) == _UUID_GROUPS and all(map(_is_hexadecimal, groups)):
        return {"type": "mdev", "model": "vfio-pci", "source_address": {"uuid": value.lower()}}
    if draft.given.get("ResourceSubType") == "net" and value:
        return {"mode": "capabilities", "type": "net", "source_interface": value}
    return None


def _usb_fields(value: str) -> dict[str, object]:
    """The fields of the vendor:product or bus.device of a USB device; none for what is neither."""
    vendor, _, product = value.partition(":")
    if all(len(part) == len("1d6b") and _is_hexadecimal(part) for part in (vendor, product)):
        return {"source_vendor_id": f"0x{vendor}", "source_product_id": f"0x{product}"}
    bus, dot, number = value.partition(".")
    if dot and _is_decimal(bus) and _is_decimal(number):
        return {"source_address": {"bus": bus, "device": number}}
    return {}


def _of_container(draft: Draft, path: str) -> dict[str, object]:
    """A device node of the host that a container is given."""
    is_character = draft.given.get("ResourceSubType") == "misc"
    source = "source_char" if is_character else "source_block"
    return {"mode": "capabilities", "type": "misc" if is_character else "storage", source: path}


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len(str(1 << 64))


def _is_hexadecimal(text: str) -> bool:
    return set(text.lower()) <= _HEXADECIMAL
