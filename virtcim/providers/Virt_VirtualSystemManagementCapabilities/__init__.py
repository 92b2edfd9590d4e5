"""What the management service can do, as <prefix>_VirtualSystemManagementCapabilities (DSP1042)."""

from __future__ import annotations

from typing import ClassVar

from virtcim.libhelper.documents.capabilities import HostCapabilities, parsed
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.Virt_VirtualSystemManagementService import VirtualSystemManagementService

__all__ = ["ManagementCapabilities", "ManagementCapabilitiesProvider"]

_DEFINE, _DESTROY, _MODIFY_RESOURCES, _MODIFY_SYSTEM, _REMOVE_RESOURCES, _ADD_RESOURCES = 2, 3, 5, 6, 7, 10
_METHODS = (_DEFINE, _DESTROY, _MODIFY_RESOURCES, _MODIFY_SYSTEM, _REMOVE_RESOURCES, _ADD_RESOURCES)


class ManagementCapabilities(ServiceCapabilities):
    """What the management service can do."""

    __slots__ = ()

    base = "VirtualSystemManagementCapabilities"
    instance_id = "ManagementCapabilities"
    service = VirtualSystemManagementService


def _can_write(capabilities: ManagementCapabilities) -> bool:
    return any(not hypervisor.read_only for hypervisor in capabilities.hypervisors)


def _methods(capabilities: ManagementCapabilities) -> tuple[int, ...]:
    return _METHODS if _can_write(capabilities) else ()


def _types(capabilities: ManagementCapabilities) -> list[str]:
    """The prefix, and the types of guests that the hosts have beside the one that it stands for."""
    platform = capabilities.platform
    offered = {
        domain.type
        for hypervisor in capabilities.hypervisors
        for guest in parsed(HostCapabilities, hypervisor.facts.capabilities_xml).guests
        for domain in guest.arch_domains
    }
    others = [kind for kind in platform.domain_types if kind in offered and kind != platform.prefix.lower()]
    return [platform.prefix, *others]


ManagementCapabilities.table = PropertyTable(
    CAPABILITIES,
    Property("SynchronousMethodsSupported", _methods, "methods of the service; none over read-only connections"),
    constant("AsynchronousMethodsSupported", (), "methods of the service that start a job"),
    Property("VirtualSystemTypesSupported", _types, "platform, and domain types of the host capabilities"),
    Property(
        "ElementNameEditSupported", _can_write, "whether guests can be renamed: where there is a connection that writes"
    ),
)


class ManagementCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_VirtualSystemManagementCapabilities."""

    types: ClassVar = (ManagementCapabilities,)
