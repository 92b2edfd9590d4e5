"""The index of the filters that select now: a change costs only those on whose classes it is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from virtcim.cimom.indications.filters import CompiledFilter
from virtcim.cimom.indications.repeats import RepeatRule
from virtcim.cimom.principals import Principal
from virtcim.immutable import immutable

__all__ = ["ActiveSubscription", "ServedIndex"]


@immutable
class ActiveSubscription:
    """A subscription that is served now.

    Attributes:
        key, destination: of the subscription and its destination.
        filter_name: Name of the filter.
        filter: compiled.
        principal: who subscribed.
        ends: when it ends of itself; None for never.
        repeats: what becomes of alerts that say again what was said; None: all are sent.
    """

    key: str
    destination: str
    filter_name: str
    filter: CompiledFilter
    principal: Principal
    ends: datetime | None
    repeats: RepeatRule | None = None


class ServedIndex:
    """All subscriptions that are served, with each of their filters.  Safe to use from several threads at once.

    To put one in or take one out costs what its own filters cost, however many others there are.

    Attributes:
        sources: the classes of instances whose changes are wanted by one of them.
    """

    def __init__(self) -> None:
        self.sources: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._served: dict[str, tuple[ActiveSubscription, ...]] = {}
        # By the class of indications and the classes of instances, which many filters have in common.
        self._groups: dict[str, dict[frozenset[str], dict[tuple[str, int], ActiveSubscription]]] = {}
        self._wanted: Counter[frozenset[str]] = Counter()

    def __len__(self) -> int:
        return len(self._served)

    def put(self, key: str, served: Sequence[ActiveSubscription]) -> bool:
        """Serve a subscription, in place of what was served by its key.

        Parameters:
            key: of the subscription.
            served: one for each of its filters; none: it is not served any more.

        Returns:
            whether other classes are wanted than before, or somebody is served for the first time, or nobody any more.
        """
        with self._lock:
            kinds, was_empty = set(self._wanted), not self._served
            for number, each in enumerate(self._served.pop(key, ())):
                self._wanted[each.filter.sources] -= 1
                if not self._wanted[each.filter.sources]:
                    del self._wanted[each.filter.sources]
                for name in each.filter.indications:
                    group = self._groups[name][each.filter.sources]
                    del group[key, number]
                    if not group:
                        del self._groups[name][each.filter.sources]
            if served:
                self._served[key] = tuple(served)
            for number, each in enumerate(served):
                self._wanted[each.filter.sources] += 1
                for name in each.filter.indications:
                    self._groups.setdefault(name, {}).setdefault(each.filter.sources, {})[key, number] = each
            changed = kinds != set(self._wanted)
            if changed:
                self.sources = frozenset().union(*self._wanted)
            return changed or was_empty is bool(self._served)

    def of_class(self, class_name: str, source: str | None = None) -> list[ActiveSubscription]:
        """Those that can select indications of a class.

        Parameters:
            class_name: of the indications.
            source: class of the instance that they are about; None for what is about none.
        """
        with self._lock:
            groups = self._groups.get(class_name, {})
            return [
                each
                for sources, group in groups.items()
                if source is None or source in sources
                for each in group.values()
            ]
