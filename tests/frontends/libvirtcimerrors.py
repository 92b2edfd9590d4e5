"""What is wrong with a method call, and what libvirt-cim said of it: a table for the drop-in mode.

The guest and the pools are those of libvirt's test driver, once as itself and once in the place of LXC; what migrates
is a recorded guest of KVM, as that driver has no migration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.frontends.libvirtcim import (
    FAILED,
    INVALID_PARAMETER,
    VIRT,
    Row,
    guest,
    path,
)
from virtcim.cimom.requests import InvokeMethod, Request
from virtcim.providers.interface import EmbeddedInstance, InstancePath

__all__ = ["ERRORS"]

INVALID_CLASS, NOT_FOUND, NO_SUCH_PROPERTY = 5, 6, 12

OWN = path("Test_VirtualSystemSettingData", InstanceID="Test:test")
NO_ID = path("Test_VirtualSystemSettingData")


def called(service: str, method: str, arguments: dict[str, Any], prefix: str = "Test") -> Request:
    return InvokeMethod(namespace=VIRT, target=f"{prefix}_{service}", method=method, arguments=arguments)


def of_guests(method: str, *, prefix: str = "Test", **arguments: Any) -> Request:
    return called("VirtualSystemManagementService", method, arguments, prefix)


def of_migrations(method: str, **arguments: Any) -> Request:
    return called("VirtualSystemMigrationService", method, arguments, "KVM")


def of_snapshots(method: str, **arguments: Any) -> Request:
    return called("VirtualSystemSnapshotService", method, arguments)


def of_pools(method: str, **arguments: Any) -> Request:
    return called("ResourcePoolConfigurationService", method, arguments)


def system(*, prefix: str = "Test", **properties: Any) -> EmbeddedInstance:
    return EmbeddedInstance(f"{prefix}_VirtualSystemSettingData", properties)


def resource(kind: str, *, prefix: str = "Test", **properties: Any) -> EmbeddedInstance:
    return EmbeddedInstance(f"{prefix}_{kind}ResourceAllocationSettingData", properties)


def define(*resources: EmbeddedInstance, prefix: str = "Test", **properties: Any) -> Request:
    settings = system(prefix=prefix, VirtualSystemIdentifier="new", **properties)
    return of_guests("DefineSystem", prefix=prefix, SystemSettings=settings, ResourceSettings=list(resources))


def refused(name: str, request: Request, text: str, status: int = FAILED) -> Row:
    return Row(name, request, text, status=status, is_same=True)


TEST = guest("test", "Test")
NO_NAME = path("Test_ComputerSystem", CreationClassName="Test_ComputerSystem")
UNKNOWN = guest("unknown", "Test")


def change(target: InstancePath, **arguments: Any) -> Request:
    return InvokeMethod(namespace=VIRT, target=target, method="RequestStateChange", arguments=arguments)


def _state_changes() -> Iterator[Row]:
    yield refused("no RequestedState", change(TEST), "Invalid RequestedState", INVALID_PARAMETER)
    text = "Unable to get instance for guest 'unknown'"
    yield refused("a guest that does not exist", change(UNKNOWN, RequestedState=2), text, INVALID_PARAMETER)


def _definitions() -> Iterator[Row]:
    reference = "DefineSystem: ReferenceConfiguration "
    for what, target, text, status in (
        (
            "of another platform",
            path("LXC_VirtualSystemSettingData", InstanceID="LXC:test"),
            "ReferenceConfiguration domain is not compatible",
            INVALID_CLASS,
        ),
        ("without InstanceID", NO_ID, "Missing `InstanceID' from ReferenceConfiguration", INVALID_PARAMETER),
        (
            "with another InstanceID",
            path("Test_VirtualSystemSettingData", InstanceID="web"),
            "Invalid `InstanceID' from ReferenceConfiguration",
            INVALID_PARAMETER,
        ),
        (
            "of an unknown guest",
            path("Test_VirtualSystemSettingData", InstanceID="Test:unknown"),
            "Referenced domain `unknown' does not exist",
            NOT_FOUND,
        ),
    ):
        settings = system(VirtualSystemIdentifier="new")
        request = of_guests("DefineSystem", SystemSettings=settings, ReferenceConfiguration=target)
        yield refused(reference + what, request, text, status)
    yield refused("DefineSystem: ClockOffset", define(ClockOffset=9), "SystemSettings Error")
    uuid = "6695eb01-f6a4-8304-79aa-97f2502e193f"
    yield refused(
        "DefineSystem: UUID of another guest", define(UUID=uuid), f"Guest 'test' is already defined with UUID {uuid}"
    )


def _resources() -> Iterator[Row]:
    beginning = "ResourceSettings Error: "
    memory, processor = resource("Mem", VirtualQuantity=65536), resource("Proc", VirtualQuantity=1)
    for name, text, wrong in (
        ("no type of interface", "No Network Type specified", resource("Net", Address="52:54:00:00:00:09")),
        ("an empty bridge", "Bridge name is empty", resource("Net", NetworkType="bridge", NetworkName="")),
        ("no bridge", "No Network bridge name specified", resource("Net", NetworkType="bridge")),
        (
            "a pool that is none",
            "PoolID specified is not formatted properly",
            resource("Net", NetworkType="network", PoolID="default"),
        ),
        (
            "an empty device of the host",
            "Source Device is empty",
            resource("Net", NetworkType="direct", SourceDevice=""),
        ),
        ("no device of the host", "No Source Device specified", resource("Net", NetworkType="direct")),
        ("a type of interface that is unknown", "Invalid Network Type specified", resource("Net", NetworkType="wrong")),
        (
            "places without values",
            "AddressProperties not matching AddressValues",
            resource("Net", NetworkType="user", AddressProperties=["type"], AddressValues=[]),
        ),
        ("a disk without a name", "Missing `VirtualDevice' property", resource("Disk", Address="/dev/null")),
        (
            "a kind of disk that is unknown",
            "Invalid value for EmulatedType",
            resource("Disk", VirtualDevice="vda", Address="/dev/null", EmulatedType=9),
        ),
        ("no size of the memory", "Missing `VirtualQuantity' field in Memory RASD", resource("Mem")),
        (
            "units of the memory",
            "Unknown AllocationUnits in Memory RASD",
            resource("Mem", VirtualQuantity=1, AllocationUnits="Furlongs"),
        ),
        ("no number of processors", "Missing `VirtualQuantity' field in Processor RASD", resource("Proc")),
        ("no kind of display", "GraphicsRASD ResourceSubType field not valid", resource("Graphics")),
        (
            "an address of a display",
            "GraphicsRASD field Address not valid",
            resource("Graphics", ResourceSubType="vnc", Address="127.0.0.1"),
        ),
        (
            "an address of a window",
            "GraphicsRASD sdl Address not valid",
            resource("Graphics", ResourceSubType="sdl", Address="x"),
        ),
        (
            "a kind of display that is unknown",
            "Unsupported graphics type",
            resource("Graphics", ResourceSubType="wrong"),
        ),
        ("no source of a console", "ConsoleRASD: SourceType field not specified.", resource("Console")),
        (
            "a source of a console that is unknown",
            "ConsoleRASD: Invalid SourceType value",
            resource("Console", SourceType=99),
        ),
        ("a console on a file without a path", "ConsoleRASD:", resource("Console", SourceType=4)),
        ("a console on a socket without a path", "ConsoleRASD:", resource("Console", SourceType=9)),
        ("a console on UDP without addresses", "ConsoleRASD:", resource("Console", SourceType=7)),
        ("a console on TCP without an address", "ConsoleRASD:", resource("Console", SourceType=8)),
        ("no kind of controller", "ControllerRASD ResourceSubType field not valid", resource("Controller")),
    ):
        others = [each for each in (memory, processor) if each.class_name != wrong.class_name]
        yield refused(f"DefineSystem: {name}", define(*others, wrong), beginning + text)
    disks = [resource("Disk", VirtualDevice="vda", Address="/dev/null") for _ in range(2)]
    text = "VirtualDevice property must be unique for each DiskResourceAllocationSettingData in a single guest"
    yield refused("DefineSystem: a disk twice", define(memory, *disks), beginning + text)
    for name, text, wrong in (
        (
            "a display",
            "Resource type not supported on this platform",
            resource("Graphics", prefix="LXC", ResourceSubType="vnc"),
        ),
        ("a directory without a place", "Missing `MountPoint' field", resource("Disk", prefix="LXC", Address="/tmp")),
        ("a directory without a source", "Missing `Address' field", resource("Disk", prefix="LXC", MountPoint="/tmp")),
    ):
        yield refused(f"DefineSystem of a container: {name}", define(wrong, prefix="LXC"), beginning + text)


def _removals() -> Iterator[Row]:
    text = "Unable to retrieve domain name: Error 0"
    yield refused("DestroySystem without a name", of_guests("DestroySystem", AffectedSystem=NO_NAME), text, NOT_FOUND)
    text = "Referenced domain `unknown' does not exist"
    yield refused(
        "DestroySystem of an unknown guest", of_guests("DestroySystem", AffectedSystem=UNKNOWN), text, NOT_FOUND
    )


def _changes() -> Iterator[Row]:
    def modify(**properties: Any) -> Request:
        return of_guests("ModifySystemSettings", SystemSettings=system(**properties))

    text = "Missing VirtualSystemIdentifier"
    yield refused("ModifySystemSettings without a name", modify(AutoStart=1), text, NO_SUCH_PROPERTY)
    text = "Referenced domain `unknown' does not exist"
    yield refused(
        "ModifySystemSettings of an unknown guest", modify(VirtualSystemIdentifier="unknown"), text, NOT_FOUND
    )
    text = "test is already defined with UUID "
    uuid = "00000000-0000-4000-8000-0000000000ff"
    yield refused("ModifySystemSettings: UUID", modify(VirtualSystemIdentifier="test", UUID=uuid), text)


def _resource_changes() -> Iterator[Row]:
    disk = resource("Disk", VirtualDevice="vdb", Address="/dev/null")

    def add(what: EmbeddedInstance, target: InstancePath = OWN) -> Request:
        return of_guests("AddResourceSettings", AffectedConfiguration=target, ResourceSettings=[what])

    text = "AffectedConfiguration has invalid InstanceID"
    for target in (NO_ID, path("Test_VirtualSystemSettingData", InstanceID="web")):
        yield refused("AddResourceSettings: InstanceID", add(disk, target), text, INVALID_PARAMETER)
    unknown = path("Test_VirtualSystemSettingData", InstanceID="Test:unknown")
    text = "Referenced domain `unknown' does not exist"
    yield refused("AddResourceSettings to an unknown guest", add(disk, unknown), text, NOT_FOUND)
    for kind, number in (("Mem", 4), ("Proc", 3)):
        more = resource(kind, VirtualQuantity=1)
        yield refused(f"AddResourceSettings of {kind}", add(more), f"Cannot add resources of type {number}")
    yield refused(
        "AddResourceSettings: an error", add(resource("Disk")), "Add resource failed: Missing `VirtualDevice' property"
    )

    def modify(what: EmbeddedInstance) -> Request:
        return of_guests("ModifyResourceSettings", ResourceSettings=[what])

    yield refused(
        "ModifyResourceSettings without InstanceID", modify(disk), "Missing InstanceID in RASD", INVALID_PARAMETER
    )
    wrong = resource("Disk", InstanceID="web")
    yield refused("ModifyResourceSettings: InstanceID", modify(wrong), "Invalid InstanceID `web'", INVALID_PARAMETER)
    wrong = resource("Disk", InstanceID="test/vdz", Address="/dev/null")
    yield refused("ModifyResourceSettings of what is not there", modify(wrong), "No such instance", NOT_FOUND)
    wrong = resource("Mem", InstanceID="test/mem", VirtualQuantity=1, AllocationUnits="Furlongs")
    yield refused("ModifyResourceSettings: an error", modify(wrong), "Modify resource failed: Unknown AllocationUnits")

    def remove(kind: str, identifier: str) -> Request:
        target = path(f"Test_{kind}ResourceAllocationSettingData", InstanceID=identifier)
        return of_guests("RemoveResourceSettings", ResourceSettings=[target])

    yield refused(
        "RemoveResourceSettings of what is not there",
        remove("Disk", "test/vdz"),
        "No such instance (test/vdz)",
        NOT_FOUND,
    )
    for kind, number in (("Mem", 4), ("Proc", 3)):
        text = f"Cannot delete resources of type {number}"
        yield refused(f"RemoveResourceSettings of {kind}", remove(kind, f"test/{kind.lower()}"), text)


def _migrations() -> Iterator[Row]:
    for method, destination in (
        ("CheckVirtualSystemIsMigratableToHost", {"DestinationHost": "localhost"}),
        ("MigrateVirtualSystemToHost", {"DestinationHost": "localhost"}),
    ):
        text = "Missing key (Name) in ComputerSystem"
        yield refused(
            f"{method}: no name",
            of_migrations(
                method, ComputerSystem=path("KVM_ComputerSystem", CreationClassName="KVM_ComputerSystem"), **destination
            ),
            text,
        )
        other = guest("dom", "Xen")
        text = "Invalid REF in ComputerSystem"
        yield refused(f"{method}: another platform", of_migrations(method, ComputerSystem=other, **destination), text)
        settings = EmbeddedInstance("KVM_VirtualSystemMigrationSettingData", {"MigrationType": 9})
        request = of_migrations(method, ComputerSystem=guest("web"), MigrationSettingData=settings, **destination)
        yield refused(f"{method}: MigrationType", request, "Unsupported migration type 9")
    host = path("KVM_HostSystem", CreationClassName="KVM_HostSystem")
    request = of_migrations("MigrateVirtualSystemToSystem", ComputerSystem=guest("web"), DestinationSystem=host)
    yield refused("MigrateVirtualSystemToSystem: no name", request, "Missing key (Name) in DestinationSystem")
    request = of_migrations(
        "CheckVirtualSystemIsMigratableToHost", ComputerSystem=guest("unknown"), DestinationHost="localhost"
    )
    yield refused("a migration of an unknown guest", request, "No such domain", NOT_FOUND)
    request = of_migrations("MigrateSSHKeyCopy", SSH_Key_Src="/root/key")
    yield refused("MigrateSSHKeyCopy", request, "Migration with special ssh key is not enabled in config file.")


def _snapshots() -> Iterator[Row]:
    settings = EmbeddedInstance("Test_VirtualSystemSnapshotServiceCapabilities", {"InstanceID": "SnapshotCapabilities"})

    def create(**arguments: Any) -> Request:
        return of_snapshots("CreateSnapshot", SnapshotSettings=settings, **arguments)

    yield refused(
        "CreateSnapshot: no type",
        create(AffectedSystem=TEST),
        "Missing SnapshotType",
        INVALID_PARAMETER,
    )
    yield refused("CreateSnapshot: no guest", create(SnapshotType=32769), "Missing AffectedSystem", INVALID_PARAMETER)
    text = "Missing Name property of AffectedSystem"
    yield refused(
        "CreateSnapshot: no name", create(AffectedSystem=NO_NAME, SnapshotType=32769), text, INVALID_PARAMETER
    )
    yield refused("ApplySnapshot: no snapshot", of_snapshots("ApplySnapshot"), "Missing Snapshot", INVALID_PARAMETER)
    yield refused(
        "DestroySnapshot: no snapshot", of_snapshots("DestroySnapshot"), "Missing Snapshot", INVALID_PARAMETER
    )
    wrong = path("Test_VirtualSystemSettingData", InstanceID="web")
    for method, name in (("ApplySnapshot", "Snapshot"), ("DestroySnapshot", "AffectedSnapshot")):
        request = of_snapshots(method, **{name: wrong})
        yield refused(f"{method}: InstanceID", request, "Invalid InstanceID in Snapshot")


def _pools() -> Iterator[Row]:
    child = "CreateChildResourcePool"
    yield refused(f"{child}: no settings", of_pools(child), "", INVALID_PARAMETER)
    network = resource("NetPool", ForwardMode=0)
    request = of_pools(child, ElementName="default", Settings=[network])
    yield refused(f"{child}: a name that is taken", request, "Pool with that name already exists")
    for name, text, wrong in (
        ("no type", "Missing `Type' property", resource("DiskPool", Path="/images")),
        ("no path", "Missing `Path' property", resource("DiskPool", Type=1)),
        ("no device", "Missing `DevicePaths' property", resource("DiskPool", Type=2, Path="/images")),
        (
            "two devices",
            "Specified pool type only takes one device path",
            resource("DiskPool", Type=2, Path="/images", DevicePaths=["/dev/a", "/dev/b"]),
        ),
        ("a type that is unknown", "Storage pool type not supported", resource("DiskPool", Type=99, Path="/images")),
    ):
        request = of_pools(child, ElementName="new", Settings=[wrong])
        yield refused(f"{child}: {name}", request, f"Settings Error: {text}")
    images = path("Test_DiskPool", InstanceID="DiskPool/default-pool")
    wrong_id = path("Test_DiskPool", InstanceID="images")
    unknown = path("Test_DiskPool", InstanceID="DiskPool/unknown")
    for pool, text, status in (
        (unknown, "Resource pool instance does not exist", FAILED),
        (wrong_id, "Pool has invalid InstanceID", INVALID_PARAMETER),
    ):
        yield refused(f"DeleteResourcePool: {text}", of_pools("DeleteResourcePool", Pool=pool), text, status)
    properties: dict[str, Any] = {"FormatType": 1, "VolumeName": "v", "Path": "/default-pool", "Capacity": 1 << 20}
    volume = resource("StorageVolume", **properties)
    in_pool = "CreateResourceInPool"
    yield refused(
        f"{in_pool}: no settings", of_pools(in_pool, Pool=images), "Missing argument `Settings'", INVALID_PARAMETER
    )
    yield refused(
        f"{in_pool}: no pool", of_pools(in_pool, Settings=volume), "Missing argument `Pool'", INVALID_PARAMETER
    )
    attributes = "Unable to get attributes for resource: "
    for name in ("VolumeName", "Capacity"):
        lacking = {key: value for key, value in properties.items() if key != name}
        request = of_pools(in_pool, Pool=images, Settings=resource("StorageVolume", **lacking))
        yield refused(f"{in_pool}: no {name}", request, f"{attributes}StorageVolumeRASD {name} field not valid")
    request = of_pools(in_pool, Pool=images, Settings=resource("Mem", VirtualQuantity=1))
    yield refused(f"{in_pool}: memory", request, f"{attributes}This function does not support this resource type")
    request = of_pools(in_pool, Pool=images, Settings=resource("StorageVolume", **{**properties, "FormatType": 3}))
    yield refused(f"{in_pool}: a format that is unknown", request, "Unable to generate XML for new resource")
    from_pool = "DeleteResourceInPool"
    request = of_pools(from_pool, Pool=images)
    yield refused(f"{from_pool}: no resource", request, "Missing argument `Resource'", INVALID_PARAMETER)
    known = resource("StorageVolume", Address="/default-pool/root.qcow2")
    request = of_pools(from_pool, Resource=known)
    yield refused(f"{from_pool}: no pool", request, "Missing argument `Pool'", INVALID_PARAMETER)
    request = of_pools(from_pool, Pool=images, Resource=resource("StorageVolume", VolumeName="v"))
    yield refused(f"{from_pool}: no address", request, "Missing Address in resource RASD")
    unknown_volume = resource("StorageVolume", Address="/default-pool/none")
    request = of_pools(from_pool, Pool=images, Resource=unknown_volume)
    yield refused(f"{from_pool}: an unknown volume", request, "Unable to delete resource: ")


ERRORS = (
    *_state_changes(),
    *_definitions(),
    *_resources(),
    *_removals(),
    *_changes(),
    *_resource_changes(),
    *_migrations(),
    *_snapshots(),
    *_pools(),
)
