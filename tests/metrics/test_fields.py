"""The figures of one guest by name."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.samples import fields
from virtcim.libhelper.metrics.fields import Fields

VALUES = st.integers(-(1 << 65), 1 << 65) | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=8), st.text(max_size=3))
def test_fields_are_the_mapping_that_they_were_made_of(given_fields: dict[str, Any], name: str) -> None:
    made = Fields(given_fields)
    assert dict(made) == given_fields
    assert {each: type(made[each]) for each in made} == {each: type(value) for each, value in given_fields.items()}
    assert len(made) == len(given_fields)
    assert made == given_fields
    assert made.get(name, "none") == given_fields.get(name, "none")
    assert (name in made) == (name in given_fields)


def test_another_name_or_value_is_another_mapping() -> None:
    one = Fields({"a": 1, "b": "x"})
    assert one == Fields({"a": 1, "b": "x"})
    assert all(one != Fields(other) for other in ({"a": 2, "b": "x"}, {"a": 1, "b": "y"}, {"c": 1, "b": "x"}, {"a": 1}))
    with pytest.raises(KeyError):
        one["c"]


def as_told(number: int) -> dict[str, Any]:
    """Give figures as libvirt does: new objects for all names and numbers."""
    told = fields(("vda", "vdb"), ("vnet0",), step=number)
    return {f"{name} "[:-1]: value + 10**9 + number if type(value) is int else value for name, value in told.items()}


def memory_of(guests: int, keep: Callable[[dict[str, Any]], Mapping[str, Any]]) -> int:
    """Count the bytes that the figures of guests take where only what is made of them is kept."""
    tracemalloc.start()
    try:
        kept = [keep(as_told(number)) for number in range(guests)]
        return tracemalloc.get_traced_memory()[0] if kept else 0
    finally:
        tracemalloc.stop()


def test_guests_take_little_more_than_their_numbers() -> None:
    assert memory_of(200, Fields) < memory_of(200, dict) / 6
