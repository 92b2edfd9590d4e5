"""<prefix>_ResidesOnExtent: a disk of a guest (Antecedent) and the file systems on it (Dependent)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_Device.Virt_LogicalDisk import LogicalDisk
from virtcim.providers.Virt_LocalFileSystem import LocalFileSystem, file_systems_of

__all__ = ["resides_on_extent"]


def resides_on_extent(site: Site) -> Relation:
    """The association: libvirt finds the disks that the agent means, and names them by their targets."""

    def file_systems(disk: LogicalDisk) -> Iterable[LocalFileSystem]:
        target = _target(disk)
        return (each for each in file_systems_of(disk.guest) if target in each.told.disks)

    def disks(each: LocalFileSystem) -> Iterable[LogicalDisk]:
        return (disk for disk in LogicalDisk.made_from(each.guest) if _target(disk) in each.told.disks)

    return Relation(
        site,
        "ResidesOnExtent",
        Role("Antecedent", (LogicalDisk,)),
        Role("Dependent", (LocalFileSystem,)),
        to_right=file_systems,
        to_left=disks,
    )


def _target(disk: LogicalDisk) -> str | None:
    target: str | None = getattr(disk.device, "target_dev", None)
    return target
