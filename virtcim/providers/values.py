"""Reading the values that a client sends: parameters and properties, as what they have to be."""

from __future__ import annotations

from collections.abc import Sequence

from virtcim.providers.interface import CIMError, CIMValue, InstancePath, Status

__all__ = ["flag_of", "number_of", "paths_of", "text_of", "texts_of"]


def text_of(value: CIMValue, name: str) -> str | None:
    """Read a string.

    Parameters:
        value: that was given; None where there is none.
        name: of the parameter or property, for the error.

    Returns:
        the string; None for NULL.

    Raises:
        CIMError: INVALID_PARAMETER when it is something else.
    """
    if value is None or isinstance(value, str):
        return value
    raise _unlike(value, name, "a string")


def number_of(value: CIMValue, name: str) -> int | None:
    """Read an integer.

    Parameters:
        value: that was given; None where there is none.
        name: of the parameter or property, for the error.

    Returns:
        the integer; None for NULL.

    Raises:
        CIMError: INVALID_PARAMETER when it is something else, a boolean among it.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise _unlike(value, name, "an integer")


def flag_of(value: CIMValue, name: str) -> bool:
    """Read a boolean.

    Parameters:
        value: that was given; None where there is none.
        name: of the parameter or property, for the error.

    Returns:
        the boolean; False for NULL.

    Raises:
        CIMError: INVALID_PARAMETER when it is something else.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    raise CIMError(Status.INVALID_PARAMETER, f"{name}: is {type(value).__name__}; expected a boolean")


def texts_of(value: CIMValue, name: str) -> tuple[str, ...]:
    """Read an array of strings.

    Parameters:
        value: that was given; None where there is none.
        name: of the parameter or property, for the error.

    Returns:
        the strings, "" for those that are NULL; none for NULL.

    Raises:
        CIMError: INVALID_PARAMETER when it is something else.
    """
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise CIMError(Status.INVALID_PARAMETER, f"{name}: is {type(value).__name__}; expected an array of strings")
    return tuple(text_of(each, name) or "" for each in value)


def paths_of(value: CIMValue, name: str) -> Sequence[InstancePath]:
    """Read an array of references.

    Parameters:
        value: that was given; None where there is none.
        name: of the parameter or property, for the error.

    Returns:
        the references, without those that are NULL; none for NULL.

    Raises:
        CIMError: INVALID_PARAMETER when it is something else.
    """
    if value is None:
        return ()
    paths = []
    if not isinstance(value, list | tuple):
        raise _unlike(value, name, "an array of references")
    for each in value:
        if isinstance(each, InstancePath):
            paths.append(each)
        elif each is not None:
            raise _unlike(each, name, "an array of references")
    return paths


def _unlike(value: CIMValue, name: str, expected: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, f"`{name}': is {type(value).__name__}; expected {expected}")
