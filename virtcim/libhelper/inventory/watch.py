"""A look at the directories where libvirt keeps its XML, to see sooner what no event tells.

libvirt replaces these files by renaming a new one over them, so the time of the directory tells whether anything in
it changed, and the files are looked at only then.  A directory that is missing or unreadable is an empty one.

What domains have files of, such as their snapshots, lies in a directory for each domain below a common one.

Layer rule: imports connections and the names of parts, and nothing else of this project.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from virtcim.libhelper.connections import is_local, scheme_driver, socket_path
from virtcim.libhelper.inventory.records import CHECKPOINTS, SNAPSHOTS

__all__ = ["DirectoryWatch", "default_directories", "xml_directories"]

_CLOCK_STEP = 50_000_000
"""Nanoseconds within which two changes of a directory may carry the same time."""

_DRIVER_DIRECTORIES = {"qemu": "qemu", "lxc": "lxc", "xen": "libxl"}
_PARTS = {"snapshot": SNAPSHOTS, "checkpoint": CHECKPOINTS}
_WITH_PARTS = frozenset({"qemu"})


def xml_directories(driver: str, configuration: Path, state: Path, data: Path | None = None) -> dict[Path, str]:
    """The directories of XML files of a driver ("qemu", "lxc", "xen"), and which kind of object each holds.

    Parameters:
        configuration: the daemon's `/etc/libvirt`.
        state: the daemon's `/run/libvirt`.
        data: the daemon's `/var/lib/libvirt`; None leaves out what lies there.
    """
    name = _DRIVER_DIRECTORIES[driver]
    parts = {}
    if data is not None and driver in _WITH_PARTS:
        parts = {data / name / word: kind for word, kind in _PARTS.items()}
    return parts | {
        configuration / name: "domain",
        configuration / name / "autostart": "domain",
        state / name: "domain",
        configuration / "qemu/networks": "network",
        configuration / "qemu/networks/autostart": "network",
        state / "network": "network",
        configuration / "storage": "pool",
        configuration / "storage/autostart": "pool",
        state / "storage": "pool",
        configuration / "nwfilter": "nwfilter",
    }


def default_directories(uri: str) -> dict[Path, str]:
    """The directories that belong to a URI: those of the local daemon, unless the URI names a host or a socket."""
    driver = scheme_driver(uri)
    if driver not in _DRIVER_DIRECTORIES or not is_local(uri) or socket_path(uri) is not None:
        return {}
    if not uri.split("?")[0].endswith("/session"):
        return xml_directories(driver, Path("/etc/libvirt"), Path("/run/libvirt"), Path("/var/lib/libvirt"))
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    state = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    return xml_directories(driver, configuration / "libvirt", state / "libvirt", configuration / "libvirt")


class _Directory:
    """One directory as it was when last looked at."""

    def __init__(self, path: Path, kind: str) -> None:
        self.kind = kind
        self._path = path
        self._time: int | None = None
        self._files = self._scan()

    def __contains__(self, name: object) -> bool:
        """Whether there was a file of an object when last looked at."""
        return name in self._files

    def changed(self) -> dict[str, float]:
        """The names that came, went or were replaced since the last look, with the time of the file in seconds."""
        if self._modified() == self._time:
            return {}
        old, self._files = self._files, self._scan()
        return {
            name: self._files.get(name, (0, time.time_ns()))[1] / 1e9
            for name in old.keys() | self._files.keys()
            if old.get(name) != self._files.get(name)
        }

    def _modified(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0

    def _scan(self) -> dict[str, tuple[int, int]]:
        now = time.time_ns()
        modified = self._modified()
        self._time = modified if modified < now - _CLOCK_STEP else None
        files: dict[str, tuple[int, int]] = {}
        try:
            with os.scandir(self._path) as entries:
                for entry in entries:
                    if entry.name.endswith(".xml"):
                        status = entry.stat(follow_symlinks=False)
                        files[entry.name.removesuffix(".xml")] = (status.st_ino, status.st_mtime_ns)
        except OSError:
            return files
        return files


class _Tree:
    """A directory with a directory for each owner of some parts, as these were when last looked at."""

    def __init__(self, path: Path, kind: str) -> None:
        self.kind = kind
        self._path = path
        self._directories = self._scan()
        self.is_readable = os.access(path, os.R_OK | os.X_OK)

    def __contains__(self, name: object) -> bool:
        """Whether what an owner has of these parts shows here, be it nothing."""
        return self.is_readable

    def changed(self) -> dict[str, float]:
        """The owners whose directories came, went or changed since the last look, with the time of that in seconds."""
        old, self._directories = self._directories, self._scan()
        self.is_readable = os.access(self._path, os.R_OK | os.X_OK)
        return {
            name: self._directories.get(name, (0, time.time_ns()))[1] / 1e9
            for name in old.keys() | self._directories.keys()
            if old.get(name) != self._directories.get(name)
        }

    def _scan(self) -> dict[str, tuple[int, int]]:
        now = time.time_ns()
        found: dict[str, tuple[int, int]] = {}
        try:
            with os.scandir(self._path) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    # One that has just changed may change again within the same time: it counts as another one then.
                    settled = status.st_mtime_ns < now - _CLOCK_STEP
                    found[entry.name] = (status.st_ino if settled else -1, status.st_mtime_ns)
        except OSError:
            return found
        return found


class DirectoryWatch:
    """Watches directories of XML files.

    Parameters:
        directories: each with the kind of object that it holds; or of the parts, in a directory for each owner.
    """

    def __init__(self, directories: Mapping[Path, str]) -> None:
        self._directories = [
            (_Tree if kind in _PARTS.values() else _Directory)(path, kind) for path, kind in directories.items()
        ]

    def changed(self) -> list[tuple[str, str, float]]:
        """(kind, name of the object, time of its file in seconds) for each file that changed since the last call."""
        return [
            (directory.kind, name, modified)
            for directory in self._directories
            for name, modified in directory.changed().items()
        ]

    def holds(self, kind: str, name: str) -> bool:
        """Whether an object of this kind and name had a file when its directories were last looked at."""
        return any(directory.kind == kind and name in directory for directory in self._directories)
