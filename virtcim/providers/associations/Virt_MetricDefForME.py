"""<prefix>_MetricDefForME: an element (Antecedent), and what can be measured of it (CIM_MetricDefForME; DSP1053)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Pair, Relation, Role
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.site import Site
from virtcim.providers.Virt_BaseMetricDefinition import MetricDefinition, definitions_of
from virtcim.providers.Virt_BaseMetricValue import MEASURED_TYPES, MeasuredElement, collection_of

__all__ = ["metric_def_for_me"]

_ENABLED, _DISABLED = 2, 3


def _collection(pair: Pair) -> int:
    collection = collection_of(pair.left.site)
    on = collection.is_on(pair.right.metric, (pair.left.class_name, pair.left.identity))
    return _ENABLED if on else _DISABLED


def metric_def_for_me(site: Site) -> Relation:
    """The association."""

    def definitions(element: MeasuredElement) -> Iterable[MetricDefinition]:
        return (each for each in definitions_of(site, element.platform) if each.metric.base == element.base)

    def elements(definition: MetricDefinition) -> Iterable[MeasuredElement]:
        kind = next(each for each in MEASURED_TYPES if each.base == definition.metric.base)
        return kind.all_of(site, definition.platform)

    return Relation(
        site,
        "MetricDefForME",
        Role("Antecedent", MEASURED_TYPES),
        Role("Dependent", (MetricDefinition,)),
        to_right=definitions,
        to_left=elements,
        table=PropertyTable(
            Property("MetricCollectionEnabled", _collection, "Enabled unless ControlMetrics switched it off")
        ),
    )
