"""Instances and associations that are known when the server starts and stay as they are."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from virtcim.providers.interface import (
    Association,
    CIMError,
    CIMValue,
    End,
    Instance,
    InstanceProvider,
    Keys,
    MethodResult,
    Parameters,
    Properties,
    RequestContext,
    Status,
)

__all__ = ["FixedAssociation", "FixedInstance", "FixedProvider"]

STATE_METHODS = frozenset({"RequestStateChange", "StartService", "StopService"})
NOT_SUPPORTED = 1
"""What these methods give back: the services are there as long as the server is."""


class FixedInstance(Instance):
    """An instance with all its values.

    Parameters:
        namespace: where it lives.
        class_name: the creation class.
        keys: the key properties, in the order of the class.
        properties: the others; those that are None are NULL.
    """

    __slots__ = ("_keys", "_properties", "class_name", "identity", "namespace")

    def __init__(self, namespace: str, class_name: str, keys: Keys, properties: Properties) -> None:
        self.namespace = namespace
        self.class_name = class_name
        self.identity: Hashable = tuple(keys.values())
        self._keys: dict[str, CIMValue] = dict(keys)
        self._properties: Properties = {
            **keys,
            **{name: value for name, value in properties.items() if value is not None},
        }

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return 0

    def keys(self) -> dict[str, CIMValue]:
        return dict(self._keys)

    def properties(self) -> Properties:
        return self._properties


class FixedProvider(InstanceProvider):
    """Serves fixed instances.

    Parameters:
        instances: all of them.
        classes: creation classes that are served even without an instance.
    """

    def __init__(self, instances: Iterable[FixedInstance], classes: Iterable[str] = ()) -> None:
        self._instances: dict[str, list[FixedInstance]] = {class_name: [] for class_name in classes}
        for instance in instances:
            self._instances.setdefault(instance.class_name, []).append(instance)
        self.class_names = tuple(self._instances)

    def instances(self, class_name: str, context: RequestContext) -> Sequence[FixedInstance]:
        return self._instances[class_name]

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> FixedInstance:
        given = {name.lower(): value for name, value in keys.items()}
        for instance in self._instances[class_name]:
            own = instance.keys()
            missing = next((name for name in own if name.lower() not in given), None)
            if missing is not None:
                raise CIMError(Status.INVALID_PARAMETER, f"{class_name} needs the key {missing}")
            if all(_folded(given[name.lower()]) == _folded(value) for name, value in own.items()):
                return instance
        raise CIMError(Status.NOT_FOUND, f"There is no such instance of {class_name}")

    def invoke_method(
        self,
        class_name: str,
        keys: Keys | None,
        method: str,
        parameters: Parameters,
        context: RequestContext,
    ) -> MethodResult:
        if method not in STATE_METHODS:
            return super().invoke_method(class_name, keys, method, parameters, context)
        if keys is not None:
            self.get_instance(class_name, keys, context)
        return MethodResult(NOT_SUPPORTED)


def _folded(value: CIMValue) -> CIMValue:
    """A key value for comparison: names of systems, classes and namespaces are equal in any case."""
    return value.casefold() if isinstance(value, str) else value


class FixedAssociation(Association):
    """An association of fixed instances.

    Parameters:
        class_name: the creation class.
        roles: of the left and the right end, in the order of the keys of the class.
        pairs: what is associated.
        properties: of each association beside its references.
    """

    def __init__(
        self,
        class_name: str,
        roles: tuple[str, str],
        pairs: Iterable[tuple[Instance, Instance]],
        properties: Properties | None = None,
    ) -> None:
        self._pairs = tuple(pairs)
        self._properties = properties or {}
        self.class_names = (class_name,)
        self.left = End(roles[0], frozenset(left.class_name for left, _ in self._pairs))
        self.right = End(roles[1], frozenset(right.class_name for _, right in self._pairs))

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        return [other for one, other in self._pairs if _same(one, left)]

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        return [one for one, other in self._pairs if _same(other, right)]

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return list(dict.fromkeys(left for left, _ in self._pairs))

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]

    def properties(self, left: Instance, right: Instance) -> Properties:
        return self._properties


def _same(one: Instance, other: Instance) -> bool:
    return one.class_name == other.class_name and one.identity == other.identity
