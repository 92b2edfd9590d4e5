"""The methods of the service: whether a guest can be moved to another host, and moving it (DSP1081)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from virtcim.providers.base import class_of
from virtcim.providers.errors import guest_denied
from virtcim.providers.guests import guest_named
from virtcim.providers.interface import CIMError, InstancePath, MethodResult, RequestContext, Status
from virtcim.providers.jobs import Effect
from virtcim.providers.methods import Method, MethodFailedError, Parameters
from virtcim.providers.services.work import run_method
from virtcim.providers.Virt_HostSystem import host_name
from virtcim.providers.Virt_VSMigrationService.checks import Reason, reasons_against
from virtcim.providers.Virt_VSMigrationService.destination import Destination, destination_at, destination_named
from virtcim.providers.Virt_VSMigrationService.migration import Migration
from virtcim.providers.Virt_VSMigrationService.sshkeys import copy_key, delete_key
from virtcim.providers.Virt_VSMigrationService.transport import Transport
from virtcim.providers.Virt_VSMigrationService.Virt_VirtualSystemMigrationService import MigrationCode
from virtcim.providers.Virt_VSMigrationService.wishes import Wish, wish_of
from virtcim.schema.names import base_of, is_of_platform

if TYPE_CHECKING:
    from virtcim.libhelper.work import Work
    from virtcim.providers.guest import Guest
    from virtcim.providers.Virt_VSMigrationService.Virt_VirtualSystemMigrationService import MigrationService

__all__ = ["METHODS"]

_VALID, _INVALID = 2, 3
"""Verdict: a number, as pywbem reads every boolean output parameter as true."""

Find = Callable[["Guest", Parameters, Wish], Destination]


def _to_host(guest: Guest, parameters: Parameters, wish: Wish) -> Destination:
    """The host that DestinationHost names."""
    text = parameters.get("DestinationHost")
    if not isinstance(text, str) or not text.strip():
        raise CIMError(Status.INVALID_PARAMETER, "Missing DestinationHost")
    return destination_named(guest, text, wish.transport or Transport.SSH)


def _to_system(guest: Guest, parameters: Parameters, wish: Wish) -> Destination:
    """The host that DestinationSystem refers to."""
    path = parameters.get("DestinationSystem")
    if not isinstance(path, InstancePath):
        raise CIMError(Status.INVALID_PARAMETER, "Missing DestinationSystem")
    return destination_at(guest, path)


def _check(find: Find, service: MigrationService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """Tell whether a guest can be moved."""
    reasons = reasons_against(_migration(find, service, parameters))
    return MethodResult(MigrationCode.COMPLETED, {"IsMigratable": not reasons})


def _validate(service: MigrationService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """ValidateMigration: tell all that speaks against moving a guest."""
    find = _to_host if parameters.get("DestinationHost") is not None else _to_system
    reasons = reasons_against(_migration(find, service, parameters))
    verdict = _INVALID if reasons else _VALID
    return MethodResult(MigrationCode.COMPLETED, {"Verdict": verdict, "Reasons": [str(each) for each in reasons]})


def _migrate(
    method: str, find: Find, service: MigrationService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """Move a guest, once nothing forbids it."""
    migration = _migration(find, service, parameters)
    guest, place = migration.guest, migration.destination.place
    if guest.is_read_only:
        raise guest_denied(guest.domain, guest.hypervisor)
    _check_state(migration)
    here, uuid = host_name(guest.hypervisor), guest.domain.uuid

    def run(work: Work) -> MethodResult:
        # It can be ended at any time until the guest is on its way; from then on libvirt knows whether.
        with work.stoppable():
            if not migration.wish.force:
                _refuse(migration, reasons_against(migration, work.checkpoint))
            work.set_leftover(f"guest {guest.name!r} was on its way from {here} to {place.name}, and is at one of them")
            guest.hypervisor.migrations.move(uuid, here, place, migration.order(), work)
        work.set_leftover("")
        return MethodResult(MigrationCode.COMPLETED, _results(method, migration))

    path = InstancePath(class_of(service.platform.prefix, "ComputerSystem"), _keys(migration, guest.name))
    return run_method(
        service,
        method,
        context,
        run,
        [InstancePath(path.class_name, path.keys, service.namespace)],
        Effect.EXCLUSIVE_USE,
        name=f"Migration of {guest.name} to {place.name}",
        base="MigrationJob",
        priority=migration.wish.priority,
        figures=_figures(migration, here),
        stoppable=True,
    )


def _figures(migration: Migration, here: str) -> dict[str, int | str]:
    """What is known of a migration before it begins; of one that sends no memory there is no pace."""
    guest, place, order = migration.guest, migration.destination.place, migration.wish.order
    figures: dict[str, int | str] = {
        "guest": guest.name,
        "uuid": guest.domain.uuid,
        "uri": guest.hypervisor.uri,
        "source": here,
        "destination": place.name,
        "destination_uri": place.uri,
        "place": here,
    }
    if not order.moves_definition_only:
        figures |= {
            "bandwidth_limit": order.bandwidth,
            "downtime_limit": order.downtime,
            "may_postcopy": int(order.postcopy),
        }
    return figures


def _keys(migration: Migration, name: str) -> dict[str, str]:
    return {"CreationClassName": class_of(migration.guest.platform.prefix, "ComputerSystem"), "Name": name}


def _results(method: str, migration: Migration) -> dict[str, InstancePath]:
    """What the method gives back beside the job: the guest in its new place, as far as that is served."""
    site = migration.destination.site
    if site is None or method != "MigrateVirtualSystemToSystem":
        return {}
    keys = _keys(migration, migration.name)
    return {"NewComputerSystem": InstancePath(str(keys["CreationClassName"]), keys, site.namespace)}


def _migration(find: Find, service: MigrationService, parameters: Parameters) -> Migration:
    """Read the parameters that all methods have.

    Raises:
        MethodFailedError: NOT_SUPPORTED on a platform without migration.
        CIMError: what was given means nothing, or is not allowed.
    """
    if not service.can_migrate:
        raise MethodFailedError(MigrationCode.NOT_SUPPORTED, f"{service.platform.title} guests cannot be migrated")
    guest = _guest(service, parameters.get("ComputerSystem"))
    wish = wish_of(parameters.get("MigrationSettingData"), service.site.settings.shutdown_timeout)
    destination = find(guest, parameters, wish)
    return Migration(
        guest,
        destination,
        wish,
        parameters.get("NewSystemSettingData"),
        parameters.get("NewResourceSettingData") or (),
    )


def _guest(service: MigrationService, path: object) -> Guest:
    """The guest that ComputerSystem refers to.

    Raises:
        CIMError: in libvirt-cim's words, for a reference without Name, of another class, or to no guest.
    """
    if not isinstance(path, InstancePath):
        raise CIMError(Status.INVALID_PARAMETER, "Missing ComputerSystem")
    keys = {name.lower(): value for name, value in path.keys.items()}
    if not keys.get("name"):
        raise CIMError(Status.FAILED, "Missing key (Name) in ComputerSystem")
    is_system = base_of(path.class_name).lower() == "computersystem"
    own = class_of(service.platform.prefix, "ComputerSystem").lower()
    creation = str(keys.get("creationclassname") or own).lower()
    is_own = is_of_platform(path.class_name, service.platform.prefix) and creation == own
    namespace = (path.namespace or service.namespace).strip("/").lower()
    if not is_system or not is_own or namespace != service.namespace.lower():
        raise CIMError(Status.FAILED, "Invalid REF in ComputerSystem")
    guest = guest_named(service.site, service.platform, str(keys["name"]))
    if guest is None:
        raise CIMError(Status.NOT_FOUND, "No such domain")
    return guest


def _check_state(migration: Migration) -> None:
    """Refuse at once what the guest's state does not allow."""
    objection = migration.wrong_state
    if objection:
        raise CIMError(Status.INVALID_PARAMETER, objection)
    guest = migration.guest
    if guest.hypervisor.migrations.is_under_way(guest.domain.uuid):
        raise CIMError(Status.FAILED, f"{guest.name}: is being migrated already")


def _refuse(migration: Migration, reasons: Sequence[Reason]) -> None:
    """Raise what a client is told where checks forbid the migration."""
    if reasons:
        text = "; ".join(str(each) for each in reasons)
        where = migration.destination.place.name
        raise CIMError(Status.FAILED, f"{migration.guest.name} cannot be migrated to {where}: {text}")


_MIGRATE_TO_HOST, _MIGRATE_TO_SYSTEM, _CHECK_HOST, _CHECK_SYSTEM = 2, 3, 4, 5
"""SynchronousMethodsSupported and AsynchronousMethodsSupported of the capabilities."""


def _migration_method(name: str, find: Find, capability: int) -> Method[MigrationService]:
    def run(service: MigrationService, parameters: Parameters, context: RequestContext) -> MethodResult:
        return _migrate(name, find, service, parameters, context)

    return Method(name, run, may_be_job=True, capability=capability)


def _check_method(name: str, find: Find, capability: int) -> Method[MigrationService]:
    def run(service: MigrationService, parameters: Parameters, context: RequestContext) -> MethodResult:
        return _check(find, service, parameters, context)

    return Method(name, run, capability=capability)


METHODS: tuple[Method[MigrationService], ...] = (
    _migration_method("MigrateVirtualSystemToHost", _to_host, _MIGRATE_TO_HOST),
    _migration_method("MigrateVirtualSystemToSystem", _to_system, _MIGRATE_TO_SYSTEM),
    _check_method("CheckVirtualSystemIsMigratableToHost", _to_host, _CHECK_HOST),
    _check_method("CheckVirtualSystemIsMigratableToSystem", _to_system, _CHECK_SYSTEM),
    Method("ValidateMigration", _validate),
    Method("MigrateSSHKeyCopy", copy_key),
    Method("MigrateSSHKeyDelete", delete_key),
)
