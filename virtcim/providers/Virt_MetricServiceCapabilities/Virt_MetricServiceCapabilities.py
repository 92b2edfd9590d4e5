"""What the metric service can do: <prefix>_MetricServiceCapabilities (DSP1053)."""

from __future__ import annotations

from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.Virt_MetricService import MetricService

__all__ = ["MetricServiceCapabilities", "MetricServiceCapabilitiesProvider"]


class MetricServiceCapabilities(ServiceCapabilities):
    """What the metric service can do (Virt_MetricServiceCapabilities)."""

    __slots__ = ()

    base = "MetricServiceCapabilities"
    instance_id = "MetricServiceCapabilities"
    service = MetricService


def _methods(capabilities: MetricServiceCapabilities) -> list[int]:
    """The methods of the service; they change nothing at the hypervisor, and so need no connection that writes."""
    return sorted(each.capability for each in MetricService.methods if each.capability is not None)


MetricServiceCapabilities.table = PropertyTable(
    CAPABILITIES,
    constant("ElementNameEditSupported", False),
    constant("RequestedStatesSupported", (), "always empty: the service cannot be stopped by itself"),
    Property("SupportedMethods", _methods, "methods of the service"),
)


class MetricServiceCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_MetricServiceCapabilities."""

    name = "Virt_MetricServiceCapabilities"
    types = (MetricServiceCapabilities,)
