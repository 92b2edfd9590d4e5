"""<prefix>_ServiceAccessBySAP: the console service (Antecedent) and its access points (Dependent) (DSP1076)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ConsoleRedirectionService import ConsoleRedirectionService
from virtcim.providers.Virt_HostSystem import guests_on, host_of
from virtcim.providers.Virt_KVMRedirectionSAP import KVMRedirectionSAP, access_points_of

__all__ = ["service_access_by_sap"]


def service_access_by_sap(site: Site) -> Relation:
    """The association."""

    def points(service: ConsoleRedirectionService) -> Iterable[KVMRedirectionSAP]:
        return (point for guest in guests_on(site, service.host) for point in access_points_of(guest))

    def service(point: KVMRedirectionSAP) -> Iterable[ConsoleRedirectionService]:
        return (ConsoleRedirectionService(host_of(point.guest)),)

    return Relation(
        site,
        "ServiceAccessBySAP",
        Role("Antecedent", (ConsoleRedirectionService,)),
        Role("Dependent", (KVMRedirectionSAP,)),
        to_right=points,
        to_left=service,
    )
