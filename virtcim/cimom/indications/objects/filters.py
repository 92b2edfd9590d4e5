"""Filters as CIM objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypedDict

from virtcim.cimom.indications.objects.named import NamedProvider, invalid, left_properties
from virtcim.cimom.indications.records import FilterRecord
from virtcim.providers.interface import CIMValue, InstancePath, Keys, Properties, RequestContext

__all__ = ["FILTER", "FilterProvider"]

FILTER = "CIM_IndicationFilter"


class Selection(TypedDict):
    """What a filter selects, as the fields of its record."""

    query: str
    language: str
    source_namespaces: tuple[str, ...]


class FilterProvider(NamedProvider[FilterRecord]):
    """Serves CIM_IndicationFilter."""

    class_names = (FILTER,)

    def records(self) -> Iterable[FilterRecord]:
        return [*self._subscriptions.filters(), *self._relayed.filters()]

    def record(self, key: str) -> FilterRecord | None:
        return self._subscriptions.filter(key) or self._relayed.filter(key)

    def named_records(self, class_name: str, name: str) -> Iterable[FilterRecord]:
        own = self._subscriptions.filters_named(class_name, name)
        return [*own, *(each for each in self._relayed.filters() if each.name == name)]

    def shown(self, record: FilterRecord) -> Properties:
        spaces = record.source_namespaces
        return {
            "Query": record.query,
            "QueryLanguage": record.language,
            "SourceNamespaces": spaces or None,
            "SourceNamespace": spaces[0] if len(spaces) == 1 else None,
            "ElementName": record.properties.get("ElementName") or record.name,
            "IndividualSubscriptionSupported": True,
        }

    def create_instance(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        given = dict(properties)
        named = self.named(class_name, given, context)
        record = FilterRecord(**named, **_selection(given), properties=left_properties(given))
        self._subscriptions.add_filter(record)
        return self._instance(record, context).path()

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        record = self.find_changeable(class_name, keys, context)
        if "SourceNamespace" in properties and "SourceNamespaces" not in properties:
            properties = {**properties, "SourceNamespaces": None}
        given = self.amended(record, self.shown(record), properties)
        self._subscriptions.replace_filter(replace(record, **_selection(given), properties=left_properties(given)))

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        self._subscriptions.remove_filter(self.find_changeable(class_name, keys, context))


def _selection(given: dict[str, CIMValue]) -> Selection:
    """Take what a filter selects out of its properties.  Raises CIMError INVALID_PARAMETER for what is missing."""
    query, language = (str(given.pop(name, None) or "").strip() for name in ("Query", "QueryLanguage"))
    for name, value in (("Query", query), ("QueryLanguage", language)):
        if not value:
            raise invalid(f"{name}: it is missing; expected that of a filter")
    spaces, space = given.pop("SourceNamespaces", None), given.pop("SourceNamespace", None)
    listed = spaces if isinstance(spaces, list | tuple) else ()
    wanted = [str(each or "").strip().strip("/") for each in listed or (space,)]
    given.pop("IndividualSubscriptionSupported", None)
    return {"query": query, "language": language, "source_namespaces": tuple(filter(None, wanted))}
