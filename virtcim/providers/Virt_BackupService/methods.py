"""The methods of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.libhelper.errors import LibvirtError
from virtcim.providers.errors import access_denied, guest_failure
from virtcim.providers.guests import guest_named
from virtcim.providers.interface import CIMError, InstancePath, MethodResult, RequestContext, Status
from virtcim.providers.methods import Method, MethodFailedError, Parameters
from virtcim.providers.references import element_at
from virtcim.providers.services.guests import affected_guest
from virtcim.providers.services.work import run_method
from virtcim.providers.snapshots import can_notify
from virtcim.providers.values import flag_of, number_of
from virtcim.providers.Virt_BackupService.settings import (
    BackupWishes,
    backup_plan,
    checkpoint_plan,
    door_of,
    scratch_files,
    volume_names,
    wishes_of,
)
from virtcim.providers.Virt_BackupService.Virt_BackupService import BackupCode, BackupMode
from virtcim.providers.Virt_Checkpoint import Checkpoint, checkpoints_of
from virtcim.providers.Virt_ComputerSystem import system_of
from virtcim.providers.Virt_DevicePool import DiskPool
from virtcim.providers.Virt_StorageVolume import volumes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from virtcim.libhelper.domains.backups import BackupPlan
    from virtcim.libhelper.work import Work
    from virtcim.providers.guest import Guest
    from virtcim.providers.interface import CIMValue
    from virtcim.providers.Virt_BackupService.Virt_BackupService import BackupService

__all__ = ["METHODS", "pushed"]

_CREATE, _DESTROY, _START, _END = 2, 3, 4, 5
"""SynchronousMethodsSupported and AsynchronousMethodsSupported of the capabilities."""

_END_PATIENCE = 10.0
"""Seconds that the job of a backup that was ended gets to be over, too."""


def create_checkpoint(service: BackupService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CreateCheckpoint: from now on, what is written to the disks is taken down."""
    guest = _guest(service, parameters)
    wishes = wishes_of(parameters.get("CheckpointSettings"), "CheckpointSettings")
    plan = checkpoint_plan(guest, wishes.name, wishes)
    _require_running(guest)
    _require_agent(guest, wishes)

    def run(_: Work) -> MethodResult:
        try:
            guest.hypervisor.backups.create_checkpoint(guest.domain.uuid, plan, quiesce=wishes.quiesce)
        except LibvirtError as error:
            raise _failure("Unable to create checkpoint", error) from error
        return MethodResult(BackupCode.COMPLETED, _checkpoint_out(guest, plan.name))

    return _run(service, "CreateCheckpoint", context, guest, run)


def destroy_checkpoint(service: BackupService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """DestroyCheckpoint: what it has taken down goes to the one before it."""
    _require_backups(service)
    checkpoint = _checkpoint(service, parameters, "AffectedCheckpoint")
    if checkpoint is None:
        raise CIMError(Status.INVALID_PARAMETER, "Missing AffectedCheckpoint")
    with_descendants = flag_of(parameters.get("WithDescendants"), "WithDescendants")
    guest = checkpoint.guest
    _check_writable(guest)

    def run(_: Work) -> MethodResult:
        backups = guest.hypervisor.backups
        try:
            backups.delete_checkpoint(guest.domain.uuid, checkpoint.name, with_descendants=with_descendants)
        except LibvirtError as error:
            raise _failure("Unable to remove checkpoint", error) from error
        return MethodResult(BackupCode.COMPLETED)

    return _run(service, "DestroyCheckpoint", context, guest, run)


def start_backup(service: BackupService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """StartBackup: write what the disks hold into volumes, or have it read over NBD."""
    guest = _guest(service, parameters)
    number = number_of(parameters.get("BackupMode"), "BackupMode")
    try:
        mode = BackupMode(BackupMode.PUSH if number is None else number)
    except ValueError:
        raise CIMError(Status.INVALID_PARAMETER, f"BackupMode: is {number}; expected 2 or 3") from None
    wishes = wishes_of(parameters.get("BackupSettings"), "BackupSettings")
    base = _checkpoint(service, parameters, "BaseCheckpoint")
    if base is not None and base.guest.domain.uuid != guest.domain.uuid:
        raise CIMError(
            Status.INVALID_PARAMETER, f"BaseCheckpoint: {base.name!r} is no checkpoint of guest {guest.name!r}"
        )
    _require_running(guest)
    _require_agent(guest, wishes)
    plan = backup_plan(guest, wishes, base)
    if mode is BackupMode.PUSH:
        run = _push(guest, plan, wishes, _target_pool(service, parameters, guest))
    else:
        run = _pull(guest, plan, wishes)
    return _run(service, "StartBackup", context, guest, run, base="BackupJob")


def end_backup(service: BackupService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """EndBackup: the job of the backup is over then."""
    guest = _guest(service, parameters)

    def run(_: Work) -> MethodResult:
        try:
            ended = guest.hypervisor.backups.end(guest.domain.uuid)
        except LibvirtError as error:
            raise _failure("Unable to end backup", error) from error
        if not ended:
            raise MethodFailedError(BackupCode.INVALID_STATE, f"guest {guest.name!r} is not being backed up")
        for job in guest.site.jobs.all(guest.platform.prefix, guest.site.namespace):
            if job.record.base == "BackupJob" and job.figures.get("uuid") == guest.domain.uuid:
                job.over.wait(_END_PATIENCE)
        return MethodResult(BackupCode.COMPLETED)

    return _run(service, "EndBackup", context, guest, run)


METHODS: tuple[Method[BackupService], ...] = (
    Method("CreateCheckpoint", create_checkpoint, may_be_job=True, capability=_CREATE),
    Method("DestroyCheckpoint", destroy_checkpoint, may_be_job=True, capability=_DESTROY),
    Method("StartBackup", start_backup, may_be_job=True, capability=_START),
    Method("EndBackup", end_backup, may_be_job=True, capability=_END),
)


def _push(guest: Guest, plan: BackupPlan, wishes: BackupWishes, pool: DiskPool) -> Callable[[Work], MethodResult]:
    volumes = volume_names(guest, plan, wishes)
    for each in volumes_of(pool):
        if each.volume.name in volumes.values():
            raise CIMError(Status.ALREADY_EXISTS, f"volume {each.volume.name!r} exists; expected another name")

    def run(work: Work) -> MethodResult:
        checkpoint = "" if plan.checkpoint is None else plan.checkpoint.name
        work.tell({"guest": guest.name, "uuid": guest.domain.uuid, "uri": guest.hypervisor.uri})
        work.tell({"mode": int(BackupMode.PUSH)})
        work.tell({"pool": pool.record.uuid, "volumes": "\n".join(volumes.values()), "checkpoint": checkpoint})
        try:
            guest.hypervisor.backups.push(guest.domain.uuid, plan, pool.record.uuid, volumes, work)
        except LibvirtError as error:
            raise _failure("Unable to back up", error) from error
        return pushed(guest, pool.record.uuid, tuple(volumes.values()), checkpoint)

    return run


def pushed(guest: Guest, pool: str, volumes: tuple[str, ...], checkpoint: str) -> MethodResult:
    """Make the result of a backup that was written into volumes.

    Parameters:
        pool: the UUID of the pool.
        volumes: their names.
        checkpoint: name of the one that was made with it; "" for none.
    """
    pools = (each for each in DiskPool.all_of(guest.site, guest.platform) if each.hypervisor is guest.hypervisor)
    found = (
        volume for each in pools if each.record is not None and each.record.uuid == pool for volume in volumes_of(each)
    )
    paths = [each.path() for each in found if each.volume.name in volumes]
    out: dict[str, CIMValue] = {"Volumes": paths}
    return MethodResult(BackupCode.COMPLETED, {**out, **(_checkpoint_out(guest, checkpoint) if checkpoint else {})})


def _pull(guest: Guest, plan: BackupPlan, wishes: BackupWishes) -> Callable[[Work], MethodResult]:
    door, scratch = door_of(guest, wishes), scratch_files(guest, plan, wishes)

    def run(work: Work) -> MethodResult:
        work.tell({"guest": guest.name, "uuid": guest.domain.uuid, "uri": guest.hypervisor.uri})
        work.tell({"mode": int(BackupMode.PULL)})
        try:
            guest.hypervisor.backups.pull(guest.domain.uuid, plan, door, scratch, work)
        except LibvirtError as error:
            raise _failure("Unable to back up", error) from error
        checkpoint = None if plan.checkpoint is None else plan.checkpoint.name
        return MethodResult(BackupCode.COMPLETED, {} if checkpoint is None else _checkpoint_out(guest, checkpoint))

    return run


def _checkpoint_out(guest: Guest, name: str) -> Mapping[str, CIMValue]:
    """The output parameter with a checkpoint that was made; none where it is gone again."""
    now = guest_named(guest.site, guest.platform, guest.name)
    found = () if now is None else checkpoints_of(now)
    made = next((each for each in found if each.name == name), None)
    return {} if made is None else {"Checkpoint": made.path()}


def _run(
    service: BackupService,
    method: str,
    context: RequestContext,
    guest: Guest,
    run: Callable[[Work], MethodResult],
    base: str = "ConcreteJob",
) -> MethodResult:
    affected = [system_of(guest).path()]
    return run_method(
        service, method, context, run, affected, name=f"{method} {guest.name}", takes_worker=False, base=base
    )


def _require_backups(service: BackupService) -> None:
    if not service.can_back_up:
        text = f"{service.platform.title} guests have no checkpoints and backups"
        raise MethodFailedError(BackupCode.NOT_SUPPORTED, text)


def _guest(service: BackupService, parameters: Parameters) -> Guest:
    _require_backups(service)
    guest = affected_guest(service, parameters)
    _check_writable(guest)
    return guest


def _check_writable(guest: Guest) -> None:
    if guest.hypervisor.read_only:
        raise access_denied(guest.hypervisor)


def _require_running(guest: Guest) -> None:
    if not guest.domain.active:
        text = f"guest {guest.name!r} is off; expected one that runs: libvirt backs up no others"
        raise MethodFailedError(BackupCode.INVALID_STATE, text)


def _require_agent(guest: Guest, wishes: BackupWishes) -> None:
    if wishes.quiesce and not can_notify(guest):
        text = f"guest {guest.name!r}: its agent is not connected; expected one that can freeze its file systems"
        raise MethodFailedError(BackupCode.INVALID_STATE, text)


def _checkpoint(service: BackupService, parameters: Parameters, name: str) -> Checkpoint | None:
    """The checkpoint that a parameter refers to; None where it is not given.

    Raises:
        CIMError: INVALID_PARAMETER for something else, NOT_FOUND as GetInstance has it.
    """
    path = parameters.get(name)
    if path is None:
        return None
    element = element_at(service.site, path) if isinstance(path, InstancePath) else None
    if not isinstance(element, Checkpoint):
        raise CIMError(Status.INVALID_PARAMETER, f"{name}: is not a checkpoint; expected a reference to its settings")
    return element


def _target_pool(service: BackupService, parameters: Parameters, guest: Guest) -> DiskPool:
    """The storage pool that TargetPool refers to."""
    path = parameters.get("TargetPool")
    if not isinstance(path, InstancePath):
        raise CIMError(Status.INVALID_PARAMETER, "Missing TargetPool")
    element = element_at(service.site, path)
    if not isinstance(element, DiskPool) or element.primordial or element.hypervisor is not guest.hypervisor:
        raise CIMError(
            Status.INVALID_PARAMETER, "TargetPool: is not a pool of the guest's hypervisor; expected one with volumes"
        )
    return element


def _failure(text: str, error: LibvirtError) -> CIMError | MethodFailedError:
    """How a method ends when libvirt refuses: with a return code for what lies in the guest's state."""
    code = None
    if error.is_duplicate_moment:
        return CIMError(Status.ALREADY_EXISTS, f"{text}: {error.message}", error.code)
    if error.is_timeout:
        code = BackupCode.TIMEOUT
    elif error.is_unsupported_call:
        code = BackupCode.NOT_SUPPORTED
    elif error.is_invalid_state or error.is_busy:
        code = BackupCode.INVALID_STATE
    return guest_failure(text, error) if code is None else MethodFailedError(code, f"{text}: {error.message}")
