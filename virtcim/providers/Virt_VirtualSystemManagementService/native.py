"""Configurations in formats of the hypervisors' own, as libvirt converts them: DefineNativeSystem and its reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from virtcim.libhelper.errors import LibvirtError
from virtcim.providers.base import class_of
from virtcim.providers.errors import access_denied
from virtcim.providers.interface import CIMError, InstancePath, MethodResult, RequestContext, Status
from virtcim.providers.methods import MethodFailedError, Parameters
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.providers.Virt_VirtualSystemManagementService.outcomes import ReturnCode, failure_of, refused
from virtcim.providers.Virt_VirtualSystemManagementService.targets import find_system

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.Virt_VirtualSystemManagementService.Virt_VirtualSystemManagementService import (
        VirtualSystemManagementService,
    )

__all__ = ["define_native_system", "export_native_system"]

FORMATS = ("xen-xl", "xen-xm", "vmware-vmx", "lxc-tools", "qemu-argv")
"""libvirt's words for the formats that it has ever converted."""

_LONGEST = 1 << 20
"""Characters of a configuration: those that people and tools write have some thousand."""


def define_native_system(
    service: VirtualSystemManagementService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """DefineNativeSystem."""
    hypervisor, format_, text = _writable(service), _format(parameters), parameters.get("Configuration")
    if not text or len(text) > _LONGEST:
        raise CIMError(Status.INVALID_PARAMETER, f"Configuration: expected 1 to {_LONGEST} characters")
    xml = _converted(hypervisor, "from_native", format_, text)
    root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
    if any(isinstance(each.tag, str) and each.tag.startswith("{") for each in root):
        raise refused("Configuration: hands arguments on to the emulator; expected none")
    name, uuid = root.findtext("name") or "", root.findtext("uuid") or ""
    inventory = hypervisor.inventory
    if inventory.domain(name) is not None or inventory.domain_by_uuid(uuid) is not None:
        text = f"Configuration: guest '{name}' is already defined, or its UUID is another guest's"
        raise CIMError(Status.ALREADY_EXISTS, text)
    try:
        hypervisor.domains.define(xml)
    except LibvirtError as error:
        raise failure_of("Failed to define domain", error, has_invalid_state=False) from error
    class_name = class_of(service.platform.prefix, ComputerSystem.base)
    keys = {"CreationClassName": class_name, "Name": name}
    return MethodResult(0, {"ResultingSystem": InstancePath(class_name, keys, service.namespace)})


def export_native_system(
    service: VirtualSystemManagementService, parameters: Parameters, context: RequestContext
) -> MethodResult:
    """ExportNativeSystem."""
    format_, path = _format(parameters), parameters.get("AffectedSystem")
    if path is None:
        raise CIMError(Status.INVALID_PARAMETER, "Missing AffectedSystem parameter")
    guest = find_system(service.site, service.platform, path)
    document = guest.domain.defined_document or guest.domain.live_document
    text = _converted(guest.hypervisor, "to_native", format_, guest.domain.xml if document is None else document.text)
    return MethodResult(0, {"Configuration": text})


def _format(parameters: Parameters) -> str:
    """The format that is named.

    Raises:
        CIMError: INVALID_PARAMETER where it is none of libvirt's.
    """
    format_ = parameters.get("Format")
    if format_ not in FORMATS:
        text = f"Format: {format_!s:.40}; expected one of {', '.join(FORMATS)}"
        raise CIMError(Status.INVALID_PARAMETER, text)
    return str(format_)


def _converted(hypervisor: Hypervisor, direction: str, format_: str, text: str) -> str:
    """Have libvirt convert a configuration.

    Raises:
        MethodFailedError: Not Supported where the driver of the host does not know the format.
        CIMError: FAILED where the configuration is none.
    """
    try:
        made: str = getattr(hypervisor.domains, direction)(format_, text)
    except LibvirtError as error:
        if "unsupported config type" in error.message:
            code = ReturnCode.NOT_SUPPORTED
            raise MethodFailedError(code, f"Format: {hypervisor.facts.driver} does not know {format_}") from error
        raise failure_of("Configuration", error, has_invalid_state=False) from error
    return made


def _writable(service: VirtualSystemManagementService) -> Hypervisor:
    """The hypervisor that new guests are defined on."""
    if not service.connected:
        raise CIMError(Status.NOT_FOUND, f"Unable to connect to libvirt: {service.platform.title} is not connected")
    if service.hypervisor.read_only:
        raise access_denied(service.hypervisor)
    return service.hypervisor
