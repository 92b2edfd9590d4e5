"""The journal of what waits: for each indication a record of its receivers, and what it says to all of them once.

A receiver is no more in it than a number, by the route that leads to him; so those who take nothing for long cost next
to nothing with each indication.  The store writes in the order in which it is told, so a body is on disk before what
refers to it, and goes with the last of that.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from virtcim.cimom.indications.records import IndicationBody, QueuedIndication, Receivers, Route
from virtcim.providers.interface import CIMValue, Properties, Store

__all__ = ["Body", "Journal", "own_properties"]

_log = logging.getLogger(__name__)

MAX_RECEIVERS = 256
"""Receivers in one record, which is written anew while they take their indication one after the other."""

MAX_UNUSED = 1000
"""Routes that are kept while nothing waits on them, beside as many as there is something on."""

SEPARATOR = "/"
"""Between the key of a record of receivers and that of a route."""


class Body:
    """What an indication says to all who receive it.

    Parameters:
        class_name, properties: of the indication, without what each receiver is told by himself.
        size: bytes of memory that it takes, about.

    Attributes:
        queues: in how many it waits, as `SharedMemory` counts them.
    """

    __slots__ = ("class_name", "properties", "queues", "size")

    def __init__(self, class_name: str, properties: Properties, size: int) -> None:
        self.class_name = class_name
        self.properties = properties
        self.size = size
        self.queues = 0


def own_properties(route: Route, number: int) -> dict[str, CIMValue]:
    """Give the properties of an indication that only one receiver is told.

    Parameters:
        route: to him.
        number: of the indication, among those that he gets in one context.
    """
    own: dict[str, CIMValue] = {}
    if route.filter_name is not None:
        own["IndicationFilterName"] = route.filter_name
    if route.context:
        own["SequenceContext"], own["SequenceNumber"] = route.context, number
    return own


class Journal:
    """What waits, as the store keeps it.  Safe to use from several threads at once.

    Parameters:
        store: keeps it.
        name: of its table.
    """

    def __init__(self, store: Store, name: str) -> None:
        # As versions wrote it that had a record for each receiver: read, and not added to.
        self._single = store.table(name, QueuedIndication)
        self._bodies = store.table(f"body of {name}", IndicationBody)
        self._receivers = store.table(f"receivers of {name}", Receivers)
        self._routes = store.table(f"route of {name}", Route)
        self._lock = threading.Lock()
        self._keys = {route: key for key, route in self._routes.items()}
        rows = self._receivers.items()
        self._on_route = Counter(chain.from_iterable(row.numbers for _, row in rows))
        self._uses = Counter(
            chain((row.body for _, row in rows), (each.body for _, each in self._single.items() if each.body))
        )

    def items(self) -> Iterator[tuple[str, QueuedIndication]]:
        """Give what an earlier run of the server had queued, in order: each key, and the indication as a whole."""
        for key, record in self._single.items():
            if not record.body:
                yield key, record
            elif (body := self._bodies.get(record.body)) is not None:
                yield key, replace(record, properties={**body.properties, **record.properties}, body="")
            else:
                _log.warning("a queued %s has no body any more and is forgotten", record.class_name)
                self._single.remove(key)
        for key, row in self._receivers.items():
            body = self._bodies.get(row.body)
            if body is None:
                _log.warning("a queued %s has no body any more and is forgotten", row.class_name)
                self._receivers.remove(key)
                continue
            for route_key, number in sorted(row.numbers.items(), key=lambda each: each[1]):
                route = self._routes.get(route_key)
                if route is not None:
                    properties = {**body.properties, **own_properties(route, number)}
                    yield (
                        f"{key}{SEPARATOR}{route_key}",
                        QueuedIndication(
                            route.destination, route.subscription, row.class_name, properties, row.queued, row.namespace
                        ),
                    )
        # The server may have ended between a body and what refers to it.
        for key in [key for key, _ in self._bodies.items() if key not in self._uses]:
            self._bodies.remove(key)
        with self._lock:
            self._forget_unused()

    def append(
        self, body: Body, groups: Iterable[Sequence[tuple[Route, int]]], queued: datetime, namespace: str = ""
    ) -> list[str]:
        """Keep an indication for some receivers.

        Parameters:
            body: what it says.
            groups: the route to each receiver, no route twice, and the number that the indication has there; each
                group has records of its own.
            queued: when, in UTC.
            namespace: of what it is about.

        Returns:
            the key of each receiver.
        """
        with self._lock:
            keys = []
            body_key = self._bodies.append(IndicationBody(body.properties))
            for group in chain.from_iterable(map(_chunks, groups)):
                numbers = {self._key_of(route): number for route, number in group}
                self._on_route.update(numbers.keys())
                self._uses[body_key] += 1
                row = self._receivers.append(Receivers(body.class_name, body_key, queued, numbers, namespace))
                keys += [f"{row}{SEPARATOR}{each}" for each in numbers]
            return keys

    def remove(self, key: str) -> None:
        """Keep the indication with a key no longer; nothing happens when there is none."""
        row_key, separator, route = key.partition(SEPARATOR)
        with self._lock:
            if not separator:
                self._remove_single(key)
                return
            row = self._receivers.get(row_key)
            if row is None or route not in row.numbers:
                return
            self._on_route[route] -= 1
            if not self._on_route[route]:
                del self._on_route[route]
            left = dict(row.numbers)
            del left[route]
            if left:
                self._receivers.put(row_key, Receivers(row.class_name, row.body, row.queued, left, row.namespace))
            else:
                self._receivers.remove(row_key)
                self._release(row.body)

    def _remove_single(self, key: str) -> None:
        record = self._single.get(key)
        if record is not None:
            self._single.remove(key)
            if record.body:
                self._release(record.body)

    def _release(self, body: str) -> None:
        """Forget a body with the last that refers to it; with the lock."""
        self._uses[body] -= 1
        if not self._uses[body]:
            del self._uses[body]
            self._bodies.remove(body)

    def _key_of(self, route: Route) -> str:
        """The key of a route, which is kept from now on; with the lock."""
        key = self._keys.get(route)
        if key is None:
            if len(self._keys) > 2 * len(self._on_route) + MAX_UNUSED:
                self._forget_unused()
            key = self._keys[route] = self._routes.append(route)
        return key

    def _forget_unused(self) -> None:
        """Forget the routes on which nothing waits; with the lock."""
        for route, key in list(self._keys.items()):
            if key not in self._on_route:
                del self._keys[route]
                self._routes.remove(key)


def _chunks(group: Sequence[tuple[Route, int]]) -> Iterator[Sequence[tuple[Route, int]]]:
    for start in range(0, len(group), MAX_RECEIVERS):
        yield group[start : start + MAX_RECEIVERS]
