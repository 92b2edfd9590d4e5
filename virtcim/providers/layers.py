"""Properties in layers: what many instances have alike is computed once for all of them.

Most properties of a device say what its part of the domain XML says, and guests have many such parts alike.  A property
for whose value nothing else was looked at has that value for all resources with the same part, and for all whose parts
hold the same fields and have those values alike that were looked at: of a disk, all but its file, as a rule.  Where no
value was looked at the fields alone tell: most properties are NULL so.

What is looked at is taken down while a value is computed, so that no property has to say it.  Likewise with what the
type of the instances says they have alike beside the XML, as the state that guests are in.

Layer rule: imports `libhelper`, `interface` and `deviceids`; knows no classes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Generic, NoReturn, TypeVar, cast

from virtcim.libhelper.xml.mapping import Mapped
from virtcim.providers.deviceids import DeviceEntry
from virtcim.providers.interface import CIMValue, LayeredProperties, SharedProperties

__all__ = ["Known", "Layers"]

Handle = TypeVar("Handle")

MAX_LAYOUTS = 256
"""Layouts of parts, or states, for each of which is kept what all instances with it have alike; guests differ in some
dozens."""

MAX_SORTS = 16
"""Sorts of parts of one layout that are told from each other: as many as guests have kinds of a disk or a network
interface.  Where there are more, some field has another value in each part, as a MAC address, and tells no sort."""


class _MoreNeededError(Exception):
    """A value depends on more than is known."""


class Known:
    """Stands for a handle of which some attributes are known, and says so when another one is asked for."""

    def __init__(self, **known: object) -> None:
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> NoReturn:
        raise _MoreNeededError(name)


Getters = Sequence[tuple[str, Callable[[Handle], CIMValue]]]
"""The getters of properties, with their names."""


class _Layer(Generic[Handle]):
    """What some instances have alike."""

    __slots__ = ("_getters", "_shared")

    def __init__(self, shared: SharedProperties, getters: Getters[Handle]) -> None:
        self._shared = shared
        self._getters = getters

    def values_of(self, handle: Handle) -> LayeredProperties:
        """All properties of one of the instances that are not NULL."""
        own: dict[str, CIMValue] = {}
        for name, get in self._getters:
            value = get(handle)
            if value is not None:
                own[name] = value
        return LayeredProperties(self._shared, own)


class _Comparison(Generic[Handle]):
    """Tells sorts of parts that hold the same fields from each other, by the values of some of these fields.

    Parameters:
        layout: of the parts.
        fields: that are compared.

    Attributes:
        fields: likewise.
        values: gives their values, of all that a part holds.
        sorts: what instances have alike whose parts have the same values.
    """

    __slots__ = ("fields", "sorts", "values")

    values: Callable[[tuple[object, ...]], tuple[object, ...]]

    def __init__(self, layout: Mapping[str, int], fields: Iterable[str]) -> None:
        self.fields = tuple(fields)
        self.sorts: dict[tuple[object, ...], _Layer[Handle]] = {}
        places = [layout[field] for field in self.fields]
        if len(places) > 1:
            self.values = itemgetter(*places)
        else:
            self.values = lambda values: tuple([values[place] for place in places])

    def fewer(self) -> Iterator[str]:
        """The fields without the one that has the most different values."""
        different = [len(set(values)) for values in zip(*self.sorts, strict=True)]
        most = different.index(max(different))
        return (field for place, field in enumerate(self.fields) if place != most)


class _Layout(Generic[Handle]):
    """What instances have alike whose parts hold the same fields.

    Parameters:
        getters: of all properties.
        part: the first of the parts.
        name: the attribute of the handles with the part.

    Attributes:
        layout: of the parts; it stays as long as this.
    """

    __slots__ = ("_compared", "_getters", "_name", "layout")

    def __init__(self, getters: Getters[Handle], part: Mapped, name: str) -> None:
        self._getters = getters
        self._name = name
        self.layout = part.layout
        used: set[str] = set()
        for _, get in getters:
            # What looks at more than the part is each instance's own, however alike the parts are.
            with contextlib.suppress(Exception):
                used |= self._computed(get, part)[1]
        fields = (field for field in self.layout if field in used)
        self._compared: _Comparison[Handle] = _Comparison(self.layout, fields)

    def layer_of(self, part: Mapped) -> _Layer[Handle]:
        """Give what instances with parts of this sort have alike."""
        compared = self._compared
        values = part.pick(compared.values)
        layer = compared.sorts.get(values)
        if layer is None:
            if len(compared.sorts) >= MAX_SORTS:
                self._compared = _Comparison(self.layout, compared.fewer())
                return self.layer_of(part)
            layer = compared.sorts[values] = self._layer(part, compared.fields)
        return layer

    def _computed(self, get: Callable[[Handle], CIMValue], part: Mapped) -> tuple[CIMValue, set[str]]:
        """A value that is computed of a part alone, and the fields that were looked at."""
        noted, layout = part.noted()
        return get(cast(Handle, Known(**{self._name: noted}))), layout.used

    def _layer(self, part: Mapped, fields: Iterable[str]) -> _Layer[Handle]:
        """What instances have alike whose parts have the same values of some fields."""
        alike = frozenset(fields)

        def compute(get: Callable[[Handle], CIMValue]) -> CIMValue:
            value, used = self._computed(get, part)
            if not used <= alike:
                raise _MoreNeededError
            return value

        return _layer(self._getters, compute)


class Layers(Generic[Handle]):
    """The properties of a table, by what their values are made of.

    Parameters:
        getters: of the properties, by name.
        part: the attribute of the handles with the part of the XML that they show.
    """

    def __init__(self, getters: Getters[Handle], part: str = "") -> None:
        self._getters = getters
        self._part = part
        self._unshared = _Layer(SharedProperties({}), getters)
        self._by_layout: dict[tuple[type, int], _Layout[Handle]] = {}
        self._by_state: dict[Hashable, _Layer[Handle]] = {}

    def __len__(self) -> int:
        """Count the layouts that are kept."""
        return len(self._by_layout)

    def of_part(self, handle: Handle, part: Mapped) -> LayeredProperties:
        """All properties that are not NULL, of an instance with this part."""
        layout = part.layout
        key = type(part), id(layout)
        known = self._by_layout.get(key)
        if known is None or known.layout is not layout:
            if known is None and len(self._by_layout) >= MAX_LAYOUTS:
                return self._unshared.values_of(handle)
            known = self._by_layout[key] = _Layout(self._getters, part, self._part)
        return known.layer_of(part).values_of(handle)

    def of_resource(self, handle: Handle, entry: DeviceEntry) -> LayeredProperties:
        """All properties that are not NULL, of an instance that shows this resource."""
        kept = entry.kept
        if kept is None:
            return self.of_part(handle, entry.device)
        layer = cast("_Layer[Handle] | None", kept.get(self))
        if layer is None:
            known = cast(Handle, Known(entry=entry, **{self._part: entry.device}))
            layer = _layer(self._getters, lambda get: get(known))
            kept[self] = layer
        return layer.values_of(handle)

    def of_state(self, handle: Handle, state: Hashable, known: Callable[[], Known]) -> LayeredProperties:
        """All properties that are not NULL, of an instance in a state that others are in, too.

        Parameters:
            state: all that they have alike.
            known: gives what stands for any of them.
        """
        layer = self._by_state.get(state)
        if layer is None:
            if len(self._by_state) >= MAX_LAYOUTS:
                return self._unshared.values_of(handle)
            anyone = cast(Handle, known())
            layer = self._by_state[state] = _layer(self._getters, lambda get: get(anyone))
        return layer.values_of(handle)


def _layer(getters: Getters[Handle], compute: Callable[[Callable[[Handle], CIMValue]], CIMValue]) -> _Layer[Handle]:
    """Tell the values that can be computed so from those that cannot."""
    values: dict[str, CIMValue] = {}
    others = []
    for name, get in getters:
        try:
            value = compute(get)
        except Exception:  # more than this is needed, or something is wrong, which is told with its instance
            others.append((name, get))
        else:
            if value is not None:
                values[name] = value
    return _Layer(SharedProperties(values), tuple(others))
