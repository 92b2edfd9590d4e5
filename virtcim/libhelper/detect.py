"""Which hypervisors answer here.

Layer rule: imports connections, errors, host.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.connections import Connections
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.host import HostFacts, read_capabilities, read_identity

__all__ = ["Detected", "detect"]

_log = logging.getLogger(__name__)

_TIMEOUT = 5.0
"""Seconds that the hypervisors get to answer; a QEMU driver that has just started needs some to know what it can do."""


@immutable
class Detected:
    """A hypervisor that answered.

    Attributes:
        uri: where.
        read_only: whether only a read-only connection was granted.
        facts: what it says of itself; its capabilities among it, if it told them in time.
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
                for answer in _answers(uri, attempt, timeout):
                    found[uri] = answer
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


def _answers(uri: str, read_only: bool, timeout: float) -> Iterator[Detected]:
    """What a hypervisor says at once, and then that with its capabilities."""
    with Connections(uri, read_only, open_timeout=timeout).connection() as connection:
        identity = read_identity(connection)
        yield Detected(uri, read_only, identity)
        yield Detected(uri, read_only, read_capabilities(connection, identity))
