"""The declarative core: one line per property, read and written from the same declaration.

A class that derives from `Mapped` declares its properties as `Field` objects, each with the path of its value
relative to the element that the class stands for:

    class Watchdog(Device):
        tag = "watchdog"
        model = Text("@model")
        action = Text("@action")

A path consists of element names, `/`, and at the end perhaps `@attribute`; a step may select by one attribute
(`source[@mode='bind']/@host`); `.` is the element itself.  Where an element that is declared once occurs more often,
the first counts.  The order of the declarations is the order in which missing elements are inserted.

Objects are read-only and hold only what the document has: the values stand in a tuple, and which field is at which
place (the layout) is shared between all objects with the same set of fields.  Reading walks the document once and
costs in proportion to the document, not to the number of declarations.

Layer rule: imports `text` of this project and nothing else; knows nothing of libvirt's schema.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, Sequence
from typing import Any, ClassVar, Generic, NoReturn, Self, TypeVar, overload

from lxml import etree

from virtcim.immutable import immutable
from virtcim.libhelper.xml.text import ValueRejectedError, check_text, parse_xml, scale, text_of

__all__ = [
    "Attributes",
    "Chain",
    "Children",
    "ElementName",
    "Field",
    "FieldInfo",
    "Flag",
    "FrozenDict",
    "Int",
    "Ints",
    "Items",
    "Mapped",
    "Node",
    "NotedLayout",
    "OnOff",
    "Own",
    "Present",
    "Replacement",
    "Secret",
    "Size",
    "Step",
    "Text",
    "Texts",
    "YesNo",
    "attribute_name",
    "plain_fields",
]

log = logging.getLogger(__name__)

T = TypeVar("T")
M = TypeVar("M", bound="Mapped")

# Layouts and attribute sets are shared between objects.  Both tables stop growing here, so that odd documents cannot
# fill the memory; what comes later simply is not shared.
SHARED_LAYOUTS = 4096
SHARED_ATTRIBUTE_SETS = 8192

_LONGEST_LOGGED = 80
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_NUMBER = re.compile(r"[ \t\r\n]*([+-]?[0-9]{1,20})[ \t\r\n]*", re.ASCII)
_STEP = re.compile(r"([^\[\]@/]+)(?:\[@([^=\]]+)='([^']*)'\])?")
# Attributes that `Attributes` leaves out wherever they occur: what a device of tomorrow may call a password.
_SECRET = re.compile(r"pass(?:w|phrase)", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class FrozenDict(dict[str, str]):
    """A dictionary that does not change, so that it can be shared."""

    __slots__ = ("_hash",)

    _hash: int

    def _refuse(self, *_args: Any, **_options: Any) -> NoReturn:
        raise TypeError("this mapping does not change")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        try:
            return self._hash
        except AttributeError:
            self._hash = hash(frozenset(self.items()))
            return self._hash

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, str]]]:
        return FrozenDict, (dict(self),)


EMPTY = FrozenDict()


@immutable
class Step:
    """One element of a path: its name and, perhaps, an attribute with the value that selects it."""

    tag: str
    attribute: str | None = None
    value: str = ""

    def matches(self, element: etree._Element) -> bool:
        """True when `element` is one that this step means."""
        return element.tag == self.tag and (self.attribute is None or element.get(self.attribute) == self.value)


@immutable
class FieldInfo:
    """What documentation says of one field.

    Parameters:
        name: the attribute of the Python object.
        path: the full path in the document, such as `devices/disk/target/@dev`.
        type: the type of the value in words: "str", "int", "bool", "KiB", "bytes", "tuple[str]" ...
        readable: False for values that are never held (passwords).
        writable: True when `DomainDocument.set` takes it.
        many: True for the values of repeated elements.
    """

    name: str
    path: str
    type: str
    readable: bool
    writable: bool
    many: bool


@immutable
class Replacement:
    """When an object stands for another thing than before, and what goes with the old thing.

    Declared in `Mapped.replacements`.  What goes is taken out before the new values are written, so that a value that
    is written together with them stands; what this package does not know goes as well, where it stands in an element
    that goes.  The fields that say which thing it is are themselves left to who writes them.

    Parameters:
        fields: the names of the fields that say which thing it is: another value in one of them, and it is another.
        takes: the paths of the elements and attributes that describe the old thing and nothing else.  An element goes
            with all that is in it; one of which a part stays is emptied of everything else.
        keeps: the paths of the parts that stay beside those of `fields`: attributes of elements among `takes`, or
            their children.
        among: the values of the fields that matter: nothing goes unless the old or the new value of one is among them.
            None in it stands for a value that is taken away; in place of it, for all values.
    """

    fields: tuple[str, ...]
    takes: tuple[str, ...]
    keeps: tuple[str, ...] = ()
    among: frozenset[str | None] | None = None


def attribute_name(path: str) -> str:
    """The Python name that the naming rule makes of a path: `target/@dev` is `target_dev`, `dumpCore` `dump_core`."""
    plain = re.sub(r"\[@[^=]+='([^']*)'\]", r"_\1", path).replace("/@", "/").lstrip("@")
    return _CAMEL.sub("_", re.sub(r"[/.:-]", "_", plain)).lower()


def split_path(path: str) -> tuple[tuple[Step, ...], str | None]:
    """The steps of a path and the attribute at its end, if it ends in one."""
    elements, at, attribute = path, "", None
    head, at, tail = path.rpartition("/@")
    if at:
        elements, attribute = head, tail
    elif path.startswith("@"):
        elements, attribute = ".", path[1:]
    if elements == ".":
        return (), attribute
    steps = []
    for part in elements.split("/"):
        found = _STEP.fullmatch(part)
        if found is None:
            raise ValueError(f"not a path: {path!r}")
        steps.append(Step(found[1], found[2], found[3] or ""))
    return tuple(steps), attribute


class Node:
    """What is to be read at one element: compiled from the declarations of a class."""

    __slots__ = ("attributes", "children", "collectors", "plain", "values", "variants")

    def __init__(self) -> None:
        self.attributes: dict[Any, tuple[str, Callable[[Any], Any], Field[Any]]] = {}
        self.values: list[tuple[str, Callable[[etree._Element], Any]]] = []
        self.children: dict[Any, Node] = {}
        self.variants: list[tuple[Step, Node]] = []
        self.collectors: list[tuple[str, Callable[[etree._Element], Any]]] = []
        self.plain = False

    def child(self, step: Step) -> Node:
        """The node of a step, made when it is not there yet."""
        node = self.children.setdefault(step.tag, Node())
        if step.attribute is None:
            node.plain = True
            return node
        for known, variant in node.variants:
            if known == step:
                return variant
        variant = Node()
        variant.plain = True
        node.variants.append((step, variant))
        return variant

    def rank(self, tag: object) -> int | None:
        """The place of a child element in the order of the declarations; None for one that is not declared."""
        for place, known in enumerate(self.children):
            if known == tag:
                return place
        return None


def read_into(element: etree._Element, node: Node, out: dict[str, Any]) -> None:
    """Read what `node` asks for at `element` and below it into `out`."""
    attributes = node.attributes
    if attributes:
        for key, text in element.items():
            slot = attributes.get(key)
            if slot is not None:
                value = slot[1](text)
                if value is None:
                    log_garbage(slot[2], text)
                else:
                    out[slot[0]] = value
    for name, read in node.values:
        value = read(element)
        if value is not None:
            out[name] = value
    children = node.children
    if not children:
        return
    seen = set()
    for child in element:
        sub = children.get(child.tag)
        if sub is None:
            continue
        for name, read in sub.collectors:
            value = read(child)
            if value is not None:
                out.setdefault(name, []).append(value)
        if sub.plain and sub not in seen:
            seen.add(sub)
            read_into(child, sub, out)
        for step, variant in sub.variants:
            if variant not in seen and step.matches(child):
                seen.add(variant)
                for name, read in variant.collectors:
                    value = read(child)
                    if value is not None:
                        out.setdefault(name, []).append(value)
                read_into(child, variant, out)


def plain_fields(element: etree._Element, node: Node | None) -> Iterator[tuple[str, Callable[[Any], Any]] | None]:
    """Go through the attributes at and below an element, in the order of the document, by what `node` asks for.

    Returns:
        for each the field that is read from nothing else, with what reads it; None for one that is not read, or from
        which more is read than a field.
    """
    known = node if node is not None and not node.values else None
    for key in element.attrib:
        slot = None if known is None else known.attributes.get(key)
        yield None if slot is None else slot[:2]
    seen = set()
    for child in element:
        sub = None if known is None or child.tag in seen else known.children.get(child.tag)
        seen.add(child.tag)
        yield from plain_fields(child, None if sub is None or sub.collectors or sub.variants else sub)


def log_garbage(field: Field[Any], text: str | bytes) -> None:
    """Say in the debug log that a value could not be read and counts as absent."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug("%s: %.*r is not of type %s; taken as absent", field.path, _LONGEST_LOGGED, text, field.type_name)


def read_number(text: str) -> int | None:
    """A decimal number that fits into 64 bits, or None."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    number = int(found[1])
    return number if _SMALLEST <= number <= _LARGEST else None


def write_number(value: Any) -> str:
    """The text of an integer; `ValueRejectedError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueRejectedError(f"{value!r} is not an integer")
    if not _SMALLEST <= value <= _LARGEST:
        raise ValueRejectedError(f"{value!r} does not fit into 64 bits")
    return str(int(value))


def write_string(value: Any) -> str:
    """A string that XML can hold; `ValueRejectedError` for anything else."""
    if not isinstance(value, str):
        raise ValueRejectedError(f"{value!r} is not a string")
    return check_text(str(value))


class Field(Generic[T]):
    """One property of a mapped class: where it stands in the XML and how it becomes a Python value.

    Parameters:
        path: the path relative to the element of the class.
        writable: False for what libvirt reports and does not take.
        fallback: name of the field whose value is meant when this one is absent.
    """

    type_name: ClassVar[str] = "str"
    default: ClassVar[Any] = None
    readable: ClassVar[bool] = True
    many: ClassVar[bool] = False

    def __init__(self, path: str, *, writable: bool = True, fallback: str | None = None) -> None:
        self.path = path
        self.steps, self.attribute = split_path(path)
        self.writable = writable
        self.fallback = fallback
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = sys.intern(name)

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Mapped, owner: type) -> T: ...
    def __get__(self, instance: Mapped | None, owner: type) -> Self | T:
        if instance is None:
            return self
        place = instance._layout.get(self.name)
        if place is not None:
            return instance._values[place]  # type: ignore[no-any-return]
        if self.fallback is not None:
            return getattr(instance, self.fallback)  # type: ignore[no-any-return]
        return self.default  # type: ignore[no-any-return]

    def __set__(self, instance: Mapped, value: T) -> NoReturn:
        raise AttributeError(f"{type(instance).__name__}.{self.name} is read-only")

    def describe(self) -> str:
        """The type of the value in words, for documentation."""
        return self.type_name

    def read(self, text: str) -> Any:
        """The Python value of a text; None when it is garbage."""
        return sys.intern(text)

    def write(self, value: Any) -> str:
        """The text of a Python value that is not None.

        Raises:
            ValueRejectedError: the value is of the wrong type or cannot stand in XML.
        """
        return write_string(value)

    def read_element(self, element: etree._Element) -> Any:
        """The value of an element whose text is the value."""
        text = text_of(element)
        if text is None:
            return None
        value = self.read(text)
        if value is None:
            log_garbage(self, text)
        return value

    def compile_into(self, root: Node) -> None:
        """Take this field into the tree of nodes that reads its class."""
        node = root
        for step in self.steps:
            node = node.child(step)
        if self.attribute is not None:
            read = sys.intern if type(self) is Text else self.read
            node.attributes[self.attribute] = (self.name, read, self)
        else:
            node.values.append((self.name, self.read_element))

    def encode(self, value: Any) -> Any:
        """A value made ready for writing, with everything checked; None removes.

        Raises:
            ValueRejectedError: see `write`.
        """
        return None if value is None else self.write(value)


class Text(Field[str | None]):
    """A string: an attribute, or the text of an element (an empty element reads as None)."""


class Own(Text):
    """A string that hardly two objects have in common: a name, an identifier, a path.

    It is not shared: the interpreter's table of shared strings grows with all that ever passed through it.
    """

    def read(self, text: str) -> str:
        return text


class Int(Field[int | None]):
    """A decimal integer of at most 64 bits."""

    type_name = "int"

    def read(self, text: str) -> int | None:
        return read_number(text)

    def write(self, value: Any) -> str:
        return write_number(value)


class _Words(Field[bool | None]):
    """A boolean written as one of two words."""

    type_name = "bool"
    words: ClassVar[dict[str, bool]] = {}

    def read(self, text: str) -> bool | None:
        return self.words.get(text)

    def write(self, value: Any) -> str:
        if not isinstance(value, bool):
            raise ValueRejectedError(f"{value!r} is not a boolean")
        return next(word for word, meaning in self.words.items() if meaning is value)


class YesNo(_Words):
    """A boolean written `yes` or `no`."""

    words: ClassVar[dict[str, bool]] = {"yes": True, "no": False}


class OnOff(_Words):
    """A boolean written `on` or `off`."""

    words: ClassVar[dict[str, bool]] = {"on": True, "off": False}


class Flag(Field[bool]):
    """True when the element is there.  Writing False or None removes the element with all that it holds."""

    type_name = "bool"
    default = False

    def read_element(self, element: etree._Element) -> bool:
        return True

    def encode(self, value: Any) -> Any:
        if value is not None and not isinstance(value, bool):
            raise ValueRejectedError(f"{value!r} is not a boolean")
        return value or None


class Present(Flag):
    """True when an attribute is given, whatever its value, which is never looked at.  Not writable."""

    def __init__(self, path: str) -> None:
        super().__init__(path, writable=False)

    def read(self, text: str) -> bool:
        return True


class Secret(Field[str | None]):
    """A value that is written and never read: it is not held by any object."""

    readable = False

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Mapped, owner: type) -> str | None: ...
    def __get__(self, instance: Mapped | None, owner: type) -> Self | str | None:
        if instance is None:
            return self
        raise AttributeError(f"{type(instance).__name__}.{self.name} is never held")

    def compile_into(self, root: Node) -> None:
        for step in self.steps:
            root = root.child(step)


class Size(Field[int | None]):
    """An amount of memory: a number with a unit in a neighbouring attribute.

    Parameters:
        path: the element or attribute with the number.
        unit: the unit of the Python value, "KiB" or "bytes".
        absent: the unit that libvirt assumes when none is given.
        unit_attribute: the attribute with the unit.
    """

    def __init__(
        self,
        path: str,
        *,
        unit: str = "KiB",
        absent: str = "KiB",
        unit_attribute: str = "unit",
        writable: bool = True,
        fallback: str | None = None,
    ) -> None:
        super().__init__(path, writable=writable, fallback=fallback)
        self.unit = unit
        self.absent = absent
        self.unit_attribute = unit_attribute
        self._divisor = 1024 if unit == "KiB" else 1

    def describe(self) -> str:
        return self.unit

    def read_element(self, element: etree._Element) -> int | None:
        text = text_of(element) if self.attribute is None else element.get(self.attribute)
        if text is None:
            return None
        number = read_number(text)
        size = None if number is None else scale(number, element.get(self.unit_attribute, self.absent))
        if size is None:
            log_garbage(self, text)
            return None
        return -(-size // self._divisor)

    def write(self, value: Any) -> str:
        return write_number(value)

    def compile_into(self, root: Node) -> None:
        node = root
        for step in self.steps:
            node = node.child(step)
        node.values.append((self.name, self.read_element))


class _Many(Field[tuple[T, ...]]):
    """The values of an element that may occur more than once: a tuple, empty when there is none."""

    default = ()
    many = True

    def collect(self, element: etree._Element) -> Any:
        """The value of one of the elements; None when it has none."""
        if self.attribute is None:
            return self.read_element(element)
        text = element.get(self.attribute)
        if text is None:
            return None
        value = self.read(text)
        if value is None:
            log_garbage(self, text)
        return value

    def compile_into(self, root: Node) -> None:
        node = root
        for step in self.steps[:-1]:
            node = node.child(step)
        last = self.steps[-1]
        if last.attribute is None:
            node.children.setdefault(last.tag, Node()).collectors.append((self.name, self.collect))
        else:
            node.child(last).collectors.append((self.name, self.collect))

    def describe(self) -> str:
        return f"tuple[{self.type_name}]"

    def encode(self, value: Any) -> Any:
        if value is None:
            return []
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise ValueRejectedError(f"{value!r} is not a list")
        return [self.encode_item(item) for item in value]

    def encode_item(self, item: Any) -> Any:
        """One value made ready for writing."""
        return self.write(item)


class Texts(_Many[str]):
    """Strings of repeated elements: their text, or one of their attributes."""


class Ints(_Many[int]):
    """Integers of repeated elements: their text, or one of their attributes."""

    type_name = "int"

    def read(self, text: str) -> int | None:
        return read_number(text)

    def write(self, value: Any) -> str:
        return write_number(value)


class Items(_Many[M]):
    """Repeated elements, each an object of a mapped class.

    Written as a sequence of such objects or of mappings from field name to value; each stands for a whole element, in
    the order given.
    """

    def __init__(self, path: str, record: type[M], *, writable: bool = True) -> None:
        super().__init__(path, writable=writable)
        self.record = record

    def describe(self) -> str:
        return f"tuple[{self.record.__name__}]"

    def collect(self, element: etree._Element) -> M:
        return self.record.from_element(element)

    def encode_item(self, item: Any) -> dict[Field[Any], Any]:
        given = item.writable_values() if isinstance(item, self.record) else item
        if not isinstance(given, Mapping):
            raise ValueRejectedError(f"{item!r} is neither a {self.record.__name__} nor a mapping")
        encoded = self.record.encode_fields({name: value for name, value in given.items() if value is not None})
        for field in self.record.declared().values():
            if field.writable:
                encoded.setdefault(field, field.encode(None))
        return encoded


class Chain(Items[M]):
    """Elements nested in each other (a disk's backing chain), outermost first.  Not writable."""

    def __init__(self, path: str, record: type[M]) -> None:
        super().__init__(path, record, writable=False)

    def _nested(self, element: etree._Element) -> tuple[M, ...]:
        found = []
        current: etree._Element | None = element
        while current is not None:
            if len(current) or len(current.attrib):
                found.append(self.record.from_element(current))
            current = current.find(self.steps[-1].tag)
        return tuple(found)

    def compile_into(self, root: Node) -> None:
        node = root
        for step in self.steps:
            node = node.child(step)
        node.values.append((self.name, self._nested))


class Children(_Many[M]):
    """All child elements whatever their names, each an object of one class.  Not writable."""

    def __init__(self, record: type[M]) -> None:
        super().__init__(".", writable=False)
        self.record = record

    def describe(self) -> str:
        return f"tuple[{self.record.__name__}]"

    def _children(self, element: etree._Element) -> tuple[M, ...]:
        return tuple(self.record.from_element(child) for child in element if isinstance(child.tag, str))

    def compile_into(self, root: Node) -> None:
        root.values.append((self.name, self._children))


_attribute_sets: dict[tuple[tuple[str, str], ...], FrozenDict] = {}


class Attributes(Field[Mapping[str, str]]):
    """All attributes of an element, as a mapping that does not change; empty when the element is absent.

    Written as a mapping, which replaces all attributes; None removes the element.
    """

    type_name = "dict[str, str]"
    default = EMPTY

    def read_element(self, element: etree._Element) -> FrozenDict:
        key: tuple[Any, ...] = tuple(element.items())
        known = _attribute_sets.get(key)
        if known is None:
            known = FrozenDict({sys.intern(name): sys.intern(value) for name, value in key if not _SECRET.search(name)})
            if len(_attribute_sets) < SHARED_ATTRIBUTE_SETS:
                _attribute_sets[key] = known
        return known

    def encode(self, value: Any) -> dict[str, str] | None:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise ValueRejectedError(f"{value!r} is not a mapping")
        for name in value:
            try:
                etree.QName(name)
            except (ValueError, TypeError, AttributeError):
                raise ValueRejectedError(f"{name!r} cannot name an attribute") from None
        return {str(name): write_string(text) for name, text in value.items()}


class ElementName(Field[str]):
    """The name of the element itself.  Not writable."""

    def __init__(self) -> None:
        super().__init__(".", writable=False)

    def read_element(self, element: etree._Element) -> str:
        return sys.intern(str(element.tag))


class NotedLayout(dict[str, int]):
    """A layout that takes down which values were looked for and found.

    Attributes:
        used: the names of their fields.
    """

    def __init__(self, layout: Mapping[str, int]) -> None:
        super().__init__(layout)
        self.used: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        place = super().get(name, default)
        if place is not None:
            self.used.add(name)
        return place

    def items(self) -> Any:
        self.used.update(self)
        return super().items()


_layouts: dict[tuple[str, ...], dict[str, int]] = {}


def _layout_of(names: tuple[str, ...]) -> dict[str, int]:
    layout = _layouts.get(names)
    if layout is None:
        layout = {name: place for place, name in enumerate(names)}
        if len(_layouts) < SHARED_LAYOUTS:
            _layouts[names] = layout
    return layout


class _MappedType(type):
    """Gives every mapped class empty slots, the table of its fields, and a place for its compiled reader."""

    _declared: dict[str, Field[Any]]
    _node: Node | None
    _lists: tuple[str, ...]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _MappedType:
        namespace.setdefault("__slots__", ())
        cls = super().__new__(mcs, name, bases, namespace)
        declared: dict[str, Field[Any]] = {}
        for ancestor in cls.__mro__:
            for attribute, value in vars(ancestor).items():
                if isinstance(value, Field):
                    declared.setdefault(attribute, value)
        cls._declared = declared
        cls._node = None
        cls._lists = tuple(field.name for field in declared.values() if field.many)
        return cls


class Mapped(metaclass=_MappedType):
    """Base of the mapped classes: read-only objects whose attributes are the declared fields.

    Two objects are equal when they are of the same class and hold the same values.
    """

    __slots__ = ("_layout", "_values")

    #: Name of the element that the class stands for.
    tag: ClassVar[Any] = ""
    #: Path from the root of the document to that element; empty for the root itself.
    location: ClassVar[str] = ""
    #: What goes with the old thing when the object comes to stand for another one.
    replacements: ClassVar[tuple[Replacement, ...]] = ()
    #: Paths of elements that libvirt does not take when nothing is in them: they go when a change empties them.
    never_empty: ClassVar[tuple[str, ...]] = ()

    _declared: ClassVar[dict[str, Field[Any]]]
    _layout: dict[str, int]
    _values: tuple[Any, ...]

    def __new__(cls, **values: Any) -> Self:
        unknown = values.keys() - cls._declared.keys()
        if unknown:
            raise TypeError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
        return cls._of({name: value for name, value in values.items() if value is not None})

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Self:
        made = object.__new__(cls)
        _set_layout(made, _layout_of(tuple(values)))
        _set_values(made, tuple(values.values()))
        return made

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} objects do not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} objects do not change")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapped) or type(self) is not type(other):
            return NotImplemented
        if self._layout is other._layout:
            return self._values == other._values
        return self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((type(self), frozenset(self.as_dict().items())))

    def __repr__(self) -> str:
        held = ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"{type(self).__name__}({held})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.as_dict())

    @property
    def layout(self) -> Mapping[str, int]:
        """Which fields the document holds, in its order: one object for all that hold the same, up to a bound."""
        return self._layout

    def noted(self) -> tuple[Self, NotedLayout]:
        """The same object once more, with what takes down which values that the document holds are read from it."""
        made, layout = object.__new__(type(self)), NotedLayout(self._layout)
        _set_layout(made, layout)
        _set_values(made, self._values)
        return made, layout

    def pick(self, choose: Callable[[tuple[Any, ...]], T]) -> T:
        """What is chosen of the values that the document holds, each of which stands in its place of the layout."""
        return choose(self._values)

    def with_values(self, values: tuple[Any, ...]) -> Self:
        """An object that holds the same fields with other values, each of which stands in its place of the layout."""
        made = object.__new__(type(self))
        _set_layout(made, self._layout)
        _set_values(made, values)
        return made

    def as_dict(self) -> dict[str, Any]:
        """The fields that the document holds, by name."""
        return {name: self._values[place] for name, place in self._layout.items()}

    def held_fields(self) -> KeysView[str]:
        """The names of the fields that the document holds, in the order of the document."""
        return self._layout.keys()

    def writable_values(self) -> dict[str, Any]:
        """The fields that the document holds and that can be written, by name."""
        return {name: value for name, value in self.as_dict().items() if self._declared[name].writable}

    def replace(self, **changes: Any) -> Self:
        """The same object with other values of some fields; None takes a field out."""
        return type(self)(**{**self.as_dict(), **changes})

    @classmethod
    def reader(cls) -> Node:
        """The compiled form of the declarations."""
        node = cls._node
        if node is None:
            node = Node()
            for field in cls._declared.values():
                field.compile_into(node)
            cls._node = node
        return node

    @classmethod
    def from_element(cls, element: etree._Element) -> Self:
        """Read an object from its element; no reference to the element is kept."""
        node = cls._node or cls.reader()
        out: dict[str, Any] = {}
        read_into(element, node, out)
        for name in cls._lists:
            if name in out:
                out[name] = tuple(out[name])
        made = object.__new__(cls)
        names = tuple(out)
        _set_layout(made, _layouts.get(names) or _layout_of(names))
        _set_values(made, tuple(out.values()))
        return made

    @classmethod
    def parse(cls, xml: str | bytes) -> Self:
        """Read an object from XML text.

        Values that cannot be read count as absent, unknown elements and attributes are passed over.  A document with
        another root element gives an object without values.

        Raises:
            NotWellFormedError: the text is not XML, exceeds the parser's limits or has a DOCTYPE.
        """
        root = parse_xml(xml)
        if root.tag != cls.tag:
            log.debug("expected a document <%s>, got <%s>", cls.tag, root.tag)
            return cls._of({})
        return cls.from_element(root)

    @classmethod
    def declared(cls) -> Mapping[str, Field[Any]]:
        """The declarations by name, in order."""
        return cls._declared

    @classmethod
    def fields(cls) -> Sequence[FieldInfo]:
        """What is declared, for documentation and tests."""
        return [
            FieldInfo(name, cls.field_path(name), field.describe(), field.readable, field.writable, field.many)
            for name, field in cls._declared.items()
        ]

    @classmethod
    def field_path(cls, name: str) -> str:
        """The path of a field from the root of the document, such as `devices/disk/target/@dev`.

        Raises:
            KeyError: no such field.
        """
        path = cls._declared[name].path
        if path == ".":
            return cls.location or "."
        return f"{cls.location}/{path}" if cls.location else path

    @classmethod
    def encode_fields(cls, values: Mapping[str, Any]) -> dict[Field[Any], Any]:
        """Check values by field name and make them ready for writing.

        Raises:
            ValueRejectedError: an unknown or read-only field, or a value that cannot be written.
        """
        encoded: dict[Field[Any], Any] = {}
        for name, value in values.items():
            field = cls._declared.get(name)
            if field is None or not field.writable:
                reason = "no field" if field is None else "a read-only field"
                raise ValueRejectedError(f"{cls.__name__} has {reason} {name!r}")
            try:
                encoded[field] = field.encode(value)
            except ValueRejectedError as error:
                shown = "" if not field.readable else f": {error}"
                raise ValueRejectedError(f"{cls.__name__}.{name} ({field.path}) cannot be set{shown}") from None
        return encoded


_set_layout: Callable[[Mapped, dict[str, int]], None] = Mapped.__dict__["_layout"].__set__
_set_values: Callable[[Mapped, tuple[Any, ...]], None] = Mapped.__dict__["_values"].__set__


def _restore(cls: type[M], values: dict[str, Any]) -> M:
    return cls._of(values)
