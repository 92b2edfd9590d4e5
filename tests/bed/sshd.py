"""An SSH server of its own on a free port of the loopback address, for root and by a key alone."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bed.linux import UnavailableError, fetch_package

CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host
AuthorizedKeysFile {directory}/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""

#: sshd needs a user and a directory of its own; where it is not installed there are neither.
START = """\
mount --make-rprivate /
mount --bind {directory}/passwd /etc/passwd
mount -t tmpfs tmpfs /run
mkdir /run/sshd
exec {program} -D -e -f {directory}/configuration
"""

#: Stands for netcat on the other side: the last argument is the socket.
RELAY = """\
#!{python}
import os, select, socket, sys
there = socket.socket(socket.AF_UNIX)
there.connect(sys.argv[-1])
while True:
    for ready in select.select([0, there], [], [])[0]:
        data = os.read(0, 65536) if ready == 0 else there.recv(65536)
        if not data:
            sys.exit()
        if ready == 0:
            there.sendall(data)
        else:
            view = memoryview(data)
            while view:
                view = view[os.write(1, view):]
"""

PATIENCE = 60.0


FIRST_PORT, PORTS = 15_000, 1000
"""Ports that each process of a test run has to itself, below those that the kernel gives to whoever connects: one of
these could be taken before the server that it is for listens."""


def free_port() -> int:
    """A port of the loopback address that nobody has."""
    first = FIRST_PORT + PORTS * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in random.sample(range(first, first + PORTS), PORTS):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"ports {first} to {first + PORTS - 1} are all taken")


class Sshd:
    """The server; a context manager.

    Raises:
        UnavailableError: on entering: no SSH server is installed, and apt has no package to give.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="virtcim-sshd-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def uri(self, path: str) -> str:
        """The URI of a daemon of QEMU whose socket has this path on the other side."""
        relay = self.directory / "relay"
        return (
            f"qemu+ssh://root@127.0.0.1:{self.port}/system?socket={path}&netcat={relay}&proxy=netcat"
            f"&keyfile={self.directory}/key&no_verify=1&no_tty=1"
        )

    def _start(self) -> None:
        if shutil.which("ssh") is None:
            raise UnavailableError("ssh is not installed")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        program = shutil.which("sshd", path=environment["PATH"])
        if program is None:
            tree = self.directory / "tree"
            for package in ("openssh-server", "libwrap0"):
                fetch_package(package, self.directory, tree)
            program = str(tree / "usr/sbin/sshd")
            environment["LD_LIBRARY_PATH"] = ":".join(
                str(each.parent) for each in (tree / "usr/lib").rglob("libwrap.so.0")
            )
        for name in ("host", "key"):
            key = self.directory / name
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        users = Path("/etc/passwd").read_text()
        if "\nsshd:" not in users:
            users += "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
        (self.directory / "passwd").write_text(users)
        (self.directory / "configuration").write_text(CONFIGURATION.format(port=self.port, directory=self.directory))
        relay = self.directory / "relay"
        relay.write_text(RELAY.format(python=sys.executable))
        relay.chmod(0o755)
        log = (self.directory / "log").open("wb")
        script = START.format(directory=self.directory, program=program)
        self._process = subprocess.Popen(
            ["unshare", "--mount", "setpriv", "--pdeathsig", "TERM", "sh", "-e", "-c", script],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd does not answer: {(self.directory / 'log').read_text()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as client:
                return client.recv(4) == b"SSH-"
        except OSError:
            return False

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
        shutil.rmtree(self.directory, ignore_errors=True)
