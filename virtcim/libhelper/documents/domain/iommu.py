"""`<iommu>`, `<nvram>`, `<lease>`, `<crypto>` and `<pstore>`: the small ones."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device, VirtioOptions
from virtcim.libhelper.xml.mapping import Int, OnOff, Size, Text

__all__ = ["Crypto", "Iommu", "Lease", "Nvram", "Pstore"]


class Iommu(Device):
    """An `<iommu>`."""

    tag = "iommu"
    model = Text("@model")
    driver_intremap = OnOff("driver/@intremap")
    driver_caching_mode = OnOff("driver/@caching_mode")
    driver_eim = OnOff("driver/@eim")
    driver_iotlb = OnOff("driver/@iotlb")
    driver_aw_bits = Int("driver/@aw_bits")
    driver_dma_translation = OnOff("driver/@dma_translation")


class Nvram(Device):
    """An `<nvram>` device of a pSeries guest."""

    tag = "nvram"


class Lease(Device):
    """A `<lease>` of a lock manager."""

    tag = "lease"
    lockspace = Text("lockspace")
    key = Text("key")
    target_path = Text("target/@path")
    target_offset = Int("target/@offset")


class Crypto(VirtioOptions, Device):
    """A `<crypto>`: a device that encrypts for the guest."""

    tag = "crypto"
    model = Text("@model")
    type = Text("@type")
    backend_model = Text("backend/@model")
    backend_queues = Int("backend/@queues")


class Pstore(Device):
    """A `<pstore>`: where a guest leaves what it says at its end.  `size` is in KiB."""

    tag = "pstore"
    backend = Text("@backend")
    path = Text("path")
    size = Size("size")
