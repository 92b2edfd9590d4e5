"""<prefix>_InstalledOS: a guest (GroupComponent) and the operating system in it (PartComponent)."""

from __future__ import annotations

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_OperatingSystem import OperatingSystem, operating_systems_of

__all__ = ["installed_os"]


def installed_os(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "InstalledOS",
        Role("GroupComponent", (ComputerSystem,)),
        Role("PartComponent", (OperatingSystem,)),
        to_right=lambda system: operating_systems_of(system.guest),
        to_left=lambda each: (system_of(each.guest),),
    )
