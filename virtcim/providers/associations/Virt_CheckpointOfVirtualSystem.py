"""<prefix>_CheckpointOfVirtualSystem: a guest, and its checkpoints (CIM_Dependency)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_Checkpoint import Checkpoint, checkpoints_of
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of

__all__ = ["checkpoint_of_virtual_system"]


def _checkpoints(system: ComputerSystem) -> Iterable[Checkpoint]:
    return checkpoints_of(system.guest)


def _systems(checkpoint: Checkpoint) -> Iterable[ComputerSystem]:
    return (system_of(checkpoint.guest),)


def checkpoint_of_virtual_system(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "CheckpointOfVirtualSystem",
        Role("Antecedent", (ComputerSystem,)),
        Role("Dependent", (Checkpoint,)),
        to_right=_checkpoints,
        to_left=_systems,
    )
