"""Changes of what is no image of libvirt's objects: nodes and their groups, templates, images.

There are few of these: whenever anything about them may have changed, all instances of a class are compared with what
they were when they were looked at last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, datetime

from virtcim.immutable import immutable
from virtcim.providers.interface import ChangeListener, ChangeSource, Instance, InstanceChange
from virtcim.providers.lifecycle.teller import Teller
from virtcim.providers.seen import SeenInstance, differences, look_at

__all__ = ["Watched", "WatchedSource"]


@immutable
class Watched:
    """A class whose instances are compared.

    Attributes:
        class_name: of it.
        namespace: where they are shown.
        instances: gives all that there are now.
        follow: has a function called whenever anything about them may have changed.
    """

    class_name: str
    namespace: str
    instances: Callable[[], Iterable[Instance]]
    follow: Callable[[Callable[[], None]], None]


class WatchedSource(ChangeSource):
    """Tells what becomes of the instances of some classes, as far as somebody wants to be told.

    What there is when somebody asks for a class first is taken for known.

    Parameters:
        watched: the classes.
        teller: in whose thread they are compared.
    """

    indications: Mapping[str, frozenset[str]] = {}

    def __init__(self, watched: Iterable[Watched], teller: Teller) -> None:
        self._watched = tuple(watched)
        self._teller = teller
        self._lock = threading.Lock()
        self._listener: ChangeListener | None = None
        self._seen: dict[str, dict[Hashable, SeenInstance]] = {}
        self.class_names = {each.class_name: frozenset({each.namespace}) for each in self._watched}

    def start(self, listener: ChangeListener) -> None:
        self._listener = listener
        for each in self._watched:
            each.follow(self._on_change)
        self.wanted_changed()

    def wanted_changed(self) -> None:
        # At once: what comes after whoever subscribed got his answer is told to him.
        with self._lock:
            for each in self._wanted():
                if each.class_name not in self._seen:
                    self._seen[each.class_name] = look_at(each.instances(), each.namespace)

    def stop(self) -> None:
        self._listener = None

    def _wanted(self) -> list[Watched]:
        """The classes that are wanted; the others are forgotten; with the lock."""
        listener = self._listener
        wanted = [] if listener is None else [each for each in self._watched if listener.wants(each.class_name)]
        names = {each.class_name for each in wanted}
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        return wanted

    def _on_change(self) -> None:
        if self._listener is not None and self._seen:
            self._teller.put(self, "watched", self._compare, datetime.now(UTC))

    def _compare(self, time: datetime) -> None:
        """Tell what has changed since it was looked at last."""
        changes: list[InstanceChange] = []
        with self._lock:
            for each in self._wanted():
                old, new = self._seen.get(each.class_name), look_at(each.instances(), each.namespace)
                self._seen[each.class_name] = new
                if old is not None:
                    changes += differences(old, new)
        listener = self._listener
        if changes and listener is not None:
            listener.changed(changes, time)
