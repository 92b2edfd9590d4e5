"""How the commands that ask a server wait for the jobs that it goes on with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from virtcim.app.commands.asking import AskError
from virtcim.app.commands.showing import COMPLETED, FINAL

__all__ = ["follow_job", "require_completed"]

PAUSE = 0.2
"""Seconds between two looks at a job."""


def follow_job(
    connection: Any,
    job: Any,
    tell: Callable[[Any], None] | None = None,
    pause: float = PAUSE,
    properties: Sequence[str] | None = None,
) -> Any:
    """Look at a job until it is over.

    Parameters:
        connection: to the server.
        job: its path.
        tell: called with the job at each look while it goes on.
        pause: seconds between two looks.
        properties: those that are asked for, JobState among them; None for all.

    Returns:
        the job as it ended.
    """
    while (found := connection.GetInstance(job, PropertyList=properties))["JobState"] not in FINAL:
        if tell is not None:
            tell(found)
        time.sleep(pause)
    return found


def require_completed(ended: Any, what: str) -> None:
    """See that a job came to a good end.

    Parameters:
        ended: the job.
        what: what it was for, for the message.

    Raises:
        AskError: it did not complete.
    """
    if ended["JobState"] != COMPLETED:
        reason = ended.get("ErrorDescription") or "no reason is given"
        raise AskError(f"{what}: {FINAL[ended['JobState']]}: {reason}")
