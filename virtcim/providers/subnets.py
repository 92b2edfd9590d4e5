"""IPv4 networks for new virtual networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["free_subnet"]

_SUBNETS = "192.168.0.0/16"
_USUAL_SUBNET = 122
"""libvirt's default network is 192.168.122.0/24; the search for a free one begins there."""


def free_subnet(hypervisor: Hypervisor) -> ipaddress.IPv4Network | None:
    """A private network that no virtual network of a hypervisor has; None when all are taken."""
    taken = list(_subnets(hypervisor))
    candidates = list(ipaddress.IPv4Network(_SUBNETS).subnets(new_prefix=24))
    ordered = candidates[_USUAL_SUBNET:] + candidates[:_USUAL_SUBNET]
    return next((subnet for subnet in ordered if not any(subnet.overlaps(other) for other in taken)), None)


def _subnets(hypervisor: Hypervisor) -> Iterator[ipaddress.IPv4Network]:
    """The IPv4 networks of the virtual networks of a hypervisor."""
    for record in hypervisor.inventory.networks():
        for ip in record.config.ips if record.config is not None else ():
            mask = ip.netmask if ip.prefix is None else ip.prefix
            try:
                yield ipaddress.IPv4Network(f"{ip.address}/{mask or 32}", strict=False)
            except ValueError:
                continue
