"""What is behind a disk elsewhere than at a path of the host, as a URL, in the forms that QEMU itself has.

`nbd://host:10809/export`, `nbd+unix:///export?socket=/run/nbd.sock`, `rbd://one,two:6789/pool/image@snapshot`,
`gluster+rdma://host/volume/image`, `nvme://0000:44:00.0/1`.  Beside these, `unix:///run/vhost.sock` is the socket of a
program that serves the disk or directory (vhost-user).  Where one of several hosts is a socket, its path stands
percent-encoded among them, as in the URLs of databases.  Hosts that are reached in different ways have one word each:
`gluster+tcp+rdma://one,two/volume/image`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from virtcim.providers.consoles import host_and_port
from virtcim.providers.drafts import ValueRefusedError

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Disk, Hostdev
    from virtcim.libhelper.documents.domain.disk import SourceHost

__all__ = ["PROTOCOLS", "image_url", "network_url", "path_in", "pci_address", "read_image_url", "socket_url"]

PROTOCOLS = frozenset(
    {"nbd", "rbd", "iscsi", "sheepdog", "gluster", "http", "https", "ftp", "ftps", "tftp", "ssh", "vxhs", "nfs"}
)
_NVME, _SOCKET = "nvme", "unix"
_LOCAL, _USUAL = "unix", "tcp"
_TRANSPORTS = frozenset({_LOCAL, _USUAL, "rdma"})
_QUERY = "socket="
_PLAIN = "/:!$&'()*+,;=~"
"""What stands in a name as it is, beside letters, digits, `_`, `.` and `-`."""
_LAST_PORT = 65535


def image_url(disk: Disk) -> str | None:
    """What is behind a disk of type network, nvme or vhostuser; None for a disk of another type."""
    match disk.type:
        case "network":
            return network_url(disk)
        case "nvme":
            place = pci_address(disk.source_address)
            return None if place is None else f"{_NVME}://{place}/{disk.source_namespace or 1}"
        case "vhostuser":
            return socket_url(disk.source_path) if disk.source_path else None
        case _:
            return None


def network_url(source: Disk | Hostdev) -> str:
    """A source in the network, with all its hosts."""
    hosts: Sequence[SourceHost] = source.source_hosts
    scheme = "+".join([source.source_protocol or "", *_transports(hosts)])
    queries = [getattr(source, "source_query", None)]
    if len(hosts) == 1 and hosts[0].socket:
        place = ""
        queries.insert(0, _QUERY + quote(hosts[0].socket, safe=_PLAIN))
    else:
        place = ",".join(map(_host, hosts))
    url = f"{scheme}://{place}{_path(source)}"
    told = "&".join(query for query in queries if query)
    return f"{url}?{told}" if told else url


def _transports(hosts: Sequence[SourceHost]) -> list[str]:
    """How hosts are reached: one word for all of them, one for each where they differ, none where nothing is said."""
    if len({host.transport for host in hosts if not host.socket}) > 1:
        return [host.transport or _USUAL for host in hosts]
    said = [host.transport for host in sorted(hosts, key=lambda host: bool(host.socket)) if host.transport]
    return said[:1]


def _host(host: SourceHost) -> str:
    return quote(host.socket, safe="") if host.socket else host_and_port(host.name or "", host.port)


def _path(source: Disk | Hostdev) -> str:
    name = source.source_name or ""
    # Of NFS the name is a path, and has a slash of its own.
    path = quote(name, safe=_PLAIN) if _is_path(source.source_protocol, name) else f"/{quote(name, safe=_PLAIN)}"
    snapshot = getattr(source, "source_snapshot_name", None)
    return f"{path}@{quote(snapshot, safe=_PLAIN)}" if snapshot else path


def _is_path(protocol: str | None, name: str) -> bool:
    return protocol == "nfs" and name.startswith("/")


def socket_url(path: str) -> str:
    """The socket of a program that serves a device."""
    return f"{_SOCKET}://{quote(path, safe=_PLAIN)}"


def pci_address(address: Mapping[str, str]) -> str | None:
    """An address of the host's PCI bus as `0000:06:12.5`; None for an address of another kind."""
    try:
        domain, bus, slot, function = (int(address[name], 0) for name in ("domain", "bus", "slot", "function"))
    except (KeyError, ValueError):
        return None
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def read_image_url(url: str) -> tuple[str, dict[str, object]] | None:
    """The type of a disk and the fields of its source that a URL stands for; None for what is no such URL.

    Raises:
        ValueRefusedError: it begins like one and is none.
    """
    scheme, separator, rest = url.partition("://")
    protocol, *transports = scheme.lower().split("+")
    if not separator or (transports and (protocol not in PROTOCOLS or not _TRANSPORTS.issuperset(transports))):
        return None
    if protocol == _NVME:
        return "nvme", _nvme(url, rest)
    if protocol == _SOCKET:
        return "vhostuser", {"source_type": "unix", "source_path": socket_of(url)}
    return ("network", _network(url, protocol, transports, rest)) if protocol in PROTOCOLS else None


def socket_of(url: str) -> str:
    """The path that a URL of a socket names.

    Raises:
        ValueRefusedError: it names none.
    """
    path = path_in(url, _SOCKET)
    if path is None:
        raise ValueRefusedError("Address: a URL of a socket has the form unix:///path", url)
    return path


def path_in(url: str, scheme: str) -> str | None:
    """The path of this host that a URL names (RFC 8089, section 2); None for a URL that says anything else.

    Parameters:
        url: as a client sent it.
        scheme: what it has to begin with.
    """
    given, _, rest = url.partition(":")
    path = rest.removeprefix("//localhost").removeprefix("//")
    if given.lower() != scheme or not path.startswith("/") or "?" in path or "#" in path or "%00" in path:
        return None
    return unquote(path)


def _nvme(url: str, rest: str) -> dict[str, object]:
    place, _, namespace = rest.partition("/")
    address = read_pci_address(place)
    if address is None or not (namespace.isascii() and namespace.isdecimal()) or len(namespace) > len(str(2**32)):
        raise ValueRefusedError("Address: an NVMe disk has the form nvme://0000:44:00.0/1", url)
    return {"source_type": "pci", "source_namespace": int(namespace), "source_address": address}


def read_pci_address(text: str) -> dict[str, str] | None:
    """The address that `0000:06:12.5` stands for, as libvirt writes it; None for any other text."""
    place, dot, function = text.partition(".")
    parts = [*place.split(":"), function]
    widths = (4, 2, 2, 1)
    if not dot or len(parts) != len(widths):
        return None
    for part, width in zip(parts, widths, strict=True):
        if not 0 < len(part) <= width or not set(part.lower()) <= set("0123456789abcdef"):
            return None
    return {name: f"0x{part}" for name, part in zip(("domain", "bus", "slot", "function"), parts, strict=True)}


def _network(url: str, protocol: str, transports: Sequence[str], rest: str) -> dict[str, object]:
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    queries = query.split("&") if query else []
    if list(transports) == [_LOCAL] and not authority:
        socket = next((each for each in queries if each.startswith(_QUERY)), None)
        if socket is None:
            raise ValueRefusedError(f"Address: a URL of {protocol} over a socket ends in ?{_QUERY}/path", url)
        queries.remove(socket)
        hosts: list[dict[str, object]] = [{"transport": _LOCAL, "socket": unquote(socket.removeprefix(_QUERY))}]
    else:
        hosts = _read_hosts(url, authority.split(",") if authority else [], transports)
    snapshot = None
    if protocol == "rbd":
        path, _, snapshot = path.partition("@")
    name = unquote(path)
    return {
        "source_protocol": protocol,
        "source_name": (f"/{name}" if protocol == "nfs" else name) or None,
        "source_query": "&".join(queries) or None,
        "source_hosts": hosts,
        "source_snapshot_name": unquote(snapshot) if snapshot else None,
    }


def _read_hosts(url: str, texts: Sequence[str], transports: Sequence[str]) -> list[dict[str, object]]:
    if len(transports) <= 1:
        return [_read_host(url, text, next(iter(transports), None)) for text in texts]
    if len(transports) != len(texts):
        raise ValueRefusedError("Address: expected one way of reaching all hosts, or one for each of them", url)
    ways = [None if transport == _USUAL else transport for transport in transports]
    return [_read_host(url, text, way) for text, way in zip(texts, ways, strict=True)]


def _read_host(url: str, text: str, transport: str | None) -> dict[str, object]:
    if "@" in text:
        raise ValueRefusedError("Address: a user has no place in the URL", url)
    if text[:3].upper() == "%2F":
        return {"transport": _LOCAL, "socket": unquote(text)}
    name, separator, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not separator:
        name, port = text, ""
    if separator and not (port.isascii() and port.isdecimal() and len(port) <= len(str(_LAST_PORT))):
        raise ValueRefusedError("Address: invalid port", url)
    name = name.removeprefix("[").removesuffix("]")
    if not name or (separator and int(port) > _LAST_PORT):
        raise ValueRefusedError("Address: invalid host" if not name else "Address: invalid port", url)
    return {
        "name": unquote(name),
        "port": int(port) if port else None,
        "transport": transport if transport != _LOCAL else None,
    }
