"""XML from outside, parsed so that nothing of it stays when it has been answered.

libxml2 keeps what it takes for names (of elements, attributes, namespaces, entities) and runs of blanks in a dictionary
of the thread that parses, for as long as the thread lives.  The event loop's lives as long as the server: a client that
makes up names would fill its memory.  So a thread parses what has the words that it has had before, some thousands of
them, and all else is parsed in a thread of its own, whose dictionary goes with the tree.
"""

from __future__ import annotations

import re
import threading

from lxml import etree

__all__ = ["parse_text"]

_OPTIONS: dict[str, bool] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_WORDS = re.compile(rb"<[^\s<>=\"'&]++|\s[^\s<>/=\"'&]++\s*+=|&[^\s;#&<]++|>\s{16,}+(?=<)")
"""What libxml2 would keep: names behind < and &, names before =, and runs of blanks between two elements that it does
not keep in the tree itself."""
_UNBOUNDED = (b"<!", b"xmlns")
"""A document type has names of its own, a namespace may be any text, and a comment or section ends a run."""
_MOST_WORDS = 4096
"""Words that are remembered: CIM-XML has 200, beside them are properties of embedded instances."""
_LONGEST_WORD = 64
_MOST_PIECES = 1024
"""Pieces of texts, from one < to the next, that need no second look: most of a request is as in the one before."""
_SMALL = 64 << 10
"""Bytes of a text whose words are looked at; of a longer one a thread costs less than the look."""


class _Shared:
    """The parser of the texts whose words are known."""

    def __init__(self) -> None:
        self._words: set[bytes] = set()
        self._pieces: set[bytes] = set()
        self._lock = threading.Lock()
        self.parser = etree.XMLParser(**_OPTIONS)  # type: ignore[arg-type]

    def knows(self, body: bytes) -> bool:
        """Whether a text has known words only; new ones are known from now on, as long as there is room."""
        if len(body) > _SMALL or any(mark in body for mark in _UNBOUNDED):
            return False
        pieces = set(body.split(b"<")) - self._pieces
        if not pieces:
            return True
        new = set(_WORDS.findall(b"<" + b"<".join(pieces) + b"<")) - self._words
        with self._lock:
            if new:
                if len(self._words) + len(new) > _MOST_WORDS or max(map(len, new)) > _LONGEST_WORD:
                    return False
                self._words |= new
            if len(self._pieces) < _MOST_PIECES:
                self._pieces.update(
                    [each for each in pieces if len(each) <= _LONGEST_WORD][: _MOST_PIECES - len(self._pieces)]
                )
        return True


_SHARED = _Shared()


def parse_text(body: bytes) -> etree._Element:
    """Parse XML; nothing outside of it is asked for.

    Parameters:
        body: the text.

    Returns:
        the root, without comments and processing instructions.

    Raises:
        etree.XMLSyntaxError, ValueError: it is not well-formed.
    """
    return etree.fromstring(body, _SHARED.parser) if _SHARED.knows(body) else _parse_apart(body)


def _parse_apart(body: bytes) -> etree._Element:
    """Parse in a thread that ends with it, by a parser that no other thread has used."""
    found: list[etree._Element | Exception] = []

    def run() -> None:
        try:
            found.append(etree.fromstring(body, etree.XMLParser(**_OPTIONS)))  # type: ignore[arg-type]
        except (etree.XMLSyntaxError, ValueError) as error:
            found.append(error)

    thread = threading.Thread(target=run, name="xml")
    thread.start()
    thread.join()
    (result,) = found
    if isinstance(result, Exception):
        raise result
    return result
