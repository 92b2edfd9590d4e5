"""HTTP Basic authentication."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import pywbem
from passlib.apache import HtpasswdFile

from cimom.auth import AuthenticationBusy, BasicAuthenticator, Htpasswd, NoAuthentication, PasswordFile, Verifier
from cimom.principals import NOBODY, Mechanism, Principal
from tests.cimom.harness import RawClient, RunningServer, extrinsic, intrinsic, system, value
from tests.cimom.toy import Toy

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
    monkeypatch.setattr("cimom.auth.time.monotonic", lambda: now[0])
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
        assert authenticator.remembered(basic("u", "p")) is None
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


def test_files_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\xff\xfe:\xff\n\0")
    for path in (tmp_path / "absent", broken, tmp_path):
        assert not Htpasswd(path).verify("u", "p")
        assert not PasswordFile(path).verify("u", "p")
    assert "cannot be read" in caplog.text


def test_failures_are_late_and_bounded(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        authenticator = BasicAuthenticator(Counting(), delay=0.3, max_pending=3)
        started = time.monotonic()
        attempts = [asyncio.create_task(authenticator.authenticate(basic("u", f"{n}"))) for n in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(AuthenticationBusy):
            await authenticator.authenticate(basic("u", "p"))
        assert await asyncio.gather(*attempts) == [None] * 3
        assert 0.25 < time.monotonic() - started < 2
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
