"""The service as an element."""

from __future__ import annotations

from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.service import SERVICE, HostService

__all__ = ["MetricService"]


class MetricService(HostService):
    """Measures a host and its guests (Virt_MetricService)."""

    __slots__ = ()

    base = "MetricService"
    service_name = "Metric Service"
    table = PropertyTable(
        SERVICE,
        constant("Caption", "Figures of the host and its virtual systems", "a fixed text"),
    )
