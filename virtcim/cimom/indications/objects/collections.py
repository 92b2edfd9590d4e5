"""Collections of filters as CIM objects, and what is in them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from virtcim.cimom.indications.objects.filters import FILTER, FilterProvider
from virtcim.cimom.indications.records import FilterCollection
from virtcim.cimom.indications.subscriptions import Subscriptions
from virtcim.providers.interface import (
    Association,
    CIMError,
    CIMValue,
    End,
    Instance,
    InstanceProvider,
    Keys,
    Properties,
    RequestContext,
    Status,
)

__all__ = ["COLLECTION", "CollectionInstance", "CollectionProvider", "MemberOfCollection"]

COLLECTION = "CIM_FilterCollection"


class CollectionInstance(Instance):
    """A collection of filters.

    Parameters:
        collection: what is known of it.
        namespace: the name of the Interop namespace that was asked for.
    """

    __slots__ = ("class_name", "collection", "identity", "namespace")

    def __init__(self, collection: FilterCollection, namespace: str) -> None:
        self.collection = collection
        self.class_name = COLLECTION
        self.namespace = namespace
        self.identity: Hashable = collection.key

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return 0

    def keys(self) -> dict[str, CIMValue]:
        return {"InstanceID": self.collection.instance_id}

    def properties(self) -> Properties:
        name = self.collection.name
        return {**self.keys(), "CollectionName": name, "ElementName": name}


class CollectionProvider(InstanceProvider):
    """Serves CIM_FilterCollection.

    Parameters:
        subscriptions: know the collections.
    """

    class_names = (COLLECTION,)

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions

    def instances(self, class_name: str, context: RequestContext) -> list[CollectionInstance]:
        return [CollectionInstance(each, context.namespace) for each in self._subscriptions.collections.values()]

    def some(self, keys: Iterable[str], context: RequestContext) -> list[CollectionInstance]:
        """Those that have one of these keys."""
        wanted = frozenset(keys)
        return [each for each in self.instances(COLLECTION, context) if each.collection.key in wanted]

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        return CollectionInstance(self.find(class_name, keys), context.namespace)

    def find(self, class_name: str, keys: Keys) -> FilterCollection:
        """The one with this InstanceID.  Raises CIMError NOT_FOUND."""
        wanted = next((str(value).strip() for name, value in keys.items() if name.lower() == "instanceid"), "")
        for collection in self._subscriptions.collections.values():
            if collection.instance_id.lower() == wanted.lower():
                return collection
        raise CIMError(Status.NOT_FOUND, f"There is no {class_name} with the InstanceID {wanted!r}")


class MemberOfCollection(Association):
    """CIM_MemberOfCollection: the filters of a collection.

    Parameters:
        collections, filters: what it connects.
    """

    class_names = ("CIM_MemberOfCollection",)
    left = End("Collection", frozenset({COLLECTION}))
    right = End("Member", frozenset({FILTER}))

    def __init__(self, collections: CollectionProvider, filters: FilterProvider) -> None:
        self._collections = collections
        self._filters = filters

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        return self._filters.some(self._collections.find(COLLECTION, left.keys()).members, context)

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        collections = self._collections.instances(COLLECTION, context)
        return [each for each in collections if right.identity in each.collection.members]

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return self._collections.instances(COLLECTION, context)

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]
