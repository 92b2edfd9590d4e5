"""The drop-in mode: requests of libvirt-cim's clients on their way in, results on their way out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from virtcim.cimom.core import Core
from virtcim.cimom.namespaces import normalized
from virtcim.cimom.requests import (
    AssociationFilter,
    AssociatorNames,
    Associators,
    Attempt,
    InvokeMethod,
    OpenAssociatorInstancePaths,
    OpenAssociatorInstances,
    OpenReferenceInstancePaths,
    OpenReferenceInstances,
    ReferenceNames,
    References,
    Request,
)
from virtcim.cimom.results import Extents, Instances, MethodOutcome, Result
from virtcim.cimom.translation import Translation
from virtcim.frontends.compatibility.difference import View, merged
from virtcim.frontends.compatibility.differences import DIFFERENCES, STARTED
from virtcim.frontends.compatibility.settings import CompatibilitySettings
from virtcim.providers.interface import (
    CIMError,
    CIMScalar,
    CIMValue,
    EmbeddedInstance,
    InstancePath,
    Properties,
)
from virtcim.schema.names import base_of, prefix_of

__all__ = ["LibvirtCim"]

Value = TypeVar("Value")

ASKED_PATIENCE = 5.0
"""Seconds within which a refusal of what libvirt-cim only asked for is told, and what a job gives back stands beside
it; clients wait for 30 at least."""


_TRAVERSALS = (Associators, AssociatorNames, References, ReferenceNames)
_ALL_TRAVERSALS = (
    *_TRAVERSALS,
    OpenAssociatorInstances,
    OpenAssociatorInstancePaths,
    OpenReferenceInstances,
    OpenReferenceInstancePaths,
)


class LibvirtCim(Translation):
    """Shows clients of libvirt-cim what they compare, count and wait for as libvirt-cim did.

    Parameters:
        core: knows the truth.
        settings: for whom this is.
    """

    def __init__(self, core: Core, settings: CompatibilitySettings) -> None:
        super().__init__(core, core.showing(lambda catalog: View(catalog, DIFFERENCES).catalog))
        self._settings = settings
        self._namespaces = frozenset(map(normalized, settings.namespaces))
        self._sent = _in_lower_case(merged(each.sent for each in DIFFERENCES))
        self._uncounted = _in_lower_case(merged(each.uncounted for each in DIFFERENCES))
        self._ignored = _by_method(each.ignored for each in DIFFERENCES)
        self._left_out = _by_method(each.left_out for each in DIFFERENCES)
        self._roles = {base.lower(): role for each in DIFFERENCES for base, role in each.roles.items()}
        self._dead_ends = {base.lower(): error for each in DIFFERENCES for base, error in each.dead_ends.items()}
        self._refusals = _by_method(each.refusals for each in DIFFERENCES)
        self._successes = _by_method(each.successes for each in DIFFERENCES)
        self._synchronous = frozenset(base.lower() for each in DIFFERENCES for base in each.synchronous)
        self._jobs = frozenset((base.lower(), method) for each in DIFFERENCES for base, method in each.jobs)

    def concerns(self, attempt: Attempt) -> bool:
        return self._settings.includes(attempt.caller.listener) and (
            not self._namespaces or normalized(attempt.namespace) in self._namespaces
        )

    def translate_request(self, request: Request) -> Request:
        if isinstance(request, _ALL_TRAVERSALS):
            role = self._roles.get(_association(request.filter))
            is_open = not request.filter.role and not request.filter.result_role
            return replace(request, filter=replace(request.filter, role=role)) if role and is_open else request
        if not isinstance(request, InvokeMethod):
            return request
        method = _method(request)
        ignored, left_out = (found.get(method, frozenset()) for found in (self._ignored, self._left_out))
        arguments = {
            name: self._translate_value(value, left_out)
            for name, value in request.arguments.items()
            if name not in ignored
        }
        return replace(request, arguments=arguments, as_job=method in self._jobs, patience=self._patience(request))

    def _patience(self, request: InvokeMethod) -> float | None:
        """Tell how many seconds the client waits for a job; None for as long as it takes."""
        base, _ = method = _method(request)
        if self._is_success(method, STARTED, request):
            return ASKED_PATIENCE
        return None if base in self._synchronous else 0.0

    def _translate_value(self, value: CIMValue, left_out: frozenset[str]) -> CIMValue:
        """Give what an argument means.

        Parameters:
            left_out: classes whose instances do not count in an array.
        """
        if isinstance(value, list | tuple):
            return [
                self._translate_scalar(each)
                for each in value
                if not (isinstance(each, EmbeddedInstance) and each.class_name in left_out)
            ]
        return self._translate_scalar(value)  # type: ignore[arg-type]

    def _translate_scalar(self, value: CIMScalar | None) -> CIMScalar | None:
        if not isinstance(value, EmbeddedInstance):
            return value
        base = base_of(value.class_name).lower()
        changes, tests = self._sent.get(base, {}), self._uncounted.get(base, {})
        properties: Properties = {
            name: changes[name.lower()](each) if name.lower() in changes else each
            for name, each in value.properties.items()
            if name.lower() not in tests or not tests[name.lower()](value.properties)
        }
        return EmbeddedInstance(value.class_name, properties)

    def translate_result(self, request: Request, result: Result) -> Result:
        """Translate the result of a method; whole classes are told without their revision.

        Raises:
            CIMError: in place of a return value that libvirt-cim did not have, and of nothing.
        """
        if isinstance(result, Extents):
            # What front ends lay out of a class by its revision is the true form.
            return replace(result, revision=None, lasting=False)
        if isinstance(request, _TRAVERSALS) and isinstance(result, Instances) and not result.instances:
            error = self._find_dead_end(request.path, request.filter)
            if error is not None:
                raise error
        if not isinstance(request, InvokeMethod) or not isinstance(result, MethodOutcome):
            return result
        key, value = _method(request), result.return_value
        if not isinstance(value, int):
            return result
        refusal = self._refusals.get(key, {}).get(value)
        if refusal is not None:
            raise refusal(request)
        if not self._is_success(key, value, request):
            return result
        return replace(result, return_value=0, out=result.out if key in self._jobs else {})

    def _find_dead_end(self, path: InstancePath, given: AssociationFilter) -> CIMError | None:
        """Give the error of an association that leads to nothing; None where libvirt-cim did not look for anything."""
        error = self._dead_ends.get(_association(given))
        says_more = given.result_class or given.role or given.result_role
        prefixes = (prefix_of(path.class_name).lower(), "cim")
        is_theirs = prefix_of(given.association_class or "").lower() in prefixes
        return error(path) if error is not None and is_theirs and not says_more else None

    def _is_success(self, key: tuple[str, str], value: int, request: InvokeMethod) -> bool:
        """Tell whether a return value of a method was 0."""
        test = self._successes.get(key, {}).get(value)
        return test is not None and test(request)


def _by_method(mappings: Iterable[Mapping[tuple[str, str], Value]]) -> dict[tuple[str, str], Value]:
    """Put together what is said of methods, with the names of their classes in lower case."""
    return {(base.lower(), method): value for each in mappings for (base, method), value in each.items()}


def _in_lower_case(mapping: Mapping[str, Mapping[str, Value]]) -> dict[str, dict[str, Value]]:
    """Write the names of classes and properties in lower case."""
    return {base.lower(): {name.lower(): value for name, value in found.items()} for base, found in mapping.items()}


def _association(given: AssociationFilter) -> str:
    """Give the association class that a client names, without its prefix and in lower case; "" for none."""
    return base_of(given.association_class).lower() if given.association_class else ""


def _method(request: InvokeMethod) -> tuple[str, str]:
    class_name = request.target if isinstance(request.target, str) else request.target.class_name
    return base_of(class_name).lower(), request.method.lower()
