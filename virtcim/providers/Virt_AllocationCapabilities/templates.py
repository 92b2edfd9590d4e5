"""What each pool can give, from what its host and its hypervisor can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from virtcim.libhelper.documents.capabilities import DomainCapabilities, StoragePoolCapabilities, parsed
from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.platforms.base import Feature, Platform
from virtcim.providers.deviceids import DeviceKind
from virtcim.providers.imageformats import BaseInNoPoolError, FormatsByPath, as_guests_read, formats_in_guests
from virtcim.providers.interface import CIMValue, Properties
from virtcim.providers.site import Site
from virtcim.providers.storage import format_of
from virtcim.providers.subnets import free_subnet
from virtcim.providers.Virt_AllocationCapabilities.template import Sample, Template, template_type
from virtcim.providers.Virt_AllocationCapabilities.Virt_DiskPoolResourceAllocationSettingData import NewStoragePool
from virtcim.providers.Virt_AllocationCapabilities.Virt_NetPoolResourceAllocationSettingData import NewNetwork
from virtcim.providers.Virt_DevicePool import DevicePool, DiskPool, NetworkPool, available, kind_of, pools_of
from virtcim.providers.Virt_StorageVolume import volumes_of

__all__ = [
    "choice",
    "controllers",
    "counted",
    "disks",
    "find_template",
    "graphics",
    "inputs",
    "memory",
    "networks",
    "processors",
    "template_types",
    "templates_of",
]

MINIMUM, MAXIMUM, DEFAULT, INCREMENT, POINT = Sample

_COUNT, _BYTES, _KIBIBYTES = "count", "byte", "byte*2^10"
_MEMORY_STEP = 1024
"""KiB: what hypervisors round memory up to."""
_USUAL_MEMORY = 262144
"""KiB: libvirt-cim's default."""
_BLOCK = 512
_USUAL_VOLUME = 8 << 30
"""Bytes: of a new volume, where the pool has as much."""
_DISK, _CDROM, _FLOPPY, _FILESYSTEM = 0, 1, 2, 3
_DRIVES = {"cdrom": _CDROM, "floppy": _FLOPPY}
_CONTROLLER_BUSES = ("ide", "fdc", "scsi", "sata", "usb")
_LOCAL_CONSOLE = "127.0.0.1:-1"
_FIRST_DISKS = {"virtio": "vda", "ide": "hda", "scsi": "sda", "sata": "sda", "usb": "sda", "xen": "xvda"}
_CDROMS = {"ide": "hdc", "sata": "sdc", "scsi": "sdc", "usb": "sdc"}
"""By bus, the first that a host has, what a CD-ROM drive is called: not as the first disk."""
_FLOPPIES = {"fdc": "fda"}

_POOL_TYPES = {"dir": 1, "fs": 2, "netfs": 3, "disk": 4, "iscsi": 5, "logical": 6, "scsi": 7}
_UNKNOWN_POOL_TYPE = 0
_DIRECTORY = "dir"
_MEDIUM = "iso"
_FORMATS = {"raw": 1, "qcow2": 2}
_GROWING = frozenset({"dir", "fs", "netfs", "vstorage"})
_MAKES_VOLUMES = _GROWING | {"disk", "logical", "rbd", "sheepdog", "zfs"}
"""The types of pools in which libvirt can create volumes."""

_FORWARD_MODES = {"none": 0, "nat": 1, "route": 2}
_USUAL_FORWARD = "nat"

Found = Iterator[tuple[str, Sample, str, dict[str, CIMValue]]]
"""Kind of setting, what the values mean, what tells it from others, the values."""


def templates_of(pool: DevicePool) -> Iterable[Template]:
    """The templates of a pool."""
    return _by_id(pool).values()


def find_template(site: Site, platform: Platform, class_base: str, instance_id: str) -> Template | None:
    """The template of this class (its name without the prefix) and InstanceID; None when there is none."""
    for pool in pools_of(site, platform):
        if instance_id.startswith(f"{pool.instance_id}/"):
            template = _by_id(pool).get(instance_id)
            if template is not None and template.base == class_base:
                return template
    return None


def _by_id(pool: DevicePool) -> Mapping[str, Template]:
    """The templates by InstanceID, kept until what they are made from changes."""
    others = pool.hypervisor.inventory.networks() if isinstance(pool, NetworkPool) and pool.primordial else ()
    state = (pool.hypervisor.facts, tuple(others))
    return pool.cached("templates", state, lambda: _templates_of(pool))


def _templates_of(pool: DevicePool) -> dict[str, Template]:
    kind = kind_of(pool)
    types = _types_by_word((kind,))
    found = [types[word](pool, sample, detail, values) for word, sample, detail, values in kind.templates(pool)]
    return {template.instance_id: template for template in sorted(found, key=lambda template: _ORDER[template.sample])}


def template_types(site: Site) -> Sequence[type[Template]]:
    """The types of all templates."""
    return tuple(_types_by_word(site.kinds).values())


def _types_by_word(kinds: Iterable[DeviceKind]) -> Mapping[str, type[Template]]:
    """The types of the templates of kinds, and of what can be made new, by the part of the class name that differs."""
    return {**{kind.word: kind.template for kind in kinds if kind.template is not None}, **_NEW}


_NEW: Mapping[str, type[Template]] = {
    "NetPool": NewNetwork,
    "DiskPool": NewStoragePool,
    "StorageVolume": template_type(
        "StorageVolume", "AllocationUnits", "Path", "FormatType", "AllocationQuantity", "Capacity"
    ),
}
_ORDER = {sample: place for place, sample in enumerate(Sample)}


def _domain(pool: DevicePool) -> DomainCapabilities:
    return parsed(DomainCapabilities, pool.hypervisor.facts.domain_capabilities_xml)


def processors(pool: DevicePool) -> Found:
    """Processors: how many a guest can have (a container has those of its host), and their share."""
    facts = pool.hypervisor.facts
    most = _domain(pool).vcpu_max or facts.max_vcpus or facts.node.cpus or None
    weight = pool.platform.weight_range(facts.cgroup_version)
    weights = (None,) * 4 if weight is None else (weight.least, weight.most, weight.default, weight.least)
    for sample, quantity, share in zip(_RANGES, (1, most, 1, 1), weights, strict=True):
        number = {} if pool.platform.containers else {"VirtualQuantity": quantity, "VirtualQuantityUnits": _COUNT}
        yield "Proc", sample, "", {**number, "Weight": share}


_RANGES = (MINIMUM, MAXIMUM, DEFAULT, INCREMENT)


def memory(pool: DevicePool) -> Found:
    """Memory: how much a guest can have."""
    most = pool.hypervisor.facts.memory
    usual = _USUAL_MEMORY if most is None else min(_USUAL_MEMORY, most)
    for sample, quantity in zip(_RANGES, (_MEMORY_STEP, most, usual, _MEMORY_STEP), strict=True):
        yield (
            "Mem",
            sample,
            "",
            {
                "VirtualQuantity": quantity,
                "Reservation": quantity,
                "Limit": quantity,
                "VirtualQuantityUnits": _KIBIBYTES,
                "AllocationUnits": _KIBIBYTES,
            },
        )


def counted(kind: str, most: int | None, **usual: CIMValue) -> Found:
    """The range of the number of devices that a guest can have, each with the one that it gets when it asks for no
    other."""
    for sample, number in zip(_RANGES, (0, most, 1, 1), strict=True):
        yield kind, sample, "", {**usual, "VirtualQuantity": number, "VirtualQuantityUnits": _COUNT}


def choice(kind: str, detail: str, **values: CIMValue) -> tuple[str, Sample, str, dict[str, CIMValue]]:
    """One device that a guest can have."""
    return kind, POINT, detail, {"VirtualQuantity": 1, "VirtualQuantityUnits": _COUNT, **values}


def networks(pool: DevicePool) -> Found:
    """Interfaces of a network; of all networks, those that could be made."""
    if pool.primordial:
        yield from _new_networks(pool)
        return
    platform = pool.platform
    yield from counted(
        "Net",
        platform.max_network_ports,
        ResourceSubType=platform.buses.network_model,
        NetworkType="network",
        NetworkName=pool.name,
    )


def _new_networks(pool: DevicePool) -> Found:
    """A network for each way of forwarding, with addresses that no other network of the host has."""
    subnet = free_subnet(pool.hypervisor)
    addresses: dict[str, CIMValue] = {}
    if subnet is not None:
        host, first = islice(subnet.hosts(), 2)
        addresses = {
            "Address": str(host),
            "Netmask": str(subnet.netmask),
            "IPRangeStart": str(first),
            "IPRangeEnd": str(subnet.broadcast_address - 1),
        }
    yield "NetPool", DEFAULT, "", {"ForwardMode": _FORWARD_MODES[_USUAL_FORWARD], **addresses}
    for mode, code in _FORWARD_MODES.items():
        yield "NetPool", POINT, mode, {"ForwardMode": code, **addresses}


def disks(pool: DevicePool) -> Found:
    """Disks of a storage pool; of all storage pools, those that could be made."""
    if not isinstance(pool, DiskPool):
        return
    if pool.primordial:
        yield from _new_pools(pool)
        return
    volumes = list(_volumes(pool))
    usual = next((values for _, values in volumes if values["EmulatedType"] != _CDROM), None)
    if usual is not None:
        yield from _ranges_of_disks(pool, usual)
    yield from _new_volumes(pool)
    for name, values in volumes:
        yield choice("Disk", f"volume/{name}", **values)
    if not pool.platform.containers:
        for drive in _domain(pool).disk_devices:
            if drive in _DRIVES:
                yield choice(
                    "Disk", drive, **_drive(pool, drive), readonly=drive == "cdrom" or None, AutomaticAllocation=False
                )


def _drive(pool: DevicePool, kind: str) -> dict[str, CIMValue]:
    """A drive with exchangeable media: on the first bus for them that the host has."""
    names = _CDROMS if kind == "cdrom" else _FLOPPIES
    offered = _domain(pool).disk_buses
    bus = next((each for each in names if each in offered or not offered), None)
    return {"EmulatedType": _DRIVES[kind], "BusType": bus, "VirtualDevice": names.get(bus or "")}


def _disk(pool: DevicePool, name: str) -> dict[str, CIMValue]:
    """A disk with an image of its own, or a container's file system."""
    if pool.platform.containers:
        return {"EmulatedType": _FILESYSTEM, "MountPoint": f"/mnt/{name}"}
    bus = pool.platform.buses.disk
    return {"EmulatedType": _DISK, "BusType": bus or None, "VirtualDevice": _FIRST_DISKS.get(bus)}


def _ranges_of_disks(pool: DiskPool, usual: Properties) -> Found:
    """How large a disk can be, each with a volume that there is."""
    for sample, size in zip(_RANGES, (_BLOCK, available(pool), usual.get("VirtualQuantity"), _BLOCK), strict=True):
        yield "Disk", sample, "", {**usual, "VirtualQuantity": size}


def _volumes(pool: DiskPool) -> Iterator[tuple[str, dict[str, CIMValue]]]:
    """The volumes that there are, by name: each is a disk that a guest can have."""
    formats = {} if pool.platform.containers else formats_in_guests(pool.site, pool.hypervisor)
    for volume in volumes_of(pool):
        config, name = volume.config, volume.volume.name
        is_medium = config.target_format_type == _MEDIUM and not pool.platform.containers
        yield (
            name,
            {
                "Address": config.target_path or volume.volume.key,
                "VirtualQuantity": config.capacity,
                "VirtualQuantityUnits": _BYTES,
                "AllocationUnits": _BYTES,
                "DriverType": _driver_type(pool, config, formats),
                **(_drive(pool, "cdrom") if is_medium else _disk(pool, name)),
            },
        )


def _driver_type(pool: DiskPool, config: VolumeConfig, formats: FormatsByPath) -> str | None:
    if pool.platform.containers:
        return None
    try:
        return format_of(as_guests_read(config, formats, pool.hypervisor))
    except BaseInNoPoolError:
        return None


def _new_volumes(pool: DiskPool) -> Found:
    """How large a new volume can be, for each format in which the pool can create one.

    One that grows can be larger than what is free; it cannot be filled then.
    """
    kind = pool.config.type
    if kind not in _MAKES_VOLUMES or not pool.active:
        return
    grows = kind in _GROWING
    free = available(pool)
    for name in _formats(pool):
        usual = _USUAL_VOLUME if free is None else min(_USUAL_VOLUME, free)
        ranges = zip(_RANGES, (_BLOCK, free, usual, _BLOCK), (0, free, 0, _BLOCK), strict=True)
        for sample, size, allocation in ranges:
            yield (
                "StorageVolume",
                sample,
                f"New Storage Volume {name}",
                {
                    "FormatType": _FORMATS[name],
                    "Path": pool.config.target_path,
                    "Capacity": size,
                    "AllocationQuantity": allocation if grows else size,
                    "AllocationUnits": _BYTES,
                },
            )


def _formats(pool: DiskPool) -> list[str]:
    """The formats of new volumes: those of the hypervisor that the class has a value for, else raw."""
    told = parsed(StoragePoolCapabilities, pool.hypervisor.facts.storage_capabilities_xml)
    formats = next((kind.formats for kind in told.pools if kind.type == pool.config.type), ())
    return [name for name in _FORMATS if name in formats] or ["raw"]


def _new_pools(pool: DiskPool) -> Found:
    """A storage pool of each type that the hypervisor can have."""
    told = parsed(StoragePoolCapabilities, pool.hypervisor.facts.storage_capabilities_xml)
    yield "DiskPool", DEFAULT, "", _new_pool(_DIRECTORY)
    for kind in told.pools:
        if kind.supported and kind.type:
            yield "DiskPool", POINT, kind.type, _new_pool(kind.type)


def _new_pool(kind: str) -> dict[str, CIMValue]:
    return {"Type": _POOL_TYPES.get(kind, _UNKNOWN_POOL_TYPE), "ResourceSubType": kind, "Autostart": 0}


def graphics(pool: DevicePool) -> Found:
    """Graphical consoles: how many, and of which types."""
    if not pool.platform.supports(Feature.GRAPHICS):
        return
    types = _domain(pool).graphics_types
    usual = "vnc" if "vnc" in types or not types else types[0]
    yield from counted("Graphics", len(types) or None, **_console(usual))
    for kind in types:
        yield choice("Graphics", kind, **_console(kind))


def _console(kind: str) -> dict[str, CIMValue]:
    return {"ResourceSubType": kind, "Address": _LOCAL_CONSOLE if kind in ("vnc", "spice") else None}


def inputs(pool: DevicePool) -> Found:
    """Input devices: how many, and which."""
    platform = pool.platform
    if not platform.inputs:
        return
    usual = ("mouse", platform.buses.mouse)
    kind, bus = usual if usual in platform.inputs else platform.inputs[0]
    yield from counted("Input", None, ResourceSubType=kind, BusType=bus)
    for kind, bus in platform.inputs:
        yield choice("Input", f"{kind}:{bus}", ResourceSubType=kind, BusType=bus)


def controllers(pool: DevicePool) -> Found:
    """Controllers: how many, and of which buses."""
    types = [bus for bus in _CONTROLLER_BUSES if bus in _domain(pool).disk_buses]
    if not types or not pool.platform.supports(Feature.CONTROLLERS):
        return
    usual = "scsi" if "scsi" in types else types[0]
    yield from counted("Controller", None, OtherResourceType="controller", ResourceSubType=usual)
    for kind in types:
        yield choice("Controller", kind, OtherResourceType="controller", ResourceSubType=kind)
