"""Devices of the host: what `<device>` holds.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from virtcim.libhelper.xml.mapping import Int, Mapped, Size, Text, Texts

__all__ = ["NodeDeviceConfig"]

_NET = "capability[@type='net']"
_STORAGE = "capability[@type='storage']"


class NodeDeviceConfig(Mapped):
    """A device of the host.  A network interface has the fields `net_*`, a drive the fields `storage_*`."""

    tag = "device"
    name = Text("name")
    path = Text("path")
    parent = Text("parent")
    devnodes = Texts("devnode")
    capability_types = Texts("capability/@type")
    net_interface = Text(f"{_NET}/interface")
    net_address = Text(f"{_NET}/address")
    net_link_state = Text(f"{_NET}/link/@state")
    net_link_speed = Int(f"{_NET}/link/@speed")
    net_kind = Text(f"{_NET}/capability/@type")
    storage_block = Text(f"{_STORAGE}/block")
    storage_bus = Text(f"{_STORAGE}/bus")
    storage_drive_type = Text(f"{_STORAGE}/drive_type")
    storage_model = Text(f"{_STORAGE}/model")
    storage_vendor = Text(f"{_STORAGE}/vendor")
    storage_serial = Text(f"{_STORAGE}/serial")
    storage_size = Size(f"{_STORAGE}/size", unit="bytes", absent="bytes")
    storage_logical_block_size = Int(f"{_STORAGE}/logical_block_size")
    storage_num_blocks = Int(f"{_STORAGE}/num_blocks")
