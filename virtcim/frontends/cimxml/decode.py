"""From the bytes of a request to its structure (DSP0203 2.4; DSP0200 1.4, sections 6 and 7).

What comes out is still untyped: the types of values come from the class declarations, see `frontends.reading.typed`.

Structure is checked; what clients add or leave out in the field is tolerated: unknown attributes, missing PARAMTYPE
and TYPE, `TYPE=""`, KEYVALUE without VALUETYPE, QUALIFIER children in instances, CORRELATOR, a DOCTYPE without an
internal subset, white space before the XML declaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lxml import etree

from virtcim.frontends.http.exchange import HTTPFault
from virtcim.frontends.reading.raw import (
    MAX_NESTING,
    RawClassName,
    RawInstance,
    RawKey,
    RawNamedInstance,
    RawPath,
    RawProperty,
    RawRequest,
    RawUnsupported,
)

__all__ = [
    "RequestFault",
    "decode_instance",
    "decode_request",
]

_PARSER = etree.XMLParser(
    resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
)
_BLANKS = re.compile(rb"\s++")
_SUBSET = re.compile(rb"<!DOCTYPE(?:[^\[>\"']|\"[^\"]*+\"|'[^']*+')*+\[")
_LONGEST_DOCTYPE = 4096
"""Bytes in which a DOCTYPE has to show that it has no internal subset: a pattern holds the interpreter's lock."""
_ENCODINGS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class RequestFault(HTTPFault):
    """A message that is refused below the CIM level: an HTTP status and, by DSP0200, the CIMError header.

    Parameters:
        status: the HTTP status.
        cim_error: value of the CIMError header, or None when the fault is one of HTTP alone.
        text: what is wrong, for the client's log.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, cim_error: str | None, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, text, {**(headers or {}), **({} if cim_error is None else {"CIMError": cim_error})})
        self.cim_error = cim_error


def _not_valid(text: str) -> RequestFault:
    return RequestFault(400, "request-not-valid", text)


def _attribute(element: etree._Element, name: str) -> str:
    value = element.get(name)
    if value is None:
        raise _not_valid(f"{element.tag} has no {name}")
    return str(value)


def _name(element: etree._Element) -> str:
    """The NAME of an element that cannot have children."""
    if len(element):
        raise _unexpected(element, element[0])
    return _attribute(element, "NAME")


def _only_child(element: etree._Element) -> etree._Element | None:
    if len(element) > 1:
        raise _not_valid(f"{element.tag} has more than one child")
    return element[0] if len(element) else None


def _required_child(element: etree._Element) -> etree._Element:
    child = _only_child(element)
    if child is None:
        raise _not_valid(f"{element.tag} is empty")
    return child


def _unexpected(element: etree._Element, child: etree._Element) -> RequestFault:
    return _not_valid(f"{element.tag} cannot hold {child.tag if isinstance(child.tag, str) else 'an entity'}")


def _text(element: etree._Element) -> str:
    if len(element):
        raise _unexpected(element, element[0])
    return element.text or ""


def _value_array(element: etree._Element, _depth: int) -> list[str | None]:
    values: list[str | None] = []
    for child in element:
        if child.tag == "VALUE":
            values.append(_text(child))
        elif child.tag == "VALUE.NULL":
            values.append(None)
        else:
            raise _unexpected(element, child)
    return values


def _reference_array(element: etree._Element, depth: int) -> list[RawPath | None]:
    values: list[RawPath | None] = []
    for child in element:
        if child.tag == "VALUE.REFERENCE":
            values.append(_reference(child, depth))
        elif child.tag == "VALUE.NULL":
            values.append(None)
        else:
            raise _unexpected(element, child)
    return values


def _local_namespace(element: etree._Element) -> str:
    parts = []
    for child in element:
        if child.tag != "NAMESPACE":
            raise _unexpected(element, child)
        parts.append(_name(child))
    if not parts:
        raise _not_valid(f"{element.tag} is empty")
    return "/".join(parts).strip("/")


def _namespace(element: etree._Element) -> str:
    """The namespace of LOCALNAMESPACEPATH or NAMESPACEPATH; the host does not matter: it is this one."""
    if element.tag == "LOCALNAMESPACEPATH":
        return _local_namespace(element)
    if element.tag == "NAMESPACEPATH":
        if len(element) != 2 or element[0].tag != "HOST" or element[1].tag != "LOCALNAMESPACEPATH":
            raise _not_valid("NAMESPACEPATH needs HOST and LOCALNAMESPACEPATH")
        return _local_namespace(element[1])
    raise _not_valid(f"{element.tag} is not a namespace path")


def _path(element: etree._Element, depth: int = 0) -> RawPath:
    tag = element.tag
    if tag == "INSTANCENAME":
        return _instance_name(element, None, depth)
    if tag == "CLASSNAME":
        return RawPath(_name(element), None)
    if tag not in {"INSTANCEPATH", "LOCALINSTANCEPATH", "CLASSPATH", "LOCALCLASSPATH"}:
        raise _not_valid(f"{tag if isinstance(tag, str) else 'An entity'} is not a path")
    if len(element) != 2:
        raise _not_valid(f"{tag} needs a namespace and a name")
    namespace, name = _namespace(element[0]), element[1]
    if name.tag == "INSTANCENAME" and tag.endswith("INSTANCEPATH"):
        return _instance_name(name, namespace, depth)
    if name.tag == "CLASSNAME" and tag.endswith("CLASSPATH"):
        return RawPath(_name(name), None, namespace)
    raise _unexpected(element, name)


def _reference(element: etree._Element, depth: int) -> RawPath:
    if depth >= MAX_NESTING:
        raise _not_valid("References are nested too deep")
    return _path(_required_child(element), depth + 1)


def _key(element: etree._Element, depth: int) -> RawKey | RawPath:
    if element.tag == "KEYVALUE":
        return RawKey(_text(element), element.get("VALUETYPE", "string").lower(), element.get("TYPE", "").lower())
    if element.tag == "VALUE.REFERENCE":
        return _reference(element, depth)
    raise _not_valid(f"{element.tag if isinstance(element.tag, str) else 'An entity'} is not a key")


def _instance_name(element: etree._Element, namespace: str | None, depth: int) -> RawPath:
    class_name = _attribute(element, "CLASSNAME")
    keys: list[tuple[str | None, RawKey | RawPath]] = []
    for child in element:
        if child.tag == "KEYBINDING":
            keys.append((_attribute(child, "NAME"), _key(_required_child(child), depth)))
        elif len(element) == 1:
            keys.append((None, _key(child, depth)))
        else:
            raise _unexpected(element, child)
    return RawPath(class_name, tuple(keys), namespace)


_PROPERTY_VALUES = {"PROPERTY": "VALUE", "PROPERTY.ARRAY": "VALUE.ARRAY", "PROPERTY.REFERENCE": "VALUE.REFERENCE"}


def _instance(element: etree._Element, depth: int) -> RawInstance:
    properties = []
    for child in element:
        if child.tag == "QUALIFIER":
            continue
        if child.tag not in _PROPERTY_VALUES:
            raise _unexpected(element, child)
        value = None
        values = [each for each in child if each.tag != "QUALIFIER"]
        if len(values) > 1:
            raise _not_valid(f"{child.tag} has more than one value")
        if values:
            if values[0].tag != _PROPERTY_VALUES[child.tag]:
                raise _unexpected(child, values[0])
            value = _VALUES[values[0].tag](values[0], depth)
        properties.append(RawProperty(_attribute(child, "NAME"), value))
    return RawInstance(_attribute(element, "CLASSNAME"), tuple(properties))


def _named_instance(element: etree._Element, depth: int) -> RawNamedInstance:
    if len(element) != 2 or element[0].tag != "INSTANCENAME" or element[1].tag != "INSTANCE":
        raise _not_valid("VALUE.NAMEDINSTANCE needs INSTANCENAME and INSTANCE")
    return RawNamedInstance(_path(element[0], depth), _instance(element[1], depth))


_VALUES: dict[str, Callable[[etree._Element, int], Any]] = {
    "VALUE": lambda element, _depth: _text(element),
    "VALUE.ARRAY": _value_array,
    "VALUE.REFERENCE": _reference,
    "VALUE.REFARRAY": _reference_array,
    "CLASSNAME": lambda element, _depth: RawClassName(_name(element)),
    "INSTANCENAME": _path,
    "INSTANCE": _instance,
    "VALUE.NAMEDINSTANCE": _named_instance,
    "CLASS": lambda element, _depth: RawUnsupported(str(element.tag)),
    "QUALIFIER.DECLARATION": lambda element, _depth: RawUnsupported(str(element.tag)),
}


def _parameters(elements: list[etree._Element], tag: str) -> tuple[tuple[str, Any], ...]:
    parameters = []
    for element in elements:
        if element.tag != tag:
            raise _not_valid(f"{tag} expected, not {element.tag}")
        child = _only_child(element)
        if child is None:
            value = None
        elif child.tag in _VALUES:
            value = _VALUES[child.tag](child, 0)
        else:
            raise _unexpected(element, child)
        parameters.append((_attribute(element, "NAME"), value))
    return tuple(parameters)


def _parse(body: bytes, max_elements: int) -> etree._Element:
    # By XML nothing stands before its declaration; libvirt-cim's tool that makes subscriptions sends a blank.
    body = body.lstrip(b" \t\r\n")
    if b"\0" in body:
        raise RequestFault(400, "request-not-well-formed", "The request is not UTF-8")
    if _has_internal_subset(body):
        raise _not_valid("A DOCTYPE with an internal subset is refused")
    if body.count(b"<") > 2 * max_elements:
        raise RequestFault(413, None, f"The request has more than {max_elements} elements")
    try:
        root = etree.fromstring(body, _PARSER)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise RequestFault(400, "request-not-well-formed", str(exc)) from None
    encoding = root.getroottree().docinfo.encoding
    if encoding and encoding.lower() not in _ENCODINGS:
        raise RequestFault(400, "request-not-well-formed", f"The request is in {encoding}, not in UTF-8")
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


def _versions(root: etree._Element) -> None:
    if root.tag != "CIM":
        raise _not_valid(f"CIM expected, not {root.tag}")
    if not _attribute(root, "CIMVERSION").startswith("2."):
        raise RequestFault(501, "unsupported-cim-version", "CIMVERSION 2.x is supported")
    if not _attribute(root, "DTDVERSION").startswith("2."):
        raise RequestFault(501, "unsupported-dtd-version", "DTDVERSION 2.x is supported")


def _simple_request(message: etree._Element) -> etree._Element:
    request = _required_child(message)
    if request.tag == "MULTIREQ":
        raise RequestFault(501, "multiple-requests-unsupported", "Send one operation in one message")
    if request.tag in {"SIMPLEEXPREQ", "MULTIEXPREQ"}:
        raise RequestFault(400, "unsupported-operation", "This server is not a listener and takes no exports")
    if request.tag != "SIMPLEREQ":
        raise _unexpected(message, request)
    calls = [child for child in request if child.tag != "CORRELATOR"]
    if len(calls) != 1:
        raise _not_valid("SIMPLEREQ needs one METHODCALL or IMETHODCALL")
    return calls[0]


def decode_request(body: bytes, max_elements: int = 200_000) -> RawRequest:
    """Read a CIM-XML operation request.

    Parameters:
        body: the request, UTF-8.
        max_elements: refuse requests with more elements than this.

    Raises:
        RequestFault: with the status and CIMError value of DSP0200 1.4, section 7.3.2.
    """
    root = _parse(body, max_elements)
    _versions(root)
    message = _required_child(root)
    if message.tag != "MESSAGE":
        raise _unexpected(root, message)
    message_id = _attribute(message, "ID")
    version = _attribute(message, "PROTOCOLVERSION")
    if not version.startswith("1."):
        raise RequestFault(501, "unsupported-protocol-version", "PROTOCOLVERSION 1.x is supported")
    call = _simple_request(message)
    children = list(call)
    if call.tag == "IMETHODCALL":
        if not children or children[0].tag != "LOCALNAMESPACEPATH":
            raise _not_valid("IMETHODCALL needs a LOCALNAMESPACEPATH")
        return RawRequest(
            message_id,
            version,
            _attribute(call, "NAME"),
            False,
            _local_namespace(children[0]),
            None,
            _parameters(children[1:], "IPARAMVALUE"),
        )
    if call.tag == "METHODCALL":
        if not children or children[0].tag not in {"LOCALCLASSPATH", "LOCALINSTANCEPATH"}:
            raise _not_valid("METHODCALL needs a LOCALCLASSPATH or a LOCALINSTANCEPATH")
        target = _path(children[0])
        return RawRequest(
            message_id,
            version,
            _attribute(call, "NAME"),
            True,
            target.namespace or "",
            target,
            _parameters(children[1:], "PARAMVALUE"),
        )
    raise _not_valid(f"SIMPLEREQ cannot hold {call.tag}")


def decode_instance(text: str) -> RawInstance:
    """Read an embedded instance in CIM-XML: an INSTANCE element, in a string.

    Raises:
        ValueError: when it is none.
    """
    try:
        element = _parse(text.encode("utf-8", "surrogatepass"), 50_000)
        if element.tag == "VALUE.NAMEDINSTANCE":
            return _named_instance(element, 0).instance
        if element.tag != "INSTANCE":
            raise ValueError(f"is not an embedded instance, but {element.tag}")
        return _instance(element, 0)
    except RequestFault as fault:
        raise ValueError(f"is not an embedded instance: {fault.text}") from None
