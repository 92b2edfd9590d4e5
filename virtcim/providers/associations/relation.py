"""Associations, declared: what the providers of association classes share.

A relation names its class without the prefix, its two ends, and how to get from each end to the other; everything
else follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, class_of
from virtcim.providers.interface import (
    Association,
    CIMError,
    End,
    Instance,
    Properties,
    RequestContext,
    Status,
)
from virtcim.providers.properties import PropertyTable
from virtcim.providers.site import Site

__all__ = ["Pair", "Relation", "Role"]

Step = Callable[[Any], Iterable[Element]]
"""From an element at one end to those at the other."""


class Pair(NamedTuple):
    """The elements that an association connects: what its own properties are computed from."""

    left: Any
    right: Any


class Role:
    """One end, before the platforms are known: the name of the reference, and what is found there.

    Parameters:
        name: of the reference property.
        types: the element types at this end.
    """

    def __init__(self, name: str, types: Sequence[type[Element]]) -> None:
        self.name = name
        self.types = tuple(types)

    def end(self, site: Site) -> End:
        """The end with the classes of all platforms."""
        return End(self.name, _names_of(site.platforms, tuple(element.base for element in self.types)))


@lru_cache(maxsize=1024)
def _names_of(platforms: tuple[Platform, ...], bases: tuple[str, ...]) -> frozenset[str]:
    """The names of classes on all platforms: the same object for all sites."""
    return frozenset(class_of(platform.prefix, base) for platform in platforms for base in bases)


@lru_cache(maxsize=1024)
def _platforms_of(platforms: tuple[Platform, ...], base: str) -> tuple[Mapping[str, Platform], tuple[str, ...]]:
    """The classes of an association, each with its platform, and their names alone: the same objects for all sites."""
    classes = {class_of(platform.prefix, base): platform for platform in platforms}
    return classes, tuple(classes)


def _is_one_of(made: type[Instance], types: tuple[type[Element], ...]) -> bool:
    """Whether a type is one of some, which it is as a rule, or below one: abstract classes are slow to tell that."""
    return made in types or issubclass(made, types)


class Relation(Association):
    """An association between elements of one platform.

    A class can have elements of several types (the settings of guests, and those that show what a pool can give):
    those whose type is not declared at an end are not associated there.

    Parameters:
        site: what there is to serve.
        base: the name of the association class without the prefix.
        left, right: the ends, in the order of the keys of the class.
        to_right, to_left: from an element at one end to those at the other.
        table: the properties of the association beside its references; their getters take a `Pair`.

    Attributes:
        base: as given.
        table: as given, empty where the association has no properties of its own.
        ends: the two ends, before the platforms are known.
    """

    def __init__(
        self,
        site: Site,
        base: str,
        left: Role,
        right: Role,
        to_right: Step,
        to_left: Step,
        table: PropertyTable[Pair] | None = None,
    ) -> None:
        self.site = site
        self.base = base
        self.table = table or PropertyTable[Pair]()
        self.ends = (left, right)
        self.left = left.end(site)
        self.right = right.end(site)
        self._platforms, self.class_names = _platforms_of(site.platforms, base)
        self._left_types = left.types
        self._right_types = right.types
        self._steps = (to_right, to_left)

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        return self._steps[0](left) if _is_one_of(type(left), self._left_types) else ()

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        return self._steps[1](right) if _is_one_of(type(right), self._right_types) else ()

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        platform = self._platforms.get(class_name)
        if platform is not None:
            for element in self._left_types:
                yield from element.all_of(self.site, platform)

    def class_name(self, left: Instance, right: Instance) -> str:
        return class_of(left.platform.prefix, self.base) if isinstance(left, Element) else self.class_names[0]

    def platform_of(self, class_name: str) -> Platform:
        """The platform of one of the classes.

        Raises:
            CIMError: INVALID_CLASS for another class.
        """
        try:
            return self._platforms[class_name]
        except KeyError:
            raise CIMError(Status.INVALID_CLASS, f"{class_name} is not served here") from None

    def properties(self, left: Instance, right: Instance) -> Properties:
        return self.table.values_of(Pair(left, right)) if self.table else {}
