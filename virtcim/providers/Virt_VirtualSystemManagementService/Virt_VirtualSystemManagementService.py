"""The service as an element."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.services.service import SERVICE, HostService

__all__ = ["VirtualSystemManagementService"]

_REVISION = "2000"
"""Greater than libvirt-cim's last one, 1347: clients take a greater number for newer behaviour."""


def _release() -> str:
    try:
        return version("virtcim")
    except PackageNotFoundError:
        return "0"


class VirtualSystemManagementService(HostService):
    """The service of a host (Virt_VirtualSystemManagementService)."""

    __slots__ = ()

    base = "VirtualSystemManagementService"
    service_name = "Management Service"


def _dotted(version_: tuple[int, int, int]) -> str | None:
    return ".".join(map(str, version_)) if any(version_) else None


def _caption(service: VirtualSystemManagementService) -> str:
    number = _dotted(service.hypervisor.facts.hypervisor_version)
    return f"{service.hypervisor.facts.driver} {number}" if number else "Unknown Hypervisor"


VirtualSystemManagementService.table = PropertyTable(
    SERVICE,
    Property("Caption", _caption, "driver and hypervisor version (virConnectGetType, virConnectGetVersion)"),
    Property(
        "LibvirtVersion", lambda service: _dotted(service.hypervisor.facts.libvirt_version), "virConnectGetLibVersion"
    ),
    constant("Revision", _REVISION, "fixed: greater than libvirt-cim's last one"),
    constant("Changeset", _REVISION, "as Revision"),
    constant("Release", _release(), "version of the package"),
)
