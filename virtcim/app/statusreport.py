"""What a running server says of itself, for `virtcim status`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from virtcim import __version__
from virtcim.app.logs import recent_troubles

__all__ = ["StatusReport"]


class _Node(Protocol):
    """A hypervisor that is served."""

    uri: str
    connected: bool
    read_only: bool


class StatusReport:
    """What a server tells of itself, put together when somebody asks.

    Parameters:
        addresses: URLs that it listens on.
        authentication: how users are known, in the words of the setting `auth`.
        nodes: each hypervisor with its platform, and whether each of its guests runs.
        subscriptions: the number of subscriptions, and of destinations that do not take what they are sent.
        jobs: the state of each job, as CIM_ConcreteJob names it.
        users: who has asked, with the time in seconds since 1970.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        authentication: str,
        nodes: Callable[[], Iterator[tuple[str, _Node, Sequence[bool]]]],
        subscriptions: Callable[[], tuple[int, int]],
        jobs: Callable[[], Iterator[str]],
        users: Callable[[], dict[str, float]],
    ) -> None:
        self._addresses = list(addresses)
        self._authentication = authentication
        self._nodes = nodes
        self._subscriptions = subscriptions
        self._jobs = jobs
        self._users = users
        self._started = datetime.now(UTC)

    def __call__(self, privileged: bool) -> dict[str, Any]:
        """Tell.

        Parameters:
            privileged: whether who asks may know of users and of what went wrong, which may name guests and files.
        """
        number, failing = self._subscriptions()
        report: dict[str, Any] = {
            "version": __version__,
            "pid": os.getpid(),
            "started": self._started.isoformat(timespec="seconds"),
            "addresses": self._addresses,
            "authentication": self._authentication,
            "nodes": [
                {
                    "uri": node.uri,
                    "platform": platform,
                    "connected": node.connected,
                    "read_only": node.read_only,
                    "guests": len(running),
                    "running": sum(running),
                }
                for platform, node, running in self._nodes()
            ],
            "subscriptions": {"number": number, "failing": failing},
            "jobs": dict(sorted(Counter(self._jobs()).items())),
        }
        if privileged:
            report["users"] = {
                name: datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")
                for name, time in self._users().items()
            }
            report["troubles"] = recent_troubles()
        return report
