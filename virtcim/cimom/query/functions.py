"""The functions of CQL (DSP0202 1.0, section on functions) that work on values.

Each gives NULL for a NULL argument, and raises ValueError, OverflowError or TypeError for one it cannot convert.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from virtcim.cimom.query.values import Kind
from virtcim.immutable import immutable
from virtcim.providers.interface import EmbeddedInstance, InstancePath
from virtcim.schema.paths import parse_path
from virtcim.schema.values import parse_datetime, reader

__all__ = ["FUNCTIONS", "REFUSED_FUNCTIONS", "Function", "class_name"]

_MICROSECOND = timedelta(microseconds=1)
_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
_YEAR_ZERO = timedelta(days=366)
"""CIM counts from 1 January of year 0 (DSP0202 1.0), Python from year 1."""


@immutable
class Function:
    """A function: the kinds of its arguments and of its value.  `pure` when equal arguments give equal values."""

    arguments: tuple[Kind, ...]
    value: Kind
    call: Callable[..., object]
    pure: bool = True


def _to_microseconds(value: datetime | timedelta) -> int:
    return (value if isinstance(value, timedelta) else value - _YEAR_ONE + _YEAR_ZERO) // _MICROSECOND


def _to_timestamp(microseconds: int) -> datetime:
    return _YEAR_ONE + (timedelta(microseconds=microseconds) - _YEAR_ZERO)


def _to_interval(microseconds: int) -> timedelta:
    return timedelta(microseconds=microseconds)


def _to_numeric(text: str) -> int | float:
    try:
        return _to_signed(text)
    except ValueError:
        return _to_real(text)


def _to_signed(text: str) -> int:
    number: int = reader("sint64")(text)
    return number


def _to_unsigned(text: str) -> int:
    number: int = reader("uint64")(text)
    return number


def _to_real(text: str) -> float:
    number: float = reader("real64")(text)
    return number


def class_name(value: InstancePath | EmbeddedInstance) -> str:
    """The creation class of an instance or reference."""
    return value.class_name


FUNCTIONS = {
    "currentdatetime": Function((), Kind.DATETIME, lambda: datetime.now(UTC), pure=False),
    "datetime": Function((Kind.STRING,), Kind.DATETIME, parse_datetime),
    "microsecondtotimestamp": Function((Kind.NUMBER,), Kind.DATETIME, _to_timestamp),
    "microsecondtointerval": Function((Kind.NUMBER,), Kind.DATETIME, _to_interval),
    "datetimetomicrosecond": Function((Kind.DATETIME,), Kind.NUMBER, _to_microseconds),
    "stringtouint": Function((Kind.STRING,), Kind.NUMBER, _to_unsigned),
    "stringtosint": Function((Kind.STRING,), Kind.NUMBER, _to_signed),
    "stringtoreal": Function((Kind.STRING,), Kind.NUMBER, _to_real),
    "stringtonumeric": Function((Kind.STRING,), Kind.NUMBER, _to_numeric),
    "numerictostring": Function((Kind.NUMBER,), Kind.STRING, str),
    "uppercase": Function((Kind.STRING,), Kind.STRING, str.upper),
    "upper": Function((Kind.STRING,), Kind.STRING, str.upper),
    "objectpath": Function((Kind.STRING,), Kind.REFERENCE, parse_path),
}
"""By lower-case name.  `ClassName`, which takes an instance or none, is the compiler's own."""

REFUSED_FUNCTIONS = frozenset(
    {
        "count",
        "min",
        "max",
        "sum",
        "mean",
        "median",
        "createarray",
        "hostport",
        "modelpath",
        "namespacename",
        "instancetoreference",
        "referencetostring",
    }
)
"""Functions of DSP0202 that are not here: aggregation, and what needs more than the values of one instance."""
