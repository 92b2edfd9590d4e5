"""What the management service can do, as <prefix>_VirtualSystemManagementCapabilities (DSP1042)."""

from __future__ import annotations

from virtcim.libhelper.documents.capabilities import HostCapabilities, parsed
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.Virt_VirtualSystemManagementService import VirtualSystemManagementService

__all__ = ["ManagementCapabilities", "ManagementCapabilitiesProvider"]


class ManagementCapabilities(ServiceCapabilities):
    """What the management service can do (Virt_VirtualSystemManagementCapabilities)."""

    __slots__ = ()

    base = "VirtualSystemManagementCapabilities"
    instance_id = "ManagementCapabilities"
    service = VirtualSystemManagementService


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
    Property(
        "SynchronousMethodsSupported",
        lambda capabilities: capabilities.methods_supported(),
        "methods of the service; none over read-only connections",
    ),
    Property(
        "AsynchronousMethodsSupported",
        lambda capabilities: capabilities.methods_supported(as_jobs=True),
        "methods of the service that start a job where they take long",
    ),
    Property("VirtualSystemTypesSupported", _types, "platform, and domain types of the host capabilities"),
    attribute(
        "ElementNameEditSupported",
        lambda capabilities: capabilities.can_write,
        source="whether guests can be renamed: where there is a connection that writes",
    ),
)


class ManagementCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_VirtualSystemManagementCapabilities."""

    name = "Virt_VirtualSystemManagementCapabilities"
    types = (ManagementCapabilities,)
