"""References as text, read and written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.growth import assert_linear
from virtcim.providers.interface import InstancePath
from virtcim.providers.references import read_uri, uri_of


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('A.B="c"', InstancePath("A", {"B": "c"})),
        (' //host/a/b:A.B="\\"\\\\",D=-5,E=TRUE ', InstancePath("A", {"B": '"\\', "D": -5, "E": True}, "a/b")),
        ('root/virt:A.B="x,y=1" ', InstancePath("A", {"B": "x,y=1"}, "root/virt")),
        ("A", None),
        ("A.", None),
        ("A.B", None),
        ("A.B=c", None),
        ('A.B="c"D=1', None),
        ("A.B=" + "1" * 5000, None),
    ],
)  # fmt: skip
def test_read(text: str, path: InstancePath | None) -> None:
    assert read_uri(text) == path


def test_what_is_written_is_read() -> None:
    path = InstancePath("A", {"B": 'x\\"y', "C": 5, "D": False}, "root/virt")
    assert read_uri(uri_of(path, "root/other")) == path


HOSTILE: dict[str, Callable[[int], str]] = {
    "keys": lambda n: "root/virt:A." + "a=1," * n,
    "blanks at the end": lambda n: 'A.a="b"' + " " * n + "x",
    "blanks before": lambda n: " " * n,
    "hosts": lambda n: "//" * n,
    "namespaces": lambda n: "a/" * n,
    "class": lambda n: "a" * n + ":",
    "escapes": lambda n: 'A.a="' + '\\"' * n,
    "digits": lambda n: "A.a=" + "1" * n,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length(name: str) -> None:
    assert_linear(read_uri, HOSTILE[name], 100_000)
