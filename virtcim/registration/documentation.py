"""The page of all classes, written from what registration knows: the providers' tables, the associations, the classes.

Platforms differ in prefix only, so each class has one section, under its name without the prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from virtcim.platforms.base import Platform
from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import Catalog, InstanceProvider
from virtcim.providers.properties import PropertyTable
from virtcim.schema.classes import ClassDeclaration, ClassStore, MethodDeclaration, PropertyDeclaration

__all__ = ["OF_SERVER", "document", "markdown_table"]

_INTRODUCTION = """\
# The classes

Written by `make docs` from the tables that the providers work with; a test fails when this page is out of date.

Each class is there for each platform, under the prefix of the platform. A namespace has those of KVM, Xen and LXC, and
those of the other platforms that its node has:

{platforms}

A class whose hypervisor is absent has no instances. Requests for a superclass, `Virt_…` or `CIM_…`, are answered for
all platforms at once. Properties that a class declares and that are not listed are NULL in all its instances.

A property that is *writable* can be given a value by the methods that define, add and modify: DefineSystem,
ModifySystemSettings, AddResourceSettings, ModifyResourceSettings, CreateChildResourcePool, CreateResourceInPool. Where
the value comes from a field of the domain XML, it goes to the same field.

The objects by which the server describes itself are in [discovery.md](discovery.md); nodes and groups are explained in
[nodes.md](nodes.md).
"""

OF_SERVER = ("Virt_ManagedNode", "Virt_NodeGroup", "Virt_AggregatedManagementService")
"""The classes that belong to no platform, and whose instances are the server's own ([nodes.md](nodes.md))."""

_CONSTANT = re.compile(r"always (\d+)")
"""The source of a property whose value is a number that was given no name."""

_OPERATIONS = {
    "create_instance": "CreateInstance",
    "modify_instance": "ModifyInstance",
    "delete_instance": "DeleteInstance",
}


def document(catalog: Catalog, platforms: Iterable[Platform], schema: ClassStore) -> str:
    """The page, in Markdown.

    Parameters:
        catalog: what is served.
        platforms: those of the catalog; the classes are shown as those of the first one.
        schema: the class declarations.
    """
    platforms = tuple(platforms)
    rows = markdown_table(
        ("Prefix", "Platform", "Connections of libvirt", "Tried on the real thing"),
        (
            (f"`{each.prefix}_`", each.title, ", ".join(each.drivers), "yes" if each.tried else "no")
            for each in platforms
        ),
    )
    page = _Page(catalog, platforms[0].prefix, schema)
    elements, relations = list(page.element_sections()), list(page.relation_sections())
    of_server = [(name, "\n".join(_server_section(schema[name]))) for name in OF_SERVER]
    parts = [
        _INTRODUCTION.format(platforms="\n".join(rows)),
        "## Contents\n",
        _contents("Elements", elements),
        _contents("Associations", relations),
        _contents("Of the server, in `root/interop`", of_server),
        *(text for _, text in (*elements, *relations, *of_server)),
    ]
    return "\n".join(parts)


class _Page:
    """What the sections are made from.

    Parameters:
        prefix: of the classes that stand for those of all platforms.
    """

    def __init__(self, catalog: Catalog, prefix: str, schema: ClassStore) -> None:
        self.catalog = catalog
        self.prefix = prefix
        self.schema = schema
        self.relations: dict[str, list[Relation]] = {}
        for associations in catalog.associations.values():
            for association in associations:
                if isinstance(association, Relation):
                    known = self.relations.setdefault(association.base, [])
                    if association not in known:
                        known.append(association)
        self.providers = [
            provider
            for providers in catalog.namespaces.values()
            for provider in providers
            if isinstance(provider, ElementProvider)
        ]
        bases = (element.base for provider in self.providers for element in provider.types)
        self.order = {base: number for number, base in enumerate(bases)}

    def element_sections(self) -> Iterator[tuple[str, str]]:
        """Name and text of the sections of classes that are no associations."""
        for provider in self.providers:
            for element in provider.types:
                yield element.base, "\n".join(self._element(provider, element))

    def relation_sections(self) -> Iterator[tuple[str, str]]:
        """Name and text of the sections of associations."""
        for base, relations in self.relations.items():
            yield base, "\n".join(self._relation(base, relations))

    def _element(self, provider: ElementProvider, element: type[Element]) -> Iterator[str]:
        declared = self.schema[f"{self.prefix}_{element.base}"]
        yield from self._head(element.base, declared, _summary(element) or _description(declared))
        yield f"Keys: {_listed(element.key_names)}.\n"
        yield from self._properties(declared, element.table)
        for template in self._templates(element):
            yield (
                "Instances that show what a pool can give have these properties, computed from what host and "
                f"hypervisor can do: {_listed(template.table)}.\n"
            )
        methods = [each.name for each in element.methods if each.name.lower() in declared.methods]
        if methods:
            yield f"Methods: {_listed(methods)}.\n"
        operations = [name for method, name in _OPERATIONS.items() if _overrides(provider, method)]
        if operations:
            yield f"Operations beside reading: {_listed(operations)}.\n"
        related = [
            base
            for base, relations in self.relations.items()
            if any(element in role.types for relation in relations for role in relation.ends)
        ]
        if related:
            yield f"Associations: {', '.join(f'[{base}](#{base.lower()})' for base in related)}.\n"

    def _templates(self, element: type[Element]) -> Iterator[type[Element]]:
        """The other types of the class: they are reached by association only."""
        for relation in (each for relations in self.relations.values() for each in relations):
            for role in relation.ends:
                for other in role.types:
                    if other.base == element.base and other is not element:
                        yield other

    def _relation(self, base: str, relations: Sequence[Relation]) -> Iterator[str]:
        declared = self.schema[f"{self.prefix}_{base}"]
        yield from self._head(base, declared, _description(declared))
        left, right = relations[0].ends
        rows = ((self._classes(relation.ends[0]), self._classes(relation.ends[1])) for relation in relations)
        yield from markdown_table((left.name, right.name), rows)
        yield ""
        tables = [relation.table for relation in relations if relation.table]
        if tables:
            yield from self._properties(declared, *tables)

    def _classes(self, role: Role) -> str:
        """The classes at an end, each a link to its section, in the order of the sections."""
        bases = sorted({each.base for each in role.types}, key=lambda base: self.order[base])
        return ", ".join(f"[{base}](#{base.lower()})" for base in bases)

    def _head(self, base: str, declared: ClassDeclaration, summary: str) -> Iterator[str]:
        yield f"## {base}\n"
        if summary:
            yield f"{summary}\n"
        class_name = f"{self.prefix}_{base}"
        spaces = [
            space
            for space in self.catalog.namespaces
            if any(class_name in each.class_names for each in self._served(space))
        ]
        classes = " : ".join(f"`{name}`" for name in (class_name, *self._ancestors(declared)))
        yield f"{classes}, in {_listed(spaces)}.\n"

    def _served(self, space: str) -> Iterator[InstanceProvider | Relation]:
        yield from self.catalog.namespaces[space]
        yield from (each for each in self.catalog.associations.get(space, ()) if isinstance(each, Relation))

    def _ancestors(self, declared: ClassDeclaration) -> Iterator[str]:
        """The superclasses, as far as the first one of the DMTF."""
        while declared.superclass is not None:
            declared = self.schema[declared.superclass]
            yield declared.name
            if declared.name.startswith("CIM_"):
                return

    def _properties(self, declared: ClassDeclaration, *tables: PropertyTable[Any]) -> Iterator[str]:
        sources: dict[str, list[str]] = {}
        writable: dict[str, bool] = {}
        for table in tables:
            for name, known in table.items():
                texts = sources.setdefault(name, [])
                source = _named(known.source, declared.properties[name.lower()])
                if source not in texts:
                    texts.append(source)
                writable[name] = known.writable
        rows = (
            (
                f"`{name}`",
                _type(declared.properties[name.lower()]),
                "; or ".join(texts),
                "yes" if writable[name] else "",
            )
            for name, texts in sources.items()
        )
        yield from markdown_table(("Property", "Type", "Where the value comes from", "Writable"), rows)
        yield ""


def _server_section(declared: ClassDeclaration) -> Iterator[str]:
    """The section of a class that belongs to no platform, from what the class itself declares."""
    yield f"## {declared.name}\n"
    yield f"{_description(declared)}\n"
    yield f"`{declared.name}` : `{declared.superclass}`, in `root/interop`.\n"
    properties = [each for each in declared.properties.values() if each.class_origin == declared.name]
    if properties:
        rows = (
            (f"`{each.name}`", _type(each), _text_of(each), "yes" if "write" in each.qualifiers else "")
            for each in properties
        )
        yield from markdown_table(("Property", "Type", "Meaning", "Writable"), rows)
        yield ""
    methods = [each for each in declared.methods.values() if each.class_origin == declared.name]
    if methods:
        yield from markdown_table(("Method", "Meaning"), ((f"`{each.name}`", _text_of(each)) for each in methods))
        yield ""


def _text_of(declared: PropertyDeclaration | MethodDeclaration) -> str:
    found = declared.qualifiers.get("description")
    return "" if found is None else str(found.value)


def _contents(title: str, sections: Sequence[tuple[str, str]]) -> str:
    return f"{title}: " + ", ".join(f"[{name}](#{name.lower()})" for name, _ in sections) + ".\n"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table of Markdown.  Columns without a text in any row are left out."""
    lines = [[_cell(cell) for cell in row] for row in rows]
    kept = [column for column in range(len(head)) if any(line[column] for line in lines)]
    for line in (head, ["---"] * len(head), *lines):
        yield f"| {' | '.join(line[column] for column in kept)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _type(declared: PropertyDeclaration) -> str:
    return f"{declared.type}[]" if declared.is_array else declared.type


def _named(source: str, declared: PropertyDeclaration) -> str:
    """A source that is a number of the value map, with the meaning of the number."""
    number = _CONSTANT.fullmatch(source)
    codes, words = (declared.qualifiers.get(name) for name in ("valuemap", "values"))
    if number is None or codes is None or words is None:
        return source
    meanings = dict(zip(codes.value, words.value, strict=False))
    return f"{source}, {meanings[number[1]]}" if number[1] in meanings else source


def _summary(element: type[Element]) -> str:
    """The first line of the documentation of an element type, without the class that the page names anyway."""
    return (element.__doc__ or "").strip().partition("\n\n")[0].replace(f" (Virt_{element.base})", "")


def _description(declared: ClassDeclaration) -> str:
    """What the class says of itself."""
    found = declared.qualifiers.get("description")
    return "" if found is None or found.propagated else str(found.value)


def _overrides(provider: ElementProvider, method: str) -> bool:
    return getattr(type(provider), method) is not getattr(InstanceProvider, method)
