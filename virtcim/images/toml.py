"""Reading TOML that others wrote: templates of clients, and catalogues from elsewhere.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

__all__ = ["read_toml"]

_MOST_CHARACTERS = 1 << 20
_MOST_DOTS = 100
"""Dots in a line.  The standard library takes time by the square of the parts of a dotted key: half a million of them,
which are a megabyte, would take it an hour."""
_TEXT_LINE = re.compile(r"""[\w-]{1,64} = "(?:[^"\\']|\\.)*+\"""")
"""A key and a text in one line, as templates are written here.  With an apostrophe in it, it might be the end of a text
of several lines, and something else follow."""


def read_toml(text: str) -> dict[str, Any]:
    """Read a document.

    Raises:
        ValueError: it is none, or one that takes long to read; the text says why.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"has more than {_MOST_CHARACTERS} characters")
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MOST_DOTS and not _TEXT_LINE.fullmatch(line):
            raise ValueError(f"line {number}: has more than {_MOST_DOTS} dots; expected shorter lines")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("is nested too deep") from None
