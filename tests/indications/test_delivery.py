"""Delivery to listeners of every kind: those that work, and those that do not."""

from __future__ import annotations

import re
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.bed import wait_until
from tests.cimom.authority import Authority
from tests.cimom.harness import DTD
from tests.indications.parts import SPACE, SYSTEM, TAKEN, Running, Scripted, answer, system
from virtcim.app import codec, store
from virtcim.app.store import SQLiteStore, read_table
from virtcim.cimom.access import RoleSettings
from virtcim.cimom.indications import journal, queue
from virtcim.cimom.indications.engine import IndicationEngine
from virtcim.cimom.indications.journal import Body, own_properties
from virtcim.cimom.indications.queue import ENTRY_SIZE, RECOVERED_SIZE, DestinationQueue
from virtcim.cimom.indications.records import (
    IndicationBody,
    OnFatalError,
    QueuedIndication,
    Receivers,
    Route,
    SubscriptionState,
)
from virtcim.cimom.indications.relay import RelayedFilter
from virtcim.cimom.indications.settings import DestinationSettings, IndicationSettings
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.cimom.query import parse_select
from virtcim.cimom.recent import Recent
from virtcim.frontends.cimxml.encode import Encoder
from virtcim.frontends.cimxml.export import MAX_FRAMES, CIMXMLExport, _Line, make_client_context
from virtcim.frontends.http.client import Connection
from virtcim.providers.interface import CIMError, EmbeddedInstance, Status
from virtcim.schema.classes import ClassStore

Run = Callable[..., Running]
Listen = Callable[..., Scripted]


def tell(running: Running, *names: str) -> None:
    for name in names:
        running.source.tell(None, system(name))


def test_a_message_is_valid_and_says_what_it_is(run: Run, listen: Listen) -> None:
    running, listener = run(), listen()
    running.subscribe(listener.url)
    running.source.tell(system("a<b>&\"c'", 2), system("a<b>&\"c'", 3))
    (body,) = listener.wait_for(1)
    root = etree.fromstring(body)
    assert DTD.validate(root), DTD.error_log
    assert root.findtext(".//PROPERTY[@NAME='SourceInstanceHost']/VALUE") == "here"
    assert root.findtext(".//PROPERTY[@NAME='IndicationFilterName']/VALUE") == "one"
    previous = etree.fromstring(root.findtext(".//PROPERTY[@NAME='PreviousInstance']/VALUE") or "")
    assert DTD.validate(previous)
    assert previous.findtext("PROPERTY[@NAME='EnabledState']/VALUE") == "2"
    head = listener.heads[0].decode()
    assert head.startswith("POST /path HTTP/1.1\r\n")
    for line in ("CIMExport: MethodRequest", "CIMExportMethod: ExportIndication", f"Host: 127.0.0.1:{listener.port}"):
        assert line in head.split("\r\n")


def test_many_go_over_one_connection_in_order(run: Run, listen: Listen) -> None:
    running, listener = run(), listen()
    running.subscribe(listener.url)
    names = [f"n{number}" for number in range(300)]
    tell(running, *names)
    listener.wait_for(300)
    assert listener.names() == names
    assert listener.numbers() == list(range(300))
    assert listener.connections == 1


def chunked(body: bytes) -> bytes:
    parts = body[:5], body[5:]
    chunks = b"".join(f"{len(part):x};name=value\r\n".encode() + part + b"\r\n" for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "good",
    [
        lambda: chunked(TAKEN),
        lambda: b"HTTP/1.1 100 Continue\r\n\r\n" + answer(),
        lambda: answer(TAKEN, "200 OK", "Connection: close"),
        lambda: answer(TAKEN, "0 (null)", "Connection: Close"),  # of openwsman
        lambda: b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(TAKEN) + TAKEN,
    ],
)
def test_each_way_to_say_yes_is_understood(run: Run, listen: Listen, good: Callable[[], bytes]) -> None:
    running, listener = run(), listen(lambda number, body: good())
    key = running.subscribe(listener.url)
    tell(running, "a", "b")
    wait_until(lambda: running.queue(key).delivered == 2)
    assert listener.names() == ["a", "b"]


def test_a_connection_that_the_listener_closed_meanwhile_costs_no_attempt(run: Run, listen: Listen) -> None:
    running, listener = run(), listen()
    key = running.subscribe(listener.url)
    tell(running, "a")
    wait_until(lambda: running.queue(key).delivered == 1)
    for each in listener._open:
        each.close()
    tell(running, "b")
    wait_until(lambda: running.queue(key).delivered == 2)
    assert running.queue(key).failures == 0
    assert listener.names()[-1] == "b"


def test_an_answer_that_nobody_asked_for_counts_for_nothing(run: Run, listen: Listen) -> None:
    """Two answers at a time: the second one does not stand for the next indication, which has not been sent yet."""
    running = run()
    listener = listen(lambda number, body: answer() + answer() if number == 0 else None if number == 1 else answer())
    key = running.subscribe(listener.url)
    tell(running, "a")
    listener.wait_for(1)
    wait_until(lambda: running.queue(key).delivered == 1)
    tell(running, "b")
    wait_until(lambda: running.queue(key).delivered == 2)
    assert listener.names() == ["a", "b", "b"]
    assert running.queue(key).failures == 1


def test_yes_is_known_again_and_no_is_not_taken_for_it(run: Run, listen: Listen) -> None:
    def numbered(body: bytes, text: bytes) -> bytes:
        (number,) = re.findall(rb'<MESSAGE ID="(\d+)"', body)
        return answer(text.replace(b'ID="1"', b'ID="%b"' % number))

    running = run()
    listener = listen(lambda number, body: numbered(body, REFUSED if number == 2 else TAKEN))
    key = running.subscribe(listener.url)
    tell(running, "a", "b", "c")
    wait_until(lambda: running.queue(key).delivered == 3)
    assert listener.names() == ["a", "b", "c", "c"]
    assert running.queue(key).failures == 1


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><CIM>&c;&c;&c;&c;</CIM>'
)
REFUSED = TAKEN.replace(
    b'<EXPMETHODRESPONSE NAME="ExportIndication"/>',
    b'<EXPMETHODRESPONSE NAME="ExportIndication"><ERROR CODE="1" DESCRIPTION="not today"/></EXPMETHODRESPONSE>',
)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (answer(b"", "404 Not Found"), "HTTP status 404"),
        (answer(b"", "400 Bad Request", "CIMError: header-mismatch"), "header-mismatch"),
        (answer(b"", "302 Found", "Location: http://127.0.0.1:1/"), "HTTP status 302"),
        (answer(b""), "cannot be read"),
        (answer(b"<html>hello</html>"), "no response to an export"),
        (answer(REFUSED), "CIM error 1: not today"),
        (answer(REFUSED, "0 (null)"), "CIM error 1: not today"),
        (answer(TAKEN, "00 OK"), "begins with"),
        (answer(b"x" * 1_000_000), "more than 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", "more than 65536 bytes"),
        (answer(BOMB), "its answer"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "begins with"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "the head of the answer"),
        (answer()[:-20], "no answer in"),
        (None, "ended before"),
        (b"", "no answer in"),
    ],
)
def test_an_answer_that_does_not_say_yes_is_tried_again(
    run: Run, listen: Listen, bad: bytes | None, words: str
) -> None:
    attempts = 3
    running = run(timeout=0.3)
    listener = listen(lambda number, body: bad if number < attempts else answer())
    key = running.subscribe(listener.url)
    errors = set()
    tell(running, "a", "b")
    deadline = time.monotonic() + 30
    while running.queue(key) is None or running.queue(key).delivered < 2:
        if running.queue(key) is not None and running.queue(key).last_error:
            errors.add(running.queue(key).last_error)
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert any(words in each for each in errors), errors
    assert listener.names() == ["a"] * (attempts + 1) + ["b"]
    assert listener.numbers() == [0] * (attempts + 1) + [1]


def test_nobody_waits_for_a_listener_that_hangs(run: Run, listen: Listen) -> None:
    hanging = threading.Event()
    running = run(timeout=60)
    dead = [listen(lambda number, body: hanging.wait(60) and None) for _ in range(20)]
    for number, each in enumerate(dead):
        running.subscribe(each.url, name=f"dead{number}")
    alive = listen()
    running.subscribe(alive.url, name="alive")
    names = [f"n{number}" for number in range(50)]
    tell(running, *names)
    alive.wait_for(50)
    assert alive.names() == names
    hanging.set()


def test_what_goes_to_many_is_written_once(
    run: Run, listen: Listen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[EmbeddedInstance] = []
    kept: list[EmbeddedInstance] = []
    write, make = Encoder.embedded_element, codec._tagged_instance

    def written(encoder: Encoder, value: EmbeddedInstance) -> str:
        sent.append(value)
        return write(encoder, value)

    def made(value: EmbeddedInstance) -> Any:
        kept.append(value)
        return make(value)

    monkeypatch.setattr(Encoder, "embedded_element", written)
    monkeypatch.setattr(codec, "_INSTANCES", Recent(made, 64))
    running = run(retry_first=60.0, retry_interval=60.0)
    dead, alive = listen(lambda number, body: answer(b"", "503 Busy")), listen()
    for number in range(10):
        running.subscribe(dead.url, name=f"dead{number}")
        running.subscribe(alive.url, name=f"alive{number}")
    running.source.tell(system("a", 2), system("a", 3))
    dead.wait_for(10)
    wait_until(lambda: sum(queue.delivered for queue in running.service.queues.all()) == 10)
    assert running.store.flush(30)
    assert len([each for each in sent if each.class_name == SYSTEM]) == 2  # before and after
    assert len(kept) == 2
    file = tmp_path / "state.sqlite"
    ((_, receivers),) = read_table(file, "receivers of queued indication", Receivers)
    assert len(receivers.numbers) == 10
    assert len(read_table(file, "body of queued indication", IndicationBody)) == 1


def test_what_only_one_destination_is_told_has_its_number(schema_classes: ClassStore) -> None:
    """Whatever filters are called: what stands around the number is written once for each of them."""
    export = CIMXMLExport(schema_classes, SPACE, "here", IndicationSettings())
    encoder, body = Encoder(schema_classes, SPACE, "here"), Body("CIM_InstCreation", {}, 0)
    line = _Line(Connection("127.0.0.1", 1, None, 1.0, 1), "", ("http", "127.0.0.1", 1), "/", (), 0.0)
    names = ["0", ">0<", "<VALUE>0</VALUE>", 'NAME="SequenceNumber"', *map(str, range(2 * MAX_FRAMES))]
    for number in (0, 1, 2**63 - 1):
        for name in (None, *names):
            own = own_properties(Route("d", "s", name, "context>0<"), number)
            written = encoder.property_elements(body.class_name, own)
            message = export._message(line, 7, body, own).decode()
            assert written in message
            assert len(line.frames) <= MAX_FRAMES


def test_the_journal_is_empty_when_nothing_waits(run: Run, listen: Listen, tmp_path: Path) -> None:
    busy = listen(lambda number, body: answer(b"", "503 Busy"))
    running = run(retry_first=3600.0, retry_interval=3600.0)
    keys = [running.subscribe(busy.url, name=name) for name in ("a", "b")]
    running.subscribe(busy.url, "SELECT IndicationTime FROM CIM_InstCreation", name="c")
    tell(running, "x")
    busy.wait_for(3)
    assert running.store.flush(30)
    tables = ("receivers of queued indication", Receivers), ("body of queued indication", IndicationBody)
    file = tmp_path / "state.sqlite"
    assert [len(read_table(file, *each)) for each in tables] == [2, 2]
    assert sorted(len(each.numbers) for _, each in read_table(file, *tables[0])) == [1, 2]
    running.stop()
    # What nothing refers to is from a server that ended in between.
    with sqlite3.connect(file) as database:
        database.execute("INSERT INTO record SELECT collection, '9999', value FROM record WHERE collection LIKE 'body%'"
                         " LIMIT 1")  # fmt: skip
    busy.script = lambda number, body: answer()
    again = run()
    wait_until(lambda: all(again.queue(key) is not None and again.queue(key).delivered == 1 for key in keys))
    wait_until(lambda: not any(map(len, again.service.queues.all())))
    assert again.store.flush(30)
    assert [len(read_table(file, *each)) for each in tables] == [0, 0]
    # Sent again as they were.
    assert sorted(map(said, busy.bodies[:3])) == sorted(map(said, busy.bodies[3:]))
    assert [b"SourceInstance" in each for each in busy.bodies[3:]].count(True) == 2


def test_what_an_earlier_version_has_queued_is_sent(run: Run, listen: Listen) -> None:
    busy = listen(lambda number, body: answer(b"", "503 Busy"))
    running = run(retry_first=3600.0, retry_interval=3600.0)
    key = running.subscribe(busy.url)
    whole: dict[str, Any] = {"IndicationIdentifier": "old", "SourceInstance": EmbeddedInstance(SYSTEM, {"Name": "old"})}
    old = QueuedIndication(key, "", "CIM_InstCreation", {**whole, "SequenceNumber": 7}, datetime.now(UTC))
    running.service.queues._journal._single.append(old)
    running.stop()
    busy.script = lambda number, body: answer()
    run()
    busy.wait_for(1)
    assert busy.names() == ["old"]
    assert busy.numbers() == [7]


def test_dead_destinations_cost_next_to_nothing_with_each_change(
    run: Run, listen: Listen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []
    selects = IndicationEngine._selects

    def judge(*given: Any) -> Any:
        judged.append(given[3])
        return selects(*given)

    monkeypatch.setattr(IndicationEngine, "_selects", judge)
    running = run(retry_first=3600.0, retry_interval=3600.0)
    alive, dead = listen(), listen(lambda number, body: answer(b"", "503 Busy"))
    running.subscribe(alive.url, name="alive")
    keys = [running.subscribe(dead.url, name=f"dead{number}") for number in range(20)]
    tell(running, *(f"n{number}" for number in range(30)))
    dead.wait_for(20)
    alive.wait_for(30)
    assert running.store.flush(30)
    # One attempt for each of the dead, one judgement and one record for each change.
    assert len(dead.bodies) == dead.connections == 20
    assert len(judged) == 30
    rows = read_table(tmp_path / "state.sqlite", "receivers of queued indication", Receivers)
    assert len(rows) == 30
    assert all(len(row.numbers) >= 20 for _, row in rows)
    assert [len(running.queue(key)) for key in keys] == [30] * 20


def test_who_takes_nothing_stands_in_no_record_of_those_who_do(
    run: Run, listen: Listen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else that record would be written anew with each answer, instead of going before it is written at all."""
    monkeypatch.setattr(queue, "BEHIND", -1.0)
    go_on = threading.Event()
    alive = listen(lambda number, body: answer() if go_on.wait(60) else None)
    dead = listen(lambda number, body: answer(b"", "503 Busy"))
    running = run(retry_first=3600.0, retry_interval=3600.0)
    dead_keys = [running.subscribe(dead.url, name=f"dead{number}") for number in range(5)]
    tell(running, "a")
    dead.wait_for(5)
    alive_keys = [running.subscribe(alive.url, name=f"alive{number}") for number in range(3)]
    tell(running, "b")
    alive.wait_for(3)

    def rows() -> list[Receivers]:
        assert running.store.flush(30)
        found = read_table(tmp_path / "state.sqlite", "receivers of queued indication", Receivers)
        return [row for _, row in sorted(found, key=lambda each: each[0])]

    first, prompt, behind = rows()
    assert [len(each.numbers) for each in (first, prompt, behind)] == [5, 3, 5]
    assert prompt.body == behind.body
    assert behind.numbers.keys() == first.numbers.keys()
    go_on.set()
    wait_until(lambda: all(running.queue(key).delivered == 1 for key in alive_keys))
    wait_until(lambda: not any(len(running.queue(key)) for key in alive_keys))
    assert rows() == [first, behind]
    running.stop()
    dead.bodies.clear()
    dead.script = lambda number, body: answer()
    again = run()
    dead.wait_for(10)
    wait_until(lambda: all(again.queue(key).delivered == 2 for key in dead_keys))
    assert sorted(zip(dead.names(), dead.numbers(), strict=True)) == [("a", 0)] * 5 + [("b", 1)] * 5


def test_what_cannot_be_written_keeps_nothing_back(run: Run, listen: Listen) -> None:
    """The journal may hold a class that this version does not have any more."""
    busy = listen(lambda number, body: answer(b"", "503 Busy"))
    running = run(retry_first=3600.0, retry_interval=3600.0)
    key = running.subscribe(busy.url)
    gone = QueuedIndication(key, "", "Gone_InstCreation", {"IndicationIdentifier": "old"}, datetime.now(UTC))
    running.service.queues._journal._single.append(gone)
    running.stop()
    busy.script = lambda number, body: answer()
    again = run()
    wait_until(lambda: again.queue(key) is not None and again.queue(key).dropped == 1)
    tell(again, "new")
    busy.wait_for(1)
    assert busy.names() == ["new"]


def test_an_alert_is_written_at_once(run: Run, listen: Listen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "GATHER", 3600.0)
    running = run(retry_first=3600.0, retry_interval=3600.0)
    busy = listen(lambda number, body: answer(b"", "503 Busy"))
    running.subscribe(busy.url, "SELECT * FROM CIM_AlertIndication")
    running.source.alert(MessageID="TOY1")
    wait_until(lambda: read_table(tmp_path / "state.sqlite", "receivers of queued indication", Receivers))


def test_an_indication_for_very_many_is_in_several_records(
    run: Run, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MAX_RECEIVERS", 3)
    busy = listen(lambda number, body: answer(b"", "503 Busy"))
    running = run(retry_first=3600.0, retry_interval=3600.0)
    keys = [running.subscribe(busy.url, name=f"n{number}") for number in range(10)]
    tell(running, "x", "y")
    busy.wait_for(10)
    running.stop()
    busy.bodies.clear()
    busy.script = lambda number, body: answer()
    again = run()
    assert sorted(busy.names() if busy.wait_for(20) else ()) == ["x"] * 10 + ["y"] * 10
    wait_until(lambda: all(again.queue(key).delivered == 2 for key in keys))


def test_routes_on_which_nothing_waits_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_UNUSED", 5)
    file = SQLiteStore(tmp_path / "state.sqlite")
    try:
        kept = journal.Journal(file, "toy")
        body = journal.Body("CIM_InstCreation", {}, 1)
        (first,) = kept.append(body, [[(Route("place", "first", None, "context"), 0)]], datetime.now(UTC))
        for number in range(100):
            (key,) = kept.append(body, [[(Route("place", f"later {number}", None, "context"), 0)]], datetime.now(UTC))
            kept.remove(key)
            kept.remove(key)
        assert file.flush(30)
        assert len(read_table(tmp_path / "state.sqlite", "route of toy", Route)) < 12
        ((key, waiting),) = kept.items()
        assert (key, waiting.subscription) == (first, "first")
    finally:
        file.close()


def said(body: bytes) -> list[bytes]:
    """What a message says, without its number, and in whichever order."""
    (instance,) = etree.fromstring(body).iter("INSTANCE")
    return sorted(map(etree.tostring, instance))


def test_what_waits_is_bounded_and_accounted_for(run: Run, listen: Listen) -> None:
    running = run(queue_length=5, retry_first=0.2, retry_interval=0.2)
    silent = listen(lambda number, body: answer(b"", "503 Busy"))
    key = running.subscribe(silent.url)
    tell(running, *(f"n{number}" for number in range(20)))
    queue = running.queue(key)
    assert len(queue) == 5
    assert queue.dropped == 15
    silent.script = lambda number, body: answer()
    wait_until(lambda: not len(queue))
    assert silent.names()[-4:] == ["n16", "n17", "n18", "n19"]
    assert queue.size == 0


def test_all_that_waits_is_bounded_at_the_cost_of_who_has_most(run: Run, listen: Listen) -> None:
    running = run(max_queued_bytes=20_000, retry_first=60.0, retry_interval=60.0)
    silent, other = (listen(lambda number, body: answer(b"", "503 Busy")) for _ in range(2))
    much = running.subscribe(silent.url, "SELECT * FROM CIM_InstCreation", name="much")
    little = running.subscribe(other.url, "SELECT * FROM CIM_InstDeletion", name="little")
    tell(running, *(f"n{number}" for number in range(50)))
    running.source.tell(system("gone"), None)
    queues = running.queue(much), running.queue(little)
    assert [queue.dropped > 0 for queue in queues] == [True, False]
    assert [len(queue) + queue.dropped for queue in queues] == [50, 1]
    each = queues[1].size
    assert 20_000 - 2 * each < sum(queue.size for queue in queues) <= 20_000


def test_many_destinations_of_one_user_take_nothing_from_another(run: Run, listen: Listen) -> None:
    """Whose indications take most loses his oldest, and to find them costs the same for each of his destinations."""
    running = run(max_queued_bytes=100_000, retry_first=60.0, retry_interval=60.0)
    silent = listen(lambda number, body: answer(b"", "503 Busy"))
    ann, mallory = (Principal(name, Mechanism.PASSWORD) for name in ("ann", "mallory"))
    little = running.subscribe(silent.url, "SELECT * FROM CIM_InstDeletion", name="little", principal=ann)
    many = [
        running.subscribe(silent.url, "SELECT * FROM CIM_InstCreation", name=f"many{number}", principal=mallory)
        for number in range(50)
    ]
    for number in range(20):
        running.source.tell(system(f"n{number}"), None)
    queues = running.service.queues
    listings: list[bool] = []

    def listed() -> Sequence[DestinationQueue]:
        listings.append(True)
        return queues.all()

    queues.memory.sources = [listed]
    tell(running, *(f"n{number}" for number in range(20)))
    theirs = [running.queue(key) for key in many]
    assert running.queue(little).dropped == 0
    assert len(running.queue(little)) == 20
    # They lose alike.
    assert {len(queue) for queue in theirs} <= {min(map(len, theirs)), min(map(len, theirs)) + 1}
    assert sum(queue.dropped for queue in theirs) > 500
    assert sum(len(queue) + queue.dropped for queue in theirs) == 1000
    assert queues.memory.size <= 100_000 < sum(queue.size for queue in queues.all())
    assert len(listings) <= 20


def test_what_several_are_told_takes_its_memory_once(run: Run, listen: Listen) -> None:
    """Else a flood of changes is lost to listeners who are only slow, where there are many of them."""
    running = run(max_queued_bytes=100_000, retry_first=60.0, retry_interval=60.0)
    silent = listen(lambda number, body: answer(b"", "503 Busy"))
    keys = [running.subscribe(silent.url, name=f"one{number}") for number in range(20)]
    tell(running, *(f"n{number}" for number in range(10)))
    queues, memory = [running.queue(key) for key in keys], running.service.queues.memory
    assert {(len(queue), queue.dropped) for queue in queues} == {(10, 0)}
    assert sum(queue.size for queue in queues) > 100_000
    assert memory.size == queues[0].size + 19 * 10 * ENTRY_SIZE
    for each in queues[1:]:
        each.clear()
    assert memory.size == queues[0].size
    queues[0].clear()
    assert memory.size == 0


def test_what_waits_for_cim_servers_is_bounded_with_the_rest(
    run: Run, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    running = run(max_queued_bytes=20_000, retry_first=60.0, retry_interval=60.0)
    silent = listen(lambda number, body: answer(b"", "503 Busy"))
    little = running.subscribe(silent.url, "SELECT * FROM CIM_InstDeletion")
    relay = running.service.relay
    server = relay.connect()
    server.name_filters([RelayedFilter("", SPACE, "SELECT * FROM CIM_InstCreation")])
    tell(running, *(f"n{number}" for number in range(50)))
    running.source.tell(system("gone"), None)
    (queue,) = relay.queues()
    assert queue.dropped > 0
    assert [len(queue) + queue.dropped, len(running.queue(little)), running.queue(little).dropped] == [50, 1, 0]
    together = queue.size + running.queue(little).size
    assert 20_000 - 2 * running.queue(little).size < together <= 20_000
    figures = {name: read() for name, _, read in running.service.figures()}
    assert figures["indications_waiting"] == len(queue) + 1
    assert figures["indications_waiting_bytes"] == together
    assert figures["indications_dropped"] == queue.dropped
    assert f"{queue.name}: the oldest are dropped" in caplog.text
    server.close()
    # What an earlier run has left counts as well.
    assert running.store.flush(10)
    running.stop()
    again = run(max_queued_bytes=3 * (RECOVERED_SIZE + ENTRY_SIZE))
    assert len(again.service.relay.queues()[0]) + len(again.queue(little)) == 3


def test_nobody_subscribes_without_end(run: Run) -> None:
    running = run(max_per_user=20, max_subscriptions=25)
    ann, bob = (Principal(name, Mechanism.PASSWORD) for name in ("ann", "bob"))

    def subscribe(principal: Principal, number: int) -> None:
        running.subscribe("http://127.0.0.1:9", name=f"{principal.name}{number}", principal=principal)

    for number in range(20):
        subscribe(ann, number)
    with pytest.raises(CIMError) as refused:
        subscribe(ann, 20)
    assert refused.value.status is Status.SERVER_LIMITS_EXCEEDED
    assert "ann has 20; see max_per_user" in refused.value.description
    for number in range(5):
        subscribe(bob, number)
    with pytest.raises(CIMError) as refused:
        subscribe(bob, 5)
    assert refused.value.status is Status.SERVER_LIMITS_EXCEEDED
    assert "there are 25; see max_subscriptions" in refused.value.description
    assert len(running.service.subscriptions.subscriptions()) == 25


def test_all_queries_of_a_user_have_a_length_that_is_bounded(run: Run) -> None:
    """Each is held against each change: the longest that there may be, a thousand times, would keep others waiting."""
    query = "SELECT * FROM CIM_InstIndication"
    ann, bob = (Principal(name, Mechanism.PASSWORD) for name in ("ann", "bob"))

    def subscribe(principal: Principal, number: int) -> None:
        running.subscribe("http://127.0.0.1:9", query, name=f"{principal.name}{number}", principal=principal)

    running = run(max_query_characters=3 * len(query) + 20)
    for number in range(3):
        subscribe(ann, number)
    with pytest.raises(CIMError, match="the queries of ann have 128 characters; see max_query_characters") as refused:
        subscribe(ann, 3)
    assert refused.value.status is Status.SERVER_LIMITS_EXCEEDED
    subscribe(bob, 0)
    subscriptions = running.service.subscriptions
    (first,) = subscriptions.filters_named("CIM_IndicationFilter", "ann0")
    with pytest.raises(CIMError, match="the queries of ann have 129 characters"):
        subscriptions.replace_filter(replace(first, query=f"{query}{' ' * 33}"))
    subscriptions.replace_filter(replace(first, query=f"{query}{' ' * 20}"))
    # What was kept before counts after a restart; what is removed counts no more.
    running.stop()
    running = run(max_query_characters=3 * len(query) + 20)
    subscriptions = running.service.subscriptions
    (first,) = subscriptions.filters_named("CIM_IndicationFilter", "ann0")
    with pytest.raises(CIMError, match="max_query_characters"):
        subscriptions.add_filter(replace(first, name="further"))
    for record in subscriptions.subscriptions_of(first.key):
        subscriptions.remove_subscription(record.key)
    subscriptions.remove_filter(first)
    subscriptions.add_filter(replace(first, name="further"))


def test_ten_thousand_attempts_of_one_user_meet_the_limit(run: Run) -> None:
    running = run()
    ann = Principal("ann", Mechanism.PASSWORD)
    for number in range(1000):
        running.subscribe("http://127.0.0.1:9", name=f"n{number}", principal=ann)
    for number in range(1000, 10_000):
        with pytest.raises(CIMError, match="ann has 1000; see max_per_user") as refused:
            running.subscribe("http://127.0.0.1:9", name=f"n{number}", principal=ann)
        assert refused.value.status is Status.SERVER_LIMITS_EXCEEDED
    assert len(running.service.subscriptions.subscriptions()) == 1000


def test_a_subscription_costs_the_same_among_ten_thousand(
    run: Run, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, listener = run(max_per_user=10_001, max_subscriptions=10_001, max_query_characters=10**7), listen()
    subscriptions = running.service.subscriptions
    looked: list[str] = []
    compiled: list[str] = []
    items, parse = store._Table.items, parse_select

    def listed(table: Any) -> Any:
        looked.append(table.name)
        return items(table)

    def parsed(language: str, query: str) -> Any:
        compiled.append(query)
        return parse(language, query)

    monkeypatch.setattr(store._Table, "items", listed)
    monkeypatch.setattr("virtcim.cimom.indications.filters.parse_select", parsed)
    disks = "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_LogicalDisk"
    for number in range(10_000):
        running.subscribe("http://127.0.0.1:9", disks, name=f"disk{number}")
    running.subscribe(listener.url, "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ComputerSystem")
    record = subscriptions.subscriptions_of(subscriptions.filters_named("CIM_IndicationFilter", "disk7")[0].key)[0]
    subscriptions.set_state(record.key, SubscriptionState.DISABLED)
    subscriptions.remove_subscription(record.key)
    # Each looks at no other one, and what was compiled once is not compiled anew.
    assert looked == []
    assert len(compiled) == 2
    # A change concerns just those who want its class.
    assert len(subscriptions.served) == 10_000
    (served,) = subscriptions.served.of_class("CIM_InstCreation", SYSTEM)
    assert served.filter_name == "one"
    tell(running, "a")
    listener.wait_for(1)
    assert [queue.key for queue in running.service.queues.all()] == [served.destination]


def test_a_name_that_nobody_knows_delays_nobody(run: Run, listen: Listen) -> None:
    running, listener = run(), listen()
    unknown = running.subscribe("http://no-such-host.invalid:5988", name="unknown")
    running.subscribe(listener.url, name="known")
    tell(running, "a", "b")
    listener.wait_for(2)
    wait_until(lambda: running.queue(unknown).failures >= 2)
    assert "its name is not known" in running.queue(unknown).last_error
    assert len(running.queue(unknown)) == 2
    record = running.service.subscriptions.destination(unknown)
    assert record is not None
    running.service.subscriptions.replace_destination(replace(record, url=listener.url))
    wait_until(lambda: running.queue(unknown).delivered == 2)


def test_what_is_too_old_is_given_up(run: Run, listen: Listen) -> None:
    running = run(retry_attempts=1, retry_interval=0.02)  # a lifetime of 0.2 s
    dead = listen(lambda number, body: answer(b"", "500 No"))
    ignoring = running.subscribe(dead.url, name="ignore")
    running.subscribe(dead.url, name="disable", policy=OnFatalError.DISABLE)
    running.subscribe(dead.url, name="remove", policy=OnFatalError.REMOVE)
    patient = running.subscribe(dead.url, name="patient", policy=OnFatalError.REMOVE, FailureTriggerTimeInterval=3600)
    transient = running.subscribe(dead.url, name="transient", is_transient=True)
    tell(running, "a")
    subscriptions = running.service.subscriptions
    wait_until(lambda: len(subscriptions.subscriptions()) == 3)
    wait_until(lambda: running.queue(ignoring).dropped == running.queue(patient).dropped == 1)
    wait_until(
        lambda: (
            {each.state for each in subscriptions.subscriptions()}
            == {SubscriptionState.ENABLED_DEGRADED, SubscriptionState.DISABLED}
        ),
    )
    wait_until(lambda: subscriptions.destination(transient) is None)


def test_a_restart_goes_on_where_the_last_run_ended(run: Run, listen: Listen) -> None:
    listener = listen(lambda number, body: answer(b"", "503 Away"))
    running = run(retry_first=5.0)
    key = running.subscribe(listener.url)
    tell(running, "a", "b", "c")
    listener.wait_for(1)
    assert running.store.flush(10)
    running.stop()
    listener.script = lambda number, body: answer()
    again = run()
    tell(again, "d")
    wait_until(lambda: again.queue(key).delivered == 4)
    assert listener.names() == ["a", "a", "b", "c", "d"]
    assert listener.numbers() == [0, 0, 1, 2, 0]


def test_a_destination_that_is_changed_is_tried_at_once(run: Run, listen: Listen) -> None:
    running = run(retry_first=3600.0, retry_interval=3600.0)
    wrong, right = listen(lambda number, body: answer(b"", "404 Gone")), listen()
    key = running.subscribe(wrong.url)
    tell(running, "a")
    wait_until(lambda: running.queue(key) is not None and running.queue(key).failures == 1)
    record = running.service.subscriptions.destination(key)
    assert record is not None
    running.service.subscriptions.replace_destination(replace(record, url=right.url))
    right.wait_for(1)


def test_nobody_is_told_what_he_may_not_read(run: Run, listen: Listen) -> None:
    listener, reader = listen(), Principal("reader", Mechanism.PASSWORD)
    running = run()
    running.subscribe(listener.url, name="told")
    running.subscribe(listener.url, name="reader", principal=reader)
    running.stop()
    # A role that is taken away counts for what was subscribed to before.
    again = run(roles=RoleSettings(read=(), administer=()))
    with pytest.raises(CIMError) as refused:
        again.subscribe(listener.url, name="another", principal=reader)
    assert refused.value.status is Status.ACCESS_DENIED
    tell(again, "a", "b")
    listener.wait_for(2)
    assert {each.count(b"<VALUE>told</VALUE>") for each in listener.bodies} == {1}


class Secure:
    """Listeners with HTTPS, and what the server needs to speak to them."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.server = authority.server()
        self.client = authority.issue("client.pem", "virtcim", client=True)

    def context(self, asks: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        if asks:
            context.load_verify_locations(self.authority.file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture
def secure(tmp_path: Path) -> Secure:
    return Secure(Authority(tmp_path / "authority"))


def test_https_shows_and_verifies_certificates(run: Run, listen: Listen, secure: Secure) -> None:
    asking = listen(tls=secure.context(asks=True))
    settings = DestinationSettings(ca=secure.authority.file, certificate=secure.client, key=secure.client)
    running = run(tls={"127.0.0.1": settings})
    key = running.subscribe(asking.url)
    tell(running, "a", "b")
    wait_until(lambda: running.queue(key).delivered == 2)
    assert asking.connections == 1
    assert (("commonName", "virtcim"),) in asking.peers[0]["subject"]


@pytest.mark.parametrize(("known", "shows", "words"), [(False, True, "certificate is not taken"), (True, False, "")])
def test_https_that_does_not_fit_delivers_nothing(
    run: Run,
    listen: Listen,
    secure: Secure,
    known: bool,
    shows: bool,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asking = listen(tls=secure.context(asks=True))
    other = Authority(secure.authority.directory / "other", "Other")
    certificate = secure.client if shows else None
    settings = DestinationSettings(
        ca=secure.authority.file if known else other.file, certificate=certificate, key=certificate
    )
    running = run(tls={f"127.0.0.1:{asking.port}": settings})
    key = running.subscribe(asking.url)
    tell(running, "a")
    wait_until(lambda: running.queue(key) is not None and running.queue(key).failures >= 2)
    assert words in caplog.text or (shows and "[SSL: " in caplog.text)  # which end says it first is a matter of chance
    assert running.queue(key).delivered == 0
    assert asking.bodies == []


def test_destinations_share_what_is_set_for_them(
    run: Run, listen: Listen, secure: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Authorities take a megabyte: a thousand destinations at one time have them once."""
    made: list[DestinationSettings] = []

    def make(settings: DestinationSettings) -> ssl.SSLContext:
        made.append(settings)
        return make_client_context(settings)

    monkeypatch.setattr("virtcim.frontends.cimxml.export.make_client_context", make)
    listener = listen(tls=secure.context())
    running = run(tls={"*": DestinationSettings(ca=secure.authority.file)})
    keys = [running.subscribe(listener.url, name=f"n{number}") for number in range(20)]
    tell(running, "a")
    wait_until(lambda: all(running.queue(key).delivered for key in keys))
    assert len(made) == 1


def test_certificates_that_cannot_be_used_are_tried_again(run: Run, listen: Listen, secure: Secure) -> None:
    """What fails is not kept: nothing of the file need look otherwise when it can be used."""
    listener, missing = listen(tls=secure.context()), secure.authority.directory / "missing.pem"
    running = run(tls={"*": DestinationSettings(ca=missing)}, check_seconds=3600.0)
    keys = [running.subscribe(listener.url, name=f"n{number}") for number in range(3)]
    tell(running, "a")
    wait_until(lambda: all(running.queue(key) and running.queue(key).failures >= 2 for key in keys))
    assert "the certificates for it cannot be used" in running.queue(keys[0]).last_error
    missing.write_bytes(secure.authority.file.read_bytes())
    wait_until(lambda: all(running.queue(key).delivered for key in keys))


def test_certificates_are_read_again(run: Run, listen: Listen, secure: Secure) -> None:
    asking = listen(tls=secure.context(asks=True))
    shown = secure.authority.directory / "shown.pem"
    expired = secure.authority.issue("expired.pem", "virtcim", days=-1, client=True)
    shown.write_bytes(expired.read_bytes())
    settings = DestinationSettings(ca=secure.authority.file, certificate=shown, key=shown)
    running = run(tls={"*": settings}, check_seconds=0.01)
    key = running.subscribe(asking.url)
    tell(running, "a")
    wait_until(lambda: running.queue(key) is not None and running.queue(key).failures >= 1)
    shown.write_bytes(secure.client.read_bytes())
    wait_until(lambda: running.queue(key).delivered == 1)


def test_authorities_of_the_system_are_read_again(
    run: Run, listen: Listen, secure: Secure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "system.pem"
    system.write_bytes(Authority(tmp_path / "other", "Other").file.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    listener = listen(tls=secure.context())
    running = run(check_seconds=0.01)
    key = running.subscribe(listener.url)
    tell(running, "a")
    wait_until(lambda: running.queue(key) is not None and running.queue(key).failures >= 1)
    system.write_bytes(secure.authority.file.read_bytes())
    wait_until(lambda: running.queue(key).delivered == 1)


def test_a_full_disk_keeps_nobody_from_being_told(run: Run, listen: Listen, caplog: pytest.LogCaptureFixture) -> None:
    running, listener = run(), listen()
    key = running.subscribe(listener.url)
    assert running.store.flush(10)
    file: Any = running.store._file
    written, file.write = file.write, lambda changes, whole: False
    tell(running, *(f"n{number}" for number in range(20)))
    wait_until(lambda: running.queue(key).delivered == 20)
    file.write = written
    assert running.store.flush(10)
