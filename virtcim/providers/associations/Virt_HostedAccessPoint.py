"""<prefix>_HostedAccessPoint: a system (Antecedent) and the access points on it (Dependent): a host and the consoles of
its guests (DSP1024, 1076), a guest and its IP addresses (DSP1036)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_HostSystem import HostSystem, guests_on, host_of
from virtcim.providers.Virt_IPProtocolEndpoint import IPProtocolEndpoint, endpoints_of
from virtcim.providers.Virt_KVMRedirectionSAP import KVMRedirectionSAP, access_points_of
from virtcim.providers.Virt_TextRedirectionSAP import TextRedirectionSAP, text_points_of

__all__ = ["hosted_access_point"]

_Point = KVMRedirectionSAP | TextRedirectionSAP | IPProtocolEndpoint


def hosted_access_point(site: Site) -> Relation:
    """The association."""

    def points(system: HostSystem | ComputerSystem) -> Iterable[_Point]:
        if isinstance(system, ComputerSystem):
            yield from endpoints_of(system.guest)
            return
        for guest in guests_on(site, system):
            yield from access_points_of(guest)
            yield from text_points_of(guest)

    def systems(point: _Point) -> Iterable[HostSystem | ComputerSystem]:
        return (system_of(point.guest) if isinstance(point, IPProtocolEndpoint) else host_of(point.guest),)

    return Relation(
        site,
        "HostedAccessPoint",
        Role("Antecedent", (HostSystem, ComputerSystem)),
        Role("Dependent", (KVMRedirectionSAP, TextRedirectionSAP, IPProtocolEndpoint)),
        to_right=points,
        to_left=systems,
    )
