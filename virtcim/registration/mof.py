"""MOF (DSP0004 2.8, Annex A) of classes and qualifier types, in an order that every MOF compiler takes."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from virtcim.schema.classes import (
    ClassDeclaration,
    ClassStore,
    MethodDeclaration,
    ParameterDeclaration,
    PropertyDeclaration,
    Qualifier,
    QualifierDeclaration,
)

__all__ = ["class_mof", "closure", "filled_parameters", "qualifier_mof", "quoted"]

WIDTH = 100
"""Characters of a string constant on one line; longer ones are written as several, which MOF joins."""

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_COMMENT = re.compile("/(?=[/*])")
_SAYING_NOTHING = ("Required", "Counter", "Gauge", "Octetstring", "Expensive")
"""Qualifiers of parameters that are FALSE unless they are given."""
_ALL_SCOPES = 7
"""Scopes that DSP0004 2.x knows, SCHEMA not counted; a qualifier type with all of them is written with `any`."""


def closure(schema: ClassStore, names: Iterable[str], known: Collection[str] = ()) -> list[str]:
    """The classes that a compiler needs for some classes, each after those that it names.

    Parameters:
        names: the classes wanted.
        known: lower-case names of classes that are there already, and are left out.

    Returns:
        their names: superclasses, classes referred to and those of embedded instances included.
    """
    ordered: dict[str, None] = {}
    visited: set[str] = set()

    def visit(name: str) -> None:
        key = name.lower()
        if key in visited:
            return
        visited.add(key)
        declaration = schema[name]
        if declaration.superclass:
            visit(declaration.superclass)
        for each in _named(declaration):
            visit(each)
        if key not in known:
            ordered[declaration.name] = None

    for name in names:
        visit(name)
    return list(ordered)


def _named(declaration: ClassDeclaration) -> Iterator[str]:
    """The classes that a class's own elements refer to or embed."""
    elements: list[PropertyDeclaration | ParameterDeclaration] = [
        declaration.properties[name.lower()] for name in declaration.local_properties
    ]
    for name in declaration.local_methods:
        elements.extend(declaration.methods[name.lower()].parameters.values())
    for element in elements:
        for named in (element.reference_class, element.embedded_class):
            if named:
                yield named


def quoted(text: str) -> str:
    """A string constant; several where it holds what SFCB's preprocessor takes for the beginning of a comment."""
    escaped = _COMMENT.sub('/" "', text.translate(_ESCAPES))
    return f'"{escaped}"'


def _constant(value: object, cim_type: str) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (list, tuple)):
        return f"{{ {', '.join(_constant(each, cim_type) for each in value)} }}"
    if isinstance(value, (int, float)):
        return repr(value)
    if cim_type == "char16":
        return "'" + str(value).translate(_ESCAPES).replace("'", "\\'") + "'"
    return quoted(str(value))


def _long_constant(value: object, cim_type: str, indent: str) -> str:
    """A constant of a qualifier; long texts and arrays go over several lines."""
    if isinstance(value, str) and len(value) > WIDTH:
        lines = textwrap.wrap(
            value, WIDTH, replace_whitespace=False, drop_whitespace=False, expand_tabs=False, break_on_hyphens=False
        )
        if "".join(lines) == value:
            return f"\n{indent}".join(["", *(quoted(line) for line in lines)])
    if isinstance(value, (list, tuple)):
        text = _constant(value, cim_type)
        if len(text) > WIDTH:
            return (
                "{"
                + f",\n{indent}".join(
                    [f"\n{indent}{_constant(value[0], cim_type)}", *(_constant(each, cim_type) for each in value[1:])]
                )
                + " }"
            )
        return text
    return _constant(value, cim_type)


def _qualifiers(
    schema: ClassStore, qualifiers: Mapping[str, Qualifier], indent: str, forced: Collection[str] = ()
) -> str:
    """The qualifier list of an element, with what the element itself declares.

    Parameters:
        forced: lower-case names of qualifiers that are written although they are inherited.
    """
    listed = []
    for key, each in qualifiers.items():
        if each.propagated and key not in forced:
            continue
        text = each.name
        if each.value is not True and each.value is not None:
            value = _long_constant(each.value, each.type, f"{indent}      ")
            text += value if value.startswith("{") else f"({value})"
        declared = schema.qualifier_declarations.get(key)
        if declared is not None:
            flavors = _flavors(each, declared)
            if flavors:
                text += f" : {' '.join(flavors)}"
        listed.append(text)
    if not listed:
        return ""
    return f"{indent}[" + f",\n{indent} ".join(listed) + "]\n"


def _flavors(qualifier: Qualifier, declared: QualifierDeclaration) -> list[str]:
    """The flavors in which a qualifier differs from its type."""
    flavors = []
    if qualifier.overridable != declared.overridable:
        flavors.append("EnableOverride" if qualifier.overridable else "DisableOverride")
    if qualifier.tosubclass != declared.tosubclass and not qualifier.propagated:
        flavors.append("ToSubclass" if qualifier.tosubclass else "Restricted")
    if qualifier.translatable and not declared.translatable:
        flavors.append("Translatable")
    return flavors


def _element(schema: ClassStore, element: PropertyDeclaration | ParameterDeclaration, indent: str) -> str:
    head = f"{element.reference_class} REF" if element.type == "reference" else element.type
    array = f"[{element.array_size or ''}]" if element.is_array else ""
    return f"{_qualifiers(schema, element.qualifiers, indent)}{indent}{head} {element.name}{array}"


def _property(schema: ClassStore, declared: PropertyDeclaration) -> str:
    text = _element(schema, declared, "   ")
    if declared.default is not None:
        text += f" = {_constant(declared.default, declared.type)}"
    return f"{text};\n"


def filled_parameters(schema: ClassStore, parameters: Collection[ParameterDeclaration]) -> list[ParameterDeclaration]:
    """Give the first parameter of a method as many qualifiers as the last embedded instance has parameters before it.

    SFCB 1.4 looks for the qualifiers of a parameter only when its number is no greater than the number of qualifiers of
    the first one (`ClClassGetMethParmQualifierCount`), and without EmbeddedInstance it refuses an embedded instance.
    What is put in says nothing: FALSE is the default of each.
    """
    filled = list(parameters)
    wanted = max((number for number, each in enumerate(filled) if each.is_in and each.embedded_object), default=0)
    if wanted:
        qualifiers = dict(filled[0].qualifiers)
        for name in map(str.lower, _SAYING_NOTHING):
            declared = schema.qualifier_declarations.get(name)
            if len(qualifiers) < wanted and name not in qualifiers and declared is not None:
                flavors = declared.overridable, declared.tosubclass
                qualifiers[name] = Qualifier(declared.name, declared.type, False, *flavors)
        filled[0] = replace(filled[0], qualifiers=qualifiers)
    return filled


def _method(schema: ClassStore, declared: MethodDeclaration, fill: bool) -> str:
    listed = declared.parameters.values()
    given = filled_parameters(schema, listed) if fill else listed
    parameters = ",\n".join(_element(schema, each, "      ") for each in given)
    head = f"{_qualifiers(schema, declared.qualifiers, '   ')}   {declared.return_type} {declared.name}("
    return f"{head}\n{parameters});\n" if parameters else f"{head});\n"


def class_mof(schema: ClassStore, name: str, *, fill: bool = False) -> str:
    """The declaration of a class.

    Parameters:
        fill: the first parameters of methods get the qualifiers that SFCB needs to see those of the others.

    Raises:
        KeyError: there is no such class.
    """
    declaration = schema[name]
    # Some compilers look for these in each class, inherited or not.
    head = _qualifiers(schema, declaration.qualifiers, "", {"association", "indication"})
    superclass = f" : {declaration.superclass}" if declaration.superclass else ""
    parts = [f"{head}class {declaration.name}{superclass} {{\n"]
    parts.extend(_property(schema, declaration.properties[each.lower()]) for each in declaration.local_properties)
    parts.extend(_method(schema, declaration.methods[each.lower()], fill) for each in declaration.local_methods)
    return "".join([*parts, "};\n"])


def qualifier_mof(declared: QualifierDeclaration) -> str:
    """The declaration of a qualifier type."""
    array = f"[{declared.array_size or ''}]" if declared.is_array else ""
    value = "" if declared.value is None else f" = {_constant(declared.value, declared.type)}"
    named = sorted(scope.lower() for scope in declared.scopes if scope != "SCHEMA")
    scopes = "any" if "any" in named or len(named) >= _ALL_SCOPES else ", ".join(named)
    flavors = [
        "EnableOverride" if declared.overridable else "DisableOverride",
        "ToSubclass" if declared.tosubclass else "Restricted",
        *(["Translatable"] if declared.translatable else []),
    ]
    head = f"Qualifier {declared.name} : {declared.type}{array}{value}"
    return f"{head},\n   Scope({scopes}),\n   Flavor({', '.join(flavors)});\n"
