"""Errors as CIM-XML: the ERROR element, with a CIM_Error in it for the clients that can read one (DSP0200 1.4, 5.2)."""

from __future__ import annotations

from typing import Any

from virtcim.frontends.cimxml.encode import Encoder
from virtcim.frontends.cimxml.values import attribute
from virtcim.providers.interface import CIMError, EmbeddedInstance, Status
from virtcim.schema.classes import ClassStore

__all__ = ["ErrorWriter"]

CLASS_NAME = "CIM_Error"

OWN_ENTITY = "virtcim"
LIBVIRT_ENTITY = "libvirt"
"""OwningEntity: who defines the MessageID."""

OTHER = 1
SOFTWARE_ERROR = 4
_ERROR_TYPES = {
    Status.FAILED: SOFTWARE_ERROR,
    Status.ACCESS_DENIED: 7,
    Status.SERVER_LIMITS_EXCEEDED: 8,
    Status.SERVER_IS_SHUTTING_DOWN: 9,
    Status.NOT_FOUND: 9,
    Status.NOT_SUPPORTED: 10,
    Status.METHOD_NOT_AVAILABLE: 10,
}
"""CIM_Error.ErrorType: Software Error, Security Error, Oversubscription, Unavailable Resource, Unsupported Operation;
the request itself is wrong in all other cases."""

INFORMATION, MAJOR = 2, 5
"""CIM_Error.PerceivedSeverity."""


class ErrorWriter:
    """Writes ERROR elements.

    Parameters:
        classes: the class store; where CIM_Error is not declared, no instances are written.
    """

    def __init__(self, classes: ClassStore) -> None:
        self._has_class = CLASS_NAME in classes
        self._encoder = Encoder(classes, "", "", lambda _: "")

    def element(self, error: CIMError, with_instance: bool) -> bytes:
        """The ERROR element.

        Parameters:
            with_instance: whether the client can read a CIM_Error in it.
        """
        description = f' DESCRIPTION="{attribute(error.description)}"' if error.description else ""
        instance = ""
        if with_instance and self._has_class:
            instance = self._encoder.embedded_element(EmbeddedInstance(CLASS_NAME, _properties(error)))
        return f'<ERROR CODE="{int(error.status)}"{description}>{instance}</ERROR>'.encode()


def _properties(error: CIMError) -> dict[str, Any]:
    from_libvirt = error.libvirt_code is not None
    name = f"CIM_ERR_{error.status.name}"
    error_type = SOFTWARE_ERROR if from_libvirt else _ERROR_TYPES.get(error.status, OTHER)
    properties: dict[str, Any] = {
        "ErrorType": error_type,
        "OwningEntity": LIBVIRT_ENTITY if from_libvirt else OWN_ENTITY,
        "MessageID": f"libvirt:{error.libvirt_code}" if from_libvirt else f"CIM:{int(error.status)}",
        "Message": error.description,
        "PerceivedSeverity": MAJOR if error_type == SOFTWARE_ERROR else INFORMATION,
        "ProbableCause": 0,
        "CIMStatusCode": int(error.status),
        "CIMStatusCodeDescription": name,
    }
    if error_type == OTHER:
        properties["OtherErrorType"] = "Request Error"
    return properties
