"""What each URL means: from a call to requests of the core, and from their results to JSON.

Nothing here waits for the network, so that several calls can be carried out for one request.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from virtcim.cimom.core import Executor, execute_as
from virtcim.cimom.requests import (
    AssociatorClassPaths,
    AssociatorNames,
    Associators,
    Attempt,
    CloseEnumeration,
    CreateInstance,
    DeleteInstance,
    EnumerateClassNames,
    EnumerateInstanceNames,
    EnumerateInstances,
    ExecQuery,
    GetClass,
    GetInstance,
    InvokeMethod,
    ModifyInstance,
    OpenAssociatorInstances,
    OpenEnumerateInstances,
    Opening,
    OpenReferenceInstances,
    Projection,
    PullInstancesWithPath,
    ReferenceClassPaths,
    ReferenceNames,
    References,
    Request,
)
from virtcim.cimom.results import (
    Batch,
    Classes,
    ClassNames,
    Extents,
    Instances,
    MethodOutcome,
    OneInstance,
    Path,
)
from virtcim.frontends.http.exchange import methods_beside
from virtcim.frontends.reading.audited import audited_parameters, audited_target
from virtcim.frontends.reading.raw import RawInstance, RawNamedInstance, RawPath, RawRequest
from virtcim.frontends.reading.typed import TypedReader
from virtcim.frontends.rest.answers import Answer, Refusal, error_answer, json_answer, listed, refused
from virtcim.frontends.rest.calls import READ, Call, names_in
from virtcim.frontends.rest.schema import class_shown, class_summary
from virtcim.frontends.rest.summaries import SUMMARY_METHOD, Summaries
from virtcim.frontends.rest.targets import Targets, decoded, href, namespace_href
from virtcim.frontends.rest.values import RawValues, shown, shown_properties
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, Instance, InstancePath, Status

__all__ = ["Operation", "Operations"]

log = logging.getLogger(__name__)

WQL = "WQL"

LOCKS = 64
"""Locks of instances that are changed under a condition; two of them may share one."""


@immutable
class Operation:
    """What a URL means.

    Attributes:
        method: GET, POST, ...
        pattern: the segments; `*` for any.
        carry_out: answers.
        query: the parameters that it takes.
        operation: name in DSP0200, for statistics.
        single: whether it reads one instance.
        asks: whether it may ask the hypervisor though it changes nothing.
    """

    method: str
    pattern: tuple[str, ...]
    carry_out: Callable[[Call], Answer]
    query: frozenset[str] = frozenset()
    operation: str = ""
    single: bool = False
    asks: bool = False

    @property
    def waits(self) -> bool:
        """Whether it may wait for the hypervisor."""
        return self.method != "GET" or self.asks

    def fits(self, segments: Sequence[str]) -> bool:
        """Whether a path is one of the pattern."""
        return len(segments) == len(self.pattern) and all(
            part in ("*", segment) for part, segment in zip(self.pattern, segments, strict=True)
        )


ENDS = ("associationClass", "resultClass", "role", "resultRole")
LINKS = ("associationClass", "role")
SUMMARY = frozenset({"screens", "width", "history", "guests", "max", "after", "columns"})


class Operations:
    """Carries out calls.  Safe to use from several threads at once.

    Parameters:
        core: carries out requests.
        max_objects: instances of one page.
    """

    def __init__(self, core: Executor, max_objects: int) -> None:
        self._core = core
        self._classes = core.classes
        self._max_objects = max_objects
        self._targets = Targets(core.classes)
        self._raw = RawValues(core.classes, self._targets)
        self._typed = TypedReader(core.classes)
        self._salt = secrets.randbits(64)
        summaries = Summaries(core)
        self._locks = [threading.Lock() for _ in range(LOCKS)]
        place, classes = ("namespaces", "*"), ("namespaces", "*", "classes")
        instances = ("namespaces", "*", "instances")
        one = (*instances, "*", "*")
        self.all: list[Operation] = [
            _get((), self._root),
            _get(("namespaces",), self._root),
            _get(place, self._place),
            _get(classes, self._class_names, "superclass", "deep", operation="EnumerateClassNames"),
            _get((*classes, "*"), self._class, operation="GetClass"),
            _get((*classes, "*", "associators"), self._associated_classes, *ENDS, operation="AssociatorNames"),
            _get((*classes, "*", "references"), self._referring_classes, *LINKS, operation="ReferenceNames"),
            _get((*classes, "*", "instances"), self._enumerate, *READ, operation="EnumerateInstances"),
            Operation("POST", (*classes, "*", "methods", "*"), self._class_method, operation="InvokeMethod"),
            Operation("GET", (*place, "summary"), summaries.answer, SUMMARY, "InvokeMethod", asks=True),
            _get((*place, "query"), self._query, "query", "language", operation="ExecQuery"),
            _get((*place, "pages", "*"), self._next_page, "max", operation="PullInstancesWithPath"),
            Operation("DELETE", (*place, "pages", "*"), self._close, operation="CloseEnumeration"),
            Operation("POST", instances, self._create, operation="CreateInstance"),
            Operation("GET", one, self._instance, frozenset({"properties"}), "GetInstance", single=True),
            Operation("PATCH", one, self._modify, frozenset({"properties"}), "ModifyInstance"),
            Operation("DELETE", one, self._delete, operation="DeleteInstance"),
            _get((*one, "associators"), self._associators, *READ[:-1], *ENDS, operation="Associators"),
            _get((*one, "references"), self._references, *READ[:-1], *LINKS, operation="References"),
            Operation("POST", (*one, "methods", "*"), self._method, operation="InvokeMethod"),
        ]

    def find(self, method: str, segments: Sequence[str]) -> Operation:
        """Find what a method and a path mean.

        Raises:
            Refusal: 404 for nothing; 405 for another method.
        """
        found = [each for each in self.all if each.fits(segments)]
        if not found:
            raise Refusal(404, f"/api/{'/'.join(segments)[:200]}: there is no such resource; /api/ lists what there is")
        for each in found:
            if each.method == method:
                return each
        allowed = ", ".join(name for each in found for name in methods_beside(each.method))
        raise Refusal(405, f"{method}: is not supported here; expected {allowed}", {"Allow": allowed})

    def carry_out(self, call: Call) -> Answer:
        """Carry out a call; what is wrong with it is answered as well."""
        try:
            operation = self.find(call.method, call.segments)
        except Refusal as exc:
            return refused(exc.status, exc.text, exc.headers)
        try:
            for name in call.query:
                if name not in operation.query:
                    expected = ", ".join(sorted(operation.query)) or "none"
                    raise Refusal(400, f"{name[:60]}: is no parameter of this URL; expected {expected}")
            answer = operation.carry_out(call)
        except CIMError as exc:
            answer = error_answer(exc)
        except Refusal as exc:
            return refused(exc.status, exc.text, exc.headers)
        extrinsic = operation.operation == "InvokeMethod"
        name = SUMMARY_METHOD if operation.asks else call.segments[-1] if extrinsic else operation.operation
        return replace(answer, operation=name, extrinsic=extrinsic)

    def _root(self, call: Call) -> Answer:
        """List the namespaces that the caller may read."""
        access, principal = self._core.access, call.caller.principal
        names = [each.name for each in self._core.namespaces if access.may_read(principal, each.name)]
        return json_answer(
            {
                "namespaces": [{"name": name, "href": namespace_href(name)} for name in names],
                "session": "/api/session",
                "batch": "/api/batch",
                "events": "/api/events",
                "alerts": "/api/alerts",
                "description": "/api/openapi.json",
            }
        )

    def _place(self, call: Call) -> Answer:
        """Tell of a namespace."""
        namespace = self._core.namespaces[call.namespace]
        self._core.access.require(
            call.caller.principal, namespace.name, self._core.access.needed("EnumerateClassNames", False), "read"
        )
        base = namespace_href(namespace.name)
        links = {name: f"{base}/{name}" for name in ("classes", "instances", "query", "summary")}
        return json_answer({"name": namespace.name, "href": base, **links})

    def _class_names(self, call: Call) -> Answer:
        """List classes, each with what a tree of them needs."""
        superclass = call.query.get("superclass") or None
        result = execute_as(
            self._core,
            EnumerateClassNames(
                namespace=call.namespace,
                caller=call.caller,
                class_name=superclass,
                deep=call.flag("deep", default=True),
            ),
            ClassNames,
        )
        namespace = self._core.namespaces[result.namespace]
        found = (class_summary(self._classes[name], namespace, result.namespace) for name in result.names)
        return Answer(pieces=listed("classes", found))

    def _class(self, call: Call) -> Answer:
        """Show a class, with the roles that its methods need."""
        request = GetClass(namespace=call.namespace, caller=call.caller, class_name=decoded(call.segments[3]))
        result = execute_as(self._core, request, Classes)
        namespace = self._core.namespaces[result.namespace]
        return json_answer(class_shown(result.classes[0], namespace, self._core.access))

    def _associated_classes(self, call: Call) -> Answer:
        """List the classes that the schema lets be associated with a class."""
        request = AssociatorClassPaths(
            namespace=call.namespace, caller=call.caller, class_name=decoded(call.segments[3]), filter=call.ends()
        )
        return json_answer({"classes": [{"class": name} for name in execute_as(self._core, request, ClassNames).names]})

    def _referring_classes(self, call: Call) -> Answer:
        """List the classes of associations that the schema lets a class have."""
        request = ReferenceClassPaths(
            namespace=call.namespace, caller=call.caller, class_name=decoded(call.segments[3]), filter=call.ends()
        )
        return json_answer({"classes": [{"class": name} for name in execute_as(self._core, request, ClassNames).names]})

    def _enumerate(self, call: Call) -> Answer:
        """List the instances of a class and of those below it."""
        place: dict[str, Any] = {
            "namespace": call.namespace,
            "caller": call.caller,
            "class_name": decoded(call.segments[3]),
        }
        if call.is_of_names():
            return self._names(execute_as(self._core, EnumerateInstanceNames(**place), Extents))
        projection, deep = call.projection(), call.flag("deep", default=True)
        if "max" in call.query or "filter" in call.query:
            opened = OpenEnumerateInstances(**place, deep=deep, projection=projection, opening=self._opening(call))
            return self._page(execute_as(self._core, opened, Batch), call)
        request = EnumerateInstances(**place, deep=deep, projection=projection)
        result = execute_as(self._core, request, Extents)
        return self._listing(result.namespace, result.instances, result.projection)

    def _opening(self, call: Call) -> Opening:
        text = call.query.get("filter")
        language = call.query.get("language", "DMTF:FQL") if text is not None else call.query.get("language")
        return Opening(language, text, max_objects=self._most(call))

    def _most(self, call: Call) -> int:
        """The instances of a page."""
        return min(call.number("max", 10**9), self._max_objects) if "max" in call.query else self._max_objects

    def _page(self, batch: Batch, call: Call) -> Answer:
        """Show the instances of a page, and where the next one is."""
        following = None
        if batch.context is not None:
            size = f"?max={self._most(call)}"
            following = f"{namespace_href(batch.namespace)}/pages/{quote(batch.context, safe='')}{size}"
        return self._listing(batch.namespace, batch.instances, batch.projection, next=following)

    def _next_page(self, call: Call) -> Answer:
        """List the instances of the next page."""
        request = PullInstancesWithPath(
            namespace=call.namespace,
            caller=call.caller,
            context=decoded(call.segments[3]),
            max_objects=self._most(call),
        )
        return self._page(execute_as(self._core, request, Batch), call)

    def _close(self, call: Call) -> Answer:
        """Give up the pages that are left."""
        self._core.execute(
            CloseEnumeration(namespace=call.namespace, caller=call.caller, context=decoded(call.segments[3]))
        )
        return Answer(204)

    def _query(self, call: Call) -> Answer:
        """Carry out a query, whose results need not be whole instances."""
        if "query" not in call.query:
            raise Refusal(400, "query: is missing; expected a select statement")
        request = ExecQuery(
            namespace=call.namespace,
            caller=call.caller,
            language=call.query.get("language", WQL),
            query=call.query["query"],
        )
        result = execute_as(self._core, request, Instances)
        return self._listing(result.namespace, result.instances, result.projection, with_path=False)

    def _instance(self, call: Call) -> Answer:
        """Show an instance."""
        request = GetInstance(
            namespace=call.namespace, caller=call.caller, path=self._path(call), projection=call.projection()
        )
        result = execute_as(self._core, request, OneInstance)
        try:
            found = self._shown(result.namespace, result.instance, result.projection)
        except Exception as exc:
            log.exception("A %s cannot be shown", result.instance.class_name)
            raise CIMError(Status.FAILED, f"GetInstance failed: {type(exc).__name__}: {exc}") from exc
        return json_answer(found, headers={"ETag": self._tag(result.instance)})

    def _path(self, call: Call) -> InstancePath:
        return self._typed.path(self._raw_path(call))

    def _raw_path(self, call: Call) -> RawPath:
        return self._targets.path(call.segments[3], call.segments[4])

    def _associators(self, call: Call) -> Answer:
        """List what is associated with an instance."""
        return self._linked(call, AssociatorNames, OpenAssociatorInstances, Associators)

    def _references(self, call: Call) -> Answer:
        """List the associations of an instance."""
        return self._linked(call, ReferenceNames, OpenReferenceInstances, References)

    def _linked(
        self,
        call: Call,
        names: type[AssociatorNames | ReferenceNames],
        opening: type[OpenAssociatorInstances | OpenReferenceInstances],
        instances: type[Associators | References],
    ) -> Answer:
        """List what an instance leads to: names, a page, or all instances, as the query asks.

        Parameters:
            names, opening, instances: the operation of each.
        """
        source: dict[str, Any] = {
            "namespace": call.namespace,
            "caller": call.caller,
            "path": self._path(call),
            "filter": call.ends(),
        }
        if call.is_of_names():
            return self._names(execute_as(self._core, names(**source), Instances))
        projection = call.projection()
        if "max" in call.query or "filter" in call.query:
            opened = opening(**source, projection=projection, opening=self._opening(call))
            return self._page(execute_as(self._core, opened, Batch), call)
        result = execute_as(self._core, instances(**source, projection=projection), Instances)
        return self._listing(result.namespace, result.instances, result.projection)

    def _create(self, call: Call) -> Answer:
        """Create an instance."""
        body = call.members("class", "properties")
        name = body.get("class") if isinstance(body.get("class"), str) else ""

        def raw(typed: bool) -> RawInstance:
            return self._raw.instance(body) if typed else self._untyped(body)

        def read() -> Request:
            instance = self._typed.instance_to_change(raw(True))
            return CreateInstance(namespace=call.namespace, caller=call.caller, instance=instance)

        attempt = _attempt(call, "CreateInstance", [str(name)], lambda: [("NewInstance", raw(False))])
        result = self._core.attempt(attempt, read)
        assert isinstance(result, Path)
        return json_answer(self._named(result.path, result.namespace), 201, {"Location": href(*_placed(result))})

    def _untyped(self, body: Mapping[str, Any]) -> RawInstance:
        """An instance as the audit log takes it, whatever it holds."""
        properties = body.get("properties")
        pairs = properties.items() if isinstance(properties, dict) else ()
        return RawInstance(str(body.get("class", "")), tuple(self._raw.loose(name, value) for name, value in pairs))

    def _modify(self, call: Call) -> Answer:
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

    def _delete(self, call: Call) -> Answer:
        """Delete an instance."""
        target = self._raw_path(call)

        def read() -> Request:
            return DeleteInstance(namespace=call.namespace, caller=call.caller, path=self._typed.path(target))

        attempt = _attempt(call, "DeleteInstance", [target.class_name], lambda: [("InstanceName", target)])
        with self._unchanged(call):
            self._core.attempt(attempt, read)
        return Answer(204)

    def _unchanged(self, call: Call) -> Any:
        """Hold others back from an instance that is to be changed only as it was seen.

        Raises:
            Refusal: 412 for one that is different now.
            CIMError: it cannot be read.
        """
        if not call.if_match:
            return nullcontext()
        lock = self._locks[hash(call.segments) % LOCKS]
        return _Locked(lock, lambda: self._require_tag(call))

    def _require_tag(self, call: Call) -> None:
        request = GetInstance(namespace=call.namespace, caller=call.caller, path=self._path(call))
        wanted = {each.strip() for each in call.if_match.split(",")}
        tag = self._tag(execute_as(self._core, request, OneInstance).instance)
        if "*" not in wanted and tag not in wanted:
            raise Refusal(412, "The instance has changed since it was read", {"ETag": tag})

    def _method(self, call: Call) -> Answer:
        """Call a method of an instance."""
        with self._unchanged(call):
            return self._invoke(call, self._raw_path(call), decoded(call.segments[6]))

    def _class_method(self, call: Call) -> Answer:
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

    def _named(self, path: InstancePath, namespace: str) -> dict[str, Any]:
        place = path.namespace or namespace
        return {"class": path.class_name, "namespace": place, **shown(path, place)}

    def _tag(self, instance: Instance) -> str:
        """The ETag of an instance: another one with each revision, and with each start of the server."""
        return f'"{hash((self._salt, instance.class_name, instance.revision)) & 0xFFFFFFFFFFFFFFFF:016x}"'

    def _shown(
        self, namespace: str, instance: Instance, projection: Projection, with_path: bool = True
    ) -> dict[str, Any]:
        """An instance as JSON.  Raises whatever a broken one raises."""
        own = instance.namespace or namespace
        declaration = self._classes[instance.class_name]
        wanted = projection.properties
        if projection.limit_class is not None:
            limit = frozenset(self._classes[projection.limit_class].properties)
            wanted = limit if wanted is None else wanted & limit
        properties = shown_properties(instance.properties(), declaration, wanted, own)
        if not with_path:
            return {"class": instance.class_name, "properties": properties}
        return {**self._named(instance.path(), own), "etag": self._tag(instance), "properties": properties}

    def _listing(
        self,
        namespace: str,
        instances: Iterable[Instance],
        projection: Projection,
        with_path: bool = True,
        **further: Any,
    ) -> Answer:
        found = self._each(instances, lambda each: self._shown(namespace, each, projection, with_path))
        return Answer(pieces=listed("instances", found, **further))

    def _names(self, result: Extents | Instances) -> Answer:
        instances = result.instances
        found = self._each(instances, lambda each: self._named(each.path(), each.namespace or result.namespace))
        return Answer(pieces=listed("instances", found))

    @staticmethod
    def _each(instances: Iterable[Instance], show: Callable[[Instance], Any]) -> Iterator[Any]:
        """Show instances; a broken one is left out."""
        for instance in instances:
            try:
                yield show(instance)
            except Exception:
                log.exception("A %s is left out: %r", instance.class_name, instance.identity)


class _Locked:
    """A lock, and what has to hold while it is held."""

    def __init__(self, lock: threading.Lock, check: Callable[[], None]) -> None:
        self._lock = lock
        self._check = check

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            self._check()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _get(pattern: tuple[str, ...], carry_out: Callable[[Call], Answer], *query: str, operation: str = "") -> Operation:
    return Operation("GET", pattern, carry_out, frozenset(query), operation)


def _placed(result: Path) -> tuple[InstancePath, str]:
    return result.path, result.namespace


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
