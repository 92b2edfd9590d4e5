"""A request as it was sent: names and values without types, which come from the class declarations (`typed`)."""

from __future__ import annotations

from typing import Any

from virtcim.immutable import immutable

__all__ = [
    "MAX_NESTING",
    "RawClassName",
    "RawInstance",
    "RawKey",
    "RawNamedInstance",
    "RawPath",
    "RawProperty",
    "RawRequest",
    "RawUnsupported",
]

MAX_NESTING = 16
"""References in keys of references, and embedded instances in embedded instances: real ones have two levels."""


@immutable
class RawKey:
    """KEYVALUE: its text, VALUETYPE in lower case, and TYPE ("" when absent)."""

    text: str
    value_type: str
    cim_type: str


@immutable
class RawPath:
    """INSTANCENAME, CLASSNAME and the paths around them.  `keys` is None for a class; a key name may be None."""

    class_name: str
    keys: tuple[tuple[str | None, RawKey | RawPath], ...] | None
    namespace: str | None = None


@immutable
class RawClassName:
    """CLASSNAME."""

    name: str


@immutable
class RawProperty:
    """PROPERTY and its kin; `value` is as `RawRequest.parameters` describes."""

    name: str
    value: Any


@immutable
class RawInstance:
    """INSTANCE, its qualifiers left out."""

    class_name: str
    properties: tuple[RawProperty, ...]


@immutable
class RawNamedInstance:
    """VALUE.NAMEDINSTANCE."""

    path: RawPath
    instance: RawInstance


@immutable
class RawUnsupported:
    """An element that only operations have that are not supported (CLASS, QUALIFIER.DECLARATION)."""

    tag: str


@immutable
class RawRequest:
    """One CIM-XML operation request.

    Attributes:
        message_id: to be given back.
        protocol_version: PROTOCOLVERSION of the message.
        operation: name of the intrinsic operation or extrinsic method.
        extrinsic: whether it is a METHODCALL.
        namespace: target namespace as sent, without outer slashes.
        target: of a METHODCALL, the instance or class.
        parameters: pairs of name and value, as sent: `str` for VALUE, `list` for arrays (None where VALUE.NULL
            stands), None for nothing, or one of the Raw classes here.
    """

    message_id: str
    protocol_version: str
    operation: str
    extrinsic: bool
    namespace: str
    target: RawPath | None
    parameters: tuple[tuple[str, Any], ...]
