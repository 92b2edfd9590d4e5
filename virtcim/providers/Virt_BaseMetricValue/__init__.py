"""What was measured, as <prefix>_BaseMetricValue (CIM_BaseMetricValue; DSP1053)."""

from virtcim.providers.Virt_BaseMetricValue.measured import (
    MEASURED_TYPES,
    MeasuredElement,
    hypervisor_of,
    is_measured,
    measure_guest,
    measured_elements,
)
from virtcim.providers.Virt_BaseMetricValue.Virt_BaseMetricValue import (
    MetricValue,
    MetricValueProvider,
    collection_of,
    values_by,
    values_of,
)

__all__ = [
    "MEASURED_TYPES",
    "MeasuredElement",
    "MetricValue",
    "MetricValueProvider",
    "collection_of",
    "hypervisor_of",
    "is_measured",
    "measure_guest",
    "measured_elements",
    "values_by",
    "values_of",
]
