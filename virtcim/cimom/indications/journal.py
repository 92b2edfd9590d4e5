"""The journal of what waits: for each receiver a small record, and what is the same for all of them once.

A record refers to a body.  The store writes in the order in which it is told, so a body is on disk before the first
record that refers to it, and goes with the last.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from virtcim.cimom.indications.records import IndicationBody, QueuedIndication
from virtcim.providers.interface import Properties, Store

__all__ = ["Body", "Journal"]

_log = logging.getLogger(__name__)


class Body:
    """What an indication says to all who receive it.

    Parameters:
        class_name, properties: of the indication, without what each receiver is told by himself.
        size: bytes of memory that it takes, about.

    Attributes:
        key: in the journal, as long as something refers to it there; "" before.
    """

    __slots__ = ("class_name", "key", "properties", "size")

    def __init__(self, class_name: str, properties: Properties, size: int) -> None:
        self.class_name = class_name
        self.properties = properties
        self.size = size
        self.key = ""


class Journal:
    """What waits, as the store keeps it.  Safe to use from several threads at once.

    Parameters:
        store: keeps it.
        name: of its table.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._records = store.table(name, QueuedIndication)
        self._bodies = store.table(f"body of {name}", IndicationBody)
        self._lock = threading.Lock()
        self._uses = Counter(record.body for _, record in self._records.items() if record.body)

    def items(self) -> Iterator[tuple[str, QueuedIndication]]:
        """Give what an earlier run of the server had queued, in order: each key, and the indication as a whole."""
        for key, record in self._records.items():
            if not record.body:
                yield key, record
            elif (body := self._bodies.get(record.body)) is not None:
                yield key, replace(record, properties={**body.properties, **record.properties}, body="")
            else:
                _log.warning("a queued %s has no body any more and is forgotten", record.class_name)
                self._records.remove(key)
        # The server may have ended between a body and what refers to it.
        for key in [key for key, _ in self._bodies.items() if key not in self._uses]:
            self._bodies.remove(key)

    def append(self, record: QueuedIndication, body: Body) -> str:
        """Keep an indication, and return its key.

        Parameters:
            record: with the properties that its receiver alone is told.
            body: has the others.
        """
        with self._lock:
            if body.key not in self._uses:
                body.key = self._bodies.append(IndicationBody(body.properties))
            self._uses[body.key] += 1
            return self._records.append(
                QueuedIndication(
                    record.destination,
                    record.subscription,
                    record.class_name,
                    record.properties,
                    record.queued,
                    record.namespace,
                    body.key,
                )
            )

    def remove(self, key: str) -> None:
        """Keep the indication with a key no longer; nothing happens when there is none."""
        with self._lock:
            record = self._records.get(key)
            if record is None:
                return
            self._records.remove(key)
            if record.body:
                self._uses[record.body] -= 1
                if not self._uses[record.body]:
                    del self._uses[record.body]
                    self._bodies.remove(record.body)
