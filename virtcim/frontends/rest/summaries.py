"""The summary of a namespace: what a console needs to know of its guests, whole, page by page, or as a table."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from virtcim.cimom.core import Executor, execute_as
from virtcim.cimom.requests import EnumerateInstanceNames, InvokeMethod
from virtcim.cimom.results import Extents, MethodOutcome
from virtcim.frontends.rest.answers import Answer, Refusal, listed
from virtcim.frontends.rest.calls import Call
from virtcim.frontends.rest.targets import decoded, href, namespace_href
from virtcim.frontends.rest.values import shown
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, Status
from virtcim.schema.names import prefix_of

__all__ = ["MAX_SUMMARIES", "MAX_WIDTH", "SUMMARY_METHOD", "Summaries"]

NAMES_SECONDS = 10.0
"""Seconds for which the names of guests are kept for the pages that follow a first one: to list them takes longer than
a page.  Those that come meanwhile are told of by events."""
PAGE_TRIES = 3
MAX_SUMMARIES = 500
"""Guests that a summary is asked of by name, or that are in a page of it."""
MAX_WIDTH = 65535

SERVICE = "Virt_VirtualSystemManagementService"
SUMMARY_METHOD = "GetSummary"
SUMMARY_CLASS = "Virt_GuestSummary"


class Summaries:
    """Answers with summaries of guests.  Safe to use from several threads at once.

    Parameters:
        core: carries out requests.
    """

    def __init__(self, core: Executor) -> None:
        self._core = core
        self._guest_names: dict[str, tuple[float, list[tuple[str, str]]]] = {}

    def answer(self, call: Call) -> Answer:
        """Show what a console needs to know of the guests of a namespace, out of every service that knows some.

        Of all, of those in `guests`, or page by page (`max`, `after`): a page of few is there at once where all take a
        while.  With `columns` as a table, a row a guest.
        """
        services = execute_as(
            self._core,
            EnumerateInstanceNames(namespace=call.namespace, caller=call.caller, class_name=SERVICE),
            Extents,
        )
        paths = [each.path() for each in services.instances]
        columns = self._columns(call)
        if "max" not in call.query:
            return _summary_answer(self._summaries_of(call, paths, self._guests(call), columns), columns)
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
        declared = self._core.classes[SUMMARY_CLASS].properties
        columns = [name.strip() for name in call.query["columns"].split(",")]
        for name in columns:
            if name.lower() not in declared:
                raise Refusal(400, f"columns: {name[:60]!r} is no property of {SUMMARY_CLASS}; expected some of those")
        return [declared[name.lower()].name for name in columns]

    def _guests(self, call: Call) -> list[InstancePath] | None:
        """The guests that a summary is asked of: `CLASS/NAME`, encoded each, with commas between; None for all.

        Raises:
            Refusal: they are too many, or a class does not exist.
        """
        if "guests" not in call.query:
            return None
        pairs = [_pair(each) for each in call.query["guests"].split(",") if each]
        if len(pairs) > MAX_SUMMARIES:
            raise Refusal(400, f"guests: are {len(pairs)}; expected {MAX_SUMMARIES} at most")
        for class_name, _ in pairs:
            if class_name not in self._core.classes:
                raise Refusal(400, f"guests: class {class_name[:60]} does not exist; expected CLASS/NAME")
        return [_system_path(each) for each in pairs]

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
            arguments["ScreenWidth"] = call.number("width", MAX_WIDTH)
        request = InvokeMethod(
            namespace=call.namespace,
            caller=call.caller,
            target=service,
            method=SUMMARY_METHOD,
            arguments={name: value for name, value in arguments.items() if value is not None},
        )
        outcome = execute_as(self._core, request, MethodOutcome)
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
            paths = (each.path() for each in execute_as(self._core, request, Extents).instances)
            named += ((each.class_name, str(each.keys["Name"])) for each in paths)
        return sorted(named)

    @staticmethod
    def _summary_shown(summary: EmbeddedInstance, namespace: str) -> dict[str, Any]:
        given = summary.properties
        keys = {name: given.get(name) for name in ("CreationClassName", "Name")}
        path = InstancePath(str(keys["CreationClassName"]), keys, namespace)
        return {**shown(summary, namespace), "href": href(path, namespace)}


def _summary_answer(found: Iterable[Any], columns: list[str] | None, following: str | None = None) -> Answer:
    if columns is None:
        return Answer(pieces=listed("summaries", found, next=following))
    return Answer(pieces=listed("rows", found, columns=columns, next=following))


def _pair(text: str) -> tuple[str, str]:
    class_name, _, name = text.partition("/")
    return decoded(class_name), decoded(name)


def _system_path(named: tuple[str, str]) -> InstancePath:
    class_name, name = named
    return InstancePath(class_name, {"CreationClassName": class_name, "Name": name})
