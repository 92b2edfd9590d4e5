"""What was done to which CIM server, so that it can be undone, and done again without harm."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from virtcim.files import read_own, write_anew
from virtcim.registration.tools import RegistrationError

__all__ = ["NamespaceRecord", "Record", "load", "save"]

FILE_NAME = "registrations.json"


@dataclass
class NamespaceRecord:
    """What was put into one namespace.

    Attributes:
        created: the namespace was not there before.
        classes: names of the classes that were not there before, in the order in which they were made.
        qualifiers: likewise of qualifier types.
        digest: of the MOF of our own classes, to see whether it changed.
        kept: lower-case names of the CIM server's own classes that were there before.
    """

    created: bool = False
    classes: list[str] = field(default_factory=list)
    qualifiers: list[str] = field(default_factory=list)
    digest: str = ""
    kept: list[str] = field(default_factory=list)


@dataclass
class Record:
    """What was done to one CIM server.

    Attributes:
        namespaces: what was put where.
        interop: the namespace that holds the registration, where the server has one.
        digest: of the registration itself.
        files: files and directories that were made, in the order in which they were made.
        version: of this project, at the time.
    """

    namespaces: dict[str, NamespaceRecord] = field(default_factory=dict)
    interop: str = ""
    digest: str = ""
    files: list[str] = field(default_factory=list)
    version: str = ""


def load(state_dir: Path) -> dict[str, Record]:
    """The records by the name of the CIM server.

    Raises:
        RegistrationError: the file cannot be read or is damaged.
    """
    path = state_dir / FILE_NAME
    try:
        data = json.loads(read_own(path))
        return {
            name: Record(
                **{
                    **record,
                    "namespaces": {key: NamespaceRecord(**value) for key, value in record["namespaces"].items()},
                }
            )
            for name, record in data.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RegistrationError(f"{path} cannot be read: {error}. Move it away to go on without it.") from error


def save(state_dir: Path, records: dict[str, Record]) -> None:
    """Write the records in one step; without any, nothing is left of the file.  Raises RegistrationError."""
    path = state_dir / FILE_NAME
    text = json.dumps({name: asdict(record) for name, record in records.items()}, indent=1)
    try:
        if not records:
            path.unlink(missing_ok=True)
            return
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_anew(path, text + "\n", 0o644)
    except OSError as error:
        raise RegistrationError(f"{path} cannot be written: {error}") from error
