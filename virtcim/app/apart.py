"""Commands of virtcim that a server has another process carry out."""

from __future__ import annotations

import logging
import subprocess
import sys

__all__ = ["run_apart"]

_log = logging.getLogger(__name__)

PATIENCE = 120.0
"""Seconds that another process gets."""


def run_apart(*words: str, text: str = "") -> None:
    """Have another process carry out a command: what it loads, which takes as much memory as a server, goes with it.

    What comes of it is not told: the caller looks for the files that it makes.

    Parameters:
        words: the command, as after `virtcim`.
        text: its standard input.
    """
    # -P: nothing is imported from the directory where the server happens to have been started.
    command = [sys.executable, "-P", "-m", "virtcim.app.entry", *words]
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        _log.debug("%s: %s", command, error)
    else:
        _log.debug("%s: exit status %d: %s", command, done.returncode, done.stderr)
