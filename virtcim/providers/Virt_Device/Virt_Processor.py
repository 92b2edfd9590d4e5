"""The virtual processors of a guest, one <prefix>_Processor for each that it can have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.providers.deviceids import DeviceEntry
from virtcim.providers.guest import Configuration
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.states import EnabledState
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice

__all__ = ["Processor"]

_ENABLED, _UNKNOWN = 1, 0
_MOST_PROCESSORS = 4096
"""More than any hypervisor gives; keeps a wrong number in a domain XML from filling the memory."""
_WIDTHS = {
    "x86_64": 64,
    "aarch64": 64,
    "ppc64": 64,
    "ppc64le": 64,
    "s390x": 64,
    "riscv64": 64,
    "i686": 32,
    "armv7l": 32,
}


class Processor(GuestDevice[DomainConfig]):
    """A virtual processor (Virt_Processor).

    Attributes:
        number: from 0.
        is_online: whether the guest has it now, rather than only can have it.
    """

    __slots__ = ("is_online", "number")

    base = "Processor"

    def __init__(self, configuration: Configuration, entry: DeviceEntry, number: int, is_online: bool) -> None:
        super().__init__(configuration, entry, str(number))
        self.number = number
        self.is_online = is_online

    @classmethod
    def of_entry(cls, configuration: Configuration, entry: DeviceEntry) -> Sequence[Self]:
        config = configuration.config
        count = min(config.vcpu or 1, _MOST_PROCESSORS)
        current = config.vcpu_current or count
        listed = {vcpu.id: vcpu.enabled for vcpu in config.vcpus if vcpu.enabled is not None}
        return [cls(configuration, entry, number, listed.get(number, number < current)) for number in range(count)]

    @property
    def enabled_state(self) -> int:
        if self.guest.condition.enabled != EnabledState.UNKNOWN and not self.is_online:
            return int(EnabledState.DISABLED)
        return super().enabled_state


def _cpu_status(processor: Processor) -> int:
    return _ENABLED if processor.enabled_state == EnabledState.ENABLED else _UNKNOWN


Processor.table = PropertyTable(
    COMMON,
    Property("ElementName", lambda processor: str(processor.number), "number of the virtual processor"),
    constant("Role", "Virtual Processor"),
    attribute(
        "EnabledState",
        lambda processor: processor.enabled_state,
        source=f"domain state; Disabled beyond domain XML {DomainConfig.field_path('vcpu_current')}, and for "
        "vcpus/vcpu/@enabled no",
    ),
    Property("CPUStatus", _cpu_status, "as EnabledState"),
    Property(
        "AddressWidth",
        lambda processor: _WIDTHS.get(processor.device.os_type_arch or ""),
        f"domain XML {DomainConfig.field_path('os_type_arch')}",
    ),
    Property(
        "DataWidth",
        lambda processor: _WIDTHS.get(processor.device.os_type_arch or ""),
        f"domain XML {DomainConfig.field_path('os_type_arch')}",
    ),
    constant("NumberOfEnabledCores", 1),
)
