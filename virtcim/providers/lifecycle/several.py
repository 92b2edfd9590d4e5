"""The changes of several sites, told to one listener."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from virtcim.providers.base import Element
from virtcim.providers.interface import Association, ChangeListener, ChangeSource, Store
from virtcim.providers.lifecycle.source import LifecycleSource

if TYPE_CHECKING:
    from virtcim.providers.site import Site

__all__ = ["LifecycleSources"]


class LifecycleSources(ChangeSource):
    """Tells what changes on several sites, each of which has a source and a thread of its own.

    Parameters:
        sites: whose hypervisors and jobs are followed, each with a namespace of its own.
        types: the element types that are served.
        store: keeps the last known state of each; None keeps it in memory only.
        associations: that are served in each namespace.
    """

    def __init__(
        self,
        sites: Iterable[Site],
        types: Iterable[type[Element]],
        store: Store | None = None,
        associations: Mapping[str, Iterable[Association]] = MappingProxyType({}),
    ) -> None:
        types = tuple(types)
        self._sources = tuple(
            LifecycleSource(site, types, store, associations.get(site.namespace, ())) for site in sites
        )
        homes: dict[str, frozenset[str]] = {}
        indications: dict[str, frozenset[str]] = {}
        for source in self._sources:
            for name, namespaces in source.class_names.items():
                homes[name] = homes.get(name, frozenset()) | namespaces
            for name, classes in source.indications.items():
                indications[name] = indications.get(name, frozenset()) | classes
        self.class_names = homes
        self.indications = indications

    def start(self, listener: ChangeListener) -> None:
        for source in self._sources:
            source.start(listener)

    def wanted_changed(self) -> None:
        for source in self._sources:
            source.wanted_changed()

    def stop(self) -> None:
        for source in self._sources:
            source.stop()
