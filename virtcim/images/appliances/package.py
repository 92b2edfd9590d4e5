"""A package on this host: an archive (`.ova`), or a descriptor (`.ovf`) with its files beside it.

Layer rule: imports its siblings `archive`, `description`, `descriptor`, `errors` and `manifest`, and `libhelper.work`.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from virtcim.images.appliances.archive import Member, Slice, check_name, list_members
from virtcim.images.appliances.description import Appliance, File
from virtcim.images.appliances.descriptor import read_descriptor
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.manifest import Digest, Signature, check_digest, read_manifest, read_signature
from virtcim.immutable import immutable
from virtcim.libhelper.work import Work

__all__ = ["Limits", "Package", "open_package"]


@immutable
class Limits:
    """What a package may be.

    Attributes:
        files: in it.
        descriptor: bytes of its descriptor, of its manifest and of its certificate.
        content: bytes of all its files.
    """

    files: int = 1000
    descriptor: int = 8 << 20
    content: int = 4 << 40


class _Source(Protocol):
    """Where the files of a package lie."""

    def has(self, name: str) -> bool: ...
    def size(self, name: str) -> int: ...
    def open(self, name: str) -> BinaryIO: ...


class Package:
    """A package that was opened; its descriptor is read, its other files are not yet.

    Attributes:
        name: of the descriptor, without its ending.
        appliance: what the descriptor says.
        digests: of the manifest, by the names of files; none where there is no manifest.
        signature: who signed the manifest; None where nobody did.
        warnings: what is to be known of it, in words.
    """

    def __init__(self, source: _Source, descriptor: str, limits: Limits, without: Collection[str]) -> None:
        self._source, self._limits = source, limits
        self.name = Path(descriptor).name.rpartition(".")[0]
        base = descriptor.rpartition(".")[0]
        manifest = self._read_small(f"{base}.mf")
        certificate = self._read_small(f"{base}.cert")
        self.digests: dict[str, Digest] = read_manifest(manifest) if manifest is not None else {}
        self.signature: Signature | None = None
        if certificate is not None:
            if manifest is None:
                raise ApplianceError(f"file {base}.cert: signs a manifest that is missing; expected {base}.mf")
            self.signature = read_signature(certificate, manifest)
        text = self._read_small(descriptor)
        if text is None:
            raise ApplianceError(f"file {descriptor!r}: is not there; expected the descriptor")
        if descriptor in self.digests:
            check_digest(descriptor, io.BytesIO(text), self.digests[descriptor])
        self.appliance: Appliance = read_descriptor(text, without=without)
        held = {descriptor, *self._referred()}
        unlisted = [] if manifest is None else [each for each in held if each not in self.digests]
        self.warnings = (
            *self.appliance.warnings,
            *(() if manifest is not None else ("there is no manifest: whether files are as they were is not known",)),
            *(f"file {name!r}: is not in the manifest" for name in sorted(unlisted)),
        )

    def parts(self, file: File) -> list[str]:
        """Find the names in the package of what a file consists of: itself, or the parts into which it is split.

        Raises:
            ApplianceError: it is elsewhere, or missing, or not of the size that the descriptor says.
        """
        name = self._name(file)
        if file.chunk_size is None:
            names = [name]
        else:
            numbered = (f"{name}.{number:09d}" for number in range(self._limits.files + 1))
            names = []
            for each in numbered:
                if not self._source.has(each):
                    break
                names.append(each)
        missing = [each for each in names if not self._source.has(each)] if names else [f"{name}.000000000"]
        if missing:
            raise ApplianceError(f"file {missing[0]!r}: is not in the package; expected what the descriptor refers to")
        size = sum(map(self._source.size, names))
        if file.size is not None and size != file.size:
            raise ApplianceError(f"file {name!r}: has {size} bytes; expected {file.size} as the descriptor says")
        return names

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file of the package for the length of a block."""
        with contextlib.closing(self._source.open(name)) as file:
            yield file

    def size(self, name: str) -> int:
        """The bytes of a file of the package."""
        return self._source.size(name)

    def check_files(self, work: Work) -> None:
        """Compare the files that the descriptor refers to with it and with the manifest; can be stopped.

        Raises:
            ApplianceError: one is missing, or another than the one that was meant.
        """
        names = [name for file in self.appliance.files.values() for name in self.parts(file)]
        if sum(map(self._source.size, names)) > self._limits.content:
            raise ApplianceError(f"package: holds more than {self._limits.content} bytes; expected fewer")
        with work.stoppable():
            for name in names:
                if name in self.digests:
                    with self.open(name) as file:
                        check_digest(name, file, self.digests[name], work.checkpoint)

    def _referred(self) -> set[str]:
        names = set()
        for file in self.appliance.files.values():
            with contextlib.suppress(ApplianceError):
                names.update(self.parts(file))
        return names

    def _name(self, file: File) -> str:
        """The name in the package that a reference means, which is written as a URL."""
        try:
            parts = urlsplit(file.href)
            is_elsewhere = bool(parts.scheme or parts.netloc)
        except ValueError:
            is_elsewhere = True
        if is_elsewhere:
            raise ApplianceError(f"file {file.href[:80]!r}: is not in the package; expected no reference to elsewhere")
        plain = check_name(file.href.removeprefix("./"))
        return plain if self._source.has(plain) or file.chunk_size is not None else check_name(unquote(plain))

    def _read_small(self, name: str) -> bytes | None:
        """The whole of a file; None where there is none."""
        if not self._source.has(name):
            return None
        if self._source.size(name) > self._limits.descriptor:
            raise ApplianceError(f"file {name!r}: has more than {self._limits.descriptor} bytes; expected fewer")
        with self.open(name) as file:
            return file.read(self._limits.descriptor)


def open_package(path: Path, limits: Limits | None = None, *, without: Collection[str] = ()) -> Package:
    """Open an appliance and read its descriptor.

    Parameters:
        path: of the archive, or of the descriptor.
        limits: what it may be.
        without: names of sections that are left out though the appliance says that it needs them.

    Raises:
        ApplianceError: it is none, or one that cannot be taken.
        OSError: it cannot be opened.
    """
    limits = limits or Limits()
    kind = os.lstat(path)
    if not stat.S_ISREG(kind.st_mode):
        raise ApplianceError(f"file {str(path)!r}: is no plain file; expected an archive or a descriptor")
    if path.suffix.lower() == ".ovf":
        return Package(_Directory(path.parent), check_name(path.name), limits, without)
    archive = _Archive(path, limits.files)
    return Package(archive, archive.descriptor, limits, without)


class _Archive:
    """The files of an archive."""

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        with path.open("rb") as file:
            members = list_members(file, most)
        self._members = {member.name: member for member in members}
        self.descriptor = members[0].name
        if not self.descriptor.lower().endswith(".ovf"):
            raise ApplianceError(f"archive: begins with {self.descriptor[:80]!r}; expected the descriptor, NAME.ovf")

    def has(self, name: str) -> bool:
        return name in self._members

    def size(self, name: str) -> int:
        return self._members[name].size

    def open(self, name: str) -> BinaryIO:
        member: Member = self._members[name]
        part = Slice(self._path.open("rb"), member.offset, member.size)
        return io.BufferedReader(part)


class _Directory:
    """The files beside a descriptor, and below that directory; links are not followed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def has(self, name: str) -> bool:
        try:
            self.open(name).close()
        except (OSError, ApplianceError):
            return False
        return True

    def size(self, name: str) -> int:
        with contextlib.closing(self.open(name)) as file:
            return os.fstat(file.fileno()).st_size

    def open(self, name: str) -> BinaryIO:
        *folders, last = name.split("/")
        directory = os.open(self._path, os.O_PATH | os.O_DIRECTORY)
        try:
            for folder in folders:
                inner = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
                os.close(directory)
                directory = inner
            # Without O_NONBLOCK a pipe would be waited for.
            found = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
        finally:
            os.close(directory)
        if not stat.S_ISREG(os.fstat(found).st_mode):
            os.close(found)
            raise ApplianceError(f"file {name!r}: is not a plain file; expected no link, directory or pipe")
        return os.fdopen(found, "rb")
