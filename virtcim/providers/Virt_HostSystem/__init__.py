"""Hosts as <prefix>_HostSystem (CIM_ComputerSystem as the scope of the System Virtualization Profile, DSP1042)."""

from virtcim.providers.Virt_HostSystem.Virt_HostSystem import (
    HOSTS,
    HostSource,
    HostSystem,
    HostSystemProvider,
    guests_on,
    host_name,
    host_of,
    hosts_of,
)

__all__ = ["HOSTS", "HostSource", "HostSystem", "HostSystemProvider", "guests_on", "host_name", "host_of", "hosts_of"]
