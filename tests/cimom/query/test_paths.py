"""Instance paths as text."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.growth import assert_linear
from virtcim.cimom.query import parse_select
from virtcim.cimom.query.paths import parse_path, same_path
from virtcim.providers.interface import CIMError, InstancePath
from virtcim.schema.classes import ClassStore


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('CIM_X.a="b"', InstancePath("CIM_X", {"a": "b"})),
        (
            'root/virt:CIM_X.a="b",c=5,d=TRUE,e=-1.5',
            InstancePath("CIM_X", {"a": "b", "c": 5, "d": True, "e": -1.5}, "root/virt"),
        ),
        ('//host:5989/root/virt:CIM_X.a="b"', InstancePath("CIM_X", {"a": "b"}, "root/virt")),
        ('/root/virt:CIM_X.a="b"', InstancePath("CIM_X", {"a": "b"}, "root/virt")),
        ('\\\\HOST\\root\\virt:CIM_X.a="b\\\\c"', InstancePath("CIM_X", {"a": "b\\c"}, "root/virt")),
        ('CIM_X.a="say \\"so\\", a=1:x/y.z"', InstancePath("CIM_X", {"a": 'say "so", a=1:x/y.z'})),
        ('CIM_X="b"', InstancePath("CIM_X", {"": "b"})),
        ("CIM_X=5", InstancePath("CIM_X", {"": 5})),
        ("CIM_X.a='b'", InstancePath("CIM_X", {"a": "b"})),
        (' CIM_X.a = "b" , c = 5 ', InstancePath("CIM_X", {"a": "b", "c": 5})),
    ],
)
def test_paths(text: str, path: InstancePath) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CIM_X",
        "CIM_X.",
        "CIM_X.a",
        "CIM_X.a=",
        'CIM_X.a="b',
        'CIM_X.a="b",',
        'CIM_X.a="b"c="d"',
        'CIM_X.a="1",A="2"',
        "CIM_X.a=b",
        "5.a=1",
        '.a="b"',
        "CIM_X=@",
        'CIM_X="a","b"',
        'CIM_X="a",b="c"',
    ],
)
def test_no_paths(text: str) -> None:
    with pytest.raises(ValueError):
        parse_path(text)


@given(st.text(max_size=80))
def test_any_text_is_a_path_or_a_value_error(text: str) -> None:
    for candidate in (text, f"CIM_X.a={text}", f'CIM_X.a="{text}"'):
        try:
            path = parse_path(candidate)
        except ValueError:
            continue
        assert same_path(path, path)


HOSTILE: dict[str, Callable[[int], str]] = {
    "blanks in a value": lambda n: f'X.a=b{" " * n}"',
    "blanks after a value": lambda n: f'X.a="b"{" " * n}x',
    "blanks before a name": lambda n: f"X.{' ' * n}",
    "blanks after a name": lambda n: f"X.a{' ' * n}",
    "keys": lambda n: "X." + "".join(f"k{number}=1," for number in range(n)),
    "keys without values": lambda n: "X." + "a=" * n,
    "names": lambda n: "X." + "a" * n,
    "escapes": lambda n: 'X.a="' + '\\"' * n,
    "apostrophes": lambda n: "X.a='" + "\\'" * n,
    "digits": lambda n: "X.a=" + "1" * n,
    "fractions": lambda n: "X.a=" + "1." * n,
    "hosts": lambda n: "//" * n,
    "namespaces": lambda n: "a/" * n,
    "colons": lambda n: "a:" * n,
    "dots": lambda n: "a." * n,
    "backslashes": lambda n: "\\" * n,
    "classes": lambda n: "a" * n,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length(name: str) -> None:
    assert_linear(parse_path, HOSTILE[name])


def test_the_attack_in_a_query(toy: ClassStore) -> None:
    """Text within the length that a query may have, which took ten seconds."""
    query = f"SELECT * FROM Toy_System WHERE OBJECTPATH('X.a=b{' ' * 15_800}\"') = OBJECTPATH('X.a=1')"
    started = time.thread_time()
    with contextlib.suppress(CIMError):
        parse_select("DMTF:CQL", query).compile(toy)
    assert time.thread_time() - started < 2


def test_the_same_instance() -> None:
    target = InstancePath("CIM_X", {"a": "b"}, "root/virt")
    nested = InstancePath("CIM_A", {"Ref": target, "n": 5, "t": datetime(2026, 1, 1, tzinfo=UTC)})
    keys = {"N": 5, "REF": 'root/VIRT:cim_x.A="b"', "T": "20260101000000.000000+000"}
    written = InstancePath("cim_a", keys, "root/virt")
    assert same_path(nested, written)
    assert same_path(written, nested)
    assert same_path(InstancePath("A", {"": "b"}), InstancePath("A", {"Name": "b"}))
    for other in (
        InstancePath("CIM_B", keys),
        InstancePath("CIM_A", {**keys, "N": 6}),
        InstancePath("CIM_A", {**keys, "N": "5"}),
        InstancePath("CIM_A", {"N": 5}),
        InstancePath("CIM_A", {**keys, "T": "x"}),
        InstancePath("CIM_A", {"N": 5, "REF": "x", "Q": 1}),
    ):
        assert not same_path(nested, other)
    here, there = InstancePath("A", {"a": 1}, "root/virt"), InstancePath("A", {"a": 1}, "root/cimv2")
    assert not same_path(here, there)
