"""Sizes, as people write them."""

from __future__ import annotations

import re

from virtcim.images.templates.errors import TemplateError

__all__ = ["size_of"]

_SIZE = re.compile(r"([0-9]{1,20})\s*(B|KiB|MiB|GiB|TiB)?\Z")
_MOST_SIZE = 1 << 60
"""Bytes: what file systems hold."""
_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def size_of(value: object) -> int:
    """Read a size in bytes: a whole number, or a text such as `512 MiB`.

    Raises:
        TemplateError: it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        size = value
    else:
        found = _SIZE.match(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise TemplateError(f"{value!r:.80} is no size; expected bytes, or a number with KiB, MiB, GiB or TiB")
        size = int(found[1]) * _UNITS[found[2]]
    if size > _MOST_SIZE:
        raise TemplateError("is more than 1 EiB; expected less")
    return size
