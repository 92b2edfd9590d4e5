"""aiohttp as this server uses it, loaded without the certificate authorities of the system.

Loading aiohttp prepares two TLS contexts for its client, and the authorities in them take an eighth of a second and
5 MiB.  Nothing here uses that client: whoever asks over TLS (`client.py`) has a context of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "BadHttpMethod",
    "HttpProcessingError",
    "HttpVersion11",
    "LineTooLong",
    "WSCloseCode",
    "WSMsgType",
    "web",
]

_PLACES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where OpenSSL looks for authorities."""


@contextmanager
def _without_authorities() -> Iterator[None]:
    """Have OpenSSL find no authorities for contexts that are made meanwhile."""
    before = {name: os.environ.get(name) for name in _PLACES}
    os.environ.update(dict.fromkeys(_PLACES, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


with _without_authorities():
    from aiohttp import HttpVersion11, WSCloseCode, WSMsgType, web
    from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, LineTooLong
