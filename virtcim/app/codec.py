"""Records as JSON text: dataclasses by their annotations; CIM values, whose type no annotation tells, with a tag."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from virtcim.cimom.recent import Recent
from virtcim.providers.interface import CIMValue, EmbeddedInstance, InstancePath

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["decode", "encode"]

Record = TypeVar("Record")


def encode(record: object) -> str:
    """Write a record.

    Parameters:
        record: a dataclass of what JSON knows, datetimes, intervals, enumerations, tuples, mappings by name and other
            such dataclasses.  What is annotated as `CIMValue` of `virtcim.providers.interface` is kept with its type.

    Returns:
        JSON; `decode` makes an equal record of it.
    """
    return json.dumps(_converter().unstructure(record), ensure_ascii=False)


def decode(text: str, kind: type[Record]) -> Record:
    """Read a record that `encode` wrote, be it of a version whose class had other fields: those that are unknown
    now are passed over, those that are new have their defaults.

    Parameters:
        text: JSON.
        kind: the dataclass.

    Raises:
        ValueError: it is no such record; the text says where.
    """
    try:
        return _converter().structure(json.loads(text), kind)
    except Exception as error:  # cattrs raises groups of whatever the parts raised
        raise ValueError(f"record of type {kind.__name__}: {_first(error)}") from error


def _first(error: BaseException) -> str:
    """Say in one line what is wrong, of an error that may be a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


_PLAIN = frozenset((str, bool, int, float, type(None)))
"""The types of CIM values that JSON knows."""


def tag(value: Any) -> Any:
    """Make of a CIM value what JSON knows; what it does not know becomes an object with one key, that names the
    type."""
    if type(value) in _PLAIN:
        return value  # as most are; to try all types in turn takes ten times as long
    match value:
        case InstancePath():
            return {"path": [value.class_name, tag(dict(value.keys)), value.namespace]}
        case EmbeddedInstance():
            return _INSTANCES(value)
        case datetime():
            return {"time": value.astimezone(UTC).isoformat()}
        case timedelta():
            return {"seconds": value.total_seconds()}
        case Mapping():
            return {"map": {name: tag(each) for name, each in value.items()}}
        case list() | tuple():
            return {"list": [tag(each) for each in value]}
        case int() if not isinstance(value, bool):
            return int(value)  # an enumeration's member too
        case _:
            return value


def _tagged_instance(value: EmbeddedInstance) -> dict[str, list[Any]]:
    return {"instance": [value.class_name, tag(dict(value.properties))]}


_INSTANCES: Recent[EmbeddedInstance, dict[str, list[Any]]] = Recent(_tagged_instance, 64)
"""Of an indication for many destinations each has the same instances in it."""


def untag(plain: Any) -> Any:
    """Make a CIM value of what `tag` gave.

    Raises:
        ValueError: there is a tag that is not known.
    """
    if not isinstance(plain, dict):
        return plain
    ((kind, held),) = plain.items()
    match kind:
        case "path":
            return InstancePath(held[0], untag(held[1]), held[2])
        case "instance":
            return EmbeddedInstance(held[0], untag(held[1]))
        case "time":
            return datetime.fromisoformat(held)
        case "seconds":
            return timedelta(seconds=held)
        case "map":
            return {name: untag(each) for name, each in held.items()}
        case "list":
            return tuple(untag(each) for each in held)
        case _:
            raise ValueError(f"no type of CIM values has the tag {kind!r}")


def _is_value(kind: object) -> bool:
    """Whether an annotation stands for CIM values; the keys of paths are annotated as Any."""
    return kind is Any or kind == CIMValue


@lru_cache(maxsize=1)
def _converter() -> Converter:
    # Here, since many a server has nothing to keep, and its library is loaded in twenty milliseconds.
    from cattrs import Converter

    converter = Converter()
    converter.register_unstructure_hook(datetime, lambda moment: moment.astimezone(UTC).isoformat())
    converter.register_structure_hook(datetime, lambda plain, _: datetime.fromisoformat(plain))
    converter.register_unstructure_hook(timedelta, timedelta.total_seconds)
    converter.register_structure_hook(timedelta, lambda plain, _: timedelta(seconds=plain))
    converter.register_unstructure_hook_func(_is_value, tag)
    converter.register_structure_hook_func(_is_value, lambda plain, _: untag(plain))
    return converter
