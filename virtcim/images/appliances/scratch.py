"""Directories where packages and disks lie for as long as something is made of them, and are gone afterwards.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["clear_scratch", "scratch_directory"]

_log = logging.getLogger(__name__)

_PREFIX = "virtcim-appliance-"


@contextlib.contextmanager
def scratch_directory(scratch: Path) -> Iterator[Path]:
    """A directory for the length of a block; whoever works in it holds a lock on it.

    Parameters:
        scratch: in which it is made.
    """
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=scratch) as directory, _locked(directory, fcntl.LOCK_SH):
        yield Path(directory)


def clear_scratch(scratch: Path) -> None:
    """Remove the directories in which nobody works any more: their servers have died over it.

    Parameters:
        scratch: where they are made; that it is missing does no harm.
    """
    for path in scratch.glob(f"{_PREFIX}*"):
        try:
            with _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(path)
        except BlockingIOError:
            continue  # another server, whose settings name the same place
        except OSError as error:
            _log.warning("%s: cannot be removed: %s", path, error.strerror)
        else:
            _log.info("%s: is removed, nobody works in it any more", path)


@contextlib.contextmanager
def _locked(directory: str | Path, kind: int) -> Iterator[None]:
    """Hold a lock on a directory, which is no link."""
    found = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(found, kind)
        yield
    finally:
        os.close(found)
