"""<prefix>_HostedDependency: a host (Antecedent) and its guests (Dependent) (CIM_HostedDependency; DSP1042)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_HostSystem import HostSystem, guests_on, host_of

__all__ = ["hosted_dependency"]


def hosted_dependency(site: Site) -> Relation:
    """The association."""

    def guests(host: HostSystem) -> Iterable[ComputerSystem]:
        return (system_of(guest) for guest in guests_on(site, host))

    def host(system: ComputerSystem) -> Iterable[HostSystem]:
        return (host_of(system.guest),)

    return Relation(
        site,
        "HostedDependency",
        Role("Antecedent", (HostSystem,)),
        Role("Dependent", (ComputerSystem,)),
        to_right=guests,
        to_left=host,
    )
