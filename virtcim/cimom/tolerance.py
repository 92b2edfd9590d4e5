"""Which faults of clients are tolerated in embedded instances.

A property that the class does not have is an error: left out, a misspelt name would define something else than what
was asked for.  libvirt-cim took no notice of such properties, and the scripts that came with it send some.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import lru_cache

from virtcim.providers.interface import CIMError, Status
from virtcim.schema.classes import ClassDeclaration, ClassStore, PropertyDeclaration

__all__ = ["GENERAL", "MISTAKEN", "TOLERATED", "declared_below", "is_left_out", "refuse_unknown_properties"]

log = logging.getLogger(__name__)

TOLERATED: dict[str, frozenset[str]] = {
    "CIM_SettingData": frozenset({"creationclassname"}),
    "CIM_VirtualSystemSettingData": frozenset({"isfullvirt", "bootdevice"}),
    "CIM_ResourceAllocationSettingData": frozenset({"source"}),
}
"""Properties, in lower case, that instances of a class and its subclasses may hold without having them.

They are what the test suite of libvirt-cim (`vsms.py`, `vsmigrations.py`) writes into its settings: CreationClassName
into those of guests and of migrations, isFullVirt into those of every guest, though only its Xen class has it,
BootDevice from the time before BootDevices, and source beside Address into those of a CD drive.
"""

MISTAKEN = {"CIM_SettingData": "CIM_VirtualSystemSnapshotServiceCapabilities"}
"""Classes of which instances are left out where others are wanted.

libvirt-cim took no notice of SnapshotSettings, and its test suite sends the capabilities of the snapshot service there.
"""

GENERAL = ("CIM_ResourceAllocationSettingData",)
"""Classes whose instances may hold what only subclasses have.

ResourceType says what a resource is: a client may send a graphics adapter as a KVM_ResourceAllocationSettingData.
"""

_QUOTED = 80
"""Characters of a name that a client made up, in a text."""


def declared_below(classes: ClassStore, declaration: ClassDeclaration, name: str) -> PropertyDeclaration | None:
    """Find a property that a class does not have in its subclasses, where such instances are understood.

    Parameters:
        classes: the class store.
        declaration: the class.
        name: of the property, in any case.

    Returns:
        the declaration of the first subclass that has it; None where none has, or the class is of no such kind.
    """
    if not any(classes.is_a(declaration.name, each) for each in GENERAL):
        return None
    found = (classes[each].properties.get(name.lower()) for each in classes.subclasses(declaration.name, deep=True))
    return next((each for each in found if each is not None), None)


def refuse_unknown_properties(
    declaration: ClassDeclaration, names: Iterable[str], is_a: Callable[[str, str], bool]
) -> None:
    """Refuse an embedded instance that holds properties which its class does not have.

    Parameters:
        declaration: the class.
        names: the properties that it does not have, as sent.
        is_a: tells whether a class is another or a subclass of it.

    Raises:
        CIMError: INVALID_PARAMETER, naming the first one that is not tolerated.
    """
    for name in names:
        if not any(name.lower() in some and is_a(declaration.name, ancestor) for ancestor, some in TOLERATED.items()):
            raise CIMError(Status.INVALID_PARAMETER, f"{declaration.name} has no property {name[:_QUOTED]}")
        _note(declaration.name, name)


def is_left_out(class_name: str, wanted: str, is_a: Callable[[str, str], bool]) -> bool:
    """Tell whether an embedded instance counts as not given.

    Parameters:
        class_name: its class.
        wanted: the class of which one is wanted.
        is_a: tells whether a class is another or a subclass of it.
    """
    mistaken = MISTAKEN.get(wanted)
    if mistaken is None or not is_a(class_name, mistaken):
        return False
    _note_left_out(class_name, wanted)
    return True


@lru_cache(maxsize=256)
def _note(class_name: str, name: str) -> None:
    """Log a property that is left out: once for each, as whoever sends it does so again and again."""
    log.info("%s has no property %s: it is left out of embedded instances", class_name, name)


@lru_cache(maxsize=256)
def _note_left_out(class_name: str, wanted: str) -> None:
    """Log an instance that is left out, likewise."""
    log.info("%s is not a %s: it is left out", class_name, wanted)
