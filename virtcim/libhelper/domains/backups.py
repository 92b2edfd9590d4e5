"""Operations on checkpoints of domains and on their backups, each on connections of its own.

Layer rule: imports libvirt, context, documents, errors, qemusockets, undoing, work and its siblings; knows nothing of
CIM.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.backup import BackupConfig, BackupDisk
from virtcim.libhelper.documents.snapshot import CheckpointConfig, CheckpointDisk
from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.libhelper.domains.freezing import frozen
from virtcim.libhelper.domains.handle import domain_handle
from virtcim.libhelper.domains.jobs import changed_domain, refuse_held
from virtcim.libhelper.errors import LibvirtError, unless_gone
from virtcim.libhelper.inventory.records import CHECKPOINTS, VOLUMES
from virtcim.libhelper.qemusockets import remove_sockets
from virtcim.libhelper.undoing import undone
from virtcim.libhelper.work import Work, WorkCancelledError
from virtcim.libhelper.xml.editing import object_text

__all__ = ["BackupDoor", "BackupPlan", "Backups", "CheckpointPlan"]

_log = logging.getLogger(__name__)

FORMAT = "qcow2"
"""The format of images that can hold checkpoints, and of those that backups go to."""
_INTERVAL = 0.1
"""Seconds between two looks at how far a backup is."""
_PATIENCE = 20.0
"""Seconds in which a daemon that does not answer is asked again: it may be starting anew."""


@immutable
class CheckpointPlan:
    """A checkpoint to be made.

    Attributes:
        name: of it.
        description: of it; None for none.
        disks: target names of the disks of which changes are taken down.
        left_out: those of all others.
    """

    name: str
    description: str | None = None
    disks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def xml(self) -> str:
        """The text for libvirt.

        Raises:
            ValueRejectedError: a value cannot stand in XML.
        """
        disks = [CheckpointDisk(name=each, checkpoint="bitmap") for each in self.disks]
        disks += [CheckpointDisk(name=each, checkpoint="no") for each in self.left_out]
        return object_text(CheckpointConfig(name=self.name, description=self.description, disks=tuple(disks)))


@immutable
class BackupDoor:
    """Where a backup is read from over NBD.

    Attributes:
        socket: path of a Unix socket; "" for TCP with TLS.
        host: name or address to listen on.
        port: of TCP.
    """

    socket: str = ""
    host: str = ""
    port: int = 0

    def address(self, export: str) -> str:
        """The NBD URI of one disk."""
        if self.socket:
            return f"nbd+unix:///{export}?socket={self.socket}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"nbds://{host}:{self.port}/{export}"


@immutable
class BackupPlan:
    """A backup to be made.

    Attributes:
        disks: target names of the disks that are taken in.
        left_out: those of all others.
        incremental: name of the checkpoint since when changes are taken in; None for all that the disks hold.
        checkpoint: to be made at the moment that the backup shows; None for none.
        quiesce: whether the guest's agent freezes its file systems at that moment.
    """

    disks: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    incremental: str | None = None
    checkpoint: CheckpointPlan | None = None
    quiesce: bool = False


class Backups:
    """The operations on the checkpoints and backups of domains of one hypervisor.

    Each takes the UUID of a domain, returns when libvirt has done it and the inventory has taken that in, and raises
    `LibvirtError` when libvirt refused.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def create_checkpoint(self, domain: str, plan: CheckpointPlan, *, quiesce: bool = False) -> None:
        """Make a checkpoint.

        Parameters:
            quiesce: have the guest's agent freeze its file systems meanwhile.
        """
        with (
            changed_domain(self._context, domain, CHECKPOINTS) as target,
            frozen(self._context, target) if quiesce else contextlib.nullcontext(),
        ):
            target.checkpointCreateXML(plan.xml)

    def delete_checkpoint(self, domain: str, name: str, *, with_descendants: bool = False) -> None:
        """Remove a checkpoint; its bitmap goes to the one before it.

        Parameters:
            with_descendants: with all that were made after it.
        """
        flags = libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN if with_descendants else 0
        with changed_domain(self._context, domain, CHECKPOINTS) as target:
            target.checkpointLookupByName(name).delete(flags)

    def push(self, domain: str, plan: BackupPlan, pool: str, volumes: Mapping[str, str], work: Work) -> None:
        """Write a backup into new volumes of a storage pool, and wait until all is there.

        Parameters:
            pool: the UUID of the pool.
            volumes: the name of the volume for each disk.
            work: told how far it is, and asked whether to stop.

        Raises:
            WorkCancelledError: it was stopped; neither volumes nor checkpoint stay.
            LibvirtError: it failed, likewise.
        """
        with self._claimed(domain) as target:
            refuse_held(target)
            made: list[libvirt.virStorageVol] = []
            begun = False
            _forget_outcome(target)
            work.tell({"outcome_is_own": 1})
            names = ", ".join(volumes.values())
            work.set_leftover(f"storage volumes {names}, which the backup may still be written to")
            try:
                for disk in plan.disks:
                    volume = _new_volume(target, disk, pool, volumes[disk])
                    made.append(volume)
                xml = _push_xml(plan, made)
                self._begin(target, plan, xml, libvirt.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL)
                begun = True
                self.follow_push(domain, work)
            except (libvirt.libvirtError, LibvirtError, WorkCancelledError) as error:
                written = [volumes[disk] for disk in plan.disks[: len(made)]]
                checkpoint = plan.checkpoint.name if begun and plan.checkpoint is not None else None
                raise self.taken_back(error, domain, pool, written, checkpoint) from error
            finally:
                self._context.inventory.refresh_parts(VOLUMES, pool)
        work.set_leftover("")

    def resume_push(self, domain: str, pool: str, volumes: Sequence[str], checkpoint: str | None, work: Work) -> None:
        """Go on with a backup that another process has begun to write, or say how it ended.

        Parameters:
            volumes: the names of the volumes.
            checkpoint: name of the checkpoint that was made with it; None for none.

        Raises:
            WorkCancelledError, LibvirtError: as `push`.
        """
        if "outcome_is_own" not in work.figures:
            text = "the server ended before it had begun"
            raise LibvirtError(text, libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_FROM_DOMAIN)
        with self._claimed(domain):
            try:
                self.follow_push(domain, work)
            except (libvirt.libvirtError, LibvirtError, WorkCancelledError) as error:
                raise self.taken_back(error, domain, pool, volumes, checkpoint) from error
            finally:
                self._context.inventory.refresh_parts(VOLUMES, pool)
        work.set_leftover("")

    def resume_pull(self, domain: str, work: Work) -> None:
        """Wait for the end of a backup that is read over NBD, and that another process has begun."""
        with self._claimed(domain):
            self.follow_pull(domain, work)
        work.set_leftover("")

    def taken_back(
        self,
        error: libvirt.libvirtError | LibvirtError | WorkCancelledError,
        domain: str,
        pool: str,
        volumes: Sequence[str],
        checkpoint: str | None,
    ) -> LibvirtError | WorkCancelledError:
        """Remove what a backup has made that failed, and return the error to be raised.

        Parameters:
            error: why it failed.
            pool: the UUID of the pool.
            volumes: names of the volumes.
            checkpoint: name of the checkpoint that was made with it; None for none.  It marks a moment of which there
                is no backup.
        """

        def remove(name: str) -> None:
            with self._context.connections.connection() as connection, unless_gone():
                connection.storagePoolLookupByUUIDString(pool).storageVolLookupByName(name).delete(0)

        def forget(name: str) -> None:
            with self._context.connections.connection() as connection, unless_gone():
                connection.lookupByUUIDString(domain).checkpointLookupByName(name).delete(0)

        steps: list[Callable[[], None]] = [partial(remove, name) for name in volumes]
        stands = f"storage volumes {', '.join(volumes)}, unfinished"
        if checkpoint is not None:
            steps.append(partial(forget, checkpoint))
            stands += f", and checkpoint {checkpoint!r}"
        return undone(error, stands, *steps)

    def pull(self, domain: str, plan: BackupPlan, door: BackupDoor, scratch: Mapping[str, str], work: Work) -> None:
        """Open the disks as they are now for reading over NBD, and wait until somebody ends that.

        Parameters:
            door: where they are read.
            scratch: for each disk the path of a file that does not exist: what the guest overwrites meanwhile goes
                there, and libvirt removes it at the end.
            work: told where, and asked whether to end it; that is no failure.
        """
        with self._claimed(domain) as target:
            refuse_held(target)
            self._begin(target, plan, _pull_xml(plan, door, scratch), 0)
            work.tell({"exports": "\n".join(door.address(disk) for disk in plan.disks)})
            work.set_leftover("the disks can still be read over NBD, until the backup is ended")
            self.follow_pull(domain, work)
        work.set_leftover("")

    def end(self, domain: str) -> bool:
        """End the backup of a domain; whether there is one."""
        with domain_handle(self._context, domain) as target:
            if not is_backed_up(target):
                return False
            target.abortJob()
            return True

    def follow_push(self, domain: str, work: Work) -> None:
        """Wait until a backup that is under way is written.

        Raises:
            WorkCancelledError: it was stopped.
            LibvirtError: it failed.
        """
        stop = threading.Event()
        with work.stoppable(stop.set):
            outcome = self._wait(domain, work, stop)
        state = outcome.get("type")
        if state == libvirt.VIR_DOMAIN_JOB_COMPLETED and outcome.get("success", True):
            return
        said = outcome.get("errmsg") or "it was ended by others"
        raise LibvirtError(f"the backup failed: {said}", libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_FROM_DOMAIN)

    def follow_pull(self, domain: str, work: Work) -> None:
        """Wait until a backup that is read over NBD is ended, by a client of the job or by anybody else."""
        stop, may_go_on = threading.Event(), False
        try:
            with contextlib.suppress(WorkCancelledError), work.stoppable(stop.set):
                self._wait(domain, work, stop)
        except LibvirtError as error:
            may_go_on = not (error.is_gone or error.is_invalid_state)
            raise
        finally:
            if not may_go_on:
                remove_sockets(str(work.figures.get("exports", "")).split("\n"))

    def is_under_way(self, domain: str) -> bool:
        """Tell whether libvirt holds a domain for a backup."""
        with domain_handle(self._context, domain) as target:
            return is_backed_up(target)

    def _begin(self, target: libvirt.virDomain, plan: BackupPlan, xml: str, flags: int) -> None:
        """Begin a backup, and see the checkpoint that is there from now on, long before the backup is over."""
        checkpoint = None if plan.checkpoint is None else plan.checkpoint.xml
        with frozen(self._context, target) if plan.quiesce else contextlib.nullcontext():
            target.backupBegin(xml, checkpoint, flags)
        if checkpoint is not None:
            self._see_checkpoints(target.UUIDString())

    def _see_checkpoints(self, domain: str) -> None:
        self._context.inventory.refresh(domain)
        self._context.inventory.refresh_parts(CHECKPOINTS, domain)

    def _wait(self, domain: str, work: Work, stop: threading.Event) -> Mapping[str, Any]:
        """Wait until libvirt holds a domain for no backup any more, and return what it says of the last one.

        A daemon that is lost is asked again for a while: libvirt takes a backup up again that QEMU goes on with.
        """
        last = time.monotonic()
        while True:
            try:
                with self._context.connections.connection() as connection:
                    target = connection.lookupByUUIDString(domain)
                    while is_backed_up(target):
                        last = time.monotonic()
                        if stop.is_set():
                            target.abortJob()
                        _report(target.jobStats(), work)
                        stop.wait(_INTERVAL) if not stop.is_set() else time.sleep(_INTERVAL)
                    flags = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
                    outcome = target.jobStats(flags)
                    if stop.is_set():
                        raise WorkCancelledError
                    return dict(outcome)
            except libvirt.libvirtError as error:
                failure = LibvirtError.of(error)
                if failure.is_gone or failure.is_invalid_state or time.monotonic() - last > _PATIENCE:
                    raise failure.saying(f"the backup was lost: {failure.message}") from error
            except LibvirtError:
                if time.monotonic() - last > _PATIENCE:
                    raise
            time.sleep(_INTERVAL)

    @contextlib.contextmanager
    def _claimed(self, domain: str) -> Iterator[libvirt.virDomain]:
        """libvirt's object of a domain that nobody else may change in the block; it is read again after that."""
        context = self._context
        try:
            with domain_handle(context, domain) as target, context.locks.claim(domain, "it is being backed up"):
                yield target
        finally:
            self._see_checkpoints(domain)


def is_backed_up(domain: libvirt.virDomain) -> bool:
    """Whether libvirt holds a domain for a backup."""
    statistics = domain.jobStats()
    is_held = statistics.get("type", libvirt.VIR_DOMAIN_JOB_NONE) != libvirt.VIR_DOMAIN_JOB_NONE
    return is_held and statistics.get("operation") == libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP


def _forget_outcome(domain: libvirt.virDomain) -> None:
    """Have libvirt forget how the last job of a domain ended, as it does once asked: it is not that of the next."""
    domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)


def _report(statistics: Mapping[str, Any], work: Work) -> None:
    done, total = statistics.get("disk_processed", 0), statistics.get("disk_total", 0)
    if total:
        work.tell({"disk_processed": int(done), "disk_total": int(total)})
        # It is done when libvirt says so, and not when the last byte is there.
        work.report(min(done, total * 99 // 100), total)


def _new_volume(domain: libvirt.virDomain, disk: str, pool: str, name: str) -> libvirt.virStorageVol:
    """Make the volume that the content of a disk is to go to."""
    capacity = int(domain.blockInfo(disk)[0])
    volume = VolumeConfig(name=name, capacity=capacity, allocation=0, target_format_type=FORMAT)
    found = domain.connect().storagePoolLookupByUUIDString(pool)
    made = found.createXML(object_text(volume), 0)
    if made.info()[0] != libvirt.VIR_STORAGE_VOL_FILE:
        made.delete(0)
        text = f"storage pool {found.name()!r}: its volumes are no files; expected a pool of files"
        raise LibvirtError(text, libvirt.VIR_ERR_OPERATION_UNSUPPORTED, libvirt.VIR_FROM_STORAGE)
    return made


def _left_out(plan: BackupPlan) -> list[BackupDisk]:
    return [BackupDisk(name=each, backup="no") for each in plan.left_out]


def _push_xml(plan: BackupPlan, volumes: Sequence[libvirt.virStorageVol]) -> str:
    disks = [
        BackupDisk(name=disk, backup="yes", type="file", driver_type=FORMAT, target_file=volume.path())
        for disk, volume in zip(plan.disks, volumes, strict=True)
    ]
    return object_text(BackupConfig(mode="push", incremental=plan.incremental, disks=(*disks, *_left_out(plan))))


def _pull_xml(plan: BackupPlan, door: BackupDoor, scratch: Mapping[str, str]) -> str:
    disks = [
        BackupDisk(name=disk, backup="yes", type="file", export_name=disk, scratch_file=scratch[disk])
        for disk in plan.disks
    ]
    return object_text(
        BackupConfig(
            mode="pull",
            incremental=plan.incremental,
            server_transport="unix" if door.socket else "tcp",
            server_socket=door.socket or None,
            server_name=None if door.socket else door.host,
            server_port=None if door.socket else door.port,
            server_tls=None if door.socket else "yes",
            disks=(*disks, *_left_out(plan)),
        )
    )
