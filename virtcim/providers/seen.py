"""Instances as they were when they were looked at last, and what has become of them."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Iterator, Mapping

from virtcim.providers.interface import CIMValue, Instance, InstanceChange, Lifecycle, Properties

__all__ = ["SeenInstance", "differences", "look_at"]

_log = logging.getLogger(__name__)


class SeenInstance(Instance):
    """An instance as it was when it was looked at.

    Parameters:
        instance: that is looked at.
        namespace: where it is shown.
        properties: its own, where they are known.
    """

    __slots__ = ("_keys", "_properties", "class_name", "identity", "namespace", "revision")

    def __init__(self, instance: Instance, namespace: str, properties: Properties | None = None) -> None:
        self.class_name = instance.class_name
        self.namespace = namespace
        self.identity = instance.identity
        self.revision: Hashable = id(self)
        self._keys: dict[str, CIMValue] = dict(instance.keys())
        self._properties = instance.properties() if properties is None else properties

    def keys(self) -> dict[str, CIMValue]:
        return dict(self._keys)

    def properties(self) -> Properties:
        return self._properties


def look_at(instances: Iterable[Instance], namespace: str) -> dict[Hashable, SeenInstance]:
    """Take down what some instances are now, by identity.

    Parameters:
        namespace: where they are shown.
    """
    found: dict[Hashable, SeenInstance] = {}
    for instance in instances:
        try:
            found[instance.identity] = SeenInstance(instance, namespace)
        except Exception:  # one broken instance must not take the others with it
            _log.exception("%r: what becomes of it is not told", instance)
    return found


def differences(old: Mapping[Hashable, SeenInstance], new: Mapping[Hashable, SeenInstance]) -> Iterator[InstanceChange]:
    """Tell what has become of the instances of one class.

    Parameters:
        old, new: the instances by identity, before and after.
    """
    for identity, before in old.items():
        after = new.get(identity)
        if after is None:
            yield InstanceChange(Lifecycle.DELETED, before, None)
        elif before.properties() != after.properties():
            yield InstanceChange(Lifecycle.MODIFIED, before, after)
    for identity, after in new.items():
        if identity not in old:
            yield InstanceChange(Lifecycle.CREATED, None, after)
