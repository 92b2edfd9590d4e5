"""The methods of the service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from virtcim.libhelper.documents.domain import DomainConfig, MappingError
from virtcim.libhelper.domains.change import DomainChange, NotKeptError, change_domains
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.inventory.records import Document
from virtcim.providers.base import class_of
from virtcim.providers.drafts import ValueRefusedError
from virtcim.providers.errors import access_denied
from virtcim.providers.guest import ConfigurationKind
from virtcim.providers.guests import guest_named
from virtcim.providers.interface import (
    CIMError,
    EmbeddedInstance,
    InstancePath,
    MethodResult,
    Properties,
    RequestContext,
    Role,
    Status,
)
from virtcim.providers.methods import Method, Parameters
from virtcim.providers.services.work import run_method
from virtcim.providers.templates import TEMPLATE_PREFIX, template_named
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_VirtualSystemManagementService.cloning import (
    CLONE_MODE,
    Cloning,
    clone_mode,
    without_mode,
)
from virtcim.providers.Virt_VirtualSystemManagementService.definition import Definition, Request
from virtcim.providers.Virt_VirtualSystemManagementService.modification import (
    Edit,
    add_resources,
    modify_resources,
    modify_system,
    remove_resources,
)
from virtcim.providers.Virt_VirtualSystemManagementService.native import define_native_system, export_native_system
from virtcim.providers.Virt_VirtualSystemManagementService.outcomes import failure_of, raise_error, refused
from virtcim.providers.Virt_VirtualSystemManagementService.provisioning import Provisioning
from virtcim.providers.Virt_VirtualSystemManagementService.reference import Reference
from virtcim.providers.Virt_VirtualSystemManagementService.resources import ResourceRequest
from virtcim.providers.Virt_VirtualSystemManagementService.results import paths_of, settle_addresses
from virtcim.providers.Virt_VirtualSystemManagementService.startable import check_start
from virtcim.providers.Virt_VirtualSystemManagementService.summary import get_summary
from virtcim.providers.Virt_VirtualSystemManagementService.targets import (
    Target,
    find_configuration,
    find_resource,
    find_system,
    instance_id_of,
    is_snapshot,
    no_such_guest,
    scope_of,
    text_of,
)
from virtcim.schema.names import is_of_platform

if TYPE_CHECKING:
    from virtcim.images.templates import Template
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.guest import Guest
    from virtcim.providers.Virt_VirtualSystemManagementService.Virt_VirtualSystemManagementService import (
        VirtualSystemManagementService,
    )

__all__ = ["METHODS"]

Item = TypeVar("Item")

_VALID, _INVALID = 2, 3
"""Verdict: a number, as pywbem reads every boolean output parameter as true."""


def define_system(
    service: VirtualSystemManagementService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """DefineSystem."""
    platform = service.platform
    hypervisor = _connected(service)
    _check_writable(hypervisor)
    template = _template(service, parameters)
    if template is not None:
        system, resources = parameters.get("SystemSettings"), parameters.get("ResourceSettings")
        return Provisioning(service, template, system, resources, context).start()
    system, path = parameters.get("SystemSettings"), parameters.get("ReferenceConfiguration")
    mode = clone_mode(system)
    if system is not None and mode is not None:
        if path is None:
            raise CIMError(Status.INVALID_PARAMETER, f"{CLONE_MODE}: needs a guest as ReferenceConfiguration")
        guest, xml = _referenced_guest(service, path)
        return Cloning(service, guest, xml, mode, system, parameters.get("ResourceSettings"), context).start()
    request = _request(service, parameters)
    definition = Definition(service.site, platform, hypervisor, request, raise_error)
    try:
        hypervisor.domains.define(
            definition.document.tostring(), autostart=definition.autostart, check=definition.confirmation.check
        )
    except NotKeptError as error:
        raise refused(f"Failed to define domain: {error.message}") from error
    except LibvirtError as error:
        raise failure_of("Failed to define domain", error, has_invalid_state=False) from error
    class_name = class_of(platform.prefix, ComputerSystem.base)
    keys = {"CreationClassName": class_name, "Name": definition.name}
    return MethodResult(0, {"ResultingSystem": InstancePath(class_name, keys, service.namespace)})


def validate_system_settings(
    service: VirtualSystemManagementService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """ValidateSystemSettings."""
    platform = service.platform
    hypervisor = _connected(service)
    messages: list[str] = []

    def note(error: CIMError) -> None:
        messages.append(error.description)

    if hypervisor.read_only:
        note(access_denied(hypervisor))
    try:
        request = _request(service, parameters, writes=not hypervisor.read_only)
        definition = Definition(service.site, platform, hypervisor, request, note)
    except CIMError as error:
        note(error)
        return MethodResult(0, {"Verdict": _INVALID, "Messages": messages})
    xml = definition.document.tostring()
    objection = None if messages else hypervisor.domains.check(xml)
    if objection is not None:
        messages.append(f"Failed to define domain: {objection.message}")
    shown = Document(xml, DomainConfig.parse).text
    return MethodResult(0, {"Verdict": _INVALID if messages else _VALID, "Messages": messages, "DomainXML": shown})


def destroy_system(
    service: VirtualSystemManagementService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """DestroySystem."""
    platform = service.platform
    path = parameters.get("AffectedSystem")
    if path is None:
        raise CIMError(Status.INVALID_PARAMETER, "Missing AffectedSystem parameter")
    guest = find_system(service.site, platform, path)
    _check_writable(guest.hypervisor)
    try:
        guest.hypervisor.domains.remove(guest.domain.uuid)
    except LibvirtError as error:
        if error.is_no_domain:
            raise no_such_guest(guest.name) from error
        raise failure_of("Unable to remove domain", error) from error
    return MethodResult(0)


def modify_system_settings(
    service: VirtualSystemManagementService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """ModifySystemSettings."""
    platform = service.platform
    system = parameters.get("SystemSettings")
    if system is None:
        raise refused("Missing SystemSettings")
    if not is_of_platform(system.class_name, platform.prefix):
        raise refused("Invalid SystemSettings")
    given = {name: value for name, value in system.properties.items() if value is not None}
    target = _system_target(service, given)
    try:
        _change([(target.guest, target, lambda edit: modify_system(edit, given))], "Unable to modify domain")
    except ValueRefusedError as error:
        raise refused(str(error)) from error
    return MethodResult(0)


def add_resource_settings(
    service: VirtualSystemManagementService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """AddResourceSettings."""
    platform = service.platform
    path = parameters.get("AffectedConfiguration")
    if path is None:
        raise CIMError(Status.INVALID_PARAMETER, "Missing AffectedConfiguration parameter")
    target = find_configuration(service.site, platform, instance_id_of(service.site, path) or "")
    if target is None:
        prefix, colon, name = (instance_id_of(service.site, path) or "").partition(":")
        if not colon or not name or prefix.casefold() != platform.prefix.casefold():
            raise CIMError(Status.INVALID_PARAMETER, "AffectedConfiguration has invalid InstanceID")
        raise no_such_guest(name)
    wanted = _resource_requests(service, parameters)

    def add() -> MethodResult:
        with _report_refusals("Add resource failed"):
            (edit,) = _change(
                [(target.guest, target, lambda edit: add_resources(edit, wanted))],
                "Add resource failed",
                has_invalid_state=False,
            )
        settle_addresses(edit)
        return MethodResult(0, {"ResultingResourceSettings": paths_of(edit)})

    return _run(service, "AddResourceSettings", context, [target.guest], add)


def modify_resource_settings(
    service: VirtualSystemManagementService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """ModifyResourceSettings."""
    with _report_refusals("Modify resource failed"):
        found = [(_resource(service, each), each) for each in _resource_requests(service, parameters)]
        works = [(guest, mine[0][0], partial(_modify, mine)) for guest, mine in _by_guest(found, lambda item: item[0])]

    def modify() -> MethodResult:
        with _report_refusals("Modify resource failed"):
            edits = _change(works, "Modify resource failed")
        return MethodResult(0, {"ResultingResourceSettings": [path for edit in edits for path in paths_of(edit)]})

    return _run(service, "ModifyResourceSettings", context, [guest for guest, _, _ in works], modify)


def remove_resource_settings(
    service: VirtualSystemManagementService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """RemoveResourceSettings."""
    paths = parameters.get("ResourceSettings")
    if not paths:
        raise CIMError(Status.INVALID_PARAMETER, "Missing ResourceSettings parameter")
    targets = [_referenced(service, path) for path in paths]
    works = [(guest, mine[0], partial(_remove, mine)) for guest, mine in _by_guest(targets, lambda target: target)]

    def remove() -> MethodResult:
        with _report_refusals("Remove resource failed"):
            _change(works, "Remove resource failed")
        return MethodResult(0)

    return _run(service, "RemoveResourceSettings", context, [guest for guest, _, _ in works], remove)


def _run(
    service: VirtualSystemManagementService,
    method: str,
    context: RequestContext,
    guests: Sequence[Guest],
    work: Callable[[], MethodResult],
) -> MethodResult:
    """Carry out a change of guests; of running ones, which take their time to let go of a device, as a job.

    Clients of libvirt-cim expect the answer itself, and so it becomes one only after `settle_timeout`.
    """
    if not any(guest.domain.active for guest in guests):
        return work()
    return run_method(
        service,
        method,
        context,
        lambda _: work(),
        [system_of(guest).path() for guest in guests],
        name=f"{method} {', '.join(guest.name for guest in guests)}",
        grace=service.site.settings.settle_timeout,
        takes_worker=False,
    )


def _request(service: VirtualSystemManagementService, parameters: Parameters, writes: bool = True) -> Request:
    """The parameters of DefineSystem and ValidateSystemSettings."""
    path = parameters.get("ReferenceConfiguration")
    reference = None if path is None else Reference(*_referenced_guest(service, path, writes))
    system = parameters.get("SystemSettings")
    if system is not None and clone_mode(system) is not None:
        system = without_mode(system)
    return Request(system, parameters.get("ResourceSettings"), reference)


def _template(service: VirtualSystemManagementService, parameters: Parameters) -> Template | None:
    """The template of ReferenceConfiguration; None where that is a guest, or there is none.

    Raises:
        CIMError: NOT_FOUND where there is no such template for the platform.
    """
    path = parameters.get("ReferenceConfiguration")
    instance_id = None if path is None else instance_id_of(service.site, path)
    if instance_id is None or not instance_id.startswith(TEMPLATE_PREFIX):
        return None
    template = template_named(service.site, service.platform, instance_id)
    if template is None:
        raise CIMError(Status.NOT_FOUND, f"ReferenceConfiguration: there is no {instance_id[:100]} for this platform")
    return template


def _referenced_guest(
    service: VirtualSystemManagementService, path: InstancePath, writes: bool = True
) -> tuple[Guest, str]:
    """The guest of ReferenceConfiguration, and its definition; without its passwords where nothing is written."""
    platform = service.platform
    if not is_of_platform(path.class_name, platform.prefix):
        raise CIMError(Status.INVALID_CLASS, "ReferenceConfiguration domain is not compatible")
    instance_id = instance_id_of(service.site, path)
    if instance_id is None:
        raise CIMError(Status.INVALID_PARAMETER, "Missing `InstanceID' from ReferenceConfiguration")
    prefix, colon, name = instance_id.partition(":")
    if not colon or not name or prefix.casefold() != platform.prefix.casefold():
        raise CIMError(Status.INVALID_PARAMETER, "Invalid `InstanceID' from ReferenceConfiguration")
    target = find_configuration(service.site, platform, instance_id)
    if target is None:
        raise CIMError(Status.NOT_FOUND, f"Referenced domain `{name}' does not exist")
    guest = target.guest
    if not writes:
        return guest, guest.domain.xml
    try:
        return guest, guest.hypervisor.domains.xml(guest.domain.uuid)
    except LibvirtError as error:
        raise failure_of("ReferenceConfiguration", error) from error


def _system_target(service: VirtualSystemManagementService, given: Properties) -> Target:
    """The guest that ModifySystemSettings is about: that of InstanceID, else of VirtualSystemIdentifier."""
    platform = service.platform
    instance_id, name = text_of(given.get("InstanceID")), text_of(given.get("VirtualSystemIdentifier"))
    target = None if instance_id is None else find_configuration(service.site, platform, instance_id)
    if target is not None:
        return target
    if instance_id is not None and is_snapshot(service.site, platform, instance_id):
        raise refused(
            f"InstanceID: {instance_id} is a snapshot, which stays as it is; expected the settings of a guest"
        )
    if name is None:
        if instance_id is None:
            raise CIMError(Status.NO_SUCH_PROPERTY, "Missing VirtualSystemIdentifier")
        raise no_such_guest(instance_id.partition(":")[2])
    guest = guest_named(service.site, platform, name)
    if guest is None:
        raise no_such_guest(name)
    return Target(guest, ConfigurationKind.STATE)


def _resource_requests(service: VirtualSystemManagementService, parameters: Parameters) -> list[ResourceRequest]:
    """Read the ResourceSettings parameter."""
    platform = service.platform
    instances: Sequence[EmbeddedInstance | None] | None = parameters.get("ResourceSettings")
    if not instances:
        raise CIMError(Status.INVALID_PARAMETER, "Missing ResourceSettings parameter")
    if None in instances:
        raise CIMError(Status.INVALID_PARAMETER, "ResourceSettings holds NULL")
    with _report_refusals(""):
        return [
            ResourceRequest(instance, platform.prefix, service.site.kinds)
            for instance in instances
            if instance is not None
        ]


def _resource(service: VirtualSystemManagementService, wanted: ResourceRequest) -> Target:
    """The resource that an instance in ResourceSettings is about."""
    instance_id = wanted.instance_id
    if not instance_id:
        raise CIMError(Status.INVALID_PARAMETER, "Missing InstanceID in RASD")
    if "/" not in instance_id:
        raise CIMError(Status.INVALID_PARAMETER, f"Invalid InstanceID `{instance_id}'")
    return _found(service, instance_id)


def _referenced(service: VirtualSystemManagementService, path: InstancePath | None) -> Target:
    """The resource that a reference in ResourceSettings means."""
    platform = service.platform
    instance_id = None if path is None else instance_id_of(service.site, path)
    if path is None or not instance_id:
        raise CIMError(Status.INVALID_PARAMETER, "Missing InstanceID")
    if not is_of_platform(path.class_name, platform.prefix):
        raise CIMError(Status.INVALID_PARAMETER, f"ResourceSettings: {path.class_name} is of another platform")
    return _found(service, instance_id)


def _found(service: VirtualSystemManagementService, instance_id: str) -> Target:
    platform = service.platform
    target = find_resource(service.site, platform, instance_id)
    if target is None:
        raise CIMError(Status.NOT_FOUND, f"No such instance ({instance_id})")
    return target


def _change(
    works: Sequence[tuple[Guest, Target, Callable[[Edit], None]]],
    text: str,
    has_invalid_state: bool = True,
) -> list[Edit]:
    """Change guests, all of them or none."""
    edits: dict[str, Edit] = {}

    def begin(guest: Guest, target: Target, work: Callable[[Edit], None], change: DomainChange) -> None:
        edit = edits[guest.domain.uuid] = Edit(guest, change, scope_of(target, change))
        before = None if edit.defined is None else edit.defined.config
        work(edit)
        if edit.defined is not None:
            check_start(edit.draft_context(edit.defined), before)

    for guest, _, _ in works:
        _check_writable(guest.hypervisor)
    try:
        change_domains(
            [
                guest.hypervisor.domains.work(guest.domain.uuid, partial(begin, guest, target, work))
                for guest, target, work in works
            ]
        )
    except NotKeptError as error:
        raise refused(f"{text}: {error.message}") from error
    except LibvirtError as error:
        if error.is_no_domain:
            raise no_such_guest(works[0][0].name) from error
        raise failure_of(text, error, has_invalid_state) from error
    except MappingError as error:
        raise refused(f"{text}: {error}") from error
    return [edits[guest.domain.uuid] for guest, _, _ in works]


def _modify(mine: Sequence[tuple[Target, ResourceRequest]], edit: Edit) -> None:
    modify_resources(edit, mine)


def _remove(mine: Sequence[Target], edit: Edit) -> None:
    remove_resources(edit, mine)


def _by_guest(items: Iterable[Item], target_of: Callable[[Item], Target]) -> list[tuple[Guest, list[Item]]]:
    """The items of each guest, in order; the state and the next start of one guest cannot be changed together."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(target_of(item).guest.domain.uuid, []).append(item)
    for mine in found.values():
        if len({target_of(item).kind for item in mine}) > 1:
            raise CIMError(
                Status.INVALID_PARAMETER,
                "InstanceID: settings of the running guest and of its next start are changed in calls of their own",
            )
    return [(target_of(mine[0]).guest, mine) for mine in found.values()]


@contextmanager
def _report_refusals(text: str) -> Iterator[None]:
    """Tell what a block refuses in libvirt-cim's words."""
    try:
        yield
    except ValueRefusedError as error:
        raise refused(f"{text}: {error}" if text else str(error)) from error


def _connected(service: VirtualSystemManagementService) -> Hypervisor:
    """The hypervisor that new guests are defined on."""
    if not service.connected:
        raise CIMError(Status.NOT_FOUND, f"Unable to connect to libvirt: {service.platform.title} is not connected")
    return service.hypervisor


def _check_writable(hypervisor: Hypervisor) -> None:
    if hypervisor.read_only:
        raise access_denied(hypervisor)


_DEFINE, _DESTROY, _MODIFY_RESOURCES, _MODIFY_SYSTEM, _REMOVE_RESOURCES, _ADD_RESOURCES = 2, 3, 5, 6, 7, 10
"""SynchronousMethodsSupported and AsynchronousMethodsSupported of the capabilities."""

METHODS: tuple[Method[VirtualSystemManagementService], ...] = (
    Method("DefineSystem", define_system, capability=_DEFINE),
    Method("DestroySystem", destroy_system, capability=_DESTROY),
    Method("ModifySystemSettings", modify_system_settings, capability=_MODIFY_SYSTEM),
    Method("AddResourceSettings", add_resource_settings, may_be_job=True, capability=_ADD_RESOURCES),
    Method("ModifyResourceSettings", modify_resource_settings, may_be_job=True, capability=_MODIFY_RESOURCES),
    Method("RemoveResourceSettings", remove_resource_settings, may_be_job=True, capability=_REMOVE_RESOURCES),
    Method("ValidateSystemSettings", validate_system_settings),
    Method("DefineNativeSystem", define_native_system),
    Method("ExportNativeSystem", export_native_system),
    Method("GetSummary", get_summary, role=Role.READ),
)
