"""Files in directories that somebody else may write to, as root has to do with that of the server's own user.

Whoever can write to a directory must choose neither which file is overwritten nor what root believes.

Layer rule: knows nothing of this project.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["naming_file", "read_own", "write_anew"]


def write_anew(file: Path, text: str, mode: int = 0o600) -> None:
    """Write a file whole or not at all, in place of one that is there; no link is followed.

    Parameters:
        mode: of the file; as it comes nobody else can read it.

    Raises:
        OSError: it cannot be written; nothing is left then.
    """
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)  # of an earlier try that was cut off
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with naming_file(file), open(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(descriptor, mode)
            stream.write(text)
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def read_own(file: Path) -> str:
    """Read a text that this user or root has written.

    Raises:
        OSError: it cannot be read, or is a link.
        ValueError: it is of somebody else, or no text.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, encoding="utf-8") as stream:
        owner = os.fstat(descriptor).st_uid
        if owner not in {os.geteuid(), 0}:
            raise ValueError(f"it belongs to the user {owner}; expected {os.geteuid()} or root")
        return stream.read()


@contextlib.contextmanager
def naming_file(file: Path) -> Iterator[None]:
    """Name the file in the error of a write, which knows of a descriptor only."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error
