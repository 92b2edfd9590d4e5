"""The key checks that all providers share (names in any case, values compared without case, as libvirt-cim does)."""

from __future__ import annotations

import logging

from virtcim.providers.interface import (
    CIMError,
    CIMValue,
    Instance,
    Keys,
    Status,
)

__all__ = ["check_keys", "instance_id", "main_key", "strip_values"]

log = logging.getLogger(__name__)

_NAMES_LIMIT = 80
"""Characters of names that a client made up, in a log line."""


def main_key(keys: Keys, name: str, missing: str, status: Status = Status.FAILED) -> str:
    """The value of the key by which a provider finds an instance.

    Parameters:
        keys: as the client sent them.
        name: of the key property.
        missing: text of the error when it was not sent.
        status: of that error.

    Raises:
        CIMError: it was not sent; INVALID_PARAMETER when it is not a string.
    """
    wanted = name.lower()
    for given, value in keys.items():
        if given.lower() == wanted and value is not None:
            if not isinstance(value, str):
                raise CIMError(Status.INVALID_PARAMETER, f"Key {name} is not a string")
            return value
    raise CIMError(status, missing)


def instance_id(class_name: str, keys: Keys) -> str:
    """Get the InstanceID, by which a provider of the server itself finds an instance.

    Raises:
        CIMError: INVALID_PARAMETER where there is none.
    """
    return main_key(keys, "InstanceID", f"{class_name} needs the key InstanceID", Status.INVALID_PARAMETER)


def check_keys(instance: Instance, class_name: str, keys: Keys) -> None:
    """Compare the class and the keys of a request with those of the instance that its main key found.

    A key that the class does not have is ignored: clients of libvirt-cim send some.

    Raises:
        CIMError: NOT_FOUND, naming the first key that is missing or different, in the order of the class.
    """
    if class_name.lower() != instance.class_name.lower():
        raise _no_such_instance("CreationClassName")
    given = {name.lower(): value for name, value in keys.items()}
    for name, value in instance.keys().items():
        if not _equal(value, given.pop(name.lower(), None)):
            raise _no_such_instance(name)
    if given:
        log.debug("%s has no key %r: it is ignored", instance.class_name, ", ".join(given)[:_NAMES_LIMIT])


def strip_values(keys: Keys) -> dict[str, CIMValue]:
    """Take the blanks and line ends away that stand around the texts of a path."""
    return {name: value.strip() if isinstance(value, str) else value for name, value in keys.items()}


def _equal(own: object, given: object) -> bool:
    if isinstance(own, str) and isinstance(given, str):
        return own == given or own.casefold() == given.casefold()
    return type(own) is type(given) and bool(own == given)


def _no_such_instance(key: str) -> CIMError:
    return CIMError(Status.NOT_FOUND, f"No such instance ({key})")
