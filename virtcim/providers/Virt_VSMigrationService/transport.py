"""How two hosts talk to each other."""

from __future__ import annotations

import enum

__all__ = ["Transport"]


class Transport(enum.IntEnum):
    """CIM_VirtualSystemMigrationSettingData.TransportType."""

    SSH = 2
    TLS = 3
    TLS_STRICT = 4
    TCP = 5
    IPC = 6

    @property
    def scheme(self) -> str:
        """What follows the driver in a libvirt URI."""
        return {Transport.SSH: "ssh", Transport.TCP: "tcp", Transport.IPC: "unix"}.get(self, "tls")

    @property
    def query(self) -> str:
        """What follows the path in a libvirt URI."""
        return "?no_verify=1" if self is Transport.TLS else ""
