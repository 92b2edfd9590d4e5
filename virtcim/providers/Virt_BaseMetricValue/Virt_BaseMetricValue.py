"""What was measured, as <prefix>_BaseMetricValue (CIM_BaseMetricValue; DSP1053)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Self

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, MainKey
from virtcim.providers.guest import Guest
from virtcim.providers.guests import all_guests, guest_named
from virtcim.providers.metrics import Collection, Measured, Metric
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import Source
from virtcim.providers.Virt_BaseMetricDefinition import MetricDefinition, definition_of
from virtcim.providers.Virt_BaseMetricValue.measured import (
    MeasuredElement,
    element_name,
    hypervisor_of,
    measure,
    measured_elements,
)
from virtcim.providers.Virt_HostSystem import HostSystem, hosts_of

__all__ = ["MetricValue", "MetricValueProvider", "collection_of", "values_by", "values_of"]

_DIGITS = 3
"""Behind the point of a value that is computed."""


class _Measured(Source[HostSystem | Guest]):
    """Hosts and guests, whose figures are asked for."""

    def owners(self, site: Site, platform: Platform) -> Iterator[HostSystem | Guest]:
        for hypervisor in site.hypervisors(platform):
            hypervisor.metrics.glance()
        yield from hosts_of(site, platform)
        yield from all_guests(site, platform)

    def owners_near(self, site: Site, platform: Platform, key: str) -> Iterator[HostSystem | Guest]:
        name = key.split(":", 2)[1].casefold() if key.count(":") > 1 else ""
        for host in hosts_of(site, platform):
            if host.name.casefold() == name:
                host.hypervisor.metrics.glance()
                yield host
        for hypervisor in site.hypervisors(platform):
            domain = hypervisor.inventory.domain_by_uuid(name)
            guest = None if domain is None else guest_named(site, platform, domain.name)
            if guest is not None and guest.domain is domain:
                hypervisor.metrics.glance()
                yield guest


class MetricValue(Element):
    """What was measured last (Virt_BaseMetricValue).

    Attributes:
        element: what was measured.
        metric: what was measured of it.
        measured: the value.
        instance_id: the key.
    """

    __slots__ = ("element", "instance_id", "measured", "metric")

    base = "BaseMetricValue"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No InstanceID specified")
    ignores_case = True
    source = _Measured()

    def __init__(self, element: MeasuredElement, metric: Metric, measured: Measured) -> None:
        self.element = element
        self.metric = metric
        self.measured = measured
        self.instance_id = _instance_id(element, metric)
        super().__init__(element.site, element.platform, self.instance_id)

    @classmethod
    def made_from(cls, owner: HostSystem | Guest) -> Iterator[Self]:
        elements: Iterable[MeasuredElement] = (owner,) if isinstance(owner, HostSystem) else measured_elements(owner)
        for element in elements:
            yield from cls.measured_of(element)

    @classmethod
    def measured_of(cls, element: MeasuredElement) -> Iterator[Self]:
        """Give the values of an element as they were sampled last."""
        collection = collection_of(element.site)
        for metric, measured in measure(element):
            if collection.is_on(metric, (element.class_name, element.identity)):
                yield cls(element, metric, measured)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.measured

    @property
    def definition(self) -> MetricDefinition:
        """What is measured, as an instance."""
        return definition_of(self.site, self.platform, self.metric)


def _instance_id(element: MeasuredElement, metric: Metric) -> str:
    if isinstance(element, HostSystem):
        return f"{element.platform.prefix}:{element.name}:{metric.name}"
    device = "" if element.base == "ComputerSystem" else f":{_identifier(element)}"
    return f"{element.platform.prefix}:{element.guest.domain.uuid}:{metric.name}{device}"


def _identifier(element: MeasuredElement) -> str:
    """Name a device within its guest."""
    return element_name(element)[len(element.guest.name) + 1 :]  # type: ignore[union-attr]


def collection_of(site: Site) -> Collection:
    """Find which metrics are collected on a site."""
    return site.memo(Collection, lambda _: Collection())


def values_of(element: MeasuredElement) -> Iterator[MetricValue]:
    """Give the values of an element, from figures that are as new as can be had."""
    hypervisor_of(element).metrics.glance()
    return MetricValue.measured_of(element)


def values_by(definition: MetricDefinition) -> Iterator[MetricValue]:
    """Give all values of a metric."""
    values = MetricValue.all_of(definition.site, definition.platform)
    return (value for value in values if value.metric is definition.metric)


def _text(value: MetricValue) -> str:
    number = value.measured.value
    return str(number) if isinstance(number, int) else f"{number:.{_DIGITS}f}"


MetricValue.table = PropertyTable(
    attribute("InstanceID", lambda value: value.instance_id, source="UUID of the guest or name of the host, metric"),
    Property("MetricDefinitionId", lambda value: value.definition.id, "Id of the metric"),
    Property("MeasuredElementName", lambda value: element_name(value.element), "name of the guest, device or host"),
    Property(
        "ElementName",
        lambda value: f"{value.metric.name} of {element_name(value.element)}",
        "as MeasuredElementName, with the metric",
    ),
    attribute("TimeStamp", lambda value: value.measured.time, source="when libvirt was asked"),
    attribute("Duration", lambda value: value.measured.duration, source="time between two samples; NULL for a moment"),
    Property("MetricValue", _text, "virConnectGetAllDomainStats, virNodeGetCPUStats, virNodeGetMemoryStats"),
    constant("Volatile", True),
)


class MetricValueProvider(ElementProvider):
    """Serves <prefix>_BaseMetricValue."""

    name = "Virt_BaseMetricValue"
    types = (MetricValue,)
