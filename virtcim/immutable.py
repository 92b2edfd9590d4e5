"""Classes of a few values that do not change: dataclasses whose declaration takes a sixth of the time.

`dataclass(frozen=True, slots=True)` writes six methods of each class as text and has each compiled, which for the three
hundred such classes of this project was a third of what a start takes.  Here only `__init__` is compiled, for the first
object, of which nine in ten classes have none when a server has started; the other methods are made of functions that
all classes have in common.  An object is made in less than half the time, since its slots are set by their own
functions.

Lies below everything, and imports nothing of this project.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

__all__ = ["immutable"]

Declared = TypeVar("Declared")


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def immutable(cls: type[Declared], /) -> type[Declared]: ...


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def immutable(*, eq: bool = True, kw_only: bool = False) -> Callable[[type[Declared]], type[Declared]]: ...


def immutable(
    cls: type[Declared] | None = None, /, *, eq: bool = True, kw_only: bool = False
) -> type[Declared] | Callable[[type[Declared]], type[Declared]]:
    """Make a class with slots, whose objects do not change, of its annotations; a decorator.

    It is a dataclass: `field`, `fields`, `replace`, `asdict` and `__post_init__` are as with
    `dataclass(frozen=True, slots=True)`.  Classes that derive from it are declared by this decorator too.

    Parameters:
        cls: the class as declared.
        eq: whether objects are equal when their values are; otherwise each is equal to itself only.
        kw_only: whether all values are given by name.

    Returns:
        the class that takes its place.

    """
    if cls is not None:
        return _immutable(cls, eq, kw_only)
    return lambda declared: _immutable(declared, eq, kw_only)


def _immutable(declared: type[Declared], eq: bool, kw_only: bool) -> type[Declared]:
    if declared.__doc__ is None:
        # `dataclass` would make one of the signature, which takes longer than all the rest.
        declared.__doc__ = declared.__name__
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(declared)
    methods: dict[str, Callable[..., object]] = {
        "__init__": _first_initializer(made),
        "__repr__": _representation,
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
        "__getstate__": _values,
        "__setstate__": _set_values,
    }
    if eq:
        methods |= _comparison([each.name for each in fields(made) if each.compare])
    own = set(vars(made))
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    result: type[Declared] = made
    return result


def _first_initializer(made: Any) -> Callable[..., None]:
    """Make an `__init__` that compiles another one to take its place."""

    def initialize_first(self: object, *values: object, **by_name: object) -> None:
        made.__init__ = initializer = _initializer(made)
        initializer(self, *values, **by_name)

    return initialize_first


def _initializer(made: Any) -> Callable[..., None]:
    """Compile the `__init__` of a class with slots.

    Raises:
        TypeError: a value without a default follows one with a default.
    """
    names: dict[str, object] = {"__name__": made.__module__, "MISSING": MISSING}
    parameters: dict[bool, list[str]] = {False: [], True: []}
    lines = []
    for each in fields(made):
        name = value = each.name
        given = name
        names[f"set_{name}"] = getattr(made, name).__set__
        if each.default is not MISSING:
            names[f"default_{name}"] = each.default
            given = f"{name}=default_{name}"
            value = name if each.init else f"default_{name}"
        elif each.default_factory is not MISSING:
            names[f"make_{name}"] = each.default_factory
            given = f"{name}=MISSING"
            value = f"make_{name}() if {name} is MISSING else {name}" if each.init else f"make_{name}()"
        elif not each.init:
            continue
        if each.init:
            parameters[bool(each.kw_only)].append(given)
        lines.append(f"set_{name}(self, {value})")
    if hasattr(made, "__post_init__"):
        lines.append("self.__post_init__()")
    by_name = ["*", *parameters[True]] if parameters[True] else []
    head = ", ".join(["self", *parameters[False], *by_name])
    try:
        exec(f"def __init__({head}):\n " + "\n ".join(lines or ["pass"]), names)
    except SyntaxError as error:
        raise TypeError(f"{made.__qualname__}: {error.msg}") from None
    initializer: Any = names["__init__"]
    initializer.__qualname__ = f"{made.__qualname__}.__init__"
    result: Callable[..., None] = initializer
    return result


def _comparison(names: Sequence[str]) -> dict[str, Callable[..., object]]:
    """Make `__eq__` and `__hash__`, which look at the values with these names."""
    values: Callable[[object], object]
    if names:
        values = attrgetter(*names)
    else:

        def values(_: object) -> object:
            return ()

    def equals(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hash_value(self: object) -> int:
        return hash(values(self))

    return {"__eq__": equals, "__hash__": hash_value}


@recursive_repr()
def _representation(self: Any) -> str:
    shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{self.__class__.__qualname__}({shown})"


def _refuse_to_set(self: object, name: str, _: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _values(self: Any) -> list[object]:
    """Give what `copy` and `pickle` make another object of."""
    return [getattr(self, each.name) for each in fields(self)]


def _set_values(self: Any, values: Sequence[object]) -> None:
    for each, value in zip(fields(self), values, strict=True):
        object.__setattr__(self, each.name, value)
