"""Consoles by WebSocket: who gets one, with what, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest

from tests.bed import wait_until
from tests.cimom.harness import RunningServer
from tests.cimom.toy import Toy
from tests.frontends.client import Client, basic
from tests.frontends.conftest import CLASSES, NameIsPassword, access
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.cimom.requests import Caller
from virtcim.frontends.http.auth import BasicAuthenticator
from virtcim.frontends.rest import consoles as rest_consoles
from virtcim.frontends.rest.answers import Refusal
from virtcim.frontends.rest.consoles import (
    MAX_OPEN_PER_USER,
    MAX_TICKETS_PER_USER,
    TICKET_SECONDS,
    Console,
    Consoles,
)
from virtcim.frontends.rest.frontend import REST
from virtcim.providers.interface import CIMError, Status

CONSOLE = "/api/namespaces/root%2Ftoy/consoles/guest/serial"


class Echo:
    """A console that gives back what it is sent."""

    def __init__(self) -> None:
        self.waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.closed = False

    def read(self) -> bytes:
        return self.waiting.get()

    def write(self, data: bytes) -> None:
        self.waiting.put(b"" if data == b"end" else data.upper())

    def close(self) -> None:
        self.closed = True
        self.waiting.put(b"")


class Opener:
    """Opens consoles of any guest but one."""

    def __init__(self) -> None:
        self.opened: list[Echo] = []
        self.failure = ""
        self.meanwhile: Callable[[], Any] = lambda: None

    def check(self, namespace: str, name: str, kind: str) -> None:
        if name == "nobody":
            raise CIMError(Status.NOT_FOUND, f"No guest {name} in {namespace}")

    def open(self, namespace: str, name: str, kind: str) -> Console:
        if self.failure:
            raise CIMError(Status.FAILED, self.failure)
        self.meanwhile()
        self.opened.append(Echo())
        return self.opened[-1]


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
def server(toy: Toy, opener: Opener) -> Iterator[RunningServer]:
    authenticator = BasicAuthenticator([NameIsPassword()], delay=0.0)
    running = RunningServer(toy.catalog, CLASSES, authenticator=authenticator, access=access())
    (rest,) = (each for each in running.server.frontends if isinstance(each, REST))
    rest.consoles = Consoles(opener)
    yield running
    running.stop()
    assert not running.errors


@pytest.fixture
def browser(server: RunningServer) -> Client:
    client = Client(server.port)
    client.log_in("operator")
    return client


def ticket(client: Client) -> str:
    answer = client.ask("POST", f"{CONSOLE}/tickets")
    assert answer.status == 201, answer.body
    href: str = answer.json["href"]
    return href


Talk = Callable[[aiohttp.ClientWebSocketResponse], Any]


def converse(client: Client, target: str, talk: Talk, **headers: str) -> Any:
    """Open a console, and have a coroutine talk to it; the status where it is refused."""

    async def run() -> Any:
        given = {name: value for name, value in {**client.headers, **headers}.items() if name != "X-Virtcim-Request"}
        async with aiohttp.ClientSession(headers=given) as session:
            opening: AbstractAsyncContextManager[Any] = session.ws_connect(
                f"http://127.0.0.1:{client.port}{target}", protocols=("binary",)
            )
            try:
                async with asyncio.timeout(60), opening as socket:
                    return await talk(socket)
            except aiohttp.WSServerHandshakeError as refused:
                return refused.status

    return asyncio.run(run())


async def say_hello(socket: aiohttp.ClientWebSocketResponse) -> Any:
    assert socket.protocol == "binary"
    await socket.send_bytes(b"hello")
    return await socket.receive_bytes()


async def wait_for_end(socket: aiohttp.ClientWebSocketResponse) -> Any:
    message = await socket.receive()
    assert message.type is aiohttp.WSMsgType.CLOSE
    return message.extra


def test_both_directions_and_the_end(browser: Client, opener: Opener) -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse) -> Any:
        found = [await say_hello(socket)]
        await socket.send_str("text")
        found.append(await socket.receive_bytes())
        await socket.send_bytes(b"end")
        await wait_for_end(socket)
        return found

    assert converse(browser, ticket(browser), talk) == [b"HELLO", b"TEXT"]
    wait_until(lambda: opener.opened[0].closed)


def test_a_client_that_goes_closes_its_console(browser: Client, opener: Opener) -> None:
    assert converse(browser, ticket(browser), say_hello) == b"HELLO"
    wait_until(lambda: opener.opened[0].closed)


def test_a_ticket_is_good_once(browser: Client, opener: Opener) -> None:
    target = ticket(browser)
    assert converse(browser, target, say_hello) == b"HELLO"
    assert converse(browser, target, say_hello) == 403
    assert len(opener.opened) == 1


def test_a_stolen_ticket(server: RunningServer, browser: Client, opener: Opener) -> None:
    thief = Client(server.port)
    thief.log_in("root")
    assert converse(thief, ticket(browser), say_hello) == 403
    again = Client(server.port)
    again.log_in("operator")
    assert converse(again, ticket(browser), say_hello) == 403
    assert converse(Client(server.port), ticket(browser), say_hello) == 401
    assert not opener.opened


@pytest.mark.parametrize(
    "change", [("serial", "vnc"), ("guest", "other"), ("ticket=", "ticket=x"), ("toy", "far"), ("?", "?x=1&")]
)
def test_a_ticket_for_something_else(browser: Client, opener: Opener, change: tuple[str, str]) -> None:
    expected = b"HELLO" if change[0] == "?" else 403
    assert converse(browser, ticket(browser).replace(*change, 1), say_hello) == expected


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}])
def test_pages_from_elsewhere(browser: Client, opener: Opener, headers: dict[str, str]) -> None:
    target = ticket(browser)
    assert converse(browser, target, say_hello, **headers) in {403, 421}
    own = f"http://127.0.0.1:{browser.port}"
    assert converse(browser, target, say_hello, Origin=own) == b"HELLO"


def test_readers_have_no_consoles(server: RunningServer, browser: Client) -> None:
    reader = Client(server.port, {"Authorization": basic("reader")})
    answer = reader.ask("POST", f"{CONSOLE}/tickets")
    assert (answer.status, answer.json["name"]) == (403, "ACCESS_DENIED")


def test_why_there_is_none(browser: Client, opener: Opener) -> None:
    answer = browser.ask("POST", f"{CONSOLE}/tickets".replace("guest", "nobody"))
    assert (answer.status, "nobody" in answer.json["message"]) == (404, True)
    assert browser.ask("POST", f"{CONSOLE}/tickets".replace("serial", "telepathy")).status == 404
    assert browser.ask("GET", f"{CONSOLE}/tickets").status == 405
    assert browser.ask("GET", ticket(browser)).status == 426
    assert browser.ask("POST", f"{CONSOLE}/tickets", X_Virtcim_Request=None).status == 403
    assert browser.ask("POST", f"{CONSOLE}/tickets", Content_Type=None).status == 201
    opener.failure = "the cable is out \U0001f427" * 20
    reason = converse(browser, ticket(browser), wait_for_end)
    assert reason.startswith("the cable is out")


def test_a_console_ends_with_its_session(browser: Client, opener: Opener) -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse) -> Any:
        await say_hello(socket)
        answer = await asyncio.to_thread(browser.ask, "DELETE", "/api/session")
        await wait_for_end(socket)
        return answer.status

    assert converse(browser, ticket(browser), talk) == 204
    wait_until(lambda: opener.opened[0].closed)


def test_a_console_that_is_opened_while_somebody_logs_out_ends(browser: Client, opener: Opener) -> None:
    opener.meanwhile = lambda: browser.ask("DELETE", "/api/session")
    converse(browser, ticket(browser), wait_for_end)
    wait_until(lambda: opener.opened[0].closed)


def test_consoles_on_the_way_count(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_consoles, "MAX_OPEN", 2)
    consoles, caller = Consoles(opener), Caller(Principal("a", Mechanism.PASSWORD))
    with consoles.place(caller), consoles.place(caller):
        assert len(consoles) == 2
        with pytest.raises(Refusal), consoles.place(caller):
            pass
    assert len(consoles) == 0


def test_one_user_takes_neither_all_consoles_nor_all_tickets(opener: Opener) -> None:
    consoles, target = Consoles(opener), ("root/toy", "guest", "vnc")
    mallory, ann = (Caller(Principal(name, Mechanism.PASSWORD)) for name in ("mallory", "ann"))
    tickets = [consoles.issue(target, mallory, None) for _ in range(MAX_TICKETS_PER_USER)]
    with pytest.raises(Refusal, match="asked for") as refused:
        consoles.issue(target, mallory, None)
    assert refused.value.status == 503
    consoles.redeem(consoles.issue(target, ann, None), target, ann, None)
    with contextlib.ExitStack() as places:
        for _ in range(MAX_OPEN_PER_USER):
            places.enter_context(consoles.place(mallory))
        with pytest.raises(Refusal, match="are open"):
            consoles.redeem(tickets[0], target, mallory, None)
        with pytest.raises(Refusal, match="are open"), consoles.place(mallory):
            pass
        with consoles.place(ann):
            assert len(consoles) == MAX_OPEN_PER_USER + 1
    assert len(consoles) == 0
    # A ticket that was used counts no more.
    consoles.issue(target, mallory, None)


def test_a_ticket_is_good_for_a_while_only(opener: Opener) -> None:
    now = [0.0]
    consoles = Consoles(opener, lambda: now[0])
    caller = Caller(Principal("a", Mechanism.PASSWORD))
    target = ("root/toy", "guest", "vnc")
    early, late = (consoles.issue(target, caller, None) for _ in range(2))
    now[0] = TICKET_SECONDS - 1
    consoles.redeem(early, target, caller, None)
    now[0] = TICKET_SECONDS + 1
    with pytest.raises(Refusal) as refused:
        consoles.redeem(late, target, caller, None)
    assert refused.value.status == 403
