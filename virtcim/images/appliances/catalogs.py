"""Catalogues of appliances: files of the administrator, files that are fetched, and what plugins bring.

A catalogue is a file in TOML with a table `[[appliance]]` for each: `id`, `title`, `vendor`, `version`, `description`,
`platforms` (class prefixes), `architecture`, `url`, `sha256` and `licence`.  One that is fetched is kept, and shown as
it was while it cannot be fetched again.  A plugin is an entry point of the group `virtcim.appliance_catalogs`: what it
gives when it is called are `Entry` objects.

Layer rule: imports `errors` and `settings` of this package, `images.download`, `images.toml`, and `libhelper.work`.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from virtcim.images.addresses import AddressError, file_named
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.settings import ApplianceSettings, CatalogSettings
from virtcim.images.download import DownloadError, download, fetch_text
from virtcim.images.settings import ImageSettings
from virtcim.images.toml import read_text, read_toml
from virtcim.immutable import immutable
from virtcim.libhelper.work import Work

__all__ = ["CATALOG_PLUGINS", "Catalogs", "Entry", "checked_copy", "fetch_package", "read_catalog"]

_log = logging.getLogger(__name__)

CATALOG_PLUGINS = "virtcim.appliance_catalogs"
_MOST_ENTRIES = 10_000
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


@immutable
class Entry:
    """An appliance that can be had.

    Attributes:
        id: tells it from the others of its catalogue.
        catalog: the name of the catalogue.
        url: where it is: `http`, `https`, or a path of this host.
        sha256: that it has to have; "" where the catalogue does not say.
        platforms: class prefixes of those that it is for; none for all.
    """

    id: str
    url: str
    catalog: str = ""
    title: str = ""
    vendor: str = ""
    version: str = ""
    description: str = ""
    platforms: tuple[str, ...] = ()
    architecture: str = ""
    sha256: str = ""
    licence: str = ""

    @property
    def key(self) -> str:
        """What it is called among all: `catalogue/id`."""
        return f"{self.catalog}/{self.id}"


def read_catalog(text: str, name: str, *, is_ours: bool = True) -> tuple[Entry, ...]:
    """Read a catalogue.

    Parameters:
        text: TOML.
        name: of the catalogue.
        is_ours: whether the administrator wrote it, and so may name files of this host.

    Raises:
        ApplianceError: it is none; the text names the appliance that is at fault.
    """
    try:
        table = read_toml(text)
    except ValueError as error:
        raise ApplianceError(f"catalogue {name!r}: {str(error)[:200]}; expected TOML") from None
    entries = table.get("appliance", [])
    if not isinstance(entries, list) or len(entries) > _MOST_ENTRIES:
        raise ApplianceError(f"catalogue {name!r}: has no list of appliances; expected tables [[appliance]]")
    found: dict[str, Entry] = {}
    for number, each in enumerate(entries, 1):
        entry = _entry(each, name, number)
        if entry.id in found:
            raise ApplianceError(f"catalogue {name!r}: {entry.id!r} is there twice; expected ids of their own")
        if not is_ours and not _is_url(entry.url):
            raise ApplianceError(f"catalogue {name!r}: {entry.id!r} is a file of this host; expected http or https")
        found[entry.id] = entry
    return tuple(found.values())


def _entry(table: Any, name: str, number: int) -> Entry:
    known = {each.name for each in fields(Entry)} - {"catalog"}
    where = f"catalogue {name!r}: appliance {number}"
    if not isinstance(table, dict):
        raise ApplianceError(f"{where}: is not a table; expected id, url and what else is known")
    unknown = sorted(set(table) - known)
    if unknown:
        raise ApplianceError(f"{where}: has {unknown[0]!r}; expected one of {', '.join(sorted(known))}")
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key == "platforms":
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise ApplianceError(f"{where}: platforms: is not a list of texts; expected such as ['KVM']")
            values[key] = tuple(value)
        elif not isinstance(value, str):
            raise ApplianceError(f"{where}: {key}: is not a text; expected it in quotation marks")
        else:
            values[key] = value
    if not _ID.fullmatch(values.get("id", "")):
        raise ApplianceError(f"{where}: has the id {values.get('id', '')[:80]!r}; expected letters, digits, . _ -")
    if not values.get("url"):
        raise ApplianceError(f"{where}: has no url; expected one")
    if values.get("sha256") and not _SHA256.fullmatch(values["sha256"]):
        raise ApplianceError(f"{where}: has a sha256 that is none; expected 64 hexadecimal digits")
    return Entry(catalog=name, **values)


class Catalogs:
    """All catalogues.

    Parameters:
        settings: say which there are.
        images: say what may be fetched.
        directory: where those that were fetched are kept.

    Attributes:
        listeners: called whenever catalogues have been fetched, in the thread that did.
    """

    def __init__(self, settings: ApplianceSettings, images: ImageSettings, directory: Path) -> None:
        self._settings, self._images, self._directory = settings, images, directory
        self._troubles: dict[str, str] = {}
        self.listeners: list[Callable[[], None]] = []

    @property
    def troubles(self) -> Mapping[str, str]:
        """Why a catalogue is not as it should be, by its name: it cannot be read, or was not to be had any more."""
        return dict(self._troubles)

    def names(self) -> list[str]:
        """The names of all catalogues of the settings."""
        return sorted(self._settings.catalog)

    def entries(self) -> list[Entry]:
        """All appliances, those of each catalogue as they were when it could be had last."""
        found: list[Entry] = []
        for name in self.names():
            try:
                text = read_text(self._kept(name))
                found += read_catalog(text, name, is_ours=not _is_url(self._settings.catalog[name].location))
            except FileNotFoundError:
                self._troubles.setdefault(name, "was not fetched yet")
            except (OSError, ValueError, ApplianceError) as error:
                self._troubles[name] = str(error)
            else:
                if not _is_url(self._settings.catalog[name].location):
                    self._troubles.pop(name, None)
        found += self._of_plugins()
        return found

    def find(self, key: str) -> Entry:
        """Find an appliance.

        Parameters:
            key: `catalogue/id`.

        Raises:
            ApplianceError: there is none.
        """
        entry = next((each for each in self.entries() if each.key == key), None)
        if entry is None:
            raise ApplianceError(f"appliance {key[:160]!r}: is in no catalogue")
        return entry

    def refresh(self, work: Work) -> None:
        """Fetch all catalogues that are elsewhere; one that cannot be fetched stays as it was, and says so.

        Raises:
            WorkCancelledError: the work was asked to stop.
        """
        names = [name for name in self.names() if _is_url(self._settings.catalog[name].location)]
        for number, name in enumerate(names, 1):
            try:
                self._fetch(name, self._settings.catalog[name], work)
            except (ApplianceError, DownloadError, AddressError, OSError) as error:
                _log.warning("catalogue %s: %s", name, error)
                self._troubles[name] = str(error)
            else:
                self._troubles.pop(name, None)
            work.report(number, len(names))
        for listener in tuple(self.listeners):
            listener()

    def _fetch(self, name: str, settings: CatalogSettings, work: Work) -> None:
        text = fetch_text(settings.location, self._images, work)
        found = hashlib.sha256(text.encode()).hexdigest()
        if settings.checksum and not hmac.compare_digest(found, settings.checksum.lower()):
            raise ApplianceError(f"catalogue {name!r}: has sha256 {found}; expected {settings.checksum}")
        read_catalog(text, name, is_ours=False)
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = self._kept(name)
        # What is half written must not take the place of what was whole.
        with tempfile.NamedTemporaryFile("w", dir=self._directory, delete=False, encoding="utf-8") as file:
            file.write(text)
        os.replace(file.name, kept)

    def _kept(self, name: str) -> Path:
        location = self._settings.catalog[name].location
        return self._directory / f"{name.replace('/', '_')}.toml" if _is_url(location) else Path(location)

    def _of_plugins(self) -> Iterator[Entry]:
        for point in entry_points(group=CATALOG_PLUGINS):
            try:
                list_entries: Callable[[], Iterable[Entry]] = point.load()
                found = list(list_entries())
            except Exception as error:
                # A plugin of others is not trusted to work.
                _log.exception("plugin %s", point.name)
                self._troubles[point.name] = f"{type(error).__name__}: {error}"
                continue
            self._troubles.pop(point.name, None)
            yield from found


def fetch_package(entry: Entry, images: ImageSettings, target: Path, work: Work) -> Path:
    """Get the file of an appliance, and hold it against its checksum.

    Parameters:
        target: a directory that a fetched file goes to.
        work: told how far it is, and asked whether to go on.

    Returns:
        where it is: below `target`, or the path that the entry names.

    Raises:
        ApplianceError: it may not be fetched, cannot be fetched, or is another one.
        WorkCancelledError: the work was asked to stop.
    """
    if not _is_url(entry.url):
        return checked_copy(Path(entry.url), entry.sha256, work)
    try:
        # As a name of the directory for it, whatever stands in it.
        name = Path(file_named(entry.url).replace("\0", "")).name
        if not name or name.startswith("."):
            raise ApplianceError(f"appliance {entry.key!r}: its URL names no file; expected NAME.ova")
        path = target / name
        download(entry.url, path, images, work)
    except (DownloadError, AddressError) as error:
        raise ApplianceError(f"appliance {entry.key!r}: {error}") from error
    return checked_copy(path, entry.sha256, work)


def checked_copy(path: Path, sha256: str, work: Work) -> Path:
    """Hold a file against its checksum, where there is one, and give it back.

    Raises:
        ApplianceError: it is another one.
        OSError: it cannot be read.
        WorkCancelledError: the work was asked to stop.
    """
    if not sha256:
        return path
    found = hashlib.sha256()
    with path.open("rb") as file, work.stoppable():
        while chunk := file.read(_CHUNK):
            work.checkpoint()
            found.update(chunk)
    if not hmac.compare_digest(found.hexdigest(), sha256.lower()):
        raise ApplianceError(f"appliance {path.name!r}: has sha256 {found.hexdigest()}; expected {sha256}")
    return path


def _is_url(location: str) -> bool:
    return location.startswith(("http://", "https://"))
