"""Answers that go on: a stream of events, and WebSockets."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping

from virtcim.frontends.http.library import WSCloseCode, WSMsgType, web

__all__ = ["open_stream"]

MAX_MESSAGE = 1024 * 1024
"""Bytes of a message that a client sends by WebSocket: what somebody types, pastes or draws."""

MAX_REASON = 123
"""Bytes of the reason in a frame that ends a WebSocket (RFC 6455, section 5.5)."""

HEARTBEAT = 30.0
"""Seconds between two probes of a WebSocket, by which a client that is gone is found out."""


async def open_stream(
    request: web.BaseRequest, status: int, headers: Mapping[str, str], protocols: tuple[str, ...], timeout: float
) -> Stream:
    """Begin an answer that goes on.

    Parameters:
        request: what is answered.
        status, headers: of the answer.
        protocols: of WebSocket, where it is one.
        timeout: seconds that the client may take to read what is sent at once.
    """
    if protocols:
        socket = web.WebSocketResponse(protocols=protocols, heartbeat=HEARTBEAT, max_msg_size=MAX_MESSAGE)
        socket.headers.update(headers)
        await socket.prepare(request)
        return _Socket(request, socket, timeout)
    response = web.StreamResponse(status=status, headers=headers)
    if request.version >= (1, 1):
        response.enable_chunked_encoding()
    await response.prepare(request)
    return _Chunks(request, response, timeout)


class Stream(ABC):
    """An answer that goes on (`frontends.http.exchange.Sender`)."""

    def __init__(self, request: web.BaseRequest, timeout: float) -> None:
        self._request = request
        self._timeout = timeout

    @abstractmethod
    async def send(self, data: bytes) -> None: ...

    @abstractmethod
    async def receive(self) -> bytes | None: ...

    async def refuse(self, reason: str) -> None:
        """Tell why it ends, where there is a way to."""
        return

    @abstractmethod
    async def end(self) -> web.StreamResponse:
        """End the answer, where the client is still there."""

    async def _patiently(self, sending: Awaitable[None]) -> None:
        """Wait for something to be sent; a client that does not read is cut off."""
        try:
            async with asyncio.timeout(self._timeout):
                await sending
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError("The client does not read") from None


class _Chunks(Stream):
    """Pieces of a body whose length nobody knows."""

    def __init__(self, request: web.BaseRequest, response: web.StreamResponse, timeout: float) -> None:
        super().__init__(request, timeout)
        self._response = response

    async def send(self, data: bytes) -> None:
        await self._patiently(self._response.write(data))

    async def receive(self) -> bytes | None:
        return None

    async def end(self) -> web.StreamResponse:
        self._response.force_close()
        if self._request.transport is not None and not self._request.transport.is_closing():
            await self._patiently(self._response.write_eof())
        return self._response


class _Socket(Stream):
    """Messages in both directions."""

    def __init__(self, request: web.BaseRequest, socket: web.WebSocketResponse, timeout: float) -> None:
        super().__init__(request, timeout)
        self._socket = socket

    async def send(self, data: bytes) -> None:
        await self._patiently(self._socket.send_bytes(data))

    async def receive(self) -> bytes | None:
        message = await self._socket.receive()
        if message.type is WSMsgType.BINARY:
            return bytes(message.data)
        return str(message.data).encode() if message.type is WSMsgType.TEXT else None

    async def refuse(self, reason: str) -> None:
        text = reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")
        await self._socket.close(code=WSCloseCode.INTERNAL_ERROR, message=text.encode())

    async def end(self) -> web.StreamResponse:
        if not self._socket.closed:
            await self._socket.close()
        return self._socket
