"""Elements of CIM-XML that stand for values, read into the untyped form (DSP0203 2.4).

Structure is checked; what clients add or leave out in the field is tolerated: unknown attributes, missing TYPE,
`TYPE=""`, KEYVALUE without VALUETYPE, QUALIFIER children in instances, a DOCTYPE without an internal subset, white
space before the XML declaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lxml import etree

from virtcim.frontends.reading.raw import (
    MAX_NESTING,
    RawClassName,
    RawInstance,
    RawKey,
    RawNamedInstance,
    RawPath,
    RawProperty,
    RawUnsupported,
)
from virtcim.frontends.reading.xmltext import parse_text

__all__ = [
    "VALUES",
    "NotValidError",
    "NotWellFormedError",
    "TooManyElementsError",
    "UnreadableError",
    "attribute",
    "decode_instance",
    "local_namespace",
    "only_child",
    "parse",
    "path",
    "required_child",
    "unexpected",
]

_BLANKS = re.compile(rb"\s++")
_SUBSET = re.compile(rb"<!DOCTYPE(?:[^\[>\"']|\"[^\"]*+\"|'[^']*+')*+\[")
_LONGEST_DOCTYPE = 4096
"""Bytes in which a DOCTYPE has to show that it has no internal subset: a pattern holds the interpreter's lock."""
_ENCODINGS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class UnreadableError(ValueError):
    """What was sent is no CIM-XML that can be read; the text says why."""


class NotWellFormedError(UnreadableError):
    """It is no XML in UTF-8."""


class NotValidError(UnreadableError):
    """It is XML of another structure than CIM-XML has."""


class TooManyElementsError(UnreadableError):
    """It has more elements than are read."""


def attribute(element: etree._Element, name: str) -> str:
    """Take an attribute that has to be there.  Raises NotValidError."""
    value = element.get(name)
    if value is None:
        raise NotValidError(f"{element.tag} has no {name}")
    return str(value)


def _name(element: etree._Element) -> str:
    """The NAME of an element that cannot have children."""
    if len(element):
        raise unexpected(element, element[0])
    return attribute(element, "NAME")


def only_child(element: etree._Element) -> etree._Element | None:
    """Find the child of an element, None where it has none.  Raises NotValidError for several."""
    if len(element) > 1:
        raise NotValidError(f"{element.tag} has more than one child")
    return element[0] if len(element) else None


def required_child(element: etree._Element) -> etree._Element:
    """Find the one child of an element.  Raises NotValidError for none and for several."""
    child = only_child(element)
    if child is None:
        raise NotValidError(f"{element.tag} is empty")
    return child


def unexpected(element: etree._Element, child: etree._Element) -> NotValidError:
    """Make the error for a child that an element cannot have."""
    return NotValidError(f"{element.tag} cannot hold {child.tag if isinstance(child.tag, str) else 'an entity'}")


def _text(element: etree._Element) -> str:
    if len(element):
        raise unexpected(element, element[0])
    return element.text or ""


def _value_array(element: etree._Element, _depth: int) -> list[str | None]:
    values: list[str | None] = []
    for child in element:
        if child.tag == "VALUE":
            values.append(_text(child))
        elif child.tag == "VALUE.NULL":
            values.append(None)
        else:
            raise unexpected(element, child)
    return values


def _reference_array(element: etree._Element, depth: int) -> list[RawPath | None]:
    values: list[RawPath | None] = []
    for child in element:
        if child.tag == "VALUE.REFERENCE":
            values.append(_reference(child, depth))
        elif child.tag == "VALUE.NULL":
            values.append(None)
        else:
            raise unexpected(element, child)
    return values


def local_namespace(element: etree._Element) -> str:
    """Read LOCALNAMESPACEPATH, without outer slashes.  Raises NotValidError."""
    parts = []
    for child in element:
        if child.tag != "NAMESPACE":
            raise unexpected(element, child)
        parts.append(_name(child))
    if not parts:
        raise NotValidError(f"{element.tag} is empty")
    return "/".join(parts).strip("/")


def _namespace(element: etree._Element) -> str:
    """The namespace of LOCALNAMESPACEPATH or NAMESPACEPATH; the host does not matter: it is this one."""
    if element.tag == "LOCALNAMESPACEPATH":
        return local_namespace(element)
    if element.tag == "NAMESPACEPATH":
        if len(element) != 2 or element[0].tag != "HOST" or element[1].tag != "LOCALNAMESPACEPATH":
            raise NotValidError("NAMESPACEPATH needs HOST and LOCALNAMESPACEPATH")
        return local_namespace(element[1])
    raise NotValidError(f"{element.tag} is not a namespace path")


def path(element: etree._Element, depth: int = 0) -> RawPath:
    """Read a name or path of an instance or class.

    Parameters:
        element: INSTANCENAME, CLASSNAME, or one of the four paths around these.
        depth: references around it.

    Raises:
        NotValidError: it is none of them, or holds what it cannot.
    """
    tag = element.tag
    if tag == "INSTANCENAME":
        return _instance_name(element, None, depth)
    if tag == "CLASSNAME":
        return RawPath(_name(element), None)
    if tag not in {"INSTANCEPATH", "LOCALINSTANCEPATH", "CLASSPATH", "LOCALCLASSPATH"}:
        raise NotValidError(f"{tag if isinstance(tag, str) else 'An entity'} is not a path")
    if len(element) != 2:
        raise NotValidError(f"{tag} needs a namespace and a name")
    namespace, name = _namespace(element[0]), element[1]
    if name.tag == "INSTANCENAME" and tag.endswith("INSTANCEPATH"):
        return _instance_name(name, namespace, depth)
    if name.tag == "CLASSNAME" and tag.endswith("CLASSPATH"):
        return RawPath(_name(name), None, namespace)
    raise unexpected(element, name)


def _reference(element: etree._Element, depth: int) -> RawPath:
    if depth >= MAX_NESTING:
        raise NotValidError("References are nested too deep")
    return path(required_child(element), depth + 1)


def _key(element: etree._Element, depth: int) -> RawKey | RawPath:
    if element.tag == "KEYVALUE":
        return RawKey(_text(element), element.get("VALUETYPE", "string").lower(), element.get("TYPE", "").lower())
    if element.tag == "VALUE.REFERENCE":
        return _reference(element, depth)
    raise NotValidError(f"{element.tag if isinstance(element.tag, str) else 'An entity'} is not a key")


def _instance_name(element: etree._Element, namespace: str | None, depth: int) -> RawPath:
    class_name = attribute(element, "CLASSNAME")
    keys: list[tuple[str | None, RawKey | RawPath]] = []
    for child in element:
        if child.tag == "KEYBINDING":
            keys.append((attribute(child, "NAME"), _key(required_child(child), depth)))
        elif len(element) == 1:
            keys.append((None, _key(child, depth)))
        else:
            raise unexpected(element, child)
    return RawPath(class_name, tuple(keys), namespace)


_PROPERTY_VALUES = {"PROPERTY": "VALUE", "PROPERTY.ARRAY": "VALUE.ARRAY", "PROPERTY.REFERENCE": "VALUE.REFERENCE"}


def _instance(element: etree._Element, depth: int) -> RawInstance:
    properties = []
    for child in element:
        if child.tag == "QUALIFIER":
            continue
        if child.tag not in _PROPERTY_VALUES:
            raise unexpected(element, child)
        value = None
        values = [each for each in child if each.tag != "QUALIFIER"]
        if len(values) > 1:
            raise NotValidError(f"{child.tag} has more than one value")
        if values:
            if values[0].tag != _PROPERTY_VALUES[child.tag]:
                raise unexpected(child, values[0])
            value = VALUES[values[0].tag](values[0], depth)
        properties.append(RawProperty(attribute(child, "NAME"), value))
    return RawInstance(attribute(element, "CLASSNAME"), tuple(properties))


def _named_instance(element: etree._Element, depth: int) -> RawNamedInstance:
    if len(element) != 2 or element[0].tag != "INSTANCENAME" or element[1].tag != "INSTANCE":
        raise NotValidError("VALUE.NAMEDINSTANCE needs INSTANCENAME and INSTANCE")
    return RawNamedInstance(path(element[0], depth), _instance(element[1], depth))


VALUES: dict[str, Callable[[etree._Element, int], Any]] = {
    "VALUE": lambda element, _depth: _text(element),
    "VALUE.ARRAY": _value_array,
    "VALUE.REFERENCE": _reference,
    "VALUE.REFARRAY": _reference_array,
    "CLASSNAME": lambda element, _depth: RawClassName(_name(element)),
    "INSTANCENAME": path,
    "INSTANCE": _instance,
    "VALUE.NAMEDINSTANCE": _named_instance,
    "CLASS": lambda element, _depth: RawUnsupported(str(element.tag)),
    "QUALIFIER.DECLARATION": lambda element, _depth: RawUnsupported(str(element.tag)),
}
"""Read an element that stands for a value, by its name and the number of instances or references around it."""


def parse(body: bytes, max_elements: int) -> etree._Element:
    """Read XML; nothing outside of it is asked for, and no entities are declared.

    Parameters:
        body: the text, UTF-8.
        max_elements: that are read; twice as many attributes are.

    Returns:
        the root.

    Raises:
        UnreadableError: as its three kinds say.
    """
    # By XML nothing stands before its declaration; libvirt-cim's tool that makes subscriptions sends a blank.
    body = body.lstrip(b" \t\r\n")
    if b"\0" in body:
        raise NotWellFormedError("The request is not UTF-8")
    if _has_internal_subset(body):
        raise NotValidError("A DOCTYPE with an internal subset is refused")
    if body.count(b"<") > 2 * max_elements:
        raise TooManyElementsError(f"The request has more than {max_elements} elements")
    # To free them takes three times as long as elements, and nobody else runs meanwhile.
    if body.count(b"=") > 2 * max_elements:
        raise TooManyElementsError(f"The request has more than {2 * max_elements} attributes")
    try:
        root = parse_text(body)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise NotWellFormedError(str(exc)) from None
    encoding = root.getroottree().docinfo.encoding
    if encoding and encoding.lower() not in _ENCODINGS:
        raise NotWellFormedError(f"The request is in {encoding}, not in UTF-8")
    return root


def _has_internal_subset(body: bytes) -> bool:
    """Tell whether a DOCTYPE with an internal subset, or an overlong one, stands before the root."""
    at, after = -1, 3 if body.startswith(b"\xef\xbb\xbf") else 0
    while after > at:
        at, after = after, _after_misc(body, after)
    if not body.startswith(b"<!DOCTYPE", at):
        return False
    doctype = body[at : at + _LONGEST_DOCTYPE]
    return _SUBSET.match(doctype) is not None or b">" not in doctype


def _after_misc(body: bytes, at: int) -> int:
    """Find the end of an instruction, a comment or some blanks; `at` where there is none of them."""
    for start, end in ((b"<?", b"?>"), (b"<!--", b"-->")):
        if body.startswith(start, at):
            return body.find(end, at + len(start)) + len(end)
    blanks = _BLANKS.match(body, at, at + _LONGEST_DOCTYPE)
    return blanks.end() if blanks is not None else at


def decode_instance(text: str) -> RawInstance:
    """Read an embedded instance in CIM-XML: an INSTANCE element, in a string.

    Raises:
        ValueError: when it is none.
    """
    try:
        element = parse(text.encode("utf-8", "surrogatepass"), 50_000)
        if element.tag == "VALUE.NAMEDINSTANCE":
            return _named_instance(element, 0).instance
        if element.tag != "INSTANCE":
            raise ValueError(f"is not an embedded instance, but {element.tag}")
        return _instance(element, 0)
    except UnreadableError as error:
        raise ValueError(f"is not an embedded instance: {error}") from None
