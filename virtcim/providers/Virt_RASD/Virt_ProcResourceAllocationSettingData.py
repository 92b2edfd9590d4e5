"""The processors of a guest."""

from __future__ import annotations

from operator import attrgetter

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.providers.drafts import to
from virtcim.providers.options import PROCESSOR_PATHS, with_options
from virtcim.providers.processors import write_threads
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_RASD.processor_share import (
    CHOSEN,
    limited_processors,
    write_host_processors,
    write_limit,
    write_maximum,
    write_pins,
    write_processors,
)
from virtcim.providers.Virt_RASD.setting import COMMON, COUNT, POOLED, ResourceSetting

__all__ = ["ProcessorSetting"]

_PROCESSOR = 3
_SOFT_AFFINITY, _HARD_AFFINITY = 4, 5
_DEFAULT_PERIOD = 100_000
"""Microseconds; what libvirt takes when a quota has no period."""


class ProcessorSetting(ResourceSetting[DomainConfig]):
    """The processors of a guest together (Virt_ProcResourceAllocationSettingData)."""

    __slots__ = ()

    base = "ProcResourceAllocationSettingData"


def _limit(setting: ProcessorSetting) -> int | None:
    """The processor time that all virtual processors together may take, in per cent of one host processor."""
    config = setting.device
    quota = config.cputune_quota
    if quota is None or quota <= 0:
        return None
    processors = limited_processors(config.type, config.vcpu_current)
    return int(quota * 100 * processors // (config.cputune_period or _DEFAULT_PERIOD))


def _units(setting: ProcessorSetting) -> str | None:
    return None if _limit(setting) is None else "percent"


def _mapping(setting: ProcessorSetting) -> int | None:
    config = setting.device
    if config.cputune_vcpupins or config.vcpu_cpuset:
        return _HARD_AFFINITY
    return _SOFT_AFFINITY if config.vcpu_placement == CHOSEN else None


def _host_processors(setting: ProcessorSetting) -> str | None:
    """The processors of the host, or that libvirt chooses them."""
    is_chosen = setting.device.vcpu_placement == CHOSEN
    return CHOSEN if is_chosen else setting.device.vcpu_cpuset


def _pins(setting: ProcessorSetting) -> list[str] | None:
    """`<virtual processor>:<host processors>` for each that is pinned."""
    return [f"{pin.vcpu}:{pin.cpuset}" for pin in setting.device.cputune_vcpupins] or None


ProcessorSetting.table = with_options(
    PropertyTable(
        COMMON,
        constant("ResourceType", _PROCESSOR),
        POOLED,
        attribute("MaxVirtualQuantity", lambda setting: setting.device.vcpu, DomainConfig, write=write_maximum),
        attribute("VirtualQuantity", lambda setting: setting.device.vcpu_current, DomainConfig, write=write_processors),
        constant("VirtualQuantityUnits", COUNT),
        Property("AllocationUnits", _units, "unit of Limit"),
        attribute(
            "Weight",
            lambda setting: setting.device.cputune_shares,
            DomainConfig,
            write=to("cputune_shares", lambda value: value or None),
        ),
        Property(
            "Limit",
            _limit,
            f"domain XML {DomainConfig.field_path('cputune_quota')}, {DomainConfig.field_path('cputune_period')}",
            write_limit,
        ),
        Property(
            "MappingBehavior",
            _mapping,
            f"domain XML {DomainConfig.field_path('cputune_vcpupins')}, "
            f"{DomainConfig.field_path('vcpu_cpuset')}, {DomainConfig.field_path('vcpu_placement')}",
        ),
        Property("PinnedTo", _pins, f"domain XML {DomainConfig.field_path('cputune_vcpupins')}", write_pins),
        Property(
            "HostProcessors",
            _host_processors,
            f"domain XML {DomainConfig.field_path('vcpu_cpuset')}, {DomainConfig.field_path('vcpu_placement')}",
            write_host_processors,
        ),
        attribute("IOThreads", lambda setting: setting.device.iothreads, DomainConfig, write=write_threads),
    ),
    DomainConfig,
    get=attrgetter("device"),
    below=PROCESSOR_PATHS,
)
