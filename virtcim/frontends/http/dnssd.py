"""Announces the server on the local network by DNS-SD (RFC 6763): `_wbem-http._tcp` or `_wbem-https._tcp`.

Needs the library zeroconf, the optional extra `dnssd`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

__all__ = ["announced", "is_available", "load"]

log = logging.getLogger(__name__)

EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})


def is_available() -> bool:
    """Whether the library is there."""
    return find_spec("zeroconf") is not None


def load() -> None:
    """Load the library, which takes a while and runs `ldconfig`: called in a thread before `announced`."""
    import ifaddr  # noqa: F401
    import zeroconf.asyncio  # noqa: F401


@contextlib.asynccontextmanager
async def announced(scheme: str, host: str, port: int, system_name: str) -> AsyncIterator[None]:
    """Announce a server as long as the context lasts.

    A network that takes no announcement is reported in the log; the server goes on without it.

    Parameters:
        scheme: http or https.
        host, port: where it listens; the unspecified address announces it on all interfaces.
        system_name: of the host.
    """
    from zeroconf import InterfaceChoice
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    short = system_name.partition(".")[0]
    kind = f"_wbem-{scheme}._tcp.local."
    everywhere = host in EVERY_ADDRESS
    async with contextlib.AsyncExitStack() as stack:
        try:
            responder = AsyncZeroconf(interfaces=InterfaceChoice.All if everywhere else [host])
            stack.push_async_callback(responder.async_close)
            info = AsyncServiceInfo(
                kind,
                f"virtcim on {short}.{kind}",
                port=port,
                server=f"{short}.local.",
                properties={"txtvers": "1", "path": "/cimom", "interop": "root/interop"},
                parsed_addresses=_addresses() if everywhere else [host],
            )
            await (await responder.async_register_service(info, allow_name_change=True))
            stack.push_async_callback(_withdraw, responder, info)
        except Exception as exc:
            log.warning("The server cannot be announced by DNS-SD: %s", exc)
        yield


async def _withdraw(responder: AsyncZeroconf, info: AsyncServiceInfo) -> None:
    """Say goodbye, and wait until that is sent."""
    await (await responder.async_unregister_service(info))


def _addresses() -> list[str]:
    """The addresses of this machine that others can use."""
    import ifaddr

    found = [address.ip for adapter in ifaddr.get_adapters() for address in adapter.ips]
    plain = [address if isinstance(address, str) else address[0] for address in found]
    return [address for address in plain if not address.startswith(("127.", "::1", "fe80:"))] or plain
