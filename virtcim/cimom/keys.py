"""The keys in the path of an instance, by the class of the path (DSP0004 2.8, section 8.2.5)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TypeVar

from virtcim.providers.interface import CIMError, Status
from virtcim.schema.classes import ClassDeclaration

__all__ = ["own_keys", "require_keys"]

log = logging.getLogger(__name__)

Value = TypeVar("Value")

NAME_LIMIT = 80
"""Characters of a name that a client made up, in a log line."""


def own_keys(declaration: ClassDeclaration, given: Mapping[str, Value]) -> dict[str, Value]:
    """Take the keys of a path that its class has.

    Clients of libvirt-cim send further ones, CreationClassName in particular, which it took no notice of.

    Parameters:
        declaration: the class.
        given: the keys, names in any case.

    Returns:
        those that the class declares, spelt and ordered as there; one that was not given is left out.
    """
    by_name = {name.lower(): value for name, value in given.items()}
    keys = {name: by_name.pop(name.lower()) for name in declaration.keys if name.lower() in by_name}
    for name in by_name:
        log.debug("%s has no key %r: it is ignored", declaration.name, name[:NAME_LIMIT])
    return keys


def require_keys(declaration: ClassDeclaration, keys: Mapping[str, object]) -> None:
    """Refuse an incomplete path.

    Parameters:
        declaration: the class.
        keys: as `own_keys` gives them.

    Raises:
        CIMError: INVALID_PARAMETER, naming the first key that is missing.
    """
    for name in declaration.keys:
        if keys.get(name) is None:
            raise CIMError(
                Status.INVALID_PARAMETER,
                f"{declaration.name}: key {name} is missing; expected {', '.join(declaration.keys)}",
            )
