"""How much memory running domains were asked to have, while they are not there yet.

libvirt tells how much memory a running domain has, not how much its balloon is to leave it.  A guest that has just been
started with less than its maximum takes a moment to get there, and one without a driver for the balloon never does.
What was asked is known here for domains that this process has started or given another size, until they have it.

Layer rule: imports records.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from virtcim.libhelper.inventory.records import Change, Domain

__all__ = ["Balloons"]

_MEBIBYTE = 1024


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one run of a domain was asked to have, in KiB, and how far it was from that when it was last seen."""

    number: int
    size: int
    distance: int | None = None


class Balloons:
    """The sizes that the domains of one hypervisor were asked to have.  Safe for threads that work on one domain in
    turn."""

    def __init__(self) -> None:
        self._asked: dict[str, _Asked] = {}

    def ask(self, uuid: str, number: int, size: int) -> None:
        """Note that a domain was asked to have `size` KiB; `number` is libvirt's number of its run."""
        self._asked[uuid] = _Asked(number, size)

    def watch(self, change: Change) -> None:
        """Take notice of a change in the inventory.

        What a domain was asked is forgotten once it is there, or over.  Where its memory turns away from that, somebody
        else has asked it for something.
        """
        record = change.new or change.old
        asked = None if record is None else self._asked.get(record.key)
        if asked is None or not isinstance(record, Domain):
            return
        if change.new is None or record.id != asked.number:
            if asked.distance is not None:
                self._asked.pop(record.uuid, None)
            return
        size = None if record.live is None else record.live.current_memory
        if size is None:
            return
        distance = abs(size - asked.size)
        if distance < _MEBIBYTE or (asked.distance is not None and distance > asked.distance):
            self._asked.pop(record.uuid, None)
        else:
            self._asked[record.uuid] = replace(asked, distance=distance)

    def asked(self, uuid: str, number: int | None, size: int | None) -> int | None:
        """The KiB that a domain with `size` KiB is on its way to; None when it is there, or nothing is known."""
        asked = self._asked.get(uuid)
        if asked is None or size is None or asked.number != number or abs(size - asked.size) < _MEBIBYTE:
            return None
        return asked.size
