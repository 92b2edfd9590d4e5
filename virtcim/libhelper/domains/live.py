"""What can be changed in a running domain, field by field, and how.

A field that is not named here takes effect at the next start only.  Every step can be taken back.

Layer rule: imports libvirt, change, context, documents; knows nothing of CIM.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import libvirt

from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.domain import Disk, DomainDocument, Graphics, Interface, MemoryDevice
from virtcim.libhelper.domains.change import LiveStep
from virtcim.libhelper.domains.handle import run_of
from virtcim.libhelper.domains.waiting import wait_for_event
from virtcim.libhelper.errors import LibvirtError

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device, DomainConfig

__all__ = ["attach", "detach", "device_fields", "device_steps", "domain_fields", "domain_steps", "settled_fields"]

_LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
_DETACH_TIMEOUT = 15.0
"""Seconds that a guest is given to let go of a device."""
_LOOK_AGAIN = 0.25
"""Seconds between two looks at whether it has, where no event tells it."""
_TRAY_TIMEOUT = 2.0
"""Seconds for the tray of a drive that moves by itself, as when the firmware of a guest looks for its drives."""

_IO_LIMITS = "iotune_"
_USUAL_LIMITS = frozenset(
    {
        "iotune_total_bytes_sec",
        "iotune_read_bytes_sec",
        "iotune_write_bytes_sec",
        "iotune_total_iops_sec",
        "iotune_read_iops_sec",
        "iotune_write_iops_sec",
    }
)
_LIMIT_GROUP = "iotune_group_name"
_MEDIA = frozenset({"cdrom", "floppy"})
_MEDIUM = frozenset({"type", "driver_type"})
"""What a medium has beside its source.  libvirt takes it for a new medium only, and else drops it in silence."""
_INTERFACE = (
    "type",
    "source_",
    "bandwidth_",
    "filterref_",
    "link_state",
    "vlan_",
    "coalesce_",
    "trust_guest_rx_filters",
)
"""The fields of an interface that libvirt changes in a running domain: those that begin so."""
_GRAPHICS = frozenset({"passwd", "passwd_valid_to", "connected"})
_MEMORY_DEVICE = frozenset({"target_requested"})

_SCHEDULER = {
    "cputune_shares": "cpu_shares",
    "cputune_period": "vcpu_period",
    "cputune_quota": "vcpu_quota",
    "cputune_global_period": "global_period",
    "cputune_global_quota": "global_quota",
    "cputune_emulator_period": "emulator_period",
    "cputune_emulator_quota": "emulator_quota",
}
ParameterCalls = tuple[
    Callable[[libvirt.virDomain, dict[str, Any]], int], Callable[[libvirt.virDomain], dict[str, Any]]
]
"""What sets typed parameters of a running domain, and what tells them."""

_SCHEDULER_CALLS: ParameterCalls = (
    lambda domain, values: domain.setSchedulerParametersFlags(values, _LIVE),
    lambda domain: domain.schedulerParametersFlags(_LIVE),
)
_MEMORY_CALLS: ParameterCalls = (
    lambda domain, values: domain.setMemoryParameters(values, _LIVE),
    lambda domain: domain.memoryParameters(_LIVE),
)
_BLKIO_CALLS: ParameterCalls = (
    lambda domain, values: domain.setBlkioParameters(values, _LIVE),
    lambda domain: domain.blkioParameters(_LIVE),
)
_NO_QUOTA = -1
_UNLIMITED = (1 << 53) - 1
"""VIR_DOMAIN_MEMORY_PARAM_UNLIMITED in KiB, which libvirt-python leaves out."""
_MEMORY = {
    "memtune_hard_limit": "hard_limit",
    "memtune_soft_limit": "soft_limit",
    "memtune_swap_hard_limit": "swap_hard_limit",
    "memtune_min_guarantee": "min_guarantee",
}
_ACTIONS = {
    "on_poweroff": libvirt.VIR_DOMAIN_LIFECYCLE_POWEROFF,
    "on_reboot": libvirt.VIR_DOMAIN_LIFECYCLE_REBOOT,
    "on_crash": libvirt.VIR_DOMAIN_LIFECYCLE_CRASH,
}
_ACTION_NUMBERS = {
    "destroy": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY,
    "restart": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_RESTART,
    "rename-restart": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_RESTART_RENAME,
    "preserve": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE,
    "coredump-destroy": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY,
    "coredump-restart": libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART,
}
_TEXTS = {
    "title": libvirt.VIR_DOMAIN_METADATA_TITLE,
    "description": libvirt.VIR_DOMAIN_METADATA_DESCRIPTION,
}
_WEIGHT = {"blkiotune_weight": "weight"}
_PARAMETERS = frozenset({*_SCHEDULER, *_MEMORY, *_WEIGHT})
_DOMAIN = frozenset(
    {
        *_PARAMETERS,
        *_ACTIONS,
        *_TEXTS,
        "current_memory",
        "vcpu_current",
        "vcpus",
        "cputune_vcpupins",
    }
)


def domain_fields(fields: Mapping[str, Any]) -> frozenset[str]:
    """Those of the fields of a domain that can be changed while it runs; a share, for one, cannot be taken away."""
    return frozenset(
        name
        for name in _DOMAIN & fields.keys()
        if name not in _PARAMETERS or fields[name] is not None or _parameter(name, None) is not None
    )


def settled_fields(config: DomainConfig, names: Iterable[str], *, has_next_start: bool) -> frozenset[str]:
    """Those of the fields of a running domain that it shows as soon as they are changed.

    How much memory it has is up to the guest.

    Parameters:
        config: as it is to be.
        names: the fields that are changed.
        has_next_start: whether the definition is changed, too: so a processor that is not plugged in can be pinned.
    """
    later = {"current_memory"}
    if has_next_start and any((pin.vcpu or 0) >= (config.vcpu_current or 1) for pin in config.cputune_vcpupins):
        later.add("cputune_vcpupins")
    return frozenset(names) - later


def device_fields(device: Device, fields: Mapping[str, Any]) -> frozenset[str]:
    """Those of the fields of a device that can be changed while the domain runs."""
    names = fields.keys()
    match device:
        case Interface():
            return frozenset(name for name in names if name.startswith(_INTERFACE))
        case Disk():
            is_medium = device.device in _MEDIA and not names.isdisjoint(("type", *device.location_fields))
            return frozenset(
                name
                for name in names
                if name.startswith(_IO_LIMITS) or (is_medium and (name.startswith("source_") or name in _MEDIUM))
            )
        case Graphics():
            return _GRAPHICS & names
        case MemoryDevice():
            return _MEMORY_DEVICE & names
        case _:
            return frozenset()


def domain_steps(context: Context, before: DomainConfig, after: DomainConfig) -> Iterator[LiveStep]:
    """The steps that make of a running domain what it is to be."""
    changed = [name for name in _DOMAIN if getattr(before, name) != getattr(after, name)]
    if "current_memory" in changed:
        old, new = before.current_memory or 0, after.current_memory or 0
        yield LiveStep("the memory", _set_memory(context, new), _set_memory(context, old))
    if "vcpu_current" in changed:
        was, will = before.vcpu_current or 1, after.vcpu_current or 1
        yield LiveStep(
            "the number of processors",
            lambda domain: domain.setVcpusFlags(will, _LIVE),
            lambda domain: domain.setVcpusFlags(was, _LIVE),
        )
    yield from _parameters(
        "the shares of the processors",
        _SCHEDULER_CALLS,
        _SCHEDULER,
        before,
        after,
    )
    yield from _parameters(
        "the limits of the memory",
        _MEMORY_CALLS,
        _MEMORY,
        before,
        after,
    )
    yield from _parameters(
        "the share of the block devices",
        _BLKIO_CALLS,
        _WEIGHT,
        before,
        after,
    )
    if "cputune_vcpupins" in changed:
        yield LiveStep("the host processors", _pin(after), _pin(before))
    for name, event in _ACTIONS.items():
        if name in changed:
            yield LiveStep(name, _act_on(event, getattr(after, name)), _act_on(event, getattr(before, name)))
    for name, kind in _TEXTS.items():
        if name in changed:
            yield LiveStep(name, _describe(kind, getattr(after, name)), _describe(kind, getattr(before, name)))


def _set_memory(context: Context, size: int) -> Callable[[libvirt.virDomain], Any]:
    def act(domain: libvirt.virDomain) -> None:
        domain.setMemoryFlags(size, _LIVE)
        context.inventory.memory_requests.add(domain.UUIDString(), run_of(domain), size)

    return act


def _parameters(
    what: str,
    calls: ParameterCalls,
    names: Mapping[str, str],
    before: DomainConfig,
    after: DomainConfig,
) -> Iterator[LiveStep]:
    """One step for typed parameters.

    Parameters:
        calls: what sets them, and what tells them.
        names: by field, what libvirt calls the parameter.
    """
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    if not changed:
        return

    values = {names[name]: _parameter(name, getattr(after, name)) for name in changed}
    wanted = {name: value for name, value in values.items() if value is not None}
    if not wanted:
        return
    put, get = calls
    held: dict[str, Any] = {}

    def do(domain: libvirt.virDomain) -> None:
        now = get(domain)
        held.update({name: now[name] for name in wanted if name in now})
        put(domain, wanted)

    yield LiveStep(what, do, lambda domain: put(domain, held))


def _parameter(name: str, value: int | None) -> int | None:
    """The value of a parameter; what stands for none, where there is such a value."""
    if value is not None:
        return value
    if name.endswith("_quota"):
        return _NO_QUOTA
    return _UNLIMITED if name.startswith("memtune_") else None


def _pin(config: DomainConfig) -> Callable[[libvirt.virDomain], Any]:
    pins = {pin.vcpu: pin.cpuset or "" for pin in config.cputune_vcpupins}

    def act(domain: libvirt.virDomain) -> None:
        count = domain.connect().getCPUMap()[0]
        for vcpu in range(config.vcpu_current or 1):
            chosen = _processors(pins[vcpu], count) if vcpu in pins else [True] * count
            domain.pinVcpuFlags(vcpu, tuple(chosen), _LIVE)

    return act


def _processors(text: str, count: int) -> list[bool]:
    """libvirt's list of processors (`0-3,^1`) as a map."""
    chosen = [False] * count
    for part in text.split(","):
        first, _, last = part.removeprefix("^").partition("-")
        for number in range(int(first), int(last or first) + 1):
            if number < count:
                chosen[number] = not part.startswith("^")
    return chosen


def _act_on(event: int, word: str | None) -> Callable[[libvirt.virDomain], Any]:
    fallback = "restart" if event == libvirt.VIR_DOMAIN_LIFECYCLE_REBOOT else "destroy"
    number = _ACTION_NUMBERS[word or fallback]
    return lambda domain: domain.setLifecycleAction(event, number, _LIVE)


def _describe(kind: int, text: str | None) -> Callable[[libvirt.virDomain], Any]:
    return lambda domain: domain.setMetadata(kind, text, None, None, _LIVE)


def device_steps(document: DomainDocument, device: Device, fields: Mapping[str, Any]) -> Iterator[LiveStep]:
    """Write fields of a device into the document of a running domain, and give the steps that make it so.

    Parameters:
        fields: all of them among `device_fields`.
    """
    if not fields:
        return
    before = document.device_xml(device)
    changed = document.set(device, fields)
    after = document.device_xml(changed)
    if isinstance(device, Disk):
        if any(name.startswith(_IO_LIMITS) for name in fields):
            yield LiveStep("the limits of the disk", _limit(changed, device), _limit(device, changed))
        if all(name.startswith(_IO_LIMITS) for name in fields):
            return
    if before != after:
        yield LiveStep(
            f"the {device.tag}",
            lambda domain: _update(domain, after),
            lambda domain: _update(domain, before),
        )


def _update(domain: libvirt.virDomain, xml: str) -> None:
    """Change a device; a medium again and again, while the tray of its drive moves by itself."""
    deadline = time.monotonic() + _TRAY_TIMEOUT
    while True:
        try:
            domain.updateDeviceFlags(xml, _LIVE)
        except libvirt.libvirtError as caught:
            error = LibvirtError.of(caught)
            if not error.is_about_tray:
                raise
            if time.monotonic() > deadline:
                advice = "the drive was reset while its tray was open; reset the guest, or save and start it"
                raise error.saying(f"{error.message}: {advice}") from caught
            time.sleep(_LOOK_AGAIN)
        else:
            return


def _limit(disk: Any, other: Any) -> Callable[[libvirt.virDomain], Any]:
    """Put the limits of a disk in force: those that every hypervisor knows, and which it or the other one has."""
    names = [
        name
        for name in Disk.declared()
        if name.startswith(_IO_LIMITS) and (name in _USUAL_LIMITS or getattr(disk, name) or getattr(other, name))
    ]
    values = {name.removeprefix(_IO_LIMITS): getattr(disk, name) or 0 for name in names if name != _LIMIT_GROUP}
    if disk.iotune_group_name is not None:
        values["group_name"] = disk.iotune_group_name
    return lambda domain: domain.setBlockIoTune(disk.target_dev, values, _LIVE)


def attach(context: Context, document: DomainDocument, device: Device) -> LiveStep:
    """Plug in a device of the document of a running domain."""
    xml = document.device_xml(device)
    return LiveStep(
        f"the new {device.tag}",
        lambda domain: domain.attachDeviceFlags(xml, _LIVE),
        lambda domain: _detach(context, domain, xml),
    )


def detach(context: Context, document: DomainDocument, device: Device) -> LiveStep:
    """Unplug a device of the document of a running domain; done when the guest has let go of it."""
    xml = document.device_xml(device)
    return LiveStep(
        f"the removal of the {device.tag}",
        lambda domain: _detach(context, domain, xml),
        lambda domain: domain.attachDeviceFlags(xml, _LIVE),
    )


def _detach(context: Context, domain: libvirt.virDomain, xml: str) -> None:
    count = _count(domain, xml)
    deadline = time.monotonic() + _DETACH_TIMEOUT
    with wait_for_event(context, domain.UUIDString(), "device-removed") as removed:
        domain.detachDeviceFlags(xml, _LIVE)
        while _count(domain, xml) >= count:
            if time.monotonic() > deadline:
                raise LibvirtError("The guest has not let go of the device", libvirt.VIR_ERR_OPERATION_TIMEOUT)
            if not removed.supported or removed.event is not None or not removed.wait(_LOOK_AGAIN):
                time.sleep(_LOOK_AGAIN)


def _count(domain: libvirt.virDomain, xml: str) -> int:
    """How many devices of the kind of `xml` the running domain has."""
    tag = DomainDocument(f"<domain><devices>{xml}</devices></domain>").devices[0].tag
    return sum(device.tag == tag for device in DomainDocument(domain.XMLDesc(0)).devices)
