"""The logical processors of a host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from virtcim.libhelper.documents import capabilities as capabilitiesxml
from virtcim.libhelper.documents.capabilities import HostCapabilities, parsed
from virtcim.providers.base import trimmed
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.Virt_HostDevice.device import COMMON, HostDevice
from virtcim.providers.Virt_HostSystem import HostSystem

__all__ = ["HostProcessor"]

_OTHER, _UNKNOWN = 1, 2
_64_BIT, _VIRTUALIZATION, _HARDWARE_THREAD = 2, 4, 5
_VIRTUALIZATION_FEATURES = frozenset({"vmx", "svm"})
_ENABLED = 1
_WIDTHS = {
    "x86_64": 64,
    "aarch64": 64,
    "ppc64": 64,
    "ppc64le": 64,
    "s390x": 64,
    "riscv64": 64,
    "loongarch64": 64,
    "i686": 32,
    "armv7l": 32,
}


class HostProcessor(HostDevice[capabilitiesxml.HostProcessor]):
    """A logical processor of a host (Virt_HostProcessor)."""

    __slots__ = ()

    base = "HostProcessor"

    @classmethod
    def found_on(cls, host: HostSystem) -> Iterable[Self]:
        """Those of the capabilities; as many as the node has, where the capabilities do not tell of them."""
        facts = host.hypervisor.facts
        told = parsed(HostCapabilities, facts.capabilities_xml).processors
        cpus = told or [capabilitiesxml.HostProcessor(id=number) for number in range(facts.node.cpus)]
        return [cls(host, f"processor:{cpu.id}", cpu) for cpu in cpus]

    @property
    def capabilities(self) -> HostCapabilities:
        """What the host tells of its processors."""
        return parsed(HostCapabilities, self.hypervisor.facts.capabilities_xml)


def _characteristics(processor: HostProcessor) -> list[int] | None:
    found = []
    if _width(processor) == 64:
        found.append(_64_BIT)
    if not _VIRTUALIZATION_FEATURES.isdisjoint(processor.capabilities.cpu_features):
        found.append(_VIRTUALIZATION)
    if set(processor.device.siblings or "") & set(",-"):
        found.append(_HARDWARE_THREAD)
    return found or None


def _width(processor: HostProcessor) -> int | None:
    return _WIDTHS.get(processor.capabilities.cpu_arch or "")


def _family(processor: HostProcessor) -> str | None:
    """The vendor and the model in libvirt's words."""
    capabilities = processor.capabilities
    words = [word for word in (capabilities.cpu_vendor, capabilities.cpu_model) if word]
    return trimmed(" ".join(words)) if words else None


def _position(processor: HostProcessor) -> str | None:
    """Where the processor is: `socket 0 die 0 core 1`."""
    parts = [
        f"{name} {number}"
        for name, number in (
            ("socket", processor.device.socket_id),
            ("die", processor.device.die_id),
            ("core", processor.device.core_id),
        )
        if number is not None
    ]
    return " ".join(parts) or None


HostProcessor.table = PropertyTable(
    COMMON,
    constant("Role", "Host Processor"),
    Property("Caption", _position, "capabilities host/topology/cells/cell/cpus/cpu/@socket_id, @die_id, @core_id"),
    Property("Family", lambda processor: _OTHER if _family(processor) else _UNKNOWN, "Other where the model is known"),
    Property("OtherFamilyDescription", _family, "capabilities host/cpu/vendor, host/cpu/model"),
    Property(
        "CurrentClockSpeed",
        lambda processor: processor.hypervisor.facts.node.mhz or None,
        "MHz at the time of connecting (virNodeGetInfo)",
    ),
    Property("AddressWidth", _width, "capabilities host/cpu/arch"),
    Property("DataWidth", _width, "capabilities host/cpu/arch"),
    Property("Characteristics", _characteristics, "capabilities host/cpu/arch, host/cpu/feature, cpu/@siblings"),
    Property("CPUStatus", lambda processor: _ENABLED if processor.contact else 0, "contact with the hypervisor"),
    constant("NumberOfEnabledCores", 1, "always 1: a logical processor"),
)
