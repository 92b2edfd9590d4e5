"""Filters, their collections and destinations as CIM objects that intrinsic operations create, modify and delete.

They live in the Interop namespace, under each of its names: in their paths stands the name that was asked for, since
clients compare the paths that they get with those that they built.
"""

from virtcim.cimom.indications.objects.collections import (
    COLLECTION,
    CollectionInstance,
    CollectionProvider,
    MemberOfCollection,
)
from virtcim.cimom.indications.objects.destinations import DESTINATIONS, DestinationProvider, RelayedDestinationProvider
from virtcim.cimom.indications.objects.filters import FILTER, FilterProvider
from virtcim.cimom.indications.objects.named import NamedInstance, elsewhere, invalid, left_properties, require_owner

__all__ = [
    "COLLECTION",
    "DESTINATIONS",
    "FILTER",
    "CollectionInstance",
    "CollectionProvider",
    "DestinationProvider",
    "FilterProvider",
    "MemberOfCollection",
    "NamedInstance",
    "RelayedDestinationProvider",
    "elsewhere",
    "invalid",
    "left_properties",
    "require_owner",
]
