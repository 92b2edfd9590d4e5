"""<prefix>_MetricInstance: what can be measured (Antecedent), and what was (CIM_MetricInstance; DSP1053)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_BaseMetricDefinition import MetricDefinition
from virtcim.providers.Virt_BaseMetricValue import MetricValue, values_by

__all__ = ["metric_instance"]


def metric_instance(site: Site) -> Relation:
    """The association."""

    def definition(value: MetricValue) -> Iterable[MetricDefinition]:
        return (value.definition,)

    return Relation(
        site,
        "MetricInstance",
        Role("Antecedent", (MetricDefinition,)),
        Role("Dependent", (MetricValue,)),
        to_right=values_by,
        to_left=definition,
    )
