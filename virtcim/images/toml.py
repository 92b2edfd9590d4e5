"""Reading TOML that others wrote: files of administrators, templates of clients, and catalogues from elsewhere.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["read_text", "read_toml"]

_MOST_CHARACTERS = 1 << 20
_MOST_BYTES = 4 * _MOST_CHARACTERS
_MOST_DOTS = 100
"""Dots in a line.  The standard library takes time by the square of the parts of a dotted key: half a million of them,
which are a megabyte, would take it an hour."""
_TEXT_LINE = re.compile(r"""[\w-]{1,64} = "(?:[^"\\']|\\.)*+\"""")
"""A key and a text in one line, as templates are written here.  With an apostrophe in it, it might be the end of a text
of several lines, and something else follow."""


def read_text(path: Path) -> str:
    """Read a file for `read_toml`: a plain one, of no more bytes than it takes.

    Raises:
        ValueError: it is none; the text says why.
        OSError: it cannot be opened.
    """
    # Without O_NONBLOCK a pipe would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("is not a plain file; expected TOML in UTF-8")
        with open(descriptor, "rb", closefd=False) as file:
            text = file.read(_MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(text) > _MOST_BYTES:
        raise ValueError(f"has more than {_MOST_BYTES} bytes; expected fewer")
    return text.decode()


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
