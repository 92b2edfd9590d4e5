"""How an answer goes out: in chunks, as fast as its client reads them, and in turns with all others."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from itertools import accumulate

from virtcim.frontends.http.library import web

__all__ = ["Outgoing", "send"]

log = logging.getLogger(__name__)

WHOLE_LIMIT = 128 * 1024
"""Answers up to this many bytes are sent in one piece; larger ones in chunks, between which others get their turn."""

CHUNK = 256 * 1024
"""Bytes per chunk at most: large enough that their number costs nothing, small beside what a connection may buffer,
and sent in a fraction of a millisecond, for which all others wait."""

HEADERS = 16 * 1024
"""Bytes that the headers of an answer take at most, as far as they are made here."""

COUNTED = 8192
"""Pieces whose sizes are added up in one go: nothing else runs meanwhile, and 300,000 of them take 35 ms."""


FEW = 64
"""Pieces that are looked at all at once, whether they are less than a chunk."""


class Outgoing:
    """The body of an answer, laid out for sending in one pass, with nothing of it copied.

    Made and, where it does not go out to its end, cleared in a worker thread: there may be a million pieces, and to
    free them takes as long as to count them.

    Parameters:
        pieces: the bytes.

    Attributes:
        size: bytes of all pieces.
    """

    __slots__ = ("_chunks", "size")

    def __init__(self, pieces: Sequence[bytes]) -> None:
        # Tuples of bytes, unlike lists, are not walked by collections: to walk a million pieces takes 40 ms.
        self._chunks: deque[tuple[bytes, ...]] = deque()
        self.size = 0
        size = sum(map(len, pieces)) if len(pieces) <= FEW else CHUNK
        if 0 < size < CHUNK:
            self._chunks.append(tuple(pieces))
            self.size = size
            return
        for at in range(0, len(pieces), COUNTED):
            self._lay_out(tuple(pieces[at : at + COUNTED]))

    def _lay_out(self, pieces: tuple[bytes, ...]) -> None:
        """Lay out what follows."""
        ends = list(accumulate(map(len, pieces)))
        start = sent = 0
        while sent < ends[-1]:
            end = max(bisect_right(ends, sent + CHUNK, start), start + 1)
            self._chunks.append(pieces[start:end])
            start, sent = end, ends[end - 1]
        self.size += sent

    def again(self, place: int | None = None, piece: bytes = b"") -> Outgoing:
        """Give the same body once more, none of which was taken; nothing is laid out anew.

        Parameters:
            place: of one of the first pieces, which is another one; None for none.
            piece: that takes its place.
        """
        made = Outgoing(())
        made._chunks.extend(self._chunks)
        made.size = self.size
        if place is not None:
            first = [*self._chunks[0]]
            made.size += len(piece) - len(first[place])
            first[place] = piece
            made._chunks[0] = tuple(first)
        return made

    def __bool__(self) -> bool:
        """Tell whether there is something left."""
        return bool(self._chunks)

    def take(self) -> Iterator[bytes | memoryview]:
        """Take out one chunk after the other, each of `CHUNK` bytes at most."""
        while self._chunks:
            joined = b"".join(self._chunks.popleft())
            if len(joined) <= CHUNK:
                yield joined
            else:  # a piece that is larger than a chunk
                view = memoryview(joined)
                yield from (view[at : at + CHUNK] for at in range(0, len(joined), CHUNK))

    def clear(self) -> None:
        """Give up what is left."""
        self._chunks.clear()


async def send(
    request: web.BaseRequest, outgoing: Outgoing, status: int, headers: Mapping[str, str], timeout: float
) -> web.StreamResponse:
    """Send an answer.

    Parameters:
        request: what is answered.
        outgoing: the body.
        status: the HTTP status.
        headers: of the answer.
        timeout: seconds that the client may take to read a chunk; then it is cut off.

    Raises:
        ConnectionError: the client is gone, or was cut off.
    """
    if outgoing.size <= WHOLE_LIMIT:
        whole = web.Response(status=status, body=b"".join(outgoing.take()), headers=headers)
        await whole.prepare(request)
        if _is_sent_at_once(request.transport, outgoing.size):
            await whole.write_eof()
        else:
            await _patiently(request, whole.write_eof(), timeout)
        return whole
    response = web.StreamResponse(status=status, headers=headers)
    # To frame chunks of HTTP would copy all of them once more, and the length is known.
    response.content_length = outgoing.size
    await response.prepare(request)
    for chunk in outgoing.take() if request.method != "HEAD" else ():
        await _patiently(request, response.write(chunk), timeout)
        # A client that reads fast enough is never waited for: the others have to get their turn.
        await asyncio.sleep(0)
    await _patiently(request, response.write_eof(), timeout)
    return response


def _is_sent_at_once(transport: asyncio.Transport | None, size: int) -> bool:
    """Whether so many bytes and their headers find room in what a connection buffers, so that nobody waits."""
    if transport is None:
        return True  # it fails at once
    return transport.get_write_buffer_size() + size + HEADERS < transport.get_write_buffer_limits()[1]


async def _patiently(request: web.BaseRequest, sending: Awaitable[None], timeout: float) -> None:
    """Wait for something to be sent, but not for ever: a client that does not read is cut off."""
    try:
        async with asyncio.timeout(timeout):
            await sending
    except TimeoutError:
        log.info("%s does not read its answer: it is cut off", request.remote)
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("The client does not read") from None
