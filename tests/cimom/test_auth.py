"""HTTP Basic authentication."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import pywbem
from passlib.apache import HtpasswdFile
from passlib.hash import bcrypt, sha256_crypt, sha512_crypt

from tests.cimom.harness import RawClient, RunningServer, extrinsic, intrinsic, system, value
from tests.cimom.toy import Toy
from virtcim.cimom.principals import NOBODY, Mechanism, Principal
from virtcim.frontends.http.auth import (
    AuthenticationBusy,
    BasicAuthenticator,
    Htpasswd,
    NoAuthentication,
    NoPasswords,
    PasswordFile,
    Verifier,
)

NAMES = intrinsic("EnumerateClassNames")
USER = Principal("u", Mechanism.PASSWORD)


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("virtcim:s3cret\nj\u00f6rg:pass:w\u00f6rd\n", encoding="utf-8")
    return path


class Counting(Verifier):
    """Knows one password, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.version = 0

    def verify(self, user: str, password: str) -> bool:
        self.asked += 1
        return (user, password) == ("u", "p")

    def stamp(self) -> object:
        return self.version


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic dQ==",
        "Bearer x",
        basic("virtcim", "wrong"),
        basic("virtcim", ""),
        basic("other", "s3cret"),
        basic("", ""),
        basic("virtcim:s3cret", ""),
        "Basic \xff\xfe",
        basic("virtcim\nx", "s3cret"),
    ],
)
def test_refusals(make_server: Callable[..., RunningServer], passwords: Path, authorization: str | None) -> None:
    server = make_server(BasicAuthenticator(PasswordFile(passwords), delay=0.01))
    with RawClient(server.port) as client:
        response = client.post(NAMES, {"Authorization": authorization})
        assert response.status == 401
        assert response.headers["www-authenticate"] == 'Basic realm="virtcim"'
        assert client.post(NAMES, {"Authorization": basic("virtcim", "s3cret")}).status == 200
        assert client.post(NAMES, {"Authorization": authorization}).status == 401


@pytest.mark.parametrize("second", [basic("virtcim", "s3cret"), basic("virtcim", "wrong"), "Bearer x", ""])
def test_who_says_twice_who_it_is(make_server: Callable[..., RunningServer], passwords: Path, second: str) -> None:
    """A server before this one may have looked at the other."""
    server = make_server(BasicAuthenticator(PasswordFile(passwords), delay=0.01))
    right = basic("virtcim", "s3cret")
    for first, other in ((right, second), (second, right)):
        with RawClient(server.port) as client:
            response = client.post(NAMES, {"Authorization": first, "authorization": other})
            assert response.status == 400
            assert b"Authorization" in response.body
            assert b"s3cret" not in response.body


@pytest.mark.parametrize(("user", "password"), [("virtcim", "s3cret"), ("j\u00f6rg", "pass:w\u00f6rd")])
def test_pywbem_logs_in(
    make_server: Callable[..., RunningServer], passwords: Path, toy: Toy, user: str, password: str
) -> None:
    server = make_server(BasicAuthenticator(PasswordFile(passwords)))
    client = pywbem.WBEMConnection(server.url, (user, password), default_namespace="root/toy")
    assert client.EnumerateClassNames()
    with RawClient(server.port) as raw:
        body = extrinsic("Change", system("plain"), State=value(2))
        assert raw.post(body, {"Authorization": basic(user, password)}).cim_status == 0
    assert toy.provider.calls[-1][4] == user
    client.close()


def test_wrong_password_in_pywbem(make_server: Callable[..., RunningServer], passwords: Path) -> None:
    server = make_server(BasicAuthenticator(PasswordFile(passwords), delay=0.01))
    client = pywbem.WBEMConnection(server.url, ("virtcim", "wrong"))
    with pytest.raises(pywbem.AuthError):
        client.EnumerateClassNames()
    client.close()


def test_verified_once(make_server: Callable[..., RunningServer]) -> None:
    verifier = Counting()
    server = make_server(BasicAuthenticator(verifier))
    with RawClient(server.port) as client:
        for _ in range(10):
            assert client.post(NAMES, {"Authorization": basic("u", "p")}).status == 200
    assert verifier.asked == 1


def test_remembered_credentials_expire_and_follow_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("virtcim.frontends.http.auth.time.monotonic", lambda: now[0])
    verifier = Counting()

    async def log_in() -> None:
        assert await authenticator.authenticate(basic("u", "p")) == USER

    async def story() -> None:
        await log_in()
        assert authenticator.remembered(basic("u", "p")) == USER
        assert authenticator.remembered(basic("u", "q")) is None
        now[0] += 301
        assert authenticator.remembered(basic("u", "p")) is None
        await log_in()
        verifier.version += 1
        now[0] += 2
        assert authenticator.remembered(basic("u", "p")) is None  # before the file was looked at
        await log_in()
        assert verifier.asked == 3
        await authenticator.close()

    authenticator = BasicAuthenticator(verifier, lifetime=300)
    asyncio.run(story())


@pytest.mark.parametrize("scheme", ["bcrypt", "sha256_crypt", "sha512_crypt", "apr_md5_crypt"])
def test_htpasswd(tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "htpasswd"
    file = HtpasswdFile(str(path), new=True, default_scheme=scheme)
    file.set_password("anna", "geheim")
    file.save()
    verifier = Htpasswd(path)
    assert verifier.verify("anna", "geheim")
    assert not verifier.verify("anna", "falsch")
    assert not verifier.verify("berta", "geheim")
    file.delete("anna")
    file.save()
    os.utime(path, ns=(1, 1))
    assert not verifier.verify("anna", "geheim")


def test_htpasswd_takes_what_apache_takes(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    long = "x" * 100
    # Of one user twice the first line holds; bits that bcrypt does not use are of no matter, nor is who wrote it.
    odd = bcrypt.using(rounds=4).hash("odd")
    odd = odd[:28] + chr(ord(odd[28]) + 1) + odd[29:]
    path.write_text(
        "# who may ask\n\n"
        f"anna:{bcrypt.using(rounds=4, ident='2y').hash('first')}\nanna:{bcrypt.using(rounds=4).hash('second')}\n"
        f"long:{bcrypt.using(rounds=4, ident='2a').hash(long[:72])}\r\n  # nobody\n"
        f"odd:{odd}\nother:{sha512_crypt.using(rounds=1000).hash('other')}\n"
    )
    verifier = Htpasswd(path)
    good = {"anna": "first", "long": long, "odd": "odd", "other": "other"}
    for user in good:
        assert {given for given in (*good.values(), "second", "") if verifier.verify(user, given)} == {good[user]}
    assert not verifier.verify("# who may ask", "first")


@pytest.mark.parametrize("line", ["anna", "anna:a:b"])
def test_what_is_no_htpasswd_is_told_by_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "htpasswd"
    path.write_text(f"berta:x\n{line}\n")
    with pytest.raises(ValueError, match=f"{path}: line 2 .*; expected lines USER:HASH"):
        Htpasswd(path).load()


def test_an_unknown_user_costs_as_much_as_a_known_one(tmp_path: Path) -> None:
    """The time of the answer would tell which users there are."""
    path = tmp_path / "htpasswd"
    path.write_text(f"anna:{bcrypt.using(rounds=9).hash('geheim')}\n")
    verifier = Htpasswd(path)

    def cost(user: str) -> float:
        began = time.thread_time()
        assert not verifier.verify(user, "falsch")
        return time.thread_time() - began

    cost("anna")  # what is loaded is not counted
    assert cost("berta") > cost("anna") / 3


def test_schemes_give_way_to_other_threads(tmp_path: Path) -> None:
    """The C library's own keep the interpreter's lock until they are done."""
    path = tmp_path / "htpasswd"
    path.write_text(f"anna:{sha256_crypt.using(rounds=1000).hash('geheim')}\n")
    assert Htpasswd(path).verify("anna", "geheim")
    assert [each.get_backend() for each in (sha256_crypt, sha512_crypt)] == ["builtin", "builtin"]


def test_files_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\xff\xfe:\xff\n\0")
    for path in (tmp_path / "absent", broken, tmp_path):
        assert not Htpasswd(path).verify("u", "p")
        assert not PasswordFile(path).verify("u", "p")
    assert "cannot be read" in caplog.text


def test_failures_are_late_and_bounded(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        authenticator = BasicAuthenticator(Counting(), delay=2.0, max_pending=3)
        started = time.monotonic()
        attempts = [asyncio.create_task(authenticator.authenticate(basic("u", f"{n}"))) for n in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(AuthenticationBusy):
            await authenticator.authenticate(basic("u", "p"))
        assert await asyncio.gather(*attempts) == [None] * 3
        assert time.monotonic() - started > 1.9
        assert await authenticator.authenticate(basic("u", "p")) == USER
        await authenticator.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(story())
    assert "'u' failed" in caplog.text


def test_overload_is_503(make_server: Callable[..., RunningServer]) -> None:
    server = make_server(BasicAuthenticator(Counting(), max_pending=0))
    with RawClient(server.port) as client:
        assert client.post(NAMES, {"Authorization": basic("u", "p")}).status == 503


def test_no_authentication() -> None:
    assert asyncio.run(NoAuthentication().authenticate(None)) == NOBODY


class Slow(Verifier):
    """Takes its time, as PAM does for a wrong password, and counts how many it looks at at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked = 0
        self.at_once = 0
        self.most = 0
        self._lock = threading.Lock()

    def verify(self, user: str, password: str) -> bool:
        with self._lock:
            self.asked += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(self.seconds)
        with self._lock:
            self.at_once -= 1
        return (user, password) == ("u", "p")

    def stamp(self) -> object:
        return None

    def groups(self, user: str) -> frozenset[str]:
        return frozenset({"wheel"})


def test_the_same_credentials_are_verified_once_at_a_time() -> None:
    """Thirty clients of one console start at the same moment."""

    async def story() -> None:
        verifier = Slow(0.2)
        authenticator = BasicAuthenticator(verifier)
        attempts = [asyncio.create_task(authenticator.authenticate(basic("u", "p"), "10.0.0.1")) for _ in range(30)]
        await asyncio.sleep(0.05)
        attempts[0].cancel()  # one that hangs up takes nothing from the others
        found = await asyncio.gather(*attempts[1:])
        assert found == [Principal("u", Mechanism.PASSWORD, frozenset({"wheel"}))] * 29
        assert verifier.asked == 1
        await authenticator.close()

    asyncio.run(story())


def test_an_attacker_keeps_nobody_else_out() -> None:
    """Two hundred guesses at once from one address, while somebody logs in from another and a third is logged in."""

    async def story() -> None:
        verifier = Slow(0.01)
        authenticator = BasicAuthenticator(verifier, delay=0.5, max_pending=64)
        assert await authenticator.authenticate(basic("u", "p"), "10.0.0.3") is not None
        guesses = [
            asyncio.create_task(authenticator.authenticate(basic("u", f"guess{n}"), "10.6.6.6")) for n in range(200)
        ]
        await asyncio.sleep(0.02)
        assert authenticator.remembered(basic("u", "p")) is not None
        assert await authenticator.authenticate(basic("other", "x"), "10.0.0.2") is None
        assert not all(each.done() for each in guesses)
        found = await asyncio.gather(*guesses, return_exceptions=True)
        assert not [each for each in found if isinstance(each, Principal)]
        assert sum(isinstance(each, AuthenticationBusy) for each in found) == 192
        assert verifier.most <= 2
        await authenticator.close()

    asyncio.run(story())


def test_failures_of_one_address_are_answered_later_and_later() -> None:
    async def story() -> None:
        authenticator = BasicAuthenticator(Counting(), delay=0.1)
        took = []
        for number in range(5):
            began = time.monotonic()
            assert await authenticator.authenticate(basic("u", f"{number}"), "10.6.6.6") is None
            took.append(time.monotonic() - began)
        assert [each > 0.09 * 2**number for number, each in enumerate(took)] == [True] * 5
        began = time.monotonic()
        assert await authenticator.authenticate(basic("u", "x"), "10.0.0.1") is None
        assert time.monotonic() - began < took[4]
        await authenticator.close()

    asyncio.run(story())


def test_addresses_that_failed_are_forgotten() -> None:
    authenticator = BasicAuthenticator(Counting(), delay=0.1)
    for number in range(10_000):
        assert authenticator._failed(f"10.0.{number // 256}.{number % 256}") == 0.1
    assert len(authenticator._failures) <= 4096
    for _ in range(50):
        delay = authenticator._failed("10.6.6.6")
    assert delay == 4.0


def test_nothing_stays_of_a_brute_force_loop(make_server: Callable[..., RunningServer]) -> None:
    server = make_server(BasicAuthenticator(Counting(), delay=0.001))
    descriptors = len(os.listdir("/proc/self/fd"))
    for number in range(10):
        with RawClient(server.port) as client:
            assert client.post(NAMES, {"Authorization": basic("u", f"{number}")}).status == 401
    authenticator = server.server._authenticator
    assert isinstance(authenticator, BasicAuthenticator)
    assert not authenticator._remembered
    assert len(authenticator._failures) == 1
    deadline = time.monotonic() + 20
    while authenticator._under_way or len(os.listdir("/proc/self/fd")) > descriptors:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not authenticator._pending
    with RawClient(server.port) as client:
        assert client.post(NAMES, {"Authorization": basic("u", "p")}).status == 200


def test_several_verifiers(passwords: Path, tmp_path: Path) -> None:
    other = HtpasswdFile(str(tmp_path / "htpasswd"), new=True, default_scheme="bcrypt")
    other.set_password("anna", "geheim")
    other.save()

    async def story() -> None:
        authenticator = BasicAuthenticator([PasswordFile(passwords), Htpasswd(tmp_path / "htpasswd")], delay=0.01)
        assert await authenticator.authenticate(basic("virtcim", "s3cret")) == Principal("virtcim", Mechanism.PASSWORD)
        assert await authenticator.authenticate(basic("anna", "geheim")) == Principal("anna", Mechanism.HTPASSWD)
        assert await authenticator.authenticate(basic("anna", "s3cret")) is None
        assert await NoPasswords().authenticate(basic("anna", "geheim")) is None
        await authenticator.close()

    asyncio.run(story())


def test_a_refused_request_leaves_the_connection_usable(make_server: Callable[..., RunningServer]) -> None:
    """Clients that wait for the challenge send the same request again, with credentials, on the same connection."""
    server = make_server(BasicAuthenticator(Counting(), delay=0.01))
    with RawClient(server.port) as client:
        for body in (NAMES, NAMES + " " * 300_000):
            for authorization in (None, basic("u", "wrong"), "Negotiate YII="):
                refused = client.post(body, {"Authorization": authorization})
                assert refused.status == 401
                assert refused.headers["www-authenticate"].startswith("Basic ")
            assert client.post(body, {"Authorization": basic("u", "p")}).status == 200
