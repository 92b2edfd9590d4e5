"""How much memory running domains were asked to have, while they are not there yet.

libvirt tells how much memory a running domain has, not how much its balloon is to leave it.  A guest that has just been
started with less than its maximum takes a moment to get there, and one without a driver for the balloon never does.
What was asked is known here for domains that this process has started or given another size, until they have it;
whoever keeps that beyond the end of the process is told.

Layer rule: imports records.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from virtcim.immutable import immutable
from virtcim.libhelper.inventory.records import Change, Domain

__all__ = ["MemoryRequests"]

_MEBIBYTE = 1024


@immutable
class _Request:
    """What one run of a domain was asked to have, in KiB, and how far it was from that when it was last seen."""

    number: int
    size: int
    distance: int | None = None


class MemoryRequests:
    """The sizes that the domains of one hypervisor were asked to have.  Safe for threads that work on one domain in
    turn.

    Attributes:
        keep: called with the UUID of a domain, libvirt's number of its run and the KiB that it was asked to have; with
            no KiB when that is over.
    """

    def __init__(self) -> None:
        self.keep: Callable[[str, int, int | None], None] = lambda _uuid, _number, _size: None
        self._requests: dict[str, _Request] = {}

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, uuid: str, number: int, size: int) -> None:
        """Note that a domain was asked to have `size` KiB; `number` is libvirt's number of its run."""
        self._requests[uuid] = _Request(number, size)
        self.keep(uuid, number, size)

    def restore(self, uuid: str, number: int, size: int) -> None:
        """Take over what an earlier run of the process has kept: by now the domain may have had that run."""
        self._requests[uuid] = _Request(number, size, sys.maxsize)

    def forget(self, uuid: str) -> None:
        """Forget what a domain was asked."""
        request = self._requests.pop(uuid, None)
        if request is not None:
            self.keep(uuid, request.number, None)

    def watch(self, change: Change) -> None:
        """Take notice of a change in the inventory.

        What a domain was asked is forgotten once it is there, or over.  Where its memory turns away from that, somebody
        else has asked it for something.
        """
        record = change.after or change.before
        request = self._requests.get(record.uuid) if isinstance(record, Domain) else None
        if request is None or not isinstance(record, Domain):
            return
        if change.after is None or record.id != request.number:
            if request.distance is not None or change.after is None:
                self.forget(record.uuid)
            return
        size = None if record.live is None else record.live.current_memory
        if size is None:
            return
        distance = abs(size - request.size)
        if distance < _MEBIBYTE or (request.distance is not None and distance > request.distance):
            self.forget(record.uuid)
        else:
            self._requests[record.uuid] = replace(request, distance=distance)

    def pending(self, uuid: str, number: int | None, size: int | None) -> int | None:
        """The KiB that a domain with `size` KiB is on its way to; None when it is there, or nothing is known.

        Parameters:
            number: libvirt's number of the run in which it has that size; None when it does not run.
        """
        request = self._requests.get(uuid)
        if request is None or size is None or request.number != number or abs(size - request.size) < _MEBIBYTE:
            return None
        return request.size
