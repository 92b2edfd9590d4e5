"""Provisioners: what takes part in making the guests of a template, before they are defined and after their start.

A provisioner is a plugin (an entry point of the group `virtcim.provisioners`) or an executable of root's.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from virtcim.images.settings import ImageSettings
from virtcim.images.templates import Template
from virtcim.immutable import immutable

__all__ = ["GROUP", "NewGuest", "Provisioner", "ProvisionerError", "find_provisioner"]

GROUP = "virtcim.provisioners"
"""The group of entry points."""

_TOLD = 500
"""Characters of what an executable wrote that stand in an error."""


class ProvisionerError(Exception):
    """A provisioner failed, or is not available; the text says why."""


@immutable
class NewGuest:
    """The guest that is being made.

    Attributes:
        name, uuid: of it.
        namespace: of its node.
        template: `ID@VERSION`.
        settings: properties of Virt_VirtualSystemSettingData.
        parameters: the values of the parameters of the template.
        disks: the format of each disk by its path on the node, the system disk first.
    """

    name: str
    uuid: str
    namespace: str
    template: str
    settings: Mapping[str, Any]
    parameters: Mapping[str, str]
    disks: Mapping[str, str] = field(default_factory=dict)


class Provisioner(Protocol):
    """What a plugin is.  Whatever it raises ends the job, with its text, and takes back what was done."""

    def prepare(self, guest: NewGuest) -> None:
        """Take part before the guest is defined; its disks are there."""

    def finish(self, guest: NewGuest) -> None:
        """Take part after the guest was started."""

    def undo(self, guest: NewGuest) -> None:
        """Take back what `prepare` and `finish` did, as far as they came; there may be nothing to take back."""


def find_provisioner(template: Template, settings: ImageSettings) -> Provisioner | None:
    """Find the provisioner of a template; None where it names none.

    Raises:
        ProvisionerError: there is none of that name, or it is an executable that anybody but root could change or that
            a template of a client names.
    """
    name = template.provisioner
    if not name:
        return None
    if name.startswith("/"):
        if not template.origin:
            raise ProvisionerError(
                f"provisioner {name}: only templates of the administrator's files name executables; expected a plugin"
            )
        return _Executable(Path(name), settings)
    found = [each for each in entry_points(group=GROUP) if each.name == name]
    if not found:
        raise ProvisionerError(f"provisioner {name}: there is no plugin of that name")
    try:
        made: Provisioner = found[0].load()()
    except Exception as error:  # whatever a plugin does must not take the server with it
        raise ProvisionerError(f"provisioner {name}: {error}") from error
    return made


class _Executable:
    """An executable, given what is to be done as its argument and the guest as JSON on its input.

    Parameters:
        path: of it.
        settings: its user and its time.
    """

    def __init__(self, path: Path, settings: ImageSettings) -> None:
        self._path = path
        self._settings = settings
        self._check()

    def prepare(self, guest: NewGuest) -> None:
        self._run("prepare", guest)

    def finish(self, guest: NewGuest) -> None:
        self._run("finish", guest)

    def undo(self, guest: NewGuest) -> None:
        self._run("undo", guest)

    def _check(self) -> None:
        """Refuse what somebody else than root, or than who runs the server, could have written."""
        try:
            real = self._path.resolve(strict=True)
        except OSError as error:
            raise ProvisionerError(f"provisioner {self._path}: {error.strerror}") from error
        except RuntimeError as error:
            raise ProvisionerError(f"provisioner {self._path}: leads back to itself") from error
        # Where links lead, and the folders that these are in, count as well.
        for each in dict.fromkeys((self._path, *self._path.parents, real, *real.parents)):
            try:
                found = each.stat()
            except OSError as error:
                raise ProvisionerError(f"provisioner {each}: {error.strerror}") from error
            is_shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
            if found.st_uid not in (0, os.geteuid()) or is_shared:
                raise ProvisionerError(f"provisioner {self._path}: others than root can change {each}")
        if not os.access(self._path, os.X_OK):
            raise ProvisionerError(f"provisioner {self._path}: cannot be executed")

    def _run(self, action: str, guest: NewGuest) -> None:
        self._check()
        user = self._settings.provisioner_user if os.geteuid() == 0 else None
        process = subprocess.Popen(
            [str(self._path), action],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            cwd="/",
            user=user,
            group=_group_of(user),
            extra_groups=None if user is None else [],
            start_new_session=True,
        )
        try:
            _, written = process.communicate(json.dumps(asdict(guest)).encode(), self._settings.provisioner_timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise ProvisionerError(
                f"provisioner {self._path} {action}: took more than {self._settings.provisioner_timeout:g} s"
            ) from None
        if process.returncode:
            told = written.decode(errors="replace").strip()[-_TOLD:]
            raise ProvisionerError(f"provisioner {self._path} {action}: ended with {process.returncode}: {told}")


def _group_of(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
