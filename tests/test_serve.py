"""`virtcim serve` as a user meets it: start, first answer, password, end."""

from __future__ import annotations

import contextlib
import gc
import http.client
import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.node import test_node as make_node
from tests.bed import RawClient, Server, wait_until
from tests.bed.server import COMMAND, ROOT, class_parameter, run_command
from virtcim.app.config import ConfigError, Settings
from virtcim.app.serving import _platform_of, _search
from virtcim.frontends.http.listener import ACCEPT_PAUSE
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.platforms.base import BusDefaults, Feature, Platform
from virtcim.platforms.registry import Registry
from virtcim.platforms.test import PLATFORM as TEST
from virtcim.providers.kinds import KINDS
from virtcim.providers.site import Site

TEST_GUEST = 'Test_ComputerSystem.CreationClassName="Test_ComputerSystem",Name="test"'

LIST_GUESTS = ("EnumerateInstanceNames", class_parameter("ClassName", "CIM_ComputerSystem"))


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`virtcim` with a command line that ends at once."""
    return run_command(*COMMAND, *arguments, patience=120, **environment)


def test_first_answer(serve: Callable[..., Server]) -> None:
    server = serve("test:///default")
    assert server.port != 0
    assert [line.partition("/")[2] for line in server.wbemcli("ein", "Test_ComputerSystem")] == [
        f"root/virt:{TEST_GUEST}"
    ]


def test_stdout_holds_the_listening_line_only(serve: Callable[..., Server]) -> None:
    server = serve("test:///default")
    server.client().call(*LIST_GUESTS)
    process = server.process
    assert process is not None
    assert process.stdout is not None
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == ""


def test_makes_a_user_on_first_start(serve: Callable[..., Server]) -> None:
    server = serve("test:///default", auth="default")
    file = server.state_dir / "password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.state_dir.stat().st_mode) == 0o700
    user, _, password = file.read_text().strip().partition(":")
    assert user == "virtcim"
    assert len(password) >= 20
    assert password not in server.errors
    with RawClient(server.host, server.port, user, password) as client:
        client.call(*LIST_GUESTS)

    server.stop()
    server.start()
    assert file.read_text().strip() == f"{user}:{password}"
    with RawClient(server.host, server.port, user, password) as client:
        client.call(*LIST_GUESTS)


@pytest.mark.parametrize(("user", "password"), [(None, None), ("virtcim", "wrong"), ("nobody", ""), ("", "")])
def test_asks_for_the_password(default_server: Server, user: str | None, password: str | None) -> None:
    with RawClient(default_server.host, default_server.port, user, password) as client:
        status, headers, _ = client.post(*client.prepared(*LIST_GUESTS))
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Basic realm=")


def test_printed_wbemcli_lines_work_when_pasted(serve: Callable[..., Server]) -> None:
    server = serve("test:///default", auth="default", arguments=["--example"])
    lines = wait_until(lambda: re.findall(r"^(wbemcli .*)$", server.errors, re.MULTILINE))
    told = re.search(r"^Open (\S+)/ in a browser: user (\S+), password (\S+)$", server.errors, re.MULTILINE)
    assert told is not None
    user, _, password = (server.state_dir / "password").read_text().strip().partition(":")
    assert told.groups() == (server.url, user, password)
    done = [subprocess.run(line, shell=True, capture_output=True, text=True, check=False, timeout=60) for line in lines]
    assert [each.returncode for each in done] == [0, 0, 0], [each.stderr or each.stdout for each in done]
    names, values, method = (each.stdout for each in done)
    assert 'Name="test"' in names
    assert '-Name="test"' in values
    assert "-EnabledState=2" in values
    assert lines[2].endswith("RequestStateChange.RequestedState=9")
    assert method.split()[-1] == "0", method
    again = subprocess.run(lines[1], shell=True, capture_output=True, text=True, check=False, timeout=60)
    assert "-EnabledState=9" in again.stdout


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_no_authentication_on_loopback_only(tmp_path: Path, address: str) -> None:
    done = run("serve", "--uri", "test:///default", "--listen", address, "--auth", "none", "--state-dir", str(tmp_path))
    assert done.returncode != 0
    assert "listening" not in done.stdout
    assert "loopback" in done.stderr


def test_no_authentication_on_loopback(serve: Callable[..., Server]) -> None:
    server = serve("test:///default", auth="none")
    assert len(server.wbemcli("ein", "Test_ComputerSystem")) == 1


def test_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(
            "serve",
            *("--uri", "test:///default", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"),
            *("--state-dir", str(tmp_path)),
        )
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--listen", "nonsense"],
        ["--listen", "127.0.0.1:99999"],
        ["--auth", "sometimes"],
        ["--auth", "htpasswd:/nonexistent/file"],
        ["--config", "/nonexistent/file"],
    ],
)
def test_wrong_options_are_named(tmp_path: Path, arguments: list[str]) -> None:
    listen = [] if "--listen" in arguments else ["--listen", "127.0.0.1:0"]
    done = run("serve", "--uri", "test:///default", "--state-dir", str(tmp_path / "state"), *listen, *arguments)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert arguments[1].removeprefix("htpasswd:") in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_in_time(serve: Callable[..., Server], number: signal.Signals) -> None:
    server = serve("test:///default")
    idle = [socket.create_connection((server.host, server.port)) for _ in range(20)]
    with server.client() as client:
        client.call(*LIST_GUESTS)  # and stays open
        assert server.stop(number) == 0
    for connection in idle:
        connection.close()


def test_says_at_once_that_it_starts_and_finds_a_taken_port_first(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("serve", "--uri", "test:///default", "--listen", address, "--state-dir", str(tmp_path / "state"))
    assert done.returncode == 1
    first, *_, last = done.stderr.splitlines()
    assert "starts" in first
    assert str(tmp_path / "state") in first
    assert f"listen: {address}: Address already in use; expected" in last
    assert not (tmp_path / "state").exists(), "something else was begun before the port was tried"


@pytest.mark.parametrize("structured", [False, True])
def test_the_journal_gets_priorities_and_no_second_time(tmp_path: Path, structured: bool) -> None:
    """What the journal would get: its stream is told by device and inode (systemd.exec(5), JOURNAL_STREAM)."""
    text = (
        "import logging; from virtcim.app.logs import configure_logging; "
        f"configure_logging('DEBUG', {structured}); log = logging.getLogger('x'); "
        "log.debug('a'); log.info('b'); log.warning('c'); log.error('d\\n<2>e'); log.critical('f')\n"
        "try: 1 / 0\nexcept ZeroDivisionError: log.exception('g')\n"
    )

    def lines(journal: bool) -> list[str]:
        with (tmp_path / "stream").open("w+") as stream:
            found = os.fstat(stream.fileno())
            where = f"{found.st_dev}:{found.st_ino}" if journal else "1:1"
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "JOURNAL_STREAM": where}
            subprocess.run([sys.executable, "-c", text], stderr=stream, env=environment, check=True)
            stream.seek(0)
            return stream.read().splitlines()

    written = lines(journal=True)
    assert [line[:3] for line in written[:5]] == ["<7>", "<6>", "<4>", "<3>", "<2>"]
    assert {line[:3] for line in written[5:]} == {"<3>"}, "a trace back is an error on each of its lines"
    year = re.compile(r"20\d\d-")
    assert not any(year.search(line) for line in written)
    if structured:
        assert json.loads(written[0][3:]) == {"level": "DEBUG", "logger": "x", "message": "a"}
    elsewhere = lines(journal=False)
    assert not any(line.startswith("<") for line in elsewhere)
    assert all(year.search(line) for line in elsewhere[:5])


def test_the_driver_of_the_connection_decides_on_the_platform() -> None:
    """A scheme is no driver: `vmwareplayer:///session` is served by `VMware`."""
    features, buses = Feature(0), BusDefaults(disk="virtio")
    by_scheme = Platform("Scheme", "", ("x",), ("test:///default",), ("x",), ("hvm",), features, buses)
    by_driver = Platform("Driver", "", ("TEST",), (), ("x",), ("hvm",), features, buses)
    hypervisor = Hypervisor("test:///default")
    assert _platform_of(hypervisor, Registry([by_scheme])) is by_scheme, "nothing but the scheme is known yet"
    hypervisor.start()
    try:
        assert hypervisor.wait_ready(60)
        assert _platform_of(hypervisor, Registry([by_scheme, by_driver])) is by_driver
        with pytest.raises(ConfigError, match="'test:///default': no platform serves libvirt's driver 'TEST'"):
            _platform_of(hypervisor, Registry([by_scheme]))
    finally:
        hypervisor.stop()
    with pytest.raises(ConfigError, match="'foo:///x': no platform serves 'foo'; expected one of test"):
        _platform_of(Hypervisor("foo:///x"), Registry([by_scheme]))


def test_level_of_the_log_on_the_command_line(tmp_path: Path) -> None:
    common = ["serve", "--uri", "test:///default", "--state-dir", str(tmp_path)]
    done = run(*common, "--log-level", "LOUD")
    assert (done.returncode, "LOUD" in done.stderr) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(*common, "--log-level", "warning", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert " INFO " not in done.stderr
    assert " ERROR " in done.stderr


def test_two_servers_on_one_state_directory(serve: Callable[..., Server]) -> None:
    server = serve("test:///default")
    common = ["serve", "--uri", "test:///default", "--listen", "127.0.0.1:0", "--state-dir", str(server.state_dir)]
    done = run(*common)
    assert done.returncode == 2
    assert f"state_dir: {server.state_dir}: the server with process id {server.pid} uses it" in done.stderr
    server.stop(signal.SIGKILL)
    server.start()


@pytest.mark.parametrize(
    ("loading", "ends"),
    [("virtcim.cimom.settings", {-signal.SIGINT}), ("virtcim.libhelper.hypervisor", {-signal.SIGINT, 0}),
     ("virtcim.schema.classes", {0})],
)  # fmt: skip
def test_interrupted_while_it_loads(tmp_path: Path, loading: str, ends: set[int]) -> None:
    """A Ctrl-C in the first second meets imports, which must not show a trace back; what answers clients is loaded
    when there are hypervisors to leave in order, which may be begun with by the time that the signal arrives."""
    words = ["serve", "--listen", "127.0.0.1:0", "--state-dir", str(tmp_path)]
    process = subprocess.Popen(
        # Python writes a line for each module that it has loaded.
        [sys.executable, "-X", "importtime", "-m", "virtcim.app.entry", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # Whoever runs tests in the background of a shell has them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    while loading not in (line := process.stderr.readline()):
        assert line, "it ended before"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors
    assert process.returncode in ends


def test_several_connections(serve: Callable[..., Server], tmp_path: Path) -> None:
    node = tmp_path / "node.xml"
    node.write_text(
        "<node><domain type='test'><name>other</name><memory>1024</memory><os><type>hvm</type></os></domain></node>"
    )
    server = serve("test:///default", f"test://{node}")
    with server.pywbem() as connection:
        names = {path["Name"] for path in connection.EnumerateInstanceNames("Test_ComputerSystem")}
    assert names == {"test", "other"}


def test_answers_while_clients_come_and_go(default_server: Server) -> None:
    """Connections that say nothing, stop in the middle, or hang up during the answer do not disturb others."""
    address = (default_server.host, default_server.port)
    idle = [socket.create_connection(address) for _ in range(500)]
    try:
        body, _ = default_server.client().prepared(*LIST_GUESTS)
        request = b"POST /cimom HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n" + body
        for size in (1, 40, len(request)):
            with socket.create_connection(address) as rude:
                rude.sendall(request[:size])
        with default_server.client() as client:
            client.call(*LIST_GUESTS)
    finally:
        for connection in idle:
            connection.close()


def test_bridge_for_other_servers(serve: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "cmpi.sock"
    server = serve("test:///default", config=f'[cmpi]\nenabled = true\nsocket = "{path}"\n')
    assert path.is_socket()
    assert path.stat().st_mode & 0o777 == 0o600
    server.stop()
    assert not path.exists()


def test_socket_of_the_bridge_that_cannot_be_had(serve: Callable[..., Server]) -> None:
    with pytest.raises(AssertionError, match="exit status 1"):
        serve("test:///default", config='[cmpi]\nenabled = true\nsocket = "/nowhere/cmpi.sock"\n')


def test_drop_in_mode(serve: Callable[..., Server]) -> None:
    server = serve("test:///default", config='[compatibility]\nlibvirt_cim = true\nnamespaces = ["root/virt"]\n')
    (memory,) = server.wbemcli("ei", "Test_MemResourceAllocationSettingData")
    assert 'AllocationUnits="KiloBytes"' in memory


def test_drop_in_mode_in_a_namespace_that_does_not_exist(serve: Callable[..., Server]) -> None:
    with pytest.raises(AssertionError, match=r"compatibility\.namespaces: Namespace root/vitr does not exist"):
        serve("test:///default", config='[compatibility]\nlibvirt_cim = true\nnamespaces = ["root/vitr"]\n')


def test_a_server_out_of_descriptors_says_so_once_and_serves_when_it_has_some(serve: Callable[..., Server]) -> None:
    server = serve("test:///default")
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    taken = max(int(each.name) for each in Path(f"/proc/{server.pid}/fd").iterdir()) + 1
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (taken, before[1]))
    held: list[socket.socket] = []
    complaint = "No connection can be accepted"
    while complaint not in server.errors:
        assert len(held) < 600, server.errors
        held.append(socket.create_connection((server.host, server.port)))
        time.sleep(ACCEPT_PAUSE)
    time.sleep(10 * ACCEPT_PAUSE)  # in which it tries again and again
    assert server.errors.count(complaint) == 1
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
    assert len(server.wbemcli("ein", "Test_ComputerSystem")) == 1
    for each in held:
        each.close()


def test_connections_that_may_be_open_can_be_opened() -> None:
    """Systems give few files to whoever does not ask for more."""
    server = Server("test:///default")
    server.command[:0] = ["prlimit", "--nofile=256:1024"]
    with server, contextlib.ExitStack() as connections:
        for _ in range(300):
            connections.enter_context(socket.create_connection((server.host, server.port)))
        with server.client() as client:
            client.call(*LIST_GUESTS)
        assert "The process can have 1024 files open; expected 5024 for the connections" in server.errors


def test_ends_in_time_under_load(serve: Callable[..., Server], tmp_path: Path) -> None:
    """With large reads in every thread, and clients that go on asking."""
    node = tmp_path / "node.xml"
    node.write_text(make_node(100))  # twenty answers of which there is room for at once
    server = serve(f"test://{node}")
    asked = threading.Semaphore(0)

    def read() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError), server.client() as client:
            while True:
                asked.release()
                client.call("EnumerateInstances", class_parameter("ClassName", "CIM_ManagedElement"))

    clients = [threading.Thread(target=read, daemon=True) for _ in range(8)]
    for each in clients:
        each.start()
    for _ in range(10):
        assert asked.acquire(timeout=60)
    assert server.stop() == 0  # which says that it took too long
    for each in clients:
        each.join(60)


def test_ends_in_time_before_many_slow_readers(serve: Callable[..., Server], tmp_path: Path) -> None:
    """Twenty answers under way that are read a byte at a time; each could go on for an hour."""
    node = tmp_path / "node.xml"
    node.write_text(make_node(100))  # twenty answers of which there is room for at once
    server = serve(f"test://{node}")
    with server.client() as client:
        body, headers = client.prepared("EnumerateInstances", class_parameter("ClassName", "CIM_ManagedElement"))
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**client.headers, **headers}.items())
    request = f"POST /cimom HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with contextlib.ExitStack() as opened:
        readers = []
        for _ in range(20):
            readers.append(opened.enter_context(socket.socket()))
            readers[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            readers[-1].connect((server.host, server.port))
            readers[-1].sendall(request)
        ended = threading.Event()

        def read() -> None:
            while not ended.wait(0.01):
                for each in readers:
                    with contextlib.suppress(OSError):
                        each.recv(1, socket.MSG_DONTWAIT)

        assert all(each.recv(12) == b"HTTP/1.1 200" for each in readers)  # all answers have begun
        reading = threading.Thread(target=read)
        reading.start()
        try:
            assert server.stop() == 0  # which says that it took too long
        finally:
            ended.set()
            reading.join()


def test_ends_though_what_is_under_way_does_not() -> None:
    """A loop that is held up for ever, as by an interpreter that has too much to do."""
    text = (
        "import asyncio, sys, time, logging; from virtcim.app.serve import _until_signalled\n"
        "logging.basicConfig()\n"
        "async def work():\n"
        "    print('begun', flush=True)\n"
        "    try: await asyncio.sleep(600)\n"
        "    finally: time.sleep(600)\n"
        "sys.exit(asyncio.run(_until_signalled(work, 0.5)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.terminate()
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "is cut off" in errors


def test_what_a_hypervisor_that_is_found_was_read_to_is_passed_over_by_full_collections() -> None:
    """It may be found long after the server has begun."""
    found = replace(TEST, uris=("test:///default",))
    registry = Registry([found])
    site = Site([], registry, KINDS)
    gc.unfreeze()
    search = _search(site, registry, Settings())
    search.start()
    try:
        wait_until(lambda: bool(site.hypervisors(found)) and gc.get_freeze_count() > 0)
    finally:
        search.stop()
        for hypervisor in search.hypervisors:
            hypervisor.stop()
        gc.unfreeze()
