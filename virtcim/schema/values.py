"""CIM values as plain text and back (DSP0004 2.8, section 5.2 and Annex A).

`reader` gives the function that reads a value of a CIM type from text, `format_datetime` writes points in time and
intervals.  Both raise ValueError for what does not fit the type.  How a text is escaped is the business of whoever puts
it somewhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

__all__ = [
    "INTEGER_RANGES",
    "MAX_REAL32",
    "NUMERIC_TYPES",
    "REAL_TYPES",
    "format_datetime",
    "parse_datetime",
    "reader",
]

INTEGER_RANGES = {
    f"{sign}int{bits}": (0, 2**bits - 1) if sign == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for sign in "us"
    for bits in (8, 16, 32, 64)
}
REAL_TYPES = frozenset({"real32", "real64"})
NUMERIC_TYPES = REAL_TYPES | INTEGER_RANGES.keys()

MAX_REAL32 = 3.4028235677973366e38
"""The largest magnitude that rounds to a finite IEEE 754 single."""

_INTEGER = re.compile(r"[+-]?(?:[0-9]+|0[xX][0-9a-fA-F]+|[01]+[bB])\Z")
_REAL = re.compile(r"[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?\Z")
_POINT = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{1,6})(\**)([+-])(\d{3})\Z", re.ASCII)
_INTERVAL = re.compile(r"(\d{8})(\d\d)(\d\d)(\d\d)\.(\d{1,6})(\**):000\Z", re.ASCII)
_DATETIME_LENGTH = 25
_MAX_NUMBER_LENGTH = 128


def format_datetime(value: datetime | timedelta) -> str:
    """Write a CIM datetime (DSP0004 2.8, section 5.2.4).

    Parameters:
        value: a point in time with its time zone, or an interval.

    Returns:
        its 25 characters.

    Raises:
        ValueError: when the value is neither, has no time zone, or is an interval that CIM cannot hold.
    """
    if isinstance(value, timedelta):
        if not timedelta(0) <= value < timedelta(days=100_000_000):
            raise ValueError(f"{value!r} is not a CIM interval")
        hours, rest = divmod(value.seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        return f"{value.days:08d}{hours:02d}{minutes:02d}{seconds:02d}.{value.microseconds:06d}:000"
    if not isinstance(value, datetime):
        raise ValueError(f"{value!r} is not a datetime")
    offset = value.utcoffset()
    if offset is None:
        raise ValueError(f"{value!r} has no time zone")
    minutes = round(offset.total_seconds() / 60)
    return (
        f"{value.year:04d}{value.month:02d}{value.day:02d}{value.hour:02d}{value.minute:02d}{value.second:02d}"
        f".{value.microsecond:06d}{minutes:+04d}"
    )


def _read_string(text: str) -> str:
    # CIM has no such character (DSP0004 2.7, 5.2.2); it would end paths and names for those who get them.
    if "\0" in text:
        raise ValueError("holds U+0000, which no string has")
    return text


def _read_char16(text: str) -> str:
    if len(text) != 1 or ord(text) > 0xFFFF:
        raise ValueError("is not a UCS-2 character")
    return text


def _read_boolean(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered not in {"true", "false"}:
        raise ValueError("is not a boolean")
    return lowered == "true"


def _parse_integer(text: str) -> int:
    """The decimal, hexadecimal and binary forms of DSP0004 Annex A.  Octal is not read as such: no client sends
    it, and several pad decimals with zeros."""
    text = text.strip()
    if len(text) > _MAX_NUMBER_LENGTH or not _INTEGER.match(text):
        raise ValueError("is not an integer")
    if text[-1] in "bB" and "x" not in text.lower():
        return int(text[:-1], 2)
    return int(text, 16) if "x" in text.lower() else int(text)


def _integer_reader(cim_type: str) -> Callable[[str], int]:
    low, high = INTEGER_RANGES[cim_type]

    def read(text: str) -> int:
        number = _parse_integer(text)
        if not low <= number <= high:
            raise ValueError(f"is out of the range of {cim_type}")
        return number

    return read


def _read_real(text: str, cim_type: str) -> float:
    text = text.strip()
    if len(text) > _MAX_NUMBER_LENGTH or not _REAL.match(text):
        raise ValueError(f"is not of type {cim_type}")
    number = float(text)
    if math.isinf(number) or (cim_type == "real32" and abs(number) > MAX_REAL32):
        raise ValueError(f"is out of the range of {cim_type}")
    return number


def parse_datetime(text: str) -> datetime | timedelta:
    """A CIM datetime (DSP0004 2.8, section 5.2.4).  Unspecified digits are accepted in the fraction and read as 0.

    Raises:
        ValueError: when it is none.
    """
    if len(text) != _DATETIME_LENGTH:
        raise ValueError("is not a CIM datetime")
    if match := _INTERVAL.match(text):
        days, hours, minutes, seconds, fraction, _ = match.groups()
        if int(hours) > 23 or int(minutes) > 59 or int(seconds) > 59:
            raise ValueError("is not a CIM interval")
        return timedelta(
            days=int(days),
            hours=int(hours),
            minutes=int(minutes),
            seconds=int(seconds),
            microseconds=int(fraction.ljust(6, "0")),
        )
    if match := _POINT.match(text):
        *digits, fraction, _, sign, offset = match.groups()
        zone = timezone(timedelta(minutes=int(sign + offset)))
        year, month, day, hour, minute, second = map(int, digits)
        return datetime(year, month, day, hour, minute, second, int(fraction.ljust(6, "0")), zone)
    raise ValueError("is not a CIM datetime")


@cache
def reader(cim_type: str) -> Callable[[str], Any]:
    """The function that reads a scalar of `cim_type` (any but `reference`) from unescaped text.

    The text of the ValueError it raises goes on from the value: "is out of the range of uint8".
    """
    if cim_type in INTEGER_RANGES:
        return _integer_reader(cim_type)
    if cim_type in REAL_TYPES:
        return lambda text: _read_real(text, cim_type)
    return {
        "string": _read_string,
        "char16": _read_char16,
        "boolean": _read_boolean,
        "datetime": parse_datetime,
    }[cim_type]
