"""Units of sizes and rates, in all the spellings that clients use.

Programmatic units (DSP0004 1.3, annex C: `byte*2^10`), libvirt's (`KiB`, `KB`), and the words of libvirt-cim
(`KiloBytes`, which are 1024 bytes, and not 1000 as the programmatic unit `kilobyte` would have it; `KiloBytes per
Second` are libvirt's, which are 1000).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = ["rate_in", "ratio_of", "size_in"]

MAX_LENGTH = 64
"""Characters of a unit; `kilobyte / second * 10^3` has 24."""

MAX_BITS = 128
"""Binary digits of a factor: an exbibyte has 60."""

_LETTERS = "kmgtpe"
_WORDS = ("kilo", "mega", "giga", "tera", "peta", "exa")
_BINARY_WORDS = ("kibi", "mebi", "gibi", "tebi", "pebi", "exbi")
_FACTOR = re.compile(r"([*/])\s*(\d{1,20})(?:\s*\^\s*([+-]?\d{1,3}))?\s*")
_LEADING = re.compile(r"(\d{1,20})\s*\*\s*")
_SECOND = re.compile(r"\s*(?:/|per)\s*s(?:ec(?:ond)?)?\s*$", re.IGNORECASE)

_SIZES: dict[str, int] = {"b": 1, "byte": 1, "bytes": 1}
for _power, (_letter, _word, _binary) in enumerate(zip(_LETTERS, _WORDS, _BINARY_WORDS, strict=True), start=1):
    _SIZES |= {
        _letter: 1024**_power,
        f"{_letter}ib": 1024**_power,
        f"{_letter}b": 1000**_power,
        **{f"{word}byte{s}": 1024**_power for word in (_word, _binary) for s in ("", "s")},
    }

_RATES: dict[str, int] = _SIZES | {
    f"{word}byte{s}": 1000**power for power, word in enumerate(_WORDS, start=1) for s in ("", "s")
}
"""As libvirt counts: libvirt-cim handed its number on, and called it KiloBytes per Second."""

_BITS: dict[str, int] = {"bit": 1, "bits": 1} | {
    f"{word}bit{s}": 1000**power for power, word in enumerate(_WORDS, start=1) for s in ("", "s")
}


def _factor(text: str) -> tuple[str, Fraction] | None:
    """The base unit of a programmatic unit and what it is multiplied with; None for what is none, and beyond reason."""
    # Here, since decimals and all kinds of numbers are loaded with it, and few clients name a unit.
    from fractions import Fraction

    text = text.strip()
    value = Fraction(1)
    leading = _LEADING.match(text)
    if leading is not None:
        value *= int(leading[1])
        text = text[leading.end() :]
    base = re.match(r"[A-Za-z]+", text)
    if base is None:
        return None
    rest = text[base.end() :].strip()
    while rest:
        found = _FACTOR.match(rest)
        if found is None:
            return None
        base_number, exponent = int(found[2]), int(found[3] or 1)
        if not base_number or base_number.bit_length() * abs(exponent) > MAX_BITS:
            return None
        number = Fraction(base_number) ** exponent
        value = value * number if found[1] == "*" else value / number
        rest = rest[found.end() :]
    return base[0].casefold(), value


def size_in(units: str) -> int | None:
    """How many bytes a unit is; None when it is not the unit of a size.

    Parameters:
        units: in any spelling and case.
    """
    found = _factor(units) if len(units) <= MAX_LENGTH else None
    if found is None or found[0] not in _SIZES:
        return None
    bytes_ = _SIZES[found[0]] * found[1]
    return int(bytes_) if bytes_.denominator == 1 and bytes_ > 0 else None


def rate_in(units: str) -> Fraction | None:
    """How many bytes per second a unit is; None when it is not the unit of a rate.

    A unit of a size alone means that size per second.
    """
    if len(units) > MAX_LENGTH:
        return None
    text = _SECOND.sub("", re.sub(r"/\s*second(?=\s*\*)", "", units))
    found = _factor(text)
    if found is None:
        return None
    base, factor = found
    if base in _RATES:
        return _RATES[base] * factor
    return _BITS[base] * factor / 8 if base in _BITS else None


def ratio_of(units: str, others: str) -> Fraction | None:
    """How many of the others one of a unit is; None where the two do not measure the same.

    Parameters:
        units: of a size or a rate, in any spelling.
        others: likewise.
    """
    from fractions import Fraction

    for measure in (size_in, rate_in):
        one, other = measure(units), measure(others)
        if one is not None and other is not None:
            return Fraction(one) / Fraction(other)
    return None
