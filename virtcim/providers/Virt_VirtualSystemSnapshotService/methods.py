"""The methods of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.libhelper.domains.snapshots import AfterRevert
from virtcim.libhelper.errors import LibvirtError
from virtcim.providers.errors import access_denied, guest_failure
from virtcim.providers.guests import guest_named
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, MethodResult, RequestContext, Status
from virtcim.providers.methods import Method, MethodFailedError, Parameters
from virtcim.providers.references import element_at
from virtcim.providers.services.guests import affected_guest
from virtcim.providers.services.work import run_method
from virtcim.providers.snapshots import (
    SnapshotCode,
    SnapshotType,
    application_obstacle,
    can_notify,
    creation_obstacles,
    keep_applied,
    removal_obstacle,
)
from virtcim.providers.states import EnabledState
from virtcim.providers.Virt_ComputerSystem import system_of
from virtcim.providers.Virt_VirtualSystemSnapshotService.settings import plan_of, wishes_of
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData, setting_of
from virtcim.schema.paths import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.work import Work
    from virtcim.providers.guest import Configuration, Guest
    from virtcim.providers.Virt_VirtualSystemSnapshotService.Virt_VirtualSystemSnapshotService import SnapshotService

__all__ = ["METHODS", "found_snapshot"]

_CREATE, _DESTROY, _APPLY = 2, 3, 4
"""SynchronousMethodsSupported and AynchronousMethodsSupported of the capabilities."""

_AFTER = {
    int(EnabledState.ENABLED): AfterRevert.RUNNING,
    int(EnabledState.DISABLED): AfterRevert.OFF,
    int(EnabledState.QUIESCE): AfterRevert.PAUSED,
}
"""By RequestedState of ApplySnapshotInState."""


def create_snapshot(service: SnapshotService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CreateSnapshot (DSP1042)."""
    number = parameters.get("SnapshotType")
    if number is None:
        raise CIMError(Status.INVALID_PARAMETER, "Missing SnapshotType")
    guest = affected_guest(service, parameters)
    settings = parameters.get("SnapshotSettings")
    if settings is not None and not isinstance(settings, EmbeddedInstance):
        raise CIMError(Status.INVALID_PARAMETER, "SnapshotSettings: expected an instance of CIM_SettingData")
    kind = _kind_of(guest, number)
    wishes = wishes_of(settings)
    _check_writable(guest.hypervisor)
    obstacle = creation_obstacles(guest)[kind]
    if obstacle is not None:
        raise MethodFailedError(obstacle.code, obstacle.text)
    if kind is SnapshotType.MEMORY_AND_STOP:
        return _run(service, "CreateSnapshot", context, guest, lambda work: _save(guest, work))
    plan = plan_of(guest, kind, wishes)
    if plan.quiesce and not can_notify(guest):
        text = f"guest {guest.name!r}: its agent is not connected; expected one that can freeze its file systems"
        raise MethodFailedError(SnapshotCode.INVALID_STATE, text)

    def run(work: Work) -> MethodResult:
        hypervisor, uuid = guest.hypervisor, guest.domain.uuid
        work.tell({"uuid": uuid, "uri": hypervisor.uri, "guest": guest.name, "snapshot": plan.name})
        try:
            hypervisor.snapshots.create(uuid, plan, work)
        except LibvirtError as error:
            raise _failure("Unable to create snapshot", error) from error
        return found_snapshot(guest, plan.name)

    return _run(service, "CreateSnapshot", context, guest, run)


def apply_snapshot(service: SnapshotService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """ApplySnapshot (DSP1042): the guest is afterwards what it was when the snapshot was taken."""
    return _apply(service, "ApplySnapshot", parameters, context, AfterRevert.AS_IT_WAS, force=False)


def apply_snapshot_in_state(service: SnapshotService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """ApplySnapshotInState: as ApplySnapshot, with the state that the guest is to be in."""
    requested = parameters.get("RequestedState")
    after = AfterRevert.AS_IT_WAS if requested is None else _AFTER.get(requested)
    if after is None:
        raise CIMError(Status.INVALID_PARAMETER, f"RequestedState: is {requested}; expected 2, 3 or 9")
    force = bool(parameters.get("Force"))
    return _apply(service, "ApplySnapshotInState", parameters, context, after, force=force)


def destroy_snapshot(service: SnapshotService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """DestroySnapshot (DSP1042): those that were taken after it stay, and follow its parent."""
    return _destroy(service, "DestroySnapshot", parameters, context, with_descendants=False)


def destroy_snapshot_tree(service: SnapshotService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """DestroySnapshotTree: as DestroySnapshot, with all that were taken after it in its branch."""
    return _destroy(service, "DestroySnapshotTree", parameters, context, with_descendants=True)


METHODS: tuple[Method[SnapshotService], ...] = (
    Method("CreateSnapshot", create_snapshot, may_be_job=True, capability=_CREATE),
    Method("DestroySnapshot", destroy_snapshot, may_be_job=True, capability=_DESTROY),
    Method("ApplySnapshot", apply_snapshot, may_be_job=True, capability=_APPLY),
    Method("DestroySnapshotTree", destroy_snapshot_tree, may_be_job=True),
    Method("ApplySnapshotInState", apply_snapshot_in_state, may_be_job=True),
)


def _apply(
    service: SnapshotService,
    method: str,
    parameters: Parameters,
    context: RequestContext,
    after: AfterRevert,
    *,
    force: bool,
) -> MethodResult:
    configuration = _snapshot(service, parameters, "Snapshot")
    guest, snapshot = configuration.guest, configuration.snapshot
    _check_writable(guest.hypervisor)
    if snapshot is None:
        _require_saved_memory(guest)
        paused = after is AfterRevert.PAUSED
        return _run(service, method, context, guest, lambda _: _start(guest, paused))
    config = snapshot.config
    assert config is not None, snapshot
    obstacle = application_obstacle(guest, config)
    if obstacle is not None:
        raise MethodFailedError(obstacle.code, obstacle.text)

    def run(_: Work) -> MethodResult:
        try:
            guest.hypervisor.snapshots.apply(guest.domain.uuid, snapshot.name, after, force=force)
        except LibvirtError as error:
            raise _failure("Unable to apply snapshot", error) from error
        keep_applied(guest, snapshot)
        return MethodResult(SnapshotCode.COMPLETED)

    return _run(service, method, context, guest, run)


def _destroy(
    service: SnapshotService, method: str, parameters: Parameters, context: RequestContext, *, with_descendants: bool
) -> MethodResult:
    configuration = _snapshot(service, parameters, "AffectedSnapshot")
    guest, snapshot = configuration.guest, configuration.snapshot
    _check_writable(guest.hypervisor)
    if snapshot is None:
        _require_saved_memory(guest)
    elif snapshot.config is not None and not with_descendants:
        obstacle = removal_obstacle(guest, snapshot.config)
        if obstacle is not None:
            raise MethodFailedError(obstacle.code, obstacle.text)

    def run(_: Work) -> MethodResult:
        hypervisor, uuid = guest.hypervisor, guest.domain.uuid
        try:
            if snapshot is None:
                hypervisor.domains.managed_save_remove(uuid)
                hypervisor.inventory.refresh(uuid)
            else:
                hypervisor.snapshots.delete(uuid, snapshot.name, with_descendants=with_descendants)
        except LibvirtError as error:
            raise _failure("Unable to remove snapshot", error) from error
        return MethodResult(SnapshotCode.COMPLETED)

    return _run(service, method, context, guest, run)


def _run(
    service: SnapshotService, method: str, context: RequestContext, guest: Guest, run: Callable[[Work], MethodResult]
) -> MethodResult:
    return run_method(
        service, method, context, run, [system_of(guest).path()], name=f"{method} {guest.name}", takes_worker=False
    )


def _save(guest: Guest, work: Work) -> MethodResult:
    """Save the memory of a guest, which is off then."""
    hypervisor, uuid = guest.hypervisor, guest.domain.uuid
    try:
        with hypervisor.domains.follow(uuid, work):
            hypervisor.domains.managed_save(uuid)
    except LibvirtError as error:
        raise _failure("Unable to create snapshot", error) from error
    hypervisor.inventory.refresh(uuid)
    return found_snapshot(guest, None)


def _start(guest: Guest, paused: bool) -> MethodResult:
    """Have a guest go on from its saved memory."""
    hypervisor, uuid = guest.hypervisor, guest.domain.uuid
    try:
        hypervisor.domains.start(uuid, paused=paused)
    except LibvirtError as error:
        raise _failure("Unable to apply snapshot", error) from error
    hypervisor.inventory.refresh(uuid)
    return MethodResult(SnapshotCode.COMPLETED)


def found_snapshot(guest: Guest, name: str | None) -> MethodResult:
    """Make the answer with a snapshot that was taken.

    Parameters:
        name: of it; None for saved memory, which is shown as the guest's own settings.
    """
    now = guest_named(guest.site, guest.platform, guest.name)
    found = () if now is None else now.configurations[:1] if name is None else now.snapshots
    for configuration in found:
        if configuration.snapshot is None or configuration.snapshot.name == name:
            path = setting_of(configuration).path()
            return MethodResult(SnapshotCode.COMPLETED, {"ResultingSnapshot": path})
    return MethodResult(SnapshotCode.COMPLETED)


def _kind_of(guest: Guest, number: object) -> SnapshotType:
    try:
        kind = SnapshotType(number)  # type: ignore[arg-type]
    except ValueError:
        kinds = ", ".join(str(int(each)) for each in SnapshotType)
        raise MethodFailedError(SnapshotCode.INVALID_TYPE, f"SnapshotType: is {number}; expected {kinds}") from None
    if kind not in creation_obstacles(guest):
        text = f"guest {guest.name!r}: {guest.platform.title} has no snapshots of type {int(kind)}"
        raise MethodFailedError(SnapshotCode.NOT_SUPPORTED, text)
    return kind


def _snapshot(service: SnapshotService, parameters: Parameters, name: str) -> Configuration:
    """The configuration that a reference to a snapshot means: of a snapshot, or that in which the guest is now.

    Raises:
        CIMError: INVALID_PARAMETER and FAILED in libvirt-cim's words, NOT_FOUND as GetInstance has it.
    """
    path = parameters.get(name)
    if not isinstance(path, InstancePath):
        raise CIMError(Status.INVALID_PARAMETER, "Missing Snapshot")
    instance_id = key_of(path.keys, "InstanceID")
    if not isinstance(instance_id, str) or ":" not in instance_id:
        raise CIMError(Status.FAILED, "Invalid InstanceID in Snapshot")
    element = element_at(service.site, path)
    if not isinstance(element, VirtualSystemSettingData) or not (
        element.configuration.snapshot is not None or element.configuration.is_present
    ):
        raise CIMError(
            Status.INVALID_PARAMETER, f"{name}: {instance_id} is not a snapshot; expected the settings of one"
        )
    configuration: Configuration = element.configuration
    return configuration


def _require_saved_memory(guest: Guest) -> None:
    if not guest.domain.has_managed_save:
        raise MethodFailedError(SnapshotCode.INVALID_STATE, f"guest {guest.name!r} has no saved memory")


def _check_writable(hypervisor: Hypervisor) -> None:
    if hypervisor.read_only:
        raise access_denied(hypervisor)


def _failure(text: str, error: LibvirtError) -> CIMError | MethodFailedError:
    """How a method ends when libvirt refuses: with a return code for what lies in the guest's state."""
    code = None
    if error.is_duplicate_moment:
        return CIMError(Status.ALREADY_EXISTS, f"{text}: {error.message}", error.code)
    if error.is_timeout:
        code = SnapshotCode.TIMEOUT
    elif error.is_unsupported_call:
        code = SnapshotCode.NOT_SUPPORTED
    elif error.is_invalid_state or error.is_risky or error.is_busy:
        code = SnapshotCode.INVALID_STATE
    return guest_failure(text, error) if code is None else MethodFailedError(code, f"{text}: {error.message}")
