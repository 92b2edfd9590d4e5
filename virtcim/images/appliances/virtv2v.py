"""virt-v2v, where it is installed: it makes guests of other hypervisors run here, with the drivers that they need.

It boots a small system of its own to look into the disks, and so takes minutes.  What it makes is a domain with disks
beside it, of which an appliance is written like that of any guest.

Layer rule: imports `errors`, `exporting` and `images` of this package, and `libhelper`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.exporting import Content, ExportOrder, export_system
from virtcim.images.appliances.images import QCOW2
from virtcim.libhelper.documents.domain import Disk, DomainConfig, MappingError
from virtcim.libhelper.work import Work

__all__ = ["VIRT_V2V", "VirtV2v"]

VIRT_V2V = "virt-v2v"
_NAME = "converted"
_MOST_COMPLAINT = 1 << 16


class VirtV2v:
    """Converts archives; see `importers.Importer`."""

    endings = (".ova",)

    def convert(self, source: Path, directory: Path, work: Work) -> Path:
        """Convert an archive, which was checked before.

        Raises:
            ApplianceError: virt-v2v is not installed, or failed; the text is the last line of its complaint.
            WorkCancelledError: the work was asked to stop.
        """
        if source.suffix.lower() not in self.endings:
            raise ApplianceError(f"appliance {source.name!r}: {VIRT_V2V} takes archives; expected NAME.ova")
        if shutil.which(VIRT_V2V) is None:
            raise ApplianceError(f"{VIRT_V2V}: is not installed on the server; expected it to be, or another importer")
        made = directory / "virt-v2v"
        made.mkdir()
        _run(source, made, work)
        try:
            config = DomainConfig.parse((made / f"{_NAME}.xml").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, MappingError) as error:
            raise ApplianceError(f"{VIRT_V2V}: left no domain: {error}") from error
        target = directory / f"{_NAME}.ovf"
        export_system(config, ExportOrder(target, QCOW2), _DisksBelow(made), work, directory)
        shutil.rmtree(made)
        return target


class _DisksBelow:
    """See `exporting.Disks`: files of a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()

    def find(self, disk: Disk, scratch: Path, part: Work) -> Content:
        """See `exporting.Disks`."""
        path = Path(disk.source_file or "/").resolve()
        if not path.is_relative_to(self._directory) or not path.is_file():
            raise ApplianceError(f"{VIRT_V2V}: left the disk {disk.target_dev!r} elsewhere")
        return Content(path)


def _run(source: Path, made: Path, work: Work) -> None:
    # A name that begins with a dash would be an option.
    command = [
        VIRT_V2V,
        "-i",
        "ova",
        str(source.absolute()),
        "-o",
        "local",
        "-os",
        str(made),
        "-of",
        QCOW2,
        "-on",
        _NAME,
    ]
    # Its small system runs as a child of its own, and not by a libvirt whose guests are those of this server.
    environment = {**os.environ, "LIBGUESTFS_BACKEND": "direct", "LC_ALL": "C"}
    with (
        tempfile.TemporaryFile("w+", errors="replace") as told,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=told, stderr=told, env=environment, start_new_session=True
        ) as process,
    ):
        try:
            with work.stoppable(process.terminate):
                status = process.wait()
            work.checkpoint()
        except BaseException:
            process.kill()
            raise
        if status != 0:
            told.seek(max(0, told.seek(0, os.SEEK_END) - _MOST_COMPLAINT))
            lines = [line for line in told.read().splitlines() if line.strip()]
            raise ApplianceError(f"{VIRT_V2V}: {lines[-1][:300] if lines else f'ended with {status}'}")
