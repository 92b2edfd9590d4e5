"""The server over HTTP, as one object to start and stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from virtcim.cimom.core import Core
from virtcim.cimom.principals import Principal
from virtcim.cimom.settings import ServerSettings
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.http.auth import Authenticator
from virtcim.frontends.http.connections import MAX_TARGET, HTTPServer
from virtcim.frontends.http.exchange import FrontEnd
from virtcim.frontends.http.http import HTTPHandler
from virtcim.frontends.http.listener import Endpoint, Listener, open_tcp
from virtcim.frontends.http.metrics import Metrics
from virtcim.frontends.http.tls import TLSState

__all__ = ["Server"]

log = logging.getLogger(__name__)

SWEEP_INTERVAL = 10.0
"""Seconds between two sweeps of the cache and the open enumerations; each takes milliseconds."""

CLOSE_TIMEOUT = 0.1
"""Seconds that connections get to close, after the answers in flight had their time."""

LINGER = 1.0
"""Seconds for which the rest of a refused body is read away, so that the client gets to read why."""

READ_BUFFER = 64 * 1024
"""Bytes of a request body that may wait to be read, and 16 times its chunks of HTTP: to put 4,000 of them together
takes 3 ms."""


class Server:
    """The embedded CIMOM, served over HTTP.

    Parameters:
        core: carries out requests.
        frontends: what is served, in the order in which they are asked.
        settings: addresses and limits.
        authenticator: tells who asks.
        tls: certificates, for the endpoints that speak HTTPS.
        statistics: of the operations; by default nothing is gathered.

    Attributes:
        core: carries out requests.
        frontends: what is served.
        endpoints: where it listens.
        port: of the first endpoint.
    """

    def __init__(
        self,
        core: Core,
        frontends: Sequence[FrontEnd],
        settings: ServerSettings,
        authenticator: Authenticator,
        tls: TLSState | None = None,
        statistics: OperationStatistics | None = None,
    ) -> None:
        self.core = core
        self.frontends = frontends
        self._settings = settings
        self._authenticator = authenticator
        self._tls = tls
        users = tls.users if tls is not None else ()
        self._handler = HTTPHandler(frontends, settings, authenticator, statistics, users)
        self._http: HTTPServer | None = None
        self._listeners: list[Listener] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._reloading: asyncio.Task[None] | None = None
        self._watch()
        self.endpoints: Sequence[Endpoint] = ()
        self.port = settings.port

    def _watch(self) -> None:
        watch, enumerations = self._handler.metrics.watch, self.core.enumerations
        watch("connections", "Open connections", lambda: self.connections)
        watch("open_enumerations", "Enumerations that clients have not pulled to their end", lambda: len(enumerations))
        watch("held_instances", "Instances that wait in open enumerations", lambda: enumerations.held)

    @property
    def metrics(self) -> Metrics:
        """The figures of this server, to which others may add theirs."""
        return self._handler.metrics

    @property
    def users(self) -> dict[str, float]:
        """Who has asked, with the time in seconds since 1970."""
        return dict(self._handler.users)

    def report(self, report: Callable[[Principal], str | None]) -> None:
        """Answer `/status`.

        Parameters:
            report: from who asks to a text in JSON; to None where that is not for them.  Called in a thread.
        """
        self._handler.monitoring.report = report

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._http.connections) if self._http is not None else 0

    async def start(self, endpoints: Sequence[Endpoint] | None = None) -> None:
        """Listen.

        Parameters:
            endpoints: where; without them, plain HTTP on `host` and `port` of the settings.

        Raises:
            OSError: the address cannot be listened on.
        """
        settings, tls = self._settings, self._tls
        self.endpoints = open_tcp(settings.host, settings.port) if endpoints is None else endpoints
        self.port = self.endpoints[0].port if self.endpoints else 0
        self._http = HTTPServer(
            self._handler,
            self._handler.allowed,
            settings.max_connections,
            settings.user_share,
            auto_decompress=False,
            access_log=None,
            keepalive_timeout=settings.idle_timeout,
            lingering_time=LINGER,
            max_line_size=MAX_TARGET,
            max_field_size=settings.max_header,
            read_bufsize=READ_BUFFER,
        )
        for endpoint in self.endpoints:
            if endpoint.scheme == "https" and tls is None:
                raise ValueError("HTTPS needs certificates")
            context = (lambda: tls.context) if tls is not None and endpoint.scheme == "https" else None
            listener = Listener(endpoint, self._http, context, settings.handshake_timeout, settings.max_handshakes)
            self._listeners.append(listener)
            listener.start()
        self._tasks = [asyncio.create_task(self._sweep())]
        if tls is not None:
            self._tasks.append(asyncio.create_task(self._watch_certificates(tls)))

    async def _watch_certificates(self, tls: TLSState) -> None:
        while True:
            await asyncio.sleep(tls.check_seconds)
            await self._reload(tls, force=False)

    def reload_certificates(self) -> None:
        """Use the certificates as the files have them now, from the next connection after they were read on.

        They are read in a thread; called in the loop's.
        """
        if self._tls is not None:
            self._reloading = asyncio.create_task(self._reload(self._tls, force=True))

    async def _reload(self, tls: TLSState, force: bool) -> None:
        if await self._handler.files.run(lambda: tls.reload(force)) and self._http is not None:
            # An authority may be gone, or a certificate revoked.
            self._http.forget_certificates()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            for each in self.frontends:
                each.sweep()
                await self._handler.files.run(each.tidy)
            await self._handler.files.run(self.core.enumerations.sweep)
            await self._authenticator.look()

    async def stop(self) -> None:
        """Take no more requests, let answers in flight finish for `stop_timeout` seconds, and close."""
        self._handler.stop()
        self.core.enumerations.stop()
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        for listener in self._listeners:
            await listener.stop()
        self._listeners = []
        if self._http is not None:
            self._http.pre_shutdown()
            await self._handler.wait_until_idle(self._settings.stop_timeout)
            await self._http.shutdown(CLOSE_TIMEOUT)
            self._http = None
        self._handler.close()
        await self._authenticator.close()
