"""What is read: namespaces, classes and instances, from a call to a request of the core, and its result to JSON."""

from __future__ import annotations

import logging
from typing import Any

from virtcim.cimom.core import Executor, execute_as
from virtcim.cimom.requests import (
    AssociatorClassPaths,
    AssociatorNames,
    Associators,
    CloseEnumeration,
    EnumerateClassNames,
    EnumerateInstanceNames,
    EnumerateInstances,
    ExecQuery,
    GetClass,
    GetInstance,
    OpenAssociatorInstances,
    OpenEnumerateInstances,
    Opening,
    OpenReferenceInstances,
    PullInstancesWithPath,
    ReferenceClassPaths,
    ReferenceNames,
    References,
)
from virtcim.cimom.results import Batch, Classes, ClassNames, Extents, Instances, OneInstance
from virtcim.frontends.reading.typed import TypedReader
from virtcim.frontends.rest.answers import Answer, Refusal, json_answer, listed
from virtcim.frontends.rest.calls import Call
from virtcim.frontends.rest.listings import Listings
from virtcim.frontends.rest.schema import class_shown, class_summary
from virtcim.frontends.rest.targets import Targets, decoded, namespace_href
from virtcim.providers.interface import CIMError, InstancePath, Status

__all__ = ["Reads"]

log = logging.getLogger(__name__)

WQL = "WQL"


class Reads:
    """Carries out the calls that read.

    Parameters:
        core: carries out requests.
        targets: reads the paths of URLs.
        listings: shows instances.
    """

    def __init__(self, core: Executor, targets: Targets, listings: Listings) -> None:
        self._core = core
        self._classes = core.classes
        self._targets = targets
        self._typed = TypedReader(core.classes)
        self._listings = listings

    def root(self, call: Call) -> Answer:
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

    def namespace(self, call: Call) -> Answer:
        """Tell of a namespace."""
        namespace = self._core.namespaces[call.namespace]
        self._core.access.require(
            call.caller.principal, namespace.name, self._core.access.needed("EnumerateClassNames", False), "read"
        )
        base = namespace_href(namespace.name)
        links = {name: f"{base}/{name}" for name in ("classes", "instances", "query", "summary")}
        return json_answer({"name": namespace.name, "href": base, **links})

    def class_names(self, call: Call) -> Answer:
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

    def describe_class(self, call: Call) -> Answer:
        """Show a class, with the roles that its methods need."""
        request = GetClass(namespace=call.namespace, caller=call.caller, class_name=decoded(call.segments[3]))
        result = execute_as(self._core, request, Classes)
        namespace = self._core.namespaces[result.namespace]
        return json_answer(class_shown(result.classes[0], namespace, self._core.access))

    def associated_classes(self, call: Call) -> Answer:
        """List the classes that the schema lets be associated with a class."""
        request = AssociatorClassPaths(
            namespace=call.namespace, caller=call.caller, class_name=decoded(call.segments[3]), filter=call.ends()
        )
        return json_answer({"classes": [{"class": name} for name in execute_as(self._core, request, ClassNames).names]})

    def referring_classes(self, call: Call) -> Answer:
        """List the classes of associations that the schema lets a class have."""
        request = ReferenceClassPaths(
            namespace=call.namespace, caller=call.caller, class_name=decoded(call.segments[3]), filter=call.ends()
        )
        return json_answer({"classes": [{"class": name} for name in execute_as(self._core, request, ClassNames).names]})

    def enumerate(self, call: Call) -> Answer:
        """List the instances of a class and of those below it."""
        place: dict[str, Any] = {
            "namespace": call.namespace,
            "caller": call.caller,
            "class_name": decoded(call.segments[3]),
        }
        if call.is_of_names():
            return self._listings.names(execute_as(self._core, EnumerateInstanceNames(**place), Extents))
        projection, deep = call.projection(), call.flag("deep", default=True)
        if "max" in call.query or "filter" in call.query:
            opened = OpenEnumerateInstances(**place, deep=deep, projection=projection, opening=self._opening(call))
            return self._listings.page(execute_as(self._core, opened, Batch), call)
        request = EnumerateInstances(**place, deep=deep, projection=projection)
        result = execute_as(self._core, request, Extents)
        return self._listings.listing(result.namespace, result.instances, result.projection)

    def _opening(self, call: Call) -> Opening:
        text = call.query.get("filter")
        language = call.query.get("language", "DMTF:FQL") if text is not None else call.query.get("language")
        return Opening(language, text, max_objects=self._listings.page_size(call))

    def next_page(self, call: Call) -> Answer:
        """List the instances of the next page."""
        request = PullInstancesWithPath(
            namespace=call.namespace,
            caller=call.caller,
            context=decoded(call.segments[3]),
            max_objects=self._listings.page_size(call),
        )
        return self._listings.page(execute_as(self._core, request, Batch), call)

    def close(self, call: Call) -> Answer:
        """Give up the pages that are left."""
        self._core.execute(
            CloseEnumeration(namespace=call.namespace, caller=call.caller, context=decoded(call.segments[3]))
        )
        return Answer(204)

    def query(self, call: Call) -> Answer:
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
        return self._listings.listing(result.namespace, result.instances, result.projection, with_path=False)

    def instance(self, call: Call) -> Answer:
        """Show an instance."""
        request = GetInstance(
            namespace=call.namespace, caller=call.caller, path=self._path(call), projection=call.projection()
        )
        result = execute_as(self._core, request, OneInstance)
        try:
            found = self._listings.shown(result.namespace, result.instance, result.projection)
        except Exception as exc:
            log.exception("A %s cannot be shown", result.instance.class_name)
            raise CIMError(Status.FAILED, f"GetInstance failed: {type(exc).__name__}: {exc}") from exc
        return json_answer(found, headers={"ETag": self._listings.tag(result.instance)})

    def _path(self, call: Call) -> InstancePath:
        return self._typed.path(self._targets.path(call.segments[3], call.segments[4]))

    def associators(self, call: Call) -> Answer:
        """List what is associated with an instance."""
        return self._linked(call, AssociatorNames, OpenAssociatorInstances, Associators)

    def references(self, call: Call) -> Answer:
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
            return self._listings.names(execute_as(self._core, names(**source), Instances))
        projection = call.projection()
        if "max" in call.query or "filter" in call.query:
            opened = opening(**source, projection=projection, opening=self._opening(call))
            return self._listings.page(execute_as(self._core, opened, Batch), call)
        result = execute_as(self._core, instances(**source, projection=projection), Instances)
        return self._listings.listing(result.namespace, result.instances, result.projection)
