"""The bridge protocol: frames of CBOR (RFC 8949), as `library/wire.h` declares them and docs/cmpi.md describes them.

Whatever is not listed there is refused, in both directions.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable
from typing import Any

import cbor2

from virtcim.immutable import immutable

__all__ = [
    "FRAME_LIMIT",
    "PROTOCOL_NAME",
    "PROTOCOL_VERSION",
    "Answer",
    "Filter",
    "Operation",
    "ProtocolError",
    "Request",
    "ShapeFlag",
    "Value",
    "WireInstance",
    "WirePath",
    "answer_frame",
    "array_head",
    "error_frame",
    "frame",
    "greeting",
    "integer",
    "peer_version",
    "read_body",
    "read_filters",
    "read_request",
    "type_code",
]

PROTOCOL_NAME = "virtcim-cmpi"
PROTOCOL_VERSION = 2
FRAME_LIMIT = 4 * 1024 * 1024
"""Bytes of a frame's body, in both directions."""

MAX_DEPTH = 8
"""Of references and embedded instances in one another; real ones need two."""

ARRAY = 0x2000
_CODES = {
    "boolean": 0x0002,
    "char16": 0x0003,
    "real32": 0x0008,
    "real64": 0x000C,
    "uint8": 0x0080,
    "uint16": 0x0090,
    "uint32": 0x00A0,
    "uint64": 0x00B0,
    "sint8": 0x00C0,
    "sint16": 0x00D0,
    "sint32": 0x00E0,
    "sint64": 0x00F0,
    "instance": 0x1000,
    "reference": 0x1100,
    "string": 0x1600,
    "datetime": 0x1800,
}
_TYPES = {code: name for name, code in _CODES.items()}


class ProtocolError(Exception):
    """What came is not the bridge protocol."""


class Operation(enum.IntEnum):
    """What a request asks for."""

    ENUMERATE_NAMES = 1
    ENUMERATE = 2
    GET = 3
    CREATE = 4
    MODIFY = 5
    DELETE = 6
    QUERY = 7
    ASSOCIATORS = 8
    ASSOCIATOR_NAMES = 9
    REFERENCES = 10
    REFERENCE_NAMES = 11
    INVOKE = 12
    AUTHORIZE = 13
    LISTEN = 14
    TAKEN = 15


class Answer(enum.IntEnum):
    """What a frame of an answer holds."""

    DONE = 0
    ERROR = 1
    SHAPE = 2
    OBJECTS = 3
    VALUE = 4
    OUT = 5
    INDICATION = 6


class ShapeFlag(enum.IntFlag):
    """What the library has to know of a property."""

    KEY = 1
    HAS_DEFAULT = 2


@immutable
class Value:
    """A typed value of a request.

    `type` is a CIM type, `reference` or `instance`.  `value` is a plain Python value (datetimes and char16 as in
    CMPI: text and number), `WirePath`, `WireInstance`, a list of these, or None.
    """

    type: str
    is_array: bool
    value: Any


@immutable
class WirePath:
    """The path of an instance, or of a class when it has no keys."""

    namespace: str | None
    class_name: str
    keys: tuple[tuple[str, Value], ...]


@immutable
class WireInstance:
    """An instance in a request."""

    class_name: str
    properties: tuple[tuple[str, Value], ...]


@immutable
class Filter:
    """An active filter of indications."""

    provider: str
    principal: str
    namespace: str
    class_name: str
    query: str


@immutable
class Request:
    """One request.

    Attributes:
        provider: the name by which the CIM server knows the provider.
        principal: who asks; "" when the CIM server does not authenticate.
        path: of the object, or None.
        arguments: as the operation has them; names are tuples, instances and parameters are read.
    """

    operation: Operation
    provider: str
    principal: str
    path: WirePath | None
    arguments: tuple[Any, ...]


def type_code(cim_type: str, is_array: bool, embedded: bool) -> int:
    """The number of a type; embedded instances are declared as strings and travel as instances."""
    return _CODES["instance" if embedded else cim_type] | (ARRAY if is_array else 0)


def array_head(count: int) -> bytes:
    """The CBOR header of an array."""
    return _head(0x80, count)


def integer(number: int) -> bytes:
    """The CBOR form of a non-negative integer."""
    return _head(0x00, number)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes((major | number,))
    if number < 0x100:
        return struct.pack(">BB", major | 24, number)
    if number < 0x10000:
        return struct.pack(">BH", major | 25, number)
    return struct.pack(">BI", major | 26, number)


def frame(body: bytes) -> bytes:
    """A body as a frame.

    Raises:
        ValueError: when it is larger than `FRAME_LIMIT`.
    """
    if len(body) > FRAME_LIMIT:
        raise ValueError(f"A frame of {len(body)} bytes is larger than {FRAME_LIMIT}")
    return len(body).to_bytes(4, "big") + body


def answer_frame(kind: Answer, *parts: Any) -> bytes:
    """A frame of an answer.  Raises ValueError when it is larger than `FRAME_LIMIT`."""
    return frame(cbor2.dumps([int(kind), *parts]))


def error_frame(status: int, text: str) -> bytes:
    """The frame that ends an answer with a CIM status code and a text for the client."""
    return answer_frame(Answer.ERROR, int(status), text.encode("utf-8", "replace").decode().replace("\0", "\ufffd"))


def greeting(text: str, version: int = PROTOCOL_VERSION) -> bytes:
    """The frame that both sides send first; `text` says which release speaks."""
    return frame(cbor2.dumps([PROTOCOL_NAME, version, text]))


def read_body(body: bytes) -> list[Any]:
    """The array in a frame's body, unchecked within.

    Raises:
        ProtocolError: when it is no CBOR array.
    """
    try:
        item = cbor2.loads(body)
    except Exception as exc:  # the decoder's errors are of many kinds, RecursionError among them
        raise ProtocolError(f"no CBOR: {exc}") from None
    return _list(item)


def peer_version(body: bytes) -> int:
    """The protocol version in a greeting.  Raises ProtocolError."""
    parts = read_body(body)
    if len(parts) < 2 or parts[0] != PROTOCOL_NAME:
        raise ProtocolError("no greeting")
    return _number(parts[1])


def read_request(body: bytes) -> Request:
    """The request in a frame's body.  Raises ProtocolError."""
    parts = read_body(body)
    if len(parts) != 5:
        raise ProtocolError("a request has five parts")
    try:
        operation = Operation(_number(parts[0]))
    except ValueError:
        raise ProtocolError(f"no operation {parts[0]}") from None
    arguments = _list(parts[4])
    readers = _ARGUMENTS.get(operation)
    if readers is None:
        read = tuple(arguments)
    elif len(arguments) != len(readers):
        raise ProtocolError(f"{operation.name} has {len(readers)} arguments, not {len(arguments)}")
    else:
        read = tuple(reader(argument) for reader, argument in zip(readers, arguments, strict=True))
    path = None if parts[3] is None else _path(parts[3], 0)
    return Request(operation, _text(parts[1]), _text_or_none(parts[2]) or "", path, read)


def read_filters(request: Request) -> list[Filter]:
    """The filters of a LISTEN request.  Raises ProtocolError."""
    filters = []
    for each in request.arguments:
        parts = [_text(part) for part in _list(each)]
        if len(parts) != 5:
            raise ProtocolError("a filter has five parts")
        filters.append(Filter(*parts))
    return filters


def _list(item: Any) -> list[Any]:
    if type(item) is not list:
        raise ProtocolError("an array is due")
    return item


def _number(item: Any) -> int:
    if type(item) is not int:
        raise ProtocolError("an integer is due")
    return item


def _text(item: Any) -> str:
    if type(item) is not str:
        raise ProtocolError("a text is due")
    return item


def _text_or_none(item: Any) -> str | None:
    return None if item is None else _text(item)


def _names(item: Any) -> tuple[str, ...] | None:
    return None if item is None else tuple(_text(each) for each in _list(item))


def _named(item: Any, depth: int = 0) -> tuple[tuple[str, Value], ...]:
    """A list of [name, type, value]."""
    values = []
    for each in _list(item):
        parts = _list(each)
        if len(parts) != 3:
            raise ProtocolError("a named value has three parts")
        values.append((_text(parts[0]), _value(_number(parts[1]), parts[2], depth)))
    return tuple(values)


def _value(code: int, item: Any, depth: int) -> Value:
    name = _TYPES.get(code & ~ARRAY)
    if name is None:
        raise ProtocolError(f"no type 0x{code:x}")
    if item is None:
        return Value(name, bool(code & ARRAY), None)
    if code & ARRAY:
        return Value(name, True, [None if each is None else _scalar(name, each, depth) for each in _list(item)])
    return Value(name, False, _scalar(name, item, depth))


def _scalar(name: str, item: Any, depth: int) -> Any:
    if name == "reference":
        return _path(item, depth + 1)
    if name == "instance":
        return _instance(item, depth + 1)
    if name in ("string", "datetime"):
        return _text(item)
    if type(item) is not (bool if name == "boolean" else float if name.startswith("real") else int):
        raise ProtocolError(f"no {name}: {type(item).__name__}")
    return item


def _path(item: Any, depth: int) -> WirePath:
    parts = _list(item)
    if len(parts) != 3 or depth > MAX_DEPTH:
        raise ProtocolError("no path")
    return WirePath(_text_or_none(parts[0]), _text(parts[1]), _named(parts[2], depth))


def _instance(item: Any, depth: int = 0) -> WireInstance:
    parts = _list(item)
    if len(parts) != 2 or depth > MAX_DEPTH:
        raise ProtocolError("no instance")
    return WireInstance(_text(parts[0]), _named(parts[1], depth))


_ARGUMENTS: dict[Operation, tuple[Callable[[Any], Any], ...]] = {
    Operation.ENUMERATE_NAMES: (),
    Operation.ENUMERATE: (_names,),
    Operation.GET: (_names,),
    Operation.CREATE: (_instance,),
    Operation.MODIFY: (_instance, _names),
    Operation.DELETE: (),
    Operation.QUERY: (_text, _text_or_none),
    Operation.ASSOCIATORS: (_text_or_none, _text_or_none, _text_or_none, _text_or_none, _names),
    Operation.ASSOCIATOR_NAMES: (_text_or_none, _text_or_none, _text_or_none, _text_or_none),
    Operation.REFERENCES: (_text_or_none, _text_or_none, _names),
    Operation.REFERENCE_NAMES: (_text_or_none, _text_or_none),
    Operation.INVOKE: (_text, _named),
    Operation.AUTHORIZE: (_text, _text_or_none, _text),
    Operation.TAKEN: (),
}
"""How the arguments of each operation are read; LISTEN has any number of them."""
