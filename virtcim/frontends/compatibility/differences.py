"""The differences from libvirt-cim that the drop-in mode undoes, in the order of docs/compatibility.md.

What libvirt-cim lost, and what it did wrong, stays as it is here: only what its clients compare, count or wait for is
as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

from virtcim.cimom.requests import InvokeMethod
from virtcim.frontends.compatibility.difference import Difference, ShownAssociation, View
from virtcim.frontends.compatibility.templates import PoolTemplates, SystemTemplates
from virtcim.providers.interface import (
    Association,
    CIMError,
    CIMValue,
    Instance,
    InstancePath,
    MethodResult,
    Parameters,
    Properties,
    RequestContext,
    Status,
)
from virtcim.schema.names import base_of, prefix_of
from virtcim.schema.paths import key_of

__all__ = ["DIFFERENCES", "KNOWN_SETTING_CLASSES", "OTHER_SETTING_CLASSES", "STARTED"]

STARTED = 4096
"""The return value of a method that has started a job."""

_NO_TIME = 3
"""The return value of a method that was not done within its time."""

Refusal = Callable[[InvokeMethod], CIMError]

_MEGABYTE = 1 << 20
_DEFAULT = 2
_YES = 1
_ENABLED, _DISABLED, _SHUT_DOWN, _QUIESCE, _REBOOT, _RESET = 2, 3, 4, 9, 10, 11


def _refuse(status: Status, text: str) -> Refusal:
    return lambda _request: CIMError(status, text)


def _fail(text: str) -> Refusal:
    return _refuse(Status.FAILED, text)


def _always(_view: View, _instance: Instance, _context: RequestContext) -> bool:
    return True


def _requested(request: InvokeMethod) -> CIMValue:
    return request.arguments.get("RequestedState")


def _invalid_transition(request: InvokeMethod) -> CIMError:
    is_of_running = _requested(request) in (_QUIESCE, _REBOOT, _RESET)
    return CIMError(Status.FAILED, "Domain not running" if is_of_running else "Invalid state transition")


_ATTEMPTS: Mapping[CIMValue, str] = {
    _ENABLED: "Unable to start domain",
    _DISABLED: "Unable to disable domain",
    _SHUT_DOWN: "Unable to shutdown domain",
    _QUIESCE: "Unable to pause domain",
    _REBOOT: "Unable to reboot domain",
    _RESET: "Unable to destroy domain",
}


def _busy(request: InvokeMethod) -> CIMError:
    return CIMError(Status.FAILED, f"{_ATTEMPTS.get(_requested(request), 'State not changed')}: another operation runs")


def _is_orderly(request: InvokeMethod) -> bool:
    """Tell whether a guest takes its part in what is requested: 0 said no more than that it was asked."""
    return _requested(request) in (_SHUT_DOWN, _REBOOT)


_NO_STATE = _refuse(Status.NOT_SUPPORTED, "State not supported")

COMPUTER_SYSTEM = Difference(
    section="ComputerSystem",
    ignored={("ComputerSystem", "requeststatechange"): frozenset({"TimeoutPeriod"})},
    refusals={
        ("ComputerSystem", "requeststatechange"): {1: _NO_STATE, 5: _NO_STATE, 4097: _invalid_transition, 4099: _busy},
    },
    successes={("ComputerSystem", "requeststatechange"): {_NO_TIME: _is_orderly, STARTED: _is_orderly}},
    synchronous=frozenset({"ComputerSystem"}),
)


def _is_not_of_kvm(_view: View, instance: Instance, _context: RequestContext) -> bool:
    return prefix_of(instance.class_name) != "KVM"


def _is_of_controllers(_view: View, instance: Instance, _context: RequestContext) -> bool:
    is_theirs = str(instance.keys()["InstanceID"]).startswith("ControllerPool/")
    return is_theirs and prefix_of(instance.class_name) != "KVM"


DEVICES = Difference(
    section="Devices",
    unknown={
        "Controller": _is_not_of_kvm,
        "ControllerPool": _is_not_of_kvm,
        "ControllerResourceAllocationSettingData": _is_not_of_kvm,
        "AllocationCapabilities": _is_of_controllers,
    },
    # Every container that libvirt-cim's scripts define has a mouse, which libvirt took at that time.
    left_out={
        ("VirtualSystemManagementService", "definesystem"): frozenset({"LXC_InputResourceAllocationSettingData"}),
    },
)


def _unit(words: Mapping[str, str]) -> Callable[[str, Properties], CIMValue]:
    def value(_prefix: str, properties: Properties) -> CIMValue:
        units = properties.get("AllocationUnits")
        return words.get(units, units) if isinstance(units, str) else units

    return value


_RATE, _RATE_WORD = "byte*10^3/second", "KiloBytes per Second"


def _rate_of_libvirt(units: CIMValue) -> CIMValue:
    """Take kilobytes for libvirt's, as libvirt-cim did, whatever their number of bytes."""
    is_word = isinstance(units, str) and units.strip().lower() == _RATE_WORD.lower()
    return _RATE if is_word else units


def _unit_of_limit(units: CIMValue) -> CIMValue:
    """Leave out the unit of libvirt-cim's templates: it is of the number of processors, and Limit is in percent."""
    return None if isinstance(units, str) and units.strip().lower() == "processors" else units


def _has_address(properties: Properties) -> bool:
    return properties.get("Address") is not None


def _has_path(properties: Properties) -> bool:
    return str(properties.get("Address")).startswith("/")


_KNOWN_SETTINGS = ("Proc", "Mem", "Disk", "Net", "Graphics", "Input", "Console", "Controller")
_OTHER_SETTINGS = (
    *("", "Port", "HostDevice", "Video", "Audio", "MemoryModule", "Balloon"),
    *("SharedMemory", "RNG", "TPM", "Watchdog", "Vsock", "Lease"),
)
KNOWN_SETTING_CLASSES, OTHER_SETTING_CLASSES = (
    tuple(f"{kind}ResourceAllocationSettingData" for kind in kinds) for kinds in (_KNOWN_SETTINGS, _OTHER_SETTINGS)
)
"""The classes of settings of resources: those that libvirt-cim knew, and the others."""

SETTINGS = Difference(
    section="ResourceAllocationSettingData",
    unknown=dict.fromkeys(OTHER_SETTING_CLASSES, _always),
    values={
        "MemResourceAllocationSettingData": {"AllocationUnits": _unit({"byte*2^10": "KiloBytes"})},
        "DiskResourceAllocationSettingData": {"AllocationUnits": _unit({"byte": "Bytes"})},
        "NetResourceAllocationSettingData": {"AllocationUnits": _unit({_RATE: _RATE_WORD})},
    },
    sent={
        "NetResourceAllocationSettingData": {"AllocationUnits": _rate_of_libvirt},
        "ProcResourceAllocationSettingData": {"AllocationUnits": _unit_of_limit},
    },
    uncounted={
        "DiskResourceAllocationSettingData": {"PoolID": _has_path},
        "GraphicsResourceAllocationSettingData": {"IsIPv6Only": _has_address},
    },
)


def _constant(value: CIMValue) -> Callable[[str, Properties], CIMValue]:
    return lambda _prefix, _properties: value


def _megabytes(name: str) -> Callable[[str, Properties], CIMValue]:
    def value(_prefix: str, properties: Properties) -> CIMValue:
        size = properties.get(name)
        return size // _MEGABYTE if isinstance(size, int) else size

    return value


_SIZES = ("Capacity", "Reserved", "CurrentlyConsumedResource", "MaxConsumableResource")

_POOLED = frozenset(f"{kind}ResourceAllocationSettingData" for kind in _KNOWN_SETTINGS[:6])


def _no_pool(path: InstancePath) -> CIMError | None:
    is_pooled = base_of(path.class_name) in _POOLED
    text = f"Unable to determine pool of `{key_of(path.keys, 'InstanceID')}'"
    return CIMError(Status.FAILED, text) if is_pooled else None


POOLS = Difference(
    section="Pools",
    dead_ends={"ResourceAllocationFromPool": _no_pool},
    values={
        "DiskPool": {
            "AllocationUnits": _constant("Megabytes"),
            "ConsumedResourceUnits": _constant("Megabytes"),
            **{name: _megabytes(name) for name in _SIZES},
        },
        "ProcessorPool": {
            "AllocationUnits": _constant("Processors"),
            "ConsumedResourceUnits": _constant("Processors"),
        },
    },
    unknown=dict.fromkeys(
        (
            "HostProcessor",
            "HostMemory",
            "HostNetworkPort",
            "HostDisk",
            "StorageVolume",
            "StorageVolumeResourceAllocationSettingData",
        ),
        _always,
    ),
)


def _templates(view: View, association: Association) -> Sequence[Association]:
    is_of_pools = any(name.endswith("_AllocationCapabilities") for name in association.left.class_names)
    if is_of_pools:
        return (PoolTemplates(view, association), SystemTemplates(view, map(prefix_of, association.class_names)))
    return (view.association(association),)


def _characteristics(left: str, properties: Properties) -> Properties:
    """Leave out those that were not of a host."""
    others = {name: value for name, value in properties.items() if name != "Characteristics"}
    return {**others, "Characteristics": [_DEFAULT]} if left == "HostSystem" else others


TEMPLATES = Difference(
    section="AllocationCapabilities and templates",
    associations={"SettingsDefineCapabilities": _templates},
    references={"ElementCapabilities": _characteristics},
)

_SERVICE = "ResourcePoolConfigurationService"
_NOT_SUPPORTED = _refuse(Status.NOT_SUPPORTED, "")
_UNKNOWN_METHOD = _fail("Unknown Method")
_NOT_DELETED = "Storage pool deletion error: Unable to destroy resource pool"

POOL_SERVICE = Difference(
    section="ResourcePoolConfigurationService",
    ignored={(_SERVICE, "createchildresourcepool"): frozenset({"ParentPool"})},
    uncounted={"StorageVolumeResourceAllocationSettingData": {"Path": lambda _properties: True}},
    refusals={
        (_SERVICE, "createresourcepool"): {1: _NOT_SUPPORTED},
        (_SERVICE, "addresourcestoresourcepool"): {1: _UNKNOWN_METHOD},
        (_SERVICE, "removeresourcesfromresourcepool"): {1: _NOT_SUPPORTED},
        (_SERVICE, "changeparentresourcepool"): {1: _NOT_SUPPORTED},
        (_SERVICE, "createchildresourcepool"): {7: _fail("Unable to generate XML for resource pool")},
        (_SERVICE, "deleteresourcepool"): {
            1: _fail(f"{_NOT_DELETED}: it is the primordial one"),
            6: _fail(f"{_NOT_DELETED}: active guests use it"),
        },
        (_SERVICE, "createresourceinpool"): {1: _fail("Unable to create storage volume: not supported by libvirt")},
        (_SERVICE, "deleteresourceinpool"): {1: _fail("Unable to delete resource: not supported by libvirt")},
        (_SERVICE, "refreshresourcesinpool"): {1: _fail("Unable to refresh resource pool: it holds no volumes")},
    },
    values={
        "ResourcePoolConfigurationCapabilities": {"AsynchronousMethodsSupported": _constant(())},
    },
)

_NEW, _COMPLETED = 2, 7
_BEGUN = frozenset({4, 5, 6})
"""CIM_ConcreteJob.JobState: New, Completed; Running, Suspended, Shutting Down."""


def _job_status(completed: str, failed: str = "") -> Callable[[str, Properties], CIMValue]:
    """Tell in words how far a job is: scripts compare it when the job is over.

    Parameters:
        completed: the word for one that ended well.
        failed: the word for one that did not; what went wrong, unless given.
    """

    def value(_prefix: str, properties: Properties) -> CIMValue:
        state = properties.get("JobState")
        if state == _NEW:
            return "Queued"
        if state in _BEGUN:
            return "Running"
        return completed if state == _COMPLETED else failed or properties.get("ErrorDescription")

    return value


JOBS = Difference(
    section="Jobs",
    values={
        "MigrationJob": {"Status": _job_status("Completed")},
        "ConcreteJob": {"Status": _job_status("Snapshot complete", "Failed")},
    },
    pairs=dict.fromkeys(("OwningJobElement", "AffectedJobElement"), lambda _left, _right: False),
    superclasses={"CIM_ConcreteJob": frozenset({"ConcreteJob", "MigrationJob"})},
    synchronous=frozenset({_SERVICE, "VirtualSystemManagementService"}),
)

_MIGRATIONS = "VirtualSystemMigrationService"

MIGRATION = Difference(
    section="Migration",
    refusals={
        (_MIGRATIONS, method): {1: _fail("Failed to construct a valid libvirt URI")}
        for method in (
            "checkvirtualsystemismigratabletohost",
            "checkvirtualsystemismigratabletosystem",
            "migratevirtualsystemtohost",
            "migratevirtualsystemtosystem",
        )
    },
    jobs=frozenset({(_MIGRATIONS, "migratevirtualsystemtohost"), (_MIGRATIONS, "migratevirtualsystemtosystem")}),
)


def _is_second(view: View, instance: Instance, context: RequestContext) -> bool:
    """Tell whether a setting is of the next start of a guest that runs otherwise: a second one beside the present one.

    Its InstanceID has a word between the name of the guest and the rest, so what has none, as almost all, is of one
    that libvirt-cim showed.
    """
    prefix, instance_id = prefix_of(instance.class_name), str(instance.keys()["InstanceID"])
    if instance.class_name.endswith("_VirtualSystemSettingData"):
        guest = instance_id.partition(":")[2]
        if "/" not in guest:
            return False
    else:
        if instance_id.count("/") < 2:
            return False
        guest = instance_id.removesuffix(f"/{instance.properties().get('ElementName')}")
    return _find_guest(view, prefix, guest, context) is None


def _find_guest(view: View, prefix: str, guest: str, context: RequestContext) -> Instance | None:
    class_name = f"{prefix}_ComputerSystem"
    return view.find(class_name, {"CreationClassName": class_name, "Name": guest}, context)


class _OwnSettings(ShownAssociation):
    """ElementSettingData from each setting to itself."""

    def to_right(self, left: Instance, context: RequestContext) -> Sequence[Instance]:
        return () if left.class_name.endswith("_ComputerSystem") else (left,)

    def to_left(self, right: Instance, context: RequestContext) -> Sequence[Instance]:
        return (right,)

    def properties(self, left: Instance, right: Instance) -> Properties:
        return {**super().properties(left, right), "IsDefault": _YES, "IsNext": _YES}


CONFIGURATIONS = Difference(
    section="Configurations",
    unknown=dict.fromkeys(("VirtualSystemSettingData", *KNOWN_SETTING_CLASSES, *OTHER_SETTING_CLASSES), _is_second),
    associations={"ElementSettingData": lambda view, association: (_OwnSettings(view, association),)},
)


def _where_any(name: str, values: Sequence[int]) -> Callable[[str, Properties], CIMValue]:
    """Give a list as it was, except where there is nothing at all, as over a read-only connection."""
    return lambda _prefix, properties: list(values) if properties.get(name) else ()


STATES = Difference(
    section="States that can be requested",
    values={
        "EnabledLogicalElementCapabilities": {
            "RequestedStatesSupported": _where_any(
                "RequestedStatesSupported", (_ENABLED, _DISABLED, _QUIESCE, _REBOOT, _RESET)
            )
        }
    },
)

_HOSTED = frozenset(
    {
        "ResourcePoolConfigurationService",
        "VirtualSystemManagementService",
        "VirtualSystemMigrationService",
        "ConsoleRedirectionService",
    }
)
_WITHOUT_ELEMENT = frozenset(
    {
        "BackupServiceCapabilities",
        "MetricServiceCapabilities",
        "ResourcePoolConfigurationCapabilities",
        "VirtualSystemSnapshotServiceCapabilities",
    }
)
_LIVE, _SSH = 2, 2
_NO_METHOD = _refuse(Status.METHOD_NOT_AVAILABLE, "")
_OF_SERVICES = ("requeststatechange", "startservice", "stopservice")


class _AffectedElements(ShownAssociation):
    """ServiceAffectsElement, which does not lead from a service to controllers, though from them to it."""

    def to_left(self, right: Instance, context: RequestContext) -> Iterator[Instance]:
        return (each for each in super().to_left(right, context) if base_of(each.class_name) != "Controller")


def _affected_elements(view: View, association: Association) -> Sequence[Association]:
    return (_AffectedElements(view, association, (lambda _element, service: service == "ConsoleRedirectionService",)),)


SERVICES = Difference(
    section="Services",
    pairs={
        "HostedService": lambda _host, service: service in _HOSTED,
        "ElementCapabilities": lambda _element, capabilities: capabilities not in _WITHOUT_ELEMENT,
    },
    associations={"ServiceAffectsElement": _affected_elements},
    values={
        "VirtualSystemMigrationSettingData": {"MigrationType": _constant(_LIVE), "TransportType": _constant(_SSH)},
        "VirtualSystemMigrationCapabilities": {
            "SynchronousMethodsSupported": _where_any("SynchronousMethodsSupported", (4, 5)),
            "AsynchronousMethodsSupported": _where_any("AsynchronousMethodsSupported", (2, 3)),
        },
    },
    refusals={
        **{
            (service, method): {1: _UNKNOWN_METHOD}
            for service in (
                "ResourcePoolConfigurationService",
                "VirtualSystemManagementService",
                "VirtualSystemMigrationService",
                "VirtualSystemSnapshotService",
            )
            for method in _OF_SERVICES
        },
        **{
            (service, method): {1: _NO_METHOD}
            for service in ("ConsoleRedirectionService", "SwitchService")
            for method in _OF_SERVICES
        },
    },
)


_SNAPSHOTS = "VirtualSystemSnapshotService"
_SNAPSHOT_JOBS = frozenset({(_SNAPSHOTS, "createsnapshot"), (_SNAPSHOTS, "applysnapshot")})
_NO_SNAPSHOT = _refuse(Status.NOT_SUPPORTED, "Only memory(32768,32769) snapshots are supported")
_FULL, _MEMORY, _MEMORY_AND_STOP = 2, 32768, 32769
_SAVED = 6
"""The EnabledState of a guest with saved memory."""


def _as_it_can_be_applied(view: View, given: Parameters, context: RequestContext) -> Parameters:
    """Save the memory of a guest in its images where they take it: any libvirt can apply such a snapshot."""
    system = given.get("AffectedSystem")
    if given.get("SnapshotType") != _MEMORY or not isinstance(system, InstancePath):
        return given
    guest = key_of(system.keys, "Name")
    if guest is None:
        return given
    name = f"{prefix_of(system.class_name)}_VirtualSystemSnapshotCapabilities"
    capabilities = view.find(name, {"InstanceID": guest}, context)
    enabled = None if capabilities is None else capabilities.properties().get("SnapshotTypesEnabled")
    is_possible = isinstance(enabled, list | tuple) and {_FULL, _MEMORY_AND_STOP} <= set(enabled)
    return {**given, "SnapshotType": _FULL} if is_possible else given


def _last_snapshot(parameter: str) -> Callable[[View, Parameters, RequestContext], Parameters]:
    """Take the settings of a guest without saved memory for its last snapshot: libvirt-cim knew them by nothing else.

    Parameters:
        parameter: of the method, which means a snapshot.
    """

    def meant(view: View, given: Parameters, context: RequestContext) -> Parameters:
        path = given.get(parameter)
        if not isinstance(path, InstancePath):
            return given
        guest = str(key_of(path.keys, "InstanceID")).partition(":")[2]
        system = _find_guest(view, prefix_of(path.class_name), guest, context)
        if system is None or system.properties().get("EnabledState") == _SAVED:
            return given
        for association in view.true_associations("MostCurrentSnapshotInBranch", context):
            for last in association.to_right(system, context):
                return {**given, parameter: InstancePath(last.class_name, last.keys(), last.namespace)}
        return given

    return meant


SNAPSHOTS = Difference(
    section="Snapshots",
    values={
        "VirtualSystemSnapshotServiceCapabilities": {
            "SynchronousMethodsSupported": _where_any("SynchronousMethodsSupported", (3,)),
            "AynchronousMethodsSupported": _where_any("AynchronousMethodsSupported", (2, 4)),
            "SnapshotTypesSupported": _where_any("SnapshotTypesSupported", (32768, 32769)),
        }
    },
    refusals={
        (_SNAPSHOTS, "createsnapshot"): {
            1: _NO_SNAPSHOT,
            5: _fail("Unable to create snapshot: not possible in this state"),
            6: _NO_SNAPSHOT,
        },
        (_SNAPSHOTS, "applysnapshot"): {
            1: _refuse(Status.NOT_SUPPORTED, "Unable to apply snapshot: not supported"),
            5: _fail("Unable to apply snapshot: not possible in this state"),
        },
        (_SNAPSHOTS, "destroysnapshot"): {5: _fail("Unable to remove snapshot: there is none")},
    },
    arguments={
        (_SNAPSHOTS, "createsnapshot"): _as_it_can_be_applied,
        (_SNAPSHOTS, "applysnapshot"): _last_snapshot("Snapshot"),
        (_SNAPSHOTS, "destroysnapshot"): _last_snapshot("AffectedSnapshot"),
    },
    successes={method: {STARTED: lambda _request: True} for method in _SNAPSHOT_JOBS},
    synchronous=frozenset({_SNAPSHOTS}),
    jobs=_SNAPSHOT_JOBS,
)


def _is_newer_profile(_view: View, instance: Instance, _context: RequestContext) -> bool:
    return not str(instance.keys()["InstanceID"]).startswith("CIM:")


FILTERS = Difference(section="Network filters", roles={"NestedFilterList": "Antecedent"})

PROFILES = Difference(section="Profiles and namespaces", unknown={"RegisteredProfile": _is_newer_profile})


def _refusals_of(text: str) -> Mapping[int, Refusal]:
    """Give the refusals of a method of the management service, whose return values are the same for all."""
    reasons = {1: "not supported", 3: "not done in time", 5: "not possible in this state"}
    return {value: _fail(f"{text}: {reason}") for value, reason in reasons.items()}


_MANAGEMENT = "VirtualSystemManagementService"


def _uuid(value: CIMValue) -> CIMValue:
    """Leave out what is no UUID: libvirt-cim took no notice of it, and its test suite sends numbers."""
    try:
        return str(UUID(str(value)))
    except ValueError:
        return None


_DRIVES = (0, 1, 2)
"""EmulatedType of what has a size: disks, CD-ROM and floppy drives."""


def _has_sizes(view: View, result: MethodResult, context: RequestContext) -> bool:
    """Tell whether the sizes of the disks of a guest that was made are known: images are opened after the answer."""
    system = result.out.get("ResultingSystem")
    if not isinstance(system, InstancePath):
        return True
    prefix = prefix_of(system.class_name)
    keys = {"InstanceID": f"{prefix}:{key_of(system.keys, 'Name')}"}
    settings = view.find(f"{prefix}_VirtualSystemSettingData", keys, context)
    parts = (
        part.properties()
        for each in view.true_associations("VirtualSystemSettingDataComponent", context)
        for part in (() if settings is None else each.to_right(settings, context))
        if base_of(part.class_name) == "DiskResourceAllocationSettingData"
    )
    return all(
        each.get("VirtualQuantity") is not None
        for each in parts
        if _has_path(each) and each.get("EmulatedType") in _DRIVES
    )


MANAGEMENT = Difference(
    section="Managing guests",
    awaited={(_MANAGEMENT, "definesystem"): _has_sizes},
    sent={"VirtualSystemSettingData": {"UUID": _uuid}},
    values={
        "VirtualSystemManagementCapabilities": {
            "SynchronousMethodsSupported": _where_any("SynchronousMethodsSupported", (1, 2, 3, 5, 6, 7)),
            "VirtualSystemTypesSupported": lambda prefix, _properties: [prefix],
        }
    },
    refusals={
        (_MANAGEMENT, "definesystem"): _refusals_of("Failed to define domain"),
        (_MANAGEMENT, "destroysystem"): _refusals_of("Unable to destroy domain"),
        (_MANAGEMENT, "modifysystemsettings"): _refusals_of("Failed to define domain"),
        (_MANAGEMENT, "addresourcesettings"): _refusals_of("Unable to change (0) device"),
        (_MANAGEMENT, "removeresourcesettings"): _refusals_of("Unable to change (1) device"),
        (_MANAGEMENT, "modifyresourcesettings"): _refusals_of("Unable to change (2) device"),
    },
)

DIFFERENCES: Sequence[Difference] = (
    COMPUTER_SYSTEM,
    DEVICES,
    SETTINGS,
    POOLS,
    TEMPLATES,
    POOL_SERVICE,
    JOBS,
    MIGRATION,
    CONFIGURATIONS,
    STATES,
    SERVICES,
    SNAPSHOTS,
    FILTERS,
    PROFILES,
    MANAGEMENT,
)
