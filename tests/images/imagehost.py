"""A host of images on loopback: it counts what is asked, and can be slow, lie, break off, or lead elsewhere."""

from __future__ import annotations

import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_RANGE = re.compile(r"bytes=([0-9]+)-")
_PIECE = 64 * 1024


class ImageHost:
    """The host.

    Attributes:
        files: content by path.
        redirects: by path, where it leads.
        asked: how often each path was asked for.
        ranges: the first bytes that were asked for.
        break_after: by path, after how many bytes it breaks off, once.
        claims: by path, the Content-Length it tells.
        shift: by how many bytes a part that it sends lies beside the one that was asked for.
        gate: while it is cleared, no body goes on beyond its first piece.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.ranges: list[int] = []
        self.break_after: dict[str, int] = {}
        self.claims: dict[str, int] = {}
        self.ignores_ranges = False
        self.shift = 0
        self.gate = threading.Event()
        self.gate.set()
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                host._answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path
        self.asked[path] += 1
        if path in self.redirects:
            request.send_response(302)
            request.send_header("Location", self.redirects[path])
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        content = self.files.get(path)
        if content is None:
            request.send_error(404)
            return
        begin = 0
        found = _RANGE.match(request.headers.get("Range", ""))
        if found and not self.ignores_ranges:
            self.ranges.append(int(found[1]))
            begin = int(found[1]) + self.shift
            if begin >= len(content):
                request.send_error(416)
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        request.send_header("Content-Length", str(self.claims.get(path, len(content) - begin)))
        request.send_header("ETag", f'"{hash(content)}"')
        request.end_headers()
        stop = self.break_after.pop(path, None)
        for place in range(begin, len(content) if stop is None else stop, _PIECE):
            request.wfile.write(content[place : min(place + _PIECE, len(content) if stop is None else stop)])
            if not self.gate.wait(60):
                break
        if stop is not None or path in self.claims:
            request.close_connection = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
