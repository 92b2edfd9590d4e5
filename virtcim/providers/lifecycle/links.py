"""Links: the instances of associations, known as far as somebody wants to be told of them.

A link comes and goes with the elements that it connects.  When the record behind one of them changes, the links that
it has now are compared with those that were known of it: each is told once, whichever end changed first.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from virtcim.libhelper.inventory.records import Record
from virtcim.providers.associations.relation import Relation
from virtcim.providers.base import Element, class_of
from virtcim.providers.changes import platforms_of
from virtcim.providers.interface import (
    Association,
    CIMValue,
    Instance,
    InstanceChange,
    Lifecycle,
    Properties,
    RequestContext,
)

if TYPE_CHECKING:
    from virtcim.providers.site import Site

__all__ = ["Links"]

_log = logging.getLogger(__name__)


class EndKey(NamedTuple):
    """What tells an element at an end of a link from all others."""

    namespace: str
    class_name: str
    identity: Hashable


class LinkKey(NamedTuple):
    """What tells a link from all others."""

    class_name: str
    left: EndKey
    right: EndKey


class KnownLink(Instance):
    """An instance of an association as it was when it was looked at.

    Parameters:
        relation: the association.
        left, right: what it connects.
    """

    __slots__ = ("_keys", "_properties", "class_name", "identity", "key", "namespace", "revision")

    def __init__(self, relation: Relation, left: Instance, right: Instance) -> None:
        self.class_name = relation.class_name(left, right)
        self.namespace = relation.site.namespace
        self.key = LinkKey(self.class_name, _end_key(left), _end_key(right))
        self.identity: Hashable = self.key
        self._keys: dict[str, CIMValue] = {relation.left.role: left.path(), relation.right.role: right.path()}
        self._properties: Properties = {**relation.properties(left, right), **self._keys}
        self.revision: Hashable = id(self)

    def keys(self) -> dict[str, CIMValue]:
        return dict(self._keys)

    def properties(self) -> Properties:
        return self._properties


class Links:
    """The links of a site, as they were told of last.  Safe to use from several threads at once.

    Parameters:
        site: where they are.
        associations: that are served there.

    Attributes:
        class_names: the association classes that can be told of.
    """

    def __init__(self, site: Site, associations: Iterable[Association]) -> None:
        self._site = site
        self._lock = threading.RLock()
        self._context = RequestContext(site.namespace)
        self._relations = tuple(each for each in associations if isinstance(each, Relation))
        self.class_names = frozenset(name for each in self._relations for name in each.class_names)
        self._wanted: frozenset[str] = frozenset()
        self._types: tuple[type[Element], ...] = ()
        self._known: dict[LinkKey, KnownLink] = {}
        self._by_end: dict[EndKey, set[LinkKey]] = {}

    def want(self, wants: Callable[[str], bool]) -> None:
        """Take notice of which classes are wanted; links of those that are wanted anew have not changed.

        Parameters:
            wants: tells of a creation class whether its changes are wanted.
        """
        with self._lock:
            wanted = frozenset(filter(wants, self.class_names))
            if wanted == self._wanted:
                return
            added = wanted - self._wanted
            self._wanted = wanted
            relations = [each for each in self._relations if not wanted.isdisjoint(each.class_names)]
            types = chain.from_iterable(role.types for each in relations for role in each.ends)
            self._types = tuple(dict.fromkeys(types))
            for key in [key for key in self._known if key.class_name not in wanted]:
                self._forget(key)
            self._learn_all(added)

    def learn(self) -> None:
        """Take what there is now for known."""
        with self._lock:
            self._known.clear()
            self._by_end.clear()
            self._learn_all(self._wanted)

    def of_record(self, before: Record | None, after: Record | None) -> list[InstanceChange]:
        """Tell what the change of a record does to the links of what it is shown as.

        Parameters:
            before, after: the record; None where there was or is none.
        """
        with self._lock:
            return self.of_elements(self._elements(before), self._elements(after))

    def of_elements(self, before: Iterable[Element], after: Iterable[Element]) -> list[InstanceChange]:
        """Tell what has become of the links of some elements.

        Parameters:
            before, after: the elements; those that are gone, and those that are new, are in one of them only.
        """
        with self._lock:
            if not self._wanted:
                return []
            present = list(after)
            ends = {_end_key(each) for each in chain(before, present)}
            old = {key: self._known[key] for end in ends for key in self._by_end.get(end, ())}
            new = {link.key: link for each in present for link in self._of(each)}
            return self._compare(old, new)

    def of_types(self, types: Iterable[type[Element]]) -> list[InstanceChange]:
        """Tell what has become of all links that elements of some types can have."""
        wanted = set(types)
        relations = [each for each in self._relations if any(not wanted.isdisjoint(role.types) for role in each.ends)]
        with self._lock:
            names = self._wanted.intersection(name for each in relations for name in each.class_names)
            if not names:
                return []
            try:
                new = self._all(names)
            except Exception:
                _log.exception("%s: what became of them is not told", ", ".join(sorted(names)))
                return []
            old = {key: link for key, link in self._known.items() if key.class_name in names}
            return self._compare(old, new)

    def _elements(self, record: Record | None) -> Iterator[Element]:
        """What a record is shown as, as far as it can have links that are wanted."""
        if record is not None and self._wanted:
            for platform in platforms_of(self._site, record):
                for each in self._types:
                    if isinstance(record, each.source.records):
                        yield from each.source.instances_of(self._site, platform, record, each)

    def _of(self, element: Element) -> Iterator[KnownLink]:
        """The links that an element has now."""
        for relation in self._relations:
            if class_of(element.platform.prefix, relation.base) not in self._wanted:
                continue
            try:
                found = [KnownLink(relation, element, other) for other in relation.to_right(element, self._context)]
                found += [KnownLink(relation, other, element) for other in relation.to_left(element, self._context)]
            except Exception:  # one broken instance must not take the others with it
                _log.exception("%r: its %s is not told", element, relation.base)
                continue
            yield from found

    def _all(self, names: frozenset[str]) -> dict[LinkKey, KnownLink]:
        """All links of some classes that there are now."""
        found: dict[LinkKey, KnownLink] = {}
        for relation in self._relations:
            for name in names.intersection(relation.class_names):
                for left in relation.sources(name, self._context):
                    for right in relation.to_right(left, self._context):
                        link = KnownLink(relation, left, right)
                        if link.class_name == name:
                            found[link.key] = link
        return found

    def _learn_all(self, names: frozenset[str]) -> None:
        """Take what there is of some classes for known."""
        for name in names:
            try:
                found = self._all(frozenset({name}))
            except Exception:  # one broken class must not take the others with it
                _log.exception("%s: its instances are not known", name)
                continue
            for key, link in found.items():
                self._learn(key, link)

    def _compare(self, old: Mapping[LinkKey, KnownLink], new: Mapping[LinkKey, KnownLink]) -> list[InstanceChange]:
        """Tell what has become of some links, and know it from now on."""
        changes = []
        for key, before in old.items():
            if key not in new:
                self._forget(key)
                changes.append(InstanceChange(Lifecycle.DELETED, before, None))
        for key, after in new.items():
            known = self._known.get(key)
            if known is None:
                changes.append(InstanceChange(Lifecycle.CREATED, None, after))
            elif known.properties() != after.properties():
                changes.append(InstanceChange(Lifecycle.MODIFIED, known, after))
            self._learn(key, after)
        return changes

    def _learn(self, key: LinkKey, link: KnownLink) -> None:
        self._known[key] = link
        for end in (key.left, key.right):
            self._by_end.setdefault(end, set()).add(key)

    def _forget(self, key: LinkKey) -> None:
        del self._known[key]
        for end in (key.left, key.right):
            keys = self._by_end.get(end)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._by_end[end]


def _end_key(instance: Instance) -> EndKey:
    return EndKey(instance.namespace, instance.class_name, instance.identity)
