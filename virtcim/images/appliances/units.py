"""Units as OVF writes them: programmatic units (DSP0004, annex C) and the words that older tools write.

Layer rule: imports `errors` of this package.
"""

from __future__ import annotations

import re

from virtcim.images.appliances.errors import ApplianceError

__all__ = ["bytes_per_unit"]

_FACTOR = re.compile(r"\s*([*/])\s*([0-9]{1,20})(?:\s*\^\s*([0-9]{1,3}))?")
_WORDS = {
    "byte": 1,
    "bytes": 1,
    "b": 1,
    "kb": 2**10,
    "kilobytes": 2**10,
    "kilobyte": 2**10,
    "mb": 2**20,
    "megabytes": 2**20,
    "megabyte": 2**20,
    "gb": 2**30,
    "gigabytes": 2**30,
    "gigabyte": 2**30,
    "tb": 2**40,
    "terabytes": 2**40,
}
_MOST = 2**60


def bytes_per_unit(text: str) -> int:
    """How many bytes a unit of memory or storage is.

    Parameters:
        text: such as `byte * 2^20`, `MegaBytes`; "" for bytes.

    Raises:
        ApplianceError: it is none, or more than an exabyte.
    """
    text = text.strip()
    base = re.match(r"[A-Za-z]*", text)
    word = base.group() if base is not None else ""
    size = _WORDS.get(word.lower(), 0) if text else 1
    place = len(word)
    while size and place < len(text):
        factor = _FACTOR.match(text, place)
        if factor is None:
            size = 0
            break
        number, power = int(factor[2]), int(factor[3] or 1)
        scale = number**power if power <= 64 and number <= _MOST else 0
        size = size * scale if factor[1] == "*" else size // scale if scale else 0
        size = size if size <= _MOST else 0
        place = factor.end()
    if not size:
        raise ApplianceError(f"unit {text[:80]!r}: is no size; expected one such as byte * 2^20")
    return size
