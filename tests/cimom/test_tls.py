"""HTTPS: real handshakes with what is refused and what is taken, client certificates, certificates that change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import select
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem
from cryptography import x509

from tests.bed import wait_until
from tests.bed.server import client_hello
from tests.cimom.authority import Authority
from tests.cimom.harness import RawClient, RunningServer, extrinsic, intrinsic, system, value
from tests.cimom.toy import Toy
from virtcim.app.certificates import make_pair
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.http.auth import BasicAuthenticator, NoPasswords, PasswordFile
from virtcim.frontends.http.listener import HANDSHAKES_AT_ONCE, open_tcp
from virtcim.frontends.http.tls import CertificateUser, TLSSettings, TLSState, make_context
from virtcim.schema.classes import ClassStore

NAMES = intrinsic("EnumerateClassNames")

WEAK = re.compile(r"NULL|EXP|RC4|3DES|DES-|MD5|SEED|IDEA|PSK|SRP|ADH|AECDH|CBC|-SHA\b|AES\d+-SHA|CAMELLIA|ARIA.*CBC")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(toy: Toy, classes: ClassStore, authority: Authority) -> Iterator[Callable[..., RunningServer]]:
    """Starts HTTPS servers.  Options are those of `TLSSettings`; with a leading _, of `ServerSettings`."""
    running: list[RunningServer] = []

    def make(authenticator: Any = None, **options: Any) -> RunningServer:
        limits = {name[1:]: options.pop(name) for name in list(options) if name.startswith("_")}
        if "certificate" not in options:
            options["certificate"] = options["key"] = authority.server()
        server = RunningServer(
            toy.catalog,
            classes,
            ServerSettings(host_name="toyhost", **limits),
            authenticator,
            lambda: [*open_tcp("127.0.0.1", 0, "https"), *open_tcp("127.0.0.1", 0)],
            tls=TLSState(TLSSettings(**options)),
        )
        running.append(server)
        return server

    yield make
    for each in running:
        each.stop()
    for each in running:
        assert not each.invalid
        assert not each.errors


def s_client(port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`openssl s_client`, with every protocol and cipher that the library has at all allowed on its side."""
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments],
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "OPENSSL_CONF": "/dev/null"},
    )


def test_http_and_https_side_by_side(secure: Callable[..., RunningServer], authority: Authority) -> None:
    server = secure()
    plain, encrypted = server.server.endpoints[1].port, server.port
    with RawClient(encrypted, tls=authority.trust()) as client:
        for _ in range(3):
            assert client.post(NAMES).cim_status == 0
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.version() == "TLSv1.3"
    with RawClient(plain) as client:
        assert client.post(NAMES).cim_status == 0
    with RawClient(encrypted) as client, pytest.raises(ConnectionError):
        client.post(NAMES)


def test_pywbem_verifies(
    secure: Callable[..., RunningServer], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)  # requests would believe these rather than `ca_certs`
    server = secure()
    url = f"https://localhost:{server.port}"
    good = pywbem.WBEMConnection(url, default_namespace="root/toy", ca_certs=str(authority.file))
    assert good.EnumerateClassNames()
    good.close()
    bad = pywbem.WBEMConnection(url, default_namespace="root/toy")
    with pytest.raises(pywbem.ConnectionError):
        bad.EnumerateClassNames()
    bad.close()


@pytest.mark.parametrize("version", ["ssl3", "tls1", "tls1_1"])
def test_old_versions_are_refused(secure: Callable[..., RunningServer], version: str) -> None:
    done = s_client(secure().port, f"-{version}", "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    assert done.returncode != 0
    assert "Cipher is (NONE)" in done.stdout or "nknown option" in done.stderr


def test_no_weak_cipher_is_taken(secure: Callable[..., RunningServer]) -> None:
    """What `testssl` would do: every cipher that OpenSSL has, one at a time."""
    port = secure().port
    listed = subprocess.run(
        ["openssl", "ciphers", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
        capture_output=True, text=True, check=True, env={**os.environ, "OPENSSL_CONF": "/dev/null"},
    ).stdout.strip().split(":")  # fmt: skip
    assert len(listed) > 30
    taken = set()
    for name in listed:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.set_ciphers(f"{name}:@SECLEVEL=0")
        except ssl.SSLError:
            continue  # built without it
        try:
            with socket.create_connection(("127.0.0.1", port), 60) as bare, context.wrap_socket(bare):
                taken.add(name)
        except ssl.SSLError:
            continue
    assert taken
    assert all(name.startswith("ECDHE-") and ("GCM" in name or "CHACHA20" in name) for name in taken)
    assert not [name for name in taken if WEAK.search(name)]


def test_no_renegotiation_and_no_compression(secure: Callable[..., RunningServer]) -> None:
    port = secure().port
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    time.sleep(0.5)
    process.stdin.write("R\n")
    process.stdin.flush()
    output, _ = process.communicate(timeout=60)
    assert "Compression: NONE" in output
    assert "RENEGOTIATING" in output
    assert "no renegotiation" in output or "handshake failure" in output


def test_minimum_version(secure: Callable[..., RunningServer], authority: Authority) -> None:
    server = secure(minimum_version="1.3")
    old = authority.trust()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        RawClient(server.port, tls=old)
    with RawClient(server.port, tls=authority.trust()) as client:
        assert client.post(NAMES).cim_status == 0


def peer_name(port: int, context: ssl.SSLContext) -> str:
    with RawClient(port, tls=context) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        certificate: Any = client.socket.getpeercert()
        assert client.post(NAMES).cim_status == 0
        return str(certificate["subject"][0][0][1])


def eventually(condition: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_new_certificate_without_a_restart(
    secure: Callable[..., RunningServer], authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    file = authority.server("changing.pem", "first")
    server = secure(certificate=file, key=file, check_seconds=0.1)
    trust = authority.trust()
    with RawClient(server.port, tls=trust) as before:
        assert before.post(NAMES).cim_status == 0
        assert peer_name(server.port, trust) == "first"
        authority.server("changing.pem", "second")
        eventually(lambda: peer_name(server.port, trust) == "second")
        assert before.post(NAMES).cim_status == 0
    file.write_text("half a certificate")
    eventually(lambda: "old ones stay in use" in caplog.text)
    assert peer_name(server.port, trust) == "second"
    authority.server("changing.pem", "third")
    eventually(lambda: peer_name(server.port, trust) == "third")


def test_reload_on_demand(secure: Callable[..., RunningServer], authority: Authority) -> None:
    file = authority.server("asked.pem", "first")
    server = secure(certificate=file, key=file, check_seconds=1000.0)
    stamp = file.stat().st_mtime_ns
    authority.server("asked.pem", "second")
    os.utime(file, ns=(stamp, stamp))
    trust = authority.trust()
    assert peer_name(server.port, trust) == "first"
    server.loop.call_soon_threadsafe(server.server.reload_certificates)
    eventually(lambda: peer_name(server.port, trust) == "second")


USERS = (
    CertificateUser("EMAIL", r"([a-z]+)@example\.org", r"\1"),
    CertificateUser("URI", r"spiffe://cluster/(.+)", r"node-\1"),
    CertificateUser("CN", r"console(\d+)", r"operator\1"),
)


@pytest.mark.parametrize(
    ("common_name", "alternative", "user"),
    [
        ("console7", [], "operator7"),
        ("Anna", [x509.RFC822Name("anna@example.org")], "anna"),
        ("x", [x509.UniformResourceIdentifier("spiffe://cluster/a1")], "node-a1"),
        ("xconsole7", [], None),
        ("console7.evil", [], None),
        ("console7\n", [], None),
        ("stranger", [x509.RFC822Name("anna@example.org.evil.net")], None),
    ],
)
def test_client_certificates_stand_for_users(
    secure: Callable[..., RunningServer],
    authority: Authority,
    toy: Toy,
    common_name: str,
    alternative: list[x509.GeneralName],
    user: str | None,
) -> None:
    from virtcim.cimom.access import Access, RoleSettings

    server = secure(NoPasswords(), client_ca=authority.file, users=USERS)
    server.server.core.access = Access(RoleSettings(administer=("auth:certificate",)), {}, lambda name: [name])
    mine = authority.client("client.pem", common_name, *alternative)
    body = extrinsic("Change", system("plain"), State=value(2))
    with RawClient(server.port, tls=authority.trust(mine)) as client:
        response = client.post(body)
        if user is None:
            assert response.status == 401
        else:
            assert response.cim_status == 0
            assert toy.provider.calls[-1][4] == user
    with RawClient(server.port, tls=authority.trust()) as client:
        assert client.post(body).status == 401


def refused(port: int, context: ssl.SSLContext) -> bool:
    """Whether the server ends a handshake, or in TLS 1.3 what follows it."""
    try:
        with RawClient(port, tls=context) as client:
            client.post(NAMES)
    except (ssl.SSLError, ConnectionError):
        return True
    return False


def test_certificates_that_are_not_good(secure: Callable[..., RunningServer], authority: Authority) -> None:
    server = secure(NoPasswords(), client_ca=authority.file, users=USERS)
    foreign = Authority(authority.directory / "foreign").client("client.pem", "console7")
    expired = authority.client("expired.pem", "console7", days=-1)
    not_for_clients = authority.issue("wrong-use.pem", "console7")
    no_text = authority.issue("no-text.pem", "console7", client=True, names=b"\x30\x05\x81\x03a\xff@")
    for file in (foreign, expired, not_for_clients, no_text):
        assert refused(server.port, authority.trust(file)), file
    assert not refused(server.port, authority.trust(authority.client("good.pem", "console7")))


def test_required_and_revoked(secure: Callable[..., RunningServer], authority: Authority) -> None:
    good, bad = authority.client("good.pem", "console1"), authority.client("bad.pem", "console2")
    revocations = authority.revoke()
    server = secure(
        NoPasswords(),
        client_ca=authority.file,
        client_crl=revocations,
        client_certificates="required",
        users=USERS,
        check_seconds=0.1,
    )
    assert refused(server.port, authority.trust())
    with RawClient(server.port, tls=authority.trust(bad)) as client:
        assert client.post(NAMES).cim_status == 0
        authority.revoke(bad)
        # Not even on the connection that was there before.
        assert select.select([client.socket], [], [], 60)[0]
        assert client.is_closed()
    assert refused(server.port, authority.trust(bad))
    assert not refused(server.port, authority.trust(good))


def test_password_beside_a_certificate(
    secure: Callable[..., RunningServer], authority: Authority, tmp_path: Path
) -> None:
    """The header counts, when there is one: a wrong password is not made good by a certificate."""
    file = tmp_path / "password"
    file.write_text("u:p\n")
    authenticator = BasicAuthenticator(PasswordFile(file), delay=0.01)
    server = secure(authenticator, client_ca=authority.file, users=USERS)
    with RawClient(server.port, tls=authority.trust(authority.client("c.pem", "console1"))) as client:
        assert client.post(NAMES).cim_status == 0
        assert client.post(NAMES, {"Authorization": "Basic dTpw"}).cim_status == 0
        assert client.post(NAMES, {"Authorization": "Basic dTpx"}).status == 401


def test_half_open_handshakes_keep_nobody_out(secure: Callable[..., RunningServer], authority: Authority) -> None:
    server = secure(_max_handshakes=8, _handshake_timeout=600.0)
    stuck = []
    for number in range(40):
        each = socket.create_connection(("127.0.0.1", server.port))
        if number % 2:
            each.sendall(b"\x16\x03\x01\x02\x00\x01\x00")  # the start of a ClientHello
        stuck.append(each)
    with RawClient(server.port, tls=authority.trust()) as client:
        assert client.post(NAMES).cim_status == 0
    wait_until(lambda: len([each for each in stuck if select.select([each], [], [], 0)[0]]) >= 40 - 8)
    for each in stuck:
        each.close()


def test_handshake_timeout_and_garbage(secure: Callable[..., RunningServer], authority: Authority) -> None:
    server = secure(_handshake_timeout=0.3)
    with socket.create_connection(("127.0.0.1", server.port), 60) as silent:
        assert silent.recv(1) == b""
    for garbage in (b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", os.urandom(2000), b"\x16\x03\x03\xff\xff" + b"a" * 70000):
        with socket.create_connection(("127.0.0.1", server.port), 60) as client:
            try:
                client.sendall(garbage)
                while client.recv(4096):
                    pass
            except ConnectionError:
                continue
    with RawClient(server.port, tls=authority.trust()) as client:
        assert client.post(NAMES).cim_status == 0


def test_self_signed_pair(secure: Callable[..., RunningServer], tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path / "made", ["localhost", "127.0.0.1", "::1", "m\u00fcller.example"])
    assert key.stat().st_mode & 0o777 == 0o600
    assert certificate.parent.stat().st_mode & 0o777 == 0o700
    server = secure(certificate=certificate, key=key)
    trust = ssl.create_default_context(cafile=str(certificate))
    assert peer_name(server.port, trust) == "localhost"
    for names, days in (([], 1), (["x"], 0)):
        with pytest.raises(ValueError, match="certificate"):
            make_pair(tmp_path, names, days)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"minimum_version": "1.1"}, "1.1"),
        ({"client_certificates": "maybe"}, "maybe"),
        ({"certificate": Path("/x")}, "key: is missing"),
        ({"users": USERS}, "client_ca"),
        ({"client_certificates": "required"}, "client_ca"),
        ({"check_seconds": 0.0}, "check_seconds"),
    ],
)
def test_settings_that_contradict_themselves(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"{named}.*expected"):
        TLSSettings(**changed)


@pytest.mark.parametrize(
    ("field", "match", "user"), [("Z", "a", "b"), ("CN", "(", "b"), ("CN", "a", r"\1"), ("CN", "a", "")]
)
def test_rules_that_are_none(field: str, match: str, user: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        CertificateUser(field, match, user)


def test_long_values_fit_no_rule() -> None:
    rule = CertificateUser("CN", "(x|xx)*y?", "anna")
    assert rule.principal(["x" * 64]) == Principal("anna", Mechanism.CERTIFICATE)
    assert rule.principal(["x" * 1000]) is None


def test_files_that_do_not_fit_are_named(authority: Authority, tmp_path: Path) -> None:
    server, other = authority.server(), authority.server("other.pem")
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "ec", "-in", server, "-out", locked, "-aes256", "-passout", "pass:x"],
        check=True,
        capture_output=True,
    )
    for changed, named in (
        ({"certificate": tmp_path / "absent", "key": server}, "absent"),
        ({"certificate": server, "key": other}, "other.pem"),
        ({"certificate": broken, "key": broken}, "broken.pem"),
        ({"certificate": server, "key": locked}, "passphrase"),
        ({"certificate": server, "key": server, "client_ca": broken}, "broken.pem"),
        ({"certificate": server, "key": server, "ciphers": "NONSENSE"}, "NONSENSE"),
    ):
        with pytest.raises((OSError, ValueError)) as raised:
            make_context(TLSSettings(**changed))
        assert named in str(raised.value)
        assert isinstance(raised.value, OSError) or "expected" in str(raised.value)


def test_few_handshakes_are_begun_in_one_turn(
    secure: Callable[..., RunningServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many clients have come at one time: each takes a signature of the server's key."""
    server = secure()
    hello, steps = client_hello(), Counter[int]()
    turn, ended, may_go_on = 0, False, threading.Event()
    handshake = ssl.SSLObject.do_handshake

    def observed(connection: ssl.SSLObject) -> None:
        if threading.current_thread().name == "server":
            steps[turn] += 1
        handshake(connection)

    def count() -> None:
        nonlocal turn
        turn += 1
        if not ended:
            server.loop.call_soon(count)

    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 60)) for _ in range(60)]
        server.run(asyncio.sleep(0.2))  # all of them are accepted
        server.loop.call_soon_threadsafe(may_go_on.wait)
        monkeypatch.setattr(ssl.SSLObject, "do_handshake", observed)
        for each in clients:
            each.sendall(hello)
        server.loop.call_soon_threadsafe(count)
        may_go_on.set()
        for each in clients:
            assert each.recv(1) == b"\x16"
        ended = True
    # Each is looked at when it is begun, and then for what has come of it.
    assert max(steps.values()) <= 3 * HANDSHAKES_AT_ONCE


def test_handshakes_that_are_none_do_not_fill_the_log(
    secure: Callable[..., RunningServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = secure()
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", server.port), 60) as client:
                client.sendall(b"\0" * 100)
                with contextlib.suppress(ConnectionError):
                    while client.recv(4096):
                        pass
    wait_until(lambda: server.server.connections == 0)
    assert len([each for each in caplog.records if "failed before its first request" in each.getMessage()]) == 1
