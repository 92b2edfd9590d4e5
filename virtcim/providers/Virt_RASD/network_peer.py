"""What an interface is attached to that is neither a network nor a device of the host: HostResource."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from virtcim.providers.consoles import host_and_port
from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.imageurls import pci_address, read_pci_address, socket_of, socket_url

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Interface

__all__ = ["PEERS", "host_resource", "user_source"]

_MODES = frozenset({"client", "server"})
_LAST_PORT = 65535
_PASST = "passt"
"""The program that can take the place of a virtual switch, with no socket of its own."""
_SCHEMES = {"server": "tcp", "client": "tcp", "mcast": "udp", "udp": "udp"}
"""By type of interface, how packets reach the other guests."""


def host_resource(device: Interface) -> list[str] | None:
    """What is behind an interface, as URLs: one, and of type udp the other side and the own.

    `0000:03:10.1` is a device of the host's PCI bus, `unix:///run/switch.sock` the socket of a virtual switch,
    `tcp://192.0.2.1:5558` where guests talk to each other.
    """
    match device.type:
        case "hostdev":
            place = pci_address(device.source_address)
            return None if place is None else [place]
        case "vhostuser":
            return [socket_url(device.source_path)] if device.source_path else None
        case "server" | "client" | "mcast" | "udp":
            return _sockets(device)
        case "vdpa":
            return [f"file://{device.source_dev}"] if device.source_dev else None
        case _:
            return None


def _sockets(device: Interface) -> list[str] | None:
    scheme = _SCHEMES[device.type or ""]
    ends = [(device.source_host_address, device.source_port)]
    if device.type == "udp":
        ends.append((device.source_local_address, device.source_local_port))
    urls = [f"{scheme}://{host_and_port(host or '', port)}" for host, port in ends if host or port]
    return urls or None


def _given(draft: Draft, kind: str, count: int = 1) -> Sequence[str] | None:
    """What the client wants it attached to; None to leave what there is."""
    urls: Sequence[str] | None = draft.given.get("HostResource")
    if urls is None and draft.base.type == kind and not draft.is_new:
        return None
    if urls is None or len(urls) != count or None in urls:
        raise ValueRefusedError(f"HostResource: an interface of type {kind} needs {count}")
    return urls


def _pci(draft: Draft) -> dict[str, object]:
    urls = _given(draft, "hostdev")
    if urls is None:
        return {"source_address": dict(draft.base.source_address)}
    address = read_pci_address(urls[0])
    if address is None:
        raise ValueRefusedError("HostResource: a device of the host has the form 0000:03:10.1", urls[0])
    return {"source_address": {"type": "pci", **address}}


def user_source(draft: Draft) -> dict[str, object]:
    """The device of the host through which the traffic of a program of its user leaves, where that is chosen."""
    own = draft.base.source_dev if draft.base.type in ("user", "vhostuser") else None
    return {"source_dev": draft.given.get("SourceDevice", own) or None}


def _switch(draft: Draft) -> dict[str, object]:
    if "HostResource" not in draft.given and draft.given.get("BackendType", draft.base.backend_type) == _PASST:
        return user_source(draft)
    if draft.given.get("SourceDevice"):
        raise ValueRefusedError(
            "SourceDevice means nothing to an interface of type vhostuser with a socket of its own", contradiction=True
        )
    urls = _given(draft, "vhostuser")
    own = draft.base if draft.base.type == "vhostuser" else None
    mode = draft.given.get("NetworkMode", (own and own.source_mode) or "client")
    if mode not in _MODES:
        raise ValueRefusedError(f"Invalid value for NetworkMode: {mode}")
    path = draft.base.source_path if urls is None else socket_of(urls[0])
    return {"source_type": "unix", "source_path": path, "source_mode": mode}


def _vdpa(draft: Draft) -> dict[str, object]:
    urls = _given(draft, "vdpa")
    if urls is None:
        return {"source_dev": draft.base.source_dev}
    path = urls[0].removeprefix("file://")
    if not path.startswith("/"):
        raise ValueRefusedError("HostResource: a device of the host has the form file:///dev/vhost-vdpa-0", urls[0])
    return {"source_dev": path}


def _socket(kind: str) -> Callable[[Draft], dict[str, object]]:
    def source(draft: Draft) -> dict[str, object]:
        urls = _given(draft, kind, 2 if kind == "udp" else 1)
        if urls is None:
            fields = ("source_host_address", "source_port", "source_local_address", "source_local_port")
            return {field: getattr(draft.base, field) for field in fields}
        host, port = _read(urls[0], kind)
        found: dict[str, object] = {"source_host_address": host, "source_port": port}
        if kind == "udp":
            found["source_local_address"], found["source_local_port"] = _read(urls[1], kind)
        return found

    return source


def _read(url: str, kind: str) -> tuple[str | None, int]:
    scheme = f"{_SCHEMES[kind]}://"
    host, _, port = url.removeprefix(scheme).rpartition(":")
    is_port = port.isascii() and port.isdecimal() and len(port) <= len(str(_LAST_PORT)) and int(port) <= _LAST_PORT
    if not url.startswith(scheme) or not is_port:
        raise ValueRefusedError(f"HostResource: an interface of type {kind} has the form {scheme}host:port", url)
    return host.removeprefix("[").removesuffix("]") or None, int(port)


PEERS: Mapping[str, Callable[[Draft], dict[str, object]]] = {
    "hostdev": _pci,
    "vhostuser": _switch,
    "vdpa": _vdpa,
    **{kind: _socket(kind) for kind in _SCHEMES},
}
"""By type of interface, the fields of its source from what a client wants."""
