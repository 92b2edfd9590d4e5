"""What can be measured, as <prefix>_BaseMetricDefinition (CIM_BaseMetricDefinition; DSP1053)."""

from virtcim.providers.Virt_BaseMetricDefinition.Virt_BaseMetricDefinition import (
    MetricDefinition,
    MetricDefinitionProvider,
    definition_of,
    definitions_of,
)

__all__ = ["MetricDefinition", "MetricDefinitionProvider", "definition_of", "definitions_of"]
