"""Where consoles and other character devices are to be found, as addresses and URLs."""

from __future__ import annotations

from urllib.parse import quote

from virtcim.libhelper.documents.domain import Console, Graphics
from virtcim.libhelper.documents.domain.chardev import CharacterSource

__all__ = [
    "DEFAULT_LISTEN",
    "bind_url",
    "connect_url",
    "file_url",
    "graphics_address",
    "host_and_port",
    "peer_path",
    "source_path",
    "source_type",
]

DEFAULT_LISTEN = "127.0.0.1"
"""Where a display listens of which nothing is said."""
_NETWORKED = frozenset({"vnc", "spice", "rdp"})
_SOURCE_TYPES = {
    "null": 0,
    "vc": 1,
    "pty": 2,
    "dev": 3,
    "file": 4,
    "pipe": 5,
    "stdio": 6,
    "udp": 7,
    "tcp": 8,
    "unix": 9,
    "spicevmc": 10,
    "nmdm": 11,
    "spiceport": 12,
    "dbus": 13,
    "qemu-vdagent": 14,
}
_UNKNOWN_SOURCE = 32768
_PATH_TYPES = frozenset({"pty", "dev", "file", "pipe"})


def host_and_port(host: str, port: int | str | None) -> str:
    """`host:port`, an IPv6 address in brackets; the host alone where there is no port."""
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return shown if port is None or port == "" else f"{shown}:{port}"


def file_url(path: str) -> str:
    """A path of the host as a URL (RFC 8089)."""
    return f"file://{quote(path, safe='/')}"


def graphics_address(device: Graphics | Console) -> str | None:
    """Where a graphical console listens: `host:port`, port -1 as long as libvirt is still to choose one.

    A pseudo terminal has `path:port`, a display of the host its kind, what listens on a socket that socket's path.
    """
    if isinstance(device, Console):
        path = device.source_path or device.tty
        return None if path is None else f"{path}:{device.target_port or 0}"
    if device.type == "sdl":
        return "sdl"
    if device.listen_type == "socket" or device.socket:
        socket: str | None = device.listen_socket or device.socket
        return socket
    if device.type == "dbus":
        return device.dbus_address
    if device.type not in _NETWORKED or device.listen_type == "none":
        return None
    port = device.tls_port if device.port is None else device.port
    # libvirt writes 0 for a port of RDP that it is still to choose.
    return host_and_port(device.listen or device.listen_address or DEFAULT_LISTEN, port or -1)


def source_type(device: CharacterSource) -> int:
    """The code of what a character device is connected to (CharacterResourceAllocationSettingData.SourceType)."""
    return _SOURCE_TYPES.get(device.type or "", _UNKNOWN_SOURCE)


def source_path(device: CharacterSource) -> str | None:
    """The path on the host of a character device; of a SPICE port or D-Bus its channel, of a null modem one end."""
    if device.type in ("spiceport", "dbus"):
        return device.source_channel
    if device.type == "nmdm":
        return device.source_master
    path: str | None = device.source_path if device.type in _PATH_TYPES else None
    return path


def peer_path(device: CharacterSource) -> str | None:
    """The other end of a null modem; None for everything else."""
    return device.source_slave if device.type == "nmdm" else None


def bind_url(device: CharacterSource) -> str | None:
    """Where the host listens for a character device."""
    return _url(device, "bind")


def connect_url(device: CharacterSource) -> str | None:
    """Where the host connects a character device to."""
    return _url(device, "connect")


def _url(device: CharacterSource, mode: str) -> str | None:
    if device.type == "udp":
        binds = mode == "bind"
        host = device.source_bind_host if binds else device.source_connect_host
        service = device.source_bind_service if binds else device.source_connect_service
        return f"udp://{host_and_port(host or '', service)}" if host or service else None
    if device.source_mode != mode:
        return None
    if device.type == "unix":
        return file_url(device.source_path) if device.source_path else None
    if device.type == "tcp" and device.source_host:
        return f"{device.protocol_type or 'raw'}://{host_and_port(device.source_host, device.source_service)}"
    return None
