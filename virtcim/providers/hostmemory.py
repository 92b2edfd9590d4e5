"""How much memory a host has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.libhelper.documents.capabilities import HostCapabilities, parsed

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["host_memory"]

_MIB = 1024


def host_memory(hypervisor: Hypervisor) -> int | None:
    """The memory of a host in KiB; None where it is not known.

    libvirt-python tells it in MiB; the sum over the NUMA nodes is exact, where it is of the same memory.
    """
    told = hypervisor.facts.node.memory
    exact = parsed(HostCapabilities, hypervisor.facts.capabilities_xml).memory
    if exact is not None and exact // _MIB * _MIB == told:
        return exact
    return told or None
