"""What `virtcim serve` loads while the hypervisors are read: all that answers clients, put together and started."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial

from virtcim import __version__, schema
from virtcim.app import systemd
from virtcim.app.answering import Assembly, assemble
from virtcim.app.config import ConfigError, Settings
from virtcim.app.examples import example_lines
from virtcim.app.heap import give_back_regularly
from virtcim.app.imagelibrary import make_library
from virtcim.app.inthread import in_thread
from virtcim.app.logs import log_writer
from virtcim.app.loopwatch import LoopWatch, ShortCollections, freeze_loaded
from virtcim.app.nodefiles import configured_nodes
from virtcim.app.platforms import find_platforms, is_here, load_classes
from virtcim.app.start import Start
from virtcim.app.store import DATABASE, SQLiteStore
from virtcim.cimom.discovery import INTEROP_NAMES, ServerIdentity
from virtcim.frontends.http import dnssd
from virtcim.frontends.http.listener import Endpoint
from virtcim.frontends.http.metrics import Metrics
from virtcim.images.templates.store import template_files
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.inventory.records import Change, Host
from virtcim.libhelper.metrics import Sources, figures_text
from virtcim.libhelper.search import Search
from virtcim.platforms.base import Platform
from virtcim.platforms.registry import Registry
from virtcim.providers.jobs import Jobs
from virtcim.providers.kinds import KINDS
from virtcim.providers.nodes import DEFAULT
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.seeds import detach_seeds
from virtcim.providers.services.foundagain import work_of
from virtcim.providers.site import Site
from virtcim.registration.catalog import CIMV2

__all__ = ["answer_clients"]

TEST_DRIVER = "test:///default"
"""libvirt's own make-believe hypervisor."""

JOB_STOP = 1.0
"""Seconds that jobs get to undo what they have begun, while answers in flight get theirs."""

log = logging.getLogger("virtcim")


async def answer_clients(start: Start) -> int:
    """Put together what answers clients, and serve until the task is cancelled.

    Returns:
        the exit status.

    Raises:
        ConfigError: a setting turns out wrong only when it is used.
    """
    settings, hypervisors, stops = start.settings, start.hypervisors, start.stops
    registry = await in_thread(lambda: find_platforms(settings))
    store = await in_thread(lambda: SQLiteStore(settings.state_dir / DATABASE))
    stops.append(store.close)
    jobs = await in_thread(lambda: Jobs(settings.providers.jobs, store, adopting=True))
    site = Site([], registry, KINDS, settings.providers, jobs)
    site.library = await in_thread(lambda: make_library(settings, store))
    detach_seeds(site)
    nodes = NodeRegistry(site, registry, settings.inventory, store, jobs, (*INTEROP_NAMES, CIMV2))
    stops.append(nodes.stop)
    search = await in_thread(lambda: _search(site, registry, settings))
    try:
        search.put_off()
        search.start()
        # Nobody waits for them: one that is down is shown so.
        await in_thread(lambda: nodes.configure(start.configured))
        classes = await in_thread(lambda: load_classes(registry, settings.state_dir))
        await _ready(hypervisors, search, settings.startup_wait)
        for hypervisor in hypervisors:
            site.add(_platform_of(hypervisor, registry), hypervisor)
        if start.test_driver and not settings.uris and not search.hypervisors:
            hypervisors.append(_serve_test_driver(site, registry, settings))
            stops.append(hypervisors[-1].stop)
            await in_thread(lambda: hypervisors[-1].wait_ready(settings.startup_wait))
        dns_sd = settings.server.dns_sd
        identity = ServerIdentity("virtcim", __version__, await start.host_name, schema.VERSION, dns_sd)
        assembly = await in_thread(lambda: assemble(start, nodes, classes, identity, store))
        for hypervisor in hypervisors:
            hypervisor.inventory.listeners.append(_freeze_after_load)
        return await _serve(assembly, settings, jobs, start.login, start.reload, [*hypervisors, search])
    finally:
        search.stop()
        stops += [each.stop for each in search.hypervisors]


async def _serve(
    assembly: Assembly,
    settings: Settings,
    jobs: Jobs,
    login: str | None,
    reload: Callable[[], Settings],
    busy: Sequence[Hypervisor | Search],
) -> int:
    """Answer clients until the task is cancelled.

    Parameters:
        login: what stands before the host in a URL, for an example of how to ask; None for no example.
        reload: reads the settings anew.
        busy: have put off what can wait until clients are answered.

    Returns:
        the exit status, where it cannot be begun.
    """
    loop, server, bridge = asyncio.get_running_loop(), assembly.server, assembly.bridge
    watch, collections = LoopWatch(loop, settings.loop.longest_pause), ShortCollections()
    _add_figures(server.metrics, watch, assembly)
    await server.start(assembly.endpoints)
    try:
        await in_thread(assembly.indications.start)
        await in_thread(lambda: jobs.adopt(lambda record: work_of(record, assembly.nodes.sites)))
        if bridge is not None:
            try:
                await in_thread(bridge.start)
            except OSError as error:
                log.error("cannot serve other CIM servers on %s: %s", settings.cmpi.socket, error)
                return 1

        def reload_all() -> None:
            server.reload_certificates()
            in_thread(lambda: _reload_nodes(assembly.nodes, reload))

        loop.add_signal_handler(signal.SIGHUP, reload_all)
        freeze_loaded()
        collections.start()
        gc.enable()
        if settings.loop.watch:
            watch.start()
        for each in busy:
            each.catch_up()
        async with _announcement(assembly.identity, _reachable(assembly.endpoints)):
            await asyncio.gather(in_thread(lambda: _tell(assembly, login)), give_back_regularly())
    finally:
        watch.stop()
        stopping = [
            in_thread(lambda: systemd.notify("STOPPING=1")),
            server.stop(),
            in_thread(lambda: jobs.stop(JOB_STOP)),
            in_thread(assembly.indications.stop),
        ]
        if bridge is not None:
            stopping.append(in_thread(bridge.stop))
        await asyncio.gather(*stopping)
    return 0


def _add_figures(metrics: Metrics, watch: LoopWatch, assembly: Assembly) -> None:
    """Add what others than the server know to its figures."""
    metrics.watch(
        "loop_longest_pause_seconds", "Time that the event loop took to answer, at the longest", lambda: watch.longest
    )
    writer = log_writer()
    if writer is not None:
        metrics.watch("log_lines_left_out", "Lines of the log that nobody took", lambda: writer.left_out)
    for figure in assembly.indications.figures():
        metrics.watch(*figure)
    metrics.add(figures_text(partial(_sources, assembly.nodes)))


def _sources(registry: NodeRegistry) -> Iterator[Sources]:
    """List the hypervisors of each node for whoever reads figures; the local one has no name where it is alone."""
    nodes = [node for node in registry.nodes() if node.settings.enabled and not node.refusal]
    yield Sources(registry.local.all_hypervisors(), DEFAULT if nodes else "")
    for node in nodes:
        yield Sources(node.hypervisors, node.name, node.settings.groups)


def _tell(assembly: Assembly, login: str | None) -> None:
    """Say where the server listens.  Whoever reads that may be slow."""
    systemd.notify("READY=1")
    reachable = _reachable(assembly.endpoints)
    if login is not None and reachable:
        print(*example_lines(reachable[0], login, assembly.site), sep="\n", file=sys.stderr, flush=True)
    for url in dict.fromkeys(each.url for each in assembly.endpoints):
        print(f"virtcim: listening on {url}", flush=True)


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


def _announcement(identity: ServerIdentity, reachable: Sequence[Endpoint]) -> AbstractAsyncContextManager[None]:
    """Announces the server, where that is wanted."""
    if not identity.dns_sd or not reachable:
        return nullcontext()
    chosen = reachable[-1]  # HTTPS, where there is both
    return dnssd.announced(chosen.scheme, chosen.bound_host, chosen.port, identity.system_name)


async def _ready(hypervisors: Sequence[Hypervisor], search: Search, timeout: float) -> None:
    """Wait until every hypervisor was read, or is known to be away."""
    searching = in_thread(lambda: search.wait(timeout))
    await asyncio.gather(*(in_thread(partial(hypervisor.wait_ready, timeout)) for hypervisor in hypervisors))
    await searching
    silent = [hypervisor.uri for hypervisor in hypervisors if not hypervisor.connected]
    for uri in (*silent, *search.silent):
        log.warning("%s does not answer yet: its classes are empty until it does", uri)
    if search.uris and not search.hypervisors:
        log.warning("no hypervisor answers on this host: looking on for %s", ", ".join(search.uris))
