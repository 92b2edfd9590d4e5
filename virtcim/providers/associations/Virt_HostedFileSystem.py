"""<prefix>_HostedFileSystem: a guest (GroupComponent) and the file systems in it (PartComponent)."""

from __future__ import annotations

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_LocalFileSystem import LocalFileSystem, file_systems_of

__all__ = ["hosted_file_system"]


def hosted_file_system(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "HostedFileSystem",
        Role("GroupComponent", (ComputerSystem,)),
        Role("PartComponent", (LocalFileSystem,)),
        to_right=lambda system: file_systems_of(system.guest),
        to_left=lambda each: (system_of(each.guest),),
    )
