"""Instances, names and classes as CIM-XML (DSP0201 2.4, DSP0203 2.4).

Written for the pickiest client: `<X></X>` and never `<X/>`, no CDATA, no comments, no VALUE.NULL; a NULL property is
an element without a value.

An instance is written by a `Table`: one line per property, with all text that does not depend on the instance
made beforehand.
"""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from virtcim.frontends.cimxml.values import attribute, escape, writer
from virtcim.immutable import immutable
from virtcim.providers.interface import (
    EmbeddedInstance,
    InstancePath,
    LayeredProperties,
    RevisedInstance,
    SharedProperties,
)
from virtcim.schema.classes import (
    ClassDeclaration,
    ClassStore,
    MethodDeclaration,
    ParameterDeclaration,
    PropertyDeclaration,
    Qualifier,
    QualifierDeclaration,
)
from virtcim.schema.values import NUMERIC_TYPES

__all__ = ["NO_BODY", "Body", "ClassOptions", "EncodedReference", "Encoder", "Table", "TableOptions"]

log = logging.getLogger(__name__)

MAX_TABLES = 512
"""Tables kept per namespace; property lists come from clients, so there could be any number."""

MAX_NESTING = 8
"""Embedded instances in embedded instances; references in the keys of references."""

_SCOPES = ("CLASS", "ASSOCIATION", "REFERENCE", "PROPERTY", "METHOD", "PARAMETER", "INDICATION")

Write = Callable[[Any], str]

Line = tuple[str, str, str, Write, str]
"""Of a property: its name, the element when NULL, the start, the function for the value, the end."""


class EncodedReference(str):
    """A reference value that is encoded already: a LOCALINSTANCEPATH element."""

    __slots__ = ()


@immutable
class TableOptions:
    """What of an instance is asked for.

    Attributes:
        limit_class: only the properties of this class (DeepInheritance=false), or None.
        properties: lower-case names of the PropertyList, or None for all.
        class_origin: IncludeClassOrigin.
        plain_arrays: leave out EmbeddedObject on arrays, for a client that cannot read it.
    """

    limit_class: str | None = None
    properties: frozenset[str] | None = None
    class_origin: bool = False
    plain_arrays: bool = False


@lru_cache(maxsize=MAX_TABLES)
def _only(names: tuple[str, ...]) -> TableOptions:
    """The options by which nothing but these properties is asked for."""
    return TableOptions(properties=frozenset(name.lower() for name in names))


@immutable
class ClassOptions:
    """What of a class is asked for: the parameters of GetClass, and `plain_arrays` as in `TableOptions`."""

    local_only: bool = True
    qualifiers: bool = True
    class_origin: bool = False
    properties: frozenset[str] | None = None
    plain_arrays: bool = False


Body = tuple[bytes, bytes, bytes]
"""An INSTANCE element in three pieces: up to its first own value, what is its own, and what others have likewise, with
the end.

The last holds the values that are usual in the table, and the NULL properties.  It is the same object for all instances
that have the same of both, which is nine tenths of what is sent, and need not be kept for each.  Neither need the
first, of which there are a few for each table."""

NO_BODY: Body = b"", b"", b""

END = "</INSTANCE>"

MAX_ENDS = 256
"""Ends kept per table.  There are as many as instances differ in which properties are NULL, and which have the usual
value: a dozen, as a rule."""

MAX_ORDERS = 256
"""Lists of names kept per table of which is known in which order they are written: instances differ in which
properties are NULL, and there are some dozens of such lists."""

LONGEST_USUAL = 256
"""Characters of a value that can be the usual one: longer ones are hardly ever the same, and would be kept."""


class _SharedTexts:
    """Values that instances share, as a table wrote them.

    Attributes:
        table: that wrote them.
        texts: by the indices of their properties.
        unusual: the indices of those that are not the usual ones.
        elements: of these.
        ends: what others have likewise, by the indices of the values beside them and of the unusual ones among those.
    """

    __slots__ = ("elements", "ends", "table", "texts", "unusual")

    def __init__(self, table: Table, texts: dict[int, str], unusual: tuple[int, ...], elements: str) -> None:
        self.table = table
        self.texts = texts
        self.unusual = unusual
        self.elements = elements
        self.ends: dict[tuple[tuple[int, ...], tuple[int, ...]], bytes] = {}


class Table:
    """Writes the INSTANCE elements of one class: properties that have a value of their own, then those that have the
    usual one, then those that are NULL.

    The usual value of a property is the one that it had first, unless that is long.

    Attributes:
        class_name: the class.
        lines: of all properties, in the order of the class.
    """

    __slots__ = ("_ends", "_indices", "_orders", "_starts", "_usual", "class_name", "head", "lines")

    def __init__(self, class_name: str, lines: tuple[Line, ...]) -> None:
        self.class_name = class_name
        self.head = f'<INSTANCE CLASSNAME="{attribute(class_name)}">'
        self.lines = lines
        self._indices = {line[0]: index for index, line in enumerate(lines)}
        self._orders: dict[tuple[str, ...], tuple[tuple[int, str, Write], ...]] = {}
        self._ends: dict[tuple[tuple[int, ...], tuple[int, ...]], bytes] = {}
        self._starts: dict[int | None, tuple[int, bytes]] = {}
        self._usual: dict[int, str] = {}

    def body(self, properties: Mapping[str, Any]) -> Body:
        """The INSTANCE element, encoded.  A value that does not fit its type is logged and sent as NULL."""
        if type(properties) is not LayeredProperties:
            return self._body(self._texts(properties))
        shared = self._shared(properties.shared)
        texts = self._texts(properties.own)
        own, elements = self._unusual(texts)
        end = shared.ends.get((tuple(texts), own))
        if end is None:
            together = dict(sorted((shared.texts | texts).items()))
            end = self._end(together, tuple(sorted((*shared.unusual, *own))))
            if end is None:
                return self._body(together)
            shared.ends[tuple(texts), own] = end
        return *self._begun(own, elements + shared.elements), end

    def _shared(self, properties: SharedProperties) -> _SharedTexts:
        """What instances share, written; kept with it for the table that wrote last."""
        known = properties.written
        if isinstance(known, _SharedTexts) and known.table is self:
            return known
        texts = self._texts(properties.values)
        made = properties.written = _SharedTexts(self, texts, *self._unusual(texts))
        return made

    def _unusual(self, texts: Mapping[int, str]) -> tuple[tuple[int, ...], str]:
        """The indices of the values that are not the usual ones, and their elements; what has no usual one yet gets
        it."""
        usual, lines = self._usual, self.lines
        indices: list[int] = []
        parts: list[str] = []
        for index, text in texts.items():
            if len(text) > LONGEST_USUAL or usual.setdefault(index, text) != text:
                line = lines[index]
                indices.append(index)
                parts += (line[2], text, line[4])
        return tuple(indices), "".join(parts)

    def _end(self, texts: Mapping[int, str], own: tuple[int, ...]) -> bytes | None:
        """What others have likewise, of an instance with these values and these own ones among them; None where too
        many differ."""
        key = tuple(texts), own
        end = self._ends.get(key)
        if end is None and len(self._ends) < MAX_ENDS:
            end = self._ends[key] = (self._others(texts, own) + END).encode()
        return end

    def _body(self, texts: Mapping[int, str]) -> Body:
        """The INSTANCE element of these values, encoded."""
        own, elements = self._unusual(texts)
        end = self._end(texts, own)
        if end is None:  # what is not shared is kept, and counted, as its own
            own, elements = tuple(texts), self._elements(texts, texts)
            end = (self._others(texts, own) + END).encode()
        return *self._begun(own, elements), end

    def _begun(self, own: tuple[int, ...], elements: str) -> tuple[bytes, bytes]:
        """The start of the INSTANCE up to the first own value, the same object for all that begin alike, and the rest.

        Parameters:
            own: the indices of own values.
            elements: theirs, and others behind them.
        """
        first = own[0] if own else None
        known = self._starts.get(first)
        if known is None:
            start = "" if first is None else self.lines[first][2]
            known = self._starts[first] = len(start), (self.head + start).encode()
        length, begin = known
        return begin, elements[length:].encode()

    def instance(self, properties: Mapping[str, Any]) -> str:
        """The INSTANCE element as text."""
        return self.head + self.inside(properties) + END

    def inside(self, properties: Mapping[str, Any]) -> str:
        """What is in the INSTANCE element, as text."""
        texts = self._texts(properties)
        return self._elements(texts, texts) + self._others(texts, texts)

    def _texts(self, properties: Mapping[str, Any]) -> dict[int, str]:
        """The values that there are, written, by the indices of their properties and in their order.

        Most properties of most classes are NULL, so they are not gone through.
        """
        texts: dict[int, str] = {}
        names = tuple(properties)
        for index, name, write in self._orders.get(names) or self._order(names):
            value = properties[name]
            if value is None:
                continue
            try:
                texts[index] = write(value)
            except (ValueError, TypeError, AttributeError, KeyError) as exc:
                log.warning("%s.%s is sent as NULL: %s", self.class_name, name, exc)
        return texts

    def _order(self, names: tuple[str, ...]) -> tuple[tuple[int, str, Write], ...]:
        """Find the properties with these names, in the order of the table; likewise for all instances that have just
        these."""
        indices = sorted([self._indices[name] for name in names if name in self._indices])
        order = tuple((index, self.lines[index][0], self.lines[index][3]) for index in indices)
        if len(self._orders) < MAX_ORDERS:
            self._orders[names] = order
        return order

    def _elements(self, texts: Mapping[int, str], those: Iterable[int]) -> str:
        """The elements of those properties."""
        parts: list[str] = []
        for index in those:
            line = self.lines[index]
            parts += (line[2], texts[index], line[4])
        return "".join(parts)

    def _others(self, texts: Mapping[int, str], own: Collection[int]) -> str:
        """The elements of all but the properties of `own`: those with another value, and those without one."""
        others = self._elements(texts, [index for index in texts if index not in own])
        return "".join([others, *(line[1] for index, line in enumerate(self.lines) if index not in texts)])


class Encoder:
    """Writes what belongs to one namespace.

    Parameters:
        classes: the class store.
        namespace: the namespace; also that of references without one.
        host: the host in INSTANCEPATH elements.
        recall: gives the text of an embedded instance in a VALUE at its revision, written by the function that is given
            with it where none is kept; without it nothing is kept.
    """

    def __init__(
        self,
        classes: ClassStore,
        namespace: str,
        host: str,
        recall: Callable[[RevisedInstance, Callable[[EmbeddedInstance], str]], str] | None = None,
    ) -> None:
        self._classes = classes
        self._recall = recall
        self.namespace = namespace
        self._host = host
        self._tables: OrderedDict[tuple[str, TableOptions], Table] = OrderedDict()
        self._lines: dict[tuple[str, str | None], Line] = {}
        self._key_lines = lru_cache(maxsize=None)(self._made_key_lines)
        self.name_frame = lru_cache(maxsize=None)(self._name_frame)
        self.local_namespace = lru_cache(maxsize=64)(self._local_namespace)
        self.class_element = lru_cache(maxsize=256)(self._class_element)

    def table(self, class_name: str, options: TableOptions) -> Table:
        """The table for one creation class.  Raises KeyError for an unknown class."""
        key = (class_name, options)
        table = self._tables.get(key)
        if table is None:
            table = self._make_table(self._classes[class_name], options)
            self._tables[key] = table
            if len(self._tables) > MAX_TABLES:
                with contextlib.suppress(KeyError):
                    self._tables.popitem(last=False)
        return table

    def _make_table(self, declaration: ClassDeclaration, options: TableOptions) -> Table:
        wanted = declaration.properties
        if options.limit_class is not None:
            limit = self._classes[options.limit_class].properties
            wanted = {key: each for key, each in wanted.items() if key in limit}
        if options.properties is not None:
            wanted = {key: each for key, each in wanted.items() if key in options.properties}
        lines = []
        for each in wanted.values():
            if each.is_array and each.type == "reference":
                continue  # CIM-XML has no element for it
            origin = f' CLASSORIGIN="{attribute(each.class_origin)}"' if options.class_origin else ""
            tag, attributes = _property_tag(each, origin, options.plain_arrays)
            # A client takes EmbeddedObject for the promise of a value.
            _, null_attributes = _property_tag(each, origin, plain=True)
            start, end, write = self._value(each)
            line = (
                each.name,
                f"<{tag}{null_attributes}></{tag}>",
                f"<{tag}{attributes}>{start}",
                write,
                f"{end}</{tag}>",
            )
            # Most properties are inherited, and one line serves all classes that have them.
            lines.append(self._lines.setdefault((line[2], each.embedded_object), line))
        return Table(declaration.name, tuple(lines))

    def _value(self, declared: PropertyDeclaration | ParameterDeclaration) -> tuple[str, str, Write]:
        """Start, end and content of the value element for a declaration."""
        write: Write
        if declared.type == "reference":
            tag, array, write = "VALUE.REFERENCE", "VALUE.REFARRAY", self.reference
        elif declared.embedded_object:
            tag, array, write = "VALUE", "VALUE.ARRAY", self.embedded
        else:
            tag, array, write = "VALUE", "VALUE.ARRAY", writer(declared.type)
        if not declared.is_array:
            return f"<{tag}>", f"</{tag}>", write
        return f"<{array}>", f"</{array}>", _array_writer(tag, write, declared.type == "string")

    def reference(self, value: Any) -> str:
        """A reference: LOCALINSTANCEPATH, with the namespace always given.  Raises ValueError."""
        if isinstance(value, EncodedReference):
            return value
        if not isinstance(value, InstancePath):
            raise ValueError(f"{value!r} is not a reference")
        return self.local_instance_path(value)

    def local_instance_path(self, path: InstancePath) -> str:
        """The LOCALINSTANCEPATH element of `path`."""
        namespace = path.namespace or self.namespace
        return (
            f"<LOCALINSTANCEPATH>{self.local_namespace(namespace)}"
            f"{self.instance_name(path.class_name, path.keys)}</LOCALINSTANCEPATH>"
        )

    @staticmethod
    def _local_namespace(namespace: str) -> str:
        parts = "".join(f'<NAMESPACE NAME="{attribute(part)}"></NAMESPACE>' for part in namespace.split("/"))
        return f"<LOCALNAMESPACEPATH>{parts}</LOCALNAMESPACEPATH>"

    def namespace_path(self, namespace: str) -> str:
        """The NAMESPACEPATH element: this host and the namespace."""
        return f"<NAMESPACEPATH><HOST>{escape(self._host)}</HOST>{self.local_namespace(namespace)}</NAMESPACEPATH>"

    def instance_name(self, class_name: str, keys: Mapping[str, Any]) -> str:
        """The INSTANCENAME element.

        Raises:
            ValueError: when a key is missing or does not fit its type.
        """
        return "".join(self._name_parts(class_name, keys))

    def name_inside(self, class_name: str, keys: Mapping[str, Any]) -> bytes:
        """What is in the INSTANCENAME element from its first value to its last one; raises as `instance_name` does."""
        return "".join(self._name_parts(class_name, keys)[1:-1]).encode()

    def _name_parts(self, class_name: str, keys: Mapping[str, Any]) -> list[str]:
        """The values of an INSTANCENAME element, each with what stands before and behind it."""
        parts: list[str] = []
        for name, start, write, end in self._key_lines(class_name):
            value = keys.get(name)
            if value is None:
                raise ValueError(f"{class_name} without key {name}")
            parts += (start, write(value), end)
        return parts

    def _name_frame(self, class_name: str) -> tuple[bytes, bytes]:
        """What stands before and behind `name_inside` in all INSTANCENAME elements of a class.

        Raises:
            ValueError: the class has no keys.
        """
        lines = self._key_lines(class_name)
        return lines[0][1].encode(), lines[-1][3].encode()

    def _made_key_lines(self, class_name: str) -> tuple[tuple[str, str, Write, str], ...]:
        """For each key: its name, the text before its value, the function for the value, the text behind it."""
        declaration = self._classes.get(class_name)
        if declaration is None or not declaration.keys:
            raise ValueError(f"{class_name} has no keys")
        lines: list[tuple[str, str, Write, str]] = []
        start = f'<INSTANCENAME CLASSNAME="{attribute(class_name)}">'
        for name in declaration.keys:
            start += f'<KEYBINDING NAME="{name}">'
            cim_type = declaration.properties[name.lower()].type
            if cim_type == "reference":
                start += "<VALUE.REFERENCE>"
                lines.append((name, start, self.reference, "</VALUE.REFERENCE></KEYBINDING>"))
            else:
                start += f'<KEYVALUE VALUETYPE="{_value_type(cim_type)}" TYPE="{cim_type}">'
                lines.append((name, start, writer(cim_type), "</KEYVALUE></KEYBINDING>"))
            start = ""
        *others, (name, start, write, end) = lines
        return (*others, (name, start, write, f"{end}</INSTANCENAME>"))

    def embedded(self, value: Any) -> str:
        """An embedded instance as text in a VALUE: an INSTANCE element, escaped once more.  Raises ValueError, KeyError
        for what is none, or of an unknown class."""
        if not isinstance(value, EmbeddedInstance):
            raise ValueError(f"{value!r} is not an embedded instance")
        if self._recall is not None and isinstance(value, RevisedInstance):
            return self._recall(value, self._escaped)
        return self._escaped(value)

    def _escaped(self, value: EmbeddedInstance) -> str:
        return escape(self.embedded_element(value))

    def embedded_element(self, value: EmbeddedInstance) -> str:
        """The INSTANCE element of an embedded instance; properties that it does not have are left out."""
        return self._own_table(value.class_name, value.properties).instance(value.properties)

    def property_elements(self, class_name: str, properties: Mapping[str, Any]) -> str:
        """Write some properties as they stand in an INSTANCE element.  Raises KeyError for an unknown class."""
        return self._own_table(class_name, properties).inside(properties)

    def _own_table(self, class_name: str, properties: Mapping[str, Any]) -> Table:
        """The table for no other properties than these."""
        return self.table(class_name, _only(tuple(properties)))

    def parameter(self, declared: ParameterDeclaration, value: Any) -> str:
        """The PARAMVALUE element of an output parameter.  Raises ValueError when the value does not fit."""
        start, end, write = self._value(declared)
        embedded = f' EmbeddedObject="{declared.embedded_object}"' if declared.embedded_object else ""
        return (
            f'<PARAMVALUE NAME="{attribute(declared.name)}" PARAMTYPE="{declared.type}"{embedded}>'
            f"{start}{write(value)}{end}</PARAMVALUE>"
        )

    def property_value(self, declared: PropertyDeclaration, value: Any) -> str:
        """The value element of a property, as GetProperty answers it; "" for NULL."""
        if value is None:
            return ""
        start, end, write = self._value(declared)
        return f"{start}{write(value)}{end}"

    def _class_element(self, class_name: str, options: ClassOptions) -> str:
        """The CLASS element.  Raises KeyError for an unknown class."""
        declaration = self._classes[class_name]
        superclass = f' SUPERCLASS="{attribute(declaration.superclass)}"' if declaration.superclass else ""
        parts = [f'<CLASS NAME="{attribute(declaration.name)}"{superclass}>']
        parts.append(_qualifiers(declaration.qualifiers.values(), options))
        for key, each in declaration.properties.items():
            if options.local_only and each.propagated:
                continue
            if options.properties is None or key in options.properties:
                parts.append(self._class_property(each, options))
        parts.extend(
            _method(each, options)
            for each in declaration.methods.values()
            if not (options.local_only and each.propagated)
        )
        parts.append("</CLASS>")
        return "".join(parts)

    def _class_property(self, declared: PropertyDeclaration, options: ClassOptions) -> str:
        origin = _origin(declared, options)
        if declared.type == "reference":
            tag = "PROPERTY.REFERENCE"
            target = f' REFERENCECLASS="{attribute(declared.reference_class)}"' if declared.reference_class else ""
            attributes = f' NAME="{attribute(declared.name)}"{target}{origin}'
        else:
            tag, attributes = _property_tag(declared, origin, options.plain_arrays)
        value = ""
        if declared.default is not None and declared.type != "reference" and not declared.embedded_object:
            value = _plain_value(declared.default, declared.type)
        return f"<{tag}{attributes}>{_qualifiers(declared.qualifiers.values(), options)}{value}</{tag}>"


def _property_tag(
    declared: PropertyDeclaration, origin: str, plain_arrays: bool = False, plain: bool = False
) -> tuple[str, str]:
    """Give the element of a property and its attributes.

    Parameters:
        plain_arrays: leave out EmbeddedObject on arrays.
        plain: leave it out.
    """
    name = f' NAME="{attribute(declared.name)}"{origin}'
    if declared.type == "reference":
        return "PROPERTY.REFERENCE", name
    embedded = ""
    if declared.embedded_object and not plain and not (plain_arrays and declared.is_array):
        embedded = f' EmbeddedObject="{declared.embedded_object}"'
    size = f' ARRAYSIZE="{declared.array_size}"' if declared.is_array and declared.array_size else ""
    return "PROPERTY.ARRAY" if declared.is_array else "PROPERTY", f'{name} TYPE="{declared.type}"{size}{embedded}'


def _value_type(cim_type: str) -> str:
    if cim_type in NUMERIC_TYPES:
        return "numeric"
    return "boolean" if cim_type == "boolean" else "string"


def _array_writer(tag: str, write: Write, strings: bool) -> Write:
    """The content of an array element.

    VALUE.NULL makes two of the three common clients fail, so a NULL among strings is sent as the empty string, which
    keeps parallel arrays parallel; in other arrays it is an error.
    """
    start, end = f"<{tag}>", f"</{tag}>"

    def write_array(values: Any) -> str:
        # Most are a list or a tuple; whether anything else is iterable takes long to tell.
        is_array = isinstance(values, (list, tuple)) or (
            isinstance(values, Iterable) and not isinstance(values, (str, bytes))
        )
        if not is_array:
            raise ValueError(f"{values!r} is not an array")
        return "".join([f"{start}{'' if each is None and strings else write(each)}{end}" for each in values])

    return write_array


def _plain_value(value: Any, cim_type: str) -> str:
    """The VALUE or VALUE.ARRAY element of a default or qualifier value; a datetime is a string there."""
    write = writer("string" if cim_type == "datetime" else cim_type)
    if isinstance(value, (tuple, list)):
        return f"<VALUE.ARRAY>{_array_writer('VALUE', write, True)(value)}</VALUE.ARRAY>"
    return f"<VALUE>{write(value)}</VALUE>"


def _flag(name: str, value: bool, default: bool) -> str:
    return "" if value is default else f' {name}="{"true" if value else "false"}"'


def _flavors(flavored: Qualifier | QualifierDeclaration) -> str:
    """The flavor attributes that differ from the DTD's defaults."""
    return (
        _flag("OVERRIDABLE", flavored.overridable, True)
        + _flag("TOSUBCLASS", flavored.tosubclass, True)
        + _flag("TRANSLATABLE", flavored.translatable, False)
    )


def _qualifiers(qualifiers: Iterable[Qualifier], options: ClassOptions) -> str:
    if not options.qualifiers:
        return ""
    return "".join(
        f'<QUALIFIER NAME="{attribute(each.name)}" TYPE="{each.type}"{_flag("PROPAGATED", each.propagated, False)}'
        f"{_flavors(each)}>{'' if each.value is None else _plain_value(each.value, each.type)}</QUALIFIER>"
        for each in qualifiers
        if not (options.local_only and each.propagated)
    )


def _origin(declared: PropertyDeclaration | MethodDeclaration, options: ClassOptions) -> str:
    origin = f' CLASSORIGIN="{attribute(declared.class_origin)}"' if options.class_origin else ""
    return origin + _flag("PROPAGATED", declared.propagated, False)


def _method(method: MethodDeclaration, options: ClassOptions) -> str:
    parameters = "".join(_parameter(each, options) for each in method.parameters.values())
    kind = "" if method.return_type == "void" else f' TYPE="{method.return_type}"'
    return (
        f'<METHOD NAME="{attribute(method.name)}"{kind}{_origin(method, options)}>'
        f"{_qualifiers(method.qualifiers.values(), options)}{parameters}</METHOD>"
    )


def _parameter(declared: ParameterDeclaration, options: ClassOptions) -> str:
    attributes = f' NAME="{attribute(declared.name)}"'
    if declared.type == "reference":
        tag = "PARAMETER.REFARRAY" if declared.is_array else "PARAMETER.REFERENCE"
        if declared.reference_class:
            attributes += f' REFERENCECLASS="{attribute(declared.reference_class)}"'
    else:
        tag = "PARAMETER.ARRAY" if declared.is_array else "PARAMETER"
        attributes += f' TYPE="{declared.type}"'
    if declared.is_array and declared.array_size:
        attributes += f' ARRAYSIZE="{declared.array_size}"'
    return f"<{tag}{attributes}>{_qualifiers(declared.qualifiers.values(), options)}</{tag}>"


def qualifier_declaration(declared: QualifierDeclaration) -> str:
    """The QUALIFIER.DECLARATION element."""
    array = ' ISARRAY="true"' if declared.is_array else ' ISARRAY="false"'
    size = f' ARRAYSIZE="{declared.array_size}"' if declared.array_size else ""
    scope = "".join(f' {name}="true"' for name in _SCOPES if name in declared.scopes)
    value = "" if declared.value is None else _plain_value(declared.value, declared.type)
    return (
        f'<QUALIFIER.DECLARATION NAME="{attribute(declared.name)}" TYPE="{declared.type}"{array}{size}'
        f"{_flavors(declared)}>{f'<SCOPE{scope}></SCOPE>' if scope else ''}{value}</QUALIFIER.DECLARATION>"
    )
