"""What shows that a file has changed, for whoever reads files again without a restart."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["stamp_of", "stamps_of"]


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """Look at a file, which may take as long as a disk does.

    Returns:
        its time of change in ns, size in bytes and inode; None where it cannot be seen.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def stamps_of(paths: Iterable[Path]) -> tuple[object, ...]:
    """Look at several files, as `stamp_of` does."""
    return tuple(map(stamp_of, paths))
