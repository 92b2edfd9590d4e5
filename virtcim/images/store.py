"""The store of images: what is kept of them, by their content.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from virtcim.images.addresses import AddressError, file_named, mirrored
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.images import check_image
from virtcim.images.download import DownloadError, checksum_in, download, fetch_text
from virtcim.images.records import Records
from virtcim.images.refusals import MissingError
from virtcim.images.settings import ImageSettings
from virtcim.images.templates import ImageSource
from virtcim.images.turns import Turns
from virtcim.immutable import immutable
from virtcim.libhelper.work import Work

__all__ = [
    "QEMU_WORDS",
    "ImageError",
    "ImageStore",
    "Incoming",
    "MissingImageError",
    "StoredImage",
]

_log = logging.getLogger(__name__)


_CHUNK = 1 << 20
_LONGEST_PAUSE = 24 * 3600.0
"""Seconds after which an image is no longer waited for whose pieces have not gone on."""
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_UPLOAD = re.compile(r"[0-9a-f]{32}\Z")
QEMU_WORDS = {"vhd": "vpc", "iso": "raw"}
"""What QEMU calls a format that has another name in templates."""


class ImageError(Exception):
    """An image cannot be fetched, kept or removed; the text says why."""


class MissingImageError(ImageError, MissingError):
    """There is no such image, or none was begun under that name."""


@immutable
class StoredImage:
    """An image that is here.

    Attributes:
        sha256: of its content, which is its name.
        size: bytes.
        format: one of `templates.FORMATS`.
        name: for people.
        url: that it is from; "" for one that was put here.
    """

    sha256: str
    size: int
    format: str = "qcow2"
    name: str = ""
    url: str = ""


class ImageStore:
    """The images that are here, by their content.

    Parameters:
        directory: where they are; made when it is needed.
        records: what is known of each, by its SHA-256.
        settings: of what may be fetched.

    Attributes:
        listeners: called after each change, in the thread that made it.
    """

    def __init__(self, directory: Path, records: Records[StoredImage], settings: ImageSettings) -> None:
        self.directory = directory
        self.settings = settings
        self._records = records
        self._turns = Turns()
        self.listeners: list[Callable[[], None]] = []

    def all(self) -> list[StoredImage]:
        """List the images that are here."""
        return [record for _, record in self._records.items() if self.path(record).is_file()]

    def find(self, source: ImageSource) -> StoredImage | None:
        """Find the image of a template, where it is here; None where it is to be fetched."""
        for image in self.all():
            if image.sha256 == source.sha256 or (not source.sha256 and source.url and image.url == source.url):
                return image
        return None

    def path(self, image: StoredImage) -> Path:
        """Where an image is."""
        return self.directory / image.sha256

    def fetch(self, source: ImageSource, work: Work, *, anew: bool = False) -> StoredImage:
        """Have an image here: at once where it is, else fetched; of several who want one, one fetches it.

        Parameters:
            source: of a template.
            work: told how far it is, and asked whether to stop.
            anew: fetch what has no checksum of its own though it be here: what is at the URL may be newer.

        Raises:
            ImageError: it cannot be fetched.
            WorkCancelledError: it was asked to stop.
        """
        with self._turns.take(source.sha256 or source.url, work):
            found = self.find(source)
            if found is not None and not (anew and not source.sha256):
                if found.format != source.format:
                    text = f"image {found.sha256[:12]}: is {found.format}; expected {source.format}, as is said of it"
                    raise ImageError(text)
                return found
            if not source.url:
                raise ImageError(f"image {source.sha256[:12]}: is not here, and nothing says where it could be had")
            try:
                return self._download(source, work)
            except DownloadError as error:
                raise ImageError(f"image: {error}") from error
            except OSError as error:
                raise ImageError(f"image: {error.strerror or error}") from error

    def begin(self) -> str:
        """Begin to take an image in piece by piece, and give the name under which that goes on.

        Others that were begun and have not gone on for a day are thrown away.
        """
        name, incoming = secrets.token_hex(16), self._made("incoming")
        for path in incoming.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _LONGEST_PAUSE:
                    path.unlink()
        incoming.joinpath(name).touch(mode=0o600)
        return name

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Take a piece in.

        Parameters:
            name: that `begin` gave.
            offset: the byte that it begins at: the end of what is there, or before it, where a piece is sent again.

        Raises:
            MissingImageError: there is no such name.
            ImageError: a piece is missing before it, or it makes the image too large.
        """
        path = self._incoming(name)
        if offset > path.stat().st_size:
            raise ImageError(f"image: byte {path.stat().st_size} is the next one; expected it")
        if offset + len(data) > self.settings.largest:
            path.unlink()
            raise ImageError(f"image: is larger than {self.settings.largest} bytes; see images.largest in the settings")
        try:
            with path.open("r+b") as file:
                file.seek(offset)
                file.write(data)
        except OSError as error:
            raise ImageError(f"image: {error.strerror or error}") from error

    def finish(self, name: str, sha256: str, format_: str, title: str) -> StoredImage:
        """Keep what was taken in.

        Parameters:
            name: that `begin` gave.
            sha256: that it has to have.
            format_: of it.
            title: for people.

        Raises:
            MissingImageError: there is no such name.
            ImageError: it is not what was meant.
        """
        path = self._incoming(name)
        found = _digest(path, "sha256", Work())
        if found != sha256.lower():
            path.unlink()
            raise ImageError(f"image: has the checksum {found}; expected {sha256.lower()[:64]}")
        return self._keep(path, StoredImage(found, path.stat().st_size, format_, title))

    def take(self, source: Path, format_: str, title: str, work: Work) -> tuple[StoredImage, bool]:
        """Take a file in, which stays where it is.

        Parameters:
            source: the file.
            format_: of it, one of `templates.FORMATS`.
            title: for people.
            work: told how far it is in bytes, and asked whether to stop.

        Returns:
            the image, and whether it was not here before.

        Raises:
            ImageError: it is too large, or not of its format.
            OSError: there is no room for it.
        """
        known = {each.sha256 for each in self.all()}
        incoming, size = Incoming(self), source.stat().st_size
        try:
            with work.stoppable(), source.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    work.checkpoint()
                    incoming.write(chunk)
                    work.report(incoming.size, size)
            image = self._keep(self._incoming(incoming.name), StoredImage(incoming.sha256, size, format_, title))
        finally:
            (self._made("incoming") / incoming.name).unlink(missing_ok=True)
        return image, image.sha256 not in known

    def abandon(self, name: str) -> None:
        """Take in no more of an image that was begun."""
        self._incoming(name).unlink()

    def remove(self, sha256: str) -> None:
        """Keep an image no longer.

        Raises:
            MissingImageError: it is not here.
        """
        if not _SHA256.match(sha256) or self._records.get(sha256) is None:
            raise MissingImageError(f"image {sha256[:12]}: is not here")
        (self.directory / sha256).unlink(missing_ok=True)
        self._records.remove(sha256)
        self._tell()

    def _download(self, source: ImageSource, work: Work) -> StoredImage:
        url = mirrored(source.url, self.settings)
        try:
            name = file_named(source.url)
        except AddressError as error:
            raise ImageError(f"image: {error}") from error
        expected = source.sha256
        if not expected and source.checksum_url:
            text = fetch_text(mirrored(source.checksum_url, self.settings), self.settings, work)
            expected = checksum_in(text, name) or ""
            if not expected:
                raise ImageError(f"image {name}: {source.checksum_url} has no checksum of it")
        partial = self._made("partial") / hashlib.sha256(source.url.encode()).hexdigest()[:32]
        for attempt in (1, 2):
            was_begun = partial.exists()
            download(url, partial, self.settings, work)
            if not expected:
                break
            found = _digest(partial, "sha512" if len(expected) == 128 else "sha256", work)
            if found == expected:
                break
            partial.unlink()
            if attempt == 2 or not was_begun:
                raise ImageError(f"image {name}: has the checksum {found[:64]}; expected {expected[:64]}")
        sha256 = expected if len(expected) == 64 else _digest(partial, "sha256", work)
        image = StoredImage(sha256, partial.stat().st_size, source.format, name, source.url)
        for other in self.all():
            if other.url == image.url and other.sha256 != sha256:
                self._records.put(other.sha256, replace(other, url=""))
        return self._keep(partial, image)

    def _keep(self, path: Path, image: StoredImage) -> StoredImage:
        with path.open("rb") as file:
            try:
                # Guests read what is below their image, and it is converted with the rights of the hypervisor.
                check_image(file, image.name or image.sha256[:12], QEMU_WORDS.get(image.format, image.format))
            except ApplianceError as error:
                path.unlink()
                raise ImageError(f"image: {error}") from error
            os.fsync(file.fileno())
        path.chmod(0o600)
        path.replace(self.directory / image.sha256)
        self._records.put(image.sha256, image)
        self._tell()
        return image

    def _tell(self) -> None:
        for listener in tuple(self.listeners):
            listener()

    def _made(self, name: str) -> Path:
        directory = self.directory / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory

    def _incoming(self, name: str) -> Path:
        path = self._made("incoming") / name
        if not _UPLOAD.match(name) or not path.is_file():
            raise MissingImageError(f"image: {name[:32]!r} was not begun")
        return path


class Incoming:
    """An image that a store takes in from its beginning to its end, and the checksum of what has come.

    Attributes:
        name: under which that goes on, for `ImageStore.finish` and `ImageStore.abandon`.
        size: bytes that have come.
    """

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._digest = hashlib.sha256()
        self.name = store.begin()
        self.size = 0

    @property
    def sha256(self) -> str:
        """The checksum."""
        return self._digest.hexdigest()

    def write(self, data: bytes, /) -> None:
        """Take in what comes next.  Raises ImageError as `ImageStore.write` does."""
        self._store.write(self.name, self.size, data)
        self._digest.update(data)
        self.size += len(data)


def _digest(path: Path, algorithm: str, work: Work) -> str:
    """The checksum of a file."""
    made = hashlib.new(algorithm)
    with work.stoppable(), path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            work.checkpoint()
            made.update(chunk)
    return made.hexdigest()
