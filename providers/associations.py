"""Associations, declared: what the providers of association classes share.

A relation names its class without the prefix, its two ends, and how to get from each end to the other; everything
else follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from providers.base import Element, class_of
from providers.interface import Association, End, Instance, RequestContext
from providers.site import Site

__all__ = ["Relation", "Role"]

Step = Callable[[Any], Iterable[Element]]
"""From an element at one end to those at the other."""


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
        return End(
            self.name,
            frozenset(class_of(platform.prefix, element.base) for platform in site.platforms for element in self.types),
        )


class Relation(Association):
    """An association between elements of one platform.

    A class can have elements of several types (the settings of guests, and those that show what a pool can give):
    those whose type is not declared at an end are not associated there.

    Parameters:
        site: what there is to serve.
        base: the name of the association class without the prefix.
        left, right: the ends, in the order of the keys of the class.
        to_right, to_left: from an element at one end to those at the other.
        properties: of the association beside its references, from the elements at its ends.
    """

    def __init__(
        self,
        site: Site,
        base: str,
        left: Role,
        right: Role,
        to_right: Step,
        to_left: Step,
        properties: Callable[[Any, Any], Mapping[str, Any]] | None = None,
    ) -> None:
        self.site = site
        self.base = base
        self.left = left.end(site)
        self.right = right.end(site)
        self._platforms = {class_of(platform.prefix, base): platform for platform in site.platforms}
        self.class_names = tuple(self._platforms)
        self._left_types = left.types
        self._right_types = right.types
        self._steps = (to_right, to_left)
        self._properties = properties

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        return self._steps[0](left) if isinstance(left, self._left_types) else ()

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        return self._steps[1](right) if isinstance(right, self._right_types) else ()

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        platform = self._platforms.get(class_name)
        if platform is not None:
            for element in self._left_types:
                yield from element.all_of(self.site, platform)

    def class_name(self, left: Instance, right: Instance) -> str:
        return class_of(left.platform.prefix, self.base) if isinstance(left, Element) else self.class_names[0]

    def properties(self, left: Instance, right: Instance) -> Mapping[str, Any]:
        return {} if self._properties is None else self._properties(left, right)
