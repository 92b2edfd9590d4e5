"""The fields of a form for the settings of a guest: what a console or a command line asks people for.

A field names a property of a class and says how it is asked for; the property itself is read and written as ever.  The
fields that make sense on every platform stand here, and each platform adds its own.
"""

from __future__ import annotations

import enum

from virtcim.immutable import immutable

__all__ = [
    "ALL_MODES", "AT_REST", "GUEST", "HOST", "KIBIBYTES", "MEMORY", "PROCESSORS", "SYSTEM", "WHEN_MADE",
    "FieldType", "Mode", "SettingField",
]  # fmt: skip

SYSTEM = "VirtualSystemSettingData"
PROCESSORS = "ProcResourceAllocationSettingData"
MEMORY = "MemResourceAllocationSettingData"
HOST = "HostSystem"
GUEST = "ComputerSystem"

KIBIBYTES = "byte*2^10"
"""A programmatic unit (DSP0004 2.8, annex C)."""


class FieldType(enum.IntEnum):
    """What kind of value a field has."""

    TEXT = 2
    NUMBER = 3
    SWITCH = 4
    CHOICE = 5
    PATH = 6
    LIST = 7


class Mode(enum.IntEnum):
    """In which of the four forms a field can be edited."""

    DEFINITION = 2
    """The settings with which a guest that exists starts next."""
    RUNNING = 3
    """Those of a guest while it runs."""
    TEMPLATE = 4
    PROVISIONING = 5
    """Those of a guest that is being made."""


ALL_MODES = frozenset(Mode)
AT_REST = ALL_MODES - {Mode.RUNNING}
WHEN_MADE = frozenset({Mode.TEMPLATE, Mode.PROVISIONING})


@immutable
class SettingField:
    """A field.

    Attributes:
        name: of the property.
        label: for people.
        type: of the value.
        element: the class that has the property, without the prefix.
        category: the part of the form where it stands.
        unit: a programmatic unit (DSP0004, annex C); "" for none.
        choices: the values that can be chosen from; empty where any will do.
        least, most: bounds of a number; None where there is none, or the host decides.
        default: what it is unless it is said, as text; None where that depends on the guest.
        modes: in which it can be edited; none for a field that is only shown.
        description: for people, one sentence.
    """

    name: str
    label: str
    type: FieldType = FieldType.TEXT
    element: str = SYSTEM
    category: str = "General"
    unit: str = ""
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    default: str | None = None
    modes: frozenset[Mode] = AT_REST
    description: str = ""

    @property
    def key(self) -> str:
        """The property with its class, which tells the field from the others of a form."""
        return f"{self.element}.{self.name}"
