"""Freezing the file systems of a guest by its agent, and thawing them in every case.

Layer rule: imports libvirt, context, errors and its siblings.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

import libvirt

from virtcim.libhelper.context import Context
from virtcim.libhelper.domains.handle import domain_handle
from virtcim.libhelper.errors import LibvirtError

__all__ = ["frozen", "quiesced"]

_log = logging.getLogger(__name__)

_AGENT_PATIENCE = 30
"""Seconds that the agent of a guest gets for one answer: freezing writes out what the guest has in its memory."""
_THAW_INTERVAL = 5.0
"""Seconds between two attempts to thaw a guest whose agent does not answer."""
_THAW_PATIENCE = 900.0
"""Seconds in which such an agent may come to itself: by then it has frozen the guest, or never will."""


@contextlib.contextmanager
def frozen(context: Context, domain: libvirt.virDomain) -> Iterator[None]:
    """A block in which the file systems of a guest are frozen by its agent: they are thawed however it ends.

    Raises:
        libvirt.libvirtError: the agent did not freeze them.
    """
    with _limited(domain):
        try:
            domain.fsFreeze()
            yield
        finally:
            _thaw(context, domain)


@contextlib.contextmanager
def quiesced(context: Context, domain: libvirt.virDomain) -> Iterator[None]:
    """A block in which libvirt freezes the file systems of a guest: none is left frozen, and no agent is waited for
    for ever."""
    with _limited(domain):
        try:
            yield
        except libvirt.libvirtError:
            # libvirt thaws what it knows to be frozen: not what was frozen after it had lost its patience.
            _thaw(context, domain)
            raise


@contextlib.contextmanager
def _limited(domain: libvirt.virDomain) -> Iterator[None]:
    """A block in which the agent of a guest has a time limit for its answers."""
    _attempt("the time limit of the agent", lambda: domain.agentSetResponseTimeout(_AGENT_PATIENCE))
    try:
        yield
    finally:
        blocking = libvirt.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK
        _attempt("the time limit of the agent", lambda: domain.agentSetResponseTimeout(blocking))


def _thaw(context: Context, domain: libvirt.virDomain) -> None:
    """Have a guest thawed: now, or as soon as its agent answers.

    An agent that did not answer in time goes on with what it was asked for: it freezes the guest when nobody waits for
    that any more.
    """
    failure = _attempt("thawing", domain.fsThaw)
    if failure is not None and not _is_final(failure):
        arguments = context, domain.UUIDString()
        threading.Thread(target=_thaw_later, args=arguments, name="thaw", daemon=True).start()


def _thaw_later(context: Context, uuid: str) -> None:
    deadline = time.monotonic() + _THAW_PATIENCE
    while time.monotonic() < deadline:
        time.sleep(_THAW_INTERVAL)
        try:
            with domain_handle(context, uuid) as domain, _limited(domain):
                domain.fsThaw()
        except LibvirtError as error:
            if _is_final(error):
                _log.debug("domain %s: there is nothing to be thawed: %s", uuid, error)
                return
        else:
            _log.info("domain %s: its agent answers again, and its file systems are thawed", uuid)
            return
    _log.error("domain %s: its agent does not answer: its file systems may be frozen", uuid)


def _is_final(error: LibvirtError) -> bool:
    """Whether a guest that could not be thawed has nothing to be thawed: it is gone or off, or has no agent."""
    return error.is_gone or error.is_invalid_state or error.is_unsupported


def _attempt(what: str, call: Callable[[], object]) -> LibvirtError | None:
    """Call libvirt, and give its error where it fails."""
    try:
        call()
    except libvirt.libvirtError as error:
        _log.debug("%s: %s", what, error)
        return LibvirtError.of(error)
    return None
