"""Unix sockets that QEMU was told to listen on.

Layer rule: imports nothing.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

__all__ = ["remove_sockets"]


def remove_sockets(uris: Iterable[str]) -> None:
    """Remove the sockets of this machine that some addresses name: a QEMU that was killed leaves its own behind.

    Parameters:
        uris: those of libvirt for migrations (`unix:PATH`, `unix://PATH`) and of NBD (`nbd+unix:///NAME?socket=PATH`);
            others name no socket.
    """
    for uri in uris:
        path = _path_of(uri)
        with contextlib.suppress(OSError):  # QEMU has removed it, or the directory is another user's
            if path is not None and stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()


def _path_of(uri: str) -> Path | None:
    parts = urlsplit(uri)
    match parts.scheme:
        case "unix":
            return Path(parts.path)
        case "nbd+unix":
            return Path("".join(parse_qs(parts.query).get("socket", ())))
        case _:
            return None
