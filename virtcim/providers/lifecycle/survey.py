"""Elements that are no image of one record each, such as the devices of a host: all of a type are compared."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING

from virtcim.libhelper.inventory.records import Record
from virtcim.providers.base import Element, class_of
from virtcim.providers.changes import compared
from virtcim.providers.interface import InstanceChange

if TYPE_CHECKING:
    from virtcim.providers.site import Site

__all__ = ["Survey"]


class Survey:
    """The instances of some element types as they were looked at last.  Used by one thread only.

    Parameters:
        site: where they are.
        types: the element types; each says what records it has to do with (`Element.surveyed`).
    """

    def __init__(self, site: Site, types: Iterable[type[Element]]) -> None:
        self._site = site
        self._types = tuple(each for each in types if each.surveyed)
        self._seen: dict[str, dict[Hashable, Element]] = {}

    @property
    def types(self) -> tuple[type[Element], ...]:
        """The element types that are looked at."""
        return self._types

    def concerns(self, kind: type[Record]) -> bool:
        """Whether a change of a record of this type is a reason to look."""
        return any(kind in each.surveyed for each in self._types)

    def look(self, wants: Callable[[str], bool]) -> Iterator[InstanceChange]:
        """Look at all instances, and tell what has changed since; classes that are wanted anew have not changed.

        Parameters:
            wants: tells of a creation class whether its changes are wanted.
        """
        for platform in self._site.platforms:
            for element in self._types:
                name = class_of(platform.prefix, element.base)
                if not wants(name):
                    self._seen.pop(name, None)
                    continue
                new = {each.identity: each for each in element.all_of(self._site, platform)}
                old = self._seen.get(name)
                self._seen[name] = new
                if old is not None:
                    yield from compared(old, new)
