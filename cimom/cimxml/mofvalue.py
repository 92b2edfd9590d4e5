"""Embedded instances written as MOF: `instance of CIM_X { Name = "x"; };`.

Some clients, those that grew up with WMI, send settings in this form.  pywbem's MOF compiler reads them.
"""

from __future__ import annotations

import re
import threading
from typing import Any

from pywbem import CIMClass, CIMDateTime, CIMInstance, CIMProperty, MOFCompileError, MOFCompiler, MOFWBEMConnection

from cimom.cimxml.decode import RawInstance, RawProperty
from cimom.cimxml.values import writer
from cimom.classes import ClassStore

__all__ = ["parse_mof_instance"]

MAX_LENGTH = 256 * 1024
"""Characters of MOF text: the compiler is slow, 100 KiB take it about a second."""

_INSTANCE = re.compile(r"\s*instance\s+of\s", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"\b([A-Za-z_]\w*)\s*=\s*(\{)?")
_LOCK = threading.Lock()


class _Collector(MOFWBEMConnection):  # type: ignore[misc]
    """What the compiler takes for its repository: classes from the class store, instances kept in a list."""

    def __init__(self, classes: ClassStore, text: str) -> None:
        super().__init__(conn=None)
        self.classes = classes
        self.assigned = {name.lower(): bool(brace) for name, brace in _ASSIGNMENT.findall(text)}
        self.collected: list[CIMInstance] = []
        self.default_namespace = "request"

    def GetClass(self, ClassName: str, *_args: Any, **_options: Any) -> CIMClass:  # noqa: N802, N803
        declaration = self.classes.get(ClassName)
        if declaration is None:
            raise ValueError(f"class {ClassName} is not known")
        properties = [
            CIMProperty(
                each.name,
                None,
                type=each.type,
                is_array=each.is_array,
                reference_class=each.reference_class,
                class_origin=each.class_origin,
                propagated=each.propagated,
            )
            for each in declaration.properties.values()
        ]
        # The compiler refuses what is not declared; here it is let through, for the reader of types to leave it out.
        properties += [
            CIMProperty(name, None, type="string", is_array=is_array)
            for name, is_array in self.assigned.items()
            if name not in declaration.properties
        ]
        return CIMClass(declaration.name, properties=properties)

    def CreateInstance(self, NewInstance: CIMInstance, *_args: Any, **_options: Any) -> Any:  # noqa: N802, N803
        self.collected.append(NewInstance)
        return NewInstance.path

    def CreateClass(self, *_args: Any, **_options: Any) -> None:  # noqa: N802
        raise ValueError("a class cannot be declared here")

    def SetQualifier(self, *_args: Any, **_options: Any) -> None:  # noqa: N802
        raise ValueError("a qualifier cannot be declared here")


class _Compiler(MOFCompiler):  # type: ignore[misc]
    """The compiler without `#pragma include`: a request must not make the server read files."""

    def compile_file(self, filename: str, *_args: Any, **_options: Any) -> None:
        raise ValueError(f"including {filename!r} is refused")


def _raw_value(value: Any, cim_type: str) -> Any:
    """A value of pywbem in the form in which a request brings it."""
    if value is None:
        return None
    if isinstance(value, list):
        return [_raw_value(each, cim_type) for each in value]
    if isinstance(value, CIMDateTime):
        return str(value)
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        return writer("real64")(float(value)) if cim_type.startswith("real") else str(int(value))
    if isinstance(value, str):
        return str(value)
    raise ValueError(f"a {type(value).__name__} cannot stand here")


def parse_mof_instance(text: str, classes: ClassStore) -> RawInstance:
    """Read one instance in MOF.

    Raises:
        ValueError: when `text` is not one instance of a known class; the text says why.
    """
    if not _INSTANCE.match(text) or len(text) > MAX_LENGTH:
        raise ValueError("neither CIM-XML nor MOF 'instance of'")
    with _LOCK:
        collector = _Collector(classes, text)
        try:
            _Compiler(collector, log_func=None).compile_string(text, collector.default_namespace)
        except MOFCompileError as exc:
            raise ValueError(str(exc.msg)) from None
        except Exception as exc:  # the compiler lets errors of all kinds through
            raise ValueError(str(exc)) from None
    if len(collector.collected) != 1:
        raise ValueError(f"{len(collector.collected)} instances where one is needed")
    instance = collector.collected[0]
    return RawInstance(
        instance.classname,
        tuple(
            RawProperty(each.name, _raw_value(each.value, each.type))
            for each in instance.properties.values()
            if each.value is not None
        ),
    )
