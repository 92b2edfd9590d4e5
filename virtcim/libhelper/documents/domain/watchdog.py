"""`<watchdog>` and `<panic>`: devices through which a guest tells that it hangs or crashed."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.xml.mapping import Replacement, Text

__all__ = ["Panic", "Watchdog"]


class Watchdog(Device):
    """A `<watchdog>`."""

    tag = "watchdog"
    replacements = (Replacement(fields=("model",), takes=("address",)),)
    model = Text("@model")
    action = Text("@action")


class Panic(Device):
    """A `<panic>`."""

    tag = "panic"
    replacements = (Replacement(fields=("model",), takes=("address",)),)
    model = Text("@model")
