"""Properties in layers: what many instances have alike is computed once for all of them.

Most properties of a device say what its part of the domain XML says, and guests have many such parts alike.  A property
for whose value nothing else was looked at has that value for all resources with the same part.  One for which nothing
that the part holds was looked at either has its value for all parts that hold the same fields: most are NULL so.

What is looked at is taken down while a value is computed, so that no property has to say it.  Likewise with what the
type of the instances says they have alike beside the XML, as the state that guests are in.

Layer rule: imports `libhelper`, `interface` and `deviceids`; knows no classes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, NoReturn, TypeVar, cast

from virtcim.libhelper.xml.mapping import Mapped
from virtcim.providers.deviceids import DeviceEntry
from virtcim.providers.interface import CIMValue, LayeredProperties, SharedProperties

__all__ = ["Known", "Layers"]

Handle = TypeVar("Handle")

MAX_LAYOUTS = 256
"""Layouts of parts, or states, for each of which is kept what all instances with it have alike; guests differ in some
dozens."""


class _MoreNeededError(Exception):
    """A value depends on more than is known."""


class Known:
    """Stands for a handle of which some attributes are known, and says so when another one is asked for."""

    def __init__(self, **known: object) -> None:
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> NoReturn:
        raise _MoreNeededError(name)


class _Layer(Generic[Handle]):
    """What some instances have alike.

    Attributes:
        layout: of their parts, where that is all that they have alike; it stays as long as this.
    """

    __slots__ = ("_getters", "_shared", "layout")

    def __init__(
        self,
        shared: SharedProperties,
        getters: Sequence[tuple[str, Callable[[Handle], CIMValue]]],
        layout: Mapping[str, int] | None = None,
    ) -> None:
        self._shared = shared
        self._getters = getters
        self.layout = layout

    def values_of(self, handle: Handle) -> LayeredProperties:
        """All properties of one of the instances that are not NULL."""
        own: dict[str, CIMValue] = {}
        for name, get in self._getters:
            value = get(handle)
            if value is not None:
                own[name] = value
        return LayeredProperties(self._shared, own)


class Layers(Generic[Handle]):
    """The properties of a table, by what their values are made of.

    Parameters:
        getters: of the properties, by name.
        part: the attribute of the handles with the part of the XML that they show.
    """

    def __init__(self, getters: Sequence[tuple[str, Callable[[Handle], CIMValue]]], part: str = "") -> None:
        self._getters = getters
        self._part = part
        self._unshared = _Layer(SharedProperties({}), getters)
        self._by_layout: dict[tuple[type, int], _Layer[Handle]] = {}
        self._by_state: dict[Hashable, _Layer[Handle]] = {}

    def __len__(self) -> int:
        """Count the layouts that are kept."""
        return len(self._by_layout)

    def of_part(self, handle: Handle, part: Mapped) -> LayeredProperties:
        """All properties that are not NULL, of an instance with this part."""
        layout = part.layout
        key = type(part), id(layout)
        layer = self._by_layout.get(key)
        if layer is None or layer.layout is not layout:
            if layer is None and len(self._by_layout) >= MAX_LAYOUTS:
                return self._unshared.values_of(handle)
            layer = self._by_layout[key] = self._of_layout(part)
        return layer.values_of(handle)

    def of_resource(self, handle: Handle, entry: DeviceEntry) -> LayeredProperties:
        """All properties that are not NULL, of an instance that shows this resource."""
        kept = entry.kept
        if kept is None:
            return self.of_part(handle, entry.device)
        layer = cast("_Layer[Handle] | None", kept.get(self))
        if layer is None:
            known = cast(Handle, Known(entry=entry, **{self._part: entry.device}))
            layer = self._layer(lambda get: get(known))
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
            layer = self._by_state[state] = self._layer(lambda get: get(anyone))
        return layer.values_of(handle)

    def _of_layout(self, part: Mapped) -> _Layer[Handle]:
        """What instances have alike whose parts hold the same fields."""

        def compute(get: Callable[[Handle], CIMValue]) -> CIMValue:
            noted, layout = part.noted()
            value = get(cast(Handle, Known(**{self._part: noted})))
            if layout.is_used:
                raise _MoreNeededError
            return value

        return self._layer(compute, part.layout)

    def _layer(
        self,
        compute: Callable[[Callable[[Handle], CIMValue]], CIMValue],
        layout: Mapping[str, int] | None = None,
    ) -> _Layer[Handle]:
        """Tell the values that can be computed so from those that cannot."""
        values: dict[str, CIMValue] = {}
        getters = []
        for name, get in self._getters:
            try:
                value = compute(get)
            except Exception:  # more than this is needed, or something is wrong, which is told with its instance
                getters.append((name, get))
            else:
                if value is not None:
                    values[name] = value
        return _Layer(SharedProperties(values), tuple(getters), layout)
