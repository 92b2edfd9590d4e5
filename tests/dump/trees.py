"""A server of any source tree."""

from __future__ import annotations

import configparser
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bed.server import COMMAND, Server

__all__ = ["Tree"]


class Tree:
    """A source tree, and what runs it.

    Parameters:
        directory: its root, with `setup.cfg` in it.
        python: the interpreter of an environment that has the libraries it needs.
    """

    def __init__(self, directory: Path, python: str) -> None:
        self.directory = directory.resolve()
        self.python = shutil.which(python) or python

    @property
    def entry_point(self) -> str:
        """What the console script runs, as `module:function`.

        Raises:
            LookupError: `setup.cfg` has no console script `virtcim`.
        """
        settings = configparser.ConfigParser()
        settings.read(self.directory / "setup.cfg")
        scripts = settings.get("options.entry_points", "console_scripts", fallback="")
        for line in scripts.splitlines():
            name, _, target = (part.strip() for part in line.partition("="))
            if name == "virtcim":
                return target
        raise LookupError(f"{self.directory / 'setup.cfg'}: no console script 'virtcim'; expected one")

    def server(self, *uris: str, launcher: Sequence[str] | None = None, **options: Any) -> Server:
        """A server of this tree, not yet started.

        Parameters:
            uris: libvirt connections to serve.
            launcher: a Python script and its arguments that runs the entry point, given to it as one more argument.
            options: those of `Server`.
        """
        server = Server(*uris, environment={"PYTHONPATH": str(self.directory)}, **options)
        module, _, function = self.entry_point.partition(":")
        plain = ["-c", f"import sys; from {module} import {function}; sys.exit({function}())"]
        started = plain if launcher is None else [*launcher, self.entry_point]
        server.command[: len(COMMAND)] = [self.python, "-P", *started]
        return server
