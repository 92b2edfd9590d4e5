"""The namespaces of a server: which provider serves which class there."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from virtcim.cimom.associations import AssociationProvider, Direction, directions
from virtcim.cimom.keys import own_keys
from virtcim.providers.interface import (
    Association,
    Catalog,
    CIMError,
    Instance,
    InstancePath,
    InstanceProvider,
    RequestContext,
    Status,
)
from virtcim.schema.classes import ClassDeclaration, ClassStore
from virtcim.schema.names import prefix_of

__all__ = ["Namespace", "Namespaces", "Shown", "normalized"]

log = logging.getLogger(__name__)


def normalized(namespace: str) -> str:
    """A namespace name for comparison: any case, outer slashes tolerated (DSP0004 2.8, section 8.2.4)."""
    return namespace.strip("/").lower()


class Shown:
    """What a namespace has as long as the same platforms are shown there.

    Parameters:
        hidden: the schema names, in lower case, whose classes it does not have.
        classes: the class store.
    """

    def __init__(self, hidden: frozenset[str], classes: ClassStore) -> None:
        self.hidden = hidden
        self.providers: dict[str, InstanceProvider] = {}
        self._classes = classes
        self._order: dict[str, int] = {}
        self._served: dict[str, tuple[str, ...]] = {}

    def has(self, class_name: str) -> bool:
        """Whether a class, name in any case, is shown as far as its schema name tells."""
        return prefix_of(class_name).lower() not in self.hidden

    def register(self, class_name: str, provider: InstanceProvider) -> None:
        """Serve a class, unless it is served already."""
        declared = self._classes.spelling(class_name)
        if declared is None:
            log.error("Class %s of provider %r is not declared; it is not served", class_name, provider)
        elif declared.lower() not in self.providers:
            self.providers[declared.lower()] = provider
            self._order[declared] = len(self._order)

    def served_names(self) -> tuple[str, ...]:
        """The creation classes that have a provider, spelt as they are declared."""
        return tuple(self._order)

    def served(self, class_name: str) -> tuple[str, ...]:
        """The creation classes among a class and its descendants that have a provider, in a stable order."""
        found = self._served.get(class_name)
        if found is None:
            concrete = self._classes.concrete(class_name) & self._order.keys()
            found = self._served[class_name] = tuple(sorted(concrete, key=self._order.__getitem__))
        return found

    @cached_property
    def associations(self) -> tuple[ClassDeclaration, ...]:
        """The declarations of all association classes."""
        names = filter(self.has, self._classes.subclasses(None, deep=True))
        return tuple(self._classes[name] for name in names if self._classes.is_association(name))


class Namespace:
    """One namespace.

    Attributes:
        name: as the catalog spells it.
        associations: those that can be traversed from here.
        siblings: all namespaces, by normalized name.
    """

    def __init__(self, name: str, catalog: Catalog, classes: ClassStore) -> None:
        self.name = name.strip("/")
        self.associations: tuple[Association, ...] = tuple(
            each for each in catalog.associations.get(name, ()) if any(known in classes for known in each.class_names)
        )
        self.siblings: Mapping[str, Namespace] = {}
        self._directions: dict[str, tuple[Direction, ...]] = {}
        self._classes = classes
        self._catalog = catalog
        self._key = name
        self._shown: Shown | None = None

    @property
    def shown(self) -> Shown:
        """What is here now: a platform may have come."""
        hidden, shown = self._catalog.hidden(self._key), self._shown
        if shown is None or hidden != shown.hidden:
            self._shown = shown = self._show(hidden)
        return shown

    def _show(self, hidden: frozenset[str]) -> Shown:
        shown = Shown(hidden, self._classes)
        for provider in self._catalog.namespaces.get(self._key, ()):
            for class_name in filter(shown.has, provider.class_names):
                shown.register(class_name, provider)
        by_class: dict[str, list[Association]] = {}
        for association in self._catalog.associations.get(self._key, ()):
            for class_name in filter(shown.has, association.class_names):
                by_class.setdefault(class_name, []).append(association)
        for class_name, associations in by_class.items():
            shown.register(class_name, AssociationProvider(class_name, associations, self.resolve))
        return shown

    def follow(self, catalog: Catalog) -> bool:
        """Go on with another catalog, where it has the same under this name; whether it has."""
        if _contents(self._key, self._catalog) != _contents(self._key, catalog):
            return False
        self._catalog = catalog
        return True

    def provider(self, class_name: str) -> InstanceProvider | None:
        """The provider of a creation class, name in any case; None when it has none here."""
        return self.shown.providers.get(class_name.lower())

    def served(self, class_name: str) -> tuple[str, ...]:
        """The creation classes among a class and its descendants that have a provider here, in a stable order."""
        return self.shown.served(class_name)

    def directions(self, class_name: str) -> tuple[Direction, ...]:
        """The associations that lead on from the instances of a creation class, spelt as it is declared."""
        found = self._directions.get(class_name)
        if found is None:
            found = self._directions[class_name] = directions(self.associations, class_name)
        return found

    def resolve(self, path: InstancePath, context: RequestContext) -> Instance:
        """Find the instance that a path names, in whichever namespace it lives.

        A path without a namespace, as an end of an association can have it, means this one (DSP0004 2.8, section
        8.2.5).  Where the class is not served here, it means the first one that serves it.

        Raises:
            CIMError: NOT_FOUND when there is none, or what the provider raises.
        """
        place = self.siblings.get(normalized(path.namespace)) if path.namespace else self._serving(path.class_name)
        if place is None:
            raise CIMError(Status.NOT_FOUND, _no_instance(path.class_name, path.namespace or self.name))
        provider = place.provider(path.class_name)
        if provider is None:
            raise place.not_served(path.class_name)
        if place is not self:
            context = replace(context, namespace=place.name)
        declaration = self._classes[path.class_name]
        return provider.get_instance(declaration.name, own_keys(declaration, path.keys), context)

    def not_served(self, class_name: str) -> CIMError:
        """Make the error for an instance of a class that nobody provides here: those of a superclass have classes below
        it."""
        below = self.served(class_name) if class_name in self._classes else ()
        if not below:
            return CIMError(Status.NOT_FOUND, _no_instance(class_name, self.name))
        return CIMError(
            Status.NOT_FOUND,
            f"{class_name} has no instances of its own in {self.name}; expected a class below it, such as {below[0]}",
        )

    def _serving(self, class_name: str) -> Namespace | None:
        """Find the namespace that serves a class: this one before the others."""
        return next((each for each in (self, *self.siblings.values()) if each.provider(class_name)), None)


def _no_instance(class_name: str, namespace: str) -> str:
    return f"No instance of {class_name} exists in {namespace}"


def _contents(name: str, catalog: Catalog) -> tuple[tuple[InstanceProvider, ...], tuple[Association, ...]]:
    return tuple(catalog.namespaces.get(name, ())), tuple(catalog.associations.get(name, ()))


class Namespaces:
    """All namespaces of a server.

    Parameters:
        catalog: which provider serves which class where.
        classes: the class store.
    """

    def __init__(self, catalog: Catalog, classes: ClassStore) -> None:
        self._classes = classes
        self._by_name: dict[str, Namespace] = {}
        self.show(catalog)

    def show(self, catalog: Catalog) -> None:
        """Show another catalog from now on; whoever has a namespace keeps it as it was.

        Parameters:
            catalog: which provider serves which class where.
        """
        names = dict.fromkeys([*catalog.namespaces, *catalog.associations])
        known = {namespace.name: namespace for namespace in self._by_name.values()}
        by_name: dict[str, Namespace] = {}
        for name in names:
            old = known.get(name.strip("/"))
            kept = old is not None and old.follow(catalog)
            by_name[normalized(name)] = old if old is not None and kept else Namespace(name, catalog, self._classes)
        for namespace in by_name.values():
            namespace.siblings = by_name
        self._by_name = by_name

    def __iter__(self) -> Iterator[Namespace]:
        """All namespaces."""
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Namespace:
        """The namespace with this name.  Raises CIMError INVALID_NAMESPACE."""
        try:
            return self._by_name[normalized(name)]
        except KeyError:
            raise CIMError(Status.INVALID_NAMESPACE, f"Namespace {name} does not exist") from None
