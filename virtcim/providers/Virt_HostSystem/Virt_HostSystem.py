"""Hosts as <prefix>_HostSystem (CIM_ComputerSystem as the scope of the System Virtualization Profile, DSP1042)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from virtcim.libhelper.inventory.records import Host
from virtcim.libhelper.xml.text import NotWellFormedError, parse_xml
from virtcim.platforms.base import Platform
from virtcim.platforms.calls import CallError, call_within
from virtcim.providers.base import Element, ElementProvider, MainKey
from virtcim.providers.guest import Guest
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import (
    CIMError,
    Keys,
    Status,
)
from virtcim.providers.keys import main_key
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import HYPERVISORS, Place, Source
from virtcim.providers.states import EnabledState, HealthState, OperatingStatus, OperationalStatus, RequestedState

if TYPE_CHECKING:
    from virtcim.libhelper.host import HostFacts
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["HOSTS", "HostSource", "HostSystem", "HostSystemProvider", "guests_on", "host_of", "hosts_of"]

_log = logging.getLogger(__name__)


class HostSystem(Element):
    """A host, as one platform sees it (Virt_HostSystem).

    Attributes:
        site: what is served.
        hypervisor: the first one of the platform there.
    """

    __slots__ = ("hypervisor", "name")

    base = "HostSystem"
    key_names = ("CreationClassName", "Name")
    main_key = MainKey("Name", "No such instance (Name)", Status.NOT_FOUND)
    ignores_case = True
    source = HYPERVISORS
    surveyed = (Host,)

    def __init__(self, site: Site, platform: Platform, hypervisor: Hypervisor) -> None:
        self.hypervisor = hypervisor
        self.name = host_name(hypervisor)
        super().__init__(site, platform, self.name)

    @classmethod
    def made_from(cls, owner: Place) -> Iterable[Self]:
        hosts: dict[str, Self] = {}
        for hypervisor in owner.site.hypervisors(owner.platform):
            if hypervisor.fqdn and host_name(hypervisor) not in hosts:
                hosts[host_name(hypervisor)] = cls(owner.site, owner.platform, hypervisor)
        return hosts.values()

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.hypervisor.condition


def host_name(hypervisor: Hypervisor) -> str:
    """The fully qualified name of a hypervisor's host: a key, and so never empty."""
    return hypervisor.fqdn or hypervisor.hostname or "unknown"


def hosts_of(site: Site, platform: Platform) -> Sequence[HostSystem]:
    """The hosts of a platform; hypervisors that have one host in common have one instance in common."""
    return tuple(HostSystem.all_of(site, platform))


class HostSource(Source[HostSystem]):
    """Hosts."""

    def owners(self, site: Site, platform: Platform) -> Iterable[HostSystem]:
        return hosts_of(site, platform)


HOSTS = HostSource()


def host_of(guest: Guest) -> HostSystem:
    """The host of a guest."""
    name = host_name(guest.hypervisor)
    hypervisors = guest.site.hypervisors(guest.platform)
    first = next(each for each in hypervisors if each.fqdn and host_name(each) == name)
    return HostSystem(guest.site, guest.platform, first)


def guests_on(site: Site, host: HostSystem) -> Iterable[Guest]:
    """The guests of a host, of the platform that the instance is for."""
    return (guest for guest in all_guests(site, host.platform) if host_name(guest.hypervisor) == host.name)


def _identities(host: HostSystem) -> list[tuple[str, str]]:
    """Pairs of what IdentifyingDescriptions and OtherIdentifyingInfo hold, index by index."""
    facts = host.hypervisor.facts
    pairs = [("UUID", facts.host_uuid)] if facts.host_uuid else []
    entries = _system_entries(facts.sysinfo_xml)
    for description, entry in (("Serial Number", "serial"), ("Vendor", "manufacturer"), ("Model", "product")):
        value = entries.get(entry)
        if value:
            pairs.append((description, value))
    return pairs


def _system_entries(sysinfo: str) -> dict[str, str]:
    """What the host's SMBIOS says of the system, by libvirt's name for it."""
    try:
        entries = parse_xml(sysinfo).iterfind("system/entry") if sysinfo else ()
    except NotWellFormedError:
        return {}
    return {entry.get("name", ""): (entry.text or "").strip() for entry in entries}


def _caption(host: HostSystem) -> str:
    version = ".".join(str(part) for part in host.hypervisor.hypervisor_version)
    return f"Host System ({host.hypervisor.driver} {version})"


def _parts(host: HostSystem, part: int) -> list[str] | None:
    return [pair[part] for pair in _identities(host)] or None


@lru_cache(maxsize=256)
def _facts(platform: Platform, facts: HostFacts, patience: float) -> tuple[tuple[str, str], ...]:
    """What a platform tells of a host, names and values; asked once for what libvirt has told of the host."""
    try:
        told = call_within(patience, lambda: dict(platform.host_facts(facts)))
    except CallError as error:
        _log.error("platform %s cannot tell of a host: %s", platform.prefix, error)
        return ()
    return tuple((str(name), str(value)) for name, value in told.items())


def _fact_column(host: HostSystem, part: int) -> list[str] | None:
    return [pair[part] for pair in _facts(host.platform, host.hypervisor.facts, host.site.patience)] or None


def _when_connected(connected: int, lost: int) -> Callable[[HostSystem], int]:
    return lambda host: int(connected if host.hypervisor.connected else lost)


HostSystem.table = PropertyTable(
    attribute("CreationClassName", lambda host: host.class_name, source="class name"),
    attribute("Name", lambda host: host.name, source="fully qualified host name"),
    attribute("ElementName", lambda host: host.name, source="fully qualified host name"),
    constant("NameFormat", "IP"),
    Property("Caption", _caption, "driver and hypervisor version (virConnectGetType, virConnectGetVersion)"),
    Property("Description", lambda host: f"Host of {host.platform.title} guests", "platform"),
    constant("Dedicated", (0,), "always Not Dedicated"),
    Property(
        "OtherIdentifyingInfo",
        lambda host: _parts(host, 1),
        "host UUID of the capabilities; sysinfo system/entry serial, manufacturer, product",
    ),
    Property("IdentifyingDescriptions", lambda host: _parts(host, 0), "names of the entries of OtherIdentifyingInfo"),
    Property("HostFactNames", lambda host: _fact_column(host, 0), "platform"),
    Property("HostFacts", lambda host: _fact_column(host, 1), "platform, from what libvirt says of the host"),
    Property("EnabledState", _when_connected(EnabledState.ENABLED, EnabledState.UNKNOWN), "connection to libvirt"),
    constant("RequestedState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable"),
    constant("TransitioningToState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable"),
    constant("EnabledDefault", int(EnabledState.ENABLED), "always Enabled"),
    Property("HealthState", _when_connected(HealthState.OK, HealthState.UNKNOWN), "connection to libvirt"),
    Property(
        "OperationalStatus",
        lambda host: [int(OperationalStatus.OK if host.hypervisor.connected else OperationalStatus.NO_CONTACT)],
        "connection to libvirt",
    ),
    Property(
        "OperatingStatus", _when_connected(OperatingStatus.IN_SERVICE, OperatingStatus.UNKNOWN), "connection to libvirt"
    ),
)


class HostSystemProvider(ElementProvider):
    """Serves <prefix>_HostSystem."""

    name = "Virt_HostSystem"
    types = (HostSystem,)

    def find(self, platform: Platform, element: type[Element], keys: Keys) -> Element:
        """The host of that name; another one for a name that is wrong, so that the key checks tell which key it is."""
        name = main_key(keys, *element.main_key)
        found = element.with_key(self.site, platform, name) or next(iter(hosts_of(self.site, platform)), None)
        if found is None:
            raise CIMError(Status.NOT_FOUND, "No such instance")
        return found
