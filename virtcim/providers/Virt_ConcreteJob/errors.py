"""Why a job failed, as CIM_Error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtcim.providers.interface import EmbeddedInstance, Status
from virtcim.providers.jobs import JobError

__all__ = ["cim_error"]

_SOFTWARE, _SECURITY, _UNAVAILABLE, _UNSUPPORTED = 4, 7, 9, 10
_ERROR_TYPES: Mapping[Status, int] = {
    Status.ACCESS_DENIED: _SECURITY,
    Status.NOT_FOUND: _UNAVAILABLE,
    Status.SERVER_IS_SHUTTING_DOWN: _UNAVAILABLE,
    Status.SERVER_LIMITS_EXCEEDED: _UNAVAILABLE,
    Status.NOT_SUPPORTED: _UNSUPPORTED,
}
"""CIM_Error.ErrorType by the CIM status code; of all others it is a software error."""

_WARNING, _MAJOR = 3, 5
_LIBVIRT_WARNING = 1


def cim_error(error: JobError) -> EmbeddedInstance:
    """An error as an embedded instance: of libvirt's, its number and the part that raised it."""
    from_libvirt = error.libvirt_code is not None
    properties: dict[str, Any] = {
        "ErrorType": _ERROR_TYPES.get(Status(error.status), _SOFTWARE),
        "OwningEntity": "libvirt" if from_libvirt else "virtcim",
        "MessageID": f"libvirt:{error.libvirt_code}" if from_libvirt else f"CIM:{error.status}",
        "Message": error.message,
        "PerceivedSeverity": _WARNING if error.libvirt_level == _LIBVIRT_WARNING else _MAJOR,
        "CIMStatusCode": error.status,
        "CIMStatusCodeDescription": error.message,
    }
    if from_libvirt:
        told = {"code": error.libvirt_code, "domain": error.libvirt_domain, "level": error.libvirt_level}
        properties["MessageArguments"] = [f"{name}={value}" for name, value in told.items() if value is not None]
    return EmbeddedInstance("CIM_Error", properties)
