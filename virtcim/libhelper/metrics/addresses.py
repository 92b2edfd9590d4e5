"""Which addresses libvirt's own networks have leased, to whom.

Layer rule: imports libvirt.
"""

from __future__ import annotations

import contextlib

import libvirt

__all__ = ["read_leases"]


def read_leases(connection: libvirt.virConnect) -> dict[str, list[str]]:
    """Ask all networks that run for the addresses that they have leased.

    Returns:
        by MAC address in lower case; empty where the driver does not tell.
    """
    found: dict[str, list[str]] = {}
    with contextlib.suppress(libvirt.libvirtError):
        for network in connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE):
            with contextlib.suppress(libvirt.libvirtError):
                for lease in network.DHCPLeases():
                    found.setdefault(str(lease["mac"]).lower(), []).append(str(lease["ipaddr"]))
    return found
