"""The changes of several sites, told to one listener."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from virtcim.providers.base import Element
from virtcim.providers.interface import Association, ChangeListener, ChangeSource, Store
from virtcim.providers.lifecycle.lastknown import LastKnown
from virtcim.providers.lifecycle.source import LifecycleSource
from virtcim.providers.lifecycle.teller import Teller
from virtcim.providers.lifecycle.watched import Watched, WatchedSource

if TYPE_CHECKING:
    from virtcim.providers.site import Site

__all__ = ["LifecycleSources"]


class LifecycleSources(ChangeSource):
    """Tells what changes on several sites, each of which has a source of its own; all share a thread.

    Sites may come and go while it tells.

    Parameters:
        sites: whose hypervisors and jobs are followed, each with a namespace of its own.
        types: the element types that are served.
        store: keeps the last known state of each; None keeps it in memory only.
        associations: that are served in each namespace.
        watched: classes beside these, on no site.
    """

    def __init__(
        self,
        sites: Iterable[Site],
        types: Iterable[type[Element]],
        store: Store | None = None,
        associations: Mapping[str, Iterable[Association]] = MappingProxyType({}),
        watched: Iterable[Watched] = (),
    ) -> None:
        self._types = tuple(types)
        self._store = store
        self._teller = Teller()
        self._lock = threading.Lock()
        self._listener: ChangeListener | None = None
        self._sources: dict[str, LifecycleSource] = {}
        self._watched = WatchedSource(watched, self._teller)
        # A table of the store is opened once, also for a namespace that is left and taken again.
        self._left: dict[str, LastKnown] = {}
        for site in sites:
            self._sources[site.namespace] = self._source(site, associations.get(site.namespace, ()))
        self._sum_up()

    def start(self, listener: ChangeListener) -> None:
        with self._lock:
            self._listener = listener
            sources = self._all()
        for source in sources:
            source.start(listener)

    def wanted_changed(self) -> None:
        for source in self._all():
            source.wanted_changed()

    def stop(self) -> None:
        with self._lock:
            self._listener = None
            sources = self._all()
        for source in sources:
            source.stop()
        self._teller.stop()

    def follow(self, sites: Iterable[Site], associations: Mapping[str, Iterable[Association]]) -> None:
        """Tell of these sites from now on, and of no others.

        Parameters:
            sites: those that are followed already go on as they are.
            associations: that are served in each namespace.
        """
        wanted = {site.namespace: site for site in sites}
        with self._lock:
            gone = [self._sources.pop(name) for name, each in list(self._sources.items())
                    if each.site is not wanted.get(name)]  # fmt: skip
            for source in gone:
                self._left[source.site.namespace] = source.end()
            new = [
                self._source(site, associations.get(name, ()))
                for name, site in wanted.items()
                if name not in self._sources
            ]
            # Another mapping takes the place of the old one: who reads it does so without the lock.
            self._sources = self._sources | {source.site.namespace: source for source in new}
            self._sum_up()
            listener = self._listener
        if listener is not None:
            for source in new:
                source.start(listener)

    def _all(self) -> tuple[ChangeSource, ...]:
        return (*self._sources.values(), self._watched)

    def _source(self, site: Site, associations: Iterable[Association]) -> LifecycleSource:
        known = self._left.pop(site.namespace, None)
        return LifecycleSource(site, self._types, self._store, associations, known, self._teller)

    def _sum_up(self) -> None:
        """Make out what can be told of, and where."""
        spaces: dict[frozenset[str], set[str]] = {}
        indications: dict[str, frozenset[str]] = {}
        for source in self._sources.values():
            spaces.setdefault(source.names, set()).add(source.site.namespace)
        # Most sites have the same classes, and so most classes have one and the same set of homes.
        homes: dict[str, frozenset[str]] = {}
        for names, namespaces in [*spaces.items()]:
            together = frozenset(namespaces)
            for name in names:
                homes[name] = homes[name] | together if name in homes else together
        for name, others in self._watched.class_names.items():
            homes[name] = homes.get(name, frozenset()) | others
        for told in {id(each.indications): each.indications for each in self._all()}.values():
            for name, classes in told.items():
                indications[name] = indications.get(name, frozenset()) | classes
        self.class_names = homes
        self.indications = indications
