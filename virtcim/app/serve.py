"""`virtcim serve`: starts everything in order, and stops it in the reverse order."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from virtcim.app import systemd
from virtcim.app.auditfile import open_audit_log
from virtcim.app.certificates import with_pair
from virtcim.app.config import ConfigError, Settings, is_loopback, naming, parse_auth, parse_listen
from virtcim.app.credentials import claim_state_dir, first_password, make_state_dir
from virtcim.app.inthread import in_thread
from virtcim.app.nodefiles import configured_nodes
from virtcim.app.start import Start
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
from virtcim.frontends.http.selector import LeavingLast
from virtcim.frontends.http.tls import TLSState
from virtcim.libhelper.host import qualified_name
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.providers.nodes import DEFAULT, NodeSettings

__all__ = ["serve"]

HYPERVISOR_STOP = 0.5
"""Seconds that the hypervisors and the store get to close; with `ServerSettings.stop_timeout` it makes the 2 s of a
stop."""

OTHER_FILES = 1024
"""Files that are open beside connections with clients and listeners: hypervisors, consoles, the database, copies."""

log = logging.getLogger("virtcim")


def serve(settings: Settings, example: bool, test_driver: bool, reload: Callable[[], Settings] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    Parameters:
        settings: see `Settings`.
        example: print wbemcli lines that work when pasted, with the password, to stderr.
        test_driver: serve libvirt's test driver where no URI is named and no hypervisor answers in
            `Settings.startup_wait`.  Those that answer later are served beside it.
        reload: reads the settings anew, on SIGHUP, for the nodes that they name; raises ConfigError.

    Returns:
        the exit status: 0 after an orderly stop, 1 when the address cannot be listened on.

    Raises:
        ConfigError: a setting turns out wrong only when it is used.
    """
    sys.setswitchinterval(settings.loop.switch_interval)
    _allow_open_files(settings)
    stop_limit = settings.server.stop_timeout + HYPERVISOR_STOP
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(LeavingLast())) as runner:
        status = runner.run(
            _until_signalled(lambda: _run(settings, example, test_driver, reload or (lambda: settings)), stop_limit)
        )
    if any(thread is not threading.current_thread() and not thread.daemon for thread in threading.enumerate()):
        # A worker that waits for a libvirt call without an answer cannot be ended otherwise.
        logging.shutdown()
        os._exit(status)
    return status


def _allow_open_files(settings: Settings) -> None:
    """Let the process have as many files open as the other limits let clients cause.

    Systems give 1,024 to whoever does not ask for more, and connections that ask for nothing would use them up long
    before there are `max_connections`.
    """
    wanted = settings.server.max_connections + settings.indications.max_subscriptions + OTHER_FILES
    if settings.cmpi.enabled:
        wanted += 2 * settings.cmpi.max_connections
    given, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    if given != resource.RLIM_INFINITY and given < allowed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
        except OSError:  # the unit of systemd forbids it, and sets the limit itself
            allowed = given
    if allowed < wanted:
        log.warning(
            "The process can have %d files open; expected %d for the connections that the settings allow (ulimit -n, "
            "or LimitNOFILE= of systemd)",
            allowed,
            wanted,
        )


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
    os._exit(0)


async def _run(settings: Settings, example: bool, test_driver: bool, reload: Callable[[], Settings]) -> int:
    # Everything that waits for a disk or computes for long is done in threads, before and after clients come.
    # The addresses come first, since what is wrong with them should show before anything slow.
    try:
        endpoints = await in_thread(lambda: _endpoints(settings))
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
    configured = await in_thread(lambda: configured_nodes(settings))
    settings = _with_default_node(settings, configured.nodes.get(DEFAULT))
    hypervisors = [Hypervisor(uri, settings.inventory) for uri in dict.fromkeys(settings.uris)]
    stops: list[Callable[[], object]] = [each.stop for each in hypervisors]
    try:
        # As early as can be: they are read while everything else is loaded.
        for hypervisor in hypervisors:
            hypervisor.put_off()
            hypervisor.start()
        host_name = in_thread(lambda: qualified_name(settings.server.host_name))
        authenticator, login, tls = await in_thread(lambda: _prepare(settings, endpoints))
        answer_clients = await in_thread(_load_serving)
        return await answer_clients(
            Start(
                settings=settings,
                test_driver=test_driver,
                reload=reload,
                endpoints=endpoints,
                configured=configured,
                hypervisors=hypervisors,
                stops=stops,
                authenticator=authenticator,
                login=login if example else None,
                tls=tls,
                host_name=host_name,
            )
        )
    finally:
        if stops:
            await asyncio.wait([in_thread(stop) for stop in stops], timeout=HYPERVISOR_STOP)


def _load_serving() -> Callable[[Start], Coroutine[Any, Any, int]]:
    """Load what answers clients: a good part of all that is loaded, and meanwhile the hypervisors are read."""
    from virtcim.app.serving import answer_clients

    return answer_clients


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


def _with_default_node(settings: Settings, default: NodeSettings | None) -> Settings:
    """Take the connections of this host from the node that is named default, where there is one."""
    if default is None:
        return settings
    inventory = replace(settings.inventory, read_only=settings.inventory.read_only or default.read_only)
    return replace(settings, uris=default.uris, inventory=inventory)


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
        OSError: an address cannot be listened on; the text names it.
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
                where, expected = f"{name}: {listen}", "an address of this host that is free"
                endpoints += open_tcp(*parse_listen(listen), scheme)
        if settings.listen_unix:
            where, expected = f"listen_unix: {settings.listen_unix}", "a path where this user may make a socket"
            endpoints.append(open_unix(Path(settings.listen_unix)))
    except OSError as error:
        for each in endpoints:
            each.close()
        reason = error.strerror or error
        raise OSError(error.errno, f"{where}: {reason}; expected {expected}") from error
    return endpoints
