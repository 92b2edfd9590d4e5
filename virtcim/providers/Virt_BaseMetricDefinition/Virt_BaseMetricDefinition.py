"""What can be measured, as <prefix>_BaseMetricDefinition (CIM_BaseMetricDefinition; DSP1053)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, MainKey
from virtcim.providers.metrics import METRICS, Metric
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import PLATFORMS, Place

__all__ = ["MetricDefinition", "MetricDefinitionProvider", "definition_of", "definitions_of"]

_REAL64, _UINT64 = 5, 13
_SUMMABLE, _NON_SUMMABLE = 2, 3
_POINT, _INTERVAL = 2, 3
_ON_REQUEST = 4


class MetricDefinition(Element):
    """What can be measured (Virt_BaseMetricDefinition).

    Attributes:
        metric: what it is.
        id: the key.
    """

    __slots__ = ("id", "metric")

    base = "BaseMetricDefinition"
    key_names = ("Id",)
    main_key = MainKey("Id", "No Id specified")
    ignores_case = True
    source = PLATFORMS

    def __init__(self, site: Site, platform: Platform, metric: Metric) -> None:
        self.metric = metric
        self.id = f"{platform.prefix}:{metric.name}"
        super().__init__(site, platform, self.id)

    @classmethod
    def made_from(cls, owner: Place) -> Iterable[MetricDefinition]:
        return definitions_of(owner.site, owner.platform) if owner.site.hypervisors(owner.platform) else ()

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.id


def definitions_of(site: Site, platform: Platform) -> Sequence[MetricDefinition]:
    """List what can be measured on a platform."""
    return site.memo(
        (MetricDefinition, platform.prefix),
        lambda _: tuple(MetricDefinition(site, platform, metric) for metric in METRICS),
    )


def definition_of(site: Site, platform: Platform, metric: Metric) -> MetricDefinition:
    """Find the instance of a metric on a platform."""
    return definitions_of(site, platform)[METRICS.index(metric)]


MetricDefinition.table = PropertyTable(
    attribute("Id", lambda definition: definition.id, source="table of metrics"),
    attribute("Name", lambda definition: definition.metric.name, source="table of metrics"),
    attribute("ElementName", lambda definition: definition.metric.name, source="table of metrics"),
    attribute("Description", lambda definition: definition.metric.title, source="table of metrics"),
    Property(
        "DataType",
        lambda definition: _REAL64 if definition.metric.is_interval else _UINT64,
        "real64 of what is computed from two samples, else uint64",
    ),
    Property(
        "Calculable",
        lambda definition: _SUMMABLE if definition.metric.summable else _NON_SUMMABLE,
        "Non-summable of percentages, else Summable",
    ),
    attribute("Units", lambda definition: definition.metric.units, source="as ProgrammaticUnits"),
    attribute("ProgrammaticUnits", lambda definition: definition.metric.units, source="table of metrics"),
    constant("IsContinuous", True),
    Property("ChangeType", lambda definition: int(definition.metric.change_type), "table of metrics"),
    Property(
        "TimeScope",
        lambda definition: _INTERVAL if definition.metric.is_interval else _POINT,
        "Interval of what is computed from two samples, else Point",
    ),
    constant("GatheringType", _ON_REQUEST, "always OnRequest: while somebody looks also periodically"),
)


class MetricDefinitionProvider(ElementProvider):
    """Serves <prefix>_BaseMetricDefinition."""

    name = "Virt_BaseMetricDefinition"
    types = (MetricDefinition,)
