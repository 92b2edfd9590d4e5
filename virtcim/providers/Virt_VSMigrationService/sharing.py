"""Which disks of a guest its hosts have in common."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import Disk

if TYPE_CHECKING:
    from virtcim.providers.guest import Guest

__all__ = ["lacks_sharing"]


def lacks_sharing(guest: Guest) -> Sequence[Disk]:
    """List the disks of a guest that are files or devices of its host, are written to, and lie in none of the
    directories which the administrator says all hosts have in common."""
    config = guest.domain.config
    disks = (each for each in config.devices if isinstance(each, Disk)) if config is not None else ()
    shared = guest.site.settings.migration.shared_directories

    def is_shared(path: str) -> bool:
        return any(PurePosixPath(posixpath.normpath(path)).is_relative_to(each) for each in shared)

    written = [disk for disk in disks if not disk.readonly and not disk.shareable]
    return [disk for disk in written if (path := disk.source_file or disk.source_dev) and not is_shared(path)]
