"""The server: the embedded CIMOM as one object to start and stop."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl

from aiohttp import web

from cimom.auth import Authenticator
from cimom.capabilities import server_capabilities
from cimom.classes import ClassStore
from cimom.http import CIMHandler, HTTPServer
from cimom.operations import INTRINSIC_OPERATIONS, Operations
from cimom.pull import pull_limits
from cimom.settings import ServerSettings
from cimom.statistics import OperationStatistics
from providers.interface import Catalog

__all__ = ["Server"]

log = logging.getLogger(__name__)

SWEEP_INTERVAL = 10.0
"""Seconds between two sweeps of the cache and the open enumerations; each takes milliseconds."""

CLOSE_TIMEOUT = 0.1
"""Seconds that connections get to close, after the answers in flight had their time."""

LINGER = 1.0
"""Seconds for which the rest of a refused body is read away, so that the client gets to read why."""

READ_BUFFER = 256 * 1024
"""Bytes of a request body that may wait to be read."""


class Server:
    """The embedded CIMOM.

    Parameters:
        catalog: which provider serves which class where.
        classes: the class store.
        settings: addresses and limits.
        authenticator: tells who asks.
        tls: serves HTTPS when given.
        statistics: of the operations; by default nothing is gathered.
    """

    def __init__(
        self,
        catalog: Catalog,
        classes: ClassStore,
        settings: ServerSettings,
        authenticator: Authenticator,
        tls: ssl.SSLContext | None = None,
        statistics: OperationStatistics | None = None,
    ) -> None:
        self.operations = Operations(catalog, classes, settings)
        self._settings = settings
        self._authenticator = authenticator
        self._tls = tls
        capabilities = server_capabilities(catalog, INTRINSIC_OPERATIONS, authenticator, pull_limits(settings))
        groups = [group.name.replace("_", " ").title() for group in capabilities.functional_profiles]
        self._handler = CIMHandler(self.operations, settings, authenticator, groups, statistics)
        self._runner: web.ServerRunner | None = None
        self._watch()
        self._sweeper: asyncio.Task[None] | None = None
        self.port = settings.port

    def _watch(self) -> None:
        watch, cache, enumerations = (
            self._handler.metrics.watch,
            self.operations.namespaces.cache,
            self.operations.enumerations,
        )
        watch("connections", "Open connections", self._connections)
        watch("cache_bytes", "Memory of encoded instances", lambda: cache.size)
        watch("cache_entries", "Encoded instances", lambda: len(cache))
        watch("open_enumerations", "Enumerations that clients have not pulled to their end", lambda: len(enumerations))
        watch("held_instances", "Instances that wait in open enumerations", lambda: enumerations.held)

    def _connections(self) -> int:
        server = self._runner.server if self._runner is not None else None
        return len(server.connections) if server is not None else 0

    async def start(self) -> None:
        """Listen.  `port` then tells the port.  Raises OSError when the address cannot be had."""
        settings = self._settings
        server = HTTPServer(
            self._handler,
            settings.max_connections,
            auto_decompress=False,
            access_log=None,
            keepalive_timeout=settings.idle_timeout,
            lingering_time=LINGER,
            max_line_size=settings.max_header,
            max_field_size=settings.max_header,
            read_bufsize=READ_BUFFER,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=CLOSE_TIMEOUT)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, settings.host, settings.port, ssl_context=self._tls, backlog=1024, reuse_address=True
        )
        await site.start()
        listening = getattr(site._server, "sockets", ())
        for each in listening:
            if each.family in {socket.AF_INET, socket.AF_INET6}:
                self.port = each.getsockname()[1]
                break
        self._sweeper = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            self.operations.namespaces.cache.sweep()
            self.operations.enumerations.sweep()

    async def stop(self) -> None:
        """Take no more requests, let answers in flight finish for `stop_timeout` seconds, and close."""
        self._handler.stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
            if self._runner.server is not None:
                self._runner.server.pre_shutdown()
            await self._handler.wait_until_idle(self._settings.stop_timeout)
            await self._runner.cleanup()
            self._runner = None
        self._handler.close()
        await self._authenticator.close()
