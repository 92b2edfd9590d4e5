"""The files of the console."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import threading
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from virtcim.frontends.http.exchange import Exchange, HTTPFault, Reply
from virtcim.immutable import immutable

__all__ = ["Pages"]

DIRECTORY = Path(__file__).parents[2] / "console"
INDEX = "index.html"
PARTS = "parts"
"""The directory with what others have written, which is fetched when a package is made."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}

COMPRESSIBLE = (".html", ".js", ".mjs", ".css", ".json", ".svg", ".txt")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: nothing inline, nothing from elsewhere, in no frame."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

MISSING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>virtcim</title></head>
<body><h1>virtcim</h1>
<p>The server answers. Its console is not part of this installation: its parts are fetched by
<code>make console</code>, which needs npm; the packages have them.</p>
<p>Other ways in: CIM-XML at <code>/cimom</code>, JSON at <a href="/api/">/api/</a>.</p>
</body></html>
"""


@immutable
class _File:
    """A file, read and laid out for sending."""

    stamp: tuple[int, int]
    media_type: str
    body: bytes
    compressed: bytes | None
    tag: str


class Pages:
    """Serves the files of a directory.

    Parameters:
        directory: where they are.
    """

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._directory = directory
        self._known: dict[str, _File] = {}
        self._lock = threading.Lock()

    async def answer(self, exchange: Exchange) -> Reply:
        """Send a file, or the page that says why there is none.

        Raises:
            HTTPFault: 404 for what there is not; 405 for what is only posted to.
        """
        path = exchange.path
        if path == "/cimom":
            raise HTTPFault(405, f"{exchange.method} is not supported here; expected POST", {"Allow": "POST, OPTIONS"})
        name = unquote(exchange.target.partition("?")[0]).lstrip("/") or INDEX
        found = await exchange.run(lambda: self._find(name))
        if found is None:
            if name != INDEX:
                raise HTTPFault(404, "There is no such page")
            headers = {**HEADERS, "Content-Type": TYPES[".html"]}
            return Reply([MISSING.encode()], headers, 200)
        headers = {**HEADERS, "Content-Type": found.media_type, "ETag": found.tag, "Vary": "Accept-Encoding"}
        if found.tag in {each.strip() for each in exchange.headers.get("If-None-Match", "").split(",")}:
            return Reply((), headers, 304)
        if found.compressed is not None and "gzip" in exchange.headers.get("Accept-Encoding", ""):
            return Reply([found.compressed], {**headers, "Content-Encoding": "gzip"})
        return Reply([found.body], headers)

    def _find(self, name: str) -> _File | None:
        """Read a file, unless it is known as it is; None where there is none.  May wait for the disk."""
        if name == INDEX and not (self._directory / PARTS).is_dir():
            return None
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or any(part.startswith(".") or "\0" in part for part in parts):
            return None
        path = self._directory.joinpath(*parts)
        try:
            state = path.stat()
            if not path.is_file() or not path.resolve().is_relative_to(self._directory.resolve()):
                return None
            stamp = state.st_mtime_ns, state.st_size
            known = self._known.get(name)
            if known is None or known.stamp != stamp:
                known = self._read(path, stamp)
                with self._lock:
                    self._known[name] = known
        except OSError:
            return None
        return known

    @staticmethod
    def _read(path: Path, stamp: tuple[int, int]) -> _File:
        body = path.read_bytes()
        media_type = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        compressed = gzip.compress(body, 6, mtime=0) if path.suffix in COMPRESSIBLE else None
        return _File(stamp, media_type, body, compressed, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
