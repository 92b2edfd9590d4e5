"""Parsed queries: what they ask for, checked against the class store and compiled (DSP0202, DSP0212, WQL)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from virtcim.cimom.query.compiler import Compiler
from virtcim.cimom.query.errors import invalid_query
from virtcim.cimom.query.expressions import Chain, Expression, chains
from virtcim.cimom.query.languages import Language
from virtcim.cimom.query.paths import Paths
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, InstancePath, Properties, Status
from virtcim.schema.classes import ClassDeclaration, ClassStore

__all__ = ["AssociationQuery", "Filter", "Predicate", "Query"]

Predicate: TypeAlias = Callable[[str, Properties], bool]
"""Tells of an instance, given by its creation class and its property values, whether the query selects it."""


@immutable
class Query:
    """A select statement.

    Attributes:
        language: the language it was written in.
        text: as it came.
        from_class: the class in FROM, spelt by the client.
        alias: the other name of the class, or None.
        select: the paths in the SELECT list, or None for `*`.
        where: the condition, or None.
    """

    language: Language
    text: str
    from_class: str
    alias: str | None
    select: tuple[Chain, ...] | None
    where: Expression | None

    @property
    def properties(self) -> frozenset[str]:
        """The properties of the instance that the condition reads, spelt by the client: what an instance has to hold
        to be judged.  Property names of embedded instances are not among them."""
        if self.where is None:
            return frozenset()
        steps = (self.local(chain).steps for chain in chains(self.where))
        return frozenset(first.name for first, *_ in filter(None, steps))

    def check(self, store: ClassStore) -> None:
        """Look up all names, compare all types.

        Raises:
            CIMError: INVALID_CLASS when the class in FROM does not exist; INVALID_QUERY for any other name, and for
                types that cannot be compared; QUERY_FEATURE_NOT_SUPPORTED.
        """
        self.compile(store)

    def compile(self, store: ClassStore, embedded: frozenset[str] = frozenset()) -> Predicate:
        """Make the condition, `FROM` included, a function.

        Parameters:
            store: where classes and properties are looked up.
            embedded: the classes that embedded instances of any class can be of, where that is known.

        Raises:
            CIMError: as `check`.
        """
        declaration = _declaration(store, self.from_class)
        self.projection(store, declaration.name)
        classes = store.concrete(declaration.name)
        if self.where is None:
            return lambda class_name, properties: class_name in classes
        paths = self._paths(store, declaration.name, embedded)
        condition = Compiler(paths, self.language).condition(self.where)
        return lambda class_name, properties: class_name in classes and condition(class_name, properties) is True

    def projection(self, store: ClassStore, class_name: str) -> tuple[str, ...] | None:
        """The properties of `class_name` that the SELECT list names, spelt as the class declares them; None for all.

        A path into an embedded instance selects the embedded instance as a whole.

        Raises:
            CIMError: INVALID_CLASS, INVALID_QUERY.
        """
        declaration = _declaration(store, class_name)
        if self.select is None:
            return None
        names: dict[str, None] = {}
        for chain in map(self.local, self.select):
            if not chain.steps and chain.star:
                return None
            if not chain.steps:
                raise invalid_query(f"{self.from_class} is not a property of itself")
            self._paths(store, self.from_class).check_selected(chain)
            selected = declaration.properties.get(chain.steps[0].name.lower())
            if selected is not None:
                names[selected.name] = None
        return tuple(names)

    def _paths(self, store: ClassStore, class_name: str, embedded: frozenset[str] = frozenset()) -> Paths:
        return Paths(store, class_name, self._names(), self.language, False, embedded)

    def _names(self) -> frozenset[str]:
        return frozenset(name.lower() for name in (self.from_class, self.alias) if name is not None)

    def local(self, chain: Chain) -> Chain:
        """A path as seen from an instance of the class, without the class or its alias in front."""
        return chain.below(self._names())


@immutable
class Filter:
    """A condition without a select statement around it (DSP0212), as the pull operations take it."""

    language: Language
    text: str
    where: Expression

    @property
    def properties(self) -> frozenset[str]:
        """As in `Query`."""
        return frozenset(chain.steps[0].name for chain in chains(self.where))

    def check(self, store: ClassStore, class_name: str | None = None) -> None:
        """Look up all names, compare all types.

        Parameters:
            class_name: the class that is enumerated; a property may be one of its subclasses'.  None when the result
                may be of any class, as with associations: then names are not looked up.

        Raises:
            CIMError: INVALID_CLASS, INVALID_QUERY.
        """
        self.compile(store, class_name)

    def compile(self, store: ClassStore, class_name: str | None = None) -> Predicate:
        """The filter as a function; NULL where an instance does not have a property.  Raises what `check` raises."""
        declared = None if class_name is None else _declaration(store, class_name).name
        paths = Paths(store, declared, frozenset(), self.language, subclass_properties=True)
        condition = Compiler(paths, self.language).condition(self.where)
        return lambda class_name, properties: condition(class_name, properties) is True


@immutable
class AssociationQuery:
    """`ASSOCIATORS OF {path} WHERE ...` and `REFERENCES OF {path} WHERE ...` of WQL.

    The attributes are the parameters of the operations Associators and References (DSP0200 1.4, sections 5.3.2.14 and
    5.3.2.16); `assoc_class` and `result_role` are None for references.  A path with a single key and no name for it
    (`Class="value"`) has the name "".
    """

    text: str
    references: bool
    path: InstancePath
    assoc_class: str | None = None
    result_class: str | None = None
    role: str | None = None
    result_role: str | None = None
    keys_only: bool = False

    def check(self, store: ClassStore) -> None:
        """Look up the classes.  Raises CIMError INVALID_CLASS for that of the path, else INVALID_QUERY."""
        _declaration(store, self.path.class_name)
        for name in (self.assoc_class, self.result_class):
            if name is not None and name not in store:
                raise invalid_query(f"Class {name} does not exist")


def _declaration(store: ClassStore, class_name: str) -> ClassDeclaration:
    declaration = store.get(class_name)
    if declaration is None:
        raise CIMError(Status.INVALID_CLASS, f"Class {class_name} does not exist")
    return declaration
