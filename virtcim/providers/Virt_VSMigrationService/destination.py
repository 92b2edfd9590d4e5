"""Where a guest is to go: from what a client names to a host that may be connected to.

A client names a host; what is connected to comes from the nodes that are served and from the configuration, never from
the client: a libvirt URI can run programs and choose files.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from virtcim.immutable import immutable
from virtcim.libhelper.connections import Connections, scheme_driver
from virtcim.libhelper.migrations import Place
from virtcim.providers.base import class_of
from virtcim.providers.interface import CIMError, InstancePath, Status
from virtcim.providers.Virt_HostSystem import HostSystem, host_name
from virtcim.providers.Virt_VSMigrationService.transport import Transport
from virtcim.schema.paths import key_of

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.platforms.base import Platform
    from virtcim.providers.guest import Guest
    from virtcim.providers.site import Site

__all__ = ["Destination", "destination_at", "destination_named"]

_SUPERCLASSES = ("Virt_HostSystem", "CIM_HostSystem", "CIM_ComputerSystem", "CIM_System")
"""What a host is called in references beside the class of its platform."""

_RESOLVE_TIMEOUT = 2.0
"""Seconds that a name server is waited for."""


@immutable
class Destination:
    """A host that a guest may go to.

    Attributes:
        place: how it is reached.
        site, hypervisor: the node that it is; None where it is not served.
    """

    place: Place
    site: Site | None = None
    hypervisor: Hypervisor | None = None


def destination_named(guest: Guest, text: str, transport: Transport) -> Destination:
    """Find the host that DestinationHost names.

    Parameters:
        guest: that is to go there.
        text: a host name, an IPv4 or IPv6 address, or a libvirt URI.
        transport: makes a URI of a host of the configuration.

    Raises:
        CIMError: ACCESS_DENIED for a host that is no node and not in the configuration.
    """
    text = text.strip()
    nodes = list(_nodes(guest.site, guest.platform))
    found = [node for node in nodes if _is_named(node, text)] or [node for node in nodes if _has_address(node[1], text)]
    for site, hypervisor in sorted(found, key=lambda node: node[1] is guest.hypervisor):
        return _node(site, hypervisor)
    for allowed in guest.site.settings.migration.destinations:
        if _same_host(allowed, text):
            return _configured(guest, allowed, transport)
    raise CIMError(
        Status.ACCESS_DENIED,
        f"DestinationHost: {text!r} is no destination; expected a node of this server, "
        "or one of the setting providers.migration.destinations",
    )


def destination_at(guest: Guest, path: InstancePath) -> Destination:
    """Find the host that DestinationSystem refers to, in whichever namespace of this server it lives.

    Raises:
        CIMError: FAILED as libvirt-cim has it for a reference without Name, and for one to something else than a host;
            ACCESS_DENIED for what is no host of the guest's platform that is served.
    """
    name = next((str(value) for key, value in path.keys.items() if key.lower() == "name"), "")
    if not name:
        raise CIMError(Status.FAILED, "Missing key (Name) in DestinationSystem")
    if not _means_host(path, guest.platform):
        raise CIMError(Status.FAILED, "Invalid REF in DestinationSystem")
    namespace = (path.namespace or "").strip("/").lower()
    own = guest.site.namespace.lower()
    for site in sorted(guest.site.nodes, key=lambda site: site.namespace.lower() != (namespace or own)):
        if namespace in ("", site.namespace.lower()):
            host = HostSystem.with_key(site, guest.platform, name)
            if host is not None:
                others = (each for each in site.hypervisors(guest.platform) if host_name(each) == host.name)
                chosen = sorted(others, key=lambda each: each is guest.hypervisor)
                return _node(site, chosen[0])
    raise CIMError(
        Status.ACCESS_DENIED,
        f"DestinationSystem: {name!r} of {namespace or own} is no destination; expected a HostSystem of this server",
    )


def _means_host(path: InstancePath, platform: Platform) -> bool:
    """Whether a reference can be to a host: it may be written with a superclass, and names the class among its keys."""
    creation = key_of(path.keys, "CreationClassName")
    own = class_of(platform.prefix, HostSystem.base).lower()
    classes = {own, *(each.lower() for each in _SUPERCLASSES)}
    return path.class_name.lower() in classes and (creation is None or str(creation).lower() == own)


def _nodes(site: Site, platform: Platform) -> Iterator[tuple[Site, Hypervisor]]:
    """All hypervisors of a platform that are served."""
    for each in site.nodes:
        for hypervisor in each.hypervisors(platform):
            yield each, hypervisor


def _node(site: Site, hypervisor: Hypervisor) -> Destination:
    place = Place(
        host_name(hypervisor), hypervisor.connections, hypervisor.uri, hypervisor.inventory, hypervisor.host_uuid
    )
    return Destination(place, site, hypervisor)


def _is_named(node: tuple[Site, Hypervisor], text: str) -> bool:
    """Whether a text is a name of a node: of its host, its URI, or its namespace below that of the local node."""
    site, hypervisor = node
    if "://" in text:
        return hypervisor.uri == text
    names = {host_name(hypervisor), hypervisor.hostname, urlsplit(hypervisor.uri).hostname or ""}
    names.add(site.namespace.rpartition("/")[2] if site.namespace.count("/") > 1 else "")
    return _plain(text) in {_plain(name) for name in names if name}


def _has_address(hypervisor: Hypervisor, text: str) -> bool:
    """Whether a text is an address of a node."""
    address = _address(text)
    if address is None:
        return False
    names = {host_name(hypervisor), urlsplit(hypervisor.uri).hostname or ""} - {""}
    return address in _addresses(names)


def _address(text: str) -> str | None:
    """An IP address in its canonical form; None for what is none."""
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return None


def _addresses(names: Iterable[str]) -> frozenset[str]:
    """The addresses of hosts, as far as they are found out in time."""
    found: list[str] = []

    def resolve() -> None:
        for name in names:
            try:
                found.extend(str(answer[4][0]) for answer in socket.getaddrinfo(name, None))
            except OSError:
                continue

    thread = threading.Thread(target=resolve, name="resolve", daemon=True)
    thread.start()
    thread.join(_RESOLVE_TIMEOUT)
    return frozenset(found)


def _plain(name: str) -> str:
    return _address(name) or name.casefold().rstrip(".")


def _same_host(allowed: str, text: str) -> bool:
    """Whether a client's text names a destination of the configuration: a URI as a whole, or by its host."""
    if "://" in text:
        return allowed == text
    named = (urlsplit(allowed).hostname or "") if "://" in allowed else allowed
    return bool(named) and _plain(named) == _plain(text)


def _configured(guest: Guest, allowed: str, transport: Transport) -> Destination:
    """A host of the configuration, by a URI of the guest's own hypervisor."""
    uri = allowed
    if "://" not in allowed and transport is Transport.IPC:
        raise CIMError(Status.INVALID_PARAMETER, "TransportType: 6 (IPC) leads to no other machine")
    if "://" not in allowed:
        own = guest.hypervisor.uri
        host = f"[{_address(allowed)}]" if ":" in (_address(allowed) or "") else allowed.strip("[]")
        uri = f"{scheme_driver(own)}+{transport.scheme}://{host}{urlsplit(own).path}{transport.query}"
        key = guest.site.settings.migration.ssh_key
        if transport is Transport.SSH and key is not None and key.exists():
            uri += f"?keyfile={quote(str(key))}"
    name = urlsplit(uri).hostname or allowed
    return Destination(Place(name, Connections(uri), uri))
