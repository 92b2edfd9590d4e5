"""<prefix>_HostedService: a host (Antecedent) and its services (Dependent) (CIM_HostedService; DSP1042)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.services.service import HostService
from virtcim.providers.services.types import SERVICE_TYPES
from virtcim.providers.site import Site
from virtcim.providers.Virt_HostSystem import HostSystem

__all__ = ["hosted_service"]


def hosted_service(site: Site) -> Relation:
    """The association."""

    def services(host: HostSystem) -> Iterable[HostService]:
        return (service(host) for service in SERVICE_TYPES)

    def host(service: HostService) -> Iterable[HostSystem]:
        return (service.host,)

    return Relation(
        site,
        "HostedService",
        Role("Antecedent", (HostSystem,)),
        Role("Dependent", SERVICE_TYPES),
        to_right=services,
        to_left=host,
    )
