"""What a browser can be made to do by the page of somebody else, and what is held against it.

A browser sends along what it holds for a server: a cookie, a password that it once was asked for, a certificate.  A
page from elsewhere can have it ask here (Cross-Site Request Forgery), and can have its own name lead to this address
(DNS rebinding).  Headers that pages cannot set tell of both.
"""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from multidict import MultiMapping, istr

from virtcim.frontends.http.exchange import HTTPFault

__all__ = ["Guard", "is_browser", "is_loopback"]

OWN_SITES = frozenset({"same-origin", "none"})
"""Sec-Fetch-Site of what a page of ours asks for, and of what a person typed."""

PORTS = {"http": 80, "https": 443}

OTHER_PARTS = frozenset("@/?#\\ ")
"""What divides an authority from other parts of a URL: in a Host header it is no name's (RFC 9112, 3.2)."""


LONGEST_NAME = 255
"""Characters of a Host header whose answer is remembered: no name is longer (RFC 1035, section 2.3.4)."""

HOST, ORIGIN = istr("Host"), istr("Origin")
SITE, MODE, DESTINATION = istr("Sec-Fetch-Site"), istr("Sec-Fetch-Mode"), istr("Sec-Fetch-Dest")


class Guard:
    """Refuses what a page from elsewhere has a browser ask for.

    Parameters:
        names: of this server, in any case; with `*` for any part.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(name.lower() for name in names)
        self._remembered = lru_cache(maxsize=64)(self._look_up)

    def check(self, headers: MultiMapping[str], is_encrypted: bool) -> None:
        """Look at a request.

        Parameters:
            headers: of the request.
            is_encrypted: whether it came by TLS.

        Raises:
            HTTPFault: 421 for a name that is not the server's; 403 for what a page from elsewhere asks for.
        """
        host = headers.get(HOST)
        if host is not None and not self._is_own(host):
            raise HTTPFault(421, f"Host {host}: is not a name of this server; server.hosts lists further ones")
        origin, site = headers.get(ORIGIN), headers.get(SITE)
        if site is not None and site not in OWN_SITES and not (origin is None and _is_visit(headers)):
            raise HTTPFault(403, f"Sec-Fetch-Site {site}: pages from elsewhere are not answered")
        if origin is not None and (host is None or not _is_same(origin, host, is_encrypted)):
            raise HTTPFault(403, f"Origin {origin}: pages from elsewhere are not answered")

    def _is_own(self, host: str) -> bool:
        return self._remembered(host) if len(host) <= LONGEST_NAME else self._look_up(host)

    def _look_up(self, host: str) -> bool:
        found, _ = _authority(host)
        if found is None:
            return not host
        name = found.rstrip(".")
        if "." not in name or name.endswith(".localhost"):
            return True  # no name on the Internet is one; an IPv6 address has no dot
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return any(fnmatch.fnmatchcase(name, each) for each in self._names)
        return True


def _is_visit(headers: MultiMapping[str]) -> bool:
    """Whether somebody follows a link, to a page that is shown by itself."""
    return headers.get(MODE) == "navigate" and headers.get(DESTINATION) == "document"


def _authority(host: str) -> tuple[str | None, int | None]:
    """Name, in lower case, and port of a Host header; (None, None) for what is none."""
    if not OTHER_PARTS.isdisjoint(host):
        return None, None
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname, parts.port
    except ValueError:
        return None, None


def _is_same(origin: str, host: str, is_encrypted: bool) -> bool:
    """Whether a page comes from this server.

    A server behind one that ends TLS is called `https` by the browser, and asked by `http`.
    """
    try:
        parts = urlsplit(origin)
        own, port = parts.hostname, parts.port
    except ValueError:
        return False
    if own is None or parts.scheme not in PORTS or (is_encrypted and parts.scheme != "https"):
        return False
    name, given = _authority(host)
    return own == name and (port or PORTS[parts.scheme]) == (given or PORTS[parts.scheme])


def is_browser(headers: MultiMapping[str]) -> bool:
    """Whether a browser asks, as far as its headers tell.

    Older ones tell no more than that they take HTML.  So does the Java client of SBLIM, which has to be asked for the
    password; but it sends XML, and no browser does before the server has allowed it.
    """
    if any(name.startswith("Sec-Fetch-") for name in map(str.title, headers)):
        return True
    return "text/html" in headers.get("Accept", "") and "xml" not in headers.get("Content-Type", "").lower()


def is_loopback(address: str) -> bool:
    """Whether an address is one of this host alone."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
