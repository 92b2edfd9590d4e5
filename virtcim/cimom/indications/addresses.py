"""Where indications may be sent: what stands in Destination, looked at before anything is sent there."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.providers.interface import CIMError, Status

__all__ = ["PORTS", "checked_url"]

MAX_URL = 2048
"""Characters of a URL."""

PORTS = {"http": 5988, "https": 5989}
"""Where listeners listen whose URL does not say (DSP0200 1.4, section 7.2)."""

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def checked_url(given: str, settings: IndicationSettings) -> str:
    """The URL of a listener.

    Parameters:
        given: as the client wrote it, blanks around it ignored.
        settings: say where indications may be sent.

    Raises:
        CIMError: INVALID_PARAMETER, with what is wrong.
    """
    url = given.strip()
    if not url:
        raise _invalid("it is missing; expected the URL of a listener")
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise _invalid(f"it is no URL; expected at most {MAX_URL} printable ASCII characters without blanks")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _invalid(f"it is no URL: {error}; expected http://HOST:PORT or https://HOST:PORT") from None
    if parts.scheme not in PORTS:
        raise _invalid(f"the scheme {parts.scheme[:32]!r} is not supported; expected http or https")
    if parts.username is not None or parts.password is not None:
        raise _invalid("a login stands in the URL; expected none")
    if parts.fragment:
        raise _invalid("a fragment stands in the URL; expected none")
    if not _is_host(host):
        raise _invalid(f"{host[:80]!r} is no name of a host; expected a name or an address")
    port = PORTS[parts.scheme] if port is None else port
    if not port:
        raise _invalid("port 0 cannot be; expected 1 to 65535")
    if not settings.allows(host, port):
        raise _invalid(f"{host}:{port} is not among the destinations that the settings of indications allow")
    return url


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            ipaddress.IPv6Address(host.partition("%")[0])
        except ValueError:
            return False
        return True
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in host.rstrip(".").split("."))


def _invalid(text: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, f"Destination: {text}")
