"""Waiting for an event of a domain.

Layer rule: imports context and eventhub.
"""

from __future__ import annotations

from virtcim.libhelper.context import Context
from virtcim.libhelper.eventhub import EventWait

__all__ = ["wait_for_event"]


def wait_for_event(context: Context, uuid: str, name: str) -> EventWait:
    """Something to wait with for an event (`reboot`, `device-removed`, ...) of a domain.

    The test driver says that it has all events, and sends few.
    """
    return EventWait(
        context.events,
        lambda event: event.source == "domain" and event.key == uuid and event.name == name,
        context.facts.driver != "TEST" and f"domain/{name}" in context.events.names,
    )
