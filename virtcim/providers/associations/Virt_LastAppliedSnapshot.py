"""<prefix>_LastAppliedSnapshot: the snapshot that a guest was put back to last (CIM_LastAppliedSnapshot; DSP1042)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.snapshots import last_applied
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData, snapshots_of_guest

__all__ = ["last_applied_snapshot"]


def _applied(system: ComputerSystem) -> Iterable[VirtualSystemSettingData]:
    name = last_applied(system.guest.domain)
    return (each for each in snapshots_of_guest(system.guest) if _name(each) == name)


def _systems(setting: VirtualSystemSettingData) -> Iterable[ComputerSystem]:
    name = _name(setting)
    return (system_of(setting.guest),) if name is not None and last_applied(setting.guest.domain) == name else ()


def _name(setting: VirtualSystemSettingData) -> str | None:
    snapshot = setting.configuration.snapshot
    return None if snapshot is None else snapshot.name


def last_applied_snapshot(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "LastAppliedSnapshot",
        Role("Antecedent", (VirtualSystemSettingData,)),
        Role("Dependent", (ComputerSystem,)),
        to_right=_systems,
        to_left=_applied,
    )
