"""Where a graphical console is to listen, in the domain XML."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import Console, Graphics, Serial
from virtcim.providers.consoles import DEFAULT_LISTEN
from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.imageurls import socket_of, socket_url

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device
    from virtcim.providers.drafts import DraftContext, GivenProperties

__all__ = [
    "HIDDEN",
    "display_class",
    "finish_display",
    "is_ipv6_only",
    "listen_addresses",
    "write_address",
    "write_ipv6_only",
    "write_key_map",
    "write_listens",
    "write_password",
    "write_sub_type",
]

HIDDEN = "********"
"""What is shown in place of a password."""
_KINDS: dict[str, type[Device]] = {
    "vnc": Graphics,
    "spice": Graphics,
    "sdl": Graphics,
    "rdp": Graphics,
    "dbus": Graphics,
    "egl-headless": Graphics,
    "console": Console,
    "serial": Serial,
}
_NETWORKED = frozenset({"vnc", "spice", "rdp"})
_AUTO = -1
_LAST_PORT = 65535


def display_class(_context: DraftContext, given: GivenProperties) -> type[Device]:
    """What kind of device a new graphical console is."""
    kind = given.get("ResourceSubType")
    if kind is None:
        raise ValueRefusedError("GraphicsRASD ResourceSubType field not valid")
    if kind not in _KINDS:
        raise ValueRefusedError(f"Unsupported graphics type: {kind}")
    return _KINDS[kind]


def write_sub_type(draft: Draft, value: str) -> None:
    """ResourceSubType."""
    if isinstance(draft.base, Graphics):
        if _KINDS.get(value) is not Graphics:
            raise ValueRefusedError("GraphicsRASD ResourceSubType field not valid")
        draft.put("type", value)
    elif draft.is_new:
        draft.put("type", "pty")
    else:
        raise ValueRefusedError("GraphicsRASD ResourceSubType field not valid")


def write_address(draft: Draft, value: str) -> None:
    """Address: `host:port`; `path:port` of a pseudo terminal; `xauth:display` of a window on the host."""
    if not isinstance(draft.base, Graphics):
        _write_terminal(draft, value)
        return
    kind = draft.now("type")
    if kind == "sdl":
        _write_window(draft, value)
    elif kind in _NETWORKED and value.startswith("/"):
        _write_socket(draft, value)
    elif kind in _NETWORKED:
        _write_listener(draft, value)
    elif kind == "dbus":
        draft.put("dbus_address", value or None)
    else:
        raise ValueRefusedError("GraphicsRASD field Address not valid", f"{kind} has no address")


def listen_addresses(device: Graphics) -> list[str] | None:
    """Where a display listens: addresses, `unix:///path`, `network:NAME`, and `none` where it does not."""
    shown = []
    for listen in device.listens:
        match listen.type:
            case "socket":
                shown.append(socket_url(listen.socket) if listen.socket else "unix:")
            case "network":
                shown.append(f"network:{listen.network}")
            case "none":
                shown.append("none")
            case _:
                shown.append(listen.address or "")
    return shown or None


def write_listens(draft: Draft, value: Sequence[str]) -> None:
    """ListenAddresses; no address leaves libvirt to choose one."""
    if not isinstance(draft.base, Graphics) or draft.now("type") not in _NETWORKED:
        raise ValueRefusedError("ListenAddresses: this console has none", contradiction=True)
    listens = [_listen_element(each) for each in value]
    draft.put("listens", listens)
    draft.fields.pop("listen_address", None)
    first = listens[0] if listens else {}
    if "Address" in draft.given and not _leads_to(draft.given["Address"], first):
        raise ValueRefusedError("Address and ListenAddresses contradict each other", contradiction=True)
    draft.put("listen", first.get("address"))
    draft.put("socket", None)


def _leads_to(address: str, listen: Mapping[str, str | None]) -> bool:
    """Whether Address means a listener; which address of a network it is, is known once the guest runs."""
    match listen.get("type"):
        case "network":
            return True
        case "none":
            return False
        case "socket":
            return address.startswith("/") and listen["socket"] in (None, address)
        case _:
            return _host_in(address) == (listen.get("address") or DEFAULT_LISTEN)


def _host_in(address: str) -> str:
    """The host of `host:port`, without the brackets of an IPv6 address."""
    host = address.rpartition(":")[0]
    return host.removeprefix("[").removesuffix("]") if host.startswith("[") else host


def _listen_element(text: str) -> dict[str, str | None]:
    if text == "none":
        return {"type": "none"}
    if text.startswith("network:"):
        return {"type": "network", "network": text.removeprefix("network:")}
    if text.startswith("unix:"):
        return {"type": "socket", "socket": None if text == "unix:" else socket_of(text)}
    if not _is_host(text):
        raise ValueRefusedError("ListenAddresses: is no address, unix:///path, network:NAME or none", text)
    return {"type": "address", "address": text or None}


def is_ipv6_only(host: str) -> bool:
    """Whether an address is one of IPv6, and not all of them, which are those of IPv4, too."""
    return ":" in host and host != "::"


def write_ipv6_only(draft: Draft, value: bool) -> None:
    """IsIPv6Only; of a window on the host it says, as libvirt-cim has it, whether it takes the whole screen."""
    if not isinstance(draft.base, Graphics):
        if value and not draft.is_new:
            raise ValueRefusedError("IsIPv6Only: this console listens on no address", contradiction=True)
        return
    if draft.now("type") == "sdl":
        draft.put("fullscreen", value)
    elif "Address" not in draft.given:
        host = draft.now("listen") or draft.now("listen_address")
        if is_ipv6_only(host or "") != value:
            _listen(draft, "::1" if value else "127.0.0.1")
    elif value != is_ipv6_only(draft.now("listen") or ""):
        raise ValueRefusedError("IsIPv6Only and Address contradict each other", contradiction=True)


def write_key_map(draft: Draft, value: str) -> None:
    """KeyMap; the empty text removes it."""
    if isinstance(draft.base, Graphics):
        draft.put("keymap", value or None)
    elif value:
        raise ValueRefusedError("KeyMap: this console has none", contradiction=True)


def write_password(draft: Draft, value: str) -> None:
    """Password; the asterisks that stand for one that is set change nothing, the empty text removes it."""
    if value == HIDDEN:
        return
    if not isinstance(draft.base, Graphics) or draft.now("type") not in ("vnc", "spice"):
        raise ValueRefusedError("Password: this console has none", contradiction=True)
    draft.put("passwd", value or None)


def finish_display(draft: Draft) -> None:
    """Fill in what was left open of a new graphical console.

    How long a password holds is nothing without it, and nobody can read it to send it here.
    """
    if draft.given.get("Password") == HIDDEN and isinstance(draft.base, Graphics):
        for field in ("passwd_valid_to", "connected"):
            draft.fields.pop(field, None)
            draft.properties.pop(field, None)
    if (
        isinstance(draft.base, Graphics)
        and draft.now("type") in _NETWORKED
        and draft.now("port") is None
        and "listens" not in draft.fields
    ):
        draft.put("port", _AUTO)
        draft.put("autoport", True)
        if draft.now("listen") is None:
            draft.put("listen", "127.0.0.1")


def _write_terminal(draft: Draft, value: str) -> None:
    path, separator, port = value.rpartition(":")
    if not separator or (port and not port.isdigit()):
        raise ValueRefusedError("GraphicsRASD field Address not valid", value)
    if port:
        draft.put("target_port", port)
    if path and not draft.is_new and path != draft.base.source_path:
        raise ValueRefusedError("GraphicsRASD field Address not valid", "libvirt chooses the pseudo terminal")


def _write_window(draft: Draft, value: str) -> None:
    if value == "sdl":
        return
    xauth, separator, display = value.partition(":")
    if not separator:
        raise ValueRefusedError("GraphicsRASD sdl Address not valid", value)
    draft.put("xauth", xauth or None)
    draft.put("display", f":{display}" if display else None)


def _write_socket(draft: Draft, path: str) -> None:
    if not draft.is_new and path not in (draft.base.socket, draft.base.listen_socket):
        raise ValueRefusedError("GraphicsRASD field Address not valid", "a socket is changed by ListenAddresses")
    if draft.is_new:
        draft.put("listens", [{"type": "socket", "socket": path}])


def _write_listener(draft: Draft, value: str) -> None:
    _, separator, number = value.rpartition(":")
    host = _host_in(value)
    if not separator or not host or not _is_port(number) or not _is_host(host):
        raise ValueRefusedError("GraphicsRASD field Address not valid", value)
    port = int(number)
    draft.put("port", port)
    draft.put("autoport", port == _AUTO)
    _listen(draft, host)


def _is_host(text: str) -> bool:
    """Whether a text may be a host: what has colons is an IPv6 address (RFC 4291, section 2.2), or none at all."""
    try:
        return ":" not in text or bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _is_port(text: str) -> bool:
    return text == str(_AUTO) or (text.isascii() and text.isdigit() and 0 < int(text) <= _LAST_PORT)


def _listen(draft: Draft, host: str) -> None:
    """Name the address in each of the two places where libvirt has it; they must not differ."""
    if draft.base.socket or draft.base.listen_type in ("socket", "network", "none"):
        raise ValueRefusedError("GraphicsRASD field Address not valid", "it listens on no address")
    draft.put("listen", host)
    if draft.base.listen_type is not None:
        draft.put("listen_address", host)
