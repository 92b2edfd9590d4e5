"""Where a domain is, after something went wrong while it moved.

Layer rule: imports libvirt, connections, errors and states.
"""

from __future__ import annotations

import time

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.connections import Connections
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.states import DomainState, PausedReason, RunningReason

__all__ = ["Sighting", "look_for"]

_LOOK_AGAIN = 0.5
"""Seconds between two attempts to reach a host."""

_WORDS = {
    DomainState.RUNNING: "runs",
    DomainState.BLOCKED: "runs",
    DomainState.PAUSED: "is paused",
    DomainState.SHUTDOWN: "is shutting down",
    DomainState.SHUTOFF: "is defined and does not run",
    DomainState.CRASHED: "has crashed",
    DomainState.PMSUSPENDED: "is asleep",
}


_BY_MIGRATION = frozenset({PausedReason.MIGRATION})


@immutable
class Sighting:
    """What one host says of a domain.

    Attributes:
        host: for people.
        state: None where it is not there, or nothing was said.
        answered: whether the host said anything.
        is_stranded: whether it stands still there because of a migration.
        is_persistent: whether it is defined there.
        lacks_memory: whether it runs there without all of its memory, which has ceased to come.
    """

    host: str
    state: DomainState | None = None
    answered: bool = True
    is_stranded: bool = False
    is_persistent: bool = False
    lacks_memory: bool = False

    @property
    def is_absent(self) -> bool:
        """Whether the host said that it is not there."""
        return self.answered and self.state is None

    @property
    def is_active(self) -> bool:
        """Whether it is there, and not only defined."""
        return self.state not in (None, DomainState.SHUTOFF)

    @property
    def is_whole(self) -> bool:
        """Whether it is there, and lacks nothing."""
        return self.state is not None and not self.lacks_memory

    @property
    def text(self) -> str:
        """In words: `runs on a.example`."""
        if not self.answered:
            return f"{self.host} does not answer"
        if self.state is None:
            return f"is not on {self.host}"
        memory = ", without the rest of its memory" if self.lacks_memory else ""
        return f"{_WORDS.get(self.state, 'is')} on {self.host}{memory}"


def look_for(uuid: str, host: str, connections: Connections, patience: float) -> Sighting:
    """Ask a host for a domain.

    Parameters:
        uuid: of the domain.
        host: for people.
        connections: to the host.
        patience: seconds in which a host that does not answer is asked again: its daemon may be starting anew.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            with connections.connection() as connection:
                domain = connection.lookupByUUIDString(uuid)
                state, reason = domain.state()
                return Sighting(
                    host,
                    DomainState(state),
                    is_stranded=state == DomainState.PAUSED and reason in _BY_MIGRATION,
                    is_persistent=bool(domain.isPersistent()),
                    lacks_memory=state == DomainState.RUNNING and reason == RunningReason.POSTCOPY_FAILED,
                )
        except libvirt.libvirtError as error:
            if LibvirtError.of(error).is_no_domain:
                return Sighting(host)
        except LibvirtError:
            pass
        if time.monotonic() >= deadline:
            return Sighting(host, answered=False)
        time.sleep(_LOOK_AGAIN)
