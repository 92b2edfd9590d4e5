"""Backups: what `<domainbackup>` holds.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from virtcim.libhelper.xml.mapping import Int, Items, Mapped, Text

__all__ = ["BackupConfig", "BackupDisk"]


class BackupDisk(Mapped):
    """A `<disk>` of a backup: whether it is taken in, and where its content goes, or under which name it is read."""

    tag = "disk"
    name = Text("@name")
    backup = Text("@backup")
    type = Text("@type")
    export_name = Text("@exportname")
    driver_type = Text("driver/@type")
    target_file = Text("target/@file")
    target_dev = Text("target/@dev")
    scratch_file = Text("scratch/@file")


class BackupConfig(Mapped):
    """A backup: pushed into images, or pulled over NBD from a server that the hypervisor opens."""

    tag = "domainbackup"
    mode = Text("@mode")
    incremental = Text("incremental")
    server_transport = Text("server/@transport")
    server_socket = Text("server/@socket")
    server_name = Text("server/@name")
    server_port = Int("server/@port")
    server_tls = Text("server/@tls")
    disks = Items("disks/disk", BackupDisk)
