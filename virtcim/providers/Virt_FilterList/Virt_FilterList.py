"""The instance: a network filter of a host."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple, Protocol, Self

from virtcim.libhelper.documents.nwfilter import FilterConfig
from virtcim.libhelper.inventory.records import NWFilter, Record
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey, class_of, trimmed
from virtcim.providers.interface import CIMError, CIMValue, InstancePath, Properties, Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.references import require_own
from virtcim.providers.site import Site
from virtcim.providers.sources import Source
from virtcim.providers.Virt_HostSystem import HostSystem, hosts_of

__all__ = ["FILTER_KEYS", "FilterList", "filter_given", "filter_named", "filters_on", "given", "path_given"]

_NOT_APPLICABLE = 0
"""Direction: each rule has its own."""


class FilterOnHost(NamedTuple):
    """A network filter, and the host that it is on."""

    host: HostSystem
    record: NWFilter


class NetworkFilters(Source[FilterOnHost]):
    """The network filters of hosts, by name."""

    records = (NWFilter,)

    def owners(self, site: Site, platform: Platform) -> Iterable[FilterOnHost]:
        for host in hosts_of(site, platform):
            for record in host.hypervisor.inventory.nwfilters():
                yield FilterOnHost(host, record)

    def owners_near(self, site: Site, platform: Platform, key: str) -> Iterable[FilterOnHost]:
        return (each for each in self.owners(site, platform) if each.record.name == key)

    def owners_of(self, site: Site, platform: Platform, record: Record) -> Iterable[FilterOnHost]:
        hosts = (host for host in hosts_of(site, platform) if host.hypervisor.uri == record.uri)
        return [FilterOnHost(host, record) for host in hosts if isinstance(record, NWFilter)]


class OnFilter(Protocol):
    """A filter, or one of its rules."""

    @property
    def host(self) -> HostSystem: ...
    @property
    def platform(self) -> Platform: ...
    @property
    def class_name(self) -> str: ...
    @property
    def name(self) -> str: ...


class FilterList(Element):
    """A network filter (Virt_FilterList).

    Attributes:
        host: where it is.
        record: what the inventory knows of it.
        config: its XML.
        name: the key.
    """

    __slots__ = ("config", "host", "name", "record")

    base = "FilterList"
    key_names = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
    main_key = MainKey("Name", "Unable to get Name from reference")
    source = NetworkFilters()

    def __init__(self, host: HostSystem, record: NWFilter, config: FilterConfig) -> None:
        self.host = host
        self.record = record
        self.config = config
        self.name = record.name
        super().__init__(host.site, host.platform, (host.name, record.name))

    @classmethod
    def made_from(cls, owner: FilterOnHost) -> Iterable[Self]:
        config = owner.record.config
        return () if config is None else (cls(owner.host, owner.record, config),)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.record.revision


def filters_on(host: HostSystem) -> Iterator[FilterList]:
    """The filters of a host, by name; those whose XML cannot be read are left out."""
    for record in host.hypervisor.inventory.nwfilters():
        yield from FilterList.made_from(FilterOnHost(host, record))


def filter_named(host: HostSystem, name: str) -> FilterList | None:
    """The filter of a host with this name."""
    return next((found for found in filters_on(host) if found.name == name), None)


def given(properties: Properties, name: str, missing: str) -> CIMValue:
    """A value by its name in any case.

    Raises:
        CIMError: FAILED with the text `missing` when it was not given.
    """
    for key, value in properties.items():
        if key.lower() == name.lower() and value is not None:
            return value
    raise CIMError(Status.FAILED, missing)


def path_given(site: Site, properties: Properties, name: str, missing: str) -> InstancePath:
    """A reference by its name in any case.

    Raises:
        CIMError: FAILED with the text `missing` when none was given; NOT_FOUND for one into another namespace than that
            of the site.
    """
    path = given(properties, name, missing)
    if not isinstance(path, InstancePath):
        raise CIMError(Status.FAILED, missing)
    require_own(site, path)
    return path


def filter_given(site: Site, platform: Platform, properties: Properties, role: str) -> FilterList:
    """Find the filter that a reference means.

    Parameters:
        role: the name of the reference.

    Raises:
        CIMError: FAILED where it is missing, or means no filter; what `path_given` raises.
    """
    path = path_given(site, properties, role, f"Unable to get {role} property")
    name = str(given(path.keys, "Name", f"Unable to get {role}.Name property"))
    for host in hosts_of(site, platform):
        found = filter_named(host, name)
        if found is not None and found.class_name.lower() == path.class_name.lower():
            return found
    raise CIMError(Status.FAILED, f"{role}.Name object does not exist")


def _nested(filters: FilterList) -> Iterable[str]:
    return (reference.filter for reference in filters.config.filterrefs if reference.filter)


def _description(filters: FilterList) -> str:
    rules = f"{len(filters.config.rules)} rules in chain {filters.config.chain or 'root'}"
    nested = ", ".join(_nested(filters))
    return f"{rules}; filters {nested}" if nested else rules


FILTER_KEYS = PropertyTable[OnFilter](
    Property(
        "SystemCreationClassName",
        lambda element: class_of(element.platform.prefix, "HostSystem"),
        "class name of the host",
    ),
    attribute("SystemName", lambda filters: filters.host.name, source="fully qualified host name"),
    attribute("CreationClassName", lambda filters: filters.class_name, source="class name"),
    attribute(
        "Name",
        lambda filters: filters.name,
        source=f"network filter XML {FilterConfig.field_path('name')}; the place of a rule",
    ),
    attribute("ElementName", lambda filters: filters.name, source="as Name"),
)
"""The keys of filters and of their rules, and their names."""

FilterList.table = PropertyTable(
    FILTER_KEYS,
    attribute("InstanceID", lambda filters: filters.config.uuid, FilterConfig, source="network filter XML uuid"),
    Property(
        "Caption",
        lambda filters: trimmed(f"Network filter {filters.name}"),
        f"network filter XML {FilterConfig.field_path('name')}",
    ),
    Property(
        "Description",
        _description,
        f"network filter XML {FilterConfig.field_path('chain')}, rule, {FilterConfig.field_path('filterrefs')}",
    ),
    constant("Direction", _NOT_APPLICABLE, "always Not Applicable: each rule has its own"),
    attribute(
        "Priority",
        lambda filters: filters.config.priority,
        FilterConfig,
        source=f"network filter XML {FilterConfig.field_path('priority')}",
    ),
)
