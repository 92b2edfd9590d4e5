"""`virtcim serve`: starts everything in order, and stops it in the reverse order."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from virtcim import __version__, schema
from virtcim.app import systemd
from virtcim.app.assembly import FRONT_ENDS, make_daemon, make_server
from virtcim.app.auditfile import open_audit_log
from virtcim.app.certificates import with_pair
from virtcim.app.config import ConfigError, Settings, is_loopback, naming, parse_auth, parse_listen
from virtcim.app.credentials import claim_state_dir, first_password, make_state_dir
from virtcim.app.guestconsoles import GuestConsoles
from virtcim.app.heap import give_back, share_arenas
from virtcim.app.imagelibrary import make_library, make_shelf
from virtcim.app.loopwatch import LoopWatch, ShortCollections, freeze_loaded
from virtcim.app.nodefiles import configured_nodes
from virtcim.app.nodeobjects import node_objects, watched_objects
from virtcim.app.platforms import find_platforms, is_here, load_classes
from virtcim.app.roles import make_access
from virtcim.app.statusreport import StatusReport
from virtcim.app.store import DATABASE, SQLiteStore
from virtcim.cimom.access import Access, Role
from virtcim.cimom.capabilities import server_capabilities
from virtcim.cimom.discovery import INTEROP_NAMES, ServerIdentity, with_discovery
from virtcim.cimom.discovery.model import ServerObjects
from virtcim.cimom.indications import IndicationService
from virtcim.cimom.principals import Principal
from virtcim.cimom.pull import pull_limits
from virtcim.cimom.requests import INTRINSIC_OPERATIONS
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.cimxml.export import CIMXMLExport
from virtcim.frontends.compatibility import translation_of
from virtcim.frontends.http import dnssd
from virtcim.frontends.http.auth import (
    Authenticator,
    BasicAuthenticator,
    Htpasswd,
    NoAuthentication,
    NoPasswords,
    Pam,
    PasswordFile,
    Verifier,
)
from virtcim.frontends.http.listener import Endpoint, open_tcp, open_unix
from virtcim.frontends.http.server import Server
from virtcim.frontends.http.tls import TLSState
from virtcim.frontends.rest.consoles import Consoles
from virtcim.frontends.rest.frontend import REST
from virtcim.images.store import template_files
from virtcim.immutable import immutable
from virtcim.libhelper.host import qualified_name
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.inventory.records import Change, Host
from virtcim.libhelper.metrics import Sources, figures_text
from virtcim.libhelper.search import Search
from virtcim.platforms.base import Platform
from virtcim.platforms.registry import Registry
from virtcim.providers.guest import Guest
from virtcim.providers.interface import Association, Catalog, CIMError, InstanceProvider, Store
from virtcim.providers.jobs import Jobs
from virtcim.providers.kinds import KINDS
from virtcim.providers.lifecycle import LifecycleSources
from virtcim.providers.nodes import DEFAULT, NodeSettings
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.seeds import detach_seeds
from virtcim.providers.services.foundagain import work_of
from virtcim.providers.site import Site
from virtcim.providers.Virt_ManagedNode import ManagedNodeProvider
from virtcim.registration.catalog import CIMV2, INTEROP, SiteCatalogs, element_types, indication_classes
from virtcim.registration.roles import method_roles
from virtcim.registration.table import Table, group_entries, make_table
from virtcim.schema.classes import ClassStore

if TYPE_CHECKING:
    from virtcim.frontends.cmpi.daemon import CmpiDaemon

__all__ = ["serve"]

TEST_DRIVER = "test:///default"
"""libvirt's own make-believe hypervisor."""

JOB_STOP = 1.0
"""Seconds that jobs get to undo what they have begun, while answers in flight get theirs."""

HYPERVISOR_STOP = 0.5
"""Seconds that the hypervisors and the store get to close; with `ServerSettings.stop_timeout` it makes the 2 s of a
stop."""

log = logging.getLogger("virtcim")

Result = TypeVar("Result")


def serve(settings: Settings, example: bool, test_driver: bool, reload: Callable[[], Settings] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    Parameters:
        settings: see `Settings`.
        example: print wbemcli lines that work when pasted, with the password, to stderr.
        test_driver: serve libvirt's test driver where no URI is named and no hypervisor answers in
            `Settings.startup_wait`.  Those that answer later are served beside it.
        reload: reads the settings anew, on SIGHUP, for the nodes that they name; raises ConfigError.

    Returns:
        the exit status: 0 after an orderly stop, 1 when the address cannot be had.

    Raises:
        ConfigError: a setting turns out wrong only when it is used.
    """
    share_arenas()
    sys.setswitchinterval(settings.loop.switch_interval)
    stop_limit = settings.server.stop_timeout + HYPERVISOR_STOP
    status = asyncio.run(
        _until_signalled(lambda: _run(settings, example, test_driver, reload or (lambda: settings)), stop_limit)
    )
    if any(thread is not threading.current_thread() and not thread.daemon for thread in threading.enumerate()):
        # A worker that waits for a libvirt call without an answer cannot be ended otherwise.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
    return status


async def _until_signalled(work: Callable[[], Coroutine[Any, Any, int]], stop_limit: float) -> int:
    """Run `work`, cancelled by SIGTERM or SIGINT, which is an orderly end.

    Parameters:
        stop_limit: seconds after the signal in which the process ends, whatever is under way.
    """
    task = asyncio.ensure_future(work())
    loop = asyncio.get_running_loop()

    def stop() -> None:
        threading.Thread(target=_end_in_time, args=(stop_limit,), name="end", daemon=True).start()
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        return 0


def _end_in_time(seconds: float) -> None:
    """End the process when its orderly end takes too long: a loop or an interpreter under load comes late."""
    time.sleep(seconds)
    log.warning("The orderly end took more than %.1f s: what is under way is cut off", seconds)
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


@immutable
class _Assembly:
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


async def _run(settings: Settings, example: bool, test_driver: bool, reload: Callable[[], Settings]) -> int:
    # Everything that waits for a disk or computes for long is done in threads, before and after clients come.
    # The addresses come first, since what is wrong with them should show before anything slow.
    try:
        endpoints = await _in_thread(lambda: _endpoints(settings))
    except OSError as error:
        log.error("%s", error.strerror or error)
        return 1
    try:
        return await _run_on(endpoints, settings, example, test_driver, reload)
    finally:
        for each in endpoints:
            each.close()


async def _run_on(
    endpoints: list[Endpoint], settings: Settings, example: bool, test_driver: bool, reload: Callable[[], Settings]
) -> int:
    """Start everything else, and serve until the task is cancelled.

    Parameters:
        endpoints: bound; closed by the caller.
    """
    authenticator, login, tls = await _in_thread(lambda: _prepare(settings, endpoints))
    identifying = _in_thread(lambda: _identity(settings))
    registry = await _in_thread(lambda: find_platforms(settings))
    configured = await _in_thread(lambda: configured_nodes(settings))
    settings = _with_default_node(settings, configured.nodes.get(DEFAULT))
    hypervisors = [Hypervisor(uri, settings.inventory) for uri in dict.fromkeys(settings.uris)]
    store = await _in_thread(lambda: SQLiteStore(settings.state_dir / DATABASE))
    jobs = await _in_thread(lambda: Jobs(settings.providers.jobs, store, adopting=True))
    site = Site([], registry, KINDS, settings.providers, jobs)
    site.library = await _in_thread(lambda: make_library(settings, store))
    detach_seeds(site)
    nodes = NodeRegistry(site, registry, settings.inventory, store, jobs, (*INTEROP_NAMES, CIMV2))
    search = await _in_thread(lambda: _search(site, registry, settings))
    try:
        for hypervisor in hypervisors:
            hypervisor.start()
        search.start()
        # Nobody waits for them: one that is down is shown so.
        await _in_thread(lambda: nodes.configure(configured))
        classes = await _in_thread(lambda: load_classes(registry, settings.state_dir))
        await _ready(hypervisors, search, settings.startup_wait)
        for hypervisor in hypervisors:
            site.add(_platform_of(hypervisor, registry), hypervisor)
        if test_driver and not settings.uris and not search.hypervisors:
            hypervisors.append(_serve_test_driver(site, registry, settings))
            await _in_thread(lambda: hypervisors[-1].wait_ready(settings.startup_wait))
        identity = await identifying
        assembly = await _in_thread(
            lambda: _assemble(endpoints, settings, nodes, classes, authenticator, tls, identity, store)
        )
        for hypervisor in hypervisors:
            hypervisor.inventory.listeners.append(_freeze_after_load)
        return await _serve(assembly, settings, jobs, login if example else None, reload)
    finally:
        search.stop()
        stopping = [_in_thread(hypervisor.stop) for hypervisor in (*hypervisors, *search.hypervisors)]
        stopping += [_in_thread(nodes.stop), _in_thread(store.close)]
        await asyncio.wait(stopping, timeout=HYPERVISOR_STOP)


def _prepare(settings: Settings, endpoints: list[Endpoint]) -> tuple[Authenticator, str, TLSState | None]:
    """Make the state directory, and read what is needed before anything else.

    Returns:
        the authenticator, what stands before the host in a URL that it lets through, and the certificates where
        something listens that needs them.

    Raises:
        ConfigError: a certificate, file or directory is not as it should be, or a library is missing.
    """
    if settings.server.dns_sd:
        if not dnssd.is_available():
            raise ConfigError("server.dns_sd: the library zeroconf is missing; expected pip install 'virtcim[dnssd]'")
        dnssd.load()
    with naming("state_dir", "a directory that this user may write to, with space left"):
        make_state_dir(settings.state_dir)
        claim_state_dir(settings.state_dir)
    with naming("auth", "a file that this user may read, or make in the state directory"):
        authenticator, login = _authentication(settings)
    with naming("tls", "certificates and keys in PEM that this user may read, or make in the state directory"):
        tls = _certificates(settings, endpoints)
    with naming("audit_file", "a file that this user may write to"):
        open_audit_log(settings.audit_file)
    return authenticator, login, tls


def _assemble(
    endpoints: list[Endpoint],
    settings: Settings,
    nodes: NodeRegistry,
    classes: ClassStore,
    authenticator: Authenticator,
    tls: TLSState | None,
    identity: ServerIdentity,
    store: Store,
) -> _Assembly:
    """Put together what answers clients.

    Raises:
        ConfigError: there is no such namespace.
    """
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
    changes = LifecycleSources(
        nodes.sites(), element_types(catalog), store, catalog.associations, watched_objects(nodes)
    )
    indications = _indications(settings, site, changes, classes, catalog, access, identity, store)
    mechanisms = [each.mechanism for each in FRONT_ENDS if each.mechanism is not None]
    shelf = make_shelf(settings)

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
    for front_end in server.frontends:
        if isinstance(front_end, REST):
            front_end.streams = indications.streams
            front_end.consoles = Consoles(GuestConsoles(nodes))

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

        @lru_cache(maxsize=1)
        def table(_hidden: frozenset[str]) -> Table:
            return make_table(catalog, classes, indication_classes(site, catalog), group_entries(INTEROP))

        bridge = make_daemon(
            translate(server.core),
            lambda class_name: table(catalog.hidden(site.namespace)).provider_of(class_name),
            settings.cmpi,
            indications.relay,
        )
    return _Assembly(endpoints, server, bridge, identity, site, nodes, indications)


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


async def _serve(
    assembly: _Assembly, settings: Settings, jobs: Jobs, login: str | None, reload: Callable[[], Settings]
) -> int:
    """Answer clients until the task is cancelled.

    Parameters:
        login: what stands before the host in a URL, for an example of how to ask; None for no example.
        reload: reads the settings anew.

    Returns:
        the exit status, where it cannot be begun.
    """
    loop, server, bridge = asyncio.get_running_loop(), assembly.server, assembly.bridge
    watch, collections = LoopWatch(loop, settings.loop.longest_pause), ShortCollections()
    server.metrics.watch(
        "loop_longest_pause_seconds", "Time that the event loop took to answer, at the longest", lambda: watch.longest
    )
    for figure in assembly.indications.figures():
        server.metrics.watch(*figure)
    server.metrics.add(figures_text(partial(_sources, assembly.nodes)))
    await server.start(assembly.endpoints)
    try:
        await _in_thread(assembly.indications.start)
        await _in_thread(lambda: jobs.adopt(lambda record: work_of(record, assembly.nodes.sites)))
        if bridge is not None:
            try:
                await _in_thread(bridge.start)
            except OSError as error:
                log.error("cannot serve other CIM servers on %s: %s", settings.cmpi.socket, error)
                return 1

        def reload_all() -> None:
            server.reload_certificates()
            _in_thread(lambda: _reload_nodes(assembly.nodes, reload))

        loop.add_signal_handler(signal.SIGHUP, reload_all)
        freeze_loaded()
        collections.start()
        gc.enable()
        if settings.loop.watch:
            watch.start()
        _tell(assembly, settings, login)
        async with _announcement(assembly.identity, _reachable(assembly.endpoints)):
            await asyncio.Event().wait()
    finally:
        watch.stop()
        systemd.notify("STOPPING=1")
        stopping = [
            server.stop(),
            _in_thread(lambda: jobs.stop(JOB_STOP)),
            _in_thread(assembly.indications.stop),
        ]
        if bridge is not None:
            stopping.append(_in_thread(bridge.stop))
        await asyncio.gather(*stopping)
    return 0


def _sources(registry: NodeRegistry) -> Iterator[Sources]:
    """List the hypervisors of each node for whoever reads figures; the local one has no name where it is alone."""
    nodes = [node for node in registry.nodes() if node.settings.enabled and not node.refusal]
    yield Sources(registry.local.all_hypervisors(), DEFAULT if nodes else "")
    for node in nodes:
        yield Sources(node.hypervisors, node.name, node.settings.groups)


def _tell(assembly: _Assembly, settings: Settings, login: str | None) -> None:
    """Say where the server listens."""
    reachable = _reachable(assembly.endpoints)
    if login is not None and reachable:
        print(*_examples(reachable[0], login, assembly.site), sep="\n", file=sys.stderr, flush=True)
    for url in dict.fromkeys(each.url for each in assembly.endpoints):
        print(f"virtcim: listening on {url}", flush=True)
    systemd.notify("READY=1")


def _with_default_node(settings: Settings, default: NodeSettings | None) -> Settings:
    """Take the connections of this host from the node that is named default, where there is one."""
    if default is None:
        return settings
    inventory = replace(settings.inventory, read_only=settings.inventory.read_only or default.read_only)
    return replace(settings, uris=default.uris, inventory=inventory)


def _reload_nodes(nodes: NodeRegistry, reload: Callable[[], Settings]) -> None:
    """Serve the nodes that the files name now; with files that cannot be read everything stays as it is."""
    try:
        settings = reload()
        nodes.configure(configured_nodes(settings))
        if nodes.local.library is not None:
            nodes.local.library.templates.configure(template_files(settings.images.directory))
    except ConfigError as error:
        log.error("the settings are not read again: %s", error)
    except Exception:
        log.exception("the nodes are not read again")
    else:
        log.info("serving %d nodes", len(nodes.nodes()))


def _reachable(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """List the endpoints that have a URL for everybody."""
    return [each for each in endpoints if each.scheme != "unix"]


def _freeze_after_load(change: Change) -> None:
    """Have full collections pass over what a hypervisor that has come back was read to."""
    before, after = change.before, change.after
    if isinstance(before, Host) and isinstance(after, Host) and after.contact > before.contact:
        freeze_loaded()


def _authentication(settings: Settings) -> tuple[Authenticator, str]:
    """The authenticator, and what stands before the host in a URL that it lets through."""
    verifiers: list[Verifier] = []
    login = "USER:PASSWORD@"
    for mechanism, argument in parse_auth(settings.auth):
        match mechanism:
            case "none":
                return NoAuthentication(), ""
            case "certificate":
                return NoPasswords(), ""
            case "password":
                user, password = first_password(settings.state_dir)
                verifiers.append(PasswordFile(settings.state_dir / "password"))
                login = f"{user}:{password}@"
            case "htpasswd":
                file = Htpasswd(Path(argument))
                file.load()
                verifiers.append(file)
            case "pam":
                verifiers.append(Pam(argument or "virtcim"))
    limits = settings.server
    return BasicAuthenticator(verifiers, limits.login_lifetime, limits.login_delay), login


def _certificates(settings: Settings, endpoints: Sequence[Endpoint]) -> TLSState | None:
    """The certificates, where something listens that needs them."""
    if all(each.scheme != "https" for each in endpoints):
        return None
    return TLSState(with_pair(settings.tls, settings.state_dir))


def _endpoints(settings: Settings) -> list[Endpoint]:
    """What is listened on: what systemd hands over, and nothing else then; otherwise what the settings say.

    Raises:
        OSError: an address cannot be had; the text names it.
    """
    endpoints = systemd.inherited_endpoints()
    if endpoints:
        open_doors = [each.url for each in endpoints if each.scheme != "unix" and not is_loopback(each.bound_host)]
        if settings.auth == "none" and open_doors:
            doors = ", ".join(open_doors)
            raise ConfigError(f"auth: 'none' is open to whoever reaches {doors}; expected loopback addresses only")
        return endpoints
    try:
        for scheme, name, listen in (
            ("http", "listen", settings.listen),
            ("https", "listen_https", settings.listen_https),
        ):
            if listen:
                where = f"{name}: {listen}"
                endpoints += open_tcp(*parse_listen(listen), scheme)
        if settings.listen_unix:
            where = f"listen_unix: {settings.listen_unix}"
            endpoints.append(open_unix(Path(settings.listen_unix)))
    except OSError as error:
        for each in endpoints:
            each.close()
        reason = error.strerror or error
        raise OSError(error.errno, f"{where}: {reason}; expected an address of this host that is free") from error
    return endpoints


def _search(site: Site, registry: Registry, settings: Settings) -> Search:
    """The search for the hypervisors of every platform that this host can have, which are served when they are found;
    for none where the settings name what to serve."""
    platforms: dict[str, Platform] = {}
    if not settings.uris:
        for platform in registry:
            for uri in platform.uris if is_here(platform, settings.platforms.patience) else ():
                platforms.setdefault(uri, platform)

    def add(hypervisor: Hypervisor) -> None:
        log.info("serving %s%s", hypervisor.uri, ", read-only" if hypervisor.read_only else "")
        hypervisor.inventory.listeners.append(_freeze_after_load)
        try:
            platform = _platform_of(hypervisor, registry)
        except ConfigError as error:
            log.error("not served: %s", error)
        else:
            site.add(platform, hypervisor)
            # It was read before anybody listened.
            freeze_loaded()
            give_back()

    return Search(platforms, settings.inventory, add)


def _serve_test_driver(site: Site, registry: Registry, settings: Settings) -> Hypervisor:
    log.warning("serving libvirt's test driver, %s: its guests are make-believe", TEST_DRIVER)
    hypervisor = Hypervisor(TEST_DRIVER, settings.inventory)
    hypervisor.start()
    site.add(_platform_of(hypervisor, registry), hypervisor)
    return hypervisor


def _platform_of(hypervisor: Hypervisor, registry: Registry) -> Platform:
    """Find the platform by what libvirt calls the driver of the connection; by the URI while there has been none.

    Raises:
        ConfigError: no platform serves it.
    """
    uri, driver = hypervisor.uri, hypervisor.driver
    platform = registry.by_driver(driver) if driver else registry.by_uri(uri)
    if platform is None and driver:
        raise ConfigError(f"uris: {uri!r}: no platform serves libvirt's driver {driver!r}")
    if platform is None:
        raise ConfigError(f"uris: {registry.unknown(uri)}")
    return platform


def _identity(settings: Settings) -> ServerIdentity:
    return ServerIdentity(
        "virtcim", __version__, qualified_name(settings.server.host_name), schema.VERSION, settings.server.dns_sd
    )


def _announcement(identity: ServerIdentity, reachable: Sequence[Endpoint]) -> AbstractAsyncContextManager[None]:
    """Announces the server, where that is wanted."""
    if not identity.dns_sd or not reachable:
        return nullcontext()
    chosen = reachable[-1]  # HTTPS, where there is both
    return dnssd.announced(chosen.scheme, chosen.bound_host, chosen.port, identity.system_name)


async def _ready(hypervisors: Sequence[Hypervisor], search: Search, timeout: float) -> None:
    """Wait until every hypervisor was read, or is known to be away."""
    searching = _in_thread(lambda: search.wait(timeout))
    await asyncio.gather(*(_in_thread(partial(hypervisor.wait_ready, timeout)) for hypervisor in hypervisors))
    await searching
    silent = [hypervisor.uri for hypervisor in hypervisors if not hypervisor.connected]
    for uri in (*silent, *search.silent):
        log.warning("%s does not answer yet: its classes are empty until it does", uri)
    if search.uris and not search.hypervisors:
        log.warning("no hypervisor answers on this host: looking on for %s", ", ".join(search.uris))


def _examples(endpoint: Endpoint, login: str, site: Site) -> Iterator[str]:
    """Write lines for a shell that work on what is served: the guests' names, their values, and a method of one."""
    url = endpoint.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    url = f"{url.replace('//', f'//{login}', 1)}/{site.namespace}:"
    unverified = ["-noverify"] if endpoint.scheme == "https" else []

    def line(operation: str, path: str, *rest: str) -> str:
        command = shlex.join(["wbemcli", operation, *unverified, *rest[:1]])
        return f"{command} '{url}{path}' {' '.join(rest[1:])}".rstrip()

    yield line("ein", "Virt_ComputerSystem")
    yield line("ei", "Virt_ComputerSystem", "-nl", "Name,EnabledState,UUID")
    guests = (guest for platform in site.platforms for guest in site.guests(platform))
    guest = next(filter(_is_easy_to_write, guests), None)
    if guest is not None:
        class_name, name, runs = guest.platform.class_name("ComputerSystem"), guest.domain.name, guest.domain.active
        yield "Pause it, or have it go on by RequestedState=2:" if runs else "Start it:"
        path = f'{class_name}.CreationClassName="{class_name}",Name="{name}"'
        yield line("cm", path, "-nl", f"RequestStateChange.RequestedState={9 if runs else 2}")


def _is_easy_to_write(guest: Guest) -> bool:
    """Whether a shell, and wbemcli's own reader of paths, take the name of a guest as it is."""
    return guest.domain.name.isascii() and guest.domain.name.replace("-", "").replace("_", "").isalnum()


def _in_thread(work: Callable[[], Result]) -> asyncio.Future[Result]:
    """Run `work` in a thread that does not keep the process from ending."""
    future: Future[Result] = Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return asyncio.wrap_future(future)
