"""What each URL means, and what carries it out.

Nothing here waits for the network, so that several calls can be carried out for one request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from virtcim.cimom.core import Executor
from virtcim.frontends.http.exchange import methods_beside
from virtcim.frontends.rest.answers import Answer, Refusal, error_answer, refused, wrong_method
from virtcim.frontends.rest.calls import READ, Call, check_names
from virtcim.frontends.rest.changes import Changes
from virtcim.frontends.rest.listings import Listings
from virtcim.frontends.rest.reads import Reads
from virtcim.frontends.rest.summaries import SUMMARY_METHOD, Summaries
from virtcim.frontends.rest.targets import Targets
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError

__all__ = ["Operation", "Operations"]


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
        targets, listings = Targets(core.classes), Listings(core.classes, max_objects)
        reads, changes, summaries = Reads(core, targets, listings), Changes(core, targets, listings), Summaries(core)
        place, classes = ("namespaces", "*"), ("namespaces", "*", "classes")
        instances = ("namespaces", "*", "instances")
        one = (*instances, "*", "*")
        self.all: list[Operation] = [
            _get((), reads.root),
            _get(("namespaces",), reads.root),
            _get(place, reads.namespace),
            _get(classes, reads.class_names, "superclass", "deep", operation="EnumerateClassNames"),
            _get((*classes, "*"), reads.describe_class, operation="GetClass"),
            _get((*classes, "*", "associators"), reads.associated_classes, *ENDS, operation="AssociatorNames"),
            _get((*classes, "*", "references"), reads.referring_classes, *LINKS, operation="ReferenceNames"),
            _get((*classes, "*", "instances"), reads.enumerate, *READ, operation="EnumerateInstances"),
            Operation("POST", (*classes, "*", "methods", "*"), changes.invoke_class_method, operation="InvokeMethod"),
            Operation("GET", (*place, "summary"), summaries.answer, SUMMARY, "InvokeMethod", asks=True),
            _get((*place, "query"), reads.query, "query", "language", operation="ExecQuery"),
            _get((*place, "pages", "*"), reads.next_page, "max", operation="PullInstancesWithPath"),
            Operation("DELETE", (*place, "pages", "*"), reads.close, operation="CloseEnumeration"),
            Operation("POST", instances, changes.create, operation="CreateInstance"),
            Operation("GET", one, reads.instance, frozenset({"properties"}), "GetInstance", single=True),
            Operation("PATCH", one, changes.modify, frozenset({"properties"}), "ModifyInstance"),
            Operation("DELETE", one, changes.delete, operation="DeleteInstance"),
            _get((*one, "associators"), reads.associators, *READ[:-1], *ENDS, operation="Associators"),
            _get((*one, "references"), reads.references, *READ[:-1], *LINKS, operation="References"),
            Operation("POST", (*one, "methods", "*"), changes.invoke_method, operation="InvokeMethod"),
        ]

    def find(self, method: str, segments: Sequence[str]) -> Operation:
        """Find what a method and a path mean.

        Raises:
            Refusal: 404 for nothing; 405 for another method.
        """
        for each in self.all:
            if each.method == method and each.fits(segments):
                return each
        raise wrong_method(method, self.methods(segments))

    def methods(self, segments: Sequence[str]) -> tuple[str, ...]:
        """List the methods of HTTP that a path takes.

        Raises:
            Refusal: 404 for a path that means nothing.
        """
        found = [each for each in self.all if each.fits(segments)]
        if not found:
            raise Refusal(404, f"/api/{'/'.join(segments)[:200]}: there is no such resource; /api/ lists what there is")
        return tuple(name for each in found for name in methods_beside(each.method))

    def carry_out(self, call: Call) -> Answer:
        """Carry out a call; what is wrong with it is answered as well."""
        try:
            operation = self.find(call.method, call.segments)
        except Refusal as exc:
            return refused(exc.status, exc.text, exc.headers)
        try:
            check_names(call.query, sorted(operation.query), "parameter of this URL")
            answer = operation.carry_out(call)
        except CIMError as exc:
            answer = error_answer(exc)
        except Refusal as exc:
            return refused(exc.status, exc.text, exc.headers)
        extrinsic = operation.operation == "InvokeMethod"
        name = SUMMARY_METHOD if operation.asks else call.segments[-1] if extrinsic else operation.operation
        return replace(answer, operation=name, extrinsic=extrinsic)


def _get(pattern: tuple[str, ...], carry_out: Callable[[Call], Answer], *query: str, operation: str = "") -> Operation:
    return Operation("GET", pattern, carry_out, frozenset(query), operation)
