"""What the rules of all kinds have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import ClassVar

from virtcim.libhelper.documents.nwfilter import FilterRule
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.site import Site
from virtcim.providers.Virt_FilterList import FILTER_KEYS, FilterList

__all__ = ["COMMON", "FilterEntry", "entries_of", "matched", "number_of", "octets"]

_ACTIONS = {"accept": 1, "drop": 2, "reject": 3, "return": 4, "continue": 5}
_DIRECTIONS = {"in": 1, "out": 2, "inout": 3}
_DEFAULT_PRIORITY = 500
"""libvirt's, of a rule that has none."""


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
    protocols: ClassVar[frozenset[str]] = frozenset()
    types: ClassVar[list[type[FilterEntry]]] = []

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.types.append(cls)

    def __init__(self, filters: FilterList, rule: FilterRule, number: int) -> None:
        self.filters = filters
        self.host = filters.host
        self.rule = rule
        self.number = number
        self.protocol = _protocol(rule)
        self.fields: Mapping[str, str] = {
            name: value for match in rule.matches for name, value in match.attributes.items()
        }
        self.name = f"{filters.name}:{number}"
        super().__init__(filters.platform, (filters.host.name, self.name))

    @classmethod
    def all_of(cls, site: Site, platform: Platform) -> Iterator[FilterEntry]:
        for filters in FilterList.all_of(site, platform):
            yield from (entry for entry in entries_of(filters) if type(entry) is cls)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.filters.revision


def _protocol(rule: FilterRule) -> str | None:
    return next((match.protocol for match in rule.matches), None)


def entries_of(filters: FilterList) -> Iterator[FilterEntry]:
    """The rules of a filter, in its order."""
    for number, rule in enumerate(filters.config.rules):
        yield _type_of(_protocol(rule))(filters, rule, number)


def _type_of(protocol: str | None) -> type[FilterEntry]:
    """The type of the rules for a protocol: those of a protocol that nobody knows are like those without one."""
    plain = next(kind for kind in FilterEntry.types if not kind.protocols)
    return next((kind for kind in FilterEntry.types if protocol in kind.protocols), plain)


def matched(name: str, *fields: str, read: Callable[[str], object]) -> Property[FilterEntry]:
    """A property that says what packets have to have.

    Parameters:
        name: of the property.
        fields: attributes of the protocol's element; the first that the rule has counts.
        read: makes the value of the text.
    """

    def get(entry: FilterEntry) -> object:
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
