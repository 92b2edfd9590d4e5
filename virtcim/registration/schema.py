"""What registration and the bridge ask of the class store; `schema.classes` offers it, `virtcim` hands it over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

__all__ = [
    "ClassLike",
    "ElementLike",
    "FlavoredLike",
    "MethodLike",
    "PropertyLike",
    "QualifierLike",
    "QualifierTypeLike",
    "SchemaLike",
]


class FlavoredLike(Protocol):
    """What qualifier values and qualifier types have in common."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def overridable(self) -> bool: ...
    @property
    def tosubclass(self) -> bool: ...
    @property
    def translatable(self) -> bool: ...


class QualifierLike(FlavoredLike, Protocol):
    """A qualifier value."""

    @property
    def propagated(self) -> bool: ...


class QualifierTypeLike(FlavoredLike, Protocol):
    """A qualifier type."""

    @property
    def is_array(self) -> bool: ...
    @property
    def array_size(self) -> int | None: ...
    @property
    def scopes(self) -> frozenset[str]: ...


class ElementLike(Protocol):
    """A property or a parameter."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def is_array(self) -> bool: ...
    @property
    def array_size(self) -> int | None: ...
    @property
    def reference_class(self) -> str | None: ...
    @property
    def embedded_object(self) -> str | None: ...
    @property
    def embedded_class(self) -> str | None: ...
    @property
    def qualifiers(self) -> Mapping[str, QualifierLike]: ...


class PropertyLike(ElementLike, Protocol):
    """A property."""

    @property
    def default(self) -> Any: ...
    @property
    def is_key(self) -> bool: ...


class MethodLike(Protocol):
    """A method.  `parameters` is keyed by lower-case name."""

    @property
    def name(self) -> str: ...
    @property
    def return_type(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, ElementLike]: ...
    @property
    def qualifiers(self) -> Mapping[str, QualifierLike]: ...


class ClassLike(Protocol):
    """A class with all that it inherits, keyed by lower-case name, and the names of what it declares itself."""

    @property
    def name(self) -> str: ...
    @property
    def superclass(self) -> str | None: ...
    @property
    def keys(self) -> tuple[str, ...]: ...
    @property
    def qualifiers(self) -> Mapping[str, QualifierLike]: ...
    @property
    def properties(self) -> Mapping[str, PropertyLike]: ...
    @property
    def methods(self) -> Mapping[str, MethodLike]: ...
    @property
    def local_properties(self) -> tuple[str, ...]: ...
    @property
    def local_methods(self) -> tuple[str, ...]: ...
    @property
    def is_association(self) -> bool: ...
    @property
    def is_indication(self) -> bool: ...


class SchemaLike(Protocol):
    """All classes.  Names in any case."""

    @property
    def qualifier_declarations(self) -> Mapping[str, QualifierTypeLike]: ...
    def __getitem__(self, name: str) -> ClassLike: ...
    def __contains__(self, name: str) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
