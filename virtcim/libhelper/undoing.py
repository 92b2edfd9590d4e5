"""Taking back what was done when a later step fails.

Layer rule: imports libvirt, errors and work.
"""

from __future__ import annotations

from collections.abc import Callable

import libvirt

from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import WorkCancelledError

__all__ = ["undone"]


def undone(
    error: libvirt.libvirtError | LibvirtError | WorkCancelledError, what: str, *steps: Callable[[], object]
) -> LibvirtError | WorkCancelledError:
    """The error to be raised once everything was taken back that was done before it.

    Parameters:
        error: what failed.
        what: what stands if it cannot be taken back, in words.
        steps: take it back, one after the other.

    Returns:
        the error itself; with what stands in its text, where a step failed as well.
    """
    failed = []
    for step in steps:
        try:
            step()
        except libvirt.libvirtError as failure:
            failed.append(LibvirtError.of(failure).message)
        except LibvirtError as failure:
            failed.append(failure.message)
    if isinstance(error, WorkCancelledError):
        if not failed:
            return error
        first = LibvirtError("ended by a client")
    else:
        first = error if isinstance(error, LibvirtError) else LibvirtError.of(error)
    if failed:
        text = f"{first.message}; this stands: {what} ({'; '.join(failed)})"
        return LibvirtError(text, first.code, first.domain, first.level)
    return first
