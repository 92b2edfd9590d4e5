"""Encoded instances, kept until the object changes (design: enumerating a quiet host costs a copy of bytes)."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Hashable
from operator import itemgetter

from cimom.cimxml.encode import Table

__all__ = ["CachedInstance", "InstanceCache"]

MAX_BODIES = 4
"""Bodies kept of one instance: clients differ in IncludeClassOrigin and PropertyList, but not much at one time."""

OVERHEAD = 500
"""Bytes that an entry takes beside its texts."""

EVICT_TO = 0.8
"""An eviction frees this much at once, so that it is rare."""


class CachedInstance:
    """What is encoded of one instance at one revision: its INSTANCENAME, and an INSTANCE for each table."""

    __slots__ = ("bodies", "name", "revision", "size", "used")

    def __init__(self, revision: Hashable, now: float) -> None:
        self.revision = revision
        self.used = now
        self.size = OVERHEAD
        self.name: bytes | None = None
        self.bodies: dict[Table, bytes] = {}


Bucket = dict[Hashable, CachedInstance]


class InstanceCache:
    """A bounded store of encoded instances.  Safe to use from any thread.

    Parameters:
        limit: bytes that it may hold.
        lifetime: seconds after which an entry that nobody asked for is dropped.
    """

    def __init__(self, limit: int, lifetime: float) -> None:
        self._limit = limit
        self._lifetime = lifetime
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._lock = threading.Lock()
        self.size = 0

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in list(self._buckets.values()))

    def bucket(self, namespace: str, class_name: str) -> Bucket:
        """The entries of one creation class, by identity.  To be changed through this object only."""
        return self._buckets.setdefault((namespace, class_name), {})

    def entry(self, bucket: Bucket, identity: Hashable, revision: Hashable, now: float) -> CachedInstance:
        """The entry of an instance, emptied when it is of another revision."""
        entry = bucket.get(identity)
        if entry is not None and entry.revision == revision:
            entry.used = now
            return entry
        fresh = CachedInstance(revision, now)
        with self._lock:
            old = bucket.get(identity)
            if old is not None:
                self.size -= old.size
            bucket[identity] = fresh
            self.size += fresh.size
        return fresh

    def store_name(self, bucket: Bucket, identity: Hashable, entry: CachedInstance, name: bytes) -> None:
        """Keep the INSTANCENAME of an instance."""
        with self._lock:
            if entry.name is None:
                entry.name = name
                self._grow(bucket, identity, entry, len(name))

    def store_body(self, bucket: Bucket, identity: Hashable, entry: CachedInstance, table: Table, body: bytes) -> None:
        """Keep the INSTANCE that `table` wrote."""
        with self._lock:
            growth = len(body) - len(entry.bodies.pop(table, b""))
            while len(entry.bodies) >= MAX_BODIES:
                growth -= len(entry.bodies.pop(next(iter(entry.bodies))))
            entry.bodies[table] = body
            self._grow(bucket, identity, entry, growth)

    def _grow(self, bucket: Bucket, identity: Hashable, entry: CachedInstance, growth: int) -> None:
        entry.size += growth
        if bucket.get(identity) is not entry:
            return
        self.size += growth
        if self.size > self._limit:
            self._evict()

    def _evict(self) -> None:
        """Drop what was not used for the longest time."""
        entries = sorted(
            (
                (entry.used, number, bucket, identity)
                for number, bucket in enumerate(self._buckets.values())
                for identity, entry in bucket.items()
            ),
            key=itemgetter(0, 1),
        )
        for _, _, bucket, identity in entries:
            if self.size <= self._limit * EVICT_TO:
                break
            self.size -= bucket.pop(identity).size

    def keep_only(self, bucket: Bucket, identities: Collection[Hashable]) -> None:
        """Drop the entries of instances that a complete enumeration no longer found."""
        if len(bucket) <= len(identities):
            return
        with self._lock:
            for identity in bucket.keys() - set(identities):
                self.size -= bucket.pop(identity).size

    def sweep(self, now: float | None = None) -> None:
        """Drop what nobody asked for lately.  To be called now and then."""
        oldest = (time.monotonic() if now is None else now) - self._lifetime
        with self._lock:
            for bucket in self._buckets.values():
                for identity in [identity for identity, entry in bucket.items() if entry.used < oldest]:
                    self.size -= bucket.pop(identity).size
