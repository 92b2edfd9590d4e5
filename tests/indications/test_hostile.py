"""What a stranger tries: filters of every shape, listeners that play foul, ends that come in the middle."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.bed import wait_until
from tests.indications.parts import Running, Scripted, answer, system
from virtcim.cimom.indications.names import DOUBTFUL_LOOKUPS, LOOKUPS
from virtcim.providers.interface import CIMError, Status

Run = Callable[..., Running]
Listen = Callable[..., Scripted]

CHANGED = "SELECT * FROM CIM_InstModification WHERE "
STATE = "CIM_ComputerSystem::EnabledState"
STATUS = "SourceInstance.CIM_ComputerSystem::OperationalStatus"


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("SourceInstance ISA CIM_ComputerSystem", "abc"),
        ("SourceInstance ISA CIM_System AND NOT SourceInstance ISA CIM_LogicalDisk", "abc"),
        ("PreviousInstance ISA CIM_ComputerSystem", "abc"),
        (f"SourceInstance.{STATE} <> PreviousInstance.{STATE}", "ab"),
        (f"SourceInstance.{STATE} = PreviousInstance.{STATE}", "c"),
        ("SourceInstance.EnabledState > PreviousInstance.EnabledState", "a"),
        (f"{STATUS}[*] = 6", "b"),
        (f"{STATUS}[0] = 2", "abc"),
        (f"{STATUS}[1] = 6", "b"),
        (f"{STATUS}[7] = 6", ""),
        ("SourceInstance.Caption IS NULL", "ab"),
        ("SourceInstance.Caption LIKE '.*'", "c"),
        ("SourceInstance.EnabledState = #'Enabled'", "bc"),
        ("SourceInstance.EnabledState = CIM_EnabledLogicalElement.EnabledState#'Enabled'", "bc"),
        ("SourceInstance.EnabledState = CIM_EnabledLogicalElement::EnabledState#'Disabled'", "a"),
        ("SourceInstance.Name = 'a' OR SourceInstance.Name = 'c'", "ac"),
    ],
)
def test_a_filter_selects_what_it_says(run: Run, listen: Listen, condition: str, told: str) -> None:
    running, listener = run(), listen()
    key = running.subscribe(listener.url, CHANGED + condition)
    running.source.tell(system("a", 2, OperationalStatus=[2]), system("a", 3, OperationalStatus=[2]))
    running.source.tell(system("b", 3, OperationalStatus=[2]), system("b", 2, OperationalStatus=[2, 6]))
    running.source.tell(system("c", 2, OperationalStatus=[2]), system("c", 2, OperationalStatus=[2], Caption="C"))
    queue = running.queue(key)
    assert (queue is None) is (not told)
    wait_until(lambda: queue is None or queue.delivered == len(told))
    assert listener.names() == list(told)


def test_a_destination_that_goes_while_it_is_told_takes_nothing_with_it(run: Run, listen: Listen) -> None:
    """Whoever unsubscribes in the middle of an answer is told no more, and the other goes on."""
    held = threading.Event()

    def hold(number: int, body: bytes) -> bytes:
        held.wait(60)
        return answer()

    running, slow, quick = run(), listen(hold), listen()
    gone = running.subscribe(slow.url, name="gone")
    running.subscribe(quick.url, name="stays")
    for name in "abc":
        running.source.tell(None, system(name))
    slow.wait_for(1)
    subscriptions = running.service.subscriptions
    place = subscriptions.destination(gone)
    assert place is not None
    with pytest.raises(CIMError) as refused:
        subscriptions.remove_destination(place)
    assert refused.value.status is Status.FAILED
    (record,) = subscriptions.subscriptions_of(gone)
    subscriptions.remove_subscription(record.key)
    subscriptions.remove_destination(place)
    held.set()
    wait_until(lambda: running.queue(gone) is None)
    running.source.tell(None, system("d"))
    quick.wait_for(4)
    assert quick.names() == ["a", "b", "c", "d"]
    assert slow.names() == ["a"]
    assert running.store.flush(30)
    wait_until(lambda: not len(running.service.queues._journal._receivers))
    assert not len(running.service.queues._journal._bodies)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_an_answer_that_comes_in_pieces_is_read(run: Run, listen: Listen, size: int) -> None:
    text = b"HTTP/1.1 102 Processing\r\n\r\n" + answer()
    running, listener = run(), listen(lambda number, body: b"")
    key = running.subscribe(listener.url)
    running.source.tell(None, system("a"))
    listener.wait_for(1)
    for start in range(0, len(text), size):
        listener._open[0].sendall(text[start : start + size])
    wait_until(lambda: running.queue(key).delivered == 1)
    assert running.queue(key).failures == 0


def test_a_listener_that_talks_on_is_left(run: Run, listen: Listen) -> None:
    """Ten megabytes that nobody asked for are not kept."""
    running, listener = run(), listen()
    key = running.subscribe(listener.url)
    running.source.tell(None, system("a"))
    wait_until(lambda: running.queue(key).delivered == 1)
    with pytest.raises(OSError):
        listener._open[0].sendall(bytes(10_000_000))
    running.source.tell(None, system("b"))
    wait_until(lambda: running.queue(key).delivered == 2)
    assert listener.connections == 2
    assert running.queue(key).failures == 0


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "only say that another one follows"),
        (CHUNKED + b"1;%b\r\nx\r\n" % (b"a" * 10_000) * 100, "more than 65536 bytes"),
        (CHUNKED + b"0\r\n" + b"a: %b\r\n" % (b"b" * 10_000) * 100, "more than 65536 bytes"),
    ],
)
def test_a_listener_whose_answer_never_comes_to_the_point_is_left(
    run: Run, listen: Listen, text: bytes, reason: str
) -> None:
    running, listener = run(), listen(lambda number, body: text)
    key = running.subscribe(listener.url)
    running.source.tell(None, system("a"))
    wait_until(lambda: running.queue(key).failures)
    assert reason in running.queue(key).last_error


def test_names_that_hang_keep_no_other_name_waiting(run: Run, listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than names are looked up at once, from the second time on."""
    answered = threading.Event()
    ask, asked = socket.getaddrinfo, Counter[str]()

    def hang(host: str, *arguments: Any, **options: Any) -> Any:
        if host.endswith(".example"):
            asked[host] += 1
            if asked[host] > 1:
                answered.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return ask(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    running, listener = run(), listen()
    names = [f"host-{number}.example" for number in range(LOOKUPS + DOUBTFUL_LOOKUPS)]
    for name in names:
        running.subscribe(f"http://{name}:5988", name=name)
    running.source.tell(None, system("a"))
    try:
        wait_until(lambda: len(asked) == len(names))
        wait_until(lambda: sum(asked.values()) - len(names) == DOUBTFUL_LOOKUPS)
        running.subscribe(listener.url.replace("127.0.0.1", "localhost"), name="known")
        running.source.tell(None, system("b"))
        assert listener.wait_for(1)
        assert sum(asked.values()) - len(names) == DOUBTFUL_LOOKUPS
    finally:
        answered.set()
