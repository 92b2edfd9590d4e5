"""Fetching an image: resumed where it broke off, within limits, and from nowhere that the settings do not list.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from virtcim.images.addresses import AddressError, check_url, is_listed, may_connect
from virtcim.images.settings import ImageSettings
from virtcim.libhelper.work import Work

__all__ = ["DownloadError", "checksum_in", "download", "fetch_text"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 10
_CHUNK = 256 * 1024
_TEXT_LIMIT = 1 << 20
_PAUSE = 0.2
"""Seconds before the next attempt, for each that there was."""
_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/")
_LINE = re.compile(r"([0-9a-fA-F]{64}|[0-9a-fA-F]{128})\s+[ *]?(\S.*)\Z")
_BSD_LINE = re.compile(r"SHA(?:2-)?(?:256|512) ?\((.+)\) ?= ?([0-9a-fA-F]{64}|[0-9a-fA-F]{128})\Z")
_DIGITS = re.compile(r"[0-9a-fA-F]{64}|[0-9a-fA-F]{128}")


class DownloadError(Exception):
    """It cannot be fetched; the text says why."""


class _BrokenOffError(Exception):
    """It broke off, and may go on another time."""


def download(url: str, target: Path, settings: ImageSettings, work: Work) -> None:
    """Fetch a file; what an earlier attempt left in `target` is gone on with, where the server can.

    Parameters:
        url: where it is.
        target: where it goes to; what there is of it stays when this fails.
        settings: of what may be fetched.
        work: told how far it is, in bytes, and asked whether to stop.

    Raises:
        DownloadError: it cannot be fetched.
        WorkCancelledError: it was asked to stop.
    """
    for attempt in range(1, settings.attempts + 1):
        try:
            _Download(url, target, settings, work).run()
        except _BrokenOffError as error:
            if attempt == settings.attempts:
                raise DownloadError(f"{_shown(url)}: {error}") from error
            with work.stoppable():
                work.checkpoint()
                time.sleep(_PAUSE * min(attempt, 10))
        else:
            return


def fetch_text(url: str, settings: ImageSettings, work: Work) -> str:
    """Fetch a short text, such as a file with checksums.

    Raises:
        DownloadError: it cannot be fetched, or is longer than 1 MiB.
        WorkCancelledError: it was asked to stop.
    """
    asking = _Asking(settings)
    try:
        with work.stoppable(asking.stop), asking.answer(url, {}) as answer:
            if answer.status != 200:
                raise DownloadError(f"{_shown(url)}: HTTP {answer.status}")
            text = b""
            for piece in _pieces(answer, settings):
                text += piece
                if len(text) > _TEXT_LIMIT:
                    raise DownloadError(f"{_shown(url)}: has more than {_TEXT_LIMIT} bytes; expected a short text")
    except _BrokenOffError as error:
        raise DownloadError(f"{_shown(url)}: {error}") from error
    return text.decode(errors="replace")


def checksum_in(text: str, name: str) -> str | None:
    """Find the checksum of a file in what `sha256sum`, `sha512sum` or `openssl` wrote.

    Parameters:
        text: lines with a checksum and a name each, or nothing but a checksum, which is that of the one file then.
        name: of the file; one in another folder is taken where there is one of that name only.

    Returns:
        hexadecimal digits in lower case, 64 of SHA-256 or 128 of SHA-512; None where it has none, or several.
    """
    alone = text.removeprefix("\ufeff").strip()
    if _DIGITS.fullmatch(alone):
        return alone.lower()
    found = list(_named_checksums(text))
    own = {digits for digits, path in found if path in (name, f"./{name}")}
    own = own or {digits for digits, path in found if path.rpartition("/")[2] == name}
    # SHA-256 and SHA-512 of one file are no contradiction.
    by_length = {len(digits): digits for digits in own}
    return by_length[min(by_length)] if own and len(by_length) == len(own) else None


def _named_checksums(text: str) -> Iterator[tuple[str, str]]:
    """The checksums in a text, each with the name of its file."""
    for line in text.removeprefix("\ufeff").splitlines():
        if found := _LINE.match(line.strip()):
            yield found[1].lower(), found[2]
        elif found := _BSD_LINE.match(line.strip()):
            yield found[2].lower(), found[1]


class _Download:
    """One attempt."""

    def __init__(self, url: str, target: Path, settings: ImageSettings, work: Work) -> None:
        self._url = url
        self._target = target
        self._settings = settings
        self._work = work
        self._tag = target.with_name(f"{target.name}.etag")

    def run(self) -> None:
        have = self._target.stat().st_size if self._target.exists() else 0
        headers = {}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self._tag.exists():
                headers["If-Range"] = self._tag.read_text()
        asking = _Asking(self._settings)
        with self._work.stoppable(asking.stop), asking.answer(self._url, headers) as answer:
            have = self._begin(answer, have)
            length = answer.headers.get("Content-Length", "")
            total = have + int(length) if length.isascii() and length.isdigit() else 0
            self._check(total)
            with self._target.open("ab" if have else "wb") as file:
                for piece in _pieces(answer, self._settings):
                    file.write(piece)
                    have += len(piece)
                    self._check(have)
                    self._work.report(have, max(total, have))
            if have < total:
                raise _BrokenOffError(f"broke off after {have} of {total} bytes")
        self._tag.unlink(missing_ok=True)

    def _begin(self, answer: http.client.HTTPResponse, have: int) -> int:
        """Tell from which byte on the answer is."""
        if answer.status == 416 and have:
            # There is no more of it than what is here, or it is another one by now.
            self._target.unlink()
            raise _BrokenOffError("the file on the server is another one by now")
        if answer.status == 206 and have:
            found = _RANGE.match(answer.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != have:
                raise DownloadError(f"{_shown(self._url)}: the server sent another part than was asked for")
            return have
        if answer.status >= 500:
            raise _BrokenOffError(f"HTTP {answer.status}")
        if answer.status != 200:
            raise DownloadError(f"{_shown(self._url)}: HTTP {answer.status}")
        tag = answer.headers.get("ETag", "")
        if tag.startswith('"'):
            self._tag.write_text(tag)
        return 0

    def _check(self, size: int) -> None:
        if size > self._settings.largest:
            self._target.unlink(missing_ok=True)
            raise DownloadError(
                f"{_shown(self._url)}: is larger than {self._settings.largest} bytes; "
                "see images.largest in the settings"
            )


def _pieces(answer: http.client.HTTPResponse, settings: ImageSettings) -> Iterator[bytes]:
    """Read the body of an answer, piece by piece.

    Raises:
        _BrokenOffError: it comes more slowly than the settings allow, as from a server that only holds us up.
    """
    begin, got = time.monotonic(), 0
    while piece := answer.read1(_CHUNK):
        yield piece
        got += len(piece)
        seconds = time.monotonic() - begin
        if seconds >= settings.timeout:
            if got < settings.slowest * seconds:
                raise _BrokenOffError(f"came at less than {settings.slowest} bytes a second")
            begin, got = time.monotonic(), 0


class _Asking:
    """Asks for a URL, and follows where it leads, each step held against the settings.

    Parameters:
        settings: of what may be fetched.
    """

    def __init__(self, settings: ImageSettings) -> None:
        self._settings = settings
        self._connection: http.client.HTTPConnection | None = None
        self._stopped = False

    def stop(self) -> None:
        """End it, whatever it waits for; called in another thread."""
        self._stopped = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                # Of the socket itself: TLS would wait for the other side.
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    @contextlib.contextmanager
    def answer(self, url: str, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
        """The answer, for the length of a block.

        Raises:
            DownloadError: it leads where nothing may be fetched from.
            _BrokenOffError: the server does not answer, or stops to.
        """
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                answer = self._ask(url, headers)
                if answer.status not in _REDIRECTS:
                    yield answer
                    return
                following = urljoin(url, answer.headers.get("Location", ""))
                if url.lower().startswith("https:") and following.lower().startswith("http:"):
                    raise DownloadError(f"{_shown(url)}: leads from https to http")
                url = following
                self._close()
            raise DownloadError(f"{_shown(url)}: leads on more than {_MOST_REDIRECTS} times")
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise  # of the file here
            raise _BrokenOffError(str(error) or type(error).__name__) from error
        finally:
            self._close()

    def _ask(self, url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        try:
            host = check_url(url, self._settings)
        except AddressError as error:
            raise DownloadError(str(error)) from None
        parts = urlsplit(url)
        kind = _Secure if parts.scheme.lower() == "https" else _Plain
        connection = self._connection = kind(host, parts.port, timeout=self._settings.timeout)
        connection.settings = self._settings
        if self._stopped:
            raise DownloadError("was ended")
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        # The time limit of the socket is one for each byte, of which the head of an answer can have many.
        limit = threading.Timer(self._settings.timeout, self.stop)
        limit.daemon = True
        limit.start()
        try:
            connection.request("GET", path, headers={"Accept-Encoding": "identity", **headers})
            return connection.getresponse()
        finally:
            limit.cancel()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class _Plain(http.client.HTTPConnection):
    """A connection to an address that was checked: a name could lead elsewhere when it is asked for again."""

    settings: ImageSettings

    def connect(self) -> None:
        self.sock = _connected(self.host, self.port, self.settings)


class _Secure(http.client.HTTPSConnection):
    """The same, with TLS."""

    settings: ImageSettings

    def connect(self) -> None:
        plain = _connected(self.host, self.port, self.settings)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def _connected(host: str, port: int, settings: ImageSettings) -> socket.socket:
    """Connect to one of the addresses of a host that may be connected to.

    Raises:
        DownloadError: there is none.
        OSError: none answers.
    """
    by_name = is_listed(host, settings)
    found = [each[4] for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    allowed = [
        address
        for address in found
        if may_connect(ipaddress.ip_address(str(address[0]).partition("%")[0]), settings, by_name=by_name)
    ]
    if not allowed:
        raise DownloadError(f"{host}: none of its addresses may be used; see images.hosts in the settings")
    failed: OSError | None = None
    for address in allowed:
        try:
            return socket.create_connection((str(address[0]), port), settings.timeout)
        except OSError as error:
            failed = error
    assert failed is not None
    raise failed


def _shown(url: str) -> str:
    """A URL as people may see it: what follows a question mark can be a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0][:200]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
