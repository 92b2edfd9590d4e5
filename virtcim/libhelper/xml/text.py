"""Safe reading of XML text, and the rules for text that goes into XML.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

import re
import threading

from lxml import etree

__all__ = [
    "MappingError",
    "NotWellFormedError",
    "ValueRejectedError",
    "check_text",
    "is_blank",
    "parse_xml",
    "scale",
    "text_of",
    "to_text",
]


class MappingError(ValueError):
    """Base of the errors of the XML mapping."""


class NotWellFormedError(MappingError):
    """The text is not XML, goes beyond the parser's limits, or brings a document type declaration."""


class ValueRejectedError(MappingError):
    """A value cannot be written: wrong type, unknown field, or characters that XML does not know."""


# The characters that XML 1.0 leaves out (production 2, "Char"); to compile those that it has takes ten times as long.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# A document type declaration stands before the root element, after comments and processing instructions at most.
_DOCTYPE = re.compile(r"\ufeff?(?>\s+|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)

# Without huge_tree libxml2 bounds the depth (256), the length of a text (10 MB) and the growth by entities.
_PARSER_OPTIONS: dict[str, bool] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "collect_ids": False,
    "strip_cdata": False,
}


_NAMES_OF_NAMESPACES = frozenset({etree.ErrorTypes.WAR_NS_URI, etree.ErrorTypes.WAR_NS_URI_RELATIVE})


class _Parser(threading.local):
    """A parser for each thread: one that is shared lets one thread at a time parse, and the others wait."""

    def __init__(self) -> None:
        self.own = etree.XMLParser(encoding="utf-8", **_PARSER_OPTIONS)  # type: ignore[arg-type]


_PARSERS = _Parser()

_BYTE_WORDS = frozenset({"b", "byte", "bytes"})
_POWERS = {letter: power for power, letter in enumerate("kmgtpe", start=1)}


def parse_xml(text: str | bytes) -> etree._Element:
    """The root element of an XML text.

    Entities are not expanded, nothing is loaded, and a document type declaration is refused.

    Parameters:
        text: the document; `bytes` are taken as UTF-8.  An encoding named in the XML declaration is ignored.

    Raises:
        NotWellFormedError: not XML, too deep or too large, or with a DOCTYPE.
    """
    try:
        characters = text.decode("utf-8") if isinstance(text, bytes) else text
        if "<!DOCTYPE" in characters and _DOCTYPE.match(characters):
            raise NotWellFormedError("a document type declaration is not accepted")
        root = _root(characters.encode("utf-8"))
    except etree.XMLSyntaxError as error:
        raise NotWellFormedError(f"not well-formed XML: {error.msg}") from None
    except UnicodeError:
        raise NotWellFormedError("not well-formed XML: not Unicode text") from None
    if root is None:
        raise NotWellFormedError("not well-formed XML: no root element")
    return root


def _root(text: bytes) -> etree._Element:
    """Parse a text, with the names of its namespaces as they are: that one is no URI breaks no rule of XML."""
    try:
        return etree.fromstring(text, _PARSERS.own)
    except etree.XMLSyntaxError as error:
        if error.code != etree.ErrorTypes.WAR_NS_URI:  # type: ignore[attr-defined]
            raise
        parser = etree.XMLParser(encoding="utf-8", recover=True, **_PARSER_OPTIONS)  # type: ignore[arg-type]
        root = etree.fromstring(text, parser)
        if any(each.type not in _NAMES_OF_NAMESPACES for each in parser.error_log):
            raise
        return root


def to_text(element: etree._Element, *, whole_document: bool = False) -> str:
    """The XML text of an element without what follows it, or of the document around it."""
    if whole_document:
        return etree.tostring(element.getroottree(), encoding="unicode")
    return etree.tostring(element, encoding="unicode", with_tail=False)


def check_text(value: str) -> str:
    """`value` itself, when XML can hold it.

    Raises:
        ValueRejectedError: a character that XML 1.0 leaves out (control characters, lone surrogates).
    """
    found = _ILLEGAL.search(value)
    if found:
        raise ValueRejectedError(f"character U+{ord(found.group()):04X} cannot stand in XML")
    return value


def is_blank(text: str | None) -> bool:
    """True for None, the empty text, and text of white space only."""
    return text is None or not text.strip()


def text_of(element: etree._Element) -> str | None:
    """The character data that stands in an element itself, comments left out; None when it is empty."""
    if not len(element):
        return element.text or None
    value = "".join([element.text or "", *(child.tail or "" for child in element)])
    return None if is_blank(value) else value


def scale(number: int, unit: str) -> int | None:
    """`number` of libvirt's memory unit `unit` ("KiB", "MB", "G", "bytes") in bytes; None for an unknown unit."""
    word = unit.strip().lower()
    if word in _BYTE_WORDS:
        return number
    power = _POWERS.get(word[:1])
    if power is None:
        return None
    if word[1:] in ("", "ib"):
        return number * int(1024**power)
    return number * int(1000**power) if word[1:] == "b" else None
