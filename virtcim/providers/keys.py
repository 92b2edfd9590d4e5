"""The key checks that all providers share (names in any case, values compared without case, as libvirt-cim does)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtcim.providers.interface import CIMError, Instance, Status

__all__ = ["check_keys", "main_key"]


def main_key(keys: Mapping[str, Any], name: str, missing: str) -> str:
    """The value of the key by which a provider finds an instance.

    Parameters:
        keys: as the client sent them.
        name: of the key property.
        missing: text of the error when it was not sent.

    Raises:
        CIMError: FAILED with that text; INVALID_PARAMETER when it is no string.
    """
    wanted = name.lower()
    for given, value in keys.items():
        if given.lower() == wanted and value is not None:
            if not isinstance(value, str):
                raise CIMError(Status.INVALID_PARAMETER, f"Key {name} is not a string")
            return value
    raise CIMError(Status.FAILED, missing)


def check_keys(instance: Instance, class_name: str, keys: Mapping[str, Any]) -> None:
    """Compare the class and the keys of a request with those of the instance that its main key found.

    Raises:
        CIMError: NOT_FOUND, naming the first key that is missing or different, in the order of the class;
            INVALID_PARAMETER for a key that the class does not have.
    """
    if class_name.lower() != instance.class_name.lower():
        raise _no_such_instance("CreationClassName")
    given = {name.lower(): value for name, value in keys.items()}
    for name, value in instance.keys().items():
        if not _equal(value, given.pop(name.lower(), None)):
            raise _no_such_instance(name)
    if given:
        raise CIMError(Status.INVALID_PARAMETER, f"{instance.class_name} has no key {next(iter(given))}")


def _equal(own: Any, given: Any) -> bool:
    if isinstance(own, str) and isinstance(given, str):
        return own == given or own.casefold() == given.casefold()
    return type(own) is type(given) and bool(own == given)


def _no_such_instance(key: str) -> CIMError:
    return CIMError(Status.NOT_FOUND, f"No such instance ({key})")
