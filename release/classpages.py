"""A page for each class, in Markdown, from the class store and from what the providers say of their elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from release.drawing import Neighbour, draw_neighbours
from virtcim.platforms.registry import Registry
from virtcim.providers.associations.relation import Relation
from virtcim.providers.base import ElementProvider
from virtcim.providers.interface import Catalog
from virtcim.providers.properties import Property
from virtcim.registration.documentation import OF_SERVER, markdown_table
from virtcim.registration.methods import description, named_values, type_words
from virtcim.schema.classes import ClassDeclaration, ClassStore, ParameterDeclaration, PropertyDeclaration

__all__ = ["ClassPages"]


class ClassPages:
    """The pages of all classes that are served, of their superclasses, and of the classes that these refer to.

    The classes of platforms differ in their prefix only: those of the first platform stand for all.

    Parameters:
        catalog: what is served.
        platforms: those of the catalog.
        schema: the class declarations.
    """

    def __init__(self, catalog: Catalog, platforms: Registry, schema: ClassStore) -> None:
        self._schema = schema
        self._prefix, *self._others = (each.prefix for each in platforms)
        self._sources: dict[str, dict[str, tuple[str, bool]]] = {}
        self._spaces: dict[str, list[str]] = {}
        self._neighbours: dict[str, set[Neighbour]] = {}
        for space, providers in catalog.namespaces.items():
            for provider in providers:
                if isinstance(provider, ElementProvider):
                    for base, table in provider.tables().items():
                        self._serve(base, space, table)
            for each in catalog.associations.get(space, ()):
                if isinstance(each, Relation):
                    self._serve(each.base, space, each.table)
                    self._relate(each)
        self.names = frozenset(self._reached())
        """Names of the classes that have a page."""
        for name in self.names:
            self._refer(schema[name])

    def _serve(self, base: str, space: str, table: Mapping[str, Property[Any]]) -> None:
        name = self._own(base)
        spaces = self._spaces.setdefault(name, [])
        if space not in spaces:
            spaces.append(space)
        sources = self._sources.setdefault(name, {})
        for property_name, declared in table.items():
            sources.setdefault(property_name.lower(), (declared.source, declared.writable))

    def _own(self, base: str) -> str:
        """The class of an element, which the server's own name in full."""
        return base if base in self._schema else f"{self._prefix}_{base}"

    def _relate(self, relation: Relation) -> None:
        """Note which elements an association joins."""
        association = self._own(relation.base)
        left, right = relation.ends
        for here, there in ((left, right), (right, left)):
            for element in here.types:
                known = self._neighbours.setdefault(self._own(element.base), set())
                known.update(Neighbour(association, there.name, self._own(other.base)) for other in there.types)
                self._neighbours.setdefault(association, set()).add(
                    Neighbour(association, here.name, self._own(element.base))
                )

    def _refer(self, declared: ClassDeclaration) -> None:
        """Note what an association joins by its declaration, where no provider says it better."""
        ends = [each for each in declared.properties.values() if each.reference_class is not None]
        for here in ends:
            self._neighbours.setdefault(declared.name, set())
            if declared.name not in self._spaces:
                joined = Neighbour(declared.name, here.name, here.reference_class or "")
                self._neighbours[declared.name].add(joined)
            if declared.name.startswith(f"{self._prefix}_"):
                continue
            for there in ends:
                if here is not there and here.reference_class in self.names:
                    known = self._neighbours.setdefault(here.reference_class or "", set())
                    known.add(Neighbour(declared.name, there.name, there.reference_class or ""))

    def _reached(self) -> Iterator[str]:
        """Every class that is declared for the platform, by virtcim or for the server, with all that it hangs on."""
        waiting = [name for name in self._schema if name.startswith((f"{self._prefix}_", "Virt_"))]
        waiting += [*self._spaces, *OF_SERVER]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            yield name
            declared = self._schema[name]
            waiting += self._schema.ancestors(name)
            parts: list[PropertyDeclaration | ParameterDeclaration] = [*declared.properties.values()]
            for method in declared.methods.values():
                parts += method.parameters.values()
            named = [each for part in parts for each in (part.reference_class, part.embedded_class)]
            waiting += [each for each in named if each is not None and each in self._schema]

    def page(self, name: str) -> str:
        """Write the page of a class.

        Raises:
            KeyError: it has none.
        """
        declared = self._schema[name]
        return "\n".join([*self._head(declared), *self._properties(declared), *self._methods(declared)])

    def _head(self, declared: ClassDeclaration) -> Iterator[str]:
        # In no table of contents: the site's own would have a line for each on each page.
        yield "---\norphan: true\n---\n"
        yield f"# {declared.name}\n"
        yield f"{_marked(description(declared.qualifiers))}\n"
        yield f"* {_kind(declared)}{_version(declared)}"
        above = self._schema.ancestors(declared.name)[1:]
        yield f"* Superclass: {' : '.join(map(self._link, above)) or 'none'}"
        below = sorted(each for each in self._schema.subclasses(declared.name, deep=False) if each in self.names)
        if below:
            yield f"* Subclasses: {', '.join(map(self._link, below))}"
        if declared.name in self._spaces:
            yield f"* Namespaces: {', '.join(f'`{each}`' for each in self._spaces[declared.name])}"
        prefix, _, base = declared.name.partition("_")
        if prefix == self._prefix:
            others = [f"{each}_{base}" for each in self._others if f"{each}_{base}" in self._schema]
            yield f"* Other platforms: {', '.join(f'`{each}`' for each in others)}"
        yield f"* Keys: {', '.join(f'`{each}`' for each in declared.keys) or 'none'}\n"
        neighbours = sorted(self._neighbours.get(declared.name, ()))
        if neighbours:
            yield "## Associations\n" if not declared.is_association else "## What it joins\n"
            yield "```{raw} html"
            yield draw_neighbours(declared.name, neighbours, self.names)
            yield "```\n"

    def _properties(self, declared: ClassDeclaration) -> Iterator[str]:
        if not declared.properties:
            return
        sources = self._sources.get(declared.name, {})
        rows = (
            (
                f"`{each.name}`",
                type_words(each),
                self._meaning(each),
                _unit(each),
                sources.get(each.name.lower(), ("", False))[0],
                ", ".join(_marks(each, sources.get(each.name.lower(), ("", False))[1])),
                self._link(each.class_origin),
            )
            for each in declared.properties.values()
        )
        yield "## Properties\n"
        if sources:
            yield "Those without a source are NULL in every instance.\n"
        head = ("Property", "Type", "Meaning", "Unit", "Source", "Is", "From")
        yield from markdown_table(head, rows)
        yield ""

    def _meaning(self, declared: PropertyDeclaration) -> str:
        values = ", ".join(named_values(declared.qualifiers))
        parts = (description(declared.qualifiers), f"Values: {values}." if values else "")
        return _marked(" ".join(part for part in parts if part))

    def _methods(self, declared: ClassDeclaration) -> Iterator[str]:
        if declared.methods:
            yield "## Methods\n"
            yield "Roles, jobs and examples of those that are carried out: [the methods](../docs/methods.md).\n"
        for method in declared.methods.values():
            yield f"### {method.name}()\n"
            yield f"{_marked(description(method.qualifiers))} From {self._link(method.class_origin)}.\n"
            rows = (
                (
                    f"`{each.name}`",
                    ", ".join(word for word, applies in (("in", each.is_in), ("out", each.is_out)) if applies),
                    type_words(each),
                    _marked(description(each.qualifiers)),
                )
                for each in method.parameters.values()
            )
            if method.parameters:
                yield from markdown_table(("Parameter", "Direction", "Type", "Meaning"), rows)
                yield ""
            codes = ", ".join(named_values(method.qualifiers))
            yield _marked(f"Returns {method.return_type}{f': {codes}' if codes else ''}.\n")

    def _link(self, name: str) -> str:
        return f"[{name}]({name}.md)" if name in self.names else f"`{name}`"

    def index(self) -> str:
        """Write the page that lists all classes, by whose they are."""
        lines = ["# Classes", "", "Those of the platforms stand under the prefix of the first one.", ""]
        for prefix, title in (
            (self._prefix, "Of the platforms"),
            ("Virt", "Of all platforms together, and of the server"),
            ("CIM", "Of the DMTF"),
        ):
            names = sorted(each for each in self.names if each.partition("_")[0] == prefix)
            texts = ((self._link(each), _marked(description(self._schema[each].qualifiers))) for each in names)
            lines += [f"## {title}", "", *markdown_table(("Class", "What it is"), texts), ""]
        return "\n".join(lines)


def _kind(declared: ClassDeclaration) -> str:
    kind = "association" if declared.is_association else "indication" if declared.is_indication else "class"
    return f"Abstract {kind}" if declared.is_abstract else kind.capitalize()


def _version(declared: ClassDeclaration) -> str:
    found = declared.qualifiers.get("version")
    return "" if found is None or found.propagated else f", version {found.value}"


def _unit(declared: PropertyDeclaration) -> str:
    """The unit of a number, as PUnit has it (DSP0004, annex C), else in the words of Units."""
    for qualifier in ("punit", "units"):
        found = declared.qualifiers.get(qualifier)
        if found is not None and found.value:
            return f"`{found.value}`"
    return ""


def _marks(declared: PropertyDeclaration, writable: bool) -> Iterator[str]:
    if declared.is_key:
        yield "key"
    for word in ("required", "deprecated"):
        found = declared.qualifiers.get(word)
        if found is not None and found.value:
            yield word
    if writable:
        yield "writable"


def _marked(text: str) -> str:
    """Guard what Markdown would take for marks."""
    for mark in ("\\", "*", "_", "[", "]", "<", "`", "#", "{", "$"):
        text = text.replace(mark, f"\\{mark}")
    return text
