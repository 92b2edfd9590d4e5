"""Puts the core, the front ends and HTTP together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from virtcim import __version__
from virtcim.cimom.access import Access
from virtcim.cimom.capabilities import server_capabilities
from virtcim.cimom.core import Core, Executor
from virtcim.cimom.indications.relay import Relay
from virtcim.cimom.pull import pull_limits
from virtcim.cimom.requests import INTRINSIC_OPERATIONS
from virtcim.cimom.settings import ServerSettings
from virtcim.cimom.statistics import OperationStatistics
from virtcim.frontends.cimxml.frontend import CIMXML
from virtcim.frontends.cmpi.settings import CmpiSettings
from virtcim.frontends.http.auth import Authenticator
from virtcim.frontends.http.exchange import FrontEndFactory
from virtcim.frontends.http.server import Server
from virtcim.frontends.http.tls import TLSState
from virtcim.frontends.rest.frontend import REST
from virtcim.providers.interface import Catalog
from virtcim.schema.classes import ClassStore

if TYPE_CHECKING:
    from virtcim.frontends.cmpi.daemon import CmpiDaemon

__all__ = ["FRONT_ENDS", "make_daemon", "make_server"]

FRONT_ENDS: tuple[FrontEndFactory, ...] = (CIMXML, REST)
"""The front ends over HTTP, in the order in which they are asked."""


def make_server(
    catalog: Catalog,
    classes: ClassStore,
    settings: ServerSettings,
    authenticator: Authenticator,
    tls: TLSState | None = None,
    statistics: OperationStatistics | None = None,
    access: Access | None = None,
    front_ends: Sequence[FrontEndFactory] = FRONT_ENDS,
    translate: Callable[[Core], Executor] = lambda core: core,
) -> Server:
    """Make a server, not started yet.

    Parameters:
        catalog: which provider serves which class where.
        classes: the class store.
        settings: addresses and limits.
        authenticator: tells who asks.
        tls: certificates, for the endpoints that speak HTTPS.
        statistics: of the operations; by default nothing is gathered.
        access: decides who may do what.
        front_ends: what is served over HTTP.
        translate: puts a translation between the core and all of them.
    """
    core = Core(catalog, classes, settings, access)
    capabilities = server_capabilities(catalog, INTRINSIC_OPERATIONS, authenticator, pull_limits(settings))
    executor = translate(core)
    made = [each(executor, settings, capabilities) for each in front_ends]
    authenticator.listeners += [each.sessions.end_all for each in made if isinstance(each, REST)]
    return Server(core, made, settings, authenticator, tls, statistics)


def make_daemon(
    core: Executor,
    provider_of: Callable[[str], str],
    settings: CmpiSettings,
    relay: Relay | None = None,
) -> CmpiDaemon:
    """Make the daemon's side of the bridge into other CIM servers, not started yet.

    Parameters:
        core: carries out requests.
        provider_of: the name under which a class's provider is registered (`registration.table.provider_of`).
        settings: of the socket.
        relay: keeps the indications for CIM servers; None where there are no indications.
    """
    # Here, since most servers answer their clients themselves.
    from virtcim.frontends.cmpi.daemon import CmpiDaemon
    from virtcim.frontends.cmpi.frontend import CMPI

    frontend = CMPI(core, provider_of, relay, str(settings.socket))
    return CmpiDaemon(frontend, settings, __version__, relay)
