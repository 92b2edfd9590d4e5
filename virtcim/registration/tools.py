"""Running what a CIM server brings along, or only saying what would be run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["RegistrationError", "Tools"]

TIMEOUT = 600.0
"""Seconds for one tool: sfcbrepos compiles a whole schema, cimmof loads one over HTTP."""


class RegistrationError(Exception):
    """What kept a CIM server from being changed; the text says what to do."""


class Tools:
    """Runs tools.

    Parameters:
        dry_run: say what would be done to the CIM server, and do none of it; questions are still asked.
        say: takes each step as a line of text.
    """

    def __init__(self, say: Callable[[str], None], *, dry_run: bool = False) -> None:
        self.say = say
        self.dry_run = dry_run

    @staticmethod
    def has(name: str) -> bool:
        """Whether there is such a tool on PATH."""
        return shutil.which(name) is not None

    def ask(self, *command: str, with_errors: bool = False) -> str | None:
        """Run a command that changes nothing.

        Parameters:
            with_errors: what it says to standard error counts, too.

        Returns:
            what it says; None when it fails or is not there.
        """
        done = self._run(command)
        if done is None or done.returncode != 0:
            return None
        return done.stdout + (done.stderr if with_errors else "")

    def change(self, *command: str, may_fail: bool = False) -> bool:
        """Run a command that changes the CIM server.

        Returns:
            whether it succeeded.

        Raises:
            RegistrationError: it failed, and `may_fail` is not set.
        """
        self.say(" ".join(command))
        if self.dry_run:
            return True
        done = self._run(command)
        if done is not None and done.returncode == 0:
            return True
        if may_fail:
            return False
        said = "it is not there" if done is None else (done.stderr + done.stdout).strip()[-2000:]
        raise RegistrationError(f"{' '.join(command)} failed: {said}")

    def write(self, path: Path, text: str) -> None:
        """Write a file that becomes part of the CIM server."""
        self.say(f"write {path}")
        if not self.dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def remove(self, path: Path) -> None:
        """Remove a file, or a directory that is empty."""
        if path.is_dir():
            if any(path.iterdir()):
                return
            self.say(f"rmdir {path}")
            if not self.dry_run:
                path.rmdir()
        elif path.exists():
            self.say(f"rm {path}")
            if not self.dry_run:
                path.unlink()

    @staticmethod
    def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT,
                check=False,
            )
        except FileNotFoundError:
            return None
        except subprocess.TimeoutExpired:
            raise RegistrationError(f"{command[0]} did not end within {TIMEOUT:.0f} s") from None
