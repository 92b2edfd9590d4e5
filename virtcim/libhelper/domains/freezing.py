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

__all__ = ["frozen", "limited_agent", "quiesced", "thaw_at_last"]

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
        LibvirtError: its agent refused that (`is_invalid_state`): somebody else may have frozen them, and they stay so.
        libvirt.libvirtError: the agent did not freeze them.
    """
    with _freezing(context, domain) as turn:
        domain.fsFreeze()
        yield
        _thaw(context, domain, turn)


@contextlib.contextmanager
def quiesced(context: Context, domain: libvirt.virDomain) -> Iterator[None]:
    """A block in which libvirt freezes the file systems of a guest: none is left frozen, and no agent is waited for
    for ever.

    Raises:
        LibvirtError: as `frozen` has it.
    """
    with _freezing(context, domain) as turn:
        yield
        context.frozen.end(domain.UUIDString(), turn)


@contextlib.contextmanager
def _freezing(context: Context, domain: libvirt.virDomain) -> Iterator[int]:
    """A block in which the agent of a guest is asked to freeze it: where it fails, what is ours is thawed.

    libvirt thaws what it knows to be frozen: not what was frozen after it had lost its patience.
    """
    uuid = domain.UUIDString()
    is_ours = context.frozen.may_be(uuid)
    turn = context.frozen.begin(uuid)
    with limited_agent(domain, _AGENT_PATIENCE):
        try:
            yield turn
        except BaseException as error:
            refusal = _refusal_of(domain, error)
            if refusal is None or is_ours:
                _thaw(context, domain, turn)
            else:
                context.frozen.end(uuid, turn)
            if refusal is None:
                raise
            raise refusal from error


def _refusal_of(domain: libvirt.virDomain, error: BaseException) -> LibvirtError | None:
    """What to say where the agent has answered that it freezes nothing; None for other errors.

    An agent does so while its guest is frozen, and where its administrator has forbidden it.
    """
    if not isinstance(error, libvirt.libvirtError):
        return None
    failure = LibvirtError.of(error)
    if failure.code != libvirt.VIR_ERR_INTERNAL_ERROR or "guest-fsfreeze-freeze" not in failure.message:
        return None
    text = (
        f"domain {domain.name()!r}: its agent refuses to freeze its file systems, as where somebody else has frozen "
        f"them; expected none to be frozen: {failure.message}"
    )
    return LibvirtError(text, libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_FROM_DOMAIN)


@contextlib.contextmanager
def limited_agent(domain: libvirt.virDomain, seconds: int) -> Iterator[None]:
    """A block in which the agent of a guest has a time limit for each of its answers."""
    _attempt("the time limit of the agent", lambda: domain.agentSetResponseTimeout(seconds))
    try:
        yield
    finally:
        blocking = libvirt.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK
        _attempt("the time limit of the agent", lambda: domain.agentSetResponseTimeout(blocking))


def thaw_at_last(context: Context, uuid: str) -> None:
    """Have a guest thawed, as soon as that can be, which an earlier process may have left frozen; returns at once."""
    _thaw_beside(context, uuid, context.frozen.begin(uuid), 0.0)


def _thaw(context: Context, domain: libvirt.virDomain, turn: int) -> None:
    """Have a guest thawed: now, or as soon as its agent answers.

    An agent that did not answer in time goes on with what it was asked for: it freezes the guest when nobody waits for
    that any more.
    """
    uuid = domain.UUIDString()
    failure = _attempt("thawing", domain.fsThaw)
    if failure is None or _is_final(failure):
        context.frozen.end(uuid, turn)
    else:
        _thaw_beside(context, uuid, turn, _THAW_INTERVAL)


def _thaw_beside(context: Context, uuid: str, turn: int, delay: float) -> None:
    arguments = context, uuid, turn, delay
    threading.Thread(target=_thaw_later, args=arguments, name="thaw", daemon=True).start()


def _thaw_later(context: Context, uuid: str, turn: int, delay: float) -> None:
    deadline = time.monotonic() + _THAW_PATIENCE
    time.sleep(delay)
    while context.frozen.is_current(uuid, turn) and time.monotonic() < deadline:
        is_connected = False
        try:
            with domain_handle(context, uuid) as domain, limited_agent(domain, _AGENT_PATIENCE):
                is_connected = True
                domain.fsThaw()
        except LibvirtError as error:
            if not _is_final(error):
                # The agent's time does not run while nobody can ask it.
                deadline = deadline if is_connected else time.monotonic() + _THAW_PATIENCE
                time.sleep(_THAW_INTERVAL)
                continue
            _log.debug("domain %s: there is nothing to be thawed: %s", uuid, error)
        else:
            _log.info("domain %s: its agent answers again, and its file systems are thawed", uuid)
        context.frozen.end(uuid, turn)
        return
    if context.frozen.is_current(uuid, turn):
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
