"""What lives in a namespace, under another name of that namespace: clients compare the paths that they get with those
that they built, so paths and references hold the name that was asked for."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from virtcim.providers.interface import (
    Association,
    Instance,
    InstancePath,
    InstanceProvider,
    Keys,
    MethodResult,
    Parameters,
    Properties,
    RequestContext,
)

__all__ = ["RenamedAssociation", "RenamedProvider"]

AnyInstance = TypeVar("AnyInstance", bound=Instance)


def _renamed(instance: AnyInstance, namespace: str) -> AnyInstance:
    """Give a handle on the same instance, in a namespace of another name."""
    other = copy.copy(instance)
    other.namespace = namespace
    return other


class RenamedProvider(InstanceProvider):
    """Serves the instances of a provider under another name of their namespace.

    Parameters:
        provider: serves them under the name `own`.
        own: the name of the namespace that the provider knows.
        other: the other name.
    """

    def __init__(self, provider: InstanceProvider, own: str, other: str) -> None:
        self.class_names = provider.class_names
        self._provider = provider
        self._own = own
        self._other = other

    def instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return [_renamed(each, self._other) for each in self._provider.instances(class_name, self._within(context))]

    def is_lasting(self, class_name: str) -> bool:
        return self._provider.is_lasting(class_name)

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        return _renamed(self._provider.get_instance(class_name, keys, self._within(context)), self._other)

    def source(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        return _renamed(self._provider.source(class_name, keys, self._within(context)), self._other)

    def invoke_method(
        self, class_name: str, keys: Keys | None, method: str, parameters: Parameters, context: RequestContext
    ) -> MethodResult:
        return self._provider.invoke_method(class_name, keys, method, parameters, self._within(context))

    def create_instance(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        created = self._provider.create_instance(class_name, properties, self._within(context))
        return InstancePath(created.class_name, created.keys, self._other)

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        self._provider.modify_instance(class_name, keys, properties, self._within(context))

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        self._provider.delete_instance(class_name, keys, self._within(context))

    def _within(self, context: RequestContext) -> RequestContext:
        return replace(context, namespace=self._own)


class RenamedAssociation(Association):
    """An association as it is followed from a namespace under another of its names.

    Parameters:
        association: as it is followed from the namespace under the name `own`.
        own: the name that the association knows.
        other: the other name.
    """

    def __init__(self, association: Association, own: str, other: str) -> None:
        self.class_names = association.class_names
        self.left = association.left
        self.right = association.right
        self._association = association
        self._own = own
        self._other = other

    def to_right(self, left: Instance, context: RequestContext) -> Iterator[Instance]:
        return self._shown(self._association.to_right(left, context))

    def to_left(self, right: Instance, context: RequestContext) -> Iterator[Instance]:
        return self._shown(self._association.to_left(right, context))

    def sources(self, class_name: str, context: RequestContext) -> Iterator[Instance]:
        return self._shown(self._association.sources(class_name, context))

    def class_name(self, left: Instance, right: Instance) -> str:
        return self._association.class_name(left, right)

    def properties(self, left: Instance, right: Instance) -> Properties:
        return self._association.properties(left, right)

    def create(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        return self._association.create(class_name, properties, context)

    def modify(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        self._association.modify(class_name, keys, properties, context)

    def delete(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        self._association.delete(class_name, keys, context)

    def _shown(self, found: Iterable[Instance]) -> Iterator[Instance]:
        """Those that live in this namespace under its other name, the others as they are."""
        return (_renamed(each, self._other) if each.namespace == self._own else each for each in found)
