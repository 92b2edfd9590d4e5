"""`<smartcard>`: smart card readers."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.chardev import CharacterSource
from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.xml.mapping import Text, Texts

__all__ = ["Smartcard"]


class Smartcard(CharacterSource, Device):
    """A `<smartcard>`."""

    tag = "smartcard"
    mode = Text("@mode")
    certificates = Texts("certificate")
    database = Text("database")
