"""Sockets that lead to a daemon, and can be closed: to whoever is behind them, the daemon is dead then."""

from __future__ import annotations

import asyncio
import contextlib
from multiprocessing.connection import Connection
from pathlib import Path

__all__ = ["relay"]


def relay(paths: list[str], target: str, control: Connection) -> None:
    """Relay sockets, until the other end of `control` is closed.

    Parameters:
        paths: of the sockets.
        target: the socket of the daemon.
        control: is told once that all are open; then True opens and False closes all of them.
    """
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        asyncio.run(_relay(paths, target, control))


async def _relay(paths: list[str], target: str, control: Connection) -> None:
    clients: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(target)
        clients.add(writer)
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            clients.discard(writer)

    servers: list[asyncio.Server] = []
    wanted, first = True, True
    while True:
        if wanted and not servers:
            servers = [await asyncio.start_unix_server(serve, path) for path in paths]
        if not wanted:
            for server in servers:
                server.close()
            for path in paths:
                Path(path).unlink(missing_ok=True)
            for writer in tuple(clients):
                writer.transport.abort()
            servers = []
        if first:
            control.send("ready")
            first = False
        wanted = await asyncio.to_thread(control.recv)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
