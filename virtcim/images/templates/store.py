"""All templates: those of the administrator's files, and those made at run time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from virtcim.images.records import Records
from virtcim.images.templates import ANY_VERSION, Template, TemplateError, document_of, parse_template
from virtcim.images.templates.errors import FixedTemplateError, MissingTemplateError, TakenTemplateError
from virtcim.images.toml import read_text
from virtcim.immutable import immutable

__all__ = ["KeptTemplate", "TemplateStore", "template_files"]

_log = logging.getLogger(__name__)

BUILT_IN = Path(__file__).parents[1] / "builtin"
"""The templates that come with virtcim."""


@immutable
class KeptTemplate:
    """A template that was made at run time, as it is kept.

    Attributes:
        document: in TOML.
        owner: who made it.
    """

    document: str
    owner: str = ""


def template_files(directory: Path | None) -> list[Template]:
    """Read the templates that come with virtcim, and the administrator's, which take the place of these where they have
    the same id and version.  A file that is broken is named in the log and left out.

    Parameters:
        directory: with the administrator's files `*.toml`, one template each; None for none.
    """
    found = {each.key: each for each in _read_files(BUILT_IN)}
    return list((found | {each.key: each for each in _read_files(directory)}).values())


def _read_files(directory: Path | None) -> list[Template]:
    found: dict[str, Template] = {}
    try:
        files = sorted(directory.glob("*.toml")) if directory is not None else []
    except OSError as error:
        _log.error("images.directory: %s: %s", directory, error.strerror or error)
        return []
    for path in files:
        try:
            template = parse_template(read_text(path), str(path))
        except (OSError, ValueError) as error:
            _log.error("%s: %s; the file is left out", path, error)
            continue
        if template.key in found:
            _log.error("%s: %s exists already, from %s; it is left out", path, template.key, found[template.key].origin)
            continue
        found[template.key] = template
    return list(found.values())


class TemplateStore:
    """All templates.

    Parameters:
        kept: those that were made at run time, by `ID@VERSION`.

    Attributes:
        revision: grows with each change.
        listeners: called after each change, in the thread that made it.
    """

    def __init__(self, kept: Records[KeptTemplate]) -> None:
        self._kept = kept
        self._changing = threading.RLock()
        self._files: Mapping[str, Template] = {}
        self._made: dict[str, Template] = {}
        self.revision = 0
        self.listeners: list[Callable[[], None]] = []
        for key, record in kept.items():
            try:
                self._made[key] = parse_template(record.document)
            except TemplateError as error:
                _log.error("template %s: %s; it is left out", key, error)

    def configure(self, found: Iterable[Template]) -> None:
        """Take the administrator's templates, in place of those that there were."""
        with self._changing:
            self._files = {each.key: each for each in found}
            self._tell()

    def all(self) -> list[Template]:
        """List all templates, sorted by id and version; one of a file stands before one of the same key."""
        known = {**self._made, **self._files}
        return sorted(known.values(), key=lambda each: (each.id.lower(), each.id, each.version))

    def find(self, key: str) -> Template | None:
        """Find a template by `ID@VERSION` or `ID:VERSION`, or the newest version by `ID`; None where there is none."""
        # Some clients take what has an @ in it for a login.
        wanted, at, version = key.rpartition("@" if "@" in key else ":")
        if not at:
            wanted, number = key, ANY_VERSION
        elif version.isascii() and version.isdigit():
            number = int(version)
        else:
            return None
        if number:
            key = f"{wanted}@{number}"
            return self._files.get(key) or self._made.get(key)
        found = self.versions(wanted)
        return found[-1] if found else None

    def versions(self, id_: str) -> list[Template]:
        """List the versions of a template, the newest last."""
        return [each for each in self.all() if each.id == id_]

    def for_appliance(self, prefix: str, kinds: Sequence[str], architecture: str, firmware: str) -> Template | None:
        """Find the administrator's template that guests of an appliance begin with; None where there is none.

        Parameters:
            prefix: the class prefix of the platform.
            kinds, architecture: see `Template.suits`.
            firmware: `bios`, `efi`, or "" where that is left open.
        """
        found = [
            each
            for each in newest(list(self._files.values()))
            if each.serves(prefix)
            and each.suits(kinds, architecture)
            and (not firmware or each.settings.get("Firmware", firmware) == firmware)
        ]
        return min(found, key=lambda each: each.id, default=None)

    def next_version(self, id_: str) -> int:
        """Give the version of the next template of an id."""
        return max((each.version for each in self.versions(id_)), default=0) + 1

    def groups(self) -> list[str]:
        """List the groups that templates are in, sorted."""
        return sorted({each.group for each in self.all()})

    def add(self, template: Template, owner: str) -> None:
        """Keep a new template, or a new version of one.

        Raises:
            TakenTemplateError: there is one of this id and version.
        """
        with self._changing:
            if self.find(template.key) is not None:
                raise TakenTemplateError(f"template {template.key}: exists already")
            self._keep(template, owner)

    def change(self, template: Template, owner: str) -> None:
        """Keep a template in place of the one of its id and version.

        Raises:
            MissingTemplateError: there is none.
            FixedTemplateError: it is of a file.
        """
        with self._changing:
            self._changeable(template.key)
            self._keep(template, owner)

    def remove(self, key: str) -> None:
        """Keep a template no longer.

        Raises:
            MissingTemplateError: there is none.
            FixedTemplateError: it is of a file.
        """
        with self._changing:
            self._changeable(key)
            del self._made[key]
            self._kept.remove(key)
            self._tell()

    def _keep(self, template: Template, owner: str) -> None:
        document = document_of(template)
        self._made[template.key] = parse_template(document)
        self._kept.put(template.key, KeptTemplate(document, owner))
        self._tell()

    def _changeable(self, key: str) -> None:
        if key in self._files:
            raise FixedTemplateError(f"template {key}: is of {self._files[key].origin}, and changed there only")
        if key not in self._made:
            raise MissingTemplateError(f"template {key}: does not exist")

    def _tell(self) -> None:
        self.revision += 1
        for listener in tuple(self.listeners):
            listener()


def newest(templates: Sequence[Template]) -> list[Template]:
    """Give the newest version of each of several templates."""
    return list({each.id: each for each in sorted(templates, key=lambda each: each.version)}.values())
