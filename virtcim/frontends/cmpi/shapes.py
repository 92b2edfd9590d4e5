"""From instances to the frames that hold them: one shape per class and property list, and cached bytes per instance."""

from __future__ import annotations

import math
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import cbor2

from virtcim.frontends.cmpi.codec import ShapeFlag, type_code
from virtcim.immutable import immutable
from virtcim.providers.interface import EmbeddedInstance, Instance, InstancePath, LayeredProperties
from virtcim.schema.classes import ClassStore, ParameterDeclaration, PropertyDeclaration
from virtcim.schema.values import INTEGER_RANGES, format_datetime

__all__ = ["EncodedCache", "Shape", "Shaper"]

Convert = Callable[[Any], Any]

CACHE_BYTES = 32 * 1024 * 1024
"""Of encoded instances, all classes together: some 40,000 guests' worth of one class."""

ENTRY_OVERHEAD = 400
"""Bytes that an entry of the cache takes beside the encoded instance, measured."""

REPLACEMENT = "\ufffd"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _string(value: Any) -> str:
    """Text as the CIM server can write it: what XML 1.0 does not allow (NUL, surrogates) becomes U+FFFD."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a string")
    return value if value.isprintable() else _NOT_XML.sub(REPLACEMENT, value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not a boolean")
    return value


def _char16(value: Any) -> int:
    if not isinstance(value, str) or len(value) != 1 or ord(value) > 0xFFFF:
        raise ValueError(f"{value!r} is not a UCS-2 character")
    return ord(value)


def _integer(cim_type: str) -> Convert:
    low, high = INTEGER_RANGES[cim_type]

    def convert(value: Any) -> int:
        if type(value) is not int:
            if not isinstance(value, int) or isinstance(value, bool):
                raise ValueError(f"{value!r} is not of type {cim_type}")
            value = int(value)
        if not low <= value <= high:
            raise ValueError(f"{value!r} is not of type {cim_type}")
        return int(value)

    return convert


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a real")
    return float(value)


_SCALARS: dict[str, Convert] = {
    "string": _string,
    "boolean": _boolean,
    "char16": _char16,
    "real32": _real,
    "real64": _real,
    "datetime": format_datetime,
    **{cim_type: _integer(cim_type) for cim_type in INTEGER_RANGES},
}


@immutable(eq=False)
class Shape:
    """How the instances of one class are sent: which properties, keys first, and how each is converted.

    Attributes:
        declaration: the body of the SHAPE frame behind its number.
        lines: name and conversion of each property.
        key_count: how many of them are keys.
        cached: whether encoded instances may be kept.
    """

    class_name: str
    declaration: bytes
    lines: tuple[tuple[str, Convert], ...]
    key_count: int
    cached: bool

    def values(self, properties: Mapping[str, Any]) -> bytes:
        """An object as the array of its values.

        Raises:
            ValueError: a value does not fit its type, or a key is missing.
        """
        values: list[Any] = []
        known = properties.together if isinstance(properties, LayeredProperties) else properties
        for name, convert in self.lines:
            value = known.get(name)
            if value is not None:
                try:
                    value = convert(value)
                except ValueError as exc:
                    raise ValueError(f"{self.class_name}.{name}: {exc}") from None
            elif len(values) < self.key_count:
                raise ValueError(f"{self.class_name} without key {name}")
            values.append(value)
        return cbor2.dumps(values)


class Shaper:
    """Makes shapes, and keeps those without a property list.

    Parameters:
        classes: the class store.
    """

    def __init__(self, classes: ClassStore) -> None:
        self._classes = classes
        self._shapes: dict[tuple[str, str, bool], Shape] = {}

    def shape(
        self, namespace: str, class_name: str, *, keys_only: bool, properties: frozenset[str] | None = None
    ) -> Shape:
        """Give the shape of the instances of a class that live in a namespace.

        Parameters:
            properties: of a property list, in lower case; keys are always there.

        Raises:
            KeyError: the class is unknown.
        """
        key = (namespace, class_name, keys_only)
        shape = self._shapes.get(key) if properties is None else None
        if shape is None:
            shape = self._make(namespace, class_name, keys_only, properties)
            if properties is None:
                self._shapes[key] = shape
        return shape

    def _make(self, namespace: str, class_name: str, keys_only: bool, properties: frozenset[str] | None) -> Shape:
        declaration = self._classes[class_name]
        keys = [declaration.properties[name.lower()] for name in declaration.keys]
        others = [
            each
            for lowered, each in declaration.properties.items()
            if each.name not in declaration.keys and not keys_only and (properties is None or lowered in properties)
        ]
        listed = []
        for each in (*keys, *others):
            flags = ShapeFlag.KEY if each.name in declaration.keys else ShapeFlag(0)
            if each.default is not None:
                flags |= ShapeFlag.HAS_DEFAULT
            listed.append([each.name, type_code(each.type, each.is_array, bool(each.embedded_object)), int(flags)])
        parts = (namespace, declaration.name, declaration.superclass, listed)
        head = b"".join(map(cbor2.dumps, parts))
        lines = tuple((each.name, self.converter(each, namespace)) for each in (*keys, *others))
        cached = properties is None and not keys_only and not declaration.is_association
        return Shape(declaration.name, head, lines, len(keys), cached)

    def converter(self, declared: PropertyDeclaration | ParameterDeclaration, namespace: str) -> Convert:
        """Give the function from a Python value to the wire for a property or parameter.

        Parameters:
            namespace: that of references without one.
        """
        if declared.embedded_object:
            convert = self._embedded(namespace)
        elif declared.type == "reference":
            convert = self._reference(namespace)
        else:
            convert = _SCALARS[declared.type]
        if not declared.is_array:
            return convert

        strings = declared.type == "string" and not declared.embedded_object

        def convert_array(values: Any) -> list[Any]:
            if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
                raise ValueError(f"{values!r} is not an array")
            # The embedded server's rule: parallel arrays of strings stay parallel, with "" for NULL.
            return ["" if each is None and strings else convert(each) for each in values]

        return convert_array

    @staticmethod
    def scalar(cim_type: str) -> Convert:
        """The function from a Python value of a plain type to the wire."""
        return _SCALARS[cim_type]

    def _reference(self, namespace: str) -> Convert:
        def convert(value: Any) -> list[Any]:
            if not isinstance(value, InstancePath):
                raise ValueError(f"{value!r} is not an instance path")
            declaration = self._classes[value.class_name]
            keys = []
            for name in declaration.keys:
                declared = declaration.properties[name.lower()]
                key = self.converter(declared, namespace)(value.keys[name])
                keys.append([name, type_code(declared.type, declared.is_array, False), key])
            return [value.namespace or namespace, declaration.name, keys]

        return convert

    def _embedded(self, namespace: str) -> Convert:
        def convert(value: Any) -> list[Any]:
            if not isinstance(value, EmbeddedInstance):
                raise ValueError(f"{value!r} is not an embedded instance")
            return [value.class_name, self.named(value, namespace)]

        return convert

    def named(self, value: EmbeddedInstance, namespace: str) -> list[list[Any]]:
        """The properties of an embedded instance as [name, type, value]; those that are NULL are left out.

        Raises:
            ValueError: when one does not fit its type, or is not declared.
            KeyError: for an unknown class.
        """
        declaration = self._classes[value.class_name]
        listed = []
        for name, each in value.properties.items():
            declared = declaration.properties.get(name.lower())
            if declared is None:
                raise ValueError(f"{declaration.name} has no property {name}")
            if each is not None:
                code = type_code(declared.type, declared.is_array, bool(declared.embedded_object))
                listed.append([declared.name, code, self.converter(declared, namespace)(each)])
        return listed


class EncodedCache:
    """Encoded instances, the least recently used dropped first.  Safe to use from several threads at once.

    Parameters:
        limit: bytes that it may hold.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._size = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[Shape, Any], tuple[Any, bytes]] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return self._size

    def encoded(self, shape: Shape, instance: Instance) -> bytes:
        """The encoded instance, made anew when its revision is another."""
        if not shape.cached:
            return shape.values(instance.properties())
        key = (shape, instance.identity)
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
        revision = instance.revision
        if entry is not None and entry[0] == revision:
            return entry[1]
        body = shape.values(instance.properties())
        with self._lock:
            before = self._entries.pop(key, None)
            if before is not None:
                self._size -= len(before[1]) + ENTRY_OVERHEAD
            self._entries[key] = revision, body
            self._size += len(body) + ENTRY_OVERHEAD
            while self._size > self._limit:
                _, (_, dropped) = self._entries.popitem(last=False)
                self._size -= len(dropped) + ENTRY_OVERHEAD
        return body
