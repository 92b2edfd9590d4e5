"""MOF to flat declarations, with pywbem's MOF compiler.

Apart from `schema.mof` because importing pywbem takes longer than all the rest of the start; only a start without a
valid cache needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pywbem import CIMClass, CIMQualifier, CIMQualifierDeclaration, MOFCompileError, MOFCompiler, MOFWBEMConnection

from virtcim.schema.classes import SchemaError

__all__ = ["compile_mof"]

_NAMESPACE = "schema"

_SCOPES = frozenset({"CLASS", "ASSOCIATION", "INDICATION", "PROPERTY", "REFERENCE", "METHOD", "PARAMETER"})


class _Collector(MOFWBEMConnection):  # type: ignore[misc]  # pywbem is not typed
    """Takes what the compiler finds and looks nothing up: the class store resolves."""

    def __init__(self) -> None:
        super().__init__(conn=None)
        self.default_namespace = _NAMESPACE
        self.declared: dict[str, CIMQualifierDeclaration] = {}
        self.collected: list[CIMClass] = []

    def EnumerateQualifiers(self, *_args: Any, **_kwargs: Any) -> list[CIMQualifierDeclaration]:  # noqa: N802
        return list(self.declared.values())

    def SetQualifier(self, qualifier: CIMQualifierDeclaration, **_kwargs: Any) -> None:  # noqa: N802
        self.declared[qualifier.name.lower()] = qualifier

    def CreateClass(self, cim_class: CIMClass, **_kwargs: Any) -> None:  # noqa: N802
        self.collected.append(cim_class)


def compile_mof(sources: Iterable[tuple[str, str]]) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Compile MOF texts, in this order, as one unit.

    Parameters:
        sources: name (for messages) and text of each.

    Returns:
        The qualifier declarations, and for each source the list of the classes it declares, all as JSON values:
        see `schema.classes.LocalClass`.

    Raises:
        SchemaError: with the compiler's message, source, line and column.
    """
    collector = _Collector()
    compiler = MOFCompiler(collector, log_func=None)
    classes = []
    for name, text in sources:
        collector.collected = []
        try:
            compiler.compile_string(text, _NAMESPACE, filename=name)
        except MOFCompileError as error:
            raise SchemaError(error.get_err_msg()) from error
        classes.append([_flat_class(each, collector.declared) for each in collector.collected])
    return [_flat_declaration(each) for each in collector.declared.values()], classes


def _flavors(element: CIMQualifier | CIMQualifierDeclaration) -> list[bool]:
    """Overridable, ToSubclass, Translatable: with the defaults of DSP0004 2.8, section 5.6.1.2, where unsaid."""
    return [element.overridable is not False, element.tosubclass is not False, bool(element.translatable)]


def _plain(value: Any) -> Any:
    """A CIM value as JSON has it."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return str(value)


def _flat_declaration(declaration: CIMQualifierDeclaration) -> dict[str, Any]:
    scopes = {scope for scope, applies in declaration.scopes.items() if applies}
    return {
        "name": declaration.name,
        "type": declaration.type,
        "array": bool(declaration.is_array),
        "size": declaration.array_size,
        "value": _plain(declaration.value),
        "scopes": sorted(_SCOPES if "ANY" in scopes else scopes),
        "flavors": _flavors(declaration),
    }


def _flat_qualifiers(element: Any, declared: dict[str, CIMQualifierDeclaration]) -> list[list[Any]]:
    flat = []
    for qualifier in element.qualifiers.values():
        flavors = _flavors(qualifier)
        declaration = declared[qualifier.name.lower()]
        different = flavors if flavors != _flavors(declaration) else []
        flat.append([declaration.name, _plain(qualifier.value), *different])
    return flat


def _flat_element(element: Any, declared: dict[str, CIMQualifierDeclaration]) -> dict[str, Any]:
    """A property or parameter; what is not there is left out."""
    flat: dict[str, Any] = {"name": element.name, "type": element.type}
    if element.is_array:
        flat["array"] = True
    if element.array_size is not None:
        flat["size"] = element.array_size
    if element.reference_class is not None:
        flat["reference"] = element.reference_class
    if element.value is not None:
        flat["default"] = _plain(element.value)
    flat["qualifiers"] = _flat_qualifiers(element, declared)
    return flat


def _flat_class(cim_class: CIMClass, declared: dict[str, CIMQualifierDeclaration]) -> dict[str, Any]:
    return {
        "name": cim_class.classname,
        "superclass": cim_class.superclass,
        "qualifiers": _flat_qualifiers(cim_class, declared),
        "properties": [_flat_element(each, declared) for each in cim_class.properties.values()],
        "methods": [
            {
                "name": method.name,
                "type": method.return_type,
                "parameters": [_flat_element(each, declared) for each in method.parameters.values()],
                "qualifiers": _flat_qualifiers(method, declared),
            }
            for method in cim_class.methods.values()
        ],
    }
