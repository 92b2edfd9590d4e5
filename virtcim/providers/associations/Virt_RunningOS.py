"""<prefix>_RunningOS: the operating system (Antecedent) that runs in a guest (Dependent)."""

from __future__ import annotations

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_OperatingSystem import OperatingSystem, operating_systems_of

__all__ = ["running_os"]


def running_os(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "RunningOS",
        Role("Antecedent", (OperatingSystem,)),
        Role("Dependent", (ComputerSystem,)),
        to_right=lambda each: (system_of(each.guest),),
        to_left=lambda system: operating_systems_of(system.guest),
    )
