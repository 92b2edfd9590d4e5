"""Instance paths as text."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import pywbem
from hypothesis import example, given
from hypothesis import strategies as st

from tests.growth import assert_linear
from virtcim.cimom.query import parse_select
from virtcim.providers.interface import CIMError, InstancePath
from virtcim.schema.classes import ClassStore
from virtcim.schema.paths import format_path, parse_path, same_path


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
        ('/:CIM_X.a="b"', InstancePath("CIM_X", {"a": "b"})),
        ('https://host:5989/root/virt-2:CIM_X.a="b"', InstancePath("CIM_X", {"a": "b"}, "root/virt-2")),
        (' //host/a/b:A.B="\\"\\\\",D=-5,E=TRUE ', InstancePath("A", {"B": '"\\', "D": -5, "E": True}, "a/b")),
        ('root/virt:A.B="x,y=1" ', InstancePath("A", {"B": "x,y=1"}, "root/virt")),
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
        "/var/lib/images/x.img",
        "x.img",
        "CIM_X.a=" + "1" * 5000,
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


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12)
VALUES = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)


def keys(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Keys whose names differ in more than case."""
    pairs = st.lists(st.tuples(NAMES, values), min_size=1, max_size=3, unique_by=lambda pair: pair[0].lower())
    return pairs.map(dict)


def paths(values: st.SearchStrategy[Any], namespaces: str) -> st.SearchStrategy[InstancePath]:
    namespace = st.none() | st.from_regex(namespaces, fullmatch=True)
    return st.builds(InstancePath, NAMES, keys(values), namespace)


PATHS = paths(VALUES | paths(VALUES, "root/[a-z0-9]{1,5}"), r"root(/[a-z0-9][a-z0-9_]{0,5}){1,2}")


def as_pywbem_has_it(path: InstancePath, host: str | None = None) -> pywbem.CIMInstanceName:
    held = {name: as_pywbem_has_it(v) if isinstance(v, InstancePath) else v for name, v in path.keys.items()}
    return pywbem.CIMInstanceName(path.class_name, held, host=host, namespace=path.namespace)


@given(PATHS)
def test_pywbem_reads_what_is_written(path: InstancePath) -> None:
    read = pywbem.CIMInstanceName.from_wbem_uri(format_path(path))
    assert (read.classname, read.namespace) == (path.class_name, path.namespace)
    for name, value in as_pywbem_has_it(path).keybindings.items():
        if isinstance(value, str) and not isinstance(read.keybindings[name], str):
            continue  # pywbem takes a string that reads as a path or a datetime for one
        assert read.keybindings[name] == value


@given(PATHS, st.sampled_from([None, "host", "host:5989", "10.0.0.1"]))
@example(InstancePath("A", {"A": 5e-324}, None), None)
def test_what_pywbem_writes_is_read(path: InstancePath, host: str | None) -> None:
    named = as_pywbem_has_it(path, host)
    for form in ("standard", "historical"):
        if form == "historical" and host is not None and path.namespace is None:
            continue  # `//host/Class.keys`: to DSP0207, the class is a part of the namespace
        assert same_path(parse_path(named.to_wbem_uri(form)), path)


@given(paths(VALUES | paths(VALUES, "root/[a-z0-9-]{1,5}"), "[a-z][a-z0-9_-]{0,5}(/[a-z0-9_-]{1,5})?"))
def test_what_is_written_is_read(path: InstancePath) -> None:
    read = parse_path(format_path(path))
    assert same_path(read, path)
    assert read.namespace == path.namespace
    assert same_path(parse_path(format_path(path, "root/other")), path)


def test_a_path_without_a_namespace_gets_one() -> None:
    assert format_path(InstancePath("A", {"b": 5}), "root/virt") == "/root/virt:A.b=5"
    assert format_path(InstancePath("A", {"b": 5}, "root/x"), "root/virt") == "/root/x:A.b=5"
    assert format_path(InstancePath("A", {"b": 5})) == "/:A.b=5"


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
    "scheme": lambda n: "a" * n + "://",
    "blanks before": lambda n: " " * n,
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
