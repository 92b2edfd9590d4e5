"""The user that is made on first start."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import stat
import time
from pathlib import Path

from virtcim.files import naming_file, write_anew

__all__ = ["DEFAULT_USER", "LOCK", "claim_state_dir", "first_password", "make_state_dir"]

log = logging.getLogger(__name__)

DEFAULT_USER = "virtcim"
LOCK = "lock"
"""The file in the state directory that a running server has locked, with its process id."""

LOCK_TRIES, LOCK_PAUSE = 5, 0.02
"""How often a lock is tried, and the seconds between two tries."""

PASSWORD_BYTES = 18  # 144 bits, 24 characters that need no quoting in a URL or a shell


def first_password(state_dir: Path) -> tuple[str, str]:
    """The user and password kept in `state_dir`, made with mode 0600 when there are none yet.

    Returns:
        user name and password.

    Raises:
        OSError: the file cannot be read or made.
        ValueError: the file holds something else than one line `user:password`.
    """
    file = state_dir / "password"
    if file.exists():
        text = file.read_text(encoding="utf-8").strip()
    else:
        text = f"{DEFAULT_USER}:{secrets.token_urlsafe(PASSWORD_BYTES)}"
        write_anew(file, text + "\n")
    user, colon, password = text.partition(":")
    if not (user and colon and password) or "\n" in text:
        raise ValueError(f"{file}: does not hold a user with a password; expected one line user:password")
    return user, password


def make_state_dir(directory: Path) -> None:
    """Make the state directory with mode 0700, or take it as it is, unless others could put files into it.

    A directory of this user that others may write to is made safe; of what is in it already, nothing is known.

    Raises:
        OSError: it cannot be made.
        ValueError: it belongs to somebody else, or is no directory.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_uid not in {os.geteuid(), 0}:
        raise ValueError(f"{directory}: it belongs to the user {found.st_uid}; expected {os.geteuid()} or root")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        try:
            directory.chmod(stat.S_IMODE(found.st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))
        except PermissionError as error:
            mode = stat.S_IMODE(found.st_mode)
            raise ValueError(f"{directory}: others may write to it (mode {mode:04o}); expected 0700") from error
        log.warning("%s: others could write to it, and may have; they cannot any more", directory)


def claim_state_dir(directory: Path) -> None:
    """Have a state directory for this process alone, as long as it lives.

    Raises:
        OSError: the lock cannot be made.
        ValueError: another server has it.
    """
    file = directory / LOCK
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if not _locked(descriptor):
        owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise ValueError(f"{directory}: the server with process id {owner} uses it; expected one of its own")
    os.ftruncate(descriptor, 0)
    with naming_file(file):
        os.write(descriptor, f"{os.getpid()}\n".encode())
    # Never closed: the lock goes with the process, however that ends.


def _locked(descriptor: int) -> bool:
    """Lock a file; `virtcim check` holds it for a moment to see whether a server does."""
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE)
        else:
            return True
    return False
