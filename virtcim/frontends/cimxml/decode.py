"""From the bytes of a request to its structure (DSP0203 2.4; DSP0200 1.4, sections 6 and 7).

What comes out is still untyped: the types of values come from the class declarations, see `frontends.reading.typed`.

Structure is checked; what clients add or leave out in the field is tolerated: missing PARAMTYPE, CORRELATOR, and in
elements what `frontends.reading.elements` names.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from virtcim.frontends.http.exchange import HTTPFault
from virtcim.frontends.reading.elements import (
    VALUES,
    NotValidError,
    NotWellFormedError,
    TooManyElementsError,
    UnreadableError,
    attribute,
    local_namespace,
    only_child,
    parse,
    path,
    required_child,
    unexpected,
)
from virtcim.frontends.reading.raw import RawRequest

__all__ = ["RequestFault", "decode_request"]


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


_FAULTS: dict[type[UnreadableError], tuple[int, str | None]] = {
    NotWellFormedError: (400, "request-not-well-formed"),
    NotValidError: (400, "request-not-valid"),
    TooManyElementsError: (413, None),
}
"""The HTTP status and the CIMError value for what cannot be read."""


def _parameters(elements: list[etree._Element], tag: str) -> tuple[tuple[str, Any], ...]:
    parameters = []
    for element in elements:
        if element.tag != tag:
            raise NotValidError(f"{tag} expected, not {element.tag}")
        child = only_child(element)
        if child is None:
            value = None
        elif child.tag in VALUES:
            value = VALUES[child.tag](child, 0)
        else:
            raise unexpected(element, child)
        parameters.append((attribute(element, "NAME"), value))
    return tuple(parameters)


def _versions(root: etree._Element) -> None:
    if root.tag != "CIM":
        raise NotValidError(f"CIM expected, not {root.tag}")
    if not attribute(root, "CIMVERSION").startswith("2."):
        raise RequestFault(501, "unsupported-cim-version", "CIMVERSION 2.x is supported")
    if not attribute(root, "DTDVERSION").startswith("2."):
        raise RequestFault(501, "unsupported-dtd-version", "DTDVERSION 2.x is supported")


def _simple_request(message: etree._Element) -> etree._Element:
    request = required_child(message)
    if request.tag == "MULTIREQ":
        raise RequestFault(501, "multiple-requests-unsupported", "Send one operation in one message")
    if request.tag in {"SIMPLEEXPREQ", "MULTIEXPREQ"}:
        raise RequestFault(400, "unsupported-operation", "This server is not a listener and takes no exports")
    if request.tag != "SIMPLEREQ":
        raise unexpected(message, request)
    calls = [child for child in request if child.tag != "CORRELATOR"]
    if len(calls) != 1:
        raise NotValidError("SIMPLEREQ needs one METHODCALL or IMETHODCALL")
    return calls[0]


def decode_request(body: bytes, max_elements: int = 50_000) -> RawRequest:
    """Read a CIM-XML operation request.

    Parameters:
        body: the request, UTF-8.
        max_elements: refuse requests with more elements than this.

    Raises:
        RequestFault: with the status and CIMError value of DSP0200 1.4, section 7.3.2.
    """
    try:
        return _request(parse(body, max_elements))
    except UnreadableError as error:
        status, cim_error = _FAULTS[type(error)]
        raise RequestFault(status, cim_error, str(error)) from None


def _request(root: etree._Element) -> RawRequest:
    _versions(root)
    message = required_child(root)
    if message.tag != "MESSAGE":
        raise unexpected(root, message)
    message_id = attribute(message, "ID")
    version = attribute(message, "PROTOCOLVERSION")
    if not version.startswith("1."):
        raise RequestFault(501, "unsupported-protocol-version", "PROTOCOLVERSION 1.x is supported")
    call = _simple_request(message)
    children = list(call)
    if call.tag == "IMETHODCALL":
        if not children or children[0].tag != "LOCALNAMESPACEPATH":
            raise NotValidError("IMETHODCALL needs a LOCALNAMESPACEPATH")
        return RawRequest(
            message_id,
            version,
            attribute(call, "NAME"),
            False,
            local_namespace(children[0]),
            None,
            _parameters(children[1:], "IPARAMVALUE"),
        )
    if call.tag == "METHODCALL":
        if not children or children[0].tag not in {"LOCALCLASSPATH", "LOCALINSTANCEPATH"}:
            raise NotValidError("METHODCALL needs a LOCALCLASSPATH or a LOCALINSTANCEPATH")
        target = path(children[0])
        return RawRequest(
            message_id,
            version,
            attribute(call, "NAME"),
            True,
            target.namespace or "",
            target,
            _parameters(children[1:], "PARAMVALUE"),
        )
    raise NotValidError(f"SIMPLEREQ cannot hold {call.tag}")
