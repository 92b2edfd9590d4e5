"""Names of snapshots, checkpoints and backups, given by clients or, where nobody has named them, moments in time."""

from __future__ import annotations

import re
import threading
from collections.abc import Container
from datetime import UTC, datetime

from virtcim.providers.interface import CIMError, Status

__all__ = ["checked_name", "new_name"]

_NAME = re.compile(r"(?!\.)[^/\x00-\x1f]{1,200}")
"""A name that libvirt can keep a file under."""

_lock = threading.Lock()
_last: tuple[str, int] = "", 0
"""The moment of the name that was given last, and its number of that moment."""


def checked_name(name: str | None, subject: str) -> str | None:
    """Give a name that a client has given; None where there is none.

    Parameters:
        name: as it was given.
        subject: what it names, for people.

    Raises:
        CIMError: INVALID_PARAMETER for what libvirt cannot keep a file under.
    """
    if not name:
        return None
    if _NAME.fullmatch(name) is None:
        text = f"{name!r} cannot be the name of a {subject}; expected one without slash and leading dot"
        raise CIMError(Status.INVALID_PARAMETER, text)
    return name


def new_name(taken: Container[str] = ()) -> str:
    """Make a name that says when it was made, in UTC, and that this process has given to nobody else.

    Parameters:
        taken: names that there are already.
    """
    global _last
    with _lock:
        moment = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
        number = _last[1] if _last[0] == moment else 0
        while True:
            number += 1
            name = moment if number == 1 else f"{moment}-{number}"
            if name not in taken:
                _last = moment, number
                return name
