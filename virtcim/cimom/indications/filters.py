"""Filters of indications: checked when they are made, and found by the class that has changed.

The query of a filter (CQL or WQL, DSP0202, DSP1054) is compiled once.  Beside the condition, two sets are made out of
it: the classes of indications that it can select, and the classes of the instances that these tell of.  A change of
anything else never reaches a filter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from virtcim.cimom.namespaces import normalized
from virtcim.cimom.query import Predicate, Query, parse_select
from virtcim.cimom.query.expressions import Chain, Conjunction, Disjunction, Expression, IsA, chains
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, Status
from virtcim.schema.classes import ClassStore

__all__ = ["ALERT", "CREATION", "DELETION", "MODIFICATION", "CompiledFilter", "FilterCompiler"]

CREATION = "CIM_InstCreation"
MODIFICATION = "CIM_InstModification"
DELETION = "CIM_InstDeletion"
ALERT = "CIM_AlertIndication"

LIFECYCLE = frozenset({CREATION, MODIFICATION, DELETION})

MAX_KNOWN = 256
"""Compiled filters that are remembered by their queries."""

EMBEDDED = frozenset({"sourceinstance", "previousinstance"})
"""The properties of a lifecycle indication that hold an instance of any class."""


@immutable
class CompiledFilter:
    """A filter, ready to select.

    Attributes:
        indications: the classes of indications that it can select.
        sources: the classes of instances whose changes it can select.
        namespaces: normalized names of where these live; None for everywhere.
        selects: tells of an indication, by its class and properties, whether it is selected.
        projection: the properties that are sent; None for all.
    """

    indications: frozenset[str]
    sources: frozenset[str]
    namespaces: frozenset[str] | None
    selects: Predicate
    projection: frozenset[str] | None

    def covers(self, namespace: str) -> bool:
        """Whether what happens in a namespace can be selected."""
        return self.namespaces is None or normalized(namespace) in self.namespaces


class FilterCompiler:
    """Checks and compiles filters.

    Parameters:
        classes: the class store.
        sources: the classes whose changes can be told of, each with the namespaces where its instances live.
        own_indications: the classes of indications that can be told beside the DMTF's, each with the classes whose
            instances it is about.
        namespaces: all namespaces of the server.
        interop: normalized names of the Interop namespace, each of which stands for all.

    Attributes:
        homes: normalized names of the namespaces where there are changes.
        told: all classes of indications that can be told.
    """

    def __init__(
        self,
        classes: ClassStore,
        sources: Mapping[str, frozenset[str]],
        own_indications: Mapping[str, frozenset[str]],
        namespaces: Iterable[str],
        interop: Iterable[str] = (),
    ) -> None:
        self._classes = classes
        self._sources = frozenset(name for name in sources if name in classes)
        # Many clients ask for the same.
        self._known = lru_cache(MAX_KNOWN)(self._compile)
        self._interop = frozenset(interop)
        self.place(sources, namespaces)
        self._own = own_indications
        told = {CREATION, MODIFICATION, DELETION, ALERT, *own_indications}
        self.told = frozenset(name for name in told if name in classes)

    def place(self, sources: Mapping[str, frozenset[str]], namespaces: Iterable[str]) -> None:
        """Look at other namespaces from now on.

        Parameters:
            sources: the classes of before, each with the namespaces where its instances live now.
            namespaces: all namespaces of the server.
        """
        # Most classes have one and the same set of homes.
        known = {homes: frozenset(map(normalized, homes)) for homes in set(sources.values())}
        self._homes_of = {name: known[homes] for name, homes in sources.items()}
        self.homes = frozenset[str]().union(*known.values())
        self._namespaces = frozenset(map(normalized, namespaces))
        self._known.cache_clear()

    def compile(self, language: str, query: str, source_namespaces: Iterable[str] = ()) -> CompiledFilter:
        """Compile a filter.

        Parameters:
            language: the name of the query language, in any spelling.
            query: a select statement.
            source_namespaces: where the indications come from; none: every namespace.

        Raises:
            CIMError: QUERY_LANGUAGE_NOT_SUPPORTED, INVALID_QUERY and QUERY_FEATURE_NOT_SUPPORTED, with the reason;
                INVALID_QUERY too for a query that can select nothing; INVALID_PARAMETER for a namespace that does not
                exist.
        """
        return self._known(language, query, tuple(source_namespaces))

    def _compile(self, language: str, query: str, source_namespaces: tuple[str, ...]) -> CompiledFilter:
        parsed = parse_select(language, query)
        declaration = self._classes.get(parsed.from_class)
        if declaration is None:
            raise _impossible(f"Class {parsed.from_class} does not exist")
        if not declaration.is_indication:
            raise _impossible(f"{declaration.name} is no class of indications")
        indications = self._classes.concrete(declaration.name) & self.told
        if not indications:
            raise _impossible(f"This server has no indications of class {declaration.name}")
        projection = parsed.projection(self._classes, declaration.name)
        sources = self._narrowed(parsed, self._about(indications))
        self._check_names(parsed, sources)
        predicate = parsed.compile(self._classes, sources)
        return CompiledFilter(
            indications,
            sources,
            self._places(source_namespaces, self._homes(indications, sources)),
            predicate,
            None if projection is None else frozenset(projection),
        )

    def _about(self, indications: frozenset[str]) -> frozenset[str]:
        """The classes of the instances that indications of these classes are about."""
        if indications & LIFECYCLE:
            return self._sources
        return self._sources & frozenset[str]().union(*(self._own.get(name, frozenset()) for name in indications))

    def _narrowed(self, query: Query, sources: frozenset[str]) -> frozenset[str]:
        """The classes of instances that ISA leaves, as far as it stands for all of the condition."""
        all_sources = sources
        for part in _conjuncts(query.where):
            tests = part.parts if isinstance(part, Disjunction) else (part,)
            named = [each.class_name for each in tests if isinstance(each, IsA) and _is_embedded(each.operand, query)]
            if len(named) == len(tests):
                for name in named:
                    if name not in self._classes:
                        raise _impossible(f"Class {name} does not exist")
                sources &= frozenset[str]().union(*map(self._classes.concrete, named))
                if not sources:
                    raise _impossible(f"No instance of {' or '.join(named)} is told of by indications here")
        if sources == all_sources:
            # Associations are many, and follow from what they connect: whoever wants them says so.
            return frozenset(name for name in sources if not self._classes.is_association(name))
        return sources

    def _check_names(self, query: Query, sources: frozenset[str]) -> None:
        """Refuse properties of embedded instances that no class in question has."""
        for chain in chains(query.where) if query.where is not None else ():
            steps = query.local(chain).steps
            if len(steps) < 2 or steps[0].name.lower() not in EMBEDDED or steps[1].scope is not None:
                continue
            name = steps[1].name
            if not any(name.lower() in self._classes[each].properties for each in sources):
                raise _impossible(f"{chain}: no class in question has a property {name}")

    def _homes(self, indications: frozenset[str], sources: frozenset[str]) -> frozenset[str]:
        """Where a filter can find something: alerts may be of anything."""
        if ALERT in indications:
            return self.homes
        homes = frozenset[str]().union(*(self._homes_of.get(name, frozenset()) for name in sources))
        # Of what a node has, more may be seen later; in the Interop namespace there is what there is.
        return homes if homes <= self._interop else (self.homes - self._interop) | homes

    def _places(self, source_namespaces: Iterable[str], homes: frozenset[str]) -> frozenset[str] | None:
        wanted = frozenset(normalized(name) for name in source_namespaces)
        if not wanted:
            return None
        for name in sorted(wanted - self._namespaces):
            raise CIMError(Status.INVALID_PARAMETER, f"SourceNamespaces: namespace {name} does not exist")
        if wanted & self._interop:
            wanted |= self._interop
        if not wanted & homes:
            places = " and ".join(sorted(homes))
            raise CIMError(
                Status.INVALID_PARAMETER,
                f"SourceNamespaces: {', '.join(sorted(wanted))} has no indications; expected {places}",
            )
        return wanted


def _impossible(text: str) -> CIMError:
    return CIMError(Status.INVALID_QUERY, text)


def _conjuncts(expression: Expression | None) -> Iterable[Expression]:
    """The conditions all of which have to hold."""
    waiting = [] if expression is None else [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Conjunction):
            waiting.extend(part.parts)
        else:
            yield part


def _is_embedded(operand: Expression, query: Query) -> bool:
    """Whether an operand is SourceInstance or PreviousInstance as a whole."""
    if not isinstance(operand, Chain):
        return False
    steps = query.local(operand).steps
    return len(steps) == 1 and steps[0].name.lower() in EMBEDDED
