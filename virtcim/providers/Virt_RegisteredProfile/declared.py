"""Which profiles there can be: one line each.

There are two sets.  The first is that of libvirt-cim, whose clients look for its InstanceIDs and for the name "Virtual
System Profile"; the second one registers what the DMTF has published since, under the DMTF's names.  Each set is a
tree of its own, in which one autonomous profile refers to all others, so that a client that looks for the scoping
profile of a profile (DSP1033) finds exactly one.

The letters of drafts are left out of RegisteredVersion where the final version is registered under the same name:
pywbemcli cannot sort the two.
"""

from __future__ import annotations

from virtcim.schema.profiles import DeclaredProfile, numbered_id

__all__ = ["PROFILES"]

_HOST = ("HostSystem",)
_GUEST = ("ComputerSystem",)
_POOLS = ("ProcessorPool", "MemoryPool", "NetworkPool", "DiskPool", "GraphicsPool", "InputPool", "ControllerPool")
_GENERIC_POOLS = ("GraphicsPool", "InputPool", "ControllerPool")
_JOBS = ("ConcreteJob", "MigrationJob", "ProvisioningJob", "BackupJob")

_OLD_ROOT = "CIM:DSP1042-SystemVirtualization-1.0.0"
_GENERIC = ("CIM:DSP1059-GenericDeviceResourceVirtualization-1.0.0", "Generic Device Resource Virtualization", "1.0.0")
_ALLOCATION = ("CIM:DSP1041-ResourceAllocation-1.1.0c", "Resource Allocation", "1.1.0")
_SUFFIXES = {"_d": "DiskPool", "_n": "NetworkPool", "_p": "ProcessorPool", "_m": "MemoryPool"}


def _old(instance_id: str, name: str, version: str, central: str, scoping: tuple[str, ...] = ()) -> DeclaredProfile:
    return DeclaredProfile(instance_id, name, version, (central,), scoping, _OLD_ROOT)


def _each_pool(
    profile: tuple[str, str, str], suffixes: str, scoping: tuple[str, ...] = ()
) -> tuple[DeclaredProfile, ...]:
    """A profile that is registered once for each kind of pool."""
    instance_id, name, version = profile
    return tuple(
        _old(f"{instance_id}_{letter}", name, version, _SUFFIXES[f"_{letter}"], scoping) for letter in suffixes
    )


_OLD = (
    DeclaredProfile(_OLD_ROOT, "System Virtualization", "1.0.0", _HOST),
    _old("CIM:DSP1057-VirtualSystem-1.0.0a", "Virtual System Profile", "1.0.0a", "ComputerSystem"),
    *_each_pool(_GENERIC, "dnp"),
    _old("CIM:DSP1045-MemoryResourceVirtualization-1.0.0", "Memory Resource Virtualization", "1.0.0", "MemoryPool"),
    _old(
        "CIM:DSP1081-VirtualSystemMigration-0.8.1",
        "Virtual System Migration",
        "0.8.1",
        "VirtualSystemMigrationService",
    ),
    _old("CIM:DSP1076-KVMRedirection-1.0.0", "KVM Redirection", "1.0.0", "ConsoleRedirectionService", _HOST),
    _old(
        "CIM:DSP1043-AllocationCapabilities-1.0.0a",
        "Allocation Capabilities",
        "1.0.0",
        "AllocationCapabilities",
        _GUEST,
    ),
    *_each_pool(_ALLOCATION, "dnpm", _GUEST),
)

_ROOT = numbered_id(1042, "System Virtualization", "1.1.0")


def _current(number: int, name: str, version: str, *central: str) -> DeclaredProfile:
    instance_id = numbered_id(number, name, version)
    return DeclaredProfile(instance_id, name, version, central, (), None if instance_id == _ROOT else _ROOT)


_CURRENT = (
    _current(1042, "System Virtualization", "1.1.0", *_HOST),
    _current(1057, "Virtual System", "1.0.0", *_GUEST),
    _current(1041, "Resource Allocation", "1.1.0", *_POOLS),
    _current(1043, "Allocation Capabilities", "1.0.0", "AllocationCapabilities"),
    _current(1044, "Processor Resource Virtualization", "1.0.0", "ProcessorPool"),
    _current(1045, "Memory Resource Virtualization", "1.0.0", "MemoryPool"),
    _current(1047, "Storage Resource Virtualization", "1.0.0", "DiskPool"),
    _current(1050, "Ethernet Port Resource Virtualization", "1.0.0", "NetworkPool"),
    _current(1053, "Base Metrics", "1.0.1", "MetricService"),
    _current(1059, "Generic Device Resource Virtualization", "1.0.0", *_GENERIC_POOLS),
    _current(1076, "KVM Redirection", "1.0.0", "ConsoleRedirectionService"),
    _current(1081, "Virtual System Migration", "1.0.0", "VirtualSystemMigrationService"),
    _current(1103, "Job Control", "1.0.0", *_JOBS),
)

PROFILES: tuple[DeclaredProfile, ...] = (*_OLD, *_CURRENT)
"""All profiles, in the order of enumeration; libvirt-cim's come first."""
