"""Adds to a catalog what a server says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from virtcim.cimom.capabilities import CommunicationMechanism, ServerCapabilities
from virtcim.cimom.discovery.manager import GatheredStatistics, ManagerProvider, StatisticsProvider
from virtcim.cimom.discovery.model import ServerIdentity, ServerObjects
from virtcim.cimom.discovery.objects import FixedInstance, FixedProvider
from virtcim.cimom.discovery.profiles import (
    PROFILE_CLASS,
    PROFILES,
    Conformance,
    ProfileProvider,
    followed_profiles,
    references,
)
from virtcim.cimom.discovery.renaming import RenamedAssociation, RenamedProvider
from virtcim.cimom.statistics import OperationStatistics
from virtcim.providers.interface import Association, Catalog, InstanceProvider
from virtcim.schema.classes import ClassStore

__all__ = ["INTEROP_NAMES", "with_discovery"]

INTEROP_NAMES = ("root/interop", "interop", "root/PG_InterOp")
"""The names of the Interop namespace that clients try (DSP1033), the one that answers from elsewhere hold first."""

NAMESPACE_CLASS = "__Namespace"

Further = Callable[[ServerObjects], tuple[list[InstanceProvider], list[Association]]]
"""Makes the providers and associations of a service of the server, whose own objects are given."""


def with_discovery(
    catalog: Catalog,
    classes: ClassStore,
    identity: ServerIdentity,
    capabilities: ServerCapabilities,
    statistics: OperationStatistics,
    mechanisms: Sequence[CommunicationMechanism],
    further: Further | None = None,
) -> Catalog:
    """A catalog that also has the objects of the server itself, under each name of the Interop namespace.

    Parameters:
        catalog: what there is else.
        classes: the class store.
        identity: who the server is.
        capabilities: what it can do.
        statistics: that it can gather.
        mechanisms: the ways to talk to it.
        further: makes further providers and associations for each name of the Interop namespace.
    """
    main = INTEROP_NAMES[0]
    others = [name for name in _with_parents(catalog.namespaces) if name not in INTEROP_NAMES]
    children = _children([main, *others])
    namespaces: dict[str, Sequence[InstanceProvider]] = {
        name: [*catalog.namespaces.get(name, ()), _namespace_list(name, tuple(children.get(name, ())))]
        for name in others
    }
    associations: dict[str, Sequence[Association]] = {name: catalog.associations.get(name, ()) for name in others}
    for name in INTEROP_NAMES:
        visible = sorted([name, *others])
        objects = ServerObjects(identity, capabilities, statistics, name, visible, mechanisms)
        more_providers, more_links = ([], []) if further is None else further(objects)
        if name == main:
            # What leads out of the Interop namespace can be followed from its other end as well.
            for other in others:
                leading = _leading_to(catalog.namespaces.get(other, ()), more_links)
                associations[other] = [*associations[other], *leading]
        shown, links = _renamed(catalog, name)
        statistics_provider = StatisticsProvider(name, objects.name, statistics)
        gathered = GatheredStatistics(objects.object_manager, statistics_provider)
        providers = [
            *shown, FixedProvider(objects.instances()), ManagerProvider(objects.object_manager, statistics),
            statistics_provider, _namespace_list(name, tuple(visible)),
            *more_providers,
        ]  # fmt: skip
        profiles, conformity = _profiles(name, identity, classes, providers)
        namespaces[name] = [*providers, profiles]
        associations[name] = [*links, *objects.associations(), gathered, *more_links, *conformity]
    return replace(catalog, namespaces=namespaces, associations=associations)


def _leading_to(providers: Iterable[InstanceProvider], links: Iterable[Association]) -> list[Association]:
    """The associations of which one end may be of one of the providers."""
    names = {each for provider in providers for each in provider.class_names}
    return [each for each in links if names & {*each.left.class_names, *each.right.class_names}]


def _renamed(catalog: Catalog, name: str) -> tuple[Sequence[InstanceProvider], Sequence[Association]]:
    """What the catalog has of the Interop namespace, under one of its names."""
    main = INTEROP_NAMES[0]
    providers, links = catalog.namespaces.get(main, ()), catalog.associations.get(main, ())
    if name != main:
        providers = [RenamedProvider(each, main, name) for each in providers]
        links = [RenamedAssociation(each, main, name) for each in links]
    return providers, links


def _profiles(
    namespace: str, identity: ServerIdentity, classes: ClassStore, providers: Iterable[InstanceProvider]
) -> tuple[InstanceProvider, Sequence[Association]]:
    """The profiles that the server follows (DSP1033), and what of the providers' conforms to them."""
    served = {class_name: provider for provider in providers for class_name in provider.class_names}
    names = {class_name for each in PROFILES for class_name in each.central}
    central = {class_name: classes.concrete(class_name) & served.keys() for class_name in names}
    # The server's own profiles are registered, too, though their provider is made last.
    central[PROFILE_CLASS] |= {PROFILE_CLASS}
    followed = followed_profiles(namespace, identity.product, central)
    conformance = Conformance(followed, served)
    profiles = ProfileProvider(followed, conformance)
    served[PROFILE_CLASS] = profiles
    return profiles, [conformance, references(followed)]


def _with_parents(names: Iterable[str]) -> list[str]:
    """The namespaces, and those that they are in."""
    found: dict[str, None] = {}
    for name in names:
        parts = name.split("/")
        for length in range(1, len(parts) + 1):
            found["/".join(parts[:length])] = None
    return sorted(found)


def _children(names: Iterable[str]) -> dict[str, list[str]]:
    """The namespaces directly in each one that has some, by their last name."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        parent, slash, last = name.rpartition("/")
        if slash:
            found.setdefault(parent, []).append(last)
    return found


@lru_cache(maxsize=4096)
def _namespace_list(namespace: str, names: tuple[str, ...]) -> FixedProvider:
    """__Namespace, an older way to list namespaces; the same one for the same names, so that what did not change is
    seen to be the same."""
    listed = (FixedInstance(namespace, NAMESPACE_CLASS, {"Name": name}, {}) for name in names)
    return FixedProvider(listed, [NAMESPACE_CLASS])
