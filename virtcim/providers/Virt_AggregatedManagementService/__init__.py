"""The service of the server's own system that places guests on nodes, and acts on all guests of a group."""

from virtcim.providers.Virt_AggregatedManagementService.provider import (
    AGGREGATED_SERVICE,
    METHOD_ROLES,
    AggregatedServiceProvider,
)

__all__ = ["AGGREGATED_SERVICE", "METHOD_ROLES", "AggregatedServiceProvider"]
