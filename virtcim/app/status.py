"""`virtcim status`: what a running server says of itself, and how that is printed."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from virtcim import __version__
from virtcim.app.asking import Server, add_server_options, run_asking
from virtcim.app.logs import recent_troubles

__all__ = ["StatusReport", "add_status"]


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


def add_status(commands: Any) -> None:
    """Add `virtcim status` to the subparsers of the command line."""
    parser = commands.add_parser(
        "status",
        help="tell how a running server is",
        description="Tell of a running server: addresses, users, nodes and guests, subscriptions, jobs, and what went "
        "wrong lately. The exit status is 1 when it cannot be asked, or has no connection to a node.",
    )
    parser.add_argument("--json", action="store_true", help="print it in JSON")
    add_server_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    away: list[str] = []

    def ask(arguments: argparse.Namespace, server: Server) -> None:
        report = server.get("/status")
        print(json.dumps(report, indent=2, ensure_ascii=False) if arguments.json else "\n".join(lines(report)))
        away.extend(node["uri"] for node in report["nodes"] if not node["connected"])

    return run_asking(ask)(arguments) or (1 if away else 0)


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Write a report for people."""
    yield f"virtcim {report['version']}, process {report['pid']}, since {_local(report['started'])}"
    yield f"listens on     {', '.join(report['addresses'])}"
    yield f"login          {report['authentication']}"
    for node in report["nodes"] or [None]:
        yield f"node           {_node(node)}"
    subscriptions = report["subscriptions"]
    failing = f", {subscriptions['failing']} listeners failing" if subscriptions["failing"] else ""
    yield f"subscriptions  {subscriptions['number']}{failing}"
    jobs = ", ".join(f"{number} {state}" for state, number in report["jobs"].items())
    yield f"jobs           {jobs or 'none'}"
    if "users" in report:
        users = ", ".join(f"{name or 'nobody'} ({_local(time)})" for name, time in report["users"].items())
        yield f"users          {users or 'none yet'}"
        for each in report["troubles"]:
            yield f"{_local(each['time'])}  {each['level'].lower()}: {each['message']}"


def _node(node: dict[str, Any] | None) -> str:
    if node is None:
        return "none: no hypervisor answers on this host"
    state = "connected" if node["connected"] else "NOT connected"
    only = ", read-only" if node["read_only"] else ""
    return f"{node['uri']} ({node['platform']}): {state}{only}, {node['guests']} guests, {node['running']} running"


def _local(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"
