"""What a running server answers over each of its listeners, for `virtcim check`."""

from __future__ import annotations

import fcntl
import os
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from virtcim.app.certificates import CERTIFICATE
from virtcim.app.commands.asking import UNIX_SOCKET, AskError, Server
from virtcim.app.config import Settings, parse_listen
from virtcim.app.credentials import LOCK
from virtcim.platforms.findings import Finding, error, ok

__all__ = ["ask_listeners", "owner_of"]

PATIENCE = 10.0
"""Seconds that a TLS handshake may take."""

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def owner_of(state_dir: Path) -> int | None:
    """Find the server that has a state directory.

    Returns:
        its process id, 0 where it has not written that yet; None where there is none, or where this user cannot tell.
    """
    try:
        descriptor = os.open(state_dir / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 20).decode(errors="replace").strip()
        return int(text) if text.isdecimal() else 0
    finally:
        os.close(descriptor)
    return None


def ask_listeners(settings: Settings, pid: int) -> Iterator[Finding]:
    """Ask the running server over each of its listeners: over CIM-XML where this user has a login, else how it is.

    Parameters:
        pid: of the server that has the state directory.
    """
    addresses = _addresses(settings, pid)
    if not addresses:
        yield error(
            f"server {pid}: has the state directory and answers nowhere that the settings name; expected it to run "
            "with these settings"
        )
    for url in addresses:
        yield _asked(settings, url)
        if url.startswith("https:"):
            yield from _certificate(settings, url)


def _addresses(settings: Settings, pid: int) -> Sequence[str]:
    """List where the server listens: what it says itself, else what the settings say."""
    sockets = [path for path in dict.fromkeys((settings.listen_unix, UNIX_SOCKET)) if path and Path(path).exists()]
    urls = [f"unix:{path}" for path in sockets]
    for scheme, listen in (("http", settings.listen), ("https", settings.listen_https)):
        if listen and parse_listen(listen)[1]:
            host, port = parse_listen(listen)
            urls.append(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")
    for url in urls:
        try:
            report = _server(settings, url).get("/status")
        except AskError:
            continue
        if isinstance(report, dict) and report.get("pid") == pid:
            return list(dict.fromkeys(report["addresses"]))
    return [url for url in urls if url != f"unix:{UNIX_SOCKET}" or settings.listen_unix == UNIX_SOCKET]


def _asked(settings: Settings, url: str) -> Finding:
    server = _server(settings, url)
    try:
        if server.socket is None and server.credentials() is None:
            server.fetch("/health")
            return ok(f"{url}: answers; not asked over CIM-XML, since no password of its own is in the state directory")
        import pywbem

        try:
            with server.wbem("root/interop") as connection:
                connection.EnumerateInstanceNames("CIM_ObjectManager")
        except pywbem.Error as failure:
            return error(f"{url}: {failure}; expected an answer over CIM-XML")
    except (AskError, OSError) as failure:
        return error(f"{url}: {str(failure).removeprefix(f'{url}: ')}")
    return ok(f"{url}: answers over CIM-XML")


def _certificate(settings: Settings, url: str) -> Iterator[Finding]:
    """Compare the certificate that the server shows with the one of the settings."""
    file = settings.tls.certificate or settings.state_dir / CERTIFICATE
    parts = urlsplit(_reachable(url))
    try:
        shown = ssl.get_server_certificate((parts.hostname or "", parts.port or 5989), timeout=PATIENCE)
        own = file.read_text(encoding="ascii", errors="replace")
    except (OSError, ValueError) as failure:
        yield error(f"{url}: its certificate cannot be compared with {file}: {failure}")
        return
    begin = own.find("-----BEGIN CERTIFICATE-----")
    end = own.find("-----END CERTIFICATE-----", begin)
    if "".join(shown.split()) != "".join(own[begin : end + len("-----END CERTIFICATE-----")].split()):
        yield error(f"{url}: shows another certificate than {file}; expected the same: reload the server (SIGHUP)")


def _server(settings: Settings, url: str) -> Server:
    # What is sent to it stays on this host; whether the certificate is the right one is told apart.
    return Server(_reachable(url), None, True, settings)


def _reachable(url: str) -> str:
    """Put a loopback address in place of the one that stands for all."""
    host = urlsplit(url).hostname or ""
    return url.replace(host, WILDCARDS[host], 1) if host in WILDCARDS else url
