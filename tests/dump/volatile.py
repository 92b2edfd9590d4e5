"""What differs between two dumps of the same tree, and what stands for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.dump.facts import Fact

__all__ = ["VOLATILE", "Volatile", "lines_of"]


@dataclass(frozen=True, slots=True)
class Volatile:
    """A kind of value that no two runs have alike.

    Attributes:
        pattern: what is replaced in a fact, wherever it stands.
        replacement: what by.
        reason: why it differs.
    """

    pattern: re.Pattern[str]
    replacement: str
    reason: str = field(compare=False)


VOLATILE = (
    Volatile(
        re.compile(r"\b\d{14}\.\d{6}[+-]\d{3}\b"),
        "<time>",
        "points in time: of the last change of state, of jobs, of the server's start",
    ),
    Volatile(
        re.compile(r"/tmp/virtcim-(?:bed|server)-[\w-]+"),
        "<directory>",
        "the private directories of libvirtd and of the server have random names",
    ),
    Volatile(re.compile(r"\b[0-9a-f]{32}\.qcow2"), "<image>.qcow2", "a guest's image has a random name"),
    Volatile(
        re.compile(r'(?<= ElapsedTime\tdatetime )"\d{14}\.\d{6}:000"'),
        "<interval>",
        "a job takes as long as the machine lets it",
    ),
    Volatile(re.compile(r"/dev/pts/\d+"), "/dev/pts/<number>", "the kernel gives the next free pseudo-terminal"),
)
"""Applied to every fact, in this order."""


_MEASURED = re.compile(r"_(BaseMetricValue|MetricForME|MetricInstance)\b", re.IGNORECASE)
"""Facts that are left out: what was measured comes and goes."""


def lines_of(facts: Iterable[Fact], own: Iterable[Volatile] = ()) -> list[str]:
    """Write facts as sorted lines, with what is volatile replaced.

    Parameters:
        own: what is volatile in these facts beside `VOLATILE`; replaced first.
    """
    replaced = (*own, *VOLATILE)
    lines = []
    for fact in facts:
        if _MEASURED.search(f"{fact.subject} {fact.text}"):
            continue
        line = f"{fact.subject}\t{fact.text}"
        for each in replaced:
            line = each.pattern.sub(each.replacement, line)
        lines.append(line)
    return sorted(lines)
