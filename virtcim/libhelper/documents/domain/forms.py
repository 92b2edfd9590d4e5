"""Devices that guests have alike but for some values, as the file of a disk and the address of an interface.

The text of such a device without the values of its attributes is its form: many guests have it.  Which of these values
are read to a field each, and to nothing else, is the same for all devices of the form.  So of two devices that have all
other values alike, the second one is the first one with other values of such fields, and its text is not parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from virtcim.libhelper.documents.domain.alike import AlikeParts
from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.xml.mapping import plain_fields
from virtcim.libhelper.xml.text import MappingError, parse_xml

__all__ = ["DeviceForms"]

MAX_FORMS = 256
"""Forms that are kept; the guests of a host have a dozen."""
MAX_PATTERNS = 32
"""Devices of a form that are kept, each of a KiB, and for all that have the values alike that are read to more than a
field, such as an address."""

_QUOTE, _HOLE = "'", "''"
_DOUBLE_QUOTE = '"'

_Place = tuple[int, int, Callable[[str], Any]]
"""Where a value stands among those of the text, and among those of the device; and what reads it."""


class _Form:
    """The text of devices without the values of their attributes.

    Parameters:
        text: with an empty value of each attribute.
        device_class: gives the class of a device, of the name of its element.

    Raises:
        MappingError: it is not the text of one element, or has something else in quotes than values.
    """

    def __init__(self, text: str, device_class: Callable[[str], type[Device]]) -> None:
        element = parse_xml(text)
        self._class = device_class(str(element.tag))
        fields = list(plain_fields(element, self._class.reader()))
        # With as many values as pieces in quotes, and no other quotes, each of the pieces is a value.
        if len(fields) != text.count(_HOLE) or _DOUBLE_QUOTE in text:
            raise MappingError(f"<{element.tag}> has something in quotes that is no value")
        self._fields = [(place, *field) for place, field in enumerate(fields) if field is not None]
        self._others = [place for place, field in enumerate(fields) if field is None]
        self._patterns: dict[tuple[str, ...], tuple[Device, Sequence[_Place]]] = {}

    def read(self, text: str, values: Sequence[str]) -> Device | None:
        """Read a device of this form; None where the text has to be parsed.

        Parameters:
            text: of the device.
            values: of its attributes, which have nothing in them that is written otherwise than it is meant.
        """
        others = tuple([values[place] for place in self._others])
        known = self._patterns.get(others)
        if known is None:
            return self._first(text, others)
        pattern, places = known
        made: list[Any] = pattern.pick(list)
        for place, own, read in places:
            made[own] = read(values[place])
        return None if None in made else pattern.with_values(tuple(made))

    def _first(self, text: str, others: tuple[str, ...]) -> Device | None:
        """Parse a device, and have those with the same values in certain places made of it from now on."""
        pattern = self._class.from_element(parse_xml(text))
        layout = pattern.layout
        if all(name in layout for _, name, _ in self._fields) and len(self._patterns) < MAX_PATTERNS:
            places = [(place, layout[name], read) for place, name, read in self._fields]
            self._patterns.setdefault(others, (pattern, places))
        return pattern


class DeviceForms:
    """Reads devices by their forms: those forms that more than one guest has.  Safe to use from any thread.

    Parameters:
        device_class: gives the class of a device, of the name of its element.
    """

    def __init__(self, device_class: Callable[[str], type[Device]]) -> None:
        self._forms = AlikeParts(lambda text: _Form(text, device_class), MAX_FORMS)

    def get(self, text: str, owner: int) -> Device | None:
        """Give what the text of a device is read to; None where it has to be parsed where it stands.

        Parameters:
            owner: stands for the guest that has it.
        """
        pieces = text.split(_QUOTE)
        values = pieces[1::2]
        together = "".join(values)
        if len(pieces) % 2 == 0 or "&" in together or "<" in together or not together.isprintable():
            return None
        form = self._forms.get(_HOLE.join(pieces[::2]), owner)
        try:
            return None if form is None else form.read(text, values)
        except MappingError:
            return None
