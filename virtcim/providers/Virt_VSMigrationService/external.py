"""The administrator's own checks: programs in a directory of root's, run without a shell and with a time limit."""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from virtcim.libhelper.migrations import Finding
from virtcim.providers.Virt_VSMigrationService.migration import Migration

__all__ = ["objection_to", "run_checks"]

_log = logging.getLogger(__name__)

_LONGEST_TEXT = 1000
"""Characters that are told of what a check wrote."""

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def run_checks(migration: Migration, checkpoint: Callable[[], None]) -> Iterator[Finding]:
    """Run all checks; one finding for each that does not agree, that cannot be trusted, or takes too long.

    Parameters:
        migration: that is wanted.
        checkpoint: called before each of them: what it raises ends them all.
    """
    settings = migration.guest.site.settings.migration
    directory = settings.check_directory
    if directory is None:
        return
    if (objection := objection_to(directory)) is not None:
        yield Finding("external", objection)
        return
    with tempfile.NamedTemporaryFile("w", prefix="virtcim-check-", encoding="utf-8") as parameters:
        parameters.writelines(f"{line}\n" for line in migration.wish.check_parameters)
        parameters.flush()
        for program in sorted(directory.iterdir()):
            if not program.is_file() or not os.access(program, os.X_OK):
                continue
            checkpoint()
            text = objection_to(program) or _outcome(program, migration, parameters.name, settings.check_timeout)
            if text is not None:
                yield Finding(f"external/{program.name}", text)


def objection_to(path: Path) -> str | None:
    """Why nothing of this path is run; None where it is root's alone (or of the user that the server runs as)."""
    try:
        found = path.stat()
    except OSError as error:
        return f"{path}: {error.strerror}"
    if found.st_uid not in (0, os.geteuid()):
        return f"{path}: belongs to another user; expected root"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{path}: others may write there; expected root alone"
    return None


def _outcome(program: Path, migration: Migration, parameters: str, timeout: float) -> str | None:
    """Run a check; None where it agrees, else what it wrote."""
    guest = migration.guest
    command = [str(program), guest.name, guest.hypervisor.uri, parameters]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return f"cannot be run: {error.strerror}"
    with process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            # With all that it has started: they may hold the pipe open.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"took more than {timeout:g} s"
    if process.returncode == 0:
        return None
    text = " ".join(output.decode(errors="replace").split())[:_LONGEST_TEXT]
    _log.info("check %s of guest %s ended with %d: %s", program.name, guest.name, process.returncode, text)
    return text or f"ended with status {process.returncode}"
