"""Who asks, by what a connection tells and by the Authorization header."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from multidict import istr

from virtcim.cimom.principals import Principal
from virtcim.frontends.http.auth import AuthenticationBusy, Authenticator
from virtcim.frontends.http.connections import client_of
from virtcim.frontends.http.exchange import HTTPFault, too_busy
from virtcim.frontends.http.guard import is_browser
from virtcim.frontends.http.library import web
from virtcim.frontends.http.peers import Peers
from virtcim.frontends.http.tls import CertificateUser

__all__ = ["AUTHORIZATION", "Callers"]

AUTHORIZATION = istr("Authorization")


class Callers:
    """Tells who asks.

    Parameters:
        authenticator: knows by the Authorization header.
        certificate_users: which client certificate stands for which user.
    """

    def __init__(self, authenticator: Authenticator, certificate_users: Sequence[CertificateUser]) -> None:
        self._authenticator = authenticator
        self._peers = Peers(certificate_users)

    async def principal(self, request: web.BaseRequest) -> Principal:
        """Who asks: the user of the process behind a Unix socket, else of the Authorization header, else of the
        certificate.

        Raises:
            HTTPFault: nobody who is known, or too many at once.
        """
        client = client_of(request)
        if client.uid is not None:
            return await self._peers.local(client.uid)
        authorization = request.headers.get(AUTHORIZATION)
        principal = self._authenticator.remembered(authorization)
        if principal is None and authorization is None and client.certificate:
            principal = self._peers.by_certificate(client.certificate)
        if principal is None:
            try:
                principal = await self._authenticator.authenticate(authorization, client.address)
            except AuthenticationBusy:
                raise too_busy() from None
        if principal is None:
            # A browser would ask for the password in a window of its own, and send it from then on with everything.
            challenge = {} if is_browser(request.headers) else {"WWW-Authenticate": self._authenticator.challenge}
            raise HTTPFault(401, "Authentication is needed", challenge)
        return principal

    async def log_in(self, user: str, password: str, address: str) -> Principal | None:
        """The user whose password it is, as `Exchange.log_in` says."""
        encoded = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogatepass")).decode()
        try:
            return await self._authenticator.authenticate(f"Basic {encoded}", address)
        except AuthenticationBusy:
            raise too_busy() from None

    def close(self) -> None:
        """Give up the thread that looks local users up."""
        self._peers.close()
