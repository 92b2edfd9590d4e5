"""Which hypervisors answer here.

Layer rule: imports connections, errors, host.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

import libvirt

from libhelper.connections import Connections
from libhelper.errors import LibvirtError
from libhelper.host import HostFacts, read_host_facts

__all__ = ["Detected", "detect"]

_log = logging.getLogger(__name__)

_TIMEOUT = 5.0
"""Seconds that one hypervisor gets to answer; the first question to a QEMU driver may take it some."""


@dataclass(frozen=True, slots=True)
class Detected:
    """A hypervisor that answered.

    Attributes:
        uri: where.
        read_only: whether only a read-only connection was granted.
        facts: what it says of itself, its capabilities among it.
    """

    uri: str
    read_only: bool
    facts: HostFacts


def detect(uris: Iterable[str], timeout: float = _TIMEOUT, read_only: bool = False) -> list[Detected]:
    """Ask all of `uris` at once, and give back those that answer, in the order given.

    Parameters:
        timeout: seconds for all of them; who answers later is taken as absent.
        read_only: ask for read-only connections from the start.  Otherwise that is the second attempt, where a
            connection for writing is refused.
    """
    found: dict[str, Detected] = {}
    wanted = list(dict.fromkeys(uris))

    def ask(uri: str) -> None:
        for attempt in (True,) if read_only else (False, True):
            try:
                found[uri] = _ask(uri, attempt, timeout)
            except (LibvirtError, libvirt.libvirtError) as error:
                _log.debug("%s does not answer: %s", uri, error)
            else:
                return

    threads = [threading.Thread(target=ask, args=(uri,), name="libvirt-detect", daemon=True) for uri in wanted]
    deadline = time.monotonic() + timeout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [found[uri] for uri in wanted if uri in found]


def _ask(uri: str, read_only: bool, timeout: float) -> Detected:
    with Connections(uri, read_only, open_timeout=timeout).connection() as connection:
        return Detected(uri, read_only, read_host_facts(connection))
