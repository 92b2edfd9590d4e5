"""Packages that are installed in a root of its own, and the service started as systemd would start it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bed import wait_until
from tests.packaging.cleanroot import CleanRoot

ROOT = Path(__file__).resolve().parents[2]

TEST_DRIVER = 'uris = ["test:///default"]\n'

UNITS = "/usr/lib/systemd/system"


def build(into: Path, *options: str, tree: Path = ROOT) -> dict[str, Path]:
    """Build the packages.

    Parameters:
        tree: of which they are built.

    Returns:
        the files, by the names of the packages.
    """
    done = subprocess.run(
        [sys.executable, "-m", "release.deb", "--into", str(into), *options],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {file.name.partition("_")[0]: file for file in into.glob("*.deb")}


def why_not_built() -> str | None:
    """Why packages cannot be built here; None when they can."""
    for program in ("dpkg-deb", "dpkg-shlibdeps", "strip", "cc", "make"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not Path(f"/usr/bin/python3.{sys.version_info.minor}").exists():
        return f"the system has no Python 3.{sys.version_info.minor}, for which the package would be"
    return None


class Unit:
    """A unit file: sections with settings, each of which may be given several times."""

    def __init__(self, root: CleanRoot, name: str) -> None:
        self._sections: dict[str, list[tuple[str, str]]] = {}
        section = ""
        for line in (root.path / UNITS.lstrip("/") / name).read_text().splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith(("#", ";")):
                key, _, value = line.partition("=")
                self._sections.setdefault(section, []).append((key, value))

    def all(self, section: str, key: str) -> list[str]:
        """All values of a setting."""
        return [value for name, value in self._sections[section] if name == key]

    def one(self, section: str, key: str) -> str:
        """The only value of a setting."""
        (value,) = self.all(section, key)
        return value


@contextmanager
def service(root: CleanRoot, *sockets: str, groups: str = "libvirt") -> Iterator[None]:
    """Run the service's own ExecStart as its user, on the sockets that its socket units name.

    The first client starts it, as with systemd; at the end it is stopped.

    Parameters:
        sockets: names of socket units.
        groups: supplementary groups, separated by commas.
    """
    unit = Unit(root, "virtcim.service")
    listen, names = [], []
    for each in (Unit(root, name) for name in sockets):
        for address in each.all("Socket", "ListenStream"):
            listen += ["-l", address]
            names.append(each.one("Socket", "FileDescriptorName"))
    user, group = unit.one("Service", "User"), unit.one("Service", "Group")
    log = root.path / "tmp/service.log"
    before = log.read_text() if log.exists() else ""
    with log.open("ab") as stream:
        process = subprocess.Popen(
            root.command(
                *("systemd-socket-activate", *listen, f"--fdname={':'.join(names)}"),
                *("-E", f"STATE_DIRECTORY=/var/lib/{unit.one('Service', 'StateDirectory')}", "-E", "PATH"),
                *("setpriv", f"--reuid={user}", f"--regid={group}", f"--groups={group},{groups}", "--no-new-privs"),
                *("--bounding-set=-all", "--inh-caps=-all"),
                *shlex.split(unit.one("Service", "ExecStart")),
            ),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        wait_until(
            lambda: log.read_text().count("Listening on", len(before)) >= len(names) or process.poll() is not None
        )
        assert process.poll() is None, log.read_text()
        yield
    except BaseException as error:
        error.add_note(f"the service wrote:\n{log.read_text()[-3000:]}")
        raise
    finally:
        # nsenter has made a process in there, and ends with it.
        for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(pid), signal.SIGTERM)
        process.wait(60)
