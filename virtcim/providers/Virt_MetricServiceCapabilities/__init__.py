"""What the metric service can do: <prefix>_MetricServiceCapabilities (DSP1053)."""

from virtcim.providers.Virt_MetricServiceCapabilities.Virt_MetricServiceCapabilities import (
    MetricServiceCapabilities,
    MetricServiceCapabilitiesProvider,
)

__all__ = ["MetricServiceCapabilities", "MetricServiceCapabilitiesProvider"]
