"""What a hypervisor and its host can do: `<capabilities>`, `<domainCapabilities>`, `<storagepoolCapabilities>`.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TypeVar, cast

from virtcim.libhelper.documents.domain import NotWellFormedError
from virtcim.libhelper.xml.mapping import Int, Items, Mapped, Size, Text, Texts, YesNo

__all__ = [
    "DomainCapabilities",
    "GuestCapabilities",
    "GuestDomain",
    "GuestMachine",
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


class GuestMachine(Mapped):
    """A `<machine>` that guests can have."""

    tag = "machine"
    name = Text(".")
    canonical = Text("@canonical")
    max_cpus = Int("@maxCpus")


class GuestDomain(Mapped):
    """A `<domain>` type that guests can have, with what it has of its own."""

    tag = "domain"
    type = Text("@type")
    emulator = Text("emulator")
    machines = Items("machine", GuestMachine)


class GuestCapabilities(Mapped):
    """A `<guest>`: one operating system type and architecture that guests can have."""

    tag = "guest"
    os_type = Text("os_type")
    arch_name = Text("arch/@name")
    arch_wordsize = Int("arch/wordsize")
    arch_emulator = Text("arch/emulator")
    arch_machines = Items("arch/machine", GuestMachine)
    arch_domains = Items("arch/domain", GuestDomain)


class HostCapabilities(Mapped):
    """`<capabilities>`: the host, and the guests that it can run."""

    tag = "capabilities"
    host_uuid = Text("host/uuid")
    cpu_arch = Text("host/cpu/arch")
    cpu_model = Text("host/cpu/model")
    cpu_vendor = Text("host/cpu/vendor")
    cpu_features = Texts("host/cpu/feature/@name")
    pages = Items("host/cpu/pages", HostPages)
    cells = Items("host/topology/cells/cell", HostCell)
    cpu_topology_sockets = Int("host/cpu/topology/@sockets")
    cpu_topology_dies = Int("host/cpu/topology/@dies")
    cpu_topology_cores = Int("host/cpu/topology/@cores")
    cpu_topology_threads = Int("host/cpu/topology/@threads")
    guests = Items("guest", GuestCapabilities)

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


def parsed(capabilities: type[Capabilities], xml: str) -> Capabilities:
    """The parsed form of a capabilities document; the same object for the same text.

    A hypervisor that does not have the document (empty text) can do nothing that it would tell.
    """
    return cast(Capabilities, _parsed(capabilities, xml))


@lru_cache(maxsize=64)
def _parsed(capabilities: type[Mapped], xml: str) -> Mapped:
    try:
        return capabilities.parse(xml) if xml else capabilities()
    except NotWellFormedError as error:
        _log.warning("%s cannot be read: %s", capabilities.__name__, error)
        return capabilities()
