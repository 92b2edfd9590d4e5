"""Errors as instances of CIM_Error (DSP0200 1.4, section 5.2; schema class CIM_Error)."""

from __future__ import annotations

from typing import Any

__all__ = ["CLASS_NAME", "error_properties"]

CLASS_NAME = "CIM_Error"

OWN_ENTITY = "virtcim"
LIBVIRT_ENTITY = "libvirt"
"""OwningEntity: who defines the MessageID."""

OTHER, SOFTWARE_ERROR, SECURITY_ERROR, OVERSUBSCRIPTION, UNAVAILABLE_RESOURCE, UNSUPPORTED_OPERATION = 1, 4, 7, 8, 9, 10
"""ErrorType."""

_ERROR_TYPES = {
    "FAILED": SOFTWARE_ERROR,
    "ACCESS_DENIED": SECURITY_ERROR,
    "SERVER_LIMITS_EXCEEDED": OVERSUBSCRIPTION,
    "SERVER_IS_SHUTTING_DOWN": UNAVAILABLE_RESOURCE,
    "NOT_FOUND": UNAVAILABLE_RESOURCE,
    "NOT_SUPPORTED": UNSUPPORTED_OPERATION,
    "METHOD_NOT_AVAILABLE": UNSUPPORTED_OPERATION,
}
"""ErrorType by the name of the CIM status code; with all others the request itself is wrong."""

WARNING, MAJOR = 3, 5
"""PerceivedSeverity."""


def error_properties(
    code: int,
    name: str,
    message: str,
    libvirt_code: int | None = None,
    libvirt_domain: int | None = None,
    libvirt_level: int | None = None,
    is_warning: bool = False,
) -> dict[str, Any]:
    """Say in the properties of CIM_Error what went wrong.

    Parameters:
        code, name: the CIM status code, and its name without `CIM_ERR_`.
        message: the text for people.
        libvirt_code, libvirt_domain, libvirt_level: where libvirt caused it, its error number, the part of it that
            raised the error, and how grave that is.
        is_warning: whether it is a warning only.

    Returns:
        the properties that are not NULL.
    """
    from_libvirt = libvirt_code is not None
    error_type = _ERROR_TYPES.get(name, SOFTWARE_ERROR if from_libvirt else OTHER)
    properties: dict[str, Any] = {
        "ErrorType": error_type,
        "OwningEntity": LIBVIRT_ENTITY if from_libvirt else OWN_ENTITY,
        "MessageID": f"libvirt:{libvirt_code}" if from_libvirt else f"CIM:{code}",
        "Message": message,
        "PerceivedSeverity": WARNING if is_warning else MAJOR,
        "ProbableCause": 0,
        "CIMStatusCode": code,
        "CIMStatusCodeDescription": f"CIM_ERR_{name}",
    }
    if error_type == OTHER:
        properties["OtherErrorType"] = "Request Error"
    if from_libvirt:
        told = {"code": libvirt_code, "domain": libvirt_domain, "level": libvirt_level}
        properties["MessageArguments"] = [f"{part}={value}" for part, value in told.items() if value is not None]
    return properties
