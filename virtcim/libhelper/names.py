"""Names that libvirt and QEMU take for one thing and for nothing else.

libvirt keeps files under the names of domains and of what belongs to them, and hands some to programs that read more
into them than a name.  Not all of that does it look at itself.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import re

from virtcim.immutable import immutable

__all__ = [
    "CHECKPOINT",
    "DIRECTORIES",
    "DOMAIN",
    "SNAPSHOT",
    "VOLUME",
    "NameRule",
    "is_misnamed_overlay",
    "is_number_of_another",
]

DIRECTORIES = frozenset({".", ".."})
"""Names that no domain may have: libvirt refuses them only after it has emptied the directory of all snapshots."""


@immutable
class NameRule:
    """What the name of one kind of thing can be.

    Attributes:
        subject: what is named, for people.
        pattern: that it matches as a whole.
        most: bytes of UTF-8 that it may have: files are called so, with something before and behind.
        expected: the pattern in words.
    """

    subject: str
    pattern: re.Pattern[str]
    most: int
    expected: str

    def objection(self, name: str) -> str:
        """Say why something cannot be called so; "" where it can."""
        if self.pattern.fullmatch(name) and len(name.encode("utf-8", "surrogatepass")) <= self.most:
            return ""
        shown = name if len(name) <= self.most else f"{name[:80]}..."
        return (
            f"{shown!r} cannot be the name of a {self.subject}; expected {self.expected}, of at most {self.most} bytes"
        )


DOMAIN = NameRule(
    "guest",
    re.compile(r"(?!\.{1,2}\Z)[^/\x00-\x1f\x7f]{1,200}"),
    200,
    "one without slash and control characters, neither . nor ..",
)
"""Files of its disks are called so too, with more behind."""

SNAPSHOT = NameRule(
    "snapshot",
    re.compile(r"(?![0-9]{1,200}\Z)(?!\.)[^/\x00-\x1f\x7f\",\\]{1,200}"),
    200,
    "one without slash, comma, quotation mark, backslash and leading dot, that is no number",
)
"""libvirt 9.0 asks QEMU for another name where there is a quotation mark or a backslash, and looks for an overlay under
another name than it has made it under where there is a comma; a number is to QEMU the place of a snapshot in the image
before it is the name of one."""

CHECKPOINT = NameRule(
    "checkpoint",
    re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}"),
    200,
    "letters and digits of ASCII, _, - and, not in front, dots",
)
"""What libvirt's schema has."""

VOLUME = NameRule(
    "volume",
    re.compile(r"(?!\.)[^/\x00-\x1f\x7f]{1,200}"),
    200,
    "one without slash, control characters and leading dot",
)


def is_misnamed_overlay(path: str) -> bool:
    """Whether libvirt 9.0 would make the overlay of a domain that is off under another name than this one, and leave
    the domain with a disk that is not there."""
    return "," in path


def is_number_of_another(name: str) -> bool:
    """Whether QEMU takes the name of an internal snapshot for the number of one, whichever has it."""
    return re.fullmatch(r"[1-9][0-9]{0,8}", name) is not None
