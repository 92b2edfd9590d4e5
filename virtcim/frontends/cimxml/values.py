"""CIM values as the content of XML elements (DSP0201 2.4, section 5.2.4).

`writer` gives the function that writes one value of a CIM type as the content of a VALUE element, ready escaped.  It
raises ValueError for what does not fit the type.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from virtcim.schema.values import INTEGER_RANGES, MAX_REAL32, REAL_TYPES, format_datetime

__all__ = ["attribute", "escape", "writer"]

REPLACEMENT = "\ufffd"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: str) -> str:
    """`text` as the content of an element or attribute.

    Only the entities that every client knows are used; a character that XML 1.0 does not allow becomes U+FFFD.
    A carriage return is the one numeric reference: raw, an XML parser would turn it into a line feed.
    """
    if not text.isprintable():
        text = _NOT_XML.sub(REPLACEMENT, text)
        if "\r" in text:
            return "&#13;".join(escape(part) for part in text.split("\r"))
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if '"' in text:
        text = text.replace('"', "&quot;")
    return text


def attribute(text: str) -> str:
    """`text` as an attribute value: there, line feeds and tabs would be read as spaces."""
    return escape(text).replace("\n", " ").replace("\t", " ")


def _write_string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a string")
    return escape(value)


def _write_char16(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1 or ord(value) > 0xFFFF:
        raise ValueError(f"{value!r} is not a UCS-2 character")
    return escape(value)


def _write_boolean(value: Any) -> str:
    if value is True:
        return "TRUE"
    if value is False:
        return "FALSE"
    raise ValueError(f"{value!r} is not a boolean")


def _integer_writer(cim_type: str) -> Callable[[Any], str]:
    low, high = INTEGER_RANGES[cim_type]

    def write(value: Any) -> str:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{value!r} is not of type {cim_type}")
        return int.__repr__(value)

    return write


def _write_real(value: Any, cim_type: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not of type {cim_type}")
    if cim_type == "real32":
        if abs(value) > MAX_REAL32:
            raise ValueError(f"{value!r} is not a real32")
        text = f"{float(value):.11G}"
    else:
        text = repr(float(value)).upper()
    significand, exponent, power = text.partition("E")
    if "." not in significand:
        significand += ".0"
    return f"{significand}{exponent}{power}"


@cache
def writer(cim_type: str) -> Callable[[Any], str]:
    """The function that writes a scalar of `cim_type` (any but `reference`) as escaped text."""
    if cim_type in INTEGER_RANGES:
        return _integer_writer(cim_type)
    if cim_type in REAL_TYPES:
        return lambda value: _write_real(value, cim_type)
    return {
        "string": _write_string,
        "char16": _write_char16,
        "boolean": _write_boolean,
        "datetime": format_datetime,
    }[cim_type]
