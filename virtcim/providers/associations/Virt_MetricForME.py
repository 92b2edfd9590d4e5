"""<prefix>_MetricForME: an element (Antecedent), and what was measured of it (CIM_MetricForME; DSP1053)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_BaseMetricValue import MEASURED_TYPES, MeasuredElement, MetricValue, values_of

__all__ = ["metric_for_me"]


def metric_for_me(site: Site) -> Relation:
    """The association."""

    def element(value: MetricValue) -> Iterable[MeasuredElement]:
        return (value.element,)

    return Relation(
        site,
        "MetricForME",
        Role("Antecedent", MEASURED_TYPES),
        Role("Dependent", (MetricValue,)),
        to_right=values_of,
        to_left=element,
    )
