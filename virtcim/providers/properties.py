"""Properties, declared: which value a class shows under which name, and where it comes from.

A `PropertyTable` is what a provider knows of one class.  It computes the values of an instance, it writes the values
that a client gives, and it is the table that documentation is made from.  Tables are typed by the handle that their
getters take: a misspelt path is found by mypy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from virtcim.immutable import immutable
from virtcim.providers.drafts import Writer
from virtcim.providers.interface import CIMValue
from virtcim.providers.layers import Layers

__all__ = ["MappedField", "Property", "PropertyTable", "attribute", "constant", "paths_of"]

Handle = TypeVar("Handle", contravariant=True)
AnyHandle = TypeVar("AnyHandle")


class _Mapped(Protocol):
    """A class of libhelper's XML mapping, as far as documentation needs it."""

    @classmethod
    def field_path(cls, name: str, /) -> str: ...


class MappedField(Protocol):
    """A field of a class of libhelper's XML mapping, as the class has it (`DomainConfig.os_type_arch`)."""

    @property
    def name(self) -> str: ...


@immutable
class Property(Generic[Handle]):
    """One property of a class.

    Attributes:
        name: as the class declares it.
        get: from the handle of an instance to the value, None for NULL.  It looks at nothing but the handle: the value
            is shared by instances for which what it looked at is the same (`layers`), and nobody changes it.
        source: where the value comes from, for people: `domain XML devices/disk/target/@dev`.
        write: takes the value that a client gives; None for what a client cannot change.
    """

    name: str
    get: Callable[[Handle], CIMValue]
    source: str
    write: Writer | None = None

    @property
    def writable(self) -> bool:
        """Whether a client can change it."""
        return self.write is not None


def paths_of(*fields: tuple[type[_Mapped], Iterable[MappedField]]) -> str:
    """The source text of what comes from fields of several classes of the mapping."""
    return "domain XML " + ", ".join(cls.field_path(field.name) for cls, found in fields for field in found)


def constant(name: str, value: CIMValue, source: str = "") -> Property[object]:
    """Declare a property that has the same value in every instance."""
    return Property(name, lambda _handle: value, source or f"always {value!r}")


def attribute(
    name: str,
    get: Callable[[AnyHandle], CIMValue],
    mapped: type[_Mapped] | None = None,
    source: str = "",
    *,
    writable: bool = False,
    write: Writer | None = None,
) -> Property[AnyHandle]:
    """Declare a property whose value is an attribute of the handle.

    Parameters:
        name: of the property.
        get: names the attribute: `lambda port: port.device.mtu_size`.  It is called once, to learn the path; values
            are then read by `operator.attrgetter`, which is as quick as can be.
        mapped: the class of the XML mapping that the last part of the path belongs to; gives the source text.
        source: where the value comes from, when no mapped class tells it.
        writable: whether a client can change it; what is written is the field that is read.
        write: how a client's value is written, where it is not simply the field that is read.

    Raises:
        TypeError: `get` is more than a path.
        KeyError: `mapped` has no such field.
    """
    path = _path_of(name, get)
    field = path.rpartition(".")[2]
    if mapped is not None and not source:
        source = f"domain XML {mapped.field_path(field)}"
    return Property(name, attrgetter(path), source, write or (_field_writer(field) if writable else None))


class _Trace:
    """Stands for a handle, and takes down which attributes are asked for."""

    __slots__ = ("_path",)

    def __init__(self, path: tuple[str, ...] = ()) -> None:
        self._path = path

    def __getattr__(self, name: str) -> _Trace:
        return _Trace((*self._path, name))

    def __bool__(self) -> NoReturn:
        raise TypeError("the value of an attribute is not known while its path is taken down")


def _path_of(name: str, get: Callable[[Any], object]) -> str:
    """The dotted path of the attribute that a function returns."""
    found = get(_Trace())
    if not isinstance(found, _Trace) or not found._path:
        raise TypeError(f"{name}: the getter returns {found!r}; expected an attribute of its argument")
    return ".".join(found._path)


def _field_writer(field: str) -> Writer:
    """Write a field; the empty text removes it."""
    return lambda draft, value: draft.put(field, None if value == "" else value)


class PropertyTable(Mapping[str, Property[Handle]]):
    """The properties of one class, in order, keyed by name.

    Parameters:
        groups: properties, and tables to take over; a later one replaces an earlier one of the same name.
    """

    __slots__ = ("_getters", "_layers", "_properties")

    _properties: dict[str, Property[Handle]]

    def __init__(self, *groups: Property[Handle] | PropertyTable[Handle] | Iterable[Property[Handle]]) -> None:
        properties: dict[str, Property[Handle]] = {}
        for group in groups:
            if isinstance(group, Property):
                properties[group.name] = group
            elif isinstance(group, PropertyTable):
                properties.update(group._properties)
            else:
                properties.update({declared.name: declared for declared in group})
        self._properties = properties
        self._getters = tuple((declared.name, declared.get) for declared in properties.values())
        self._layers: Layers[Handle] | None = None

    def __getitem__(self, name: str) -> Property[Handle]:
        return self._properties[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._properties)

    def __len__(self) -> int:
        return len(self._properties)

    def only(self, names: Iterable[str]) -> PropertyTable[Handle]:
        """The table without the properties that are not in `names`."""
        wanted = frozenset(names)
        return PropertyTable(declared for name, declared in self._properties.items() if name in wanted)

    def layers(self, part: str = "") -> Layers[Handle]:
        """The same properties, by how many instances have them alike.

        Parameters:
            part: the attribute of the handles with the part of the XML that they show; "" for what shows none alone.
        """
        if self._layers is None:
            self._layers = Layers(self._getters, part)
        return self._layers

    def some_of(self, handle: Handle, names: Iterable[str]) -> dict[str, CIMValue]:
        """Some properties of one instance, NULL or not."""
        found: dict[str, CIMValue] = {}
        for name in names:
            found[name] = self._properties[name].get(handle)
        return found

    def values_of(self, handle: Handle) -> dict[str, CIMValue]:
        """All properties of one instance that are not NULL."""
        found: dict[str, CIMValue] = {}
        for name, get in self._getters:
            value = get(handle)
            if value is not None:
                found[name] = value
        return found
