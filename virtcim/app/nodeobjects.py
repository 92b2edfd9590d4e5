"""What the server's own system has to do with nodes: groups, the service that places guests, images and templates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from virtcim.cimom.access import Access
from virtcim.cimom.context import principal_of
from virtcim.cimom.discovery.model import ServerObjects
from virtcim.cimom.discovery.objects import FixedAssociation
from virtcim.providers.associations.Virt_OwningJobElement import JobsOfServer
from virtcim.providers.interface import Association, InstanceProvider, RequestContext, Role
from virtcim.providers.lifecycle import Watched
from virtcim.providers.nodes.elements import May
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.services.ofserver import ServerServiceProvider
from virtcim.providers.Virt_AggregatedManagementService import AGGREGATED_SERVICE, AggregatedServiceProvider
from virtcim.providers.Virt_ApplianceCatalog import (
    ApplianceCatalogProvider,
    ApplianceProvider,
    CatalogMembers,
    Shelf,
)
from virtcim.providers.Virt_ImageStore import (
    ImageStoreProvider,
    StoreMembers,
    TemplateGroupProvider,
    TemplateMembers,
    TemplatesProvider,
)
from virtcim.providers.Virt_ManagedNode import ManagedNodeProvider
from virtcim.providers.Virt_NodeGroup import AggregatedServices, GroupMembers, NodeGroupProvider
from virtcim.providers.Virt_RegisteredProfile import INTEROP

__all__ = ["node_objects", "watched_objects"]


def node_objects(
    server: ServerObjects, nodes: NodeRegistry, access: Access, shelf: Shelf
) -> tuple[list[InstanceProvider], list[Association]]:
    """Make the providers and associations for one name of the Interop namespace.

    Parameters:
        server: its own objects there.
        nodes: all nodes.
        access: decides who may do what in the namespaces of the nodes.
        shelf: what there is of appliances.
    """

    def may(context: RequestContext, namespace: str, role: Role) -> bool:
        return access.role(principal_of(context), namespace) >= role

    namespace = server.system.namespace
    service = server.hosted(
        AGGREGATED_SERVICE, f"{server.name}:nodes", {"ElementName": "Placement on nodes", "Started": True}
    )
    groups = NodeGroupProvider(nodes, namespace)
    of_images, links = _image_objects(nodes, may, namespace)
    appliances = ApplianceProvider(shelf.catalogs, namespace)
    catalog = ApplianceCatalogProvider(shelf, nodes, may, namespace)
    providers = [groups, AggregatedServiceProvider(nodes, service, may), *of_images, catalog, appliances]
    owners = [each.service for each in providers if isinstance(each, ServerServiceProvider)]
    return (
        providers,
        [
            *links,
            CatalogMembers(catalog, appliances),
            JobsOfServer(nodes.local, owners),
            GroupMembers(nodes, groups, namespace),
            AggregatedServices(nodes, server.system),
            FixedAssociation("CIM_HostedService", ("Antecedent", "Dependent"), [(server.system, service)]),
        ],
    )


def _image_objects(nodes: NodeRegistry, may: May, namespace: str) -> tuple[list[InstanceProvider], list[Association]]:
    """What shows images and templates."""
    library = nodes.local.library
    if library is None:
        return [], []
    store = ImageStoreProvider(library, nodes, may, namespace)
    groups = TemplateGroupProvider(library, namespace)
    return (
        [store, groups, TemplatesProvider(library, nodes, namespace)],
        [StoreMembers(store, groups), TemplateMembers(library, nodes, groups, namespace)],
    )


def watched_objects(nodes: NodeRegistry, shelf: Shelf) -> list[Watched]:
    """What of these changes while the server runs, for indications.

    Parameters:
        nodes: all nodes.
        shelf: what there is of appliances.
    """
    context = RequestContext(INTEROP)
    of_nodes: list[InstanceProvider] = [ManagedNodeProvider(nodes), NodeGroupProvider(nodes, INTEROP)]
    follows: list[tuple[InstanceProvider, Callable[[Callable[[], None]], None]]] = [
        (each, nodes.watchers.append) for each in of_nodes
    ]
    # Nobody calls methods of these.
    catalog = ApplianceCatalogProvider(shelf, nodes, _nobody_may, INTEROP)
    follows += [
        (each, shelf.catalogs.listeners.append) for each in (catalog, ApplianceProvider(shelf.catalogs, INTEROP))
    ]
    library = nodes.local.library
    if library is not None:
        store, *of_templates = _image_objects(nodes, _nobody_may, INTEROP)[0]
        follows += [(store, library.images.listeners.append)]
        follows += [(each, library.templates.listeners.append) for each in of_templates]
    return [
        Watched(name, INTEROP, partial(provider.instances, name, context), follow)
        for provider, follow in follows
        for name in provider.class_names
    ]


def _nobody_may(_context: RequestContext, _namespace: str, _role: Role) -> bool:
    return False
