"""Elements that are no image of one record each, such as the devices of a host: all of a type are compared.

Of those that are but for some properties, such as networks, these properties are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING

from virtcim.libhelper.inventory.records import Host, Record
from virtcim.providers.base import Element, class_of
from virtcim.providers.interface import InstanceChange, Lifecycle, Properties
from virtcim.providers.seen import SeenInstance, differences, look_at

if TYPE_CHECKING:
    from virtcim.platforms.base import Platform
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
        self._seen: dict[str, dict[Hashable, SeenInstance]] = {}
        self._shares: dict[str, dict[Hashable, Properties]] = {}

    def types(self, kind: type[Record | Host] | None = None) -> tuple[type[Element], ...]:
        """The element types that are looked at when a record of a type has changed; all of them unless it is given."""
        return tuple(each for each in self._types if kind is None or kind in each.surveyed)

    def look(self, wants: Callable[[str], bool], kind: type[Record | Host] | None = None) -> Iterator[InstanceChange]:
        """Look at instances, and tell what has changed since; classes that are wanted anew have not changed.

        Parameters:
            wants: tells of a creation class whether its changes are wanted.
            kind: the type of the records that have changed; None looks at everything.
        """
        for platform in self._site.platforms:
            for element in self.types(kind):
                name = class_of(platform.prefix, element.base)
                if not wants(name):
                    self._seen.pop(name, None)
                    self._shares.pop(name, None)
                    continue
                new = look_at(element.surveyed_on(self._site, platform), self._site.namespace)
                old = self._seen.get(name)
                self._seen[name] = new
                if old is not None:
                    yield from differences(old, new)
                if element.surveyed_properties:
                    yield from self._look_at_records(platform, element, name)

    def _look_at_records(self, platform: Platform, element: type[Element], name: str) -> Iterator[InstanceChange]:
        """Tell what has become of the surveyed properties of those that are images of records.

        All else about these, and that they come and go, is told when their records change.
        """
        namespace = self._site.namespace
        of_records = (each for each in element.all_of(self._site, platform) if each.is_of_record)
        old, new = self._shares.get(name, {}), look_at(of_records, namespace)
        self._shares[name] = {
            identity: {each: instance.properties().get(each) for each in element.surveyed_properties}
            for identity, instance in new.items()
        }
        for identity, shares in self._shares[name].items():
            before = old.get(identity, shares)
            if before != shares:
                after = new[identity]
                yield InstanceChange(
                    Lifecycle.MODIFIED, SeenInstance(after, namespace, {**after.properties(), **before}), after
                )
