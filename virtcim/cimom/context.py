"""Who asks, for providers of the server itself."""

from __future__ import annotations

from virtcim.cimom.principals import NOBODY, Principal
from virtcim.immutable import immutable
from virtcim.providers.interface import RequestContext

__all__ = ["CallerContext", "principal_of"]


@immutable
class CallerContext(RequestContext):
    """Who asks, with all that authentication found out.

    Attributes:
        user: the authenticated user.
    """

    user: Principal = NOBODY


def principal_of(context: RequestContext) -> Principal:
    """The user who asks; nobody where that is not known."""
    return context.user if isinstance(context, CallerContext) else NOBODY
