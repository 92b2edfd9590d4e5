"""What must hold between what libvirt has and what a server shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree

from tests.sequences.facts import Facts

LEFT_OUT = re.compile(r"_(BaseMetricValue|ConcreteJob|MigrationJob|BackupJob|ProvisioningJob|MethodResult)$")
"""What was measured, and work: no two servers have these alike."""

RUNNING, PULL = 4, 3
"""JobState, and BackupMode."""

OWN = frozenset({"TimeOfLastStateChange", "RequestedState", "Reserved", "Capacity", "RemainingManagedSpace"})
"""Properties that a server knows of its own past, or that others change who use the same file system."""

REQUESTED = frozenset({"Limit", "Reservation", "VirtualQuantity"})
"""Those of memory that a guest was asked to give back, and has not: who asked for that knows it, and nobody else."""

SETS = ("settings", "disks", "ports", "pools", "volumes", "networks", "filters", "checkpoints", "pulled")
"""What is compared, but for the guests."""

Shown = Mapping[str, Mapping[str, Any]]
"""Instances by path: their properties."""


def by_path(instances: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Instances of the REST front end by their paths, with what two servers have alike."""
    return {
        str(each["path"]): {name: value for name, value in each["properties"].items() if name not in own}
        for each in instances
        if not LEFT_OUT.search(each["class"])
        for own in [OWN | REQUESTED if each["class"].endswith("_MemResourceAllocationSettingData") else OWN]
    }


def doubles(instances: Iterable[Mapping[str, Any]]) -> list[str]:
    """Paths that are listed more than once."""
    return [path for path, count in Counter(each["path"] for each in instances).items() if count > 1]


def listed(instances: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a server shows, in the words of `expected`."""
    found: dict[str, Any] = {each: set() for each in SETS}
    found["guests"] = {}
    for each in instances:
        base, properties = each["class"].partition("_")[2], each["properties"]
        match base:
            case "ComputerSystem":
                found["guests"][properties["Name"]] = (properties["EnabledState"], properties["UUID"])
            case "VirtualSystemSettingData":
                found["settings"].add(properties["InstanceID"])
            case "LogicalDisk":
                found["disks"].add(properties["DeviceID"])
            case "NetworkPort":
                found["ports"].add(properties["DeviceID"].lower())
            case "DiskPool" if not properties.get("Primordial"):
                found["pools"].add(properties["PoolID"].removeprefix("DiskPool/"))
            case "StorageVolume":
                found["volumes"].add(properties["Name"])
            case "NetworkPool" if not properties.get("Primordial"):
                found["networks"].add(properties["PoolID"].removeprefix("NetworkPool/"))
            case "FilterList":
                found["filters"].add(properties["Name"])
            case "Checkpoint":
                found["checkpoints"].add(properties["InstanceID"])
            case "BackupJob" if properties["JobState"] == RUNNING and properties["BackupMode"] == PULL:
                found["pulled"].add(properties["VirtualSystemName"])
    return found


def expected(facts: Facts) -> dict[str, Any]:
    """What is to be shown of what libvirt has."""
    settings, disks, ports, checkpoints = set(), set(), set(), set()
    for name, guest in facts.guests.items():
        settings |= {f"KVM:{name}", *(f"KVM:{name}/snapshot/{each}" for each in guest.parents)}
        checkpoints |= {f"KVM:{name}/checkpoint/{each}" for each in guest.checkpoints}
        document = etree.fromstring((guest.running or guest.defined).encode())
        disks |= {f"{name}/{each.get('dev')}" for each in document.iterfind("devices/disk/target")}
        disks |= {f"{name}/{each.get('dir')}" for each in document.iterfind("devices/filesystem/target")}
        ports |= {f"{name}/{each.get('address')}".lower() for each in document.iterfind("devices/interface/mac")}
    return {
        "guests": {name: (guest.enabled, guest.uuid) for name, guest in facts.guests.items()},
        "settings": settings,
        "disks": disks,
        "ports": ports,
        "pools": set(facts.pools),
        "volumes": {path for pool in facts.pools.values() for path in pool.volumes},
        "networks": set(facts.networks),
        "filters": set(facts.filters),
        "checkpoints": checkpoints,
        "pulled": {name for name, guest in facts.guests.items() if guest.pulled},
    }


def difference(shown: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Where a server shows something else than libvirt has; "" where it does not."""
    lines = []
    for name, wanted in facts.items():
        found = shown[name]
        if name == "settings":
            found = {each for each in found if not each.endswith("/defined")}
        if found == wanted:
            continue
        if isinstance(wanted, dict):
            both = {key: (found.get(key), wanted.get(key)) for key in found.keys() | wanted.keys()}
            lines.append(f"{name}: shown, and there: { ({k: v for k, v in both.items() if v[0] != v[1]}) }")
        else:
            lines.append(f"{name}: shown only {sorted(found - wanted)}, not shown {sorted(wanted - found)}")
    return "; ".join(lines)


def unlike(one: Shown, other: Shown) -> list[str]:
    """Where two servers show something else."""
    lines = [f"only the first shows {path}" for path in one.keys() - other.keys()]
    lines += [f"only the second shows {path}" for path in other.keys() - one.keys()]
    for path in one.keys() & other.keys():
        mine, others = one[path], other[path]
        lines += [
            f"{path} {name}: {mine.get(name)!r} and {others.get(name)!r}"
            for name in mine.keys() | others.keys()
            if mine.get(name) != others.get(name)
        ]
    return sorted(lines)
