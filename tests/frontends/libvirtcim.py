"""What libvirt-cim's clients ask, and what libvirt-cim answered: a table of pairs, for the drop-in mode.

The guests and pools are those that `tests.frontends.test_compatibility` serves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from virtcim.cimom.requests import (
    AssociationFilter,
    Associators,
    EnumerateInstances,
    ExecQuery,
    GetInstance,
    InvokeMethod,
    References,
    Request,
)
from virtcim.providers.interface import EmbeddedInstance, InstancePath

__all__ = ["ROWS", "VIRT", "Row", "capabilities", "guest", "path", "service"]

VIRT = "root/virt"
HOST = "node.example.org"

Pick = Callable[[Any], Any]


@dataclass(frozen=True)
class Row:
    """A request, and what libvirt-cim answered.

    Attributes:
        name: what it is about.
        request: what is asked.
        answer: what of the outcome is compared.
        pick: takes that from the outcome.
        status: the CIM status code, where `answer` is the text of an error.
        is_same: whether the true form answers alike.
    """

    name: str
    request: Request
    answer: Any
    pick: Pick = lambda value: value
    status: int = 0
    is_same: bool = False


def path(class_name: str, **keys: Any) -> InstancePath:
    return InstancePath(class_name, keys, VIRT)


def service(base: str, name: str) -> InstancePath:
    return path(
        f"KVM_{base}",
        SystemCreationClassName="KVM_HostSystem",
        SystemName=HOST,
        CreationClassName=f"KVM_{base}",
        Name=name,
    )


def guest(name: str, prefix: str = "KVM") -> InstancePath:
    return path(f"{prefix}_ComputerSystem", CreationClassName=f"{prefix}_ComputerSystem", Name=name)


def listing(class_name: str) -> Request:
    return EnumerateInstances(namespace=VIRT, class_name=class_name)


def led_to(
    source: InstancePath, association: str | None = None, result: str | None = None, role: str | None = None
) -> Request:
    return Associators(namespace=VIRT, path=source, filter=AssociationFilter(association, result, role))


def capabilities(pool: str, prefix: str = "KVM") -> InstancePath:
    return path(f"{prefix}_AllocationCapabilities", InstanceID=pool)


def templates(pool: str, prefix: str = "KVM", result: str | None = None) -> Request:
    return led_to(capabilities(pool, prefix), f"{prefix}_SettingsDefineCapabilities", result)


def change_of(name: str, state: int, **more: Any) -> Request:
    return InvokeMethod(
        namespace=VIRT,
        target=guest(name),
        method="RequestStateChange",
        arguments={"RequestedState": state, **more},
    )


def of_pools(method: str, **arguments: Any) -> Request:
    target = service("ResourcePoolConfigurationService", "RPCS")
    return InvokeMethod(namespace=VIRT, target=target, method=method, arguments=arguments)


def items(value: Sequence[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Class and properties of each."""
    return ((each[-2], each[-1]) for each in value)


def ids(value: Sequence[Any]) -> Counter[str]:
    """How often each InstanceID comes."""
    return Counter(properties["InstanceID"] for _, properties in items(value))


def kinds(value: Sequence[Any]) -> Counter[str]:
    """How often each class comes."""
    return Counter(class_name for class_name, _ in items(value))


def found(*names: str) -> Pick:
    """The values of properties of each instance, in an order of their own."""
    return lambda value: sorted(
        (tuple(_hashable(properties.get(name)) for name in names) for _, properties in items(value)), key=repr
    )


def of(word: str, *names: str) -> Pick:
    """As `found`, of those with one InstanceID."""
    return lambda value: found(*names)([each for each in value if each[-1]["InstanceID"] == word])


def values(*names: str) -> Pick:
    """Properties of one instance."""
    return lambda value: tuple(_hashable(value[-1].get(name)) for name in names)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


def each_range(*names: str, number: int = 1) -> Counter[str]:
    """Minimum, Maximum, Default and Increment, each `number` times."""
    return Counter(dict.fromkeys(names or ("Minimum", "Maximum", "Default", "Increment"), number))


FAILED, INVALID_PARAMETER, NOT_SUPPORTED, NOT_AVAILABLE = 1, 4, 7, 16

STATES = (
    Row("start of a running guest", change_of("web", 2), "Invalid state transition", status=FAILED),
    Row("stop of a stopped guest", change_of("off", 3), "Invalid state transition", status=FAILED),
    Row("shutdown of a stopped guest", change_of("off", 4), "Invalid state transition", status=FAILED),
    Row("pause of a stopped guest", change_of("off", 9), "Domain not running", status=FAILED),
    Row("reboot of a stopped guest", change_of("off", 10), "Domain not running", status=FAILED),
    Row("reset of a stopped guest", change_of("off", 11), "Domain not running", status=FAILED),
    Row("Test", change_of("web", 7), "State not supported", status=NOT_SUPPORTED),
    Row("Defer", change_of("web", 8), "State not supported", status=NOT_SUPPORTED),
    Row("a state that does not exist", change_of("web", 77), "State not supported", status=NOT_SUPPORTED),
    Row(
        "TimeoutPeriod is ignored, also a point in time",
        change_of("web", 2, TimeoutPeriod=datetime(2030, 1, 1, tzinfo=UTC)),
        "Invalid state transition",
        status=FAILED,
    ),
    Row(
        "TimeoutPeriod is ignored",
        change_of("off", 9, TimeoutPeriod=timedelta(seconds=5)),
        "Domain not running",
        status=FAILED,
    ),
)

PARTS = led_to(path("KVM_VirtualSystemSettingData", InstanceID="KVM:web"), "KVM_VirtualSystemSettingDataComponent")

DEVICES = (
    Row("no controllers but KVM's", listing("Xen_Controller"), []),
    Row("no settings of controllers but KVM's", listing("Xen_ControllerResourceAllocationSettingData"), []),
    Row("no pool of controllers but KVM's", listing("Xen_ControllerPool"), []),
    Row(
        "KVM's controllers",
        listing("KVM_Controller"),
        [("controller:usb:0",)],
        lambda value: [("controller:usb:0",)] if len(value) == 1 else value,
        is_same=True,
    ),
    Row(
        "devices of a Xen guest",
        led_to(guest("dom", "Xen"), "Xen_SystemDevice"),
        Counter({"Xen_Memory": 1, "Xen_Processor": 1, "Xen_PointingDevice": 1, "Xen_NetworkPort": 1}),
        kinds,
    ),
    Row(
        "the host's pools on Xen",
        led_to(path("Xen_HostSystem", CreationClassName="Xen_HostSystem", Name=HOST), "Xen_HostedResourcePool"),
        False,
        lambda value: "Xen_ControllerPool" in kinds(value),
    ),
    Row(
        "what can be allocated on Xen",
        listing("Xen_AllocationCapabilities"),
        0,
        lambda value: ids(value)["ControllerPool/0"],
    ),
)

SETTINGS = (
    Row(
        "memory is in KiloBytes",
        listing("KVM_MemResourceAllocationSettingData"),
        [("off/mem", 65536, "KiloBytes"), ("torn/mem", 65536, "KiloBytes"), ("web/mem", 65536, "KiloBytes")],
        found("InstanceID", "VirtualQuantity", "AllocationUnits"),
    ),
    Row(
        "one memory, by its key",
        GetInstance(namespace=VIRT, path=path("KVM_MemResourceAllocationSettingData", InstanceID="web/mem")),
        (65536, 65536, "KiloBytes"),
        values("VirtualQuantity", "Reservation", "AllocationUnits"),
    ),
    Row(
        "disks are in Bytes",
        listing("KVM_DiskResourceAllocationSettingData"),
        [("web/vda", "Bytes")],
        found("InstanceID", "AllocationUnits"),
    ),
    Row(
        "bandwidth is in KiloBytes per Second",
        listing("KVM_NetResourceAllocationSettingData"),
        [(100, 200, "KiloBytes per Second")],
        found("Reservation", "Limit", "AllocationUnits"),
    ),
    Row(
        "the settings of a guest",
        PARTS,
        Counter(
            {
                f"KVM_{kind}ResourceAllocationSettingData": 1
                for kind in ("Proc", "Mem", "Disk", "Net", "Input", "Console", "Controller")
            }
            | {"KVM_GraphicsResourceAllocationSettingData": 2}
        ),
        kinds,
    ),
    Row(
        "devices that libvirt-cim did not know",
        listing("KVM_VideoResourceAllocationSettingData"),
        False,
        lambda value: "KVM_VideoResourceAllocationSettingData" in kinds(value),
    ),
    Row(
        "the settings of all",
        listing("CIM_ResourceAllocationSettingData"),
        False,
        lambda value: "KVM_VideoResourceAllocationSettingData" in kinds(value),
    ),
    Row(
        "a query by the unit",
        ExecQuery(
            namespace=VIRT,
            language="WQL",
            query="SELECT * FROM KVM_MemResourceAllocationSettingData WHERE AllocationUnits = 'KiloBytes'",
        ),
        Counter(["off/mem", "torn/mem", "web/mem"]),
        ids,
    ),
    Row(
        "a query by the true unit",
        ExecQuery(
            namespace=VIRT,
            language="WQL",
            query="SELECT * FROM KVM_MemResourceAllocationSettingData WHERE AllocationUnits = 'byte*2^10'",
        ),
        [],
    ),
    Row(
        "the settings of a memory",
        led_to(
            path(
                "KVM_Memory",
                SystemCreationClassName="KVM_ComputerSystem",
                SystemName="web",
                CreationClassName="KVM_Memory",
                DeviceID="web/mem",
            ),
            "KVM_SettingsDefineState",
        ),
        [("web/mem", "KiloBytes")],
        found("InstanceID", "AllocationUnits"),
    ),
)

NO_POOL = path("Xen_NetResourceAllocationSettingData", InstanceID="dom/52:54:00:00:00:0e")
CONSOLE = path("KVM_ConsoleResourceAllocationSettingData", InstanceID="web/charconsole:0")

POOLS = (
    Row(
        "disk pools are in Megabytes",
        GetInstance(namespace=VIRT, path=path("KVM_DiskPool", InstanceID="DiskPool/images")),
        ("Megabytes", "Megabytes", 102400, 1024),
        values("AllocationUnits", "ConsumedResourceUnits", "Capacity", "Reserved"),
    ),
    Row(
        "processors are Processors",
        listing("KVM_ProcessorPool"),
        [("Processors", 3)],
        found("AllocationUnits", "Capacity"),
    ),
    Row("memory is in byte*2^10", listing("KVM_MemoryPool"), [("byte*2^10",)], found("AllocationUnits"), is_same=True),
    Row(
        "the host's processors are no devices of guests",
        listing("CIM_Processor"),
        Counter({"KVM_Processor": 3, "Xen_Processor": 1}),
        kinds,
    ),
    Row(
        "volumes are no disks of guests",
        listing("CIM_StorageExtent"),
        Counter({"KVM_LogicalDisk": 1, "KVM_Memory": 3, "Xen_Memory": 1}),
        kinds,
    ),
    Row("settings of volumes are not listed", listing("KVM_StorageVolumeResourceAllocationSettingData"), []),
    Row(
        "a volume is found by its key",
        GetInstance(
            namespace=VIRT,
            path=path("KVM_StorageVolumeResourceAllocationSettingData", InstanceID="/srv/images/root.qcow2"),
        ),
        ("root.qcow2",),
        values("VolumeName"),
        is_same=True,
    ),
    Row(
        "what is taken from a pool",
        led_to(path("KVM_DiskPool", InstanceID="DiskPool/images"), "KVM_ResourceAllocationFromPool"),
        Counter(["web/vda"]),
        ids,
    ),
    Row(
        "an interface without a pool",
        led_to(NO_POOL, "Xen_ResourceAllocationFromPool"),
        "Unable to determine pool of `dom/52:54:00:00:00:0e'",
        status=FAILED,
    ),
    Row(
        "an interface without a pool, by all that leads on",
        led_to(NO_POOL, result="Xen_NetworkPool"),
        [],
        is_same=True,
    ),
    Row(
        "an interface without a pool of another platform",
        led_to(NO_POOL, "KVM_ResourceAllocationFromPool"),
        [],
        is_same=True,
    ),
    Row("a console has no pool", led_to(CONSOLE, "KVM_ResourceAllocationFromPool"), [], is_same=True),
    Row(
        "the devices of the host",
        led_to(path("KVM_HostSystem", CreationClassName="KVM_HostSystem", Name=HOST), "CIM_SystemDevice"),
        [],
    ),
)

RANGED = ("InstanceID", "VirtualQuantity")

TEMPLATES = (
    Row(
        "memory",
        templates("MemoryPool/0"),
        [
            ("Default", 262144, 262144, "KiloBytes", "MemoryPool/0", 4),
            ("Increment", 1024, 1024, "KiloBytes", "MemoryPool/0", 4),
            ("Maximum", 4194304, 4194304, "KiloBytes", "MemoryPool/0", 4),
            ("Minimum", 65536, 65536, "KiloBytes", "MemoryPool/0", 4),
        ],
        found("InstanceID", "VirtualQuantity", "Limit", "AllocationUnits", "PoolID", "ResourceType"),
    ),
    Row(
        "processors of KVM",
        templates("ProcessorPool/0"),
        [
            ("Default", 1, "Processors", 1024, None),
            ("Increment", 1, "Processors", 1, None),
            ("Maximum", 255, "Processors", 262144, None),
            ("Minimum", 0, "Processors", 2, None),
        ],
        found(*RANGED, "AllocationUnits", "Weight", "Limit"),
    ),
    Row(
        "processors of Xen",
        templates("ProcessorPool/0", "Xen"),
        [
            ("Default", 1024, 0),
            ("Increment", 32767, 50),
            ("Maximum", 65535, 0),
            ("Minimum", 1, 1),
        ],
        found("InstanceID", "Weight", "Limit"),
    ),
    Row(
        "processors of LXC",
        templates("ProcessorPool/0", "LXC"),
        [("Default", None), ("Increment", None), ("Maximum", None), ("Minimum", None)],
        found("InstanceID", "Weight"),
    ),
    Row("interfaces", templates("NetworkPool/default"), each_range(number=10), ids),
    Row(
        "interfaces at most",
        templates("NetworkPool/default"),
        sorted(
            [
                ("bridge", "br0", None, None, None, None, None, 8, None),
                ("bridge", "br0", "vtap1", "e1000", None, None, None, 8, None),
                ("direct", None, None, None, "eth1", "802.1Qbg", "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f", 8, None),
                ("direct", None, None, None, "eth1", "802.1Qbg", None, 8, None),
                ("direct", None, None, None, "eth1", "802.1Qbh", None, 8, None),
                ("direct", None, None, None, "eth1", None, None, 8, None),
                ("network", None, None, None, None, None, None, 8, None),
                ("network", None, "vtap1", "e1000", None, None, None, 8, None),
                ("user", None, None, None, None, None, None, 8, None),
                ("user", None, "vtap1", "e1000", None, None, None, 8, None),
            ],
            key=repr,
        ),
        of(
            "Maximum",
            "NetworkType",
            "NetworkName",
            "VirtualDevice",
            "ResourceSubType",
            "SourceDevice",
            "VSIType",
            "VSIInstanceID",
            "VirtualQuantity",
            "Reservation",
        ),
    ),
    Row(
        "interfaces at least",
        templates("NetworkPool/default"),
        {(0, 1, 1, "KiloBytes per Second")},
        lambda value: set(of("Minimum", "VirtualQuantity", "Reservation", "Limit", "AllocationUnits")(value)),
    ),
    Row(
        "new networks",
        templates("NetworkPool/0"),
        [(0, None), (1, "eth0"), (1, None), (2, "eth0"), (2, None)],
        of("Default", "ForwardMode", "ForwardDevice"),
    ),
    Row(
        "new storage pools",
        templates("DiskPool/0"),
        [(kind, 1) for kind in range(1, 8)],
        of("Maximum", "Type", "Autostart"),
    ),
    Row("the number of new storage pools", templates("DiskPool/0"), each_range(number=7), ids),
    Row(
        "disks of a pool",
        templates("DiskPool/images"),
        each_range(number=4)
        + each_range(*(f"New Storage Volume {word}" for word in each_range()), number=2)
        + each_range(*(f"{word} {kind}" for word in each_range() for kind in ("CDROM", "floppy"))),
        ids,
    ),
    Row(
        "drives",
        templates("DiskPool/images"),
        [("hdc", "/dev/null", True, 1)],
        of("Default CDROM", "VirtualDevice", "Address", "readonly", "EmulatedType"),
    ),
    Row(
        "new volumes",
        templates("DiskPool/images"),
        [(1, "tmp.img", "/srv/images", 0, 0, "G"), (1, "tmp.img", "/srv/images", 0, 0, None)],
        of(
            "New Storage Volume Default",
            "FormatType",
            "VolumeName",
            "Path",
            "AllocationQuantity",
            "Capacity",
            "AllocationUnits",
        ),
    ),
    Row(
        "only new volumes",
        templates("DiskPool/images", result="KVM_StorageVolumeResourceAllocationSettingData"),
        each_range(*(f"New Storage Volume {word}" for word in each_range()), number=2),
        ids,
    ),
    Row(
        "graphics",
        templates("GraphicsPool/0"),
        [
            ("sdl", None, None),
            ("vnc", "127.0.0.1:-1", None),
            ("vnc", "[::1]:-1", None),
            ("vnc", None, False),
            ("vnc", None, True),
        ],
        of("Default", "ResourceSubType", "Address", "IsIPv6Only"),
    ),
    Row(
        "input devices of KVM",
        templates("InputPool/0"),
        [("mouse", "ps2"), ("mouse", "usb"), ("tablet", "usb")],
        of("Minimum", "ResourceSubType", "BusType"),
    ),
    Row(
        "input devices of Xen",
        templates("InputPool/0", "Xen"),
        [("mouse", "ps2"), ("mouse", "usb"), ("mouse", "xen")],
        of("Minimum", "ResourceSubType", "BusType"),
    ),
    Row(
        "input devices of LXC",
        templates("InputPool/0", "LXC"),
        [("mouse", "usb")],
        of("Minimum", "ResourceSubType", "BusType"),
    ),
    Row("controllers", templates("ControllerPool/0"), []),
    Row(
        "how the values are meant",
        References(
            namespace=VIRT,
            path=capabilities("MemoryPool/0"),
            filter=AssociationFilter("KVM_SettingsDefineCapabilities"),
        ),
        [(0, 0, 0), (0, 3, 1), (0, 3, 2), (0, 3, 3)],
        found("PropertyPolicy", "ValueRole", "ValueRange"),
        is_same=True,
    ),
    Row(
        "the wrong role",
        led_to(capabilities("MemoryPool/0"), "KVM_SettingsDefineCapabilities", role="PartComponent"),
        [],
        is_same=True,
    ),
    Row(
        "templates of guests",
        led_to(
            path("KVM_VirtualSystemManagementCapabilities", InstanceID="ManagementCapabilities"),
            "KVM_SettingsDefineCapabilities",
        ),
        [("KVM_guest",)],
        found("VirtualSystemIdentifier"),
    ),
    Row(
        "templates of Xen's guests",
        led_to(
            path("Xen_VirtualSystemManagementCapabilities", InstanceID="ManagementCapabilities"),
            "Xen_SettingsDefineCapabilities",
        ),
        [("Xen_Fullvirt_Guest", True), ("Xen_Paravirt_Guest", False)],
        found("VirtualSystemIdentifier", "IsFullVirt"),
    ),
    Row(
        "templates are no settings of guests",
        listing("KVM_MemResourceAllocationSettingData"),
        0,
        lambda value: ids(value)["Default"],
        is_same=True,
    ),
)

NETWORK = EmbeddedInstance("KVM_NetPoolResourceAllocationSettingData", {"ForwardMode": 0})
MEMORY = EmbeddedInstance("KVM_MemResourceAllocationSettingData", {"VirtualQuantity": 1})

POOL_SERVICE = (
    Row("CreateResourcePool", of_pools("CreateResourcePool"), "", status=NOT_SUPPORTED),
    Row("AddResourcesToResourcePool", of_pools("AddResourcesToResourcePool"), "Unknown Method", status=FAILED),
    Row("RemoveResourcesFromResourcePool", of_pools("RemoveResourcesFromResourcePool"), "", status=NOT_SUPPORTED),
    Row(
        "settings of another kind",
        of_pools("CreateChildResourcePool", Settings=[MEMORY]),
        "Unable to generate XML for resource pool",
        status=FAILED,
    ),
    Row(
        "deletion of a primordial pool",
        of_pools("DeleteResourcePool", Pool=path("KVM_DiskPool", InstanceID="DiskPool/0")),
        "Storage pool deletion error: Unable to destroy resource pool",
        status=FAILED,
    ),
    Row(
        "deletion of a pool in use",
        of_pools("DeleteResourcePool", Pool=path("KVM_NetworkPool", InstanceID="NetworkPool/default")),
        "Storage pool deletion error: Unable to destroy resource pool",
        status=FAILED,
    ),
    Row(
        "refreshing a network",
        of_pools("RefreshResourcesInPool", Pool=path("KVM_NetworkPool", InstanceID="NetworkPool/default")),
        "Unable to refresh resource pool",
        status=FAILED,
    ),
    Row(
        "what it can do",
        listing("KVM_ResourcePoolConfigurationCapabilities"),
        [((3, 4), None)],
        lambda value: [
            (each[0], each[1] or None)
            for each in found("SynchronousMethodsSupported", "AsynchronousMethodsSupported")(value)
        ],
    ),
)

CONFIGURATIONS = (
    Row(
        "a guest that runs otherwise than defined",
        listing("KVM_VirtualSystemSettingData"),
        Counter(["KVM:off", "KVM:torn", "KVM:web"]),
        ids,
    ),
    Row(
        "from a setting",
        led_to(path("KVM_MemResourceAllocationSettingData", InstanceID="torn/mem"), "KVM_ElementSettingData"),
        Counter(["torn/mem"]),
        ids,
    ),
    Row("from a guest", led_to(guest("torn"), "KVM_ElementSettingData"), []),
    Row(
        "which settings count",
        References(
            namespace=VIRT,
            path=path("KVM_VirtualSystemSettingData", InstanceID="KVM:torn"),
            filter=AssociationFilter("KVM_ElementSettingData"),
        ),
        [(1, 1)],
        found("IsDefault", "IsNext"),
    ),
    Row(
        "the next start, by its key",
        GetInstance(namespace=VIRT, path=path("KVM_VirtualSystemSettingData", InstanceID="KVM:torn/defined")),
        ("torn",),
        values("VirtualSystemIdentifier"),
        is_same=True,
    ),
)

SERVICES = (
    Row(
        "states that can be requested",
        GetInstance(namespace=VIRT, path=path("KVM_EnabledLogicalElementCapabilities", InstanceID="web")),
        ((2, 3, 9, 10, 11),),
        values("RequestedStatesSupported"),
    ),
    Row(
        "services of a host",
        led_to(path("KVM_HostSystem", CreationClassName="KVM_HostSystem", Name=HOST), "KVM_HostedService"),
        Counter(
            dict.fromkeys(
                (
                    "KVM_ResourcePoolConfigurationService",
                    "KVM_VirtualSystemManagementService",
                    "KVM_VirtualSystemMigrationService",
                    "KVM_ConsoleRedirectionService",
                ),
                1,
            )
        ),
        kinds,
    ),
    Row(
        "the host of the switch service",
        led_to(service("SwitchService", "Switch Virtualization Capabilities"), "KVM_HostedService"),
        [],
    ),
    Row(
        "what affects a guest",
        led_to(guest("web"), "KVM_ServiceAffectsElement"),
        Counter(["KVM_ConsoleRedirectionService"]),
        kinds,
    ),
    Row(
        "what the console service affects",
        led_to(
            service("ConsoleRedirectionService", "ConsoleRedirectionService"),
            "KVM_ServiceAffectsElement",
            "KVM_Controller",
        ),
        [],
    ),
    Row(
        "what affects a controller",
        led_to(
            path(
                "KVM_Controller",
                SystemCreationClassName="KVM_ComputerSystem",
                SystemName="web",
                CreationClassName="KVM_Controller",
                DeviceID="web/controller:usb:0",
            ),
            "KVM_ServiceAffectsElement",
        ),
        Counter(["KVM_ConsoleRedirectionService"]),
        kinds,
        is_same=True,
    ),
    Row(
        "profiles",
        EnumerateInstances(namespace="root/interop", class_name="KVM_RegisteredProfile"),
        {"CIM"},
        lambda value: {instance_id.partition(":")[0] for instance_id in ids(value)},
    ),
    Row(
        "what the management service affects",
        led_to(service("VirtualSystemManagementService", "Management Service"), "KVM_ServiceAffectsElement"),
        [],
    ),
    Row(
        "what the pool service affects",
        led_to(service("ResourcePoolConfigurationService", "RPCS"), "KVM_ServiceAffectsElement"),
        [],
    ),
    Row(
        "what the host can do",
        led_to(path("KVM_HostSystem", CreationClassName="KVM_HostSystem", Name=HOST), "KVM_ElementCapabilities"),
        {
            "KVM_VirtualSystemManagementCapabilities",
            "KVM_VirtualSystemMigrationCapabilities",
            "KVM_ConsoleRedirectionServiceCapabilities",
            "KVM_AllocationCapabilities",
        },
        lambda value: set(kinds(value)),
    ),
    Row(
        "what the migration service can do",
        GetInstance(
            namespace=VIRT, path=path("KVM_VirtualSystemMigrationCapabilities", InstanceID="MigrationCapabilities")
        ),
        ([4, 5], [2, 3]),
        lambda value: tuple(list(value[-1][f"{way}MethodsSupported"]) for way in ("Synchronous", "Asynchronous")),
    ),
    Row(
        "how a container would migrate",
        listing("LXC_VirtualSystemMigrationSettingData"),
        [(2, 2)],
        found("MigrationType", "TransportType"),
    ),
    Row(
        "what the pool service can do",
        led_to(service("ResourcePoolConfigurationService", "RPCS"), "KVM_ElementCapabilities"),
        [],
    ),
    Row(
        "characteristics of a host",
        References(
            namespace=VIRT,
            path=path("KVM_VirtualSystemManagementCapabilities", InstanceID="ManagementCapabilities"),
            filter=AssociationFilter("KVM_ElementCapabilities", role="Capabilities"),
        ),
        [((2,),), (None,)],
        found("Characteristics"),
    ),
    Row(
        "RequestStateChange of the pool service",
        of_pools("RequestStateChange", RequestedState=2),
        "Unknown Method",
        status=FAILED,
    ),
    Row(
        "StartService of the switch service",
        InvokeMethod(
            namespace=VIRT, target=service("SwitchService", "Switch Virtualization Capabilities"), method="StartService"
        ),
        "",
        status=NOT_AVAILABLE,
    ),
    Row(
        "what the management service can do",
        listing("KVM_VirtualSystemManagementCapabilities"),
        [((1, 2, 3, 5, 6, 7), ("KVM",))],
        found("SynchronousMethodsSupported", "VirtualSystemTypesSupported"),
    ),
)


def of_snapshots(method: str, **arguments: Any) -> Request:
    target = service("VirtualSystemSnapshotService", "SnapshotService")
    return InvokeMethod(namespace=VIRT, target=target, method=method, arguments=arguments)


SNAPSHOTS = (
    Row(
        "what the snapshot service can do",
        listing("KVM_VirtualSystemSnapshotServiceCapabilities"),
        [((3,), (2, 4), (32768, 32769))],
        found("SynchronousMethodsSupported", "AynchronousMethodsSupported", "SnapshotTypesSupported"),
    ),
    Row(
        "a type of snapshot that is unknown",
        of_snapshots("CreateSnapshot", AffectedSystem=guest("web"), SnapshotType=7),
        "Only memory(32768,32769) snapshots are supported",
        status=NOT_SUPPORTED,
    ),
    Row(
        "memory of a guest that is off",
        of_snapshots("CreateSnapshot", AffectedSystem=guest("off"), SnapshotType=32769),
        "Unable to create snapshot",
        status=FAILED,
    ),
    Row(
        "a snapshot without a guest",
        of_snapshots("CreateSnapshot", SnapshotType=32769),
        "Missing AffectedSystem",
        status=INVALID_PARAMETER,
        is_same=True,
    ),
    Row(
        "memory that was not saved",
        of_snapshots("DestroySnapshot", AffectedSnapshot=path("KVM_VirtualSystemSettingData", InstanceID="KVM:off")),
        "Unable to remove snapshot",
        status=FAILED,
    ),
)


def nested(name: str, role: str | None = None) -> Request:
    source = path(
        "KVM_FilterList",
        SystemCreationClassName="KVM_HostSystem",
        SystemName=HOST,
        CreationClassName="KVM_FilterList",
        Name=name,
    )
    return led_to(source, "KVM_NestedFilterList", role=role)


FILTERS = (
    Row("filters within a filter", nested("outer"), [("inner",)], found("Name"), is_same=True),
    Row("filters within one that is in another", nested("inner"), [], found("Name")),
    Row("filters that one is in", nested("inner", "Dependent"), [("outer",)], found("Name"), is_same=True),
)

ROWS = (
    *STATES,
    *DEVICES,
    *SETTINGS,
    *POOLS,
    *TEMPLATES,
    *POOL_SERVICE,
    *CONFIGURATIONS,
    *SERVICES,
    *SNAPSHOTS,
    *FILTERS,
)
