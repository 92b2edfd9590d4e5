"""What is changed: instances are made, modified and deleted, and methods called.

Where the client asks for that (If-Match), an instance is changed only as it was seen.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from virtcim.cimom.core import Executor, execute_as
from virtcim.cimom.requests import (
    Attempt,
    CreateInstance,
    DeleteInstance,
    GetInstance,
    InvokeMethod,
    ModifyInstance,
    Request,
)
from virtcim.cimom.results import MethodOutcome, OneInstance, Path
from virtcim.frontends.reading.audited import audited_parameters, audited_target
from virtcim.frontends.reading.raw import RawInstance, RawNamedInstance, RawPath, RawRequest
from virtcim.frontends.reading.typed import TypedReader
from virtcim.frontends.rest.answers import Answer, Refusal, json_answer
from virtcim.frontends.rest.calls import Call, names_in
from virtcim.frontends.rest.listings import Listings
from virtcim.frontends.rest.targets import Targets, decoded, href
from virtcim.frontends.rest.values import RawValues, shown

__all__ = ["Changes"]

log = logging.getLogger(__name__)

LOCKS = 64
"""Locks of instances that are changed under a condition; two of them may share one."""


class Changes:
    """Carries out the calls that change something.

    Parameters:
        core: carries out requests.
        targets: reads the paths of URLs.
        listings: shows instances.
    """

    def __init__(self, core: Executor, targets: Targets, listings: Listings) -> None:
        self._core = core
        self._classes = core.classes
        self._targets = targets
        self._raw = RawValues(core.classes, targets)
        self._typed = TypedReader(core.classes)
        self._listings = listings
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def create(self, call: Call) -> Answer:
        """Create an instance."""
        body = call.members("class", "properties")
        name = body.get("class") if isinstance(body.get("class"), str) else ""

        def read() -> Request:
            instance = self._typed.instance_to_change(self._raw.instance(body))
            return CreateInstance(namespace=call.namespace, caller=call.caller, instance=instance)

        attempt = _attempt(call, "CreateInstance", [str(name)], lambda: [("NewInstance", self._untyped(body))])
        result = self._core.attempt(attempt, read)
        assert isinstance(result, Path)
        created = self._listings.named(result.path, result.namespace)
        return json_answer(created, 201, {"Location": href(result.path, result.namespace)})

    def modify(self, call: Call) -> Answer:
        """Change properties of an instance."""
        body = call.members("class", "path", "href", "namespace", "etag", "properties")
        target = self._raw_path(call)
        given = {"class": body.get("class", target.class_name), "properties": body.get("properties", {})}
        listed = call.query.get("properties")
        names = None if listed is None else names_in(listed)

        def read() -> Request:
            instance = self._typed.instance_to_change(self._raw.instance(given))
            path = self._typed.path(target)
            return ModifyInstance(
                namespace=call.namespace, caller=call.caller, path=path, instance=instance, properties=names
            )

        attempt = _attempt(
            call,
            "ModifyInstance",
            [target.class_name],
            lambda: [("ModifiedInstance", RawNamedInstance(target, self._untyped(given)))],
        )
        with self._unchanged(call):
            self._core.attempt(attempt, read)
        return Answer(204)

    def delete(self, call: Call) -> Answer:
        """Delete an instance."""
        target = self._raw_path(call)

        def read() -> Request:
            return DeleteInstance(namespace=call.namespace, caller=call.caller, path=self._typed.path(target))

        attempt = _attempt(call, "DeleteInstance", [target.class_name], lambda: [("InstanceName", target)])
        with self._unchanged(call):
            self._core.attempt(attempt, read)
        return Answer(204)

    def invoke_method(self, call: Call) -> Answer:
        """Call a method of an instance."""
        with self._unchanged(call):
            return self._invoke(call, self._raw_path(call), decoded(call.segments[6]))

    def invoke_class_method(self, call: Call) -> Answer:
        """Call a method of a class."""
        return self._invoke(call, RawPath(decoded(call.segments[3]), None), decoded(call.segments[5]))

    def _invoke(self, call: Call, target: RawPath, name: str) -> Answer:
        body = call.members("parameters")
        given = body.get("parameters", {})
        if not isinstance(given, dict):
            raise Refusal(400, "parameters: is no object; expected one with the value of each parameter")
        declaration = self._classes.get(target.class_name)
        method = declaration.methods.get(name.lower()) if declaration else None

        def read() -> Request:
            """What the class store does not know is left for the core to refuse."""
            arguments: Mapping[str, Any] = {}
            if method is not None:
                raw = tuple(
                    (each, self._raw.value(value, method.parameters.get(each.lower()))) for each, value in given.items()
                )
                arguments = self._typed.method_parameters(method, raw)
            named = target.class_name if target.keys is None or method is None else self._typed.path(target)
            return InvokeMethod(
                namespace=call.namespace, caller=call.caller, target=named, method=name, arguments=arguments
            )

        attempt = _attempt(
            call,
            name,
            [target.class_name],
            lambda: [(each.name, each.value) for each in (self._raw.loose(*pair) for pair in given.items())],
            target,
        )
        result = self._core.attempt(attempt, read)
        assert isinstance(result, MethodOutcome)
        out = {}
        for each, value in result.out.items():
            try:
                out[each] = shown(value, result.namespace)
            except (ValueError, TypeError) as exc:
                log.error("Output parameter %s of %s.%s: %s", each, result.class_name, result.method.name, exc)
        return json_answer({"ReturnValue": shown(result.return_value, result.namespace), "parameters": out})

    def _untyped(self, body: Mapping[str, Any]) -> RawInstance:
        """An instance as the audit log takes it, whatever it holds."""
        properties = body.get("properties")
        pairs = properties.items() if isinstance(properties, dict) else ()
        return RawInstance(str(body.get("class", "")), tuple(self._raw.loose(name, value) for name, value in pairs))

    @contextmanager
    def _unchanged(self, call: Call) -> Iterator[None]:
        """Hold others back from an instance that is to be changed only as it was seen.

        Raises:
            Refusal: 412 for one that is different now.
            CIMError: it cannot be read.
        """
        if not call.if_match:
            yield
            return
        with self._locks[hash(call.segments) % LOCKS]:
            self._require_tag(call)
            yield

    def _require_tag(self, call: Call) -> None:
        request = GetInstance(namespace=call.namespace, caller=call.caller, path=self._typed.path(self._raw_path(call)))
        wanted = {each.strip() for each in call.if_match.split(",")}
        tag = self._listings.tag(execute_as(self._core, request, OneInstance).instance)
        if "*" not in wanted and tag not in wanted:
            raise Refusal(412, "The instance has changed since it was read", {"ETag": tag})

    def _raw_path(self, call: Call) -> RawPath:
        return self._targets.path(call.segments[3], call.segments[4])


def _attempt(
    call: Call,
    operation: str,
    class_names: Sequence[str],
    parameters: Callable[[], list[tuple[str, Any]]],
    target: RawPath | None = None,
) -> Attempt:
    """What is known of a change before its values are read."""

    def raw() -> RawRequest:
        return RawRequest("", "", operation, target is not None, call.namespace, target, tuple(parameters()))

    return Attempt(
        operation,
        target is not None,
        call.namespace,
        call.caller,
        tuple(class_names),
        lambda: audited_target(raw()),
        lambda: audited_parameters(raw()),
    )
