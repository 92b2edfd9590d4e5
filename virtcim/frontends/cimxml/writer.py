"""Writes the instances of a namespace, from the cache where that has them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache

from virtcim.cimom.associations import Link
from virtcim.cimom.namespaces import Namespaces, normalized
from virtcim.cimom.requests import Projection
from virtcim.cimom.results import Extent
from virtcim.frontends.cimxml.cache import Bucket, CachedInstance, InstanceCache
from virtcim.frontends.cimxml.encode import (
    MAX_TABLES,
    NO_BODY,
    Body,
    EncodedReference,
    Encoder,
    Table,
    TableOptions,
)
from virtcim.immutable import immutable
from virtcim.providers.interface import EmbeddedInstance, Instance, RevisedInstance
from virtcim.schema.classes import ClassStore

__all__ = ["NamespaceWriter", "Writers"]

log = logging.getLogger(__name__)

MOMENT = 60.0
"""Seconds for which it is remembered in which order the texts of a class are sent.  Less than the time for which the
cache keeps what is in use: so nothing is held here that the cache does not count."""


@immutable
class _WrittenExtent:
    """All of a class as it was sent, in pieces that the cache holds, while everything is as it was at a revision."""

    revision: Hashable
    until: float
    pieces: tuple[bytes, ...]


class NamespaceWriter:
    """Writes the instances that live in one namespace.

    Parameters:
        name: of the namespace, as it is spelt there.
        classes: the class store.
        host: the host in INSTANCEPATH elements.
        cache: of what is written.
        writers: of all namespaces.

    Attributes:
        encoder: writes single elements.
    """

    def __init__(self, name: str, classes: ClassStore, host: str, cache: InstanceCache, writers: Writers) -> None:
        self.name = name
        self.encoder = Encoder(classes, self.name, host, self._recall)
        self._classes = classes
        self._cache = cache
        self._writers = writers
        self._extents: dict[tuple[str, Table | None], _WrittenExtent] = {}
        self.path_start = lru_cache(maxsize=16)(self._path_start)
        self.table = lru_cache(maxsize=MAX_TABLES)(self._table)

    def of(self, instance: Instance) -> NamespaceWriter:
        """Give the writer of the namespace where an instance lives."""
        return self if instance.namespace == self.name else self._writers[instance.namespace]

    def _table(self, class_name: str, projection: Projection, plain_arrays: bool) -> Table:
        """The table for a creation class.  What changes nothing is left out of its options, so that tables are shared.

        Parameters:
            plain_arrays: the client cannot read EmbeddedObject on arrays.
        """
        wanted, limit = projection.properties, projection.limit_class
        own = self._classes[class_name].properties
        if wanted is not None:
            wanted = None if wanted >= own.keys() else wanted.intersection(own)
        if limit is not None and len(self._classes[limit].properties) == len(own):
            limit = None
        plain = plain_arrays and any(each.is_array and each.embedded_object for each in own.values())
        return self.encoder.table(class_name, TableOptions(limit, wanted, projection.class_origin, plain))

    def encoded(self, instance: Instance, table: Table | None) -> tuple[bytes, Body] | None:
        """The INSTANCENAME and INSTANCE (`NO_BODY` without a table) of an instance that lives here.

        None when the instance is broken; the log tells why.
        """
        found = self.encoded_inside(instance, table)
        return None if found is None else (self._whole_name(instance, found[0]), found[1])

    def encoded_inside(self, instance: Instance, table: Table | None) -> tuple[bytes, Body] | None:
        """Likewise, with what is its own of the INSTANCENAME (`name_frame`)."""
        try:
            return (self._name_of(instance), NO_BODY) if table is None else self._name_and_body(instance, table)
        except Exception:
            _log_left_out(instance)
            return None

    def _encoded_anew(self, instance: Instance, table: Table, bucket: Bucket, now: float) -> tuple[bytes, Body] | None:
        """Likewise, of an instance of which nothing is kept."""
        try:
            return self._written(instance, table, bucket, CachedInstance(instance.revision, now))
        except Exception:
            _log_left_out(instance)
            return None

    def name_of(self, instance: Instance) -> bytes:
        """The INSTANCENAME of an instance that lives here.  Raises whatever a broken instance raises."""
        return self._whole_name(instance, self._name_of(instance))

    def _whole_name(self, instance: Instance, own: bytes) -> bytes:
        start, end = self.encoder.name_frame(instance.class_name)
        return b"".join((start, own, end))

    def _name_of(self, instance: Instance) -> bytes:
        """What is an instance's own in its INSTANCENAME."""
        if type(instance) is Link:
            return self.encoder.name_inside(instance.class_name, self._link_keys(instance))
        return self._name(instance, *self._entry(instance))

    def body_of(self, instance: Instance, table: Table) -> Body:
        """The INSTANCE of an instance that lives here.  Raises whatever a broken instance raises."""
        if type(instance) is Link:
            return table.body({**instance.extra(), **self._link_keys(instance)})
        return self._body(instance, table, *self._entry(instance))

    def _name_and_body(self, instance: Instance, table: Table) -> tuple[bytes, Body]:
        """What is an instance's own in its INSTANCENAME, and its INSTANCE."""
        if type(instance) is Link:
            keys = self._link_keys(instance)
            return self.encoder.name_inside(instance.class_name, keys), table.body({**instance.extra(), **keys})
        bucket, entry = self._entry(instance)
        if entry.name is None and entry.is_empty:
            return self._written(instance, table, bucket, entry)
        return self._name(instance, bucket, entry), self._body(instance, table, bucket, entry)

    def _written(self, instance: Instance, table: Table, bucket: Bucket, entry: CachedInstance) -> tuple[bytes, Body]:
        """Likewise, of an instance of which nothing is kept; both are in a new entry from then on."""
        name = self._written_name(instance)
        body = table.body(instance.properties())
        entry.name = name
        entry.keep_body(table, body)
        self._cache.store(bucket, instance.identity, entry)
        return name, body

    def _entry(self, instance: Instance) -> tuple[Bucket, CachedInstance]:
        bucket = self._cache.bucket(self.name, instance.class_name)
        return bucket, self._cache.entry(bucket, instance.identity, instance.revision, self._cache.moment)

    def _name(self, instance: Instance, bucket: Bucket, entry: CachedInstance) -> bytes:
        name = entry.name
        if name is None:
            name = self._written_name(instance)
            self._cache.store_name(bucket, instance.identity, entry, name)
        return name

    def _written_name(self, instance: Instance) -> bytes:
        return self.encoder.name_inside(instance.class_name, instance.keys())

    def _body(self, instance: Instance, table: Table, bucket: Bucket, entry: CachedInstance) -> Body:
        body = entry.body(table)
        if body is None:
            body = table.body(instance.properties())
            self._cache.store_body(bucket, instance.identity, entry, table, body)
        return body

    def _recall(self, value: RevisedInstance, write: Callable[[EmbeddedInstance], str]) -> str:
        """The text of an embedded instance in a VALUE, from the cache where that has it at its revision."""
        bucket = self._cache.bucket(self.name, f"{value.class_name} in a value")
        entry = self._cache.entry(bucket, value.identity, value.revision, self._cache.moment)
        if entry.name is not None:
            return entry.name.decode()
        text = write(value)
        # It has no name of its own: its text takes the place.
        self._cache.store_name(bucket, value.identity, entry, text.encode())
        return text

    def _link_keys(self, link: Link) -> dict[str, EncodedReference]:
        """The two references of an association, from the cached names of its ends: links are not cached."""
        return {role: self.of(end).reference_to(end) for role, end in link.ends()}

    def reference_to(self, instance: Instance) -> EncodedReference:
        """The LOCALINSTANCEPATH of an instance that lives here."""
        name = self.name_of(instance).decode()
        return EncodedReference(
            f"<LOCALINSTANCEPATH>{self.encoder.local_namespace(self.name)}{name}</LOCALINSTANCEPATH>"
        )

    def _path_start(self, tag: str, outer: str = "") -> bytes:
        """The start of an INSTANCEPATH or CLASSPATH, up to the name.

        Parameters:
            outer: the element that it stands in first; "" where that begins elsewhere.
        """
        start = f"<{outer}>" if outer else ""
        return f"{start}<{tag}>{self.encoder.namespace_path(self.name)}".encode()

    def extent(self, extent: Extent, table: Table | None, revision: Hashable = None) -> Sequence[bytes]:
        """All instances of a creation class, each as VALUE.NAMEDINSTANCE, or as INSTANCENAME without a table.

        A broken instance is left out.  What else is remembered of the class is forgotten.

        Parameters:
            revision: from before the instances were gathered (`Extents.revision`).
        """
        key, now = (extent.class_name, table), time.monotonic()
        known = self._extents.get(key)
        if known is not None and revision is not None and known.revision == revision and now < known.until:
            return known.pieces
        found, from_cache = self._found(extent, table, now)
        pieces = self._pieces(extent.class_name, table, found) if found else []
        if revision is not None and found and from_cache and all(each.lasting for each in extent.instances):
            self._extents[key] = _WrittenExtent(revision, now + MOMENT, tuple(pieces))
        return pieces

    def _pieces(self, class_name: str, table: Table | None, found: Sequence[tuple[bytes, Body]]) -> list[bytes]:
        """Lay out instances: what is their own, and between that what they share, in as few pieces as can be."""
        start, end = self.encoder.name_frame(class_name)
        if table is None:
            pieces, between, last = [start], end + start, end
            for name, _ in found:
                pieces += (name, between)
        else:
            first, last = b"<VALUE.NAMEDINSTANCE>" + start, b"</VALUE.NAMEDINSTANCE>"
            pieces, between = [first], last + first
            middles: dict[bytes, bytes] = {}
            for name, (begin, own, rest) in found:
                middle = middles.get(begin)
                if middle is None:
                    middle = middles[begin] = end + begin
                pieces += (name, middle, own, rest, between)
        pieces[-1] = last
        return pieces

    def _found(self, extent: Extent, table: Table | None, now: float) -> tuple[list[tuple[bytes, Body]], bool]:
        """What is its own in the INSTANCENAME, and the INSTANCE, of every instance; and whether all of them were taken
        from the cache."""
        if self._classes[extent.class_name].is_association:
            return list(filter(None, (self.encoded_inside(each, table) for each in extent.instances))), False
        bucket = self._cache.bucket(self.name, extent.class_name)
        found: list[tuple[bytes, Body]] = []
        missed = 0
        for instance in extent.instances:
            entry = bucket.get(instance.identity)
            if entry is not None and entry.revision == instance.revision:
                entry.used = now
                name = entry.name
                body = NO_BODY if table is None else entry.body(table)
                if name is not None and body is not None:
                    found.append((name, body))
                    continue
            missed += 1
            if entry is None and table is not None:
                encoded = self._encoded_anew(instance, table, bucket, now)
            else:
                encoded = self.encoded_inside(instance, table)
            if encoded is not None:
                found.append(encoded)
        if len(bucket) > len(found):
            self._cache.keep_only(bucket, {instance.identity for instance in extent.instances})
        return found, not missed

    def is_laid_out(self, extent: Extent, table: Table | None, revision: Hashable) -> bool:
        """Whether the pieces of a class are those that the cache holds, and none is left out."""
        known = self._extents.get((extent.class_name, table))
        return not extent.instances or (known is not None and known.revision == revision)

    def sweep(self) -> None:
        """Drop what was laid out for a moment that is over.  To be called now and then."""
        now = time.monotonic()
        for key, written in list(self._extents.items()):
            if written.until <= now:
                self._extents.pop(key, None)


def _log_left_out(instance: Instance) -> None:
    """Say why an instance is left out, where that has just been raised."""
    log.exception("A %s is left out: %r", instance.class_name, instance.identity)


class Writers:
    """The writers of all namespaces.

    Parameters:
        namespaces: of the core.
        classes: the class store.
        host: the host in INSTANCEPATH elements.
        cache: of what is written.
    """

    def __init__(self, namespaces: Namespaces, classes: ClassStore, host: str, cache: InstanceCache) -> None:
        self._namespaces = namespaces
        self._classes = classes
        self._host = host
        self._cache = cache
        self._by_name: dict[str, NamespaceWriter] = {}

    def __getitem__(self, name: str) -> NamespaceWriter:
        """The writer of a namespace, be it that it was served a moment ago only: what was asked there is answered."""
        known = self._by_name.get(normalized(name))
        if known is None:
            made = NamespaceWriter(name, self._classes, self._host, self._cache, self)
            known = self._by_name.setdefault(normalized(name), made)
        return known

    def sweep(self) -> None:
        """Drop what was laid out for a moment that is over.  To be called now and then."""
        served = {normalized(each.name) for each in self._namespaces}
        for name, writer in list(self._by_name.items()):
            if name not in served:
                del self._by_name[name]
            writer.sweep()
