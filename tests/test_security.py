"""`virtcim serve` on a network: HTTPS, PAM, certificates, the Unix socket, roles, systemd, `virtcim check`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest

from tests.bed import Libvirtd, RawClient, Server, wait_until
from tests.bed.server import COMMAND, LISTENING, ROOT, class_parameter, instance_name, parameter, run_command
from tests.cimom.authority import Authority
from tests.conftest import missing
from virtcim.app.systemd import inherited_endpoints

URI = "test:///default"
GUESTS = ("EnumerateInstanceNames", class_parameter("ClassName", "Test_ComputerSystem"))
GUEST = {"CreationClassName": "Test_ComputerSystem", "Name": "test"}
NAMED = parameter("InstanceName", instance_name("Test_ComputerSystem", GUEST))

PAM_SERVICE = "virtcim-bed"
USER, PASSWORD = "virtcim-bed", "Gr\u00fcn: 3 B\u00e4ume"

#: Gives a process a private /etc, in which there are a user and a PAM service of this test's.
PRIVATE_ETC = f"""
set -eu
mount --make-rprivate /
mount -t tmpfs none "$1"
cp -a /etc "$1/etc"
mount --bind "$1/etc" /etc
useradd --no-create-home --user-group {USER}
echo "$2" | chpasswd
printf '#!/bin/sh\\necho asked >> /etc/asked\\n' > /etc/ask
chmod +x /etc/ask
printf 'auth required pam_unix.so nodelay\\naccount required pam_unix.so\\n' > /etc/pam.d/{PAM_SERVICE}
echo 'auth optional pam_exec.so quiet /etc/ask' >> /etc/pam.d/{PAM_SERVICE}
shift 2
exec "$@"
"""


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_command(*COMMAND, *arguments, patience=30, **environment)


def further_line(server: Server) -> str:
    assert server.process is not None
    assert server.process.stdout is not None
    return server.process.stdout.readline().rstrip("\n")


def https_client(
    server: Server, port: int, context: ssl.SSLContext, user: str | None, password: str | None
) -> RawClient:
    client = RawClient("localhost", port, user, password)
    client.connection = http.client.HTTPSConnection("localhost", port, timeout=60, context=context)
    return client


def reads(client: RawClient) -> int:
    with client:
        status, _, answer = client.post(*client.prepared(*GUESTS))
    assert status != 200 or b"<INSTANCENAME" in answer
    return status


def changes(client: RawClient, state: str = "2") -> str:
    """RequestStateChange on the guest: "done", or the code of the CIM error."""
    with client:
        answer = client.invoke("Test_ComputerSystem", GUEST, "RequestStateChange", {"RequestedState": state})
    return answer.partition(b'ERROR CODE="')[2].partition(b'"')[0].decode() or "done"


def test_https_with_a_certificate_made_on_the_spot(serve: Callable[..., Server]) -> None:
    server = serve(URI, arguments=["--listen-https", "127.0.0.1:0", "--tls", "self-signed"])
    match = LISTENING.match(further_line(server))
    assert match is not None
    assert match["scheme"] == "https"
    port = int(match["port"])
    certificate = server.state_dir / "certificate.pem"
    trust = ssl.create_default_context(cafile=str(certificate))
    assert reads(https_client(server, port, trust, server.user, server.password)) == 200
    assert reads(https_client(server, port, trust, None, None)) == 401
    done = subprocess.run(
        ["wbemcli", "ein", "-cacert", certificate,
         f"https://{server.user}:{server.password}@localhost:{port}/root/virt:Test_ComputerSystem"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert 'Name="test"' in done.stdout, done.stderr

    renewal = ["certificate", "--directory", str(server.state_dir), "--name", "localhost", "--name", "renewed.example"]
    kept = certificate.read_bytes(), (server.state_dir / "key.pem").read_bytes()
    refused = run(*renewal)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "--force" in refused.stderr
    assert (certificate.read_bytes(), (server.state_dir / "key.pem").read_bytes()) == kept
    made = run(*renewal, "--force")
    assert made.returncode == 0
    assert made.stdout.split() == [str(certificate), str(server.state_dir / "key.pem")]
    os.kill(server.pid, signal.SIGHUP)
    fresh = ssl.create_default_context(cafile=str(certificate))

    def is_renewed() -> bool:
        with contextlib.suppress(ssl.SSLError):
            return reads(https_client(server, port, fresh, server.user, server.password)) == 200
        return False

    wait_until(is_renewed)
    assert server.stop() == 0


def test_https_alone(serve: Callable[..., Server]) -> None:
    server = serve(URI, arguments=["--listen-https", "127.0.0.1:0", "--listen", "", "--tls", "self-signed"])
    trust = ssl.create_default_context(cafile=str(server.state_dir / "certificate.pem"))
    assert server.port
    assert reads(https_client(server, server.port, trust, server.user, server.password)) == 200


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--listen-https", "127.0.0.1:0"], "virtcim certificate"),
        (["--listen-https", "nonsense"], "nonsense"),
        (["--listen-https", "0.0.0.0:0", "--auth", "none"], "loopback"),
        (["--listen", ""], "all empty"),
        (["--auth", "pam:../x"], "slash"),
        (["--auth", "none,pam"], "alone"),
        (["--auth", "password:x"], "password:x"),
    ],
)
def test_what_is_not_safe_does_not_start(tmp_path: Path, arguments: list[str], named: str) -> None:
    done = run("serve", "--uri", URI, "--listen", "127.0.0.1:0", "--state-dir", tmp_path, *arguments)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def pam_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers that see a real user of the system, which exists for them alone."""
    why = "needs root" if os.geteuid() != 0 else ""
    if not why:
        probe = subprocess.run(
            ["unshare", "-m", "mount", "-t", "tmpfs", "none", tmp_path], capture_output=True, text=True, check=False
        )
        why = probe.stderr.strip()
    if why:
        missing(f"PAM with a private /etc: {why}")
    made: list[Server] = []

    def make(
        *prefix: str, auth: str = f"pam:{PAM_SERVICE}", config: str | None = None, arguments: list[str] | None = None
    ) -> Server:
        server = Server(URI, auth="default", config=config, arguments=["--auth", auth, *(arguments or [])])
        place = tmp_path / f"etc{len(made)}"
        place.mkdir()
        server.command = ["unshare", "-m", "bash", "-c", PRIVATE_ETC, "bash", str(place), f"{USER}:{PASSWORD}",
                          *prefix, *server.command]  # fmt: skip
        made.append(server)
        server.start()
        return server

    yield make
    for each in made:
        each.close()


def login(server: Server, password: str = PASSWORD, user: str = USER) -> RawClient:
    return RawClient(server.host, server.port, user, password)


def test_pam_user_reads_and_is_refused_the_rest(pam_server: Callable[..., Server], tmp_path: Path) -> None:
    audit = tmp_path / "audit.log"
    server = pam_server(config=f'audit_file = "{audit}"\n')
    assert reads(login(server)) == 200
    assert reads(login(server, "wrong")) == 401
    assert reads(login(server, "")) == 401
    assert reads(login(server, user="root", password="wrong")) == 401
    assert changes(login(server)) == "2"
    assert audit.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["refused login"] * 3 + ["change"]
    assert lines[-1]["user"] == USER
    assert lines[-1]["by"] == "pam"
    assert lines[-1]["result"] == "CIM_ERR_ACCESS_DENIED"
    assert PASSWORD not in audit.read_text() + server.errors


def test_pam_is_asked_once(pam_server: Callable[..., Server]) -> None:
    """Two hundred requests, each on a connection of its own."""
    server = pam_server()
    for _ in range(200):
        assert reads(login(server)) == 200
    assert Path(f"/proc/{server.pid}/root/etc/asked").read_text() == "asked\n"


@pytest.mark.parametrize(("role", "operating", "administering"), [
    ("read", False, False), ("operate", True, False), ("administer", True, True),
])  # fmt: skip
def test_a_refused_operation_per_role(
    pam_server: Callable[..., Server], role: str, operating: bool, administering: bool
) -> None:
    lists = "".join(f"{each} = {[f'@{USER}'] if each == role else []}\n" for each in ("read", "operate", "administer"))
    server = pam_server(config=f"[roles]\n{lists}")
    assert reads(login(server)) == 200
    assert (changes(login(server), "9") == "done") is operating  # Quiesce
    with login(server) as client:
        deleted = client.prepared("DeleteInstance", NAMED)
        status, _, answer = client.post(*deleted)
    assert status == 200
    assert (b'CODE="2"' not in answer) is administering


def test_nobody_without_a_role(pam_server: Callable[..., Server]) -> None:
    server = pam_server(config='[roles]\nread = ["somebody-else"]\nadminister = []\n')
    with login(server) as client:
        _, _, answer = client.post(*client.prepared(*GUESTS))
    assert b'CODE="2"' in answer


def test_unprivileged_with_the_group_shadow(pam_server: Callable[..., Server], tmp_path: Path) -> None:
    """As packaging/systemd/virtcim.service runs it."""
    unprivileged = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--groups", "shadow", "--no-new-privs"]
    probe = subprocess.run([*unprivileged, sys.executable, "-c", "import ssl"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"nobody cannot run {sys.executable}")
    state = tmp_path / "state"
    state.mkdir()
    shutil.chown(state, "nobody")
    for each in tmp_path.parents:
        if each == Path("/tmp"):
            break
        each.chmod(each.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    server = pam_server(*unprivileged, arguments=["--state-dir", str(state)])
    assert reads(login(server)) == 200
    assert reads(login(server, "wrong")) == 401


def test_pam_beside_htpasswd(pam_server: Callable[..., Server], tmp_path: Path) -> None:
    passwords = tmp_path / "htpasswd"
    passwords.write_text(f"console:{bcrypt.hashpw(b'door', bcrypt.gensalt(4)).decode()}\n")
    server = pam_server(auth=f"htpasswd:{passwords},pam:{PAM_SERVICE}")
    assert changes(login(server, "door", "console"), "9") == "done"
    assert changes(login(server), "2") == "2"


def test_client_certificate_of_an_operator(serve: Callable[..., Server], tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    pair = authority.server()
    server = serve(
        URI,
        auth="default",
        arguments=["--listen-https", "127.0.0.1:0", "--auth", "certificate"],
        config=f'[roles]\noperate = ["robot"]\n[tls]\ncertificate = "{pair}"\nkey = "{pair}"\n'
        f'client_ca = "{authority.file}"\n[[tls.users]]\nfield = "CN"\nmatch = "robot-.*"\nuser = "robot"\n',
    )
    match = LISTENING.match(further_line(server))
    assert match is not None
    shown = authority.trust(authority.client("robot.pem", "robot-7"))
    assert changes(https_client(server, int(match["port"]), shown, None, None), "9") == "done"
    assert '"user": "robot", "by": "certificate"' in server.errors
    assert reads(https_client(server, int(match["port"]), authority.trust(), None, None)) == 401
    assert reads(RawClient(server.host, server.port, None, None)) == 401


class UnixClient(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


def unix_client(path: Path) -> RawClient:
    client = RawClient("localhost", 0, None, None)
    client.connection = UnixClient(path)
    return client


@pytest.mark.skipif(os.geteuid() != 0, reason="root is who administers by default")
def test_unix_socket(serve: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "virtcim.sock"
    server = serve(URI, arguments=["--listen-unix", str(path)])
    assert further_line(server) == f"virtcim: listening on unix:{path}"
    assert changes(unix_client(path), "9") == "done"
    assert '"user": "root", "by": "local", "from": "local process' in server.errors
    assert server.stop() == 0
    assert not path.exists()


def test_sockets_of_systemd(tmp_path: Path) -> None:
    """Listened on before the server runs, by somebody else; and told when it is ready."""
    server = Server(URI)
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(tmp_path / "notify"))
    notified.settimeout(30)
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    local.bind(str(tmp_path / "virtcim.sock"))
    local.listen()
    with socket.create_server(("127.0.0.1", 0)) as listening, local, notified:
        port = listening.getsockname()[1]
        script = f'exec 3<&{listening.fileno()} 4<&{local.fileno()}; export LISTEN_FDS=2 LISTEN_PID=$$; exec "$@"'
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", *server.command],
            pass_fds=[listening.fileno(), local.fileno()], stdout=subprocess.PIPE, text=True,
            env={**server.environment, "NOTIFY_SOCKET": str(tmp_path / "notify"), "LISTEN_FDNAMES": "http:http"},
        )  # fmt: skip
        try:
            assert notified.recv(100) == b"READY=1"
            assert process.stdout is not None
            assert process.stdout.readline() == f"virtcim: listening on http://127.0.0.1:{port}\n"
            assert reads(RawClient("127.0.0.1", port, server.user, server.password)) == 200
            assert reads(unix_client(tmp_path / "virtcim.sock")) == 200
        finally:
            process.terminate()
            assert process.wait(60) == 0
            assert process.stdout is not None
            process.stdout.close()
        assert notified.recv(100) == b"STOPPING=1"
        assert (tmp_path / "virtcim.sock").exists()  # it is systemd's
    server.close()


def test_sockets_that_are_meant_for_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", "1")
    assert inherited_endpoints() == []
    assert "LISTEN_FDS" not in os.environ


def test_unit_files() -> None:
    """systemd's own opinion, as far as it does not depend on what is installed here."""
    units = sorted((ROOT / "packaging" / "systemd").glob("virtcim*.s[eo]*"))
    assert len(units) == 3
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    complaints = [
        line
        for line in done.stderr.splitlines()
        if "virtcim" in line and not re.search("not executable|Command 'man ", line)
    ]
    assert not complaints


def report(*arguments: str | Path) -> tuple[int, dict[str, list[str]]]:
    """Exit status of `virtcim check`, and its lines by severity."""
    done = run("check", *arguments)
    assert "Traceback" not in done.stderr
    lines: dict[str, list[str]] = {"ok": [], "warning": [], "error": []}
    first, *reported, summary = done.stdout.splitlines()
    assert "looking at this host" in first
    for line in reported:
        severity, _, text = line.partition(" ")
        lines[severity].append(text.strip())
    numbers = [len(lines[name]) for name in ("error", "warning", "ok")]
    assert summary == "errors: {}, warnings: {}, as they should be: {}".format(*numbers)
    return done.returncode, lines


def test_check_finds_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    assert run("certificate", "--directory", state).returncode == 0
    status, lines = report(
        "--uri", URI, "--state-dir", state, "--listen", "127.0.0.1:0", "--listen-https", "127.0.0.1:0"
    )
    assert (status, lines["error"]) == (0, [])
    assert any("certificate" in line and "valid until" in line for line in lines["ok"])
    assert f"{URI} answers" in lines["ok"]


def expired(directory: Path) -> Path:
    authority = Authority(directory)
    return authority.issue("expired.pem", "localhost", days=-1)


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    (state / "password").write_text("virtcim:x")
    (state / "password").chmod(0o644)
    pair = expired(tmp_path / "authority")
    pair.chmod(0o644)
    config = tmp_path / "virtcim.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(
            f'uris = ["test:///nonexistent.xml"]\nlisten = "127.0.0.1:{port}"\nlisten_https = "127.0.0.1:0"\n'
            f'auth = "htpasswd:{tmp_path}/absent,pam:no-such-service"\n'
            f'[tls]\ncertificate = "{pair}"\nkey = "{pair}"\n'
        )
        status, lines = report("--config", config, "--state-dir", state)
    assert status == 1
    errors, warnings = "\n".join(lines["error"]), "\n".join(lines["warning"])
    for text in ("test:///nonexistent.xml does not answer", f"127.0.0.1:{port}", "expired on", "password has mode 0644",
                 "expired.pem has mode 0644", "expected a password file", "no PAM service"):  # fmt: skip
        assert text in errors, text
    assert "state directory" in warnings


def test_check_of_the_audit_log(tmp_path: Path) -> None:
    """What keeps a server from its start, or loses a change, is found before."""

    def told(file: Path) -> tuple[str, str]:
        config = tmp_path / "virtcim.toml"
        config.write_text(f'uris = ["{URI}"]\nlisten = "127.0.0.1:0"\naudit_file = "{file}"\n')
        _, lines = report("--config", config, "--state-dir", tmp_path / "state")
        (found,) = [(each, line) for each in lines for line in lines[each] if line.startswith("audit")]
        return found

    absent, fifo, file = tmp_path / "absent" / "audit.log", tmp_path / "fifo", tmp_path / "audit.log"
    expected = "expected a file that the user of the server may write to"
    assert told(absent) == ("error", f"audit_file: {absent}: cannot be made in {absent.parent}; {expected}")
    os.mkfifo(fifo)
    assert told(fifo) == ("error", f"audit_file: {fifo}: No such device or address; {expected}")
    assert told(file) == ("ok", f"audit log {file} will be made")
    assert not file.exists()
    file.write_text("a line\n")
    assert told(file) == ("ok", f"audit log {file}")
    assert file.read_text() == "a line\n"


def test_check_of_a_scheme_that_nobody_serves(tmp_path: Path) -> None:
    status, lines = report("--uri", "foo:///x", "--state-dir", tmp_path / "new", "--listen", "127.0.0.1:0")
    assert status == 1
    assert [line for line in lines["error"] if "foo" in line] == [
        "uris: 'foo:///x': no platform serves 'foo'; expected one of bhyve, ch, esx, gsx, hyperv, lxc, parallels, "
        "qemu, test, vbox, vmwarefusion, vmwareplayer, vmwarews, vpx, vz, xen"
    ]


def test_check_of_libvirt_without_permission(tmp_path: Path) -> None:
    """The trap that costs half a minute per guest, and a server that runs as root."""
    _, lines = report("--state-dir", tmp_path / "new", "--listen", "127.0.0.1:0")
    if os.geteuid() == 0:
        assert any("running as root" in line for line in lines["warning"])
    assert any("state directory" in line and "will be made" in line for line in lines["ok"])


@pytest.mark.parametrize(("mode", "severity"), [(0o600, "warning"), (0o666, "ok"), (0o660, None)])
def test_the_trap_of_dev_kvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, severity: str | None) -> None:
    from virtcim.platforms import kvm

    device = tmp_path / "kvm"
    device.touch()
    device.chmod(mode)
    monkeypatch.setattr(kvm, "DEVICE", device)
    monkeypatch.setattr(kvm, "EMULATOR_USERS", ("nobody",))
    found = list(kvm.PLATFORM.prerequisites())
    assert len(found) == 1
    if severity is not None:
        assert found[0].severity.name.lower() == severity


def test_check_of_a_real_libvirtd(libvirtd: Libvirtd, tmp_path: Path) -> None:
    status, lines = report("--uri", libvirtd.uri(), "--state-dir", tmp_path / "new", "--listen", "127.0.0.1:0")
    assert (status, lines["error"]) == (0, [])
    assert f"{libvirtd.uri()} answers" in lines["ok"]
    assert any("/dev/kvm" in line for line in [*lines["ok"], *lines["warning"]])
    assert not any("events" in line for line in lines["warning"])
