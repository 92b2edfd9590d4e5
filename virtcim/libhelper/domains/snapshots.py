"""Operations on snapshots of domains, each on a connection of its own.

Layer rule: imports libvirt, connections, context, documents, errors, work and its siblings; knows nothing of CIM.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import os
import time
from collections.abc import Iterator

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.connections import is_local
from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.snapshot import SnapshotConfig, SnapshotDisk
from virtcim.libhelper.domains.freezing import quiesced
from virtcim.libhelper.domains.handle import domain_handle, kept_open
from virtcim.libhelper.domains.jobs import changed_domain, follow, holding_job
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.inventory.records import SNAPSHOTS
from virtcim.libhelper.work import Work
from virtcim.libhelper.xml.editing import object_text

__all__ = ["AfterRevert", "SnapshotPlan", "Snapshots"]

_log = logging.getLogger(__name__)

_SAVED = b"LibvirtQemud"
"""How a file begins that libvirt has saved the memory of a guest to, be it finished or not."""
_LOOK = 0.2
"""Seconds between two looks at whether libvirt is done."""


@immutable
class SnapshotPlan:
    """A snapshot to be taken.

    Attributes:
        name: of it.
        description: of it; None for none.
        disks_only: whether it takes in no memory, and disks in overlays.
        memory_file: where the memory of a running domain goes, in full; None for the images of the disks.
        disks: how each disk is taken in; those that are not named as libvirt chooses.
        quiesce: whether the guest's agent is to freeze its file systems meanwhile.
        halt: whether the domain is to be off afterwards.
    """

    name: str
    description: str | None = None
    disks_only: bool = False
    memory_file: str | None = None
    disks: tuple[SnapshotDisk, ...] = ()
    quiesce: bool = False
    halt: bool = False

    @property
    def is_external(self) -> bool:
        """Whether the domain goes on in overlays."""
        return self.disks_only or self.memory_file is not None

    @property
    def xml(self) -> str:
        """The text for libvirt.

        Raises:
            ValueRejectedError: a value cannot stand in XML.
        """
        return object_text(
            SnapshotConfig(
                name=self.name,
                description=self.description,
                memory_snapshot=None if self.memory_file is None else "external",
                memory_file=self.memory_file,
                disks=self.disks,
            )
        )

    @property
    def flags(self) -> int:
        """The flags for libvirt: either all disks are taken in, or none."""
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC if self.is_external else 0
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY if self.disks_only else 0
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE if self.quiesce else 0
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_HALT if self.halt else 0
        return flags


class AfterRevert(enum.Enum):
    """What a domain is to be once it was put back to a snapshot."""

    AS_IT_WAS = enum.auto()
    RUNNING = enum.auto()
    PAUSED = enum.auto()
    OFF = enum.auto()


class Snapshots:
    """The operations on the snapshots of domains of one hypervisor.

    Each takes the UUID of a domain, returns when libvirt has answered and the inventory has taken that in, and raises
    `LibvirtError` when libvirt refused.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def create(self, domain: str, plan: SnapshotPlan, work: Work) -> None:
        """Take a snapshot.

        Parameters:
            work: told how far it is, where libvirt tells, and asked whether to stop where memory goes to a file.

        Raises:
            WorkCancelledError: it was stopped, and there is no snapshot.
        """
        xml = plan.xml
        with (
            changed_domain(self._context, domain, SNAPSHOTS) as target,
            quiesced(self._context, target) if plan.quiesce else contextlib.nullcontext(),
        ):
            work.set_leftover(f"snapshot {plan.name!r} of domain {domain}, which libvirt may still finish")
            with follow(self._context, domain, work) if plan.memory_file is not None else contextlib.nullcontext():
                target.snapshotCreateXML(xml, plan.flags)
        work.set_leftover("")

    def await_snapshot(self, domain: str, name: str) -> bool:
        """Wait until libvirt holds a domain for nothing any more; whether it has this snapshot then."""
        with domain_handle(self._context, domain) as target:
            while holding_job(target) is not None:
                time.sleep(_LOOK)
            found = any(each.getName() == name for each in target.listAllSnapshots())
        self._context.inventory.refresh(domain)
        self._context.inventory.refresh_parts(SNAPSHOTS, domain)
        return found

    def apply(self, domain: str, name: str, after: AfterRevert, *, force: bool = False) -> None:
        """Put a domain back to one of its snapshots.

        Parameters:
            name: of the snapshot.
            after: what the domain is to be then.
            force: also where libvirt has to start another emulator for it.
        """
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE if force else 0
        with changed_domain(self._context, domain, SNAPSHOTS) as target:
            snapshot = target.snapshotLookupByName(name)
            if after is AfterRevert.RUNNING:
                flags |= libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING
            elif after is AfterRevert.PAUSED or (after is AfterRevert.OFF and _has_memory(snapshot)):
                flags |= libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED
            was_active = bool(target.isActive())
            try:
                target.revertToSnapshot(snapshot, flags)
            except libvirt.libvirtError as error:
                failure = LibvirtError.of(error)
                if was_active and not target.isActive():
                    raise failure.saying(f"{failure.message.rstrip()}; the guest is off") from error
                raise
            is_active = bool(target.isActive())
            if after is AfterRevert.OFF and is_active:
                target.destroy()
            elif after is AfterRevert.RUNNING and not is_active:
                target.create()  # not every driver starts a guest that was off when the snapshot was taken

    def delete(self, domain: str, name: str, *, with_descendants: bool = False) -> None:
        """Remove a snapshot; what it has of the disks goes to those that follow it.

        Parameters:
            name: of the snapshot.
            with_descendants: with all that were taken after it in its branch; else they get its parent.
        """
        with changed_domain(self._context, domain, SNAPSHOTS) as target:
            snapshot = target.snapshotLookupByName(name)
            for each in (*(_descendants(snapshot) if with_descendants else ()), snapshot):
                path = SnapshotConfig.parse(each.getXMLDesc(0)).memory_file
                _delete(target, each)
                if path and path not in _memory_files(target):
                    self._remove_memory(path)

    def _remove_memory(self, path: str) -> None:
        """Remove the file with the memory of a snapshot that is gone, which libvirt 9.0 leaves behind.

        It is removed where it is a file of this machine, and holds what it is said to hold.
        """
        try:
            if not is_local(self._context.uri):
                raise OSError("it is a file of another machine")
            with open(path, "rb") as file:
                if not file.read(len(_SAVED)).startswith(_SAVED):
                    raise OSError("it is no saved memory")
            os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("%s: the memory of a snapshot that was removed stays: %s", path, error)


def _descendants(snapshot: libvirt.virDomainSnapshot) -> Iterator[libvirt.virDomainSnapshot]:
    """All snapshots that follow one, each behind those that follow it: in this order they are removed one by one.

    libvirtd 9.0 crashes where it is left to do so (VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN): it gives the children of one
    that it removes to the parent, and goes on with what it has freed.
    """
    for child in snapshot.listAllChildren():
        yield from _descendants(child)
        yield child


def _delete(domain: libvirt.virDomain, snapshot: libvirt.virDomainSnapshot) -> None:
    """Remove one snapshot.

    libvirt 9.0 does not find the images below overlays that were laid one over the other while the domain was off.
    """
    try:
        snapshot.delete(0)
    except libvirt.libvirtError as error:
        is_lost = error.get_error_code() == libvirt.VIR_ERR_INVALID_ARG
        if not is_lost or domain.isActive() or domain.hasManagedSaveImage():
            raise
        with kept_open(domain):
            snapshot.delete(0)


def _memory_files(domain: libvirt.virDomain) -> set[str]:
    """The files with memory of all snapshots of a domain."""
    read = (SnapshotConfig.parse(each.getXMLDesc(0)) for each in domain.listAllSnapshots())
    return {each.memory_file for each in read if each.memory_file}


def _has_memory(snapshot: libvirt.virDomainSnapshot) -> bool:
    return SnapshotConfig.parse(snapshot.getXMLDesc(0)).has_memory
