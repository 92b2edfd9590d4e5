"""What the rules of all kinds have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import ClassVar, Self

from virtcim.libhelper.documents.nwfilter import FilterRule
from virtcim.libhelper.inventory.records import Record
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey
from virtcim.providers.interface import CIMError, CIMValue, Status
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.site import Site
from virtcim.providers.sources import Source
from virtcim.providers.Virt_FilterList import FILTER_KEYS, FilterList

__all__ = ["COMMON", "FilterEntry", "matched", "number_of", "octets", "protocol_of"]

_ACTIONS = {"accept": 1, "drop": 2, "reject": 3, "return": 4, "continue": 5}
_DIRECTIONS = {"in": 1, "out": 2, "inout": 3}
_DEFAULT_PRIORITY = 500
"""libvirt's, of a rule that has none."""


class FilterSource(Source[FilterList]):
    """Network filters, by the names with which those of their rules begin."""

    records = FilterList.source.records

    def owners(self, site: Site, platform: Platform) -> Iterable[FilterList]:
        return FilterList.all_of(site, platform)

    def owners_near(self, site: Site, platform: Platform, key: str) -> Iterable[FilterList]:
        found = FilterList.with_key(site, platform, key.rpartition(":")[0])
        return () if found is None else (found,)

    def owners_of(self, site: Site, platform: Platform, record: Record) -> Iterable[FilterList]:
        return FilterList.source.instances_of(site, platform, record, FilterList)


class FilterEntry(Element):
    """A rule of a network filter.

    Attributes:
        protocols: the protocols, in libvirt's words, of the rules that are of this type.
        filters: the filter.
        rule: its XML.
        number: its place in the filter, from 0.
        protocol: libvirt's word; None for a rule that names none.
        fields: what packets have to have.
        name: the key.
    """

    __slots__ = ("fields", "filters", "host", "name", "number", "protocol", "rule")

    key_names = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
    main_key = MainKey("Name", "Unable to get Name from reference")
    source = FilterSource()
    protocols: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, filters: FilterList, rule: FilterRule, number: int) -> None:
        self.filters = filters
        self.host = filters.host
        self.rule = rule
        self.number = number
        self.protocol = protocol_of(rule)
        self.fields: Mapping[str, str] = {
            name: value for match in rule.matches for name, value in match.attributes.items()
        }
        self.name = f"{filters.name}:{number}"
        super().__init__(filters.site, filters.platform, (filters.host.name, self.name))

    @classmethod
    def made_from(cls, owner: FilterList) -> Iterable[Self]:
        rules = enumerate(owner.config.rules)
        return (cls(owner, rule, number) for number, rule in rules if cls.is_for(protocol_of(rule)))

    @classmethod
    def is_for(cls, protocol: str | None) -> bool:
        """Whether the rules for a protocol are of this type."""
        return protocol in cls.protocols

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        filter_name, colon, number = key.rpartition(":")
        if not colon or not number.isascii() or not number.isdigit():
            return CIMError(Status.NOT_FOUND, "Could not parse filter name")
        filters = FilterList.with_key(site, platform, filter_name)
        if filters is None:
            return CIMError(Status.NOT_FOUND, "Could not retrieve filter")
        if number in map(str, range(len(filters.config.rules))):
            return CIMError(Status.NOT_FOUND, "No such instance (CreationClassName)")
        return CIMError(Status.NOT_FOUND, "Could not retrieve rule")

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.filters.revision


def protocol_of(rule: FilterRule) -> str | None:
    """The protocol of a rule, in libvirt's word; None for a rule that names none."""
    return next((match.protocol for match in rule.matches), None)


def matched(name: str, *fields: str, read: Callable[[str], CIMValue]) -> Property[FilterEntry]:
    """A property that says what packets have to have.

    Parameters:
        name: of the property.
        fields: attributes of the protocol's element; the first that the rule has counts.
        read: makes the value of the text.
    """

    def get(entry: FilterEntry) -> CIMValue:
        text = next((entry.fields[field] for field in fields if field in entry.fields), None)
        return None if text is None else read(text)

    return Property(name, get, "network filter XML rule/*/" + ", ".join(f"@{field}" for field in fields))


def number_of(text: str) -> int | None:
    """A number, decimal or hexadecimal; None for the name of a variable and the like."""
    try:
        return int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        return None


def octets(read: Callable[[str], bytes]) -> Callable[[str], list[int]]:
    """A reader of addresses; what it cannot read, as the name of a variable, stands there in its characters."""

    def octets_of(text: str) -> list[int]:
        try:
            return list(read(text))
        except ValueError:
            return list(text.encode())

    return octets_of


COMMON = PropertyTable[FilterEntry](
    FILTER_KEYS,
    Property("Action", lambda entry: _ACTIONS.get(entry.rule.action or ""), "network filter XML rule/@action"),
    Property(
        "Direction", lambda entry: _DIRECTIONS.get(entry.rule.direction or "", 0), "network filter XML rule/@direction"
    ),
    Property(
        "Priority",
        lambda entry: _DEFAULT_PRIORITY if entry.rule.priority is None else entry.rule.priority,
        "network filter XML rule/@priority",
    ),
    Property("IsNegated", lambda entry: entry.fields.get("match") == "no", "network filter XML rule/*/@match"),
    Property("Caption", lambda entry: f"Rule for {entry.protocol or 'all traffic'}", "network filter XML rule"),
    Property("Description", lambda entry: entry.fields.get("comment"), "network filter XML rule/*/@comment"),
)
"""What every rule has."""
