"""The hashes of a password file of Apache's htpasswd: who has which, and whether a password is that of one.

bcrypt, which htpasswd -B writes, is computed by its own library.  passlib knows all others, and takes 2 MiB.  Each is
loaded by the first hash that is its.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passlib.context import CryptContext

__all__ = ["is_password", "read_hashes"]

_BCRYPT = re.compile(rb"\$2[aby]\$\d\d\$[./0-9A-Za-z]{21}[.Oeu][./0-9A-Za-z]{30}[.CGKOSWaeimquy26]")
"""A hash of bcrypt whose unused bits are 0; passlib knows what to do about others."""

_LONGEST = 72
"""Bytes of a password that bcrypt looks at; its library takes no longer ones."""


def read_hashes(path: Path) -> Mapping[bytes, bytes]:
    """Read the hashes by the names of their users; of one who is there several times the first one, as Apache does.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is none of htpasswd.
    """
    hashes: dict[bytes, bytes] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        try:
            user, hashed = line.rstrip().split(b":")
        except ValueError:
            raise ValueError(
                f"{path}: line {number} is none of a user; expected lines USER:HASH, as of htpasswd -B"
            ) from None
        hashes.setdefault(user, hashed)
    return hashes


def is_password(password: str, hashed: bytes) -> bool:
    """Whether a hash is that of a password.  May take long.

    Raises:
        ValueError, TypeError: it is no hash.
    """
    if _BCRYPT.fullmatch(hashed):
        import bcrypt  # here: other ways of authentication do not need it

        return bcrypt.checkpw(password.encode()[:_LONGEST], hashed)
    return bool(_other_schemes().verify(password, hashed))


@lru_cache(maxsize=1)
def _other_schemes() -> CryptContext:
    from passlib.apache import htpasswd_context
    from passlib.hash import sha256_crypt, sha512_crypt

    for each in (sha256_crypt, sha512_crypt):
        # The C library's own is one call, which takes half a second of the interpreter's lock.
        each.set_backend("builtin")
    return htpasswd_context
