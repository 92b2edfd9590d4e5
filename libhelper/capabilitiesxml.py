"""What a hypervisor and its host can do: `<capabilities>`, `<domainCapabilities>`, `<storagepoolCapabilities>`.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TypeVar

from libhelper.domainxml import NotWellFormedError
from libhelper.domainxml.mapping import Int, Items, Mapped, Size, Text, Texts, YesNo

__all__ = [
    "DomainCapabilities",
    "HostCapabilities",
    "HostCell",
    "HostPages",
    "HostProcessor",
    "StoragePoolCapabilities",
    "StoragePoolType",
    "parsed",
]

_log = logging.getLogger(__name__)

Capabilities = TypeVar("Capabilities", bound=Mapped)


class HostPages(Mapped):
    """A size of memory pages that the host has, in KiB."""

    tag = "pages"
    size = Size("@size")


class HostProcessor(Mapped):
    """A logical processor of the host."""

    tag = "cpu"
    id = Int("@id")
    socket_id = Int("@socket_id")
    die_id = Int("@die_id")
    core_id = Int("@core_id")
    siblings = Text("@siblings")


class HostCell(Mapped):
    """A NUMA node of the host; `memory` in KiB."""

    tag = "cell"
    id = Int("@id")
    memory = Size("memory")
    cpus = Items("cpus/cpu", HostProcessor)


class HostCapabilities(Mapped):
    """The host part of `<capabilities>`."""

    tag = "capabilities"
    cpu_arch = Text("host/cpu/arch")
    cpu_model = Text("host/cpu/model")
    cpu_vendor = Text("host/cpu/vendor")
    cpu_features = Texts("host/cpu/feature/@name")
    pages = Items("host/cpu/pages", HostPages)
    cells = Items("host/topology/cells/cell", HostCell)

    @property
    def memory(self) -> int | None:
        """The memory of the host in KiB; None where it is not told."""
        sizes = [cell.memory for cell in self.cells if cell.memory is not None]
        return sum(sizes) if sizes and len(sizes) == len(self.cells) else None

    @property
    def processors(self) -> tuple[HostProcessor, ...]:
        """The logical processors; empty where they are not told."""
        return tuple(cpu for cell in self.cells for cpu in cell.cpus if cpu.id is not None)


class DomainCapabilities(Mapped):
    """What a guest of the default type and machine can have."""

    tag = "domainCapabilities"
    domain = Text("domain")
    machine = Text("machine")
    arch = Text("arch")
    vcpu_max = Int("vcpu/@max")
    disk_devices = Texts("devices/disk/enum[@name='diskDevice']/value")
    disk_buses = Texts("devices/disk/enum[@name='bus']/value")
    graphics_types = Texts("devices/graphics/enum[@name='type']/value")


class StoragePoolType(Mapped):
    """A kind of storage pool, and the formats of the volumes that it can create."""

    tag = "pool"
    type = Text("@type")
    supported = YesNo("@supported")
    default_format = Text("volOptions/defaultFormat/@type")
    formats = Texts("volOptions/enum[@name='targetFormatType']/value")


class StoragePoolCapabilities(Mapped):
    """The kinds of storage pools."""

    tag = "storagepoolCapabilities"
    pools = Items("pool", StoragePoolType)


@lru_cache(maxsize=64)
def parsed(capabilities: type[Capabilities], xml: str) -> Capabilities:
    """The parsed form of a capabilities document; the same object for the same text.

    A hypervisor that does not have the document (empty text) can do nothing that it would tell.
    """
    try:
        return capabilities.parse(xml) if xml else capabilities()
    except NotWellFormedError as error:
        _log.warning("%s cannot be read: %s", capabilities.__name__, error)
        return capabilities()
