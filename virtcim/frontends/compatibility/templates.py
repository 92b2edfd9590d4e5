"""The templates of libvirt-cim: settings that show, by constants and samples, what can be asked for.

`Minimum`, `Maximum`, `Default` and `Increment` stand for every pool alike.  Such a word is no key: these instances are
reached by association, and by nothing else.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

from virtcim.frontends.compatibility.difference import ShownAssociation, View, unwrapped, within
from virtcim.immutable import immutable
from virtcim.providers.interface import Association, CIMValue, End, Instance, Properties, RequestContext
from virtcim.schema.names import base_of, prefix_of

__all__ = ["PoolTemplates", "SystemTemplates"]

MINIMUM, MAXIMUM, DEFAULT, INCREMENT = RANGES = ("Minimum", "Maximum", "Default", "Increment")

_ROLES = {MINIMUM: 3, MAXIMUM: 3, DEFAULT: 0, INCREMENT: 3}
"""CIM_SettingsDefineCapabilities.ValueRole: Supported, or Default."""

_VALUE_RANGES = {MINIMUM: 1, MAXIMUM: 2, DEFAULT: 0, INCREMENT: 3}
"""CIM_SettingsDefineCapabilities.ValueRange: Minimums, Maximums, Point, Increments."""

_INDEPENDENT = 0

_MEMORY = {MINIMUM: 65536, MAXIMUM: 4194304, DEFAULT: 262144, INCREMENT: 1024}
_NETWORK_PORTS = {MINIMUM: 0, MAXIMUM: 8, DEFAULT: 1, INCREMENT: 1}
_XEN_LIMITS = {MINIMUM: 1, MAXIMUM: 0, DEFAULT: 0, INCREMENT: 50}
_WEIGHTS = {
    "Xen": {MINIMUM: 1, MAXIMUM: 65535, DEFAULT: 1024, INCREMENT: 32767},
    "KVM": {MINIMUM: 2, MAXIMUM: 262144, DEFAULT: 1024, INCREMENT: 1},
}
_AUTOSTARTS = {MINIMUM: 0, MAXIMUM: 1, DEFAULT: 0, INCREMENT: 1}

_DIRECTORY_POOL = "dir"
_VOLUME_TYPE = 32768
"""libvirt-cim's ResourceType of storage volumes."""
_MEGABYTE = 1 << 20
_SMALLEST_DISK, _DISK_STEP = 2000, 250
"""Megabytes."""

Values = dict[str, CIMValue]

Found = Iterator[tuple[str, Values]]
"""Kind of setting, and its values beside those that all have; InstanceID where it is not the word for the range."""


@immutable
class Pool:
    """What is known of a pool whose templates are made.

    Attributes:
        view: finds what belongs to it.
        instance: the pool.
        context: of the request.
    """

    view: View
    instance: Instance
    context: RequestContext

    @property
    def prefix(self) -> str:
        """The prefix of its platform."""
        return prefix_of(self.instance.class_name)

    @property
    def instance_id(self) -> str:
        """Its InstanceID."""
        return str(self.instance.keys()["InstanceID"])

    def follow(self, base: str, class_base: str) -> Iterator[Properties]:
        """Give the true properties of the instances of a class that an association leads to from the pool.

        Parameters:
            base: of the association class.
            class_base: of the class.
        """
        for association in self.view.true_associations(base, self.context):
            if f"{self.prefix}_{class_base}" in association.right.class_names:
                for each in association.to_right(self.instance, self.context):
                    if base_of(each.class_name) == class_base:
                        yield each.properties()


class Template(Instance):
    """A template.

    Attributes:
        word: what its values mean: one of `RANGES`, or "".
        values: its properties.
    """

    __slots__ = ("class_name", "identity", "namespace", "values", "word")

    def __init__(self, class_name: str, namespace: str, identity: Hashable, word: str, values: Values) -> None:
        self.class_name = class_name
        self.namespace = namespace
        self.identity = identity
        self.word = word
        self.values = values

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return repr(self.values)

    def keys(self) -> dict[str, CIMValue]:
        return {"InstanceID": self.values["InstanceID"]}

    def properties(self) -> Properties:
        return self.values


class PoolTemplates(ShownAssociation):
    """SettingsDefineCapabilities from the capabilities of pools to libvirt-cim's templates."""

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        context = within(context, left)
        instance_id = str(left.keys()["InstanceID"])
        kind = instance_id.partition("/")[0]
        prefix = prefix_of(left.class_name)
        found = self.view.find(f"{prefix}_{kind}", {"InstanceID": instance_id}, context)
        make = _KINDS.get(kind)
        if found is None or make is None:
            return
        pool = Pool(self.view, found, context)
        common = {"ResourceType": found.properties().get("ResourceType"), "PoolID": instance_id}
        for word in RANGES:
            for number, (kind, values) in enumerate(make(pool, word)):
                yield Template(
                    f"{prefix}_{kind}ResourceAllocationSettingData",
                    left.namespace,
                    (instance_id, word, number),
                    word,
                    {"InstanceID": word, **common, **values},
                )

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        return ()

    def properties(self, left: Instance, right: Instance) -> Properties:
        word = right.word if isinstance(right, Template) else DEFAULT
        return {"PropertyPolicy": _INDEPENDENT, "ValueRole": _ROLES[word], "ValueRange": _VALUE_RANGES[word]}


def _memory(_pool: Pool, word: str) -> Found:
    yield "Mem", {"VirtualQuantity": _MEMORY[word], "Limit": _MEMORY[word], "AllocationUnits": "KiloBytes"}


def _processors(pool: Pool, word: str) -> Found:
    maximum = pool.view.find(
        f"{pool.prefix}_ProcResourceAllocationSettingData",
        {"InstanceID": f"{pool.instance_id}/{MAXIMUM}"},
        pool.context,
    )
    most = maximum.properties().get("VirtualQuantity") if maximum is not None else None
    quantities: Mapping[str, CIMValue] = {MINIMUM: 0, MAXIMUM: most or 1, DEFAULT: 1, INCREMENT: 1}
    values: Values = {"VirtualQuantity": quantities[word], "AllocationUnits": "Processors"}
    if pool.prefix == "Xen":
        values["Limit"] = _XEN_LIMITS[word]
    if pool.prefix != "LXC":
        values["Weight"] = _WEIGHTS.get(pool.prefix, _WEIGHTS["KVM"])[word]
    yield "Proc", values


def _network_interfaces(pool: Pool, word: str) -> Found:
    if _is_primordial(pool):
        for mode, device in ((0, None), (1, None), (1, "eth0"), (2, None), (2, "eth0")):
            addresses: Values = {
                "Address": "192.168.122.1",
                "Netmask": "255.255.255.0",
                "IPRangeStart": "192.168.122.2",
                "IPRangeEnd": "192.168.122.254",
            }
            yield "NetPool", {"ForwardMode": mode, **({"ForwardDevice": device} if device else {}), **addresses}
        return
    if pool.prefix == "LXC":
        return
    common: Values = {"VirtualQuantity": _NETWORK_PORTS[word]}
    if word in (MINIMUM, INCREMENT):
        common |= {"Reservation": 1, "Limit": 1, "AllocationUnits": "KiloBytes per Second"}
    for peer in _PEERS:
        yield "Net", {**common, **peer, "VirtualDevice": "vtap1", "ResourceSubType": "e1000"}
        yield "Net", {**common, **peer}
    for port in _VIRTUAL_PORTS:
        yield "Net", {**common, "NetworkType": "direct", "SourceDevice": "eth1", "NetworkMode": "vepa", **port}


_PEERS: Sequence[Values] = (
    {"NetworkType": "network"},
    {"NetworkType": "bridge", "NetworkName": "br0"},
    {"NetworkType": "user"},
)

_STATION: Values = {
    "VSIType": "802.1Qbg",
    "VSIManagerID": "11",
    "VSITypeID": "1193047",
    "VSITypeIDVersion": "2",
}
"""Samples that libvirt takes, where libvirt-cim had the names of the properties."""

_VIRTUAL_PORTS: Sequence[Values] = (
    {},
    {"VSIType": "802.1Qbh", "ProfileID": "my_profile"},
    {**_STATION, "VSIInstanceID": "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"},
    _STATION,
)


def _disks(pool: Pool, word: str) -> Found:
    if _is_primordial(pool):
        yield from _storage_pools(word)
    elif pool.prefix == "LXC":
        yield "Disk", {"MountPoint": "/lxc_mnt/tmp", "Address": "/tmp"}
    else:
        yield from _new_volumes(pool, word)
        for volume in pool.follow("ResourceAllocationFromPool", "StorageVolumeResourceAllocationSettingData"):
            for drive in _VOLUME_DRIVES.get(pool.prefix, _VOLUME_DRIVES["KVM"]):
                yield "Disk", {**drive, **_disk_size(volume, word), "Address": volume.get("Address"), "EmulatedType": 0}
        empty: Values = {"Address": "/dev/null", "readonly": True}
        yield "Disk", {**empty, "InstanceID": f"{word} CDROM", "VirtualDevice": "hdc", "EmulatedType": 1}
        yield "Disk", {**empty, "InstanceID": f"{word} floppy", "VirtualDevice": "fda", "EmulatedType": 2}


_VOLUME_DRIVES: Mapping[str, Sequence[Values]] = {
    "KVM": ({"VirtualDevice": "hda"},),
    "Xen": (
        {"VirtualDevice": "hda", "Caption": "FV disk"},
        {"VirtualDevice": "xvda", "Caption": "PV disk"},
    ),
}


def _disk_size(volume: Properties, word: str) -> Values:
    """Give the size of a disk on a volume, all of it in the unit that libvirt-cim meant."""
    capacity, allocation = (_megabytes(volume.get(name)) for name in ("Capacity", "AllocationQuantity"))
    sizes = {
        MINIMUM: None if capacity is None else min(_SMALLEST_DISK, capacity),
        MAXIMUM: capacity,
        DEFAULT: allocation,
        INCREMENT: _DISK_STEP,
    }
    size = sizes[word]
    return {} if size is None else {"VirtualQuantity": size, "AllocationUnits": "MegaBytes"}


def _megabytes(size: CIMValue) -> int | None:
    return size // _MEGABYTE if isinstance(size, int) else None


def _new_volumes(pool: Pool, word: str) -> Found:
    known = pool.instance.properties()
    if known.get("OtherResourceType") != _DIRECTORY_POOL:
        return
    values: Values = {
        "InstanceID": f"New Storage Volume {word}",
        "ResourceType": _VOLUME_TYPE,
        "FormatType": 1,
        "VolumeName": "tmp.img",
        "AllocationQuantity": 0,
        "Capacity": 0,
    }
    if known.get("Path") is not None:
        values["Path"] = known["Path"]
    yield "StorageVolume", values
    yield "StorageVolume", {**values, "AllocationUnits": "G"}


def _storage_pools(word: str) -> Found:
    for kind, values in enumerate(_STORAGE_POOLS, start=1):
        yield "DiskPool", {"Type": kind, "Path": "/dev/null", **values, "Autostart": _AUTOSTARTS[word]}


_HOST = "host_sys.domain.com"

_STORAGE_POOLS: Sequence[Values] = (
    {},
    {"DevicePaths": ["/dev/sda100"]},
    {"Host": _HOST, "SourceDirectory": "/var/lib/images"},
    {"DevicePaths": ["/dev/VolGroup00/LogVol100"]},
    {"DevicePaths": ["iscsi-target"], "Host": _HOST},
    {},
    {
        "Path": "/dev/disk/by-id",
        "AdapterName": "host0",
        "PortName": "0000111122223333",
        "NodeName": "4444555566667777",
    },
)
"""By the type of pool: dir, fs, netfs, disk, iscsi, logical, scsi."""


def _displays(_pool: Pool, _word: str) -> Found:
    """Give IsIPv6Only of the last two, for which their addresses `True` and `False` in libvirt-cim were meant."""
    yield "Graphics", {"ResourceSubType": "sdl"}
    addresses: Sequence[Values] = (
        {"Address": "127.0.0.1:-1"},
        {"Address": "[::1]:-1"},
        {"IsIPv6Only": True},
        {"IsIPv6Only": False},
    )
    for each in addresses:
        yield "Graphics", {"ResourceSubType": "vnc", **each, "KeyMap": "en-us"}


def _input_devices(pool: Pool, _word: str) -> Found:
    for kind, bus, caption in _INPUTS.get(pool.prefix, _INPUTS["KVM"]):
        yield "Input", {"ResourceSubType": kind, "BusType": bus, **({"Caption": caption} if caption else {})}


_INPUTS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "Xen": (
        ("mouse", "ps2", "FV PS2 Mouse"),
        ("mouse", "usb", "FV USB Mouse"),
        ("mouse", "xen", "PV Xen Mouse"),
    ),
    "KVM": (("mouse", "ps2", ""), ("mouse", "usb", ""), ("tablet", "usb", "")),
    "LXC": (("mouse", "usb", ""),),
}


def _is_primordial(pool: Pool) -> bool:
    return bool(pool.instance.properties().get("Primordial"))


_KINDS: Mapping[str, Callable[[Pool, str], Found]] = {
    "MemoryPool": _memory,
    "ProcessorPool": _processors,
    "NetworkPool": _network_interfaces,
    "DiskPool": _disks,
    "GraphicsPool": _displays,
    "InputPool": _input_devices,
}
"""By the kind of pool: what makes the templates of one range.  Of controllers libvirt-cim had none."""


class SystemTemplates(Association):
    """SettingsDefineCapabilities from what the management service can do to libvirt-cim's templates of guests.

    Parameters:
        view: finds the capabilities.
        prefixes: of the platforms.
    """

    def __init__(self, view: View, prefixes: Iterable[str]) -> None:
        prefixes = tuple(prefixes)
        self._view = view
        self.class_names = tuple(f"{prefix}_SettingsDefineCapabilities" for prefix in prefixes)
        self.left = End("GroupComponent", _classes(prefixes, _CAPABILITIES))
        self.right = End("PartComponent", _classes(prefixes, "VirtualSystemSettingData"))

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        prefix = prefix_of(left.class_name)
        for number, values in enumerate(_SYSTEMS.get(prefix, ())):
            number_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{prefix} {number}")
            properties = {"InstanceID": f"{prefix}:{number_id}", **values}
            yield Template(f"{prefix}_VirtualSystemSettingData", left.namespace, ("template", number), "", properties)

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        return ()

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        name = f"{prefix_of(class_name)}_{_CAPABILITIES}"
        return self._view.show_known(self._view.true_instances(name, context), context)

    def class_name(self, left: Instance, right: Instance) -> str:
        return f"{prefix_of(unwrapped(left).class_name)}_SettingsDefineCapabilities"


_CAPABILITIES = "VirtualSystemManagementCapabilities"

_SYSTEMS: Mapping[str, Sequence[Values]] = {
    "Xen": (
        {"VirtualSystemIdentifier": "Xen_Paravirt_Guest", "Bootloader": "/usr/bin/pygrub", "IsFullVirt": False},
        {"VirtualSystemIdentifier": "Xen_Fullvirt_Guest", "BootDevices": ["hd"], "IsFullVirt": True},
    ),
    "KVM": ({"VirtualSystemIdentifier": "KVM_guest", "BootDevices": ["hd"]},),
    "LXC": ({"InitPath": "/sbin/init"},),
}
"""libvirt-cim's boot device `hda` is none that libvirt knows: `hd` was meant."""


def _classes(prefixes: Iterable[str], base: str) -> frozenset[str]:
    return frozenset(f"{prefix}_{base}" for prefix in prefixes)
