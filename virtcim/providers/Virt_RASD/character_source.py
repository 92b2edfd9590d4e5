"""What a character device is to be connected to on the host, in the domain XML."""

from __future__ import annotations

from urllib.parse import urlsplit

from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.imageurls import path_in

__all__ = ["SOURCE_FIELDS", "finish_character", "source_fields", "write_character"]

_TYPES = {
    0: "null",
    1: "vc",
    2: "pty",
    3: "dev",
    4: "file",
    5: "pipe",
    6: "stdio",
    7: "udp",
    8: "tcp",
    9: "unix",
    10: "spicevmc",
    11: "nmdm",
    12: "spiceport",
    13: "dbus",
    14: "qemu-vdagent",
}
_PATHS = frozenset({"dev", "file", "pipe"})
_CHANNELS = frozenset({"spiceport", "dbus"})
_PROTOCOLS = frozenset({"raw", "telnet", "telnets", "tls"})
SOURCE_FIELDS = (
    "source_mode",
    "source_path",
    "source_host",
    "source_service",
    "source_bind_host",
    "source_bind_service",
    "source_connect_host",
    "source_connect_service",
    "protocol_type",
    "source_channel",
    "source_master",
    "source_slave",
)
"""What says where a character device leads."""


def write_character(draft: Draft, _value: object) -> None:
    """SourceType, SourcePath, PeerPath, ConnectURL and BindURL together."""
    kind = draft.base.type
    if "SourceType" in draft.given:
        kind = _TYPES.get(draft.given["SourceType"])
        if kind is None:
            raise ValueRefusedError("ConsoleRASD: Invalid SourceType value", str(draft.given["SourceType"]))
    if kind is None:
        raise ValueRefusedError("ConsoleRASD: SourceType field not specified.")
    source = _source(draft, kind)
    draft.put("type", kind)
    if source is None:
        return
    udp = kind == "udp"
    for field in SOURCE_FIELDS:
        paired = field.startswith(("source_bind", "source_connect"))
        if field in source:
            draft.put(field, source[field])
        elif getattr(draft.base, field) is not None and (paired or not udp):
            draft.put(field, None)


def finish_character(draft: Draft) -> None:
    """Check a new console as a whole."""
    if draft.now("type") is None:
        raise ValueRefusedError("ConsoleRASD: SourceType field not specified.")


def _source(draft: Draft, kind: str) -> dict[str, object] | None:
    """The fields of the source of a kind; None where nothing is to be said of it."""
    given = draft.given
    path, connect, bind = given.get("SourcePath"), given.get("ConnectURL"), given.get("BindURL")
    if kind in _PATHS:
        if not path and (draft.is_new or draft.base.type != kind):
            raise ValueRefusedError(f"ConsoleRASD: SourcePath not specified for SourceType {kind}")
        return {"source_path": path} if path else None
    if kind in _CHANNELS:
        if not path and (draft.is_new or draft.base.type != kind):
            raise ValueRefusedError(f"ConsoleRASD: SourcePath not specified for SourceType {kind}")
        return {"source_channel": path} if path else None
    if kind == "nmdm":
        return _null_modem(draft)
    if kind == "unix" or kind == "tcp":
        if (connect is None) == (bind is None):
            if draft.base.type == kind and connect is None:
                return None
            raise ValueRefusedError(f"ConsoleRASD: {kind} needs either ConnectURL or BindURL", contradiction=True)
        mode, url = ("connect", connect) if connect is not None else ("bind", str(bind))
        return source_fields(kind, mode, url)
    if kind == "udp":
        return _udp(draft, connect, bind)
    if draft.base.type == kind:
        return None
    is_asked = kind == "pty" and path and not draft.is_new  # of a new one libvirt chooses it
    return {"source_path": path} if is_asked else {}


def _null_modem(draft: Draft) -> dict[str, object]:
    """The two devices of a null modem, one for the guest and one for who talks to it."""
    own = draft.base if draft.base.type == "nmdm" else None
    ends = (
        draft.given.get("SourcePath", own and own.source_master),
        draft.given.get("PeerPath", own and own.source_slave),
    )
    if not all(ends):
        raise ValueRefusedError("ConsoleRASD: nmdm needs both SourcePath and PeerPath")
    return dict(zip(("source_master", "source_slave"), ends, strict=True))


def source_fields(kind: str, mode: str, url: str) -> dict[str, object]:
    """The fields of the source of a socket.

    Parameters:
        kind: unix, tcp or udp.
        mode: bind or connect.

    Raises:
        ValueRefusedError: the URL is none of this kind.
    """
    if kind == "unix":
        return _unix(mode, url)
    if kind == "tcp":
        return _tcp(mode, url)
    _, host, port = _endpoint(url, frozenset({"udp"}))
    return {f"source_{mode}_host": host, f"source_{mode}_service": port}


def _unix(mode: str, url: str) -> dict[str, object]:
    path = path_in(url, "file")
    if path is None:
        raise ValueRefusedError("ConsoleRASD: a URL of a unix socket has the form file:///path", url)
    return {"source_mode": mode, "source_path": path}


def _endpoint(url: str, protocols: frozenset[str]) -> tuple[str, str | None, str | None]:
    """The protocol, host and port of a URL."""
    parts = urlsplit(url)
    if parts.scheme not in protocols:
        raise ValueRefusedError("ConsoleRASD: Invalid protocol", url)
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueRefusedError("ConsoleRASD: a URL has the form protocol://host:port", url)
    try:
        return parts.scheme, parts.hostname, None if parts.port is None else str(parts.port)
    except ValueError:
        raise ValueRefusedError("ConsoleRASD: Invalid port", url) from None


def _tcp(mode: str, url: str) -> dict[str, object]:
    protocol, host, port = _endpoint(url, _PROTOCOLS)
    if port is None:
        raise ValueRefusedError("ConsoleRASD: port not specified", url)
    return {"source_mode": mode, "source_host": host, "source_service": port, "protocol_type": protocol}


def _udp(draft: Draft, connect: str | None, bind: str | None) -> dict[str, object] | None:
    if draft.base.type == "udp" and (connect is None or bind is None):
        ends = {"bind": bind, "connect": connect}
    elif connect is None or bind is None:
        raise ValueRefusedError("ConsoleRASD: udp needs both ConnectURL and BindURL")
    else:
        ends = {"bind": bind, "connect": connect}
    source: dict[str, object] = {}
    for mode in ("bind", "connect"):
        url = ends[mode]
        if url is None:
            source[f"source_{mode}_host"] = getattr(draft.base, f"source_{mode}_host")
            source[f"source_{mode}_service"] = getattr(draft.base, f"source_{mode}_service")
        else:
            source |= source_fields("udp", mode, url)
    return source
