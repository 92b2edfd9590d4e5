"""What each URL means: from a call to requests of the core, and from their results to JSON.

Nothing here waits for the network, so that several calls can be carried out for one request.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from virtcim.cimom.core import Executor
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
    Result,
)
from virtcim.frontends.http.exchange import methods_beside
from virtcim.frontends.reading.audited import audited_parameters, audited_target
from virtcim.frontends.reading.raw import RawInstance, RawNamedInstance, RawPath, RawRequest
from virtcim.frontends.reading.typed import TypedReader
from virtcim.frontends.rest.answers import Answer, Refusal, error_answer, json_answer, listed, refused
from virtcim.frontends.rest.calls import READ, Call, names_in
from virtcim.frontends.rest.schema import class_shown, class_summary
from virtcim.frontends.rest.targets import Targets, decoded, href, namespace_href
from virtcim.frontends.rest.values import RawValues, shown, shown_properties
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, EmbeddedInstance, Instance, InstancePath, Status
from virtcim.schema.names import prefix_of

__all__ = ["Operation", "Operations"]

log = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=Result)

WQL = "WQL"
NAMES_SECONDS = 10.0
"""Seconds for which the names of guests are kept for the pages that follow a first one: to list them takes longer than
a page.  Those that come meanwhile are told of by events."""
PAGE_TRIES = 3

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
MAX_SUMMARIES = 500
"""Guests that a summary is asked of by name, or that are in a page of it."""

SERVICE = "Virt_VirtualSystemManagementService"
SUMMARIES = "GetSummary"
SUMMARY_CLASS = "Virt_GuestSummary"


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
        self._guest_names: dict[str, tuple[float, list[tuple[str, str]]]] = {}
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
            Operation("GET", (*place, "summary"), self._summary, SUMMARY, "InvokeMethod", asks=True),
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
        name = SUMMARIES if operation.asks else call.segments[-1] if extrinsic else operation.operation
        return replace(answer, operation=name, extrinsic=extrinsic)

    def _execute(self, request: Request, kind: type[Kind]) -> Kind:
        result = self._core.execute(request)
        assert isinstance(result, kind)
        return result

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
        result = self._execute(
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
        result = self._execute(request, Classes)
        namespace = self._core.namespaces[result.namespace]
        return json_answer(class_shown(result.classes[0], namespace, self._core.access))

    def _associated_classes(self, call: Call) -> Answer:
        """List the classes that the schema lets be associated with a class."""
        request = AssociatorClassPaths(
            namespace=call.namespace, caller=call.caller, class_name=decoded(call.segments[3]), filter=call.ends()
        )
        return json_answer({"classes": [{"class": name} for name in self._execute(request, ClassNames).names]})

    def _referring_classes(self, call: Call) -> Answer:
        """List the classes of associations that the schema lets a class have."""
        request = ReferenceClassPaths(
            namespace=call.namespace, caller=call.caller, class_name=decoded(call.segments[3]), filter=call.ends()
        )
        return json_answer({"classes": [{"class": name} for name in self._execute(request, ClassNames).names]})

    def _enumerate(self, call: Call) -> Answer:
        """List the instances of a class and of those below it."""
        place: dict[str, Any] = {
            "namespace": call.namespace,
            "caller": call.caller,
            "class_name": decoded(call.segments[3]),
        }
        if call.is_of_names():
            return self._names(self._execute(EnumerateInstanceNames(**place), Extents))
        projection, deep = call.projection(), call.flag("deep", default=True)
        if "max" in call.query or "filter" in call.query:
            opened = OpenEnumerateInstances(**place, deep=deep, projection=projection, opening=self._opening(call))
            return self._page(self._execute(opened, Batch), call)
        request = EnumerateInstances(**place, deep=deep, projection=projection)
        result = self._execute(request, Extents)
        return self._listing(result.namespace, _of_extents(result), result.projection)

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
        return self._page(self._execute(request, Batch), call)

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
        result = self._execute(request, Instances)
        return self._listing(result.namespace, result.instances, result.projection, with_path=False)

    def _summary(self, call: Call) -> Answer:
        """Show what a console needs to know of the guests of a namespace, out of every service that knows some.

        Of all, of those in `guests`, or page by page (`max`, `after`): a page of few is there at once where all take a
        while.  With `columns` as a table, a row a guest.
        """
        services = self._execute(
            EnumerateInstanceNames(namespace=call.namespace, caller=call.caller, class_name=SERVICE), Extents
        )
        paths = [each.path() for each in _of_extents(services)]
        columns = self._columns(call)
        if "max" not in call.query:
            return _summary_answer(self._summaries_of(call, paths, _guests(call), columns), columns)
        for _ in range(PAGE_TRIES):
            wanted, following = self._guests_of_page(call, services.namespace, paths)
            try:
                return _summary_answer(self._summaries_of(call, paths, wanted, columns), columns, following)
            except CIMError as exc:
                if exc.status is not Status.NOT_FOUND:
                    raise
                self._guest_names.pop(services.namespace, None)  # a guest has gone since the names were read
        raise Refusal(503, "Guests come and go too fast; try again", {"Retry-After": "1"})

    def _columns(self, call: Call) -> list[str] | None:
        """The properties of which a table of summaries is asked for; None for summaries that are objects.

        Raises:
            Refusal: one of them is none.
        """
        if "columns" not in call.query:
            return None
        declared = self._classes[SUMMARY_CLASS].properties
        columns = [name.strip() for name in call.query["columns"].split(",")]
        for name in columns:
            if name.lower() not in declared:
                raise Refusal(400, f"columns: {name[:60]!r} is no property of {SUMMARY_CLASS}; expected some of those")
        return [declared[name.lower()].name for name in columns]

    def _summaries_of(
        self,
        call: Call,
        services: Iterable[InstancePath],
        guests: list[InstancePath] | None,
        columns: list[str] | None,
    ) -> list[Any]:
        """What all services tell of these guests; of all of them where `guests` is None."""
        found: list[Any] = []
        for service in services:
            own = guests and [each for each in guests if prefix_of(each.class_name) == prefix_of(service.class_name)]
            if own is None or own:
                found += self._summaries(call, service, own, columns)
        return found

    def _summaries(
        self, call: Call, service: InstancePath, systems: list[InstancePath] | None, columns: list[str] | None
    ) -> list[Any]:
        """What a service tells of its guests, of all of them where `systems` is None: objects, or rows of columns."""
        arguments: dict[str, Any] = {
            "Systems": systems,
            "IncludeScreens": call.flag("screens"),
            "IncludeHistory": call.flag("history"),
            "Properties": columns,
        }
        if "width" in call.query:
            arguments["ScreenWidth"] = call.number("width", 65535)
        request = InvokeMethod(
            namespace=call.namespace,
            caller=call.caller,
            target=service,
            method=SUMMARIES,
            arguments={name: value for name, value in arguments.items() if value is not None},
        )
        outcome = self._execute(request, MethodOutcome)
        told = outcome.out.get("Summaries")
        given = told if isinstance(told, list | tuple) else ()
        summaries = [each for each in given if isinstance(each, EmbeddedInstance)]
        if columns is None:
            return [self._summary_shown(each, outcome.namespace) for each in summaries]
        return [[shown(each.properties.get(name), outcome.namespace) for name in columns] for each in summaries]

    def _guests_of_page(
        self, call: Call, namespace: str, services: Iterable[InstancePath]
    ) -> tuple[list[InstancePath], str | None]:
        """The guests of a page, in the order of class and name, and where the next page is."""
        known = self._guest_names.get(namespace)
        if known is None or "after" not in call.query or time.monotonic() > known[0]:
            known = time.monotonic() + NAMES_SECONDS, self._guests_named(call, services)
            self._guest_names[namespace] = known
        named = known[1]
        after = _pair(call.query["after"]) if "after" in call.query else ("", "")
        size, begin = call.number("max", MAX_SUMMARIES), bisect_right(named, after)
        page = named[begin : begin + size]
        following = None
        if begin + size < len(named):
            last = quote("/".join(quote(each, safe="") for each in page[-1]), safe="")
            rest = [f"{name}={quote(value)}" for name, value in call.query.items() if name != "after"]
            following = f"{namespace_href(call.namespace)}/summary?{'&'.join([*rest, f'after={last}'])}"
        return [_system_path(each) for each in page], following

    def _guests_named(self, call: Call, services: Iterable[InstancePath]) -> list[tuple[str, str]]:
        """Class and name of every guest of the services, sorted."""
        named: list[tuple[str, str]] = []
        for service in services:
            request = EnumerateInstanceNames(
                namespace=call.namespace,
                caller=call.caller,
                class_name=f"{prefix_of(service.class_name)}_ComputerSystem",
            )
            paths = (each.path() for each in _of_extents(self._execute(request, Extents)))
            named += ((each.class_name, str(each.keys["Name"])) for each in paths)
        return sorted(named)

    @staticmethod
    def _summary_shown(summary: EmbeddedInstance, namespace: str) -> dict[str, Any]:
        given = summary.properties
        keys = {name: given.get(name) for name in ("CreationClassName", "Name")}
        path = InstancePath(str(keys["CreationClassName"]), keys, namespace)
        return {**shown(summary, namespace), "href": href(path, namespace)}

    def _instance(self, call: Call) -> Answer:
        """Show an instance."""
        request = GetInstance(
            namespace=call.namespace, caller=call.caller, path=self._path(call), projection=call.projection()
        )
        result = self._execute(request, OneInstance)
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
            return self._names(self._execute(names(**source), Instances))
        projection = call.projection()
        if "max" in call.query or "filter" in call.query:
            opened = opening(**source, projection=projection, opening=self._opening(call))
            return self._page(self._execute(opened, Batch), call)
        result = self._execute(instances(**source, projection=projection), Instances)
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
        tag = self._tag(self._execute(request, OneInstance).instance)
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
        instances = _of_extents(result) if isinstance(result, Extents) else result.instances
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


def _of_extents(result: Extents) -> Iterator[Instance]:
    for extent in result.extents:
        yield from extent.instances


def _placed(result: Path) -> tuple[InstancePath, str]:
    return result.path, result.namespace


def _summary_answer(found: Iterable[Any], columns: list[str] | None, following: str | None = None) -> Answer:
    if columns is None:
        return Answer(pieces=listed("summaries", found, next=following))
    return Answer(pieces=listed("rows", found, columns=columns, next=following))


def _guests(call: Call) -> list[InstancePath] | None:
    """The guests that a summary is asked of: `CLASS/NAME`, encoded each, with commas between; None for all."""
    if "guests" not in call.query:
        return None
    pairs = [_pair(each) for each in call.query["guests"].split(",") if each]
    if len(pairs) > MAX_SUMMARIES:
        raise Refusal(400, f"guests: are {len(pairs)}; expected {MAX_SUMMARIES} at most")
    return [_system_path(each) for each in pairs]


def _pair(text: str) -> tuple[str, str]:
    class_name, _, name = text.partition("/")
    return decoded(class_name), decoded(name)


def _system_path(named: tuple[str, str]) -> InstancePath:
    class_name, name = named
    return InstancePath(class_name, {"CreationClassName": class_name, "Name": name})


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
