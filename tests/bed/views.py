"""What a client sees through the server, in the words of the tests."""

from __future__ import annotations

from typing import Any

import pywbem

from tests.bed.daemon import Libvirtd
from tests.bed.server import Server

ENABLED, DISABLED, SHUTTING_DOWN, OFFLINE, QUIESCE = 2, 3, 4, 6, 9

NO_CONTACT = 12

#: virsh's word for a state -> EnabledState (DSP1057: paused is Quiesce, suspended is Enabled but Offline).
ENABLED_STATE = {
    "no state": 0,
    "running": ENABLED,
    "idle": ENABLED,
    "paused": QUIESCE,
    "in shutdown": SHUTTING_DOWN,
    "shut off": DISABLED,
    "crashed": DISABLED,
    "pmsuspended": OFFLINE,
}


def enabled_states(server: Server, class_name: str = "KVM_ComputerSystem") -> dict[str, int]:
    """Name -> EnabledState of the guests of a class."""
    with server.pywbem() as connection:
        found = connection.EnumerateInstances(class_name, PropertyList=["Name", "EnabledState"])
    return {instance["Name"]: int(instance["EnabledState"]) for instance in found}


def libvirt_states(daemon: Libvirtd, driver: str = "qemu") -> dict[str, int]:
    """The same by `virsh list --all`."""
    return {name: ENABLED_STATE[state] for name, state in daemon.list_all(driver).items()}


def operational_states(server: Server, class_name: str = "KVM_ComputerSystem") -> dict[str, list[int]]:
    """Name -> OperationalStatus of the guests of a class."""
    with server.pywbem() as connection:
        found = connection.EnumerateInstances(class_name, PropertyList=["Name", "OperationalStatus"])
    return {instance["Name"]: [int(value) for value in instance["OperationalStatus"]] for instance in found}


def guest_keys(name: str, class_name: str = "KVM_ComputerSystem") -> dict[str, str]:
    """The keys of a guest."""
    return {"CreationClassName": class_name, "Name": name}


def guest_path(name: str, class_name: str = "KVM_ComputerSystem") -> str:
    """A guest as wbemcli wants it."""
    return f'{class_name}.CreationClassName="{class_name}",Name="{name}"'


def guest_instance(server: Server, name: str, class_name: str = "KVM_ComputerSystem") -> Any:
    """GetInstance of a guest by pywbem."""
    with server.pywbem() as connection:
        return connection.GetInstance(instance_path(guest_keys(name, class_name), class_name))


def instance_path(keys: dict[str, str], class_name: str) -> Any:
    """A path for pywbem."""
    return pywbem.CIMInstanceName(class_name, keys, namespace="root/virt")


def request_state(server: Server, name: str, state: int, class_name: str = "KVM_ComputerSystem") -> int:
    """RequestStateChange by pywbem; its return value."""
    with server.pywbem() as connection:
        value, _ = connection.InvokeMethod(
            "RequestStateChange",
            instance_path(guest_keys(name, class_name), class_name),
            [("RequestedState", pywbem.Uint16(state))],
        )
    return int(value)
