"""<prefix>_MostCurrentSnapshotInBranch: a guest, and the snapshot that it goes on from.

The next snapshot of the guest becomes a child of it (CIM_MostCurrentSnapshotInBranch; DSP1042).
"""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData, snapshots_of_guest

__all__ = ["most_current_snapshot_in_branch"]


def _is_current(setting: VirtualSystemSettingData) -> bool:
    snapshot = setting.configuration.snapshot
    return snapshot is not None and snapshot.is_current


def _current(system: ComputerSystem) -> Iterable[VirtualSystemSettingData]:
    return filter(_is_current, snapshots_of_guest(system.guest))


def _systems(setting: VirtualSystemSettingData) -> Iterable[ComputerSystem]:
    return (system_of(setting.guest),) if _is_current(setting) else ()


def most_current_snapshot_in_branch(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "MostCurrentSnapshotInBranch",
        Role("Antecedent", (ComputerSystem,)),
        Role("Dependent", (VirtualSystemSettingData,)),
        to_right=_current,
        to_left=_systems,
    )
