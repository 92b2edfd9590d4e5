"""A look at the directories where libvirt keeps its XML, to see sooner what no event tells.

libvirt replaces these files by renaming a new one over them, so the time of the directory tells whether anything in
it changed, and the files are looked at only then.  A directory that is missing or unreadable is an empty one.

Layer rule: imports connections and nothing else of this project.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from virtcim.libhelper.connections import is_local, scheme_driver, socket_path

__all__ = ["DirectoryWatch", "default_directories", "xml_directories"]

_CLOCK_STEP = 50_000_000
"""Nanoseconds within which two changes of a directory may carry the same time."""

_DRIVER_DIRECTORIES = {"qemu": "qemu", "lxc": "lxc", "xen": "libxl"}


def xml_directories(driver: str, configuration: Path, state: Path) -> dict[Path, str]:
    """The directories of XML files of a driver ("qemu", "lxc", "xen"), and which kind of object each holds.

    Parameters:
        configuration: the daemon's `/etc/libvirt`.
        state: the daemon's `/run/libvirt`.
    """
    name = _DRIVER_DIRECTORIES[driver]
    return {
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
        return xml_directories(driver, Path("/etc/libvirt"), Path("/run/libvirt"))
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    state = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    return xml_directories(driver, configuration / "libvirt", state / "libvirt")


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


class DirectoryWatch:
    """Watches directories of XML files.

    Parameters:
        directories: each with the kind of object that it holds.
    """

    def __init__(self, directories: Mapping[Path, str]) -> None:
        self._directories = [_Directory(path, kind) for path, kind in directories.items()]

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
