"""`<vsock>`: sockets between host and guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device, VirtioOptions
from virtcim.libhelper.xml.mapping import Int, Text, YesNo

__all__ = ["Vsock"]


class Vsock(VirtioOptions, Device):
    """A `<vsock>`."""

    tag = "vsock"
    model = Text("@model")
    cid_auto = YesNo("cid/@auto")
    cid_address = Int("cid/@address")
