"""<prefix>_MetricDefForME: an element (Antecedent), and what is measured of it (CIM_MetricDefForME; DSP1053).

Nothing is measured of a guest that does not run, nor of its devices.
"""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Pair, Relation, Role
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.site import Site
from virtcim.providers.Virt_BaseMetricDefinition import MetricDefinition, definitions_of
from virtcim.providers.Virt_BaseMetricValue import MEASURED_TYPES, MeasuredElement, collection_of, is_measured

__all__ = ["metric_def_for_me"]

_ENABLED, _DISABLED = 2, 3


def _collection(pair: Pair) -> int:
    collection = collection_of(pair.left.site)
    on = collection.is_on(pair.right.metric, (pair.left.class_name, pair.left.identity))
    return _ENABLED if on else _DISABLED


def metric_def_for_me(site: Site) -> Relation:
    """The association."""

    def definitions(element: MeasuredElement) -> Iterable[MetricDefinition]:
        found = definitions_of(site, element.platform) if is_measured(element) else ()
        return (each for each in found if each.metric.base == element.base)

    def elements(definition: MetricDefinition) -> Iterable[MeasuredElement]:
        kind = next(each for each in MEASURED_TYPES if each.base == definition.metric.base)
        return (each for each in kind.all_of(site, definition.platform) if is_measured(each))

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
