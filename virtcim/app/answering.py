"""What answers clients, put together: the one place that knows all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from virtcim.app.assembly import FRONT_ENDS, make_daemon, make_server
from virtcim.app.config import ConfigError, Settings
from virtcim.app.guestconsoles import GuestConsoles
from virtcim.app.imagelibrary import make_shelf, template_checker
from virtcim.app.nodeobjects import node_objects, watched_objects
from virtcim.app.roles import make_access
from virtcim.app.start import Start
from virtcim.app.statusreport import StatusReport
from virtcim.cimom.access import Access, Role
from virtcim.cimom.capabilities import server_capabilities
from virtcim.cimom.core import Executor
from virtcim.cimom.discovery import INTEROP_NAMES, ServerIdentity, with_discovery
from virtcim.cimom.discovery.model import ServerObjects
from virtcim.cimom.indications.service import IndicationService
from virtcim.cimom.principals import Principal
from virtcim.cimom.pull import pull_limits
from virtcim.cimom.requests import INTRINSIC_OPERATIONS
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.cimxml.export import CIMXMLExport
from virtcim.frontends.compatibility import translation_of
from virtcim.frontends.http.auth import Authenticator
from virtcim.frontends.http.listener import Endpoint
from virtcim.frontends.http.server import Server
from virtcim.frontends.rest.consoles import Consoles
from virtcim.frontends.rest.frontend import REST
from virtcim.frontends.rest.sessions import KeptSession
from virtcim.immutable import immutable
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.providers.interface import Association, Catalog, CIMError, InstanceProvider, Store
from virtcim.providers.lifecycle import LifecycleSources
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.site import Site
from virtcim.providers.Virt_ManagedNode import ManagedNodeProvider
from virtcim.registration.catalog import INTEROP, SiteCatalogs, element_types, indication_classes
from virtcim.registration.roles import method_roles
from virtcim.registration.table import Table, make_table, server_entries
from virtcim.schema.classes import ClassStore

if TYPE_CHECKING:
    from virtcim.frontends.cmpi.daemon import CmpiDaemon

__all__ = ["Assembly", "assemble"]


@immutable
class Assembly:
    """What answers clients, put together and not yet started.

    Attributes:
        endpoints: bound.
        server: answers on them.
        bridge: answers other CIM servers, where that is wanted.
        identity: of the server, for announcements.
        site: whose guests it shows first.
        nodes: the further ones.
        indications: tells clients what changes.
    """

    endpoints: list[Endpoint]
    server: Server
    bridge: CmpiDaemon | None
    identity: ServerIdentity
    site: Site
    nodes: NodeRegistry
    indications: IndicationService


def assemble(
    start: Start, nodes: NodeRegistry, classes: ClassStore, identity: ServerIdentity, store: Store
) -> Assembly:
    """Put together what answers clients.

    Raises:
        ConfigError: there is no such namespace.
    """
    settings, endpoints, authenticator, tls = start.settings, start.endpoints, start.authenticator, start.tls
    site, catalogs = nodes.local, SiteCatalogs(nodes.sites(), [ManagedNodeProvider(nodes)])
    catalog = catalogs.catalog()
    statistics = OperationStatistics(INTRINSIC_OPERATIONS)
    capabilities = server_capabilities(
        catalog,
        INTRINSIC_OPERATIONS,
        authenticator,
        pull_limits(settings.server),
        certificates=tls is not None and bool(tls.users),
        subscriptions=True,
    )
    access = make_access(settings.roles, classes, method_roles(catalog), settings.indications.subscribers)
    shelf = make_shelf(settings)
    if site.library is not None:
        site.library.check = template_checker(classes)
    changes = LifecycleSources(
        nodes.sites(), element_types(catalog), store, catalog.associations, watched_objects(nodes, shelf)
    )
    indications = _indications(settings, site, changes, classes, catalog, access, identity, store)
    mechanisms = [each.mechanism for each in FRONT_ENDS if each.mechanism is not None]

    def further(objects: ServerObjects) -> tuple[list[InstanceProvider], list[Association]]:
        providers, links = indications.objects(objects)
        more_providers, more_links = node_objects(objects, nodes, access, shelf)
        return [*providers, *more_providers], [*links, *more_links]

    def discovered(shown: Catalog) -> Catalog:
        return with_discovery(shown, classes, identity, capabilities, statistics, mechanisms, further)

    translate = translation_of(settings.compatibility)
    known = [identity.system_name, *(each.bound_host for each in endpoints if each.scheme != "unix")]
    limits = replace(settings.server, hosts=(*settings.server.hosts, *known))
    server = make_server(
        discovered(catalog), classes, limits, authenticator, tls, statistics, access, translate=translate
    )
    _give_to_rest(server, indications, nodes, store, authenticator)

    def show() -> None:
        catalogs.show(nodes.sites())
        shown = catalogs.catalog()
        server.core.serve(discovered(shown))
        changes.follow(nodes.sites(), shown.associations)
        indications.look_at(shown.namespaces)

    nodes.listeners.append(show)
    server.report(_reporter(settings, endpoints, nodes, indications, server, access))
    for name in settings.compatibility.namespaces:
        try:
            server.core.namespaces[name]
        except CIMError as error:
            raise ConfigError(f"compatibility.namespaces: {error.description}; expected one that is served") from None
    bridge: CmpiDaemon | None = None
    if settings.cmpi.enabled:
        bridge = _bridge(settings, translate(server.core), site, catalog, classes, indications)
    return Assembly(endpoints, server, bridge, identity, site, nodes, indications)


def _give_to_rest(
    server: Server, indications: IndicationService, nodes: NodeRegistry, store: Store, authenticator: Authenticator
) -> None:
    """Give the REST front end, where there is one, what it shows beside the operations of CIM."""
    for front_end in server.frontends:
        if isinstance(front_end, REST):
            front_end.streams = indications.streams
            front_end.alerts = indications.alerts
            front_end.consoles = Consoles(GuestConsoles(nodes))
            front_end.sessions.keep(store.table("browser session", KeptSession), authenticator.stamp)


def _bridge(
    settings: Settings,
    core: Executor,
    site: Site,
    catalog: Catalog,
    classes: ClassStore,
    indications: IndicationService,
) -> CmpiDaemon:
    """Put together what answers other CIM servers."""

    @lru_cache(maxsize=1)
    def table(_hidden: frozenset[str]) -> Table:
        return make_table(catalog, classes, indication_classes(site, catalog), server_entries(INTEROP))

    return make_daemon(
        core,
        lambda class_name: table(catalog.hidden(site.namespace)).provider_of(class_name),
        settings.cmpi,
        indications.relay,
    )


def _reporter(
    settings: Settings,
    endpoints: Sequence[Endpoint],
    registry: NodeRegistry,
    indications: IndicationService,
    server: Server,
    access: Access,
) -> Callable[[Principal], str | None]:
    """Put together what `virtcim status` is told: those who may read learn how the server is, administrators also who
    asks and what went wrong."""

    def nodes() -> Iterator[tuple[str, Hypervisor, list[bool]]]:
        for site in registry.sites():
            for platform in site.platforms:
                for hypervisor in site.hypervisors(platform):
                    yield platform.prefix, hypervisor, [each.active for each in hypervisor.inventory.domains()]

    report = StatusReport(
        [each.url for each in endpoints],
        settings.auth,
        nodes,
        lambda: (
            len(indications.subscriptions.subscriptions()),
            sum(queue.failing_since is not None for queue in indications.queues.all()),
        ),
        lambda: (each.name.lower().replace("_", " ") for each in registry.local.jobs.states()),
        lambda: server.users,
    )

    def tell(principal: Principal) -> str | None:
        role = access.role(principal, registry.local.namespace)
        if role < Role.READ:
            return None
        return json.dumps(report(privileged=role >= Role.ADMINISTER))

    return tell


def _indications(
    settings: Settings,
    site: Site,
    changes: LifecycleSources,
    classes: ClassStore,
    catalog: Catalog,
    access: Access,
    identity: ServerIdentity,
    store: Store,
) -> IndicationService:
    """Put together what tells clients of changes."""
    host = settings.server.host_name
    return IndicationService(
        changes,
        store,
        classes,
        access,
        settings.indications,
        CIMXMLExport(classes, site.namespace, host, settings.indications),
        identity.product,
        identity.system_name,
        host,
        catalog.namespaces,
        INTEROP_NAMES,
    )
