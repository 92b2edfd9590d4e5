"""A daemon that is absent, slow, killed, restarted, of another version, or sends what is no answer."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket as sockets
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cbor2
import pytest

from tests.cimom.toy import Toy
from tests.cmpi.broker import ROOT, Broker, path, typed
from tests.cmpi.conftest import CLASSES, Bridge, provider_of
from tests.cmpi.fake import FakeDaemon
from virtcim.cimom.core import Core
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cmpi.codec import FRAME_LIMIT, PROTOCOL_VERSION, greeting, read_request
from virtcim.frontends.cmpi.daemon import CmpiDaemon
from virtcim.frontends.cmpi.frontend import CMPI
from virtcim.frontends.cmpi.settings import CmpiSettings

SYSTEM = path("root/toy", "Toy_System", CreationClassName="Toy_System", Name="plain")
READ = ("enumerate", "Toy", path("root/toy", "Toy_System"), None)
CHANGE = ("invoke", "Toy", SYSTEM, "Change", ("arg", "State", typed("uint16", 1)))

DONE = (2).to_bytes(4, "big") + b"\x81\x00"

NewBroker = Callable[..., Broker]


def test_absent(new_broker: NewBroker, socket: Path) -> None:
    broker = new_broker()
    answer = broker.do(*READ)
    assert answer["rc"] == 1
    assert f"nobody listens on {socket}" in answer["message"]
    assert "systemctl start virtcim" in answer["message"]


def test_a_socket_that_nobody_serves_any_more(new_broker: NewBroker, socket: Path) -> None:
    with sockets.socket(sockets.AF_UNIX) as left_behind:
        left_behind.bind(str(socket))
    assert "not running" in new_broker().do(*READ)["message"]


@pytest.mark.parametrize("words", [READ, CHANGE])
def test_slow(new_broker: NewBroker, socket: Path, words: tuple[object, ...]) -> None:
    with FakeDaemon(socket, lambda connection, _: time.sleep(6)) as fake:
        broker = new_broker(timeout=3)
        begin = time.monotonic()
        answer = broker.do(*words)
        assert time.monotonic() - begin > 2.9
        assert answer["rc"] == 1
        assert "in time" in answer["message"]
        assert ("look before you repeat it" in answer["message"]) == (words is CHANGE)
        assert fake.requests == 1


def test_no_greeting(new_broker: NewBroker, socket: Path) -> None:
    with FakeDaemon(socket, lambda *_: None, hello=None):
        answer = new_broker(timeout=1).do(*READ)
        assert "in time" in answer["message"]


def test_an_answer_byte_by_byte_ends_at_the_limit_of_the_call(new_broker: NewBroker, socket: Path) -> None:
    def trickle(connection: sockets.socket, request: bytes) -> None:
        connection.sendall(b"\0\0\1\0")
        for _ in range(60):
            connection.sendall(b"\x81")
            time.sleep(0.1)

    with FakeDaemon(socket, trickle):
        begin = time.monotonic()
        answer = new_broker(timeout=1).do(*READ)
        assert time.monotonic() - begin > 0.9
        assert "in time" in answer["message"]


def test_a_call_ends_before_sfcb_ends_it_without_a_cause() -> None:
    """`httpReqHandlerTimeout` is 40 s where `sfcb.cfg` does not say otherwise; the page names both times."""
    declared = re.search(r"DEFAULT_TIMEOUT_S = (\d+)", (ROOT / "cmpi" / "library" / "client.c").read_text())
    assert declared is not None
    page = (ROOT / "docs" / "cmpi.md").read_text(encoding="utf-8")
    assert f"a call may take {declared[1]} s" in page
    assert "`httpReqHandlerTimeout` in `sfcb.cfg` (40 s)" in page
    assert int(declared[1]) < 40


@pytest.mark.parametrize(("words", "requests"), [(READ, 2), (CHANGE, 1)])
def test_killed_in_the_middle_of_an_answer(
    new_broker: NewBroker, socket: Path, words: tuple[object, ...], requests: int
) -> None:
    """A read is repeated once on a fresh connection where the first one was an old one; a change never is."""
    first = threading.Event()

    def behave(connection: sockets.socket, _: bytes) -> None:
        if not first.is_set():
            first.set()
            connection.sendall(DONE)
            connection.recv(65536)  # the second request on this connection, left without its answer
            fake.requests += 1
        connection.sendall(b"\0\0\1")

    with FakeDaemon(socket, behave) as fake:
        broker = new_broker()
        broker.good("delete", "Toy", SYSTEM)
        before = fake.requests
        answer = broker.do(*words)
        assert answer["rc"] == 1
        assert "went away during the call" in answer["message"]
        assert ("Whether the change was made" in answer["message"]) == (words is CHANGE)
        assert fake.requests - before == requests


def test_restarted(bridge: Bridge, new_broker: NewBroker, toy: Toy) -> None:
    broker = new_broker()
    for words in (READ, CHANGE, READ, CHANGE):
        assert broker.good(*words)
        bridge.stop()
        assert "not running" in broker.do(*words)["message"]
        bridge.start()
        assert broker.good(*words)
    assert len(toy.provider.calls) == 4


def test_another_version(new_broker: NewBroker, socket: Path) -> None:
    with FakeDaemon(socket, lambda *_: None, hello=greeting("other", version=7)):
        answer = new_broker().do(*READ)
    assert answer["rc"] == 1
    assert f"version {PROTOCOL_VERSION}" in answer["message"]
    assert "version 7" in answer["message"]
    assert "restart the daemon and the CIM server" in answer["message"]


def test_the_daemon_of_another_version_says_so_too(
    toy: Toy, new_broker: NewBroker, socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    core = Core(toy.catalog, CLASSES, ServerSettings())
    daemon = CmpiDaemon(CMPI(core, provider_of), CmpiSettings(socket=socket), version=7)
    daemon.start()
    assert "version 7" in new_broker().do(*READ)["message"]
    daemon.stop()
    assert f"speaks version {PROTOCOL_VERSION}" in caplog.text


@pytest.mark.parametrize(
    "hello", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\1\x80", b"\0\0\0\0", b"\0\0\0\3\x83\1\1"]
)
def test_somebody_else_on_the_socket(new_broker: NewBroker, socket: Path, hello: bytes) -> None:
    with FakeDaemon(socket, lambda *_: None, hello=hello):
        answer = new_broker(timeout=2).do(*READ)
    assert answer["rc"] == 1
    assert "not the bridge protocol" in answer["message"]


def test_users_that_may_not(bridge: Bridge, new_broker: NewBroker, caplog: pytest.LogCaptureFixture) -> None:
    assert bridge.daemon is not None
    bridge.daemon._allowed = {12345}
    answer = new_broker().do(*READ)
    assert answer["rc"] == 1
    assert f"refuses this process (user {os.geteuid()})" in answer["message"]
    assert f"User {os.geteuid()}" in caplog.text


def test_too_many_connections(toy: Toy, new_broker: NewBroker, socket: Path) -> None:
    bridge = Bridge(toy, socket)
    bridge.start(max_connections=1)
    first, second = new_broker(), new_broker()
    first.good(*READ)
    answer = second.do(*READ)
    assert "max_connections" in answer["message"]
    first.close()
    time.sleep(0.1)
    second.good(*READ)
    second.close()
    bridge.stop()


def test_the_socket(toy: Toy, socket: Path) -> None:
    with sockets.socket(sockets.AF_UNIX) as left_behind:
        left_behind.bind(str(socket))
    first, second = Bridge(toy, socket), Bridge(toy, socket)
    first.start()
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError, match="another daemon listens"):
        second.start()
    first.stop()
    assert not socket.exists()
    assert not list(socket.parent.iterdir())
    socket.write_text("precious")
    with pytest.raises(FileExistsError, match="is not a socket"):
        first.start()
    assert socket.read_text() == "precious"


def test_requests_that_are_too_large(bridge: Bridge, new_broker: NewBroker) -> None:
    broker = new_broker()
    answer = broker.do(*CHANGE, ("arg", "Echo", typed("string", "x" * (FRAME_LIMIT + 1))))
    assert answer["rc"] == 1
    assert str(FRAME_LIMIT) in answer["message"]
    broker.good(*CHANGE)


REQUESTS = [
    cbor2.dumps([2, "Toy", None, ["root/toy", "Toy_System", []], [None]]),
    cbor2.dumps([3, "Toy", "me", ["root/toy", "Toy_Single", [["Number", 0xA0, 7]]], [["Text"]]]),
    cbor2.dumps([12, "Toy", "", ["root/toy", "Toy_System", []], ["Count", []]]),
    cbor2.dumps([8, "Toy", None, ["root/toy", "Toy_System", []], [None, None, None, None, None]]),
]

HEADERS = (b"\x9f", b"\xff", b"\x9b" + b"\xff" * 8, b"\x7b" + b"\xff" * 8, b"\xc0", b"\xf6", b"\xa1", b"\xfb\x7f\xf8")
"""CBOR headers that have no place in the protocol, or claim too much."""


def mutated(data: bytes, source: random.Random) -> bytes:
    """`data` with a few bytes changed, left out, put in twice, or its end cut off."""
    changed = bytearray(data)
    for _ in range(source.choice((1, 1, 2, 5))):
        at = source.randrange(len(changed))
        match source.randrange(5):
            case 0:
                changed[at] = source.randrange(256)
            case 1:
                changed[at] ^= 1 << source.randrange(8)
            case 2:
                del changed[at : at + source.randrange(1, 9)]
            case 3:
                changed[at:at] = changed[at : at + source.randrange(1, 9)]
            case _:
                changed[at:at] = source.choice(HEADERS)
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def test_requests_that_are_none_do_the_daemon_no_harm(bridge: Bridge, new_broker: NewBroker) -> None:
    source = random.Random(6)
    for number in range(1000):
        with sockets.socket(sockets.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(bridge.socket))
            connection.sendall(greeting("test"))
            body = mutated(source.choice(REQUESTS), source)
            head = len(body).to_bytes(4, "big") if number % 10 else source.randbytes(4)
            connection.sendall(head + body)
            connection.shutdown(sockets.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(65536):
                    continue
    assert new_broker().good(*READ)
    assert read_request(REQUESTS[1]).principal == "me"


def test_a_request_that_trickles_in_is_given_up(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    def trickle(connection: sockets.socket) -> None:
        for _ in range(99):
            connection.sendall(b"x")
            time.sleep(0.2)

    monkeypatch.setattr("virtcim.frontends.cmpi.daemon.FRAME_TIMEOUT", 0.5)
    with sockets.socket(sockets.AF_UNIX) as connection:
        connection.connect(str(bridge.socket))
        connection.sendall(greeting("test"))
        connection.sendall((100).to_bytes(4, "big"))
        with pytest.raises(ConnectionError):
            trickle(connection)


class Recorder:
    """Real answers, for each operation that the test broker knows."""

    def __init__(self, bridge: Bridge) -> None:
        daemon = bridge.daemon
        assert daemon is not None
        self._answer = daemon._frontend.answer

    def __call__(self, request: bytes) -> bytes:
        return b"".join(self._answer(read_request(request)))


OPERATIONS = [
    ("get", "Toy", path("root/toy", "Toy_System", CreationClassName="Toy_System", Name="typed"), None),
    ("enumerate", "Toy", path("root/toy", "Toy_Disk"), None),
    ("names", "Toy", path("root/toy", "Toy_Named")),
    CHANGE,
    ("references", "Toy_SystemDevice", SYSTEM, None, None, None),
    ("associators", "Toy_SystemDevice", SYSTEM, None, None, None, None, None),
]


@pytest.fixture
def corrupting(bridge: Bridge) -> Iterator[FakeDaemon]:
    """Answers as the daemon would, but for a few bytes."""
    recorder = Recorder(bridge)
    bridge.stop()
    known: dict[bytes, bytes] = {}
    source = random.Random(20)
    lock = threading.Lock()

    def behave(connection: sockets.socket, request: bytes) -> None:
        with lock:
            if request not in known:
                known[request] = recorder(request)
            answer = mutated(known[request], source)
        connection.sendall(answer)

    with FakeDaemon(bridge.socket, behave, threads=4) as fake:
        yield fake


@pytest.mark.parametrize("pegasus", [False, True])
def test_ten_thousand_corrupted_answers(corrupting: FakeDaemon, pegasus: bool, new_broker: NewBroker) -> None:
    """Twice ten thousand, once for each imitation: no fault, no leak, no object left, none of them slow."""
    broker = new_broker(pegasus=pegasus, timeout=5)
    while corrupting.requests < 10_000:
        for words in OPERATIONS:
            answer = broker.good("repeat", 2, 150, words)
            assert answer["errors"] > 0
    assert broker.good("status")["live"] == 0
