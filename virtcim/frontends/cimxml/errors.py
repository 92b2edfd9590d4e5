"""Errors as CIM-XML: the ERROR element, with a CIM_Error in it where that says more (DSP0200 1.4, 5.2)."""

from __future__ import annotations

from virtcim.frontends.cimxml.encode import Encoder
from virtcim.frontends.cimxml.values import attribute
from virtcim.providers.interface import CIMError, EmbeddedInstance
from virtcim.schema.classes import ClassStore
from virtcim.schema.errors import CLASS_NAME, error_properties

__all__ = ["ErrorWriter"]


class ErrorWriter:
    """Writes ERROR elements.

    Parameters:
        classes: the class store; where CIM_Error is not declared, no instances are written.
    """

    def __init__(self, classes: ClassStore) -> None:
        self._has_class = CLASS_NAME in classes
        self._encoder = Encoder(classes, "", "")

    def element(self, error: CIMError, with_instance: bool) -> bytes:
        """Write an ERROR element.

        There is a CIM_Error in it only where libvirt caused the error: of others it would say nothing that code and
        text do not say, and several clients cannot read an error that has one.

        Parameters:
            with_instance: whether the client can read a CIM_Error in it.
        """
        description = f' DESCRIPTION="{attribute(error.description)}"' if error.description else ""
        instance = ""
        if with_instance and self._has_class and error.libvirt_code is not None:
            properties = error_properties(int(error.status), error.status.name, error.description, error.libvirt_code)
            instance = self._encoder.embedded_element(EmbeddedInstance(CLASS_NAME, properties))
        return f'<ERROR CODE="{int(error.status)}"{description}>{instance}</ERROR>'.encode()
