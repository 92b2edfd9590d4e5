"""The drop-in mode: requests of libvirt-cim's clients on their way in, results on their way out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from virtcim.cimom.core import Core
from virtcim.cimom.namespaces import normalized
from virtcim.cimom.requests import Attempt, GetInstance, InvokeMethod, Request
from virtcim.cimom.results import Extents, MethodOutcome, OneInstance, Result
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
    Status,
)
from virtcim.schema.names import base_of
from virtcim.schema.paths import parse_path

__all__ = ["LibvirtCim"]

Value = TypeVar("Value")

POLL_INTERVAL = 0.1
"""Seconds between two looks at a job that a client waits for."""
ASKED_PATIENCE = 5.0
"""Seconds within which a refusal of what libvirt-cim only asked for is told, and what a job gives back stands beside
it; clients wait for 30 at least."""

_COMPLETED = 7
_FINAL = frozenset({_COMPLETED, 8, 9, 10})
"""CIM_ConcreteJob.JobState: Completed, Terminated, Killed, Exception."""


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
        self._refusals = _by_method(each.refusals for each in DIFFERENCES)
        self._successes = _by_method(each.successes for each in DIFFERENCES)
        self._synchronous = frozenset(base for each in DIFFERENCES for base in each.synchronous)
        self._jobs = frozenset((base.lower(), method) for each in DIFFERENCES for base, method in each.jobs)

    def concerns(self, attempt: Attempt) -> bool:
        return self._settings.includes(attempt.caller.listener) and (
            not self._namespaces or normalized(attempt.namespace) in self._namespaces
        )

    def translate_request(self, request: Request) -> Request:
        if not isinstance(request, InvokeMethod):
            return request
        method = _method(request)
        ignored, left_out = (found.get(method, frozenset()) for found in (self._ignored, self._left_out))
        arguments = {
            name: self._translate_value(value, left_out)
            for name, value in request.arguments.items()
            if name not in ignored
        }
        return replace(request, arguments=arguments, as_job=method in self._jobs)

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
            CIMError: in place of a return value that libvirt-cim did not have, and of the failure of a job.
        """
        if isinstance(result, Extents):
            # What front ends lay out of a class by its revision is the true form.
            return replace(result, revision=None, lasting=False)
        if not isinstance(request, InvokeMethod) or not isinstance(result, MethodOutcome):
            return result
        key = base_of(result.class_name).lower(), result.method.name.lower()
        if result.return_value == STARTED and base_of(result.class_name) in self._synchronous:
            patience = ASKED_PATIENCE if self._is_success(key, STARTED, request) else math.inf
            result = self._wait_for_job(request, result, patience)
        value = result.return_value
        if not isinstance(value, int):
            return result
        refusal = self._refusals.get(key, {}).get(value)
        if refusal is not None:
            raise refusal(request)
        if not self._is_success(key, value, request):
            return result
        if value == STARTED and key in self._jobs:
            result = self._with_results(request, result)
        return replace(result, return_value=0)

    def _is_success(self, key: tuple[str, str], value: int, request: InvokeMethod) -> bool:
        """Tell whether a return value of a method was 0."""
        test = self._successes.get(key, {}).get(value)
        return test is not None and test(request)

    def _wait_for_job(self, request: InvokeMethod, started: MethodOutcome, patience: float) -> MethodOutcome:
        """Wait for a job, and give back what its method would have without one.

        Parameters:
            request: what started it.
            started: its answer.
            patience: seconds after which the job goes on by itself; infinite for as long as it takes.

        Raises:
            CIMError: FAILED, with the text of the job, when it does not end well and its method gives back nothing.
        """
        properties = self._await_end(request, started, patience)
        if properties is None:
            return replace(started, out={})
        given = _given_back(properties)
        if properties["JobState"] != _COMPLETED and not given.get("__ReturnValue"):
            text = properties.get("ErrorDescription") or f"The job ended in state {properties['JobState']}"
            raise CIMError(Status.FAILED, str(text))
        return replace(started, return_value=given.get("__ReturnValue", 0), out=_outputs(started, given))

    def _with_results(self, request: InvokeMethod, started: MethodOutcome) -> MethodOutcome:
        """Add to a job what its method gives back, where it does so soon; how the job ended is for the job to tell."""
        try:
            properties = self._await_end(request, started, ASKED_PATIENCE)
        except CIMError as error:
            if error.status is not Status.NOT_FOUND:
                raise
            return started  # no job is kept after its end where `retention` is 0
        given = {} if properties is None else _given_back(properties)
        return replace(started, out={**_outputs(started, given), **started.out})

    def _await_end(self, request: InvokeMethod, started: MethodOutcome, patience: float) -> Properties | None:
        """Wait for the end of a job, and give its properties; None for one that goes on after `patience`."""
        job = started.out["Job"]
        assert isinstance(job, InstancePath)
        look = GetInstance(namespace=job.namespace or request.namespace, caller=request.caller, path=job)
        deadline = time.monotonic() + patience
        while (properties := self._properties(look)).get("JobState") not in _FINAL:
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL_INTERVAL)
        return properties

    def _properties(self, look: GetInstance) -> Properties:
        result = self._executor.execute(look)
        assert isinstance(result, OneInstance)
        return result.instance.properties()


def _by_method(mappings: Iterable[Mapping[tuple[str, str], Value]]) -> dict[tuple[str, str], Value]:
    """Put together what is said of methods, with the names of their classes in lower case."""
    return {(base.lower(), method): value for each in mappings for (base, method), value in each.items()}


def _in_lower_case(mapping: Mapping[str, Mapping[str, Value]]) -> dict[str, dict[str, Value]]:
    """Write the names of classes and properties in lower case."""
    return {base.lower(): {name.lower(): value for name, value in found.items()} for base, found in mapping.items()}


def _method(request: InvokeMethod) -> tuple[str, str]:
    class_name = request.target if isinstance(request.target, str) else request.target.class_name
    return base_of(class_name).lower(), request.method.lower()


def _given_back(job: Properties) -> Properties:
    """Read what the method of a job that is over gave back."""
    results = job.get("JobOutParameters")
    return results.properties if isinstance(results, EmbeddedInstance) else {}


def _outputs(started: MethodOutcome, given: Properties) -> Properties:
    """Choose the output parameters of the method that started a job among what it gave back."""
    parameters = started.method.parameters
    return {
        parameters[name.lower()].name: _as_declared(value, parameters[name.lower()].type)
        for name, value in given.items()
        if name.lower() in parameters
    }


def _as_declared(value: CIMValue, cim_type: str) -> CIMValue:
    """Read an output parameter of a job, where references are texts, as the method gives it."""
    if cim_type != "reference":
        return value
    if isinstance(value, list | tuple):
        return [parse_path(str(each)) for each in value]
    return parse_path(str(value))
