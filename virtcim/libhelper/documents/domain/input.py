"""`<input>` and `<hub>`: keyboards, pointing devices, USB hubs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtcim.libhelper.documents.domain.defaults import GuestTraits, is_s390, is_x86
from virtcim.libhelper.documents.domain.device import Device, VirtioOptions
from virtcim.libhelper.xml.mapping import OnOff, Replacement, Text

__all__ = ["Hub", "Input"]

_OF_HOST = frozenset({"evdev", "passthrough"})


class Input(VirtioOptions, Device):
    """An `<input>`."""

    tag = "input"
    replacements = (
        Replacement(fields=("bus",), takes=("@model", "driver", "address")),
        # A device of the host is read as it is, or passed on over a bus of its own.
        Replacement(fields=("type",), takes=("@bus", "@model", "driver", "source", "address"), among=_OF_HOST),
    )
    type = Text("@type")
    bus = Text("@bus")
    model = Text("@model")
    source_evdev = Text("source/@evdev")
    source_dev = Text("source/@dev")
    source_repeat = OnOff("source/@repeat")
    source_grab = Text("source/@grab")
    source_grab_toggle = Text("source/@grabToggle")

    @classmethod
    def default_values(cls, guest: GuestTraits) -> Mapping[str, Any] | None:
        """A mouse at the bus that the platform has for it, where the guest has such a bus."""
        if guest.is_container or not guest.has_graphics or is_s390(guest.arch):
            return None
        if guest.mouse_bus == "usb" and not guest.has_usb:
            return None
        if guest.mouse_bus == "ps2" and guest.arch is not None and not is_x86(guest.arch):
            return None
        return {"type": "mouse", "bus": guest.mouse_bus}


class Hub(Device):
    """A `<hub>`."""

    tag = "hub"
    type = Text("@type")
