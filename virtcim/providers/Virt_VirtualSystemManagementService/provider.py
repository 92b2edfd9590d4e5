"""The provider: the service and its methods."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from virtcim.libhelper.documents.domain import DomainConfig, MappingError
from virtcim.libhelper.domains.change import DomainChange, change_domains
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.inventory.records import Document
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, class_of
from virtcim.providers.drafts import ValueRefusedError
from virtcim.providers.errors import access_denied
from virtcim.providers.interface import (
    CIMError,
    EmbeddedInstance,
    InstancePath,
    MethodResult,
    RequestContext,
    Status,
)
from virtcim.providers.keys import main_key
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.providers.Virt_VirtualSystemManagementService.definition import Definition, Request
from virtcim.providers.Virt_VirtualSystemManagementService.modification import (
    Edit,
    add_resources,
    modify_resources,
    modify_system,
    remove_resources,
)
from virtcim.providers.Virt_VirtualSystemManagementService.outcomes import MethodFailedError, failure_of, refused
from virtcim.providers.Virt_VirtualSystemManagementService.resources import Wanted
from virtcim.providers.Virt_VirtualSystemManagementService.results import paths_of, settle_addresses
from virtcim.providers.Virt_VirtualSystemManagementService.service import VirtualSystemManagementService
from virtcim.providers.Virt_VirtualSystemManagementService.targets import (
    Target,
    find_configuration,
    find_resource,
    find_system,
    instance_id_of,
    no_such_guest,
    scope_of,
)

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.site import Guest

__all__ = ["VirtualSystemManagementServiceProvider"]

_log = logging.getLogger(__name__)

Item = TypeVar("Item")

_VALID, _INVALID = 2, 3
"""Verdict: a number, as pywbem reads every boolean output parameter as true."""


class VirtualSystemManagementServiceProvider(ElementProvider):
    """Serves <prefix>_VirtualSystemManagementService."""

    types: ClassVar = (VirtualSystemManagementService,)

    def find(self, platform: Platform, element: type[Element], keys: Mapping[str, Any]) -> Element:
        main_key(keys, "Name", "No service name specified")
        services = list(VirtualSystemManagementService.all_of(self.site, platform))
        if not services:
            raise CIMError(Status.NOT_FOUND, "No such instance")
        system = next((value for name, value in keys.items() if name.lower() == "systemname"), None)
        return next((found for found in services if found.keys()["SystemName"] == system), services[0])

    def methods(self) -> Collection[str]:
        return tuple(_METHODS)

    def invoke_method(
        self,
        class_name: str,
        keys: Mapping[str, Any] | None,
        method: str,
        parameters: Mapping[str, Any],
        context: RequestContext,
    ) -> MethodResult:
        run = _METHODS.get(method)
        if run is None:
            return super().invoke_method(class_name, keys, method, parameters, context)
        service = self._service(class_name, keys)
        try:
            return run(self, service, parameters)
        except MethodFailedError as failed:
            _log.info("%s.%s: %s (%s)", class_name, method, failed.text, failed.code.name)
            return MethodResult(int(failed.code))

    def define_system(self, service: VirtualSystemManagementService, parameters: Mapping[str, Any]) -> MethodResult:
        """DefineSystem."""
        platform = service.platform
        hypervisor = _connected(service)
        _check_writable(hypervisor)
        request = self._request(platform, parameters)
        definition = Definition(self.site, platform, hypervisor, request, _raise)
        try:
            hypervisor.domains.define(definition.document.tostring(), autostart=definition.autostart)
        except LibvirtError as error:
            raise failure_of("Failed to define domain", error, has_invalid_state=False) from error
        class_name = class_of(platform.prefix, ComputerSystem.base)
        keys = {"CreationClassName": class_name, "Name": definition.name}
        return MethodResult(0, {"ResultingSystem": InstancePath(class_name, keys, self.site.settings.namespace)})

    def validate_system_settings(
        self, service: VirtualSystemManagementService, parameters: Mapping[str, Any]
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
            request = self._request(platform, parameters, writes=not hypervisor.read_only)
            definition = Definition(self.site, platform, hypervisor, request, note)
        except CIMError as error:
            note(error)
            return MethodResult(0, {"Verdict": _INVALID, "Messages": messages})
        xml = definition.document.tostring()
        objection = None if messages else hypervisor.domains.check(xml)
        if objection is not None:
            messages.append(f"Failed to define domain: {objection.message}")
        shown = Document(xml, DomainConfig.parse).text
        return MethodResult(0, {"Verdict": _INVALID if messages else _VALID, "Messages": messages, "DomainXML": shown})

    def destroy_system(self, service: VirtualSystemManagementService, parameters: Mapping[str, Any]) -> MethodResult:
        """DestroySystem."""
        platform = service.platform
        path = parameters.get("AffectedSystem")
        if path is None:
            raise CIMError(Status.INVALID_PARAMETER, "Missing AffectedSystem parameter")
        guest = find_system(self.site, platform, path)
        _check_writable(guest.hypervisor)
        try:
            guest.hypervisor.domains.remove(guest.domain.uuid)
        except LibvirtError as error:
            if error.is_no_domain:
                raise no_such_guest(guest.name) from error
            raise failure_of("Unable to remove domain", error) from error
        return MethodResult(0)

    def modify_system_settings(
        self, service: VirtualSystemManagementService, parameters: Mapping[str, Any]
    ) -> MethodResult:
        """ModifySystemSettings."""
        platform = service.platform
        system = parameters.get("SystemSettings")
        if system is None:
            raise refused("Missing SystemSettings")
        if system.class_name.partition("_")[0] not in (platform.prefix, "CIM", "Virt"):
            raise refused("Invalid SystemSettings")
        given = {name: value for name, value in system.properties.items() if value is not None}
        target = self._system_target(platform, given)
        try:
            self._change([(target.guest, target, lambda edit: modify_system(edit, given))], "Unable to modify domain")
        except ValueRefusedError as error:
            raise refused(str(error)) from error
        return MethodResult(0)

    def add_resource_settings(
        self, service: VirtualSystemManagementService, parameters: Mapping[str, Any]
    ) -> MethodResult:
        """AddResourceSettings."""
        platform = service.platform
        path = parameters.get("AffectedConfiguration")
        if path is None:
            raise CIMError(Status.INVALID_PARAMETER, "Missing AffectedConfiguration parameter")
        target = find_configuration(self.site, platform, instance_id_of(path) or "")
        if target is None:
            prefix, colon, name = (instance_id_of(path) or "").partition(":")
            if not colon or not name or prefix.casefold() != platform.prefix.casefold():
                raise CIMError(Status.INVALID_PARAMETER, "AffectedConfiguration has invalid InstanceID")
            raise no_such_guest(name)
        wanted = self._wanted(platform, parameters)
        with _resources_told("Add resource failed"):
            (edit,) = self._change(
                [(target.guest, target, lambda edit: add_resources(edit, wanted))],
                "Add resource failed",
                has_invalid_state=False,
            )
        settle_addresses(edit)
        return MethodResult(0, {"ResultingResourceSettings": paths_of(edit)})

    def modify_resource_settings(
        self, service: VirtualSystemManagementService, parameters: Mapping[str, Any]
    ) -> MethodResult:
        """ModifyResourceSettings."""
        platform = service.platform
        with _resources_told("Modify resource failed"):
            found = [(self._resource(platform, each), each) for each in self._wanted(platform, parameters)]
            works = [
                (guest, mine[0][0], partial(_modify, mine)) for guest, mine in _by_guest(found, lambda item: item[0])
            ]
            edits = self._change(works, "Modify resource failed")
        return MethodResult(0, {"ResultingResourceSettings": [path for edit in edits for path in paths_of(edit)]})

    def remove_resource_settings(
        self, service: VirtualSystemManagementService, parameters: Mapping[str, Any]
    ) -> MethodResult:
        """RemoveResourceSettings."""
        platform = service.platform
        paths = parameters.get("ResourceSettings")
        if not paths:
            raise CIMError(Status.INVALID_PARAMETER, "Missing ResourceSettings parameter")
        targets = [self._referenced(platform, path) for path in paths]
        works = [(guest, mine[0], partial(_remove, mine)) for guest, mine in _by_guest(targets, lambda target: target)]
        with _resources_told("Remove resource failed"):
            self._change(works, "Remove resource failed")
        return MethodResult(0)

    def _service(self, class_name: str, keys: Mapping[str, Any] | None) -> VirtualSystemManagementService:
        """The service that is called; the first one where only its class was named, as old scripts do."""
        if keys is not None:
            return cast(VirtualSystemManagementService, self.element(class_name, keys))
        platform, _ = self.resolve(class_name)
        found = next(iter(VirtualSystemManagementService.all_of(self.site, platform)), None)
        if found is None:
            raise CIMError(Status.NOT_FOUND, f"Unable to connect to libvirt: {platform.title} was never connected")
        return found

    def _request(self, platform: Platform, parameters: Mapping[str, Any], writes: bool = True) -> Request:
        """The parameters of DefineSystem and ValidateSystemSettings."""
        path = parameters.get("ReferenceConfiguration")
        reference = None if path is None else self._reference(platform, path, writes)
        return Request(parameters.get("SystemSettings"), parameters.get("ResourceSettings"), reference)

    def _reference(self, platform: Platform, path: InstancePath, writes: bool) -> str:
        """The XML of the guest of ReferenceConfiguration."""
        if path.class_name.partition("_")[0].lower() not in (platform.prefix.lower(), "cim", "virt"):
            raise CIMError(Status.INVALID_CLASS, "ReferenceConfiguration domain is not compatible")
        instance_id = instance_id_of(path)
        if instance_id is None:
            raise CIMError(Status.INVALID_PARAMETER, "Missing `InstanceID' from ReferenceConfiguration")
        prefix, colon, name = instance_id.partition(":")
        if not colon or not name or prefix.casefold() != platform.prefix.casefold():
            raise CIMError(Status.INVALID_PARAMETER, "Invalid `InstanceID' from ReferenceConfiguration")
        target = find_configuration(self.site, platform, instance_id)
        if target is None:
            raise CIMError(Status.NOT_FOUND, f"Referenced domain `{name}' does not exist")
        guest = target.guest
        if not writes:
            return guest.domain.xml
        try:
            return guest.hypervisor.domains.xml(guest.domain.uuid)
        except LibvirtError as error:
            raise failure_of("ReferenceConfiguration", error) from error

    def _system_target(self, platform: Platform, given: Mapping[str, Any]) -> Target:
        """The guest that ModifySystemSettings is about: that of InstanceID, else of VirtualSystemIdentifier."""
        instance_id, name = given.get("InstanceID"), given.get("VirtualSystemIdentifier")
        target = None if instance_id is None else find_configuration(self.site, platform, instance_id)
        if target is not None:
            return target
        if name is None:
            if instance_id is None:
                raise CIMError(Status.NO_SUCH_PROPERTY, "Missing VirtualSystemIdentifier")
            raise no_such_guest(instance_id.partition(":")[2])
        guest = self.site.guest(platform, name)
        if guest is None:
            raise no_such_guest(name)
        return Target(guest, is_state=True)

    def _wanted(self, platform: Platform, parameters: Mapping[str, Any]) -> list[Wanted]:
        """ResourceSettings."""
        instances: Sequence[EmbeddedInstance | None] | None = parameters.get("ResourceSettings")
        if not instances:
            raise CIMError(Status.INVALID_PARAMETER, "Missing ResourceSettings parameter")
        if None in instances:
            raise CIMError(Status.INVALID_PARAMETER, "ResourceSettings holds NULL")
        with _resources_told(""):
            return [Wanted(instance, platform.prefix) for instance in instances if instance is not None]

    def _resource(self, platform: Platform, wanted: Wanted) -> Target:
        """The resource that an instance in ResourceSettings is about."""
        instance_id = wanted.instance_id
        if not instance_id:
            raise CIMError(Status.INVALID_PARAMETER, "Missing InstanceID in RASD")
        if "/" not in instance_id:
            raise CIMError(Status.INVALID_PARAMETER, f"Invalid InstanceID `{instance_id}'")
        return self._found(platform, instance_id)

    def _referenced(self, platform: Platform, path: InstancePath | None) -> Target:
        """The resource that a reference in ResourceSettings means."""
        instance_id = None if path is None else instance_id_of(path)
        if path is None or not instance_id:
            raise CIMError(Status.INVALID_PARAMETER, "Missing InstanceID")
        if path.class_name.partition("_")[0].lower() not in (platform.prefix.lower(), "cim", "virt"):
            raise CIMError(Status.INVALID_PARAMETER, f"ResourceSettings: {path.class_name} is of another platform")
        return self._found(platform, instance_id)

    def _found(self, platform: Platform, instance_id: str) -> Target:
        target = find_resource(self.site, platform, instance_id)
        if target is None:
            raise CIMError(Status.NOT_FOUND, f"No such instance ({instance_id})")
        return target

    def _change(
        self,
        works: Sequence[tuple[Guest, Target, Callable[[Edit], None]]],
        text: str,
        has_invalid_state: bool = True,
    ) -> list[Edit]:
        """Change guests, all of them or none."""
        edits: dict[str, Edit] = {}

        def begin(guest: Guest, target: Target, work: Callable[[Edit], None], change: DomainChange) -> None:
            edit = edits[guest.domain.uuid] = Edit(guest, change, scope_of(target, change))
            work(edit)

        for guest, _, _ in works:
            _check_writable(guest.hypervisor)
        try:
            change_domains(
                [
                    guest.hypervisor.domains.work(guest.domain.uuid, partial(begin, guest, target, work))
                    for guest, target, work in works
                ]
            )
        except LibvirtError as error:
            if error.is_no_domain:
                raise no_such_guest(works[0][0].name) from error
            raise failure_of(text, error, has_invalid_state) from error
        except MappingError as error:
            raise refused(f"{text}: {error}") from error
        return [edits[guest.domain.uuid] for guest, _, _ in works]


def _modify(mine: Sequence[tuple[Target, Wanted]], edit: Edit) -> None:
    modify_resources(edit, mine)


def _remove(mine: Sequence[Target], edit: Edit) -> None:
    remove_resources(edit, mine)


def _by_guest(items: Iterable[Item], target_of: Callable[[Item], Target]) -> list[tuple[Guest, list[Item]]]:
    """The items of each guest, in order; the state and the next start of one guest cannot be changed together."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(target_of(item).guest.domain.uuid, []).append(item)
    for mine in found.values():
        if len({target_of(item).is_state for item in mine}) > 1:
            raise CIMError(
                Status.INVALID_PARAMETER,
                "InstanceID: settings of the running guest and of its next start are changed in calls of their own",
            )
    return [(target_of(mine[0]).guest, mine) for mine in found.values()]


@contextmanager
def _resources_told(text: str) -> Iterator[None]:
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


def _raise(error: CIMError) -> None:
    raise error


_Method = Callable[
    [VirtualSystemManagementServiceProvider, VirtualSystemManagementService, Mapping[str, Any]], MethodResult
]
_METHODS: Mapping[str, _Method] = {
    "DefineSystem": VirtualSystemManagementServiceProvider.define_system,
    "DestroySystem": VirtualSystemManagementServiceProvider.destroy_system,
    "ModifySystemSettings": VirtualSystemManagementServiceProvider.modify_system_settings,
    "AddResourceSettings": VirtualSystemManagementServiceProvider.add_resource_settings,
    "ModifyResourceSettings": VirtualSystemManagementServiceProvider.modify_resource_settings,
    "RemoveResourceSettings": VirtualSystemManagementServiceProvider.remove_resource_settings,
    "ValidateSystemSettings": VirtualSystemManagementServiceProvider.validate_system_settings,
}
