"""Units out of bounds; those that clients send are in `test_vsms_values`."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from tests.growth import assert_linear
from virtcim.providers.units import rate_in, ratio_of, size_in


@pytest.mark.parametrize(
    ("units", "size"),
    [
        ("byte*2^10", 1024),
        ("8 * byte * 10^3 / 2^3", 1000),
        ("byte*2^60", 2**60),
        ("byte*2^-1", None),
        ("byte*2^65", None),
        ("byte*10^999", None),
        ("byte*99999999999999999999^999", None),
        ("byte/99999999999999999999^-999", None),
        ("byte*0", None),
        ("byte" + " " * 100, None),
    ],
)
def test_sizes(units: str, size: int | None) -> None:
    assert size_in(units) == size


def test_rates() -> None:
    assert rate_in("bit / second * 10^3") == 125
    assert rate_in("byte*2^-1 per sec") == Fraction(1, 2)
    assert rate_in("byte*10^999 / second") is None


@pytest.mark.parametrize(
    ("units", "others", "ratio"),
    [
        ("KiloBytes", "byte*2^10", 1),
        ("MegaBytes", "byte*2^10", 1024),
        ("Bytes", "KiB", Fraction(1, 1024)),
        ("KiloBytes per Second", "byte*10^3/second", 1),
        ("KiloBytes", "byte*10^3/second", 1),
        ("percent", "byte", None),
        ("Processors", "percent", None),
    ],
)
def test_ratios(units: str, others: str, ratio: Fraction | int | None) -> None:
    assert ratio_of(units, others) == ratio


HOSTILE: dict[str, Callable[[int], str]] = {
    "blanks": lambda n: "byte" + " " * n + "x",
    "factors": lambda n: "byte" + "*99" * n,
    "powers": lambda n: "byte" + "*99999999999^999" * n,
    "blanks after a slash": lambda n: "/" + " " * n,
    "seconds": lambda n: "/ second" * n,
    "digits": lambda n: "1" * n,
    "letters": lambda n: "a" * n,
}


@pytest.mark.parametrize("read", [size_in, rate_in])
@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length(name: str, read: Callable[[str], object]) -> None:
    assert_linear(read, HOSTILE[name])
