"""Services of the server itself: each has one instance, and belongs to no guest and no platform."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from virtcim.providers.interface import (
    CIMError,
    Instance,
    InstanceProvider,
    Keys,
    MethodResult,
    Parameters,
    RequestContext,
    Status,
)
from virtcim.providers.keys import instance_id

__all__ = ["Run", "ServerServiceProvider"]

Run: TypeAlias = Callable[[Parameters, RequestContext], MethodResult]
"""Carries out a method."""


class ServerServiceProvider(InstanceProvider):
    """Serves the one instance of a service, by its InstanceID, and its methods."""

    @property
    @abstractmethod
    def service(self) -> Instance:
        """The one instance."""

    @property
    @abstractmethod
    def runs(self) -> Mapping[str, Run]:
        """What carries out each method, by its name."""

    def instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return (self.service,)

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        if instance_id(class_name, keys) != self.service.keys()["InstanceID"]:
            raise CIMError(Status.NOT_FOUND, f"There is no such instance of {class_name}")
        return self.service

    def invoke_method(
        self, class_name: str, keys: Keys | None, method: str, parameters: Parameters, context: RequestContext
    ) -> MethodResult:
        if keys is not None:
            self.get_instance(class_name, keys, context)
        run = self.runs.get(method)
        if run is None:
            return super().invoke_method(class_name, keys, method, parameters, context)
        return run(parameters, context)
