"""aiohttp as this server uses it, loaded without the certificate authorities and the media types of the system.

Loading aiohttp prepares two TLS contexts for its client, and the authorities in them take an eighth of a second and
5 MiB.  Nothing here uses that client: whoever asks over TLS (`client.py`) has a context of its own.

It also reads the media types of a thousand kinds of files, which it would send files with.  The files of the console
are of a few kinds, known to `pages.py`.
"""

from __future__ import annotations

import mimetypes
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "BadHttpMethod",
    "HttpProcessingError",
    "HttpVersion11",
    "LineTooLong",
    "StreamReader",
    "UnreadableRequest",
    "WSCloseCode",
    "WSMsgType",
    "web",
]


@contextmanager
def _without_authorities() -> Iterator[None]:
    """Have the contexts that this thread makes meanwhile look for no authorities; those of other threads do.

    OpenSSL could be told so by the environment, too, but that must not be changed while libvirt reads it in threads.
    """
    here = threading.get_ident()

    def look_for_authorities(context: ssl.SSLContext) -> None:
        if threading.get_ident() != here:
            super(ssl.SSLContext, context).set_default_verify_paths()

    ssl.SSLContext.set_default_verify_paths = look_for_authorities  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        # What the class inherits is in its place again.
        del ssl.SSLContext.set_default_verify_paths


mimetypes.knownfiles.clear()
with _without_authorities():
    from aiohttp import HttpVersion11, StreamReader, WSCloseCode, WSMsgType, web
    from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, LineTooLong
    from aiohttp.web_protocol import _ErrInfo as UnreadableRequest
