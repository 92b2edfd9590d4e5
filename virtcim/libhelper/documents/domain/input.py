"""`<input>` and `<hub>`: keyboards, pointing devices, USB hubs."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device, VirtioOptions
from virtcim.libhelper.xml.mapping import OnOff, Text

__all__ = ["Hub", "Input"]


class Input(VirtioOptions, Device):
    """An `<input>`."""

    tag = "input"
    type = Text("@type")
    bus = Text("@bus")
    model = Text("@model")
    source_evdev = Text("source/@evdev")
    source_dev = Text("source/@dev")
    source_repeat = OnOff("source/@repeat")
    source_grab = Text("source/@grab")
    source_grab_toggle = Text("source/@grabToggle")


class Hub(Device):
    """A `<hub>`."""

    tag = "hub"
    type = Text("@type")
