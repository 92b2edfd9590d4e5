"""`<watchdog>` and `<panic>`: devices through which a guest tells that it hangs or crashed."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.xml.mapping import Text

__all__ = ["Panic", "Watchdog"]


class Watchdog(Device):
    """A `<watchdog>`."""

    tag = "watchdog"
    model = Text("@model")
    action = Text("@action")


class Panic(Device):
    """A `<panic>`."""

    tag = "panic"
    model = Text("@model")
