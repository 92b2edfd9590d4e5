"""<prefix>_CheckpointDependency: a checkpoint, and the one that was made after it (CIM_Dependency)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_Checkpoint import Checkpoint, checkpoints_of

__all__ = ["checkpoint_dependency"]


def _parents(child: Checkpoint) -> Iterable[Checkpoint]:
    return (each for each in checkpoints_of(child.guest) if each.name == child.config.parent_name)


def _children(parent: Checkpoint) -> Iterable[Checkpoint]:
    return (each for each in checkpoints_of(parent.guest) if each.config.parent_name == parent.name)


def checkpoint_dependency(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "CheckpointDependency",
        Role("Antecedent", (Checkpoint,)),
        Role("Dependent", (Checkpoint,)),
        to_right=_children,
        to_left=_parents,
    )
