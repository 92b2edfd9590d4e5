"""<prefix>_SnapshotOfVirtualSystem: a guest, and its snapshots (CIM_SnapshotOfVirtualSystem; DSP1042)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData, snapshots_of_guest

__all__ = ["snapshot_of_virtual_system"]


def _snapshots(system: ComputerSystem) -> Iterable[VirtualSystemSettingData]:
    return snapshots_of_guest(system.guest)


def _systems(setting: VirtualSystemSettingData) -> Iterable[ComputerSystem]:
    return () if setting.configuration.snapshot is None else (system_of(setting.guest),)


def snapshot_of_virtual_system(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "SnapshotOfVirtualSystem",
        Role("Antecedent", (ComputerSystem,)),
        Role("Dependent", (VirtualSystemSettingData,)),
        to_right=_snapshots,
        to_left=_systems,
    )
