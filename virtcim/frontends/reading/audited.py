"""A CIM-XML request as the audit log takes it: decoded values by name, before anything is known of their types.

The audit log has to tell what was asked for also where a request is refused before it is typed.  Nothing is known of
classes here: a string is an embedded instance if it reads as one, and is shown as text only if it could be none.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from virtcim.cimom.audit import ITEM_LIMIT, Undecoded
from virtcim.frontends.reading.elements import decode_instance
from virtcim.frontends.reading.raw import (
    MAX_NESTING,
    RawClassName,
    RawInstance,
    RawKey,
    RawNamedInstance,
    RawPath,
    RawRequest,
)
from virtcim.providers.interface import EmbeddedInstance, InstancePath

__all__ = ["audited_parameters", "audited_target"]

TEXT_LIMIT = 64 * 1024
"""Characters of an embedded instance that is decoded for the audit log: those of a guest have some thousand."""

TOTAL_LIMIT = 256 * 1024
"""Characters of all embedded instances of a request that are decoded."""

_TAKEN = ITEM_LIMIT + 1
"""Items taken over of each kind: those that the audit log shows, and one for it to see that there are more."""


def audited_target(request: RawRequest) -> InstancePath | str:
    """What a request is applied to: the path of an instance or the name of a class, "" where it names none."""
    if request.target is not None:
        return _path(request.target)
    for _, value in islice(request.parameters, _TAKEN):
        if isinstance(value, RawPath):
            return _path(value)
        if isinstance(value, RawNamedInstance):
            return _path(value.path)
    return ""


def audited_parameters(request: RawRequest) -> dict[str, Any]:
    """The parameters of a request, in the form that `cimom.audit.Change` takes.

    That of SetProperty is named by the property: only that name tells whether the value is a secret.
    """
    decoder = _Decoder()
    parameters = [(name, decoder.value(raw)) for name, raw in islice(request.parameters, _TAKEN)]
    if request.operation.lower() == "setproperty":
        names = ",".join(str(value) for name, value in parameters if name.lower() == "propertyname")
        parameters = [(names, value) for name, value in parameters if name.lower() == "newvalue"]
    return dict(parameters)


def _path(raw: RawPath) -> InstancePath | str:
    if raw.keys is None:
        return raw.class_name
    keys = {
        name or "": _path(value) if isinstance(value, RawPath) else value.text
        for name, value in islice(raw.keys, _TAKEN)
    }
    return InstancePath(raw.class_name, keys, raw.namespace)


class _Decoder:
    """Turns the values of one request into plain ones."""

    def __init__(self) -> None:
        self._room = TOTAL_LIMIT

    def value(self, raw: Any, depth: int = 0) -> Any:
        """A parameter or property, `depth` instances inside of others."""
        match raw:
            case None:
                return None
            case str():
                return self._text(raw, depth)
            case list():
                return [self.value(each, depth) for each in islice(raw, _TAKEN)]
            case RawPath():
                return _path(raw)
            case RawInstance():
                return self._instance(raw, depth)
            case RawNamedInstance():
                return {"path": _path(raw.path), "instance": self._instance(raw.instance, depth)}
            case RawClassName():
                return raw.name
            case RawKey():
                return raw.text
        return Undecoded(0)

    def _instance(self, raw: RawInstance, depth: int) -> EmbeddedInstance:
        properties = {each.name: self.value(each.value, depth + 1) for each in islice(raw.properties, _TAKEN)}
        return EmbeddedInstance(raw.class_name, properties)

    def _text(self, text: str, depth: int) -> Any:
        start = text[:TEXT_LIMIT]
        is_markup = "<" in start
        if not is_markup and not ("{" in start and "instance" in start.lower()):
            return text
        if len(text) > min(TEXT_LIMIT, self._room) or depth >= MAX_NESTING:
            return Undecoded(len(text))
        self._room -= len(text)
        # Here, since hardly a client sends MOF, and the library of its grammar is large.
        from virtcim.frontends.reading.mofvalue import parse_mof_instance

        try:
            is_xml = is_markup and text.lstrip().startswith("<")
            raw = decode_instance(text.strip()) if is_xml else parse_mof_instance(text)
        except ValueError:
            return Undecoded(len(text))
        return self._instance(raw, depth)
