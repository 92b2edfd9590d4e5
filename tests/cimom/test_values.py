"""Values as text and back, checked against pywbem."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import pywbem
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from virtcim.frontends.cimxml.values import attribute, escape, writer
from virtcim.schema.values import INTEGER_RANGES, reader

ZONES = st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def parsed(text: str) -> str:
    """What an XML parser reads."""
    return etree.fromstring(f"<VALUE>{text}</VALUE>".encode()).text or ""


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_sent(text: str) -> None:
    read = parsed(escape(text))
    legal = all(c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" for c in text)
    assert len(read) == len(text)
    assert (read == text) is legal
    assert etree.fromstring(f'<a b="{attribute(text)}"/>'.encode()).get("b") is not None


@given(st.integers(0, 2**64 - 1))
def test_integers(number: int) -> None:
    for cim_type, (low, high) in INTEGER_RANGES.items():
        if low <= number <= high:
            assert reader(cim_type)(writer(cim_type)(number)) == number
        else:
            with pytest.raises(ValueError):
                writer(cim_type)(number)
            with pytest.raises(ValueError, match="out of the range"):
                reader(cim_type)(str(number))


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("+5", 5), (" 7\n", 7), ("007", 7), ("0x1F", 31), ("0XfF", 255), ("101b", 5), ("11B", 3), ("0x1b", 27)],
)
def test_integer_forms(text: str, number: int) -> None:
    assert reader("uint32")(text) == number


def test_a_string_is_any_text_without_its_end() -> None:
    assert reader("string")(" \x01\ufffe\U0001f427") == " \x01\ufffe\U0001f427"
    with pytest.raises(ValueError, match=r"holds U\+0000"):
        reader("string")("/a\0b")


@pytest.mark.parametrize("text", ["", "x", "1.0", "1e3", "--1", "1_000", "٣", "0x", "b", "12b", "9" * 5000, "0xG"])
def test_no_integers(text: str) -> None:
    with pytest.raises(ValueError):
        reader("uint64")(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_real64_survives(number: float) -> None:
    text = writer("real64")(number)
    assert "." in text
    assert reader("real64")(text) == number
    assert float(pywbem.Real64(text)) == number


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_real32_survives(number: float) -> None:
    assert math.isclose(reader("real32")(writer("real32")(number)), number, rel_tol=1e-6, abs_tol=1e-45)


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", True, 1e39])
def test_no_real32(value: Any) -> None:
    with pytest.raises(ValueError):
        writer("real32")(value)


@given(st.datetimes(timezones=ZONES))
def test_points_in_time(value: datetime) -> None:
    text = writer("datetime")(value)
    assert reader("datetime")(text) == value
    assert pywbem.CIMDateTime(text).datetime == value


@given(st.timedeltas(timedelta(0), timedelta(days=99_999_999)))
def test_intervals(value: timedelta) -> None:
    text = writer("datetime")(value)
    assert reader("datetime")(text) == value
    assert pywbem.CIMDateTime(text).timedelta == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20260101000000.000000+00",
        "20261301000000.000000+000",
        "20260101250000.000000+000",
        "now" * 9,
        "00000000006000.000000:000",
        "20260101000000.000000:000x",
        "2026010100000a.000000+000",
        "00000001240000.000000:000",
    ],
)
def test_no_datetimes(text: str) -> None:
    with pytest.raises(ValueError):
        reader("datetime")(text)


def test_unspecified_fraction() -> None:
    assert reader("datetime")("00000001000000.123***:000") == timedelta(days=1, milliseconds=123)


@pytest.mark.parametrize(
    ("cim_type", "value"),
    [
        ("boolean", 1),
        ("boolean", "TRUE"),
        ("uint8", 256),
        ("uint8", True),
        ("uint8", 1.0),
        ("uint8", "1"),
        ("sint8", -129),
        ("string", 1),
        ("string", b"x"),
        ("char16", "xy"),
        ("char16", "\U0001f427"),
        ("datetime", "20260101000000.000000+000"),
        ("datetime", datetime(2026, 1, 1)),
        ("datetime", timedelta(seconds=-1)),
    ],
)
def test_values_that_do_not_fit(cim_type: str, value: Any) -> None:
    with pytest.raises(ValueError):
        writer(cim_type)(value)


@pytest.mark.parametrize("text", ["true", "TRUE", "True", " tRuE "])
def test_booleans(text: str) -> None:
    assert reader("boolean")(text) is True
    assert reader("boolean")("False") is False
    with pytest.raises(ValueError):
        reader("boolean")(f"{text}x")


def test_characters() -> None:
    assert reader("char16")("ß") == "ß"
    with pytest.raises(ValueError):
        reader("char16")("")
