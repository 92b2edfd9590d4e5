"""A root of its own to install packages in: what is written there is gone at the end, and the host never sees it.

Started by `CleanRoot` as a script, in new namespaces: ``python cleanroot.py LOWER DIRECTORY``.  It lays an overlay in
memory over the root LOWER, prints ``ready`` and holds both until its input ends.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def why_unavailable() -> str | None:
    """Why this machine cannot have such a root; None when it can."""
    if os.geteuid() != 0:
        return "a root of one's own needs root"
    probe = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True, text=True, check=False
    )
    return f"namespaces are not allowed here: {probe.stderr.strip()}" if probe.returncode != 0 else None


class CleanRoot:
    """An overlay over a root, with a network, processes, /run and /tmp of its own; systemd does not run there.

    Parameters:
        lower: the root below; it stays as it is.
    """

    def __init__(self, lower: Path = Path("/")) -> None:
        self._lower = lower
        self._directory = Path(tempfile.mkdtemp(prefix="virtcim-root-"))
        self._holder: subprocess.Popen[str] | None = None
        self._inner = 0

    def __enter__(self) -> Self:
        self._holder = subprocess.Popen(
            [
                *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private"),
                *(sys.executable, __file__, str(self._lower), str(self._directory)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        line = self._holder.stdout.readline()
        assert line == "ready\n", f"no root of one's own: {line!r}"
        pid = self._holder.pid
        self._inner = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._holder is not None
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        try:
            self._holder.wait(60)
        except subprocess.TimeoutExpired:
            self._holder.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def path(self) -> Path:
        """The root, as seen from outside."""
        return Path(f"/proc/{self._inner}/root") / self._directory.relative_to("/") / "memory/root"

    @property
    def written(self) -> Path:
        """What differs from the root below, as seen from outside."""
        return Path(f"/proc/{self._inner}/root") / self._directory.relative_to("/") / "memory/upper"

    def command(self, *words: str, network: bool = False, **variables: str) -> list[str]:
        """Make the command line that runs a command in there, with these environment variables and no others.

        Parameters:
            network: that of this machine, for what fetches packages.
        """
        environment = {"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8", **variables}
        return [
            *("nsenter", f"--target={self._inner}", "--mount", "--pid", *(() if network else ("--net",))),
            *("env", "-i", *(f"{name}={value}" for name, value in environment.items())),
            *("chroot", str(self._directory / "memory/root"), *words),
        ]

    def try_run(
        self, *words: str, text: str = "", network: bool = False, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in there to its end.

        Parameters:
            text: its standard input.
            network: as of `command`.
        """
        command = self.command(*words, network=network, **variables)
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=300)

    def run(self, *words: str, text: str = "", network: bool = False, **variables: str) -> str:
        """Run a command in there that succeeds, and return what it printed."""
        done = self.try_run(*words, text=text, network=network, **variables)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def shell(self, text: str, **variables: str) -> str:
        """Run lines of a shell in there, each of which succeeds, and return what they printed."""
        return self.run("bash", "-euo", "pipefail", "-c", text, network=False, **variables)

    def put(self, file: Path) -> str:
        """Copy a file to /tmp in there, and return its path there."""
        shutil.copyfile(file, self.path / "tmp" / file.name)
        return f"/tmp/{file.name}"


def hold(lower: str, directory: Path) -> None:
    """Make the root, and keep it until the input ends."""
    memory = directory / "memory"
    memory.mkdir()
    _mount("-t", "tmpfs", "-o", "mode=0755", "virtcim", memory)
    for name in ("upper", "work", "root"):
        (memory / name).mkdir(mode=0o755)
    root = memory / "root"
    _mount(
        *("-t", "overlay", "-o", f"lowerdir={lower},upperdir={memory / 'upper'},workdir={memory / 'work'}"),
        *("overlay", root),
    )
    _mount("-t", "proc", "proc", root / "proc")
    _mount("--rbind", "/dev", root / "dev")
    _mount("--rbind", "/sys", root / "sys")
    for name, mode in (("run", "0755"), ("tmp", "1777")):
        _mount("-t", "tmpfs", "-o", f"mode={mode}", name, root / name)
    with socket.socket() as any_socket:
        request = struct.pack("16sh22x", b"lo", IFF_UP)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)
    print("ready", flush=True)
    sys.stdin.read()


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


if __name__ == "__main__":
    hold(sys.argv[1], Path(sys.argv[2]))
