"""What is ready before what answers clients is loaded, handed from `serve` to `serving`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from virtcim.immutable import immutable

if TYPE_CHECKING:
    from virtcim.app.config import Settings
    from virtcim.frontends.http.auth import Authenticator
    from virtcim.frontends.http.listener import Endpoint
    from virtcim.frontends.http.tls import TLSState
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.nodes import ConfiguredNodes

__all__ = ["Start"]


@immutable
class Start:
    """A start of the server, as far as it has come when its hypervisors are being read.

    Attributes:
        settings: see `Settings`.
        test_driver: see `virtcim.app.serve.serve`.
        reload: reads the settings anew.
        endpoints: bound; closed by who made them.
        configured: the nodes that the settings name.
        hypervisors: those that the settings name, begun; more are added.
        stops: what is to be called at the end; what is begun is added.
        authenticator: tells who asks.
        login: what stands before the host in a URL, for an example of how to ask; None for no example.
        tls: certificates, where something listens that needs them.
        host_name: of this host, fully qualified; a name server may have to be asked for it.
    """

    settings: Settings
    test_driver: bool
    reload: Callable[[], Settings]
    endpoints: list[Endpoint]
    configured: ConfiguredNodes
    hypervisors: list[Hypervisor]
    stops: list[Callable[[], object]]
    authenticator: Authenticator
    login: str | None
    tls: TLSState | None
    host_name: Awaitable[str]
