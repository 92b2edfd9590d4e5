"""How the command line asks a running server: over its Unix socket, else where its settings have it listen."""

from __future__ import annotations

import argparse
import base64
import contextlib
import errno
import getpass
import http.client
import json
import os
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from virtcim.app.config import ConfigError, Settings, load, parse_listen
from virtcim.app.failures import words_of

if TYPE_CHECKING:
    import pywbem

__all__ = ["AskError", "Server", "add_server_options", "read_given", "run_asking", "run_connected"]

UNIX_SOCKET = "/run/virtcim/virtcim.sock"
"""Where the units of the packages have the server listen; who asks there is known by the process."""

EXIT_FAILED = 1
PATIENCE = 30.0


class AskError(Exception):
    """The server does not answer, or does not do what it was asked; the text says why."""


class Server:
    """A running server, as the options of a command name it.

    Parameters:
        url: None for the socket, or what the settings say.
        user: who asks; None for the user that was made on the first start.
        insecure: whether any certificate is taken.

    Attributes:
        url: `http://HOST:PORT`, `https://HOST:PORT`, or `unix:PATH`.
        settings: of the server.

    Raises:
        ConfigError: the settings name no address, or the URL is none.
    """

    def __init__(self, url: str | None, user: str | None, insecure: bool, settings: Settings) -> None:
        self.settings = settings
        self._user = user
        self._insecure = insecure
        self.url = url or _default_url(user, settings)
        if self.socket is None and not _is_web_url(self.url):
            expected = "http://HOST:PORT, https://HOST:PORT or unix:PATH"
            raise ConfigError(f"--url: {self.url!r} is no URL of a server; expected {expected}")

    @property
    def socket(self) -> str | None:
        """The path of the Unix socket; None for a server that is asked over TCP."""
        return self.url.removeprefix("unix:") if self.url.startswith("unix:") else None

    def wbem(self, namespace: str) -> pywbem.WBEMConnection:
        """Make a connection for CIM operations, as pywbem has them.

        Parameters:
            namespace: in which they are carried out by default.
        """
        import pywbem

        connection = pywbem.WBEMConnection(
            "http://localhost" if self.socket else self.url,
            None if self.socket else self.credentials(),
            default_namespace=namespace,
            no_verification=self._insecure,
            timeout=int(PATIENCE),
        )
        if self._insecure:
            # REQUESTS_CA_BUNDLE would have certificates looked at after all, and a proxy has no part in this.
            connection.session.trust_env = False
        if self.socket:
            from virtcim.app.commands.unixadapter import UnixAdapter

            connection.session.mount("http://", UnixAdapter(self.socket))
        return connection

    def get(self, path: str) -> Any:
        """Fetch a page in JSON.

        Raises:
            AskError: it cannot be read.
        """
        try:
            return json.loads(self.fetch(path))
        except ValueError:
            raise AskError(f"{self.url}{path}: no JSON; expected virtcim's own server") from None

    def fetch(self, path: str) -> bytes:
        """Fetch a page.

        Raises:
            AskError: it cannot be read.
        """
        connection = self._http()
        try:
            connection.request("GET", path, headers=self._authorization())
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise AskError(_unreachable(self.url, error)) from error
        finally:
            connection.close()
        if answer.status in (401, 403):
            raise AskError(_refused(self.url, answer.status))
        if answer.status != 200:
            raise AskError(f"{self.url}{path}: HTTP {answer.status}; expected a server of this version")
        return body

    def _http(self) -> http.client.HTTPConnection:
        if (path := self.socket) is not None:
            return _UnixConnection(path)
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme != "https":
            return http.client.HTTPConnection(host, port or 5988, timeout=PATIENCE)
        context = ssl.create_default_context()
        if self._insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(host, port or 5989, timeout=PATIENCE, context=context)

    def _authorization(self) -> dict[str, str]:
        credentials = None if self.socket else self.credentials()
        if credentials is None:
            return {}
        return {"Authorization": f"Basic {base64.b64encode(':'.join(credentials).encode()).decode()}"}

    def credentials(self) -> tuple[str, str] | None:
        """Tell who asks: the user that is named, else the one that was made on the first start; None without one."""
        if self._user is not None:
            return self._user, os.environ.get("VIRTCIM_PASSWORD") or getpass.getpass(f"Password of {self._user}: ")
        try:
            text = (self.settings.state_dir / "password").read_text(encoding="utf-8")
        except OSError:
            return None
        name, colon, password = text.strip().partition(":")
        return (name, password) if colon else None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _is_web_url(text: str) -> bool:
    """Whether a text is a URL of HTTP or HTTPS with a host, and a port that can be."""
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _default_url(user: str | None, settings: Settings) -> str:
    path = settings.listen_unix or UNIX_SOCKET
    # Who names a user means a password, which the socket does not ask for; and a server with a state directory of its
    # own is not the one of the system.
    if user is None and os.access(path, os.W_OK) and (settings.listen_unix or _is_of_system(settings)):
        return f"unix:{path}"
    scheme, listen = ("http", settings.listen) if settings.listen else ("https", settings.listen_https)
    if not listen:
        raise ConfigError("--url: the settings name no address; expected the URL of the server")
    host, port = parse_listen(listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _is_of_system(settings: Settings) -> bool:
    return settings.state_dir in {Path("/var/lib/virtcim"), Settings().state_dir}


def _explanation(error: pywbem.Error, url: str) -> str:
    """Say what went wrong with a CIM operation, in the form of all messages; what the server itself says stays."""
    import pywbem

    if isinstance(error, pywbem.AuthError):
        return _refused(url, 401)
    if isinstance(error, pywbem.HTTPError) and error.status == 403:
        return _refused(url, 403)
    if isinstance(error, pywbem.ConnectionError):
        # pywbem quotes the library below, which quotes the system.
        return _unreachable(url, str(error).rpartition("] ")[2])
    if isinstance(error, pywbem.CIMError) and error.status_description:
        return f"{error.status_description} ({error.status_code_name})"
    return str(error)


def _refused(url: str, status: int) -> str:
    hint = "its password, by --user or --state-dir" if status == 401 else "a user with the role to read"
    return f"{url}: may not be asked by this user (HTTP {status}); expected {hint}"


def _unreachable(url: str, error: BaseException | str) -> str:
    reason = error if isinstance(error, str) else words_of(error)
    return f"{url}: {reason}; expected a running server (virtcim serve)"


def read_given(file: Path) -> str:
    """Read a text that a command is given by its file; `-` is standard input.

    Raises:
        AskError: it is no text.
        OSError: it cannot be read.
    """
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise AskError(f"{file}: is not in UTF-8; expected a text") from None


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which server is asked, and by whom."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings of the server, in TOML")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="of the server: its first password is there")
    parser.add_argument(
        "--url", metavar="URL", help="of the server; default: its Unix socket, else where the settings have it listen"
    )
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="default: the user made on the first start; the password is that in VIRTCIM_PASSWORD, else asked for",
    )
    parser.add_argument(
        "--insecure", action="store_true", help="with https: take whatever certificate the server shows"
    )


def run_asking(action: Callable[[argparse.Namespace, Server], int | None]) -> Callable[[argparse.Namespace], int]:
    """Make what runs a command that asks a server, and tells what went wrong in a line.

    Parameters:
        action: gives the exit status, None for 0; raises AskError, or what pywbem raises.
    """

    def run(arguments: argparse.Namespace) -> int:
        settings = load(arguments.config, {"state_dir": arguments.state_dir})
        server = Server(arguments.url, arguments.user, arguments.insecure, settings)
        try:
            return action(arguments, server) or 0
        except (AskError, OSError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ENOSPC):
                raise  # about what is printed, as with every command
            print(f"virtcim: {words_of(error)}", file=sys.stderr)
            return EXIT_FAILED
        except Exception as error:
            import pywbem

            if not isinstance(error, pywbem.Error):
                raise
            print(f"virtcim: {_explanation(error, server.url)}", file=sys.stderr)
            return EXIT_FAILED

    return run


def run_connected(arguments: argparse.Namespace, action: Callable[..., int | None]) -> int:
    """Run what asks a server by CIM, given the arguments and pywbem's connection, until it ends or is interrupted.

    Returns:
        the exit status: what the action gives, or 1 where the server refuses or does not answer.
    """

    def ask(arguments: argparse.Namespace, server: Server) -> int | None:
        with contextlib.suppress(KeyboardInterrupt), server.wbem("root/interop") as connection:
            return action(arguments, connection)
        return None

    return run_asking(ask)(arguments)
