"""Bodies of requests: read whole, within their bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from multidict import istr

from virtcim.frontends.http.exchange import HTTPFault
from virtcim.frontends.http.library import web

__all__ = ["read_body"]

CONTENT_LENGTH, TRANSFER_ENCODING = istr("Content-Length"), istr("Transfer-Encoding")
EXPECT = istr("Expect")


async def read_body(request: web.BaseRequest, limit: int, seconds: float, take: Callable[[int], None]) -> bytes:
    """Read the whole body of a request.

    Parameters:
        limit: bytes that it may have.
        seconds: in which it has to be there.
        take: takes memory for so many bytes more.

    Raises:
        HTTPFault: it is too large, too slow, breaks off, or does not tell its length.
    """
    if CONTENT_LENGTH not in request.headers and TRANSFER_ENCODING not in request.headers:
        raise HTTPFault(411, "The length of the body is not given; expected Content-Length or a chunked body")
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    expect = request.headers.get(EXPECT)
    if expect is not None:
        if expect.strip().lower() != "100-continue":
            raise HTTPFault(417, "Only 100-continue can be expected")
        if request.version >= (1, 1):  # who speaks HTTP/1.0 would take it for the answer
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
    if request.content.is_eof():  # as small requests are, which come with their headers
        data = request.content.read_nowait()
        if len(data) > limit:
            raise _too_large(limit)
        take(len(data))
        return data
    parts = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while data := await request.content.readany():
                size += len(data)
                if size > limit:
                    raise _too_large(limit)
                take(len(data))
                parts.append(data)
    except TimeoutError:
        raise HTTPFault(408, "The request took too long to arrive") from None
    except web.RequestPayloadError as exc:
        raise HTTPFault(400, f"The request did not arrive completely: {exc}") from None
    return b"".join(parts)


def _too_large(limit: int) -> HTTPFault:
    return HTTPFault(413, f"A request may have {limit} bytes")
