"""The service as an element, and what its methods give back."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from virtcim.providers.errors import access_denied, libvirt_failure
from virtcim.providers.interface import MethodResult
from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.service import SERVICE, HostService

if TYPE_CHECKING:
    from virtcim.libhelper.errors import LibvirtError
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["PoolCode", "ResourcePoolConfigurationService", "VolumeCode", "check_writable", "refused"]


class PoolCode(enum.IntEnum):
    """The return values of CIM_ResourcePoolConfigurationService's methods."""

    COMPLETED = 0
    NOT_SUPPORTED = 1
    FAILED = 4
    INVALID_PARAMETER = 5
    IN_USE = 6
    INCORRECT_RESOURCE_TYPE = 7


class VolumeCode(enum.IntEnum):
    """The return values of the methods for volumes, which libvirt-cim has added."""

    COMPLETED = 0
    NOT_SUPPORTED = 1
    INVALID_PARAMETER = 4


class ResourcePoolConfigurationService(HostService):
    """The service on a host (Virt_ResourcePoolConfigurationService)."""

    __slots__ = ()

    base = "ResourcePoolConfigurationService"
    service_name = "RPCS"
    table = PropertyTable(SERVICE, constant("Caption", "Pools of this host"))


def refused(text: str, error: LibvirtError) -> MethodResult:
    """What a method for volumes answers when libvirt refuses.

    Returns:
        Not Supported, where the driver does not have what is asked for.

    Raises:
        CIMError: else, with libvirt's text.
    """
    if error.is_unsupported_call:
        return MethodResult(VolumeCode.NOT_SUPPORTED)
    raise libvirt_failure(text, error) from error


def check_writable(hypervisor: Hypervisor) -> None:
    """Refuse to change what can only be read.

    Raises:
        CIMError: ACCESS_DENIED.
    """
    if hypervisor.read_only:
        raise access_denied(hypervisor)
