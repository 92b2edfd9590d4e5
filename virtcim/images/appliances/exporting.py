"""Making an appliance of a guest that is stopped.

Layer rule: imports its siblings and `libhelper`.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from virtcim.images.appliances.archive import check_name
from virtcim.images.appliances.errors import ApplianceError, MissingGuestError, TakenNameError, UnfitOrderError
from virtcim.images.appliances.images import QCOW2, VMDK, ImageFile, check_image, convert, uri_of, virtual_size
from virtcim.images.appliances.manifest import Digest, digest_of, write_manifest
from virtcim.images.appliances.scratch import scratch_directory
from virtcim.images.appliances.undo import PartOfWork, Steps, undoing
from virtcim.images.appliances.writer import WrittenDisk, has_content, write_descriptor
from virtcim.immutable import immutable
from virtcim.libhelper.connections import is_local
from virtcim.libhelper.documents.domain import Disk, DomainConfig
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.work import Work

__all__ = ["Content", "Disks", "ExportOrder", "Exported", "check_order", "export_guest", "export_system"]

_CONVERTED, _DIGESTED = 70, 80
"""Percent that an export has come when the disks are converted, and when their digests are known."""
_ALGORITHMS = {1: "sha1", 2: "sha256"}
"""The digests that each version of OVF has."""
_ENDINGS = {VMDK: "vmdk", QCOW2: "qcow2"}
_MOST_USTAR = 8 << 30
"""Bytes of a file from which on the format of POSIX has no room for its size."""


@immutable
class ExportOrder:
    """How a guest is to be exported.

    Attributes:
        target: what is written: an archive, `NAME.ova`, or a descriptor, `NAME.ovf`, with its files beside it.
        format: of its disks: `vmdk`, the compressed form that every reader of OVF takes, or `qcow2`.
        version: of OVF, 1 or 2.
    """

    target: Path
    format: str = VMDK
    version: int = 1


@immutable
class Exported:
    """What an export has written.

    Attributes:
        files: all of them.
        warnings: what of the guest they do not hold, in words.
    """

    files: tuple[Path, ...]
    warnings: tuple[str, ...]


def export_guest(guest: str, order: ExportOrder, hypervisor: Hypervisor, work: Work, scratch: Path) -> Exported:
    """Export a guest; what was written is removed when a later step fails, or when the work is asked to stop.

    Parameters:
        guest: the UUID or the name.
        work: told how far it is, and asked whether to go on.
        scratch: a directory with room for its disks.

    Raises:
        ApplianceError: it runs, has a disk that cannot be read, or the target is there already.
        LibvirtError: libvirt refused.
        WorkCancelledError: the work was asked to stop.
        OSError: there is no room.
    """
    record = hypervisor.inventory.domain_by_uuid(guest) or hypervisor.inventory.domain(guest)
    if record is None:
        raise MissingGuestError(f"guest {guest!r}: does not exist")
    if record.active or record.has_managed_save:
        raise ApplianceError(f"guest {record.name!r}: is not off; expected one that is stopped")
    config = DomainConfig.parse(hypervisor.domains.xml(record.uuid))
    return export_system(config, order, HostDisks(hypervisor), work, scratch)


def check_order(order: ExportOrder) -> None:
    """Refuse what cannot be written.

    Raises:
        ApplianceError: the target is there already, or there is no such format or version.
    """
    if order.format not in _ENDINGS:
        raise UnfitOrderError(f"format {order.format!r}: is not written; expected vmdk or qcow2")
    if order.version not in _ALGORITHMS:
        raise UnfitOrderError(f"OVF {order.version}: is not written; expected 1 or 2")
    if order.target.suffix not in (".ova", ".ovf"):
        raise UnfitOrderError(f"target {order.target.name!r}: is no appliance; expected NAME.ova or NAME.ovf")
    check_name(order.target.name)
    if os.path.lexists(order.target):
        raise TakenNameError(f"target {order.target.name!r}: is there already; expected a new one")


def export_system(config: DomainConfig, order: ExportOrder, disks: Disks, work: Work, scratch: Path) -> Exported:
    """Export a system, whether there is a guest of it or not.

    Parameters:
        config: the domain.
        disks: where what its disks hold is.
        work, scratch: see `export_guest`.

    Raises:
        ApplianceError, LibvirtError, WorkCancelledError, OSError: see `export_guest`.
    """
    check_order(order)
    with scratch_directory(scratch) as directory, undoing(work) as steps:
        return _Exporter(config, order, disks, work, directory, steps).run()


@immutable
class Content:
    """What a disk holds.

    Attributes:
        path: of an image on this host, of the format that the disk says; None for an empty disk.
        capacity: bytes that the disk has at least.
        is_local: whether it lies on this host as a disk of a guest, and so may name files of this host.
    """

    path: Path | None
    capacity: int = 0
    is_local: bool = False


class Disks(Protocol):
    """Where what the disks of a system hold is."""

    def find(self, disk: Disk, scratch: Path, part: Work) -> Content:
        """Find what a disk holds.

        Parameters:
            scratch: a directory for what has to be fetched.

        Raises:
            ApplianceError: it cannot be read.
        """
        ...


class HostDisks:
    """The disks of guests of a host.

    Parameters:
        hypervisor: of the host.
    """

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor

    def find(self, disk: Disk, scratch: Path, part: Work) -> Content:
        """See `Disks`: it is fetched from elsewhere where it is not here."""
        pool, volume = self._volume(disk)
        path = disk.source_file or disk.source_dev
        if path is None and volume:
            with self._hypervisor.storage.volume(pool, volume) as found:
                path = found.path()
        if path is None:
            raise ApplianceError(f"disk {disk.target_dev!r}: is neither a file nor a volume; expected one of these")
        if is_local(self._hypervisor.uri):
            return Content(Path(path), is_local=True)
        if not volume:
            raise ApplianceError(f"disk {disk.target_dev!r}: is in no storage pool of that host; expected one")
        fetched = scratch / "fetched"
        with fetched.open("wb") as out:
            self._hypervisor.storage.download(pool, volume, out, 0, 0, part)
        return Content(fetched)

    def _volume(self, disk: Disk) -> tuple[str, str]:
        """The pool and the name of the volume that a disk is; twice "" for what is in no pool."""
        if disk.source_pool and disk.source_volume:
            return disk.source_pool, disk.source_volume
        path = disk.source_file or disk.source_dev
        found = self._hypervisor.inventory.volume_at(path) if path else None
        return ("", "") if found is None else (found[0].name, found[1])


class _Exporter:
    """Carries out one export."""

    def __init__(
        self, config: DomainConfig, order: ExportOrder, disks: Disks, work: Work, scratch: Path, steps: Steps
    ) -> None:
        self._config, self._order, self._disks = config, order, disks
        self._work, self._scratch, self._steps = work, scratch, steps

    def run(self) -> Exported:
        """Do it."""
        name = check_name((self._config.name or "guest").replace("/", "_"))
        disks = [device for device in self._config.devices if isinstance(device, Disk) and has_content(device)]
        written = []
        for number, disk in enumerate(disks):
            begin, end = (_CONVERTED * each // len(disks) for each in (number, number + 1))
            file = f"{name}-disk{number + 1}.{_ENDINGS[self._order.format]}"
            written.append(self._write_disk(disk, self._scratch / file, PartOfWork(self._work, begin, end)))
        text, warnings = write_descriptor(self._config, written, self._order.version)
        # The names of the parts are that of the whole, whatever the guest is called.
        base = self._order.target.stem
        algorithm = _ALGORITHMS[self._order.version]
        digests = {f"{base}.ovf": digest_of(io.BytesIO(text), algorithm)}
        full = [each for each in written if each.name]
        for each in full:
            digests[each.name] = self._digest(self._scratch / each.name, algorithm)
        self._work.report(_DIGESTED, 100)
        small = {f"{base}.ovf": text, f"{base}.mf": write_manifest(digests)}
        large = [self._scratch / each.name for each in full]
        files = self._archive(small, large) if self._order.target.suffix == ".ova" else self._files(small, large)
        self._work.report(100, 100)
        return Exported(files, warnings)

    def _write_disk(self, disk: Disk, target: Path, part: Work) -> WrittenDisk:
        content = self._disks.find(disk, self._scratch, part)
        source = content.path
        if source is None:
            return WrittenDisk(disk, "", 0, content.capacity, "")
        image = ImageFile(source, disk.driver_type or "raw", names_parent=content.is_local)
        if not content.is_local:
            with source.open("rb") as file:
                check_image(file, disk.target_dev or "", image.kind)
        capacity = max(content.capacity, virtual_size(image))
        convert(image, target, self._order.format, part, stream=self._order.format == VMDK)
        if source.parent == self._scratch:
            source.unlink()
        return WrittenDisk(disk, target.name, target.stat().st_size, capacity, uri_of(self._order.format))

    def _digest(self, path: Path, algorithm: str) -> Digest:
        with path.open("rb") as file, self._work.stoppable():
            return digest_of(file, algorithm, self._work.checkpoint)

    def _archive(self, small: dict[str, bytes], large: list[Path]) -> tuple[Path, ...]:
        target = self._order.target
        unfinished = target.with_name(f"{target.name}.part")
        fits = all(path.stat().st_size < _MOST_USTAR for path in large)
        kind = tarfile.USTAR_FORMAT if fits else tarfile.GNU_FORMAT
        with (
            unfinished.open("xb") as out,
            self._work.stoppable(),
            tarfile.open(fileobj=out, mode="w", format=kind) as tar,
        ):
            self._steps.add(f"file {unfinished.name}", lambda: unfinished.unlink(missing_ok=True))
            for name, data in small.items():
                tar.addfile(_member(name, len(data)), io.BytesIO(data))
            for path in large:
                with path.open("rb") as file:
                    tar.addfile(_member(path.name, path.stat().st_size), _Stoppable(file, self._work.checkpoint))
                path.unlink()
        unfinished.rename(target)
        return (target,)

    def _files(self, small: dict[str, bytes], large: list[Path]) -> tuple[Path, ...]:
        directory, made = self._order.target.parent, list[Path]()
        names = [*small, *(path.name for path in large)]
        there = [name for name in names if os.path.lexists(directory / name)]
        if there:
            raise TakenNameError(f"file {there[0]!r}: is there already; expected a new one")
        made += [self._write(directory / path.name, path) for path in large]
        for name, data in reversed(small.items()):
            source = self._scratch / name
            source.write_bytes(data)
            made.append(self._write(directory / name, source))
        return tuple(reversed(made))

    def _write(self, target: Path, source: Path) -> Path:
        with source.open("rb") as file, target.open("xb") as out, self._work.stoppable():
            self._steps.add(f"file {target.name}", lambda: target.unlink(missing_ok=True))
            while chunk := file.read(1 << 20):
                self._work.checkpoint()
                out.write(chunk)
        return target


class _Stoppable(io.RawIOBase):
    """A file that is read until the work is asked to stop."""

    def __init__(self, file: BinaryIO, checkpoint: Callable[[], object]) -> None:
        super().__init__()
        self._file, self._checkpoint = file, checkpoint

    def read(self, size: int = -1, /) -> bytes:
        self._checkpoint()
        return self._file.read(size)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member
