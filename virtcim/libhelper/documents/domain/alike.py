"""Parts of domains that many guests have alike, read once.

Guests that are made from one form have the same processor, clock, controllers, video and more, down to the letter: what
such a part was read to stands for that part of all of them.  The disks and interfaces of a guest are its own, and are
read where they stand.

The parts of a text are told apart by the way in which libvirt lays them out.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from virtcim.immutable import immutable
from virtcim.libhelper.xml.text import MappingError

__all__ = ["AlikeParts", "Outline", "outline_of"]

Read = TypeVar("Read")

MAX_PARTS = 1024
"""Parts that are kept, each of a KiB with its text; the guests of a host have some dozens alike."""
MAX_MET = 4096
"""Texts of which is known which guest had them, both as numbers: the own ones of a thousand guests."""

_OWNER = re.compile(r"<uuid>[^<]*")
_MIDDLE = re.compile(r"\n(?=  <(?:maxMemory|memory)[ >])")
_START, _END = "\n  <devices>\n", "\n  </devices>\n"
_NEXT = re.compile(r"\n(?=    <[A-Za-z])")
_DEVICE = "    <"
_EMULATOR = f"{_DEVICE}emulator>"
_SECRET = "passwd"
"""A text that holds it is not kept."""


@immutable
class Outline:
    """The text of a domain, cut into parts.

    Attributes:
        head: what says which domain it is, down to its metadata.
        middle: what stands between that and the devices.
        start: of the devices, with the emulator.
        devices: their texts.
        end: what stands behind them.
    """

    head: str
    middle: str
    start: str
    devices: Sequence[str]
    end: str

    @property
    def owner(self) -> int:
        """A number that stands for the domain, whatever becomes of it."""
        found = _OWNER.search(self.head)
        return hash(self.head if found is None else found[0])

    def text(self, devices: Iterable[str], has_middle: bool) -> str:
        """Write the domain with these devices, and with its middle or without it."""
        middle = self.middle if has_middle else ""
        return "".join([self.head, middle, self.start, "\n".join(devices), self.end])


def outline_of(xml: str) -> Outline | None:
    """Cut the text of a domain into parts; None for a text that is not as libvirt writes it."""
    middle, place, end = _MIDDLE.search(xml), xml.find(_START), xml.rfind(_END)
    start = place + len(_START)
    if middle is None or not middle.end() < place < start <= end:
        return None
    if xml.count("<devices") != 1 or xml.count("</devices") != 1 or xml.find("<!", middle.end(), end) >= 0:
        return None
    devices = _NEXT.split(xml[start:end])
    if devices[0].startswith(_EMULATOR):
        start += len(devices.pop(0)) + 1
    if xml.find(f"\n{_EMULATOR}", start - 1, end) >= 0:
        return None
    if devices and not devices[0].startswith(_DEVICE):
        return None
    return Outline(xml[: middle.end()], xml[middle.end() : place], xml[place:start], devices, xml[end:])


class AlikeParts(Generic[Read]):
    """What parts were read to, by their texts: those that more than one guest has.  Safe to use from any thread.

    What is one guest's own is not kept, however often that is read.

    Parameters:
        read: reads a part by itself; raises MappingError where that cannot be done.
        most: parts that are kept.
    """

    def __init__(self, read: Callable[[str], Read], most: int = MAX_PARTS) -> None:
        self._read = read
        self._most = most
        self._lock = threading.Lock()
        self._kept: dict[str, Read] = {}
        self._met: dict[int, int] = {}

    def __len__(self) -> int:
        """Count what is kept."""
        return len(self._kept)

    def get(self, text: str, owner: int) -> Read | None:
        """Give what a part with this text was read to; None for one that has to be read where it stands.

        Parameters:
            owner: stands for the guest that has it.
        """
        known = self._kept.get(text)
        return self._meet(text, owner) if known is None else known

    def _meet(self, text: str, owner: int) -> Read | None:
        """Take down that a guest has a text or, where another guest had it before, read it."""
        number = hash(text)
        with self._lock:
            if number not in self._met and len(self._met) >= MAX_MET:
                self._met.clear()
            if self._met.setdefault(number, owner) == owner or _SECRET in text:
                return None
        try:
            made = self._read(text)
        except MappingError:  # it is not whole by itself
            return None
        with self._lock:
            if len(self._kept) >= self._most:
                # What is there often comes back at once.
                del self._kept[next(iter(self._kept))]
            return self._kept.setdefault(text, made)
