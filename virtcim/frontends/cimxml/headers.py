"""The CIM headers of a request (DSP0200 1.4, section 6.3), checked against its body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes
from xml.sax.saxutils import unescape

from multidict import MultiMapping, istr

from virtcim.frontends.cimxml.decode import RequestFault
from virtcim.frontends.reading.raw import RawKey, RawPath, RawRequest

__all__ = ["check_against_body", "check_charset", "check_request_headers", "named_operation"]

CONTENT_TYPES = frozenset({"application/xml", "text/xml"})

_UTF_8 = frozenset({"", "utf-8", "utf8"})
_LIKE_ASCII = frozenset({"us-ascii", "ascii", "iso-8859-1", "latin1", "iso-8859-15", "windows-1252"})
"""Charsets in which a body of ASCII alone says the same as in UTF-8."""

_CODING = istr("Content-Encoding")
_OPERATION, _VERSION = istr("CIMOperation"), istr("CIMProtocolVersion")
_METHOD, _OBJECT, _BATCH = istr("CIMMethod"), istr("CIMObject"), istr("CIMBatch")

_SINGLE = (_OPERATION, _VERSION, _METHOD, _OBJECT)
"""Headers that have one value."""

QUOTES = {"&quot;": '"', "&apos;": "'"}

_KEY = re.compile(r'([^=,"]+)=("[^"\\]*(?:\\.[^"\\]*)*"|[^",]*)(?:,|\Z)', re.DOTALL)


def _mismatch(text: str) -> RequestFault:
    return RequestFault(400, "header-mismatch", text)


def check_request_headers(headers: MultiMapping[str]) -> None:
    """Check what can be checked before the body is read.

    Raises:
        RequestFault: with the status and the CIMError value that DSP0200 asks for.
    """
    coding = headers.get(_CODING)
    if coding is not None and coding.strip().lower() != "identity":
        raise RequestFault(415, None, "Compressed requests are not taken", {"Accept-Encoding": "identity"})
    for name in _SINGLE:
        values = headers.getall(name, ())
        if len(values) > 1 and len({value.strip() for value in values}) > 1:
            raise _mismatch(f"Header {name} is given twice, with different values")
    operation = headers.get(_OPERATION)
    if operation is None or operation.strip().lower() != "methodcall":
        raise RequestFault(400, "unsupported-operation", "CIMOperation: MethodCall is needed")
    version = headers.get(_VERSION)
    if version is not None and not version.strip().startswith("1."):
        raise RequestFault(501, "unsupported-protocol-version", "CIMProtocolVersion 1.x is supported")
    if _BATCH in headers:
        raise RequestFault(501, "multiple-requests-unsupported", "Send one operation in one message")
    for name in (_METHOD, _OBJECT):
        if not headers.get(name, "").strip():
            raise _mismatch(f"Header {name} is missing")


def check_charset(headers: Mapping[str, str], body: bytes) -> None:
    """Check that the charset in Content-Type is that of the body, which has to be UTF-8 (DSP0200 1.4, section 7.3).

    Raises:
        RequestFault: request-not-well-formed.
    """
    charset = _charset(headers.get("Content-Type", ""))
    if charset in _UTF_8 or (charset in _LIKE_ASCII and body.isascii()):
        return
    raise RequestFault(400, "request-not-well-formed", f"Content-Type has the charset {charset[:40]}; expected utf-8")


def _charset(content_type: str) -> str:
    """The charset in a Content-Type, in lower case; "" where it has none."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'").lower()
    return ""


def _decoded(value: str) -> str:
    """A header value without its %-escapes; raw UTF-8 in it is tolerated."""
    try:
        return unquote_to_bytes(value.strip().encode("utf-8", "surrogateescape")).decode("utf-8")
    except UnicodeDecodeError:
        raise _mismatch("A CIM header is not UTF-8") from None


def named_operation(headers: Mapping[str, str]) -> str:
    """Tell the operation or method that the headers name, in lower case.  Raises RequestFault for what is no UTF-8."""
    return _decoded(headers[_METHOD]).lower()


def check_against_body(headers: Mapping[str, str], request: RawRequest) -> None:
    """Check that the headers say what the body says.

    Raises:
        RequestFault: header-mismatch.
    """
    version = headers.get("CIMProtocolVersion")
    if version is not None and version.strip() != request.protocol_version:
        raise _mismatch("CIMProtocolVersion and PROTOCOLVERSION differ")
    if named_operation(headers) != request.operation.lower():
        raise _mismatch("CIMMethod does not name the method of the request")
    cim_object = headers["CIMObject"].strip()
    # Clients differ in what they escape: all, nothing (pywbem), or all but the keys (wbemcli).
    name, dot, keys = cim_object.partition(".")
    if not any(
        _names_target(text, request) for text in (_decoded(cim_object), cim_object, f"{_decoded(name)}{dot}{keys}")
    ):
        raise _mismatch("CIMObject does not name the target of the request")


def _names_target(text: str, request: RawRequest) -> bool:
    namespace, colon, model_path = text.partition(":")
    if namespace.strip("/").lower() != request.namespace.lower():
        return False
    target = request.target
    if target is None:
        return not colon
    class_name, dot, keys = model_path.partition(".")
    if class_name.lower() != target.class_name.lower():
        return False
    if not target.keys or not dot:
        return not target.keys and not dot
    return _same_keys(keys, target)


def _same_keys(text: str, target: RawPath) -> bool:
    """Whether the keys in a header are those of the body.

    A text that cannot be taken apart is let through: one client does not escape quotes in its values.  References
    are compared by name only.
    """
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _KEY.match(text, position)
        if match is None:
            return True
        found[match[1].strip().lower()] = match[2]
        position = match.end()
    wanted = {name.lower(): value for name, value in target.keys or () if name is not None}
    if not wanted:
        return True
    return found.keys() == wanted.keys() and all(_same_key(found[name], wanted[name]) for name in wanted)


def _same_key(text: str, value: RawKey | RawPath) -> bool:
    if isinstance(value, RawPath):
        return True
    if text.startswith('"'):
        inner = text[1:-1]
        # wbemcli puts a key into both header and XML as its user typed it, so that & has to be typed as &amp;
        return value.text in (inner, re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL), unescape(inner, QUOTES))
    return text.strip().lower() == value.text.strip().lower()
