"""<prefix>_HostedAccessPoint: a host (Antecedent) and the access points on it (Dependent) (DSP1024, 1076)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_HostSystem import HostSystem, guests_on, host_of
from virtcim.providers.Virt_KVMRedirectionSAP import KVMRedirectionSAP, access_points_of
from virtcim.providers.Virt_TextRedirectionSAP import TextRedirectionSAP, text_points_of

__all__ = ["hosted_access_point"]


def hosted_access_point(site: Site) -> Relation:
    """The association."""

    def points(host: HostSystem) -> Iterable[KVMRedirectionSAP | TextRedirectionSAP]:
        for guest in guests_on(site, host):
            yield from access_points_of(guest)
            yield from text_points_of(guest)

    def host(point: KVMRedirectionSAP | TextRedirectionSAP) -> Iterable[HostSystem]:
        return (host_of(point.guest),)

    return Relation(
        site,
        "HostedAccessPoint",
        Role("Antecedent", (HostSystem,)),
        Role("Dependent", (KVMRedirectionSAP, TextRedirectionSAP)),
        to_right=points,
        to_left=host,
    )
