"""The namespaces of a server: which provider serves which class there."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from virtcim.cimom.associations import AssociationProvider
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
from virtcim.schema.classes import ClassStore

__all__ = ["Namespace", "Namespaces", "normalized"]

log = logging.getLogger(__name__)


def normalized(namespace: str) -> str:
    """A namespace name for comparison: any case, outer slashes tolerated (DSP0004 2.8, section 8.2.4)."""
    return namespace.strip("/").lower()


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
        self._classes = classes
        self._providers: dict[str, InstanceProvider] = {}
        self._order: dict[str, int] = {}
        for provider in catalog.namespaces.get(name, ()):
            for class_name in provider.class_names:
                self._register(class_name, provider)
        by_class: dict[str, list[Association]] = {}
        for association in catalog.associations.get(name, ()):
            for class_name in association.class_names:
                by_class.setdefault(class_name, []).append(association)
        for class_name, associations in by_class.items():
            self._register(class_name, AssociationProvider(class_name, associations, self.resolve))
        self.served = lru_cache(maxsize=1024)(self._served)

    def _register(self, class_name: str, provider: InstanceProvider) -> None:
        declaration = self._classes.get(class_name)
        if declaration is None:
            log.error("Class %s of provider %r is not declared; it is not served", class_name, provider)
            return
        if declaration.name.lower() not in self._providers:
            self._providers[declaration.name.lower()] = provider
            self._order[declaration.name] = len(self._order)

    def provider(self, class_name: str) -> InstanceProvider | None:
        """The provider of a creation class, name in any case; None when it has none here."""
        return self._providers.get(class_name.lower())

    def _served(self, class_name: str) -> tuple[str, ...]:
        """The creation classes among a class and its descendants that have a provider here, in a stable order."""
        return tuple(sorted(self._classes.concrete(class_name) & self._order.keys(), key=self._order.__getitem__))

    def resolve(self, path: InstancePath, context: RequestContext) -> Instance:
        """Find the instance that a path names, in whichever namespace it lives.

        A path without a namespace, as an end of an association can have it, means this one (DSP0004 2.8, section
        8.2.5).  Where the class is not served here, it means the first one that serves it.

        Raises:
            CIMError: NOT_FOUND when there is none, or what the provider raises.
        """
        place = self.siblings.get(normalized(path.namespace)) if path.namespace else self._serving(path.class_name)
        provider = place.provider(path.class_name) if place else None
        if place is None or provider is None:
            raise CIMError(
                Status.NOT_FOUND, f"No instance of {path.class_name} exists in {path.namespace or self.name}"
            )
        if place is not self:
            context = replace(context, namespace=place.name)
        declaration = self._classes[path.class_name]
        return provider.get_instance(declaration.name, own_keys(declaration, path.keys), context)

    def _serving(self, class_name: str) -> Namespace | None:
        """Find the namespace that serves a class: this one before the others."""
        return next((each for each in (self, *self.siblings.values()) if each.provider(class_name)), None)


class Namespaces:
    """All namespaces of a server.

    Parameters:
        catalog: which provider serves which class where.
        classes: the class store.
    """

    def __init__(self, catalog: Catalog, classes: ClassStore) -> None:
        names = dict.fromkeys([*catalog.namespaces, *catalog.associations])
        self._by_name = {normalized(name): Namespace(name, catalog, classes) for name in names}
        for namespace in self._by_name.values():
            namespace.siblings = self._by_name

    def __iter__(self) -> Iterator[Namespace]:
        """All namespaces."""
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Namespace:
        """The namespace with this name.  Raises CIMError INVALID_NAMESPACE."""
        try:
            return self._by_name[normalized(name)]
        except KeyError:
            raise CIMError(Status.INVALID_NAMESPACE, f"Namespace {name} does not exist") from None
