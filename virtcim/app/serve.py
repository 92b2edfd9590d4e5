"""`virtcim serve`: starts everything in order, and stops it in the reverse order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from virtcim import __version__, mof, schema
from virtcim.app import systemd
from virtcim.app.assembly import make_server
from virtcim.app.auditfile import open_audit_log
from virtcim.app.bridge import make_daemon
from virtcim.app.certificates import with_pair
from virtcim.app.config import ConfigError, Settings, is_loopback, parse_auth, parse_listen
from virtcim.app.credentials import first_password
from virtcim.app.logs import configure_logging
from virtcim.app.roles import make_access
from virtcim.app.store import SQLiteStore
from virtcim.cimom.capabilities import server_capabilities
from virtcim.cimom.discovery import ServerIdentity, with_discovery
from virtcim.cimom.pull import pull_limits
from virtcim.cimom.requests import INTRINSIC_OPERATIONS
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.cmpi.daemon import CmpiDaemon
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
from virtcim.frontends.http.tls import TLSState
from virtcim.libhelper.connections import scheme_driver
from virtcim.libhelper.host import qualified_name
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.search import Search
from virtcim.platforms.base import Platform
from virtcim.platforms.registry import Registry, load_platforms
from virtcim.providers.jobs import Jobs
from virtcim.providers.site import Site
from virtcim.registration.catalog import build_catalog
from virtcim.registration.roles import method_roles
from virtcim.registration.table import make_table
from virtcim.schema.classes import ClassStore
from virtcim.schema.mof import load_class_store

__all__ = ["serve"]

TEST_DRIVER = "test:///default"
"""libvirt's own make-believe hypervisor."""

DATABASE = "state.sqlite"
"""The file in the state directory for what outlives the server."""

JOB_STOP = 1.0
"""Seconds that jobs get to undo what they have begun, while answers in flight get theirs."""

HYPERVISOR_STOP = 0.5
"""Seconds that the hypervisors get to close; with `ServerSettings.stop_timeout` it makes the 2 s of a stop."""

log = logging.getLogger("virtcim")

Result = TypeVar("Result")


def serve(settings: Settings, example: bool, test_driver: bool) -> int:
    """Serve until SIGTERM or SIGINT.

    Parameters:
        settings: see `Settings`.
        example: print a wbemcli line that works when pasted, with the password, to stderr.
        test_driver: serve libvirt's test driver where no URI is named and no hypervisor answers in
            `Settings.startup_wait`.  Those that answer later are served beside it.

    Returns:
        the exit status: 0 after an orderly stop, 1 when the address cannot be had.

    Raises:
        ConfigError: a setting turns out wrong only when it is used.
    """
    configure_logging(settings.log_level, structured=settings.log_format == "json")
    status = asyncio.run(_until_signalled(lambda: _run(settings, example, test_driver)))
    if any(thread is not threading.current_thread() and not thread.daemon for thread in threading.enumerate()):
        # A worker that waits for a libvirt call without an answer cannot be ended otherwise.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
    return status


async def _until_signalled(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run `work`, cancelled by SIGTERM or SIGINT, which is an orderly end."""
    task = asyncio.ensure_future(work())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 0


async def _run(settings: Settings, example: bool, test_driver: bool) -> int:
    if settings.server.dns_sd and not dnssd.is_available():
        raise ConfigError("server.dns_sd: the library zeroconf is missing (pip install 'virtcim[dnssd]')")
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        authenticator, login = _authentication(settings)
        open_audit_log(settings.audit_file)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from error
    naming = _in_thread(lambda: _identity(settings))
    registry = load_platforms()
    named = [_member(uri, settings, registry) for uri in dict.fromkeys(settings.uris)]
    store = await _in_thread(lambda: SQLiteStore(settings.state_dir / DATABASE))
    jobs = Jobs(settings.providers.jobs, store)
    site = Site(named, registry, settings.providers, jobs)
    search = _search(site, registry, settings)
    hypervisors = [hypervisor for _, hypervisor in named]
    try:
        for hypervisor in hypervisors:
            hypervisor.start()
        search.start()
        classes = await _in_thread(lambda: _classes(settings, registry))
        await _ready(hypervisors, search, settings.startup_wait)
        if test_driver and not settings.uris and not search.hypervisors:
            hypervisors.append(_serve_test_driver(site, registry, settings))
            await _in_thread(lambda: hypervisors[-1].wait_ready(settings.startup_wait))
        identity = await naming
        catalog = build_catalog(site)
        statistics = OperationStatistics(INTRINSIC_OPERATIONS)
        try:
            endpoints = _endpoints(settings)
        except OSError as error:
            log.error("%s", error.strerror or error)
            return 1
        try:
            tls = _certificates(settings, endpoints)
        except (OSError, ValueError) as error:
            raise ConfigError(str(error)) from error
        capabilities = server_capabilities(
            catalog,
            INTRINSIC_OPERATIONS,
            authenticator,
            pull_limits(settings.server),
            certificates=tls is not None and bool(tls.users),
        )
        access = make_access(settings.roles, classes, method_roles(catalog))
        server = make_server(
            with_discovery(catalog, classes, identity, capabilities, statistics),
            classes,
            settings.server,
            authenticator,
            tls,
            statistics,
            access,
        )
        await server.start(endpoints)
        bridge: CmpiDaemon | None = None
        try:
            if settings.cmpi.enabled:
                provider_of = make_table(catalog, classes).provider_of
                bridge = make_daemon(server.core.namespaces, classes, provider_of, settings.cmpi, access=access)
                try:
                    bridge.start()
                except OSError as error:
                    log.error("cannot serve other CIM servers on %s: %s", settings.cmpi.socket, error)
                    return 1
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, server.reload_certificates)
            # What is here now stays; without it, each full collection would walk it again.
            gc.collect()
            gc.freeze()
            reachable = [each for each in endpoints if each.scheme != "unix"]
            if example and reachable:
                print(_example(reachable[0], login, settings.providers.namespace), file=sys.stderr, flush=True)
            for url in dict.fromkeys(each.url for each in endpoints):
                print(f"virtcim: listening on {url}", flush=True)
            systemd.notify("READY=1")
            async with _announcement(identity, reachable):
                await asyncio.Event().wait()
        finally:
            systemd.notify("STOPPING=1")
            stopping = [server.stop(), _in_thread(lambda: jobs.stop(JOB_STOP))]
            if bridge is not None:
                stopping.append(_in_thread(bridge.stop))
            await asyncio.gather(*stopping)
            await _in_thread(store.close)
    finally:
        search.stop()
        await _stop([*hypervisors, *search.hypervisors])
    return 0


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
            raise ConfigError(f"auth: 'none' is accepted on loopback addresses only, not on {', '.join(open_doors)}")
        return endpoints
    try:
        for scheme, listen in (("http", settings.listen), ("https", settings.listen_https)):
            if listen:
                where = listen
                endpoints += open_tcp(*parse_listen(listen), scheme)
        if settings.listen_unix:
            where = settings.listen_unix
            endpoints.append(open_unix(Path(settings.listen_unix)))
    except OSError as error:
        for each in endpoints:
            each.socket.close()
        raise OSError(error.errno, f"cannot listen on {where}: {error.strerror or error}") from error
    return endpoints


def _search(site: Site, registry: Registry, settings: Settings) -> Search:
    """The search for the hypervisors of every platform, which are served when they are found; for none where the
    settings name what to serve."""
    platforms: dict[str, Platform] = {}
    if not settings.uris:
        for platform in registry:
            for uri in platform.uris:
                platforms.setdefault(uri, platform)

    def add(hypervisor: Hypervisor) -> None:
        log.info("serving %s%s", hypervisor.uri, ", read-only" if hypervisor.read_only else "")
        site.add(platforms[hypervisor.uri], hypervisor)

    return Search(platforms, settings.inventory, add)


def _serve_test_driver(site: Site, registry: Registry, settings: Settings) -> Hypervisor:
    log.warning("serving libvirt's test driver, %s: its guests are make-believe", TEST_DRIVER)
    platform, hypervisor = _member(TEST_DRIVER, settings, registry)
    hypervisor.start()
    site.add(platform, hypervisor)
    return hypervisor


def _member(uri: str, settings: Settings, registry: Registry) -> tuple[Platform, Hypervisor]:
    driver = scheme_driver(uri)
    platform = registry.by_driver(driver)
    if platform is None:
        known = ", ".join(driver for platform in registry for driver in platform.drivers)
        raise ConfigError(f"uri: {uri!r}: no platform serves the driver {driver!r}; there are {known}")
    return platform, Hypervisor(uri, settings.inventory)


def _classes(settings: Settings, registry: Registry) -> ClassStore:
    return load_class_store(
        [*schema.texts(), *mof.texts()], mof.templates(), list(registry.prefixes), settings.state_dir
    )


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


async def _stop(hypervisors: Sequence[Hypervisor]) -> None:
    stopping = [asyncio.ensure_future(_in_thread(hypervisor.stop)) for hypervisor in hypervisors]
    if stopping:
        await asyncio.wait(stopping, timeout=HYPERVISOR_STOP)


def _example(endpoint: Endpoint, login: str, namespace: str) -> str:
    url = endpoint.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    url = url.replace("//", f"//{login}", 1)
    unverified = "-noverify " if endpoint.scheme == "https" else ""
    return f"wbemcli ein {unverified}'{url}/{namespace}:Virt_ComputerSystem'"


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
