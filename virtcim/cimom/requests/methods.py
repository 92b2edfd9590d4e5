"""Extrinsic methods."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from virtcim.cimom.requests.request import Attempt, Request, Target
from virtcim.immutable import immutable
from virtcim.providers.interface import Parameters

__all__ = ["InvokeMethod"]


@immutable(kw_only=True)
class InvokeMethod(Request):
    """An extrinsic method (5.4), of an instance or of a class.

    Attributes:
        target: the instance, or the name of the class.
        method: its name, in any case.
        arguments: the input parameters that were given, spelt as the class declares them.
        as_job: whether work that may become a job is to be one from its beginning, however short it may be.
        patience: seconds that the caller waits for the end of what has become a job; None for as long as it takes.
    """

    operation: ClassVar[str] = "InvokeMethod"
    changes: ClassVar[bool] = True
    target: Target
    method: str
    arguments: Parameters = field(default_factory=dict)
    as_job: bool = False
    patience: float | None = 0.0

    def attempt(self) -> Attempt:
        class_name = self.target if isinstance(self.target, str) else self.target.class_name
        return Attempt(self.method, True, self.namespace, self.caller, (class_name,), self.applied_to, self.parameters)

    def applied_to(self) -> Target:
        return self.target

    def parameters(self) -> Parameters:
        return self.arguments
