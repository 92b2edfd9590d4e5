"""Switching between the host and its guests as <prefix>_SwitchService (CIM_SwitchService).

Whether an interface of the host negotiates virtual station interfaces (IEEE 802.1Qbg) is known to the LLDP agent of
the host alone; libvirt does not tell it, and so IsVSISupported and VSIInterface are not known.
"""

from __future__ import annotations

from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.service import SERVICE, HostService, HostServiceProvider

__all__ = ["SwitchService", "SwitchServiceProvider"]

_ETHERNET = 15
_TRANSPARENT = 2


class SwitchService(HostService):
    """Switches between the network interfaces of the host and those of guests (Virt_SwitchService)."""

    __slots__ = ()

    base = "SwitchService"
    service_name = "Switch Virtualization Capabilities"
    table = PropertyTable(
        SERVICE,
        constant("Caption", "Switching between host and virtual systems", "a fixed text"),
        constant("ProtocolType", _ETHERNET, "always Ethernet"),
        constant("BridgeType", _TRANSPARENT, "always Transparent-only"),
    )


class SwitchServiceProvider(HostServiceProvider):
    """Serves <prefix>_SwitchService."""

    name = "Virt_SwitchService"
    types = (SwitchService,)
