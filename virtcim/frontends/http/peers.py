"""What a connection itself tells of the client: its address, its certificate, or the process behind a Unix socket."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

from virtcim.cimom.principals import Principal, system_principal
from virtcim.frontends.http.tls import CertificateUser, certificate_principal
from virtcim.frontends.http.workers import WorkerPool
from virtcim.immutable import immutable

__all__ = ["Client", "Peers"]

LIFETIME = 60.0
"""Seconds for which the groups of a local user are remembered."""

CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


@immutable
class Client:
    """The other end of a connection.

    Attributes:
        address: without the port; "" for a Unix socket.
        origin: for logs: address and port, or `local` and the number of the process.
        certificate: that the client showed, verified, as `ssl.SSLSocket.getpeercert` has it; None without one.
        uid: the user of the process behind a Unix socket; None for other connections.
        listener: what it connected to: address and port, or the path of a Unix socket.
    """

    address: str = ""
    origin: str = ""
    certificate: Mapping[str, Any] | None = None
    uid: int | None = None
    listener: str = ""

    @classmethod
    def of(cls, transport: asyncio.BaseTransport) -> Client:
        """The client of a connection, once its TLS handshake, if any, is done."""
        handle = transport.get_extra_info("socket")
        if handle is not None and handle.family == socket.AF_UNIX:
            raw = handle.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
            pid, uid, _ = CREDENTIALS.unpack(raw)
            return cls("", f"local process {pid}", None, uid, os.fsdecode(handle.getsockname()))
        peer = transport.get_extra_info("peername") or ("", 0)
        own = transport.get_extra_info("sockname") or ("", 0)
        tls = transport.get_extra_info("ssl_object")
        certificate = (tls.getpeercert() or None) if tls is not None else None
        return cls(peer[0], _written(*peer[:2]), certificate, listener=_written(*own[:2]))


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Peers:
    """Who is behind a connection.

    Parameters:
        certificate_users: which certificate stands for which user.
    """

    def __init__(self, certificate_users: Sequence[CertificateUser] = ()) -> None:
        self._certificate_users = certificate_users
        self._workers = WorkerPool(1, "users")
        self._local: dict[int, tuple[Principal, float]] = {}

    def by_certificate(self, certificate: Mapping[str, Any]) -> Principal | None:
        """The user that a verified certificate stands for, or None."""
        return certificate_principal(self._certificate_users, certificate)

    async def local(self, uid: int) -> Principal:
        """The system's user with a number."""
        now = time.monotonic()
        known = self._local.get(uid)
        if known is None or known[1] < now:
            principal = await self._workers.run(lambda: system_principal(uid))
            known = self._local[uid] = principal, now + LIFETIME
        return known[0]

    def close(self) -> None:
        """Give up the worker thread."""
        self._workers.close()
