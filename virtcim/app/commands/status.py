"""`virtcim status`: how what a running server says of itself is printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from virtcim.app.commands.asking import Server, add_server_options, run_asking
from virtcim.app.commands.grammar import Commands

__all__ = ["add_status"]


def add_status(commands: Commands) -> None:
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
