"""The page of all methods, written from the classes and from what the elements say of their methods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import Catalog
from virtcim.providers.methods import Method
from virtcim.registration.documentation import OF_SERVER, markdown_table
from virtcim.schema.classes import (
    ClassDeclaration,
    ClassStore,
    MethodDeclaration,
    ParameterDeclaration,
    PropertyDeclaration,
    Qualifier,
)

__all__ = ["description", "document_methods", "named_values", "type_words"]

_INTRODUCTION = """\
# The methods

Written by `make docs` from the classes and from what the providers say of their methods; a test fails when this page is
out of date.

Classes are shown without the prefix of their platform (`KVM_`, ...), as in [classes.md](classes.md). A method that may
become a job returns 4096 and `Job` where its work takes longer than `providers.jobs.grace`, and gives back what it made
by the job then: [jobs.md](jobs.md). The role is what `[roles]` of the settings has to grant:
[security.md](security.md). Embedded instances are sent by pywbem as `pywbem.CIMInstance`, by wbemcli as MOF.

In the examples, `connection` is a `pywbem.WBEMConnection`, and `path` the path of the instance whose method it is.
"""

_PYTHON = {"string": '"..."', "boolean": "True", "datetime": "pywbem.CIMDateTime(timedelta(minutes=1))"}
"""How values of types that are no numbers stand in an example."""


def document_methods(catalog: Catalog, platforms: Iterable[Platform], schema: ClassStore) -> str:
    """Write the page, in Markdown.

    Parameters:
        catalog: what is served.
        platforms: those of the catalog; the classes are shown as those of the first one.
        schema: the class declarations.
    """
    prefix = next(iter(platforms)).prefix
    sections = list(_sections(catalog, prefix, schema))
    contents = [f"* {name}: {', '.join(f'[{each}](#{_anchor(name, each)})' for each in methods)}"
                for name, methods in _by_class(sections).items()]  # fmt: skip
    return "\n".join([_INTRODUCTION, *contents, "", *(text for _, _, text in sections)])


def _sections(catalog: Catalog, prefix: str, schema: ClassStore) -> Iterator[tuple[str, str, str]]:
    """Give class, method and text of each section."""
    known: dict[tuple[str, str, Any], str] = {}
    for element in _elements(catalog):
        declared = schema[f"{prefix}_{element.base}"]
        for method in element.methods:
            declaration = declared.methods.get(method.name.lower())
            if declaration is None:
                continue
            same = (declaration.class_origin, method.name, method.run)
            lines = list(_section(element.base, declared, declaration, method, known.get(same)))
            known.setdefault(same, element.base)
            yield element.base, method.name, "\n".join(lines)
    for name in OF_SERVER:
        for declaration in schema[name].methods.values():
            if declaration.class_origin == name:
                text = "\n".join(_section(name, schema[name], declaration, None, None))
                yield name, declaration.name, text


def _elements(catalog: Catalog) -> Iterator[type[Element]]:
    seen = set()
    for providers in catalog.namespaces.values():
        for provider in providers:
            for element in provider.types if isinstance(provider, ElementProvider) else ():
                if element.base not in seen:
                    seen.add(element.base)
                    yield element


def _by_class(sections: Iterable[tuple[str, str, str]]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, method, _ in sections:
        found.setdefault(name, []).append(method)
    return found


def _anchor(class_name: str, method: str) -> str:
    return f"{class_name}{method}".lower()


def _section(
    name: str, declared: ClassDeclaration, method: MethodDeclaration, served: Method[Any] | None, same: str | None
) -> Iterator[str]:
    """Write a section.

    Parameters:
        name: of the class, as the heading has it.
        declared: the class.
        method: as the class declares it.
        served: what the element says of it; None for a class of the server itself.
        same: another class whose method is the same one, and stands further up.
    """
    yield f"## {name}.{method.name}\n"
    if same is not None:
        yield f"As [{same}.{method.name}](#{_anchor(same, method.name)}).\n"
        return
    text = description(method.qualifiers)
    if text:
        yield f"{text}\n"
    facts = [f"Declared by `{method.class_origin}`"]
    if served is not None:
        facts.append(f"role: {served.role.name.lower()}")
        facts.append("may become a job" if served.may_be_job else "never a job")
    yield f"{'; '.join(facts)}.\n"
    if method.parameters:
        rows = (
            (f"`{each.name}`", _direction(each), type_words(each), _meaning(each))
            for each in method.parameters.values()
        )
        yield from markdown_table(("Parameter", "Direction", "Type", "Meaning"), rows)
        yield ""
    codes = list(named_values(method.qualifiers))
    if codes:
        yield f"Returns, as {method.return_type}: {', '.join(codes)}.\n"
    else:
        yield f"Returns {method.return_type}.\n"
    yield "```python"
    yield _example(method)
    yield "```\n"


def _direction(parameter: ParameterDeclaration) -> str:
    words = [word for word, applies in (("in", parameter.is_in), ("out", parameter.is_out)) if applies]
    required = parameter.qualifiers.get("required")
    return ", ".join(words) + (", required" if required is not None and required.value else "")


def type_words(parameter: ParameterDeclaration | PropertyDeclaration) -> str:
    """Say what a parameter or a property holds: `uint16[]`, `reference to CIM_Job`, `embedded CIM_Error`."""
    array = "[]" if parameter.is_array else ""
    if parameter.reference_class is not None:
        return f"reference to {parameter.reference_class}{array}"
    if parameter.embedded_object is not None:
        return f"embedded {parameter.embedded_class or 'object'}{array}"
    return f"{parameter.type}{array}"


def _meaning(parameter: ParameterDeclaration) -> str:
    text, values = description(parameter.qualifiers), ", ".join(named_values(parameter.qualifiers))
    return " ".join(part for part in (text, f"Values: {values}." if values else "") if part)


def description(qualifiers: Mapping[str, Qualifier]) -> str:
    """Give what something says of itself, in one line; empty where it says nothing."""
    found = qualifiers.get("description")
    return "" if found is None or found.value is None else " ".join(str(found.value).split())


def named_values(qualifiers: Mapping[str, Qualifier]) -> Iterator[str]:
    """Give each value of a value map with its word."""
    codes, words = qualifiers.get("valuemap"), qualifiers.get("values")
    if words is None:
        return
    numbers: Sequence[Any] = range(len(words.value)) if codes is None else codes.value
    for number, word in zip(numbers, words.value, strict=False):
        yield f"{number} {word}"


def _example(method: MethodDeclaration) -> str:
    given = [each for each in method.parameters.values() if each.is_in]
    wanted = [each for each in given if (found := each.qualifiers.get("required")) is not None and found.value]
    likely = [each for each in given if each.type != "datetime"][:2]
    words = [f'"{method.name}"', "path"]
    words += [f"{each.name}={_value(each)}" for each in wanted or likely]
    line = f"code, out = connection.InvokeMethod({', '.join(words)})"
    if len(line) <= 100:
        return line
    return "\n".join(["code, out = connection.InvokeMethod(", *(f"    {word}," for word in words), ")"])


def _value(parameter: ParameterDeclaration) -> str:
    if parameter.reference_class is not None:
        value = f"path_of_{parameter.reference_class.partition('_')[2]}"
    elif parameter.embedded_object is not None:
        value = f'pywbem.CIMInstance("{parameter.embedded_class or "CIM_ManagedElement"}", {{...}})'
    elif parameter.type in _PYTHON:
        value = _PYTHON[parameter.type]
    else:
        first = next(named_values(parameter.qualifiers), "1 ").partition(" ")[0]
        value = f"pywbem.{parameter.type.capitalize()}({first if first.isdecimal() else 1})"
    return f"[{value}]" if parameter.is_array else value
