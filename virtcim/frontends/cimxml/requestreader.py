"""From the structure of a CIM-XML message to a request with typed values."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import partial
from typing import Any

from virtcim.cimom.requests import Attempt, Caller, InvokeMethod, Request, SetProperty
from virtcim.frontends.cimxml.intrinsics import INTRINSICS, read_values
from virtcim.frontends.reading.audited import audited_parameters, audited_target
from virtcim.frontends.reading.raw import RawClassName, RawInstance, RawNamedInstance, RawPath, RawRequest
from virtcim.frontends.reading.typed import TypedReader
from virtcim.providers.interface import CIMError, Status
from virtcim.schema.classes import ClassStore

__all__ = ["RequestReader", "question_of"]

SIZED = frozenset(
    {
        *("enumerateinstances", "enumerateinstancenames", "execquery"),
        *("associators", "associatornames", "references", "referencenames"),
    }
)
"""Operations that are answered by all that there is at once."""


def question_of(raw: RawRequest) -> Hashable:
    """What a request asks for, as far as the size of its answer goes by that; None where it does not."""
    if raw.extrinsic or raw.operation.lower() not in SIZED:
        return None
    named = (value for _, value in raw.parameters if isinstance(value, RawClassName | str))
    return hash((raw.operation.lower(), raw.namespace, *_class_names(raw), *named))


class RequestReader:
    """Reads requests.

    Parameters:
        classes: the class store.
    """

    def __init__(self, classes: ClassStore) -> None:
        self._classes = classes
        self._typed = TypedReader(classes)

    def attempt(self, raw: RawRequest, caller: Caller) -> Attempt:
        """What is known of a request without reading its values."""
        operation = INTRINSICS.get(raw.operation.lower())
        if not raw.extrinsic and operation is not None and not operation.request.changes:
            return Attempt(raw.operation, False, raw.namespace, caller)
        return Attempt(
            raw.operation,
            raw.extrinsic,
            raw.namespace,
            caller,
            tuple(_class_names(raw)),
            partial(audited_target, raw),
            partial(audited_parameters, raw),
        )

    def read(self, raw: RawRequest, caller: Caller) -> Request:
        """The request.

        Raises:
            CIMError: NOT_SUPPORTED for an unknown operation; INVALID_PARAMETER, INVALID_CLASS or TYPE_MISMATCH for
                values that do not fit.
        """
        if raw.extrinsic:
            return self._method(raw, caller)
        operation = INTRINSICS.get(raw.operation.lower())
        if operation is None:
            raise CIMError(Status.NOT_SUPPORTED, f"Operation {raw.operation} is not supported")
        values = read_values(operation, raw.parameters, self._typed)
        if operation.request is SetProperty:
            values["newvalue"] = self._new_value(values)
        return operation.make(values, namespace=raw.namespace, caller=caller)

    def _new_value(self, values: dict[str, Any]) -> Any:
        declaration = self._classes.get(values["instancename"].class_name)
        declared = declaration.properties.get(values["propertyname"].lower()) if declaration else None
        if declared is None:
            return None
        try:
            return self._typed.value(values["newvalue"], declared)
        except CIMError as exc:
            raise CIMError(Status.TYPE_MISMATCH, exc.description) from None

    def _method(self, raw: RawRequest, caller: Caller) -> InvokeMethod:
        """A method.  What the class store does not know of it is left for the core to refuse."""
        assert raw.target is not None
        declaration = self._classes.get(raw.target.class_name)
        method = declaration.methods.get(raw.operation.lower()) if declaration else None
        # SFCC calls a method of a class on an instance without any key.
        target = self._typed.path(raw.target) if raw.target.keys and method is not None else raw.target.class_name
        arguments = {} if method is None else self._typed.method_parameters(method, raw.parameters)
        return InvokeMethod(
            namespace=raw.namespace, caller=caller, target=target, method=raw.operation, arguments=arguments
        )


def _class_names(raw: RawRequest) -> Iterator[str]:
    """The classes of all that a request names."""
    if raw.target is not None:
        yield raw.target.class_name
    elif not raw.extrinsic:
        for _, value in raw.parameters:
            if isinstance(value, RawNamedInstance):
                yield value.path.class_name
            elif isinstance(value, RawPath | RawInstance):
                yield value.class_name
