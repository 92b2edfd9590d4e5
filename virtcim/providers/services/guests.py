"""From the parameters of a service's method to the guest that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.providers.interface import CIMError, InstancePath, Status
from virtcim.providers.references import element_at
from virtcim.providers.Virt_ComputerSystem import ComputerSystem

if TYPE_CHECKING:
    from virtcim.providers.guest import Guest
    from virtcim.providers.methods import Parameters
    from virtcim.providers.services.service import HostService

__all__ = ["affected_guest"]


def affected_guest(service: HostService, parameters: Parameters) -> Guest:
    """Find the guest that AffectedSystem means.

    Raises:
        CIMError: INVALID_PARAMETER in libvirt-cim's words, NOT_FOUND as GetInstance has it.
    """
    path = parameters.get("AffectedSystem")
    if not isinstance(path, InstancePath):
        raise CIMError(Status.INVALID_PARAMETER, "Missing AffectedSystem")
    if not any(name.lower() == "name" for name in path.keys):
        raise CIMError(Status.INVALID_PARAMETER, "Missing Name property of AffectedSystem")
    element = element_at(service.site, path)
    if not isinstance(element, ComputerSystem):
        raise CIMError(Status.INVALID_PARAMETER, f"AffectedSystem: {path.class_name} is no virtual system")
    return element.guest
