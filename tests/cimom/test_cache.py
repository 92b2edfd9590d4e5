"""The cache of encoded instances."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
import pywbem

from tests.bed.server import wait_until
from tests.cimom.harness import RunningServer, faults
from tests.cimom.toy import Toy
from virtcim.frontends.cimxml.cache import OVERHEAD, WANTED, CachedInstance, InstanceCache
from virtcim.frontends.cimxml.encode import Body, Encoder, Table, TableOptions
from virtcim.providers.interface import EmbeddedInstance, Properties, RevisedInstance
from virtcim.schema.classes import ClassStore

TABLES = [Table(f"Toy_{number}", ()) for number in range(6)]
START, END = b"<INSTANCE>", b"</INSTANCE>"


def store(cache: InstanceCache, identity: str, size: int, revision: int = 0, now: float = 0.0, table: int = 0) -> None:
    bucket = cache.bucket("n", "C")
    entry = cache.entry(bucket, identity, revision, now)
    cache.store_body(bucket, identity, entry, TABLES[table], (START, b"x" * size, END))


def held(cache: InstanceCache) -> int:
    """The size as it should be."""
    return sum(
        OVERHEAD + len(entry.name or b"") + sum(len(own) for _, own, _ in entry.bodies.values())
        for bucket in cache._buckets.values()
        for entry in bucket.values()
    )


def test_revision() -> None:
    cache = InstanceCache(10_000, 60)
    bucket = cache.bucket("n", "C")
    store(cache, "a", 100)
    assert cache.entry(bucket, "a", 0, 1.0).bodies == {TABLES[0]: (START, b"x" * 100, END)}
    assert cache.entry(bucket, "a", 1, 1.0).bodies == {}
    store(cache, "a", 50, revision=1)
    assert cache.size == held(cache) == OVERHEAD + 50


def test_bodies_are_bounded() -> None:
    cache = InstanceCache(100_000, 60)
    for table in range(6):
        store(cache, "a", 100, table=table)
        store(cache, "a", 150, table=table)
    bodies = cache.entry(cache.bucket("n", "C"), "a", 0, 1.0).bodies
    assert list(bodies) == TABLES[2:]
    assert cache.size == held(cache)


def test_name_and_body_that_are_kept_together_find_room_or_are_left_out() -> None:
    cache = InstanceCache(2 * OVERHEAD + 300, 60)
    bucket = cache.bucket("n", "C")
    for identity, size in (("a", 100), ("a", 150), ("b", 100), ("c", 50)):
        entry = CachedInstance(0, 1.0)
        entry.name = b"n" * 10
        entry.keep_body(TABLES[0], (START, b"x" * size, END))
        cache.store(bucket, identity, entry)
    assert {identity: entry.size for identity, entry in bucket.items()} == {"a": OVERHEAD + 160, "b": OVERHEAD + 110}
    assert cache.size == held(cache)


def names_of(cache: InstanceCache) -> set[object]:
    return set(cache.bucket("n", "C"))


def test_what_is_in_use_stays() -> None:
    cache = InstanceCache(10 * (OVERHEAD + 100), 600)
    for number in range(12):
        store(cache, f"{number}", 100, now=float(number))
    assert names_of(cache) == {f"{number}" for number in range(10)}
    for number in range(5):
        cache.entry(cache.bucket("n", "C"), f"{number}", 0, 100.0)
    store(cache, "new", 100, now=WANTED - 1.0)
    assert names_of(cache) == {f"{number}" for number in range(10)}
    store(cache, "new", 100, now=WANTED + 10.0)
    assert names_of(cache) == {"0", "1", "2", "3", "4", "new"}
    assert cache.size == held(cache)


def test_a_scan_larger_than_the_cache_keeps_its_beginning() -> None:
    """The share that fits is kept, time after time, and looking for room costs next to nothing."""
    cache = InstanceCache(1000 * (OVERHEAD + 100), 600)
    bucket = cache.bucket("n", "C")
    for scan in range(3):
        hits = 0
        for number in range(3000):
            entry = cache.entry(bucket, number, 0, float(scan))
            if entry.bodies:
                hits += 1
            else:
                cache.store_body(bucket, number, entry, TABLES[0], (START, b"x" * 100, END))
        assert hits == (1000 if scan else 0)
    assert cache.size == held(cache)


def test_a_change_takes_the_place_of_its_predecessor() -> None:
    cache = InstanceCache(2 * (OVERHEAD + 100), 600)
    store(cache, "a", 100)
    store(cache, "b", 100)
    store(cache, "a", 90, revision=1)
    store(cache, "c", 100)
    assert names_of(cache) == {"a", "b"}
    assert cache.bucket("n", "C")["a"].revision == 1
    assert cache.size == held(cache)


def test_larger_than_the_cache() -> None:
    cache = InstanceCache(1000, 60)
    store(cache, "a", 5000)
    assert cache.size == held(cache) == 0


def test_vanished_instances_go() -> None:
    cache = InstanceCache(100_000, 60)
    for name in "abc":
        store(cache, name, 10, now=ord(name))
    cache.keep_only(cache.bucket("n", "C"), ["a", "b"])
    assert set(cache.bucket("n", "C")) == {"a", "b"}
    cache.sweep(now=ord("a") + 60.5)
    assert set(cache.bucket("n", "C")) == {"b"}
    assert cache.size == held(cache)
    assert len(cache) == 1


def test_entries_that_are_used_at_one_time_share_the_number() -> None:
    cache = InstanceCache(100_000, 60)
    first = cache.moment
    assert cache.moment is first
    assert wait_until(lambda: cache.moment > first)


def test_what_two_threads_have_written_alike_is_kept_once() -> None:
    cache = InstanceCache(100_000, 60)
    for _ in range(2):
        store(cache, "a", 100)
    assert cache.bucket("n", "C")["a"].bodies == {TABLES[0]: (START, b"x" * 100, END)}
    assert cache.size == held(cache) == OVERHEAD + 100


def test_threads() -> None:
    cache = InstanceCache(50_000, 60)

    def work(seed: int) -> None:
        for number in range(3000):
            store(cache, str((number * seed) % 97), 100 + number % 50, number % 3, float(number), number % 6)
            if number % 500 == 0:
                cache.keep_only(cache.bucket("n", "C"), [str(each) for each in range(50)])
                cache.sweep(now=float(number))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (3, 5, 7)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert cache.size == held(cache)
    assert cache.size <= 50_000


def test_null_properties_are_shared(classes: ClassStore) -> None:
    table = Encoder(classes, "root/toy", "h").table("Toy_Disk", TableOptions())
    table.body({"Name": "first"})  # whose values are the usual ones
    one, other, third = (
        table.body({"Name": name, **more}) for name, more in (("a", {}), ("b", {"Size": None}), ("c", {"Size": 1}))
    )
    assert one[2] is other[2]
    assert one[2] != third[2]
    assert b'<PROPERTY NAME="Size" TYPE="uint64"></PROPERTY>' in one[2]
    assert b"".join(one).decode() == table.instance({"Name": "a"})
    for document in (one, third):
        assert not faults(b"".join(document))


@pytest.mark.parametrize("options", [TableOptions(), TableOptions(class_origin=True)])
def test_what_classes_inherit_has_one_line(classes: ClassStore, options: TableOptions) -> None:
    encoder = Encoder(classes, "root/toy", "h")
    above, below = (encoder.table(name, options).lines for name in ("Toy_System", "Toy_SpecialSystem"))
    assert len(below) > len(above) > 20
    assert {id(line) for line in above} <= {id(line) for line in below}


def test_an_embedded_instance_is_written_once_at_a_revision(server: RunningServer) -> None:
    computed = []

    def written(revision: int) -> str:
        def compute() -> Properties:
            computed.append(revision)
            return {"Name": f"a<{revision}>", "Size": revision}

        return encoder.embedded(RevisedInstance("Toy_Disk", "a", revision, compute))

    encoder = server.cimxml._writers["root/toy"].encoder
    cache = server.cimxml.cache
    first = written(1)
    assert first == encoder.embedded(EmbeddedInstance("Toy_Disk", {"Name": "a<1>", "Size": 1}))
    assert written(1) == first
    assert computed == [1]
    assert "a&amp;lt;2&amp;gt;" in written(2)
    assert computed == [1, 2]
    size = cache.size
    assert written(3) != first
    assert cache.size == size, "one takes the place of the other"


@pytest.mark.parametrize("origin", [True, False])
def test_used_by_the_server(
    server: RunningServer, connection: pywbem.WBEMConnection, toy: Toy, monkeypatch: pytest.MonkeyPatch, origin: bool
) -> None:
    connection.EnumerateInstances("Toy_System", IncludeClassOrigin=origin)
    written = []
    body = Table.body

    def counting(self: Table, properties: Mapping[str, Any]) -> Body:
        written.append(properties["Name"])
        return body(self, properties)

    monkeypatch.setattr(Table, "body", counting)
    connection.EnumerateInstances("Toy_System", IncludeClassOrigin=origin)
    assert written == []
    toy.provider.change("Toy_System", "plain", Caption="new")
    found = connection.EnumerateInstances("Toy_System", IncludeClassOrigin=origin)
    assert written == ["plain"]
    assert {each["Name"]: each["Caption"] for each in found}["plain"] == "new"
    cache = server.cimxml.cache
    before = len(cache)
    del toy.provider.stores["Toy_System"]["plain"]
    connection.EnumerateInstanceNames("Toy_System")
    assert len(cache) == before - 1
    assert cache.size == held(cache)
