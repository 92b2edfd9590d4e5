"""The provider, and the methods of the service (CIM_MetricService; DSP1053)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

from virtcim.providers.interface import CIMError, InstancePath, MethodResult, RequestContext, Role
from virtcim.providers.methods import Method, MethodFailedError, Parameters
from virtcim.providers.references import element_at
from virtcim.providers.services.service import SERVICE_METHODS, HostServiceProvider
from virtcim.providers.Virt_BaseMetricDefinition import MetricDefinition, definitions_of
from virtcim.providers.Virt_BaseMetricValue import (
    MEASURED_TYPES,
    MeasuredElement,
    collection_of,
    hypervisor_of,
    measured_elements,
    values_by,
)
from virtcim.providers.Virt_HostSystem import guests_on, host_name
from virtcim.providers.Virt_MetricService.Virt_MetricService import MetricService

__all__ = ["MetricServiceProvider"]

_ENABLE, _DISABLE = 2, 3
_MINIMUM, _MAXIMUM = 2, 3

_Pair = tuple[MeasuredElement, MetricDefinition]


class _Code(enum.IntEnum):
    """What the methods of CIM_MetricService return."""

    SUCCESS = 0
    NOT_SUPPORTED = 1
    FAILED = 2


class MetricServiceProvider(HostServiceProvider):
    """Serves <prefix>_MetricService."""

    name = "Virt_MetricService"
    types = (MetricService,)


def _show_metrics(service: MetricService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_MetricService.ShowMetrics: what is measured of an element, or of all, index by index."""
    pairs = list(_pairs(service, _subject(service, parameters), _definition(service, parameters)))
    return MethodResult(
        _Code.SUCCESS,
        {
            "ManagedElements": [element.path() for element, _ in pairs],
            "DefinitionList": [definition.path() for _, definition in pairs],
            "MetricNames": [definition.metric.name for _, definition in pairs],
            "MetricCollectionEnabled": [_ENABLE if _is_on(service, *pair) else _DISABLE for pair in pairs],
        },
    )


def _show_metrics_by_class(service: MetricService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_MetricService.ShowMetricsByClass: what is measured of elements of the class of the subject."""
    subject = _required_subject(service, parameters)
    chosen = _definition(service, parameters)
    found = [each for each in _definitions(service, subject.base) if chosen is None or each is chosen]
    elements = [element for element in _elements(service) if element.class_name == subject.class_name]
    on = [all(_is_on(service, element, each) for element in elements) for each in found]
    return MethodResult(
        _Code.SUCCESS,
        {
            "DefinitionList": [each.path() for each in found],
            "MetricNames": [each.metric.name for each in found],
            "MetricCollectionEnabled": [_ENABLE if each else _DISABLE for each in on],
        },
    )


def _control_metrics(service: MetricService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_MetricService.ControlMetrics: collect a metric, or all, of an element, or of all, or no longer."""
    pairs = _pairs(service, _subject(service, parameters), _definition(service, parameters))
    return _switch(service, parameters, pairs)


def _control_metrics_by_class(service: MetricService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_MetricService.ControlMetricsByClass: the same of all elements of the class of the subject."""
    subject = _required_subject(service, parameters)
    pairs = _pairs(service, None, _definition(service, parameters))
    return _switch(service, parameters, (pair for pair in pairs if pair[0].class_name == subject.class_name))


def _get_metric_values(service: MetricService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_MetricService.GetMetricValues: the values of a metric; the smallest or greatest of them, first of all."""
    definition = _definition(service, parameters)
    if definition is None:
        raise MethodFailedError(_Code.FAILED, "no Definition; expected a reference to one")
    order, count = parameters.get("Range"), parameters.get("Count")
    if order not in (None, _MINIMUM, _MAXIMUM):
        raise MethodFailedError(_Code.NOT_SUPPORTED, f"Range {order}; expected 2 (Minimum) or 3 (Maximum)")
    service.hypervisor.metrics.look()
    values = [value for value in values_by(definition) if _is_of(service, value.element)]
    if order is not None:
        values.sort(key=lambda value: value.measured.value, reverse=order == _MAXIMUM)
    return MethodResult(_Code.SUCCESS, {"Values": [value.path() for value in values[:count]]})


def _control_sample_times(service: MetricService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """Answer Not Supported: when figures are sampled follows from who looks and from the settings of the server."""
    return MethodResult(_Code.NOT_SUPPORTED)


def _switch(service: MetricService, parameters: Parameters, pairs: Iterable[_Pair]) -> MethodResult:
    wanted = parameters.get("MetricCollectionEnabled")
    if wanted not in (_ENABLE, _DISABLE):
        raise MethodFailedError(
            _Code.NOT_SUPPORTED, f"MetricCollectionEnabled {wanted}; expected 2 (Enable) or 3 (Disable)"
        )
    collection = collection_of(service.site)
    for element, definition in pairs:
        collection.switch(definition.metric, (element.class_name, element.identity), wanted == _ENABLE)
    return MethodResult(_Code.SUCCESS)


def _pairs(service: MetricService, subject: MeasuredElement | None, chosen: MetricDefinition | None) -> Iterator[_Pair]:
    """List elements, each with what can be measured of it.

    Parameters:
        subject: the only element; None for all of the host.
        chosen: the only metric; None for all.
    """
    for element in (subject,) if subject is not None else _elements(service):
        for definition in _definitions(service, element.base):
            if chosen is None or definition is chosen:
                yield element, definition


def _elements(service: MetricService) -> Iterator[MeasuredElement]:
    yield service.host
    for guest in guests_on(service.site, service.host):
        yield from measured_elements(guest)


def _definitions(service: MetricService, base: str) -> list[MetricDefinition]:
    return [each for each in definitions_of(service.site, service.platform) if each.metric.base == base]


def _is_on(service: MetricService, element: MeasuredElement, definition: MetricDefinition) -> bool:
    return collection_of(service.site).is_on(definition.metric, (element.class_name, element.identity))


def _is_of(service: MetricService, element: MeasuredElement) -> bool:
    """Whether an element belongs to the host of the service."""
    return host_name(hypervisor_of(element)) == service.host.name


def _subject(service: MetricService, parameters: Parameters) -> MeasuredElement | None:
    path: InstancePath | None = parameters.get("Subject")
    return None if path is None else _measured(service, path)


def _required_subject(service: MetricService, parameters: Parameters) -> MeasuredElement:
    subject = _subject(service, parameters)
    if subject is None:
        raise MethodFailedError(_Code.FAILED, "no Subject; expected a reference to an element")
    return subject


def _measured(service: MetricService, path: InstancePath) -> MeasuredElement:
    try:
        element = element_at(service.site, path)
    except CIMError as error:
        raise MethodFailedError(_Code.FAILED, error.description) from error
    if not isinstance(element, MEASURED_TYPES):
        raise MethodFailedError(_Code.FAILED, f"Subject {path.class_name}: nothing is measured of it")
    return element


def _definition(service: MetricService, parameters: Parameters) -> MetricDefinition | None:
    path: InstancePath | None = parameters.get("Definition")
    if path is None:
        return None
    try:
        found = element_at(service.site, path)
    except CIMError as error:
        raise MethodFailedError(_Code.FAILED, error.description) from error
    if not isinstance(found, MetricDefinition) or found.platform is not service.platform:
        text = f"Definition {path.class_name}: expected one of {service.platform.prefix}_BaseMetricDefinition"
        raise MethodFailedError(_Code.FAILED, text)
    return found


MetricService.methods = (
    Method("ControlMetrics", _control_metrics, role=Role.OPERATE, capability=2),
    Method("ControlMetricsByClass", _control_metrics_by_class, role=Role.OPERATE, capability=3),
    Method("ShowMetrics", _show_metrics, role=Role.READ, capability=4),
    Method("ShowMetricsByClass", _show_metrics_by_class, role=Role.READ, capability=5),
    Method("GetMetricValues", _get_metric_values, role=Role.READ, capability=6),
    Method("ControlSampleTimes", _control_sample_times, role=Role.OPERATE),
    *SERVICE_METHODS,
)
