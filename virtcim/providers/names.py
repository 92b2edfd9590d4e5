"""Names of snapshots, checkpoints and backups, given by clients or, where nobody has named them, moments in time."""

from __future__ import annotations

import threading
from collections.abc import Container
from datetime import UTC, datetime

from virtcim.libhelper.names import NameRule
from virtcim.providers.interface import CIMError, Status

__all__ = ["checked_name", "new_name"]

_lock = threading.Lock()
_last: tuple[str, int] = "", 0
"""The moment of the name that was given last, and its number of that moment."""


def checked_name(name: str | None, rule: NameRule) -> str | None:
    """Give a name that a client has given; None where there is none.

    Parameters:
        name: as it was given.
        rule: for what it names.

    Raises:
        CIMError: INVALID_PARAMETER for what the rule does not allow.
    """
    if not name:
        return None
    objection = rule.objection(name)
    if objection:
        raise CIMError(Status.INVALID_PARAMETER, objection)
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
