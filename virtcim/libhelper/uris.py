"""Which libvirt URIs somebody may name, and what of one may be told, who is not the administrator of this machine.

A libvirt URI can run programs (`+ext`, `command=`, `netcat=`, a host that begins with a hyphen), choose files
(`socket=`, `keyfile=`, `pkipath=`, the path of the test driver), and switch off verification (`no_verify=`).  So
everything that is not known to be harmless is refused: a parameter that a later libvirt adds is refused until somebody
looks at it.

Layer rule: imports nothing of this project, and no libvirt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import SplitResult, unquote, urlsplit

from virtcim.immutable import immutable

__all__ = ["TRANSPORTS", "URIRules", "shorten_uri"]

TRANSPORTS = frozenset({"unix", "ssh", "libssh", "libssh2", "tls", "tcp"})
"""The transports that run no program of the client's choice.  `unix` is this machine."""

PARAMETERS = frozenset({"mode", "no_tty"})
"""The parameters that neither run a program, nor choose a file, nor switch off verification."""

PATHS = frozenset({"", "/", "/system", "/session", "/default"})
"""The paths that name a driver's instance and no file."""

LONGEST = 1024
"""Characters of a URI."""

_SCHEME = re.compile(r"[a-z][a-z0-9]*(\+[a-z0-9]+)?\Z")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\Z|[0-9A-Fa-f:.]+\Z")
_VALUE = re.compile(r"[A-Za-z0-9]*\Z")
_ESX = frozenset({"esx", "gsx", "vpx", "hyperv"})
"""Drivers without a daemon of libvirt: their path is a place in an inventory, and they speak HTTPS."""


@immutable
class URIRules:
    """What a libvirt URI of somebody else may be.

    Attributes:
        transports: of `TRANSPORTS`; a URI with a host and no transport has `tls`, one without a host `unix`.
        hosts: patterns of host names and addresses, such as `*.example.com`, in any case.
    """

    transports: frozenset[str] = frozenset()
    hosts: tuple[str, ...] = ()

    def check(self, uri: str) -> None:
        """Refuse a URI that is not permitted.

        Raises:
            ValueError: it is not; the text says why.
        """
        if len(uri) > LONGEST:
            raise ValueError(f"{uri[:40]!r}...: is too long; expected {LONGEST} characters at most")
        if not uri.isascii() or not uri.isprintable() or any(each in uri for each in ' \\"<>`'):
            raise ValueError(f"{uri!r}: holds a character that no URI has; expected DRIVER[+TRANSPORT]://[HOST]/PATH")
        try:
            parts = urlsplit(uri)
            port = parts.port
        except ValueError as error:
            raise ValueError(f"{uri!r}: is not a URI: {error}") from None
        scheme = uri.partition(":")[0]
        if not _SCHEME.match(scheme) or not uri.startswith(f"{scheme}://"):
            raise ValueError(f"{uri!r}: is not a URI of libvirt; expected DRIVER[+TRANSPORT]://[HOST]/PATH")
        if parts.fragment or "#" in uri:
            raise ValueError(f"{uri!r}: has a fragment; expected none")
        self._check_place(uri, parts, port)
        self._check_path(uri, scheme, parts.path)
        self._check_parameters(uri, parts.query)

    def check_migration(self, uri: str) -> None:
        """Refuse a URI of a migration that is not permitted: `tcp://HOST[:PORT]`, or one of libvirt.

        Raises:
            ValueError: it is not; the text says why.
        """
        if not uri.startswith("tcp://"):
            self.check(uri)
            return
        try:
            parts = urlsplit(uri)
            parts.port  # noqa: B018 what is no port is found when it is asked for
        except ValueError as error:
            raise ValueError(f"{uri!r}: is not a URI: {error}") from None
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
            raise ValueError(f"{uri!r}: has more than a host and a port; expected tcp://HOST[:PORT]")
        self._check_host(uri, parts.hostname or "")

    def _check_place(self, uri: str, parts: SplitResult, port: int | None) -> None:
        transport = parts.scheme.partition("+")[2] or ("tls" if parts.hostname else "unix")
        if transport not in TRANSPORTS:
            raise ValueError(f"{uri!r}: transport {transport!r} can run a program; expected {_listed(self.transports)}")
        if transport not in self.transports:
            raise ValueError(f"{uri!r}: transport {transport!r} is not permitted; expected {_listed(self.transports)}")
        user, colon, _ = parts.netloc.rpartition("@")[0].partition(":")
        if colon:
            raise ValueError(f"{parts.scheme}://{user}:...: holds a password; expected it in libvirt's auth.conf")
        if user and not _NAME.match(user):
            raise ValueError(f"{uri!r}: {user!r} is not the name of a user")
        if transport == "unix":
            if parts.netloc:
                raise ValueError(f"{uri!r}: names a host for this machine; expected none")
            return
        if not parts.hostname:
            raise ValueError(f"{uri!r}: names no host for transport {transport!r}")
        if port is not None and not 0 < port < 65536:
            raise ValueError(f"{uri!r}: {port} is not a port")
        self._check_host(uri, parts.hostname)

    def _check_host(self, uri: str, host: str) -> None:
        if not _HOST.match(host):
            raise ValueError(f"{uri!r}: {host!r} is not the name or address of a host")
        if not any(fnmatchcase(host.lower(), pattern.lower()) for pattern in self.hosts):
            raise ValueError(f"{uri!r}: host {host!r} is not permitted; expected {_listed(self.hosts)}")

    @staticmethod
    def _check_path(uri: str, scheme: str, path: str) -> None:
        if scheme in _ESX:
            if any(part in (".", "..") for part in unquote(path).split("/")):
                raise ValueError(f"{uri!r}: {path!r} is not a place in an inventory")
        elif path not in PATHS:
            raise ValueError(f"{uri!r}: path {path!r} can choose a file; expected {_listed(PATHS - {'', '/'})}")

    @staticmethod
    def _check_parameters(uri: str, query: str) -> None:
        # libvirt takes both separators apart, decodes names, and knows them in any case.
        for parameter in filter(None, re.split("[&;]", query)):
            name, _, value = parameter.partition("=")
            known = unquote(name).lower()
            if known not in PARAMETERS:
                raise ValueError(
                    f"{uri!r}: parameter {known!r} can run a program, choose a file or switch off verification; "
                    f"expected {_listed(PARAMETERS)} only"
                )
            if not _VALUE.match(value):
                raise ValueError(f"{uri!r}: {value!r} is not a value of {known!r}")


def shorten_uri(uri: str) -> str:
    """Leave of a URI what tells which hypervisor it is of: no login, no file, and no parameters."""
    parts = urlsplit(uri)
    path = parts.path if parts.path in PATHS else "/..."
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none: nothing is permitted by the settings [nodes]"
