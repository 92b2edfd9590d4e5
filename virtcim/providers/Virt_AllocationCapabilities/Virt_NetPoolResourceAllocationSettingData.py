"""Networks that a host can have as <prefix>_NetPoolResourceAllocationSettingData."""

from __future__ import annotations

from virtcim.providers.Virt_AllocationCapabilities.template import Template, template_table

__all__ = ["NewNetwork"]


class NewNetwork(Template):
    """A virtual network to be created: Address is the address of the host in it.

    There are templates only of Virt_NetPoolResourceAllocationSettingData.
    """

    __slots__ = ()

    base = "NetPoolResourceAllocationSettingData"


NewNetwork.table = template_table("Address", "Netmask", "IPRangeStart", "IPRangeEnd", "ForwardMode")
