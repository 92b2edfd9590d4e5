"""Storage: what `<pool>` and `<volume>` hold.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from virtcim.libhelper.xml.mapping import Mapped, Own, Size, Text, Texts

__all__ = ["PoolConfig", "VolumeConfig"]


def _bytes(path: str, *, writable: bool = True) -> Size:
    return Size(path, unit="bytes", absent="bytes", writable=writable)


class PoolConfig(Mapped):
    """A storage pool.  Sizes are in bytes."""

    tag = "pool"
    type = Text("@type")
    name = Own("name")
    uuid = Own("uuid")
    capacity = _bytes("capacity", writable=False)
    allocation = _bytes("allocation", writable=False)
    available = _bytes("available", writable=False)
    source_host_names = Texts("source/host/@name")
    source_device_paths = Texts("source/device/@path")
    source_dir_path = Text("source/dir/@path")
    source_adapter_type = Text("source/adapter/@type")
    source_adapter_name = Text("source/adapter/@name")
    source_adapter_parent = Text("source/adapter/@parent")
    source_adapter_wwnn = Text("source/adapter/@wwnn")
    source_adapter_wwpn = Text("source/adapter/@wwpn")
    source_initiator_iqn_name = Text("source/initiator/iqn/@name")
    source_name = Text("source/name")
    source_format_type = Text("source/format/@type")
    target_path = Own("target/path")


class VolumeConfig(Mapped):
    """A storage volume.  Sizes are in bytes."""

    tag = "volume"
    type = Text("@type")
    name = Own("name")
    key = Own("key")
    capacity = _bytes("capacity")
    allocation = _bytes("allocation")
    physical = _bytes("physical", writable=False)
    target_path = Own("target/path")
    target_format_type = Text("target/format/@type")
    target_compat = Text("target/compat")
    backing_store_path = Own("backingStore/path")
    backing_store_format_type = Text("backingStore/format/@type")
