"""<prefix>_SnapshotDependency: a snapshot, and those that were taken after it in its branch (CIM_Dependency)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData, snapshots_of_guest

__all__ = ["snapshot_dependency"]


def _parent_name(setting: VirtualSystemSettingData) -> str | None:
    snapshot = setting.configuration.snapshot
    config = None if snapshot is None else snapshot.config
    return None if config is None else config.parent_name


def _name(setting: VirtualSystemSettingData) -> str | None:
    snapshot = setting.configuration.snapshot
    return None if snapshot is None else snapshot.name


def _parents(child: VirtualSystemSettingData) -> Iterable[VirtualSystemSettingData]:
    name = _parent_name(child)
    return () if name is None else (each for each in snapshots_of_guest(child.guest) if _name(each) == name)


def _children(parent: VirtualSystemSettingData) -> Iterable[VirtualSystemSettingData]:
    name = _name(parent)
    return () if name is None else (each for each in snapshots_of_guest(parent.guest) if _parent_name(each) == name)


def snapshot_dependency(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "SnapshotDependency",
        Role("Antecedent", (VirtualSystemSettingData,)),
        Role("Dependent", (VirtualSystemSettingData,)),
        to_right=_children,
        to_left=_parents,
    )
