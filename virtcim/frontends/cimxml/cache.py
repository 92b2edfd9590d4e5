"""Encoded instances, kept until the object changes (design: enumerating a quiet host costs a copy of bytes)."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Hashable

from virtcim.frontends.cimxml.encode import Body, Table

__all__ = ["Bucket", "CachedInstance", "InstanceCache"]

MAX_BODIES = 4
"""Bodies kept of one instance: clients differ in IncludeClassOrigin and PropertyList, but not much at one time."""

OVERHEAD = 300
"""Bytes that an entry takes beside its texts: itself, its place in the bucket, and what each text has in front."""

WANTED = 120.0
"""Seconds for which an entry that was asked for stays, whatever else wants its place.

Consoles ask again every 30 to 60 seconds.  What does not fit beside the entries that are in use is not kept at all: to
drop the entry that was not used for the longest time would drop, in an enumeration larger than the cache, just what is
wanted next, and every enumeration would write everything anew."""

MOMENT = 0.5
"""Seconds for which one number stands for the time: each entry with a number of its own would be 24 bytes larger."""

PASS_INTERVAL = 5.0
"""Seconds between two looks through a full cache for entries that nobody wants any more."""


class CachedInstance:
    """What is encoded of one instance at one revision: what is its own in its INSTANCENAME, and an INSTANCE for each
    table.

    Almost all have one INSTANCE, whose pieces are kept in the entry itself: a tuple of them would be as large as many a
    text, and a dictionary larger.  They are written once: who reads them in another thread has those of one table.
    """

    __slots__ = ("_begin", "_end", "_others", "_own", "_table", "name", "revision", "used")

    def __init__(self, revision: Hashable, now: float) -> None:
        self.revision = revision
        self.used = now
        self.name: bytes | None = None
        self._table: Table | None = None
        self._own = b""
        self._others: dict[Table, Body] | None = None

    @property
    def size(self) -> int:
        """The bytes that it takes, counted when they are wanted: a number would be 40 bytes more of each entry."""
        others = self._others
        bodies = len(self._own) if others is None else sum([len(own) for _, own, _ in others.values()])
        return OVERHEAD + len(self.name or b"") + bodies

    @property
    def is_empty(self) -> bool:
        """Whether it has no INSTANCE."""
        return self._table is None and not self._others

    @property
    def bodies(self) -> dict[Table, Body]:
        """All that is kept, the oldest first."""
        if self._table is not None:
            return {self._table: (self._begin, self._own, self._end)}
        return dict(self._others or {})

    def body(self, table: Table) -> Body | None:
        """The INSTANCE that a table wrote; None where none is kept."""
        if self._table is table:
            return self._begin, self._own, self._end
        return None if self._others is None else self._others.get(table)

    def keep_body(self, table: Table, body: Body) -> None:
        """Keep what a table wrote of which nothing is kept."""
        if self._table is None and self._others is None:
            self._begin, self._own, self._end = body
            self._table = table
        else:
            self._others = {**self.bodies, table: body}
            self._table = None

    def make_room(self) -> int:
        """Have room for what another table wrote; the bytes that are kept no longer."""
        if self._others is None:
            return 0
        bodies = self.bodies
        gone = list(bodies)[: max(0, len(bodies) - MAX_BODIES + 1)]
        freed = sum(len(bodies.pop(each)[1]) for each in gone)
        if gone:
            self._others = bodies
        return freed


Bucket = dict[Hashable, CachedInstance]
"""The entries of one creation class in a namespace, by identity."""


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
        self._next_pass = 0.0
        self._moment = 0.0
        self.size = 0

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in list(self._buckets.values()))

    @property
    def moment(self) -> float:
        """The time of now or of a moment ago, by the monotonic clock: the same object for entries that are used at
        nearly one time."""
        now = time.monotonic()
        if now - self._moment > MOMENT:
            self._moment = now
        return self._moment

    def bucket(self, namespace: str, class_name: str) -> Bucket:
        """The entries of one creation class, by identity.  To be changed through this object only."""
        return self._buckets.setdefault((namespace, class_name), {})

    @staticmethod
    def entry(bucket: Bucket, identity: Hashable, revision: Hashable, now: float) -> CachedInstance:
        """The entry of an instance: the one that is kept, or an empty one, which is kept once something is stored."""
        entry = bucket.get(identity)
        if entry is not None and entry.revision == revision:
            entry.used = now
            return entry
        return CachedInstance(revision, now)

    def store_name(self, bucket: Bucket, identity: Hashable, entry: CachedInstance, name: bytes) -> None:
        """Keep what is an instance's own in its INSTANCENAME, if there is room."""
        with self._lock:
            if entry.name is None and self._grow(bucket, identity, entry, len(name)):
                entry.name = name

    def store(self, bucket: Bucket, identity: Hashable, entry: CachedInstance) -> None:
        """Keep a new entry with all that it has, if there is room.  It takes the place of another one."""
        with self._lock:
            self._grow(bucket, identity, entry, 0)

    def store_body(self, bucket: Bucket, identity: Hashable, entry: CachedInstance, table: Table, body: Body) -> None:
        """Keep the INSTANCE that `table` wrote, if there is room.  What it shares is not counted."""
        with self._lock:
            if entry.body(table) is not None:
                return  # another thread has written the same
            freed = entry.make_room()
            if bucket.get(identity) is entry:
                self.size -= freed
            if self._grow(bucket, identity, entry, len(body[1])):
                entry.keep_body(table, body)

    def _grow(self, bucket: Bucket, identity: Hashable, entry: CachedInstance, growth: int) -> bool:
        """Let an entry grow, or False when there is no room.  It takes the place of one of another revision."""
        kept = bucket.get(identity) is entry
        if not kept:
            self._drop(bucket, identity)
        needed = growth if kept else entry.size + growth
        if not self._has_room(needed, entry.used):
            return False
        bucket[identity] = entry
        self.size += needed
        return True

    def _has_room(self, size: int, now: float) -> bool:
        """Whether this much fits, once what nobody wants any more is dropped."""
        if self.size + size > self._limit and now >= self._next_pass:
            self._drop_unused(now - WANTED)
            self._next_pass = now + PASS_INTERVAL
        return self.size + size <= self._limit

    def _drop(self, bucket: Bucket, identity: Hashable) -> None:
        entry = bucket.pop(identity, None)
        if entry is not None:
            self.size -= entry.size

    def _drop_unused(self, oldest: float) -> None:
        for bucket in self._buckets.values():
            for identity in [identity for identity, entry in bucket.items() if entry.used < oldest]:
                self._drop(bucket, identity)

    def keep_only(self, bucket: Bucket, identities: Collection[Hashable]) -> None:
        """Drop the entries of instances that a complete enumeration no longer found."""
        if len(bucket) <= len(identities):
            return
        with self._lock:
            for identity in bucket.keys() - set(identities):
                self._drop(bucket, identity)

    def sweep(self, now: float | None = None) -> None:
        """Drop what nobody asked for lately.  To be called now and then."""
        with self._lock:
            self._drop_unused((time.monotonic() if now is None else now) - self._lifetime)
