"""`<iommu>`, `<nvram>` and `<lease>`: the small ones."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.xml.mapping import Int, OnOff, Text

__all__ = ["Iommu", "Lease", "Nvram"]


class Iommu(Device):
    """An `<iommu>`."""

    tag = "iommu"
    model = Text("@model")
    driver_intremap = OnOff("driver/@intremap")
    driver_caching_mode = OnOff("driver/@caching_mode")
    driver_eim = OnOff("driver/@eim")
    driver_iotlb = OnOff("driver/@iotlb")
    driver_aw_bits = Int("driver/@aw_bits")


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
