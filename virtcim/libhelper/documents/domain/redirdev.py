"""`<redirdev>` and `<redirfilter>`: USB devices redirected over the network."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.chardev import CharacterSource
from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.xml.mapping import Items, Mapped, Text, YesNo

__all__ = ["Redirdev", "Redirfilter", "UsbRule"]


class Redirdev(CharacterSource, Device):
    """A `<redirdev>`."""

    tag = "redirdev"
    bus = Text("@bus")


class UsbRule(Mapped):
    """A `<usbdev>` of a filter: -1 stands for any."""

    tag = "usbdev"
    usb_class = Text("@class")
    vendor = Text("@vendor")
    product = Text("@product")
    version = Text("@version")
    allow = YesNo("@allow")


class Redirfilter(Device):
    """A `<redirfilter>`."""

    tag = "redirfilter"
    usbdevs = Items("usbdev", UsbRule)
