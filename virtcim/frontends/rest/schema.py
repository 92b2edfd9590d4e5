"""Classes as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtcim.cimom.access import Access
from virtcim.cimom.namespaces import Namespace
from virtcim.frontends.rest.targets import class_href
from virtcim.schema.classes import (
    ClassDeclaration,
    MethodDeclaration,
    ParameterDeclaration,
    PropertyDeclaration,
    Qualifier,
)

__all__ = ["class_shown", "class_summary"]


def class_summary(declaration: ClassDeclaration, namespace: Namespace, place: str) -> dict[str, Any]:
    """Tell of a class what a tree of classes needs.

    Parameters:
        declaration: of the class.
        namespace: where it is looked at.
        place: the name of the namespace.
    """
    told: dict[str, Any] = {
        "class": declaration.name,
        "superclass": declaration.superclass,
        "href": class_href(place, declaration.name),
        "served": namespace.provider(declaration.name) is not None,
    }
    for kind in ("association", "indication", "abstract"):
        if getattr(declaration, f"is_{kind}"):
            told[kind] = True
    return told


def class_shown(declaration: ClassDeclaration, namespace: Namespace, access: Access) -> dict[str, Any]:
    """Tell everything of a class, and which role each change of its instances needs.

    Parameters:
        declaration: of the class.
        namespace: where it is looked at.
        access: knows the roles.
    """
    name = declaration.name

    def role(operation: str, extrinsic: bool = False) -> str:
        return access.needed(operation, extrinsic, [name]).name.lower()

    return {
        **class_summary(declaration, namespace, namespace.name),
        "keys": list(declaration.keys),
        "qualifiers": _qualifiers(declaration.qualifiers),
        "roles": {
            "create": role("CreateInstance"),
            "modify": role("ModifyInstance"),
            "delete": role("DeleteInstance"),
        },
        "properties": {each.name: _property(each) for each in declaration.properties.values()},
        "methods": {each.name: _method(each, role(each.name, True)) for each in declaration.methods.values()},
    }


def _qualifiers(qualifiers: Mapping[str, Qualifier]) -> dict[str, Any]:
    return {
        each.name: list(each.value) if isinstance(each.value, tuple) else each.value for each in qualifiers.values()
    }


def _element(declared: PropertyDeclaration | ParameterDeclaration) -> dict[str, Any]:
    told: dict[str, Any] = {"type": declared.type}
    if declared.is_array:
        told["array"] = True
    if declared.array_size is not None:
        told["size"] = declared.array_size
    if declared.reference_class is not None:
        told["referenceClass"] = declared.reference_class
    if declared.embedded_object is not None:
        told["embedded"] = declared.embedded_class or declared.embedded_object
    return told


def _property(declared: PropertyDeclaration) -> dict[str, Any]:
    told = _element(declared)
    if declared.is_key:
        told["key"] = True
    if declared.default is not None:
        told["default"] = list(declared.default) if isinstance(declared.default, tuple) else declared.default
    return {**told, "origin": declared.class_origin, "qualifiers": _qualifiers(declared.qualifiers)}


def _method(declared: MethodDeclaration, role: str) -> dict[str, Any]:
    return {
        "type": declared.return_type,
        "role": role,
        "origin": declared.class_origin,
        "qualifiers": _qualifiers(declared.qualifiers),
        "parameters": {
            each.name: {
                **_element(each),
                "in": each.is_in,
                "out": each.is_out,
                "qualifiers": _qualifiers(each.qualifiers),
            }
            for each in declared.parameters.values()
        },
    }
