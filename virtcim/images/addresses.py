"""Which addresses images may be fetched from.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import ipaddress
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit

from virtcim.images.settings import ImageSettings

__all__ = ["AddressError", "check_url", "file_named", "is_listed", "may_connect", "mirrored"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SCHEMES = ("http", "https")


class AddressError(ValueError):
    """Images may not be fetched from there; the text says why."""


def mirrored(url: str, settings: ImageSettings) -> str:
    """Give the URL of an image at the mirror of the site, or the same where there is none."""
    if not settings.mirror:
        return url
    return f"{settings.mirror.rstrip('/')}/{url.partition('://')[2]}"


def file_named(url: str) -> str:
    """Tell the name of the file that a URL leads to; "" where it names none.

    Raises:
        AddressError: it is no URL.
    """
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError as error:
        raise AddressError(f"{url[:200]}: {error}") from None


def check_url(url: str, settings: ImageSettings) -> str:
    """Refuse a URL that nothing may be fetched from, whatever its host's addresses are.

    Returns:
        its host.

    Raises:
        AddressError: it is none, not of HTTP, with a password, or of a host that the settings do not list.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressError(f"{url[:200]}: {error}") from None
    shown = url.partition("?")[0][:200]
    if parts.scheme.lower() not in _SCHEMES:
        raise AddressError(f"{parts.scheme[:20]}: is no scheme that images are fetched by; expected http or https")
    if not host:
        raise AddressError(f"{shown}: names no host")
    if parts.username is not None or parts.password is not None:
        raise AddressError(f"{host}: a user stands in the URL, where everybody would see the password")
    address = _address(host)
    if address is not None:
        if not may_connect(address, settings, by_name=_is_named(host, settings)):
            raise AddressError(f"{host}: {_why(address)}; see images.hosts in the settings")
    elif not _is_named(host, settings) and not _networks(settings):
        raise AddressError(f"{host}: is not listed; see images.hosts in the settings")
    return host


def is_listed(host: str, settings: ImageSettings) -> bool:
    """Whether the name of a host is listed."""
    return _is_named(host, settings)


def may_connect(address: Address, settings: ImageSettings, *, by_name: bool) -> bool:
    """Whether an address may be connected to.

    Parameters:
        by_name: whether the name that led to it is listed.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in _networks(settings) if network.version == address.version):
        return True
    return by_name and not _is_own(address)


def _is_own(address: Address) -> bool:
    """Whether it is of this machine or of the link, where nobody outside could ask, or no address at all."""
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address.is_reserved
    )


def _why(address: Address) -> str:
    return "is of this machine or of the link" if _is_own(address) else "is not listed"


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _networks(settings: ImageSettings) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for each in settings.hosts:
        try:
            found.append(ipaddress.ip_network(each, strict=False))
        except ValueError:
            continue
    return found


def _is_named(host: str, settings: ImageSettings) -> bool:
    return any(fnmatchcase(host.lower().rstrip("."), each.lower()) for each in settings.hosts)
