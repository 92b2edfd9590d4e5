"""The user that is made on first start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

__all__ = ["DEFAULT_USER", "first_password"]

DEFAULT_USER = "virtcim"
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
        write_private(file, text + "\n")
    user, colon, password = text.partition(":")
    if not (user and colon and password) or "\n" in text:
        raise ValueError(f"{file}: one line user:password is wanted")
    return user, password


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    new = file.with_name(file.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(descriptor, 0o600)
        stream.write(text)
    new.replace(file)
