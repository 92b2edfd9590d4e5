"""`<serial>`, `<parallel>`, `<console>`, `<channel>` and what else has the source of a character device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtcim.libhelper.documents.domain.defaults import GuestTraits, is_s390
from virtcim.libhelper.documents.domain.device import Device, SecurityLabel
from virtcim.libhelper.xml.mapping import Int, Items, Mapped, OnOff, Own, Replacement, Text, YesNo

__all__ = ["Channel", "CharacterSource", "Chardev", "Console", "Parallel", "Serial"]


class CharacterSource(Mapped):
    """Where the other side of a character device is.

    `source_*` is the first `<source>`; a UDP device has two, `source_bind_*` and `source_connect_*`.  Services are
    port numbers or names, as libvirt has them.
    """

    type = Text("@type")
    source_mode = Text("source/@mode")
    source_path = Own("source/@path")
    source_host = Text("source/@host")
    source_service = Text("source/@service")
    source_append = OnOff("source/@append")
    source_channel = Text("source/@channel")
    source_master = Text("source/@master")
    source_slave = Text("source/@slave")
    source_tls = YesNo("source/@tls")
    source_bind_host = Text("source[@mode='bind']/@host")
    source_bind_service = Text("source[@mode='bind']/@service")
    source_connect_host = Text("source[@mode='connect']/@host")
    source_connect_service = Text("source[@mode='connect']/@service")
    source_reconnect_enabled = YesNo("source/reconnect/@enabled")
    source_reconnect_timeout = Int("source/reconnect/@timeout")
    source_reconnect_delay = Int("source/reconnect/@delay")
    source_seclabels = Items("source/seclabel", SecurityLabel)
    source_clipboard_copypaste = YesNo("source/clipboard/@copypaste")
    source_mouse_mode = Text("source/mouse/@mode")
    protocol_type = Text("protocol/@type")
    log_file = Own("log/@file")
    log_append = OnOff("log/@append")


class Chardev(CharacterSource, Device):
    """Base of the character devices."""

    replacements = (
        # Where the output is logged to is said of a device of any kind.
        Replacement(fields=("type",), takes=("source", "protocol", "@tty")),
        # Who waits for another one does not connect anew.
        Replacement(fields=("source_mode",), takes=("source/reconnect",)),
        Replacement(
            fields=("target_type",),
            takes=("target/model", "target/@address", "target/@name", "target/@state", "address"),
        ),
    )
    target_type = Text("target/@type")
    target_port = Text("target/@port")


class Serial(Chardev):
    """A `<serial>`.  `tty` is the pseudo terminal of a running guest."""

    tag = "serial"
    tty = Text("@tty", writable=False)
    target_model_name = Text("target/model/@name")


class Parallel(Chardev):
    """A `<parallel>`."""

    tag = "parallel"
    tty = Text("@tty", writable=False)


class Console(Chardev):
    """A `<console>`.  `tty` is given for the first console of a running guest when it is a pseudo terminal."""

    tag = "console"
    tty = Text("@tty", writable=False)
    target_model_name = Text("target/model/@name")

    @classmethod
    def default_values(cls, guest: GuestTraits) -> Mapping[str, Any] | None:
        """A pseudo terminal, for containers and mainframes, which have no display."""
        if guest.is_container:
            return {"type": "pty"}
        if guest.has_graphics and is_s390(guest.arch):
            is_ccw = (guest.machine or "").startswith("s390-ccw")
            return {"type": "pty", "target_type": "sclp" if is_ccw else "virtio"}
        return None


class Channel(Chardev):
    """A `<channel>`, such as the guest agent's."""

    tag = "channel"
    target_address = Text("target/@address")
    target_name = Text("target/@name")
    target_state = Text("target/@state", writable=False)
