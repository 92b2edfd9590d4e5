"""Measuring as <prefix>_MetricService (CIM_MetricService; DSP1053)."""

from virtcim.providers.Virt_MetricService.provider import MetricServiceProvider
from virtcim.providers.Virt_MetricService.Virt_MetricService import MetricService

__all__ = ["MetricService", "MetricServiceProvider"]
