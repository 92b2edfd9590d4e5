"""What the scripts of libvirt-cim's users send that it refused or answered in words of its own: a table.

Each row has what libvirt-cim answered.  Where this server answers otherwise, the row has that, and words of the line of
docs/compatibility.md that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pywbem

__all__ = ["EVERYWHERE", "FORMS", "Form", "Guest", "Instead"]

RASD = "ResourceAllocationSettingData"
FAILED, ACCESS_DENIED, INVALID_PARAMETER, INVALID_CLASS, NOT_FOUND, NOT_SUPPORTED = 1, 2, 4, 5, 6, 7
NO_SUCH_PROPERTY, TYPE_MISMATCH, METHOD_NOT_FOUND = 12, 13, 17

EVERYWHERE = ("Test", "KVM", "LXC")
WITH_MIGRATION = ("KVM",)
WITHOUT_MIGRATION = ("Test", "LXC")
VIRTUAL = ("Test", "KVM")


@dataclass(frozen=True)
class Guest:
    """Whom a form asks, and about which guest.

    Attributes:
        client: of the server.
        prefix: of the platform's classes.
        name: of a guest of it.
        pool: the name of a storage pool.
        port: of the server.
    """

    client: Any
    prefix: str
    name: str
    pool: str
    port: int

    def path(self, base: str, **keys: str) -> pywbem.CIMInstanceName:
        return pywbem.CIMInstanceName(f"{self.prefix}_{base}", keys, namespace="root/virt")

    def system(self, name: str) -> pywbem.CIMInstanceName:
        return self.path("ComputerSystem", CreationClassName=f"{self.prefix}_ComputerSystem", Name=name)

    def device(self, base: str, identifier: str, guest: str | None = None) -> pywbem.CIMInstanceName:
        keys = {"CreationClassName": f"{self.prefix}_{base}", "SystemName": guest or self.name, "DeviceID": identifier}
        return self.path(base, SystemCreationClassName=f"{self.prefix}_ComputerSystem", **keys)

    def mof(self, base: str, text: str = "") -> str:
        """An embedded instance, as those scripts write it."""
        return f"instance of {self.prefix}_{base} {{ {text} }};"

    def remove_others(self) -> None:
        """Remove the guests that a form has made."""
        for each in self.client.EnumerateInstanceNames(f"{self.prefix}_ComputerSystem"):
            if each["Name"] != self.name:
                self.manage("DestroySystem", AffectedSystem=each)

    def get(self, path: pywbem.CIMInstanceName) -> Any:
        return self.client.GetInstance(path)

    def led_to(self, path: pywbem.CIMInstanceName, association: str) -> Any:
        return self.client.Associators(path, AssocClass=f"{self.prefix}_{association}")

    def on_class(self, service: str, method: str, **arguments: Any) -> Any:
        """Invoke a method of a service as those scripts do, on its class; give its return value."""
        return self.client.InvokeMethod(method, f"{self.prefix}_{service}", **arguments)[0]

    def manage(self, method: str, **arguments: Any) -> Any:
        return self.on_class("VirtualSystemManagementService", method, **arguments)

    def define(self, *resources: str, system: str = 'VirtualSystemIdentifier = "new";', reference: Any = " ") -> Any:
        settings = self.mof("VirtualSystemSettingData", system)
        arguments = {"SystemSettings": settings, "ResourceSettings": list(resources)}
        return self.manage("DefineSystem", ReferenceConfiguration=reference, **arguments)

    def define_with(self, kind: str, text: str = "") -> Any:
        return self.define(self.memory, self.mof(f"{kind}{RASD}", text))

    @property
    def memory(self) -> str:
        return self.mof(f"Mem{RASD}", 'VirtualQuantity = 64; AllocationUnits = "MegaBytes";')

    def settings(self, name: str) -> pywbem.CIMInstanceName:
        return self.path("VirtualSystemSettingData", InstanceID=f"{self.prefix}:{name}")

    def add(self, *resources: str, to: str | None = None) -> Any:
        target = self.settings(to or self.name)
        return self.manage("AddResourceSettings", AffectedConfiguration=target, ResourceSettings=list(resources))

    def modify(self, kind: str, text: str) -> Any:
        return self.manage("ModifyResourceSettings", ResourceSettings=[self.mof(f"{kind}{RASD}", text)])

    def modify_system(self, text: str) -> Any:
        return self.manage("ModifySystemSettings", SystemSettings=self.mof("VirtualSystemSettingData", text))

    def remove(self, kind: str, identifier: str) -> Any:
        path = self.path(f"{kind}{RASD}", InstanceID=f"{self.name}/{identifier}")
        return self.manage("RemoveResourceSettings", ResourceSettings=[path])

    def request_state(self, system: pywbem.CIMInstanceName, state: int, **arguments: Any) -> Any:
        wanted = pywbem.Uint16(state)
        return self.client.InvokeMethod("RequestStateChange", system, RequestedState=wanted, **arguments)[0]

    def migrate(self, method: str = "CheckVirtualSystemIsMigratableToHost", **arguments: Any) -> Any:
        given = {"ComputerSystem": self.system(self.name), "DestinationHost": "localhost", **arguments}
        return self.on_class("VirtualSystemMigrationService", method, **given)

    def snapshot(self, method: str, **arguments: Any) -> Any:
        return self.on_class("VirtualSystemSnapshotService", method, **arguments)

    def create_snapshot(self, **arguments: Any) -> Any:
        return self.snapshot("CreateSnapshot", SnapshotSettings=self.mof("VirtualSystemSettingData"), **arguments)

    def pools(self, method: str, **arguments: Any) -> Any:
        return self.on_class("ResourcePoolConfigurationService", method, **arguments)

    def new_pool(self, text: str, kind: str = "DiskPool", **arguments: Any) -> Any:
        settings = [self.mof(f"{kind}{RASD}", text)]
        return self.pools("CreateChildResourcePool", ElementName="formless", Settings=settings, **arguments)

    def pool_path(self, name: str) -> pywbem.CIMInstanceName:
        return self.path("DiskPool", InstanceID=name)

    def volume(self, text: str, kind: str = "StorageVolume") -> Any:
        settings = self.mof(f"{kind}{RASD}", text)
        return self.pools("CreateResourceInPool", Settings=settings, Pool=self.pool_path(f"DiskPool/{self.pool}"))

    def delete_volume(self, text: str) -> Any:
        resource = self.mof(f"StorageVolume{RASD}", text)
        return self.pools("DeleteResourceInPool", Resource=resource, Pool=self.pool_path(f"DiskPool/{self.pool}"))


@dataclass(frozen=True)
class Instead:
    """What this server answers in place of libvirt-cim's answer.

    Attributes:
        listed: words of the line of docs/compatibility.md.
        status: the CIM status code, 0 for an answer.
        text: how the error's text begins; of an answer, the return value.
        is_undone: whether the drop-in mode gives libvirt-cim's answer.
    """

    listed: str
    status: int
    text: str = ""
    is_undone: bool = False


@dataclass(frozen=True)
class Form:
    """Something that is asked, and what libvirt-cim answered.

    Attributes:
        name: what it is about.
        ask: asks it; gives the return value.
        status: the CIM status code of libvirt-cim's error, 0 for an answer.
        text: how the error's text began; of an answer, the return value.
        instead: what this server answers; None for the same.
        of: the prefixes of the platforms for which it is so.
    """

    name: str
    ask: Callable[[Guest], Any]
    status: int
    text: str = ""
    instead: Instead | None = None
    of: tuple[str, ...] = EVERYWHERE


def _named(name: str) -> str:
    return f'VirtualSystemIdentifier = "{name}";'


def _nameless(guest: Guest) -> pywbem.CIMInstanceName:
    return guest.path("ComputerSystem", CreationClassName=f"{guest.prefix}_ComputerSystem")


def _with(kind: str, text: str) -> Callable[[Guest], Any]:
    return lambda guest: guest.define_with(kind, text)


def _pool_of(text: str) -> Callable[[Guest], Any]:
    return lambda guest: guest.new_pool(text)


def _moved_by(method: str) -> Callable[[Guest], Any]:
    return lambda guest: guest.migrate(method)


def _of_pools(method: str) -> Callable[[Guest], Any]:
    return lambda guest: guest.pools(method)


_INCOMPLETE = "GetInstance and methods with an incomplete path"
_NO_MIGRATION = "on a platform without migration"


def _keys() -> Iterator[Form]:
    yield Form(
        "an unknown guest", lambda g: g.get(g.system("nobody")), NOT_FOUND, "Referenced domain `nobody' does not exist"
    )
    yield Form(
        "a guest of another class",
        lambda g: g.get(g.path("ComputerSystem", CreationClassName="x", Name=g.name)),
        NOT_FOUND,
        "No such instance (CreationClassName)",
    )
    yield Form(
        "another host",
        lambda g: g.get(g.path("HostSystem", CreationClassName=f"{g.prefix}_HostSystem", Name="other")),
        NOT_FOUND,
        "No such instance (Name)",
    )
    yield Form(
        "a device that names no guest",
        lambda g: g.get(g.device("Memory", "nothing")),
        NOT_FOUND,
        "No such instance (bad id nothing)",
    )
    yield Form(
        "a device of nobody",
        lambda g: g.get(g.device("Memory", "nobody/mem", "nobody")),
        NOT_FOUND,
        "No such instance (no domain for nobody/mem)",
    )
    yield Form(
        "a device that is not there",
        lambda g: g.get(g.device("LogicalDisk", f"{g.name}/zz")),
        NOT_FOUND,
        "No such instance (no device ",
    )
    yield Form(
        "a device of another guest",
        lambda g: g.get(g.device("Memory", f"{g.name}/mem", "other")),
        NOT_FOUND,
        "No such instance (SystemName)",
    )
    yield Form(
        "a pool of another kind",
        lambda g: g.get(g.path("MemoryPool", InstanceID="ProcessorPool/0")),
        NOT_FOUND,
        "No such instance (ProcessorPool/0) - resource pool type mismatch",
    )
    yield Form(
        "an unknown pool",
        lambda g: g.get(g.path("NetworkPool", InstanceID="NetworkPool/nix")),
        NOT_FOUND,
        "No such instance (nix)",
    )
    yield Form(
        "a setting of nobody",
        lambda g: g.get(g.path(f"Mem{RASD}", InstanceID="nobody/mem")),
        NOT_FOUND,
        "No such instance (nobody/mem)",
    )
    yield Form("settings of nobody", lambda g: g.get(g.settings("nobody")), NOT_FOUND, "No such instance (nobody)")
    yield Form(
        "settings without a prefix",
        lambda g: g.get(g.path("VirtualSystemSettingData", InstanceID=g.name)),
        NOT_FOUND,
        "No such instance (InstanceID)",
    )
    yield Form(
        "capabilities of no pool",
        lambda g: g.get(g.path("AllocationCapabilities", InstanceID="MemoryPool/9")),
        NOT_FOUND,
        "Instance not found.",
    )
    yield Form("a guest that is deleted", lambda g: g.client.DeleteInstance(g.system(g.name)), NOT_SUPPORTED)
    yield Form(
        "templates without a pool",
        lambda g: g.led_to(g.path("AllocationCapabilities", Wrong="x"), "SettingsDefineCapabilities"),
        FAILED,
        "Missing InstanceID",
    )
    yield Form(
        "templates of an unknown pool",
        lambda g: g.led_to(g.path("AllocationCapabilities", InstanceID="MemoryPool/9"), "SettingsDefineCapabilities"),
        NOT_FOUND,
        "No such instance (9)",
    )
    yield Form(
        "devices of nobody",
        lambda g: g.led_to(g.system("nobody"), "SystemDevice"),
        NOT_FOUND,
        "Referenced domain `nobody' does not exist",
    )


def _methods() -> Iterator[Form]:
    yield Form(
        "an unknown method",
        lambda g: g.manage("NoSuch"),
        FAILED,
        "Unknown Method",
        Instead("A method that the class does not have", METHOD_NOT_FOUND),
    )
    yield Form(
        "an argument of another type",
        lambda g: g.client.InvokeMethod("RequestStateChange", g.system(g.name), RequestedState="two"),
        TYPE_MISMATCH,
        "",
        Instead("An argument of another type", INVALID_PARAMETER, "RequestedState"),
    )
    yield Form(
        "an argument that the method does not have",
        lambda g: g.request_state(g.system("nobody"), 2, Foo="x"),
        INVALID_PARAMETER,
        "Unable to get instance for guest 'nobody'",
        Instead("An argument of another type", INVALID_PARAMETER, "Method RequestStateChange has no parameter Foo"),
    )
    yield Form("an argument that is not there", lambda g: g.manage("DestroySystem"), INVALID_PARAMETER)
    yield Form(
        "an argument that cannot be read",
        lambda g: g.manage("DefineSystem", SystemSettings="nonsense"),
        FAILED,
        "Unable to parse embedded object",
    )
    yield Form(
        "an embedded instance of no class",
        lambda g: g.manage("DefineSystem", SystemSettings="instance of No_Such { };"),
        FAILED,
        "Unable to parse embedded object",
        Instead("An embedded instance of a class that does not exist", INVALID_PARAMETER, "Class No_Such"),
    )
    yield Form(
        "the state of nobody",
        lambda g: g.request_state(g.system("nobody"), 2),
        INVALID_PARAMETER,
        "Unable to get instance for guest 'nobody'",
    )
    yield Form(
        "a state that does not exist",
        lambda g: g.request_state(g.system(g.name), 77),
        NOT_SUPPORTED,
        "State not supported",
        Instead("5 Invalid Parameter", 0, "5", is_undone=True),
    )
    yield Form(
        "the state of a guest without a name",
        lambda g: g.request_state(_nameless(g), 2),
        FAILED,
        "Name key not specified",
        Instead(_INCOMPLETE, INVALID_PARAMETER, ""),
    )


def _definitions() -> Iterator[Form]:
    error = "ResourceSettings Error: "
    yield Form("no resources", lambda g: g.define(), FAILED, f"{error}No resources specified")
    yield Form(
        "a clock that does not exist",
        lambda g: g.define(g.memory, system=f"{_named('new')} ClockOffset = 7;"),
        FAILED,
        "SystemSettings Error",
    )
    yield Form(
        "a resource that is none",
        lambda g: g.define(g.mof("ComputerSystem", 'Name = "x";')),
        FAILED,
        f"{error}Unable to determine resource type",
        Instead("An embedded instance of a class that the parameter is not for", INVALID_PARAMETER, "ResourceSettings"),
    )
    yield Form(
        "a UUID that is taken",
        lambda g: g.define(g.memory, system=f'{_named("new")} UUID = "{g.get(g.system(g.name))["UUID"]}";'),
        FAILED,
        "Guest '",
    )
    yield Form(
        "after a guest of another platform",
        lambda g: g.define(
            g.memory,
            reference=pywbem.CIMInstanceName(
                "Xen_VirtualSystemSettingData", {"InstanceID": "Xen:x"}, namespace="root/virt"
            ),
        ),
        INVALID_CLASS,
        "ReferenceConfiguration domain is not compatible",
    )
    yield Form(
        "after a guest without an InstanceID",
        lambda g: g.define(g.memory, reference=g.path("VirtualSystemSettingData", Foo="x")),
        INVALID_PARAMETER,
        "Missing `InstanceID' from ReferenceConfiguration",
    )
    yield Form(
        "after a guest with another InstanceID",
        lambda g: g.define(g.memory, reference=g.path("VirtualSystemSettingData", InstanceID="bad")),
        INVALID_PARAMETER,
        "Invalid `InstanceID' from ReferenceConfiguration",
    )
    yield Form(
        "after nobody",
        lambda g: g.define(g.memory, reference=g.settings("nobody")),
        NOT_FOUND,
        "Referenced domain `nobody' does not exist",
    )
    for name, kind, text, expected in (
        ("memory without a size", "Mem", "", "Missing `VirtualQuantity' field in Memory RASD"),
        (
            "memory in unknown units",
            "Mem",
            'VirtualQuantity = 1; AllocationUnits = "x";',
            "Unknown AllocationUnits in Memory",
        ),
        ("an interface of no type", "Net", "", "No Network Type specified"),
        ("an interface of an unknown type", "Net", 'NetworkType = "foo";', "Invalid Network Type specified"),
        ("a bridge without a name", "Net", 'NetworkType = "bridge";', "No Network bridge name specified"),
        ("a bridge with an empty name", "Net", 'NetworkType = "bridge"; NetworkName = "";', "Bridge name is empty"),
        (
            "a pool without a slash",
            "Net",
            'NetworkType = "network"; PoolID = "x";',
            "PoolID specified is not formatted properly",
        ),
        ("no device of the host", "Net", 'NetworkType = "direct";', "No Source Device specified"),
        ("an empty device of the host", "Net", 'NetworkType = "direct"; SourceDevice = "";', "Source Device is empty"),
        (
            "half an address",
            "Net",
            'NetworkType = "user"; AddressProperties = {"type"};',
            "AddressProperties not matching",
        ),
        ("a controller of no type", "Controller", "", "ControllerRASD ResourceSubType field not valid"),
    ):
        yield Form(name, _with(kind, text), FAILED, f"{error}{expected}")
    for name, kind, text, expected in (
        ("a disk without a name", "Disk", 'Address = "/no/such";', "Missing `VirtualDevice' property"),
        (
            "a drive of an unknown type",
            "Disk",
            'VirtualDevice = "vda"; Address = "/"; EmulatedType = 9;',
            "Invalid value for EmulatedType",
        ),
        ("processors without a number", "Proc", "", "Missing `VirtualQuantity' field in Processor RASD"),
        ("a display of no type", "Graphics", "", "GraphicsRASD ResourceSubType field not valid"),
        (
            "a display of an unknown type",
            "Graphics",
            'ResourceSubType = "foo";',
            "Unsupported graphics type",
        ),
        (
            "a display without a port",
            "Graphics",
            'ResourceSubType = "vnc"; Address = "127.0.0.1";',
            "GraphicsRASD field Address not valid",
        ),
        (
            "a window of no display",
            "Graphics",
            'ResourceSubType = "sdl"; Address = "foo";',
            "GraphicsRASD sdl Address not valid",
        ),
        ("a console of no source", "Console", "", "ConsoleRASD: SourceType field not specified."),
        ("a console of an unknown source", "Console", "SourceType = 44;", "ConsoleRASD: Invalid SourceType value"),
        ("a console in no file", "Console", "SourceType = 4;", "ConsoleRASD:"),
        ("a console of one way", "Console", 'SourceType = 7; BindURL = "udp://127.0.0.1:1";', "ConsoleRASD:"),
    ):
        yield Form(name, _with(kind, text), FAILED, f"{error}{expected}", of=VIRTUAL)
    yield Form(
        "a disk that is nowhere",
        lambda g: g.define_with("Disk", 'VirtualDevice = "vda"; Address = "/no/such";'),
        FAILED,
        f"{error}Can't get a valid disk type, Device vda, Address /no/such, make sure Address can be accessed on host",
        of=("KVM",),
    )
    yield Form(
        "a disk that is nowhere, of another host",
        lambda g: g.define_with("Disk", 'VirtualDevice = "vda"; Address = "/no/such";'),
        FAILED,
        f"{error}Can't get a valid disk type",
        Instead("of a host that the server is not on", 0, "0"),
        of=("Test",),
    )
    for name, kind, text, expected in (
        ("a directory for no place", "Disk", 'Address = "/no/such";', "Missing `MountPoint' field"),
        ("a place for no directory", "Disk", 'MountPoint = "/x";', "Missing `Address' field"),
        (
            "a display of a container",
            "Graphics",
            'ResourceSubType = "vnc";',
            "Resource type not supported on this platform",
        ),
    ):
        yield Form(name, _with(kind, text), FAILED, f"{error}{expected}", of=("LXC",))
    yield Form(
        "processors of a container",
        lambda g: g.define_with("Proc", "VirtualQuantity = 1;"),
        FAILED,
        f"{error}ProcRASD field VirtualQuantity not valid for LXC",
        Instead("Proc.VirtualQuantity on LXC", 0, "0"),
        of=("LXC",),
    )
    yield Form(
        "a console of a container",
        lambda g: g.define_with("Console", "SourceType = 2;"),
        FAILED,
        f"{error}Resource type not supported on this platform",
        Instead("consoles of containers", 0, "0"),
        of=("LXC",),
    )
    yield Form(
        "an address of IPv4 for IPv6 only",
        lambda g: g.define_with("Graphics", 'ResourceSubType = "vnc"; Address = "127.0.0.1:-1"; IsIPv6Only = true;'),
        0,
        "0",
        Instead("IsIPv6Only with an Address of IPv4", FAILED, f"{error}IsIPv6Only and Address", is_undone=True),
        of=VIRTUAL,
    )
    yield Form(
        "a network to come",
        lambda g: g.define_with("Net", 'NetworkType = "network"; PoolID = "NetworkPool/to come";'),
        0,
        "0",
    )
    yield Form(
        "a UUID that is a number",
        lambda g: g.define(g.memory, system=f"{_named('new')} UUID = 1;"),
        0,
        "0",
        Instead("UUID that is none", FAILED, "SystemSettings Error: Invalid value for UUID", is_undone=True),
    )
    yield Form(
        "a property twice",
        lambda g: g.define(g.memory, system=f"{_named('new')} AutoStart = 0; AutoStart = 1;"),
        0,
        "0",
        Instead("a property twice in one instance", INVALID_PARAMETER),
    )
    yield Form(
        "a pool that is none beside a path",
        lambda g: g.define_with("Disk", 'VirtualDevice = "vda"; Address = "/a"; PoolID = "None";'),
        0,
        "0",
        of=("Test",),
    )
    yield Form(
        "a guest that is not fully virtual",
        lambda g: g.define(g.memory, system=f"{_named('new')} IsFullVirt = false;"),
        0,
        "0",
        Instead("IsFullVirt false", FAILED, "SystemSettings Error: Invalid value for IsFullVirt"),
        of=("KVM",),
    )
    yield Form(
        "a guest without a name",
        lambda g: g.define(g.memory, system=""),
        FAILED,
        "SystemSettings Error",
        Instead("DefineSystem without VirtualSystemIdentifier", 0, "0"),
    )


def _changes() -> Iterator[Form]:
    yield Form(
        "nobody is removed",
        lambda g: g.manage("DestroySystem", AffectedSystem=g.system("nobody")),
        NOT_FOUND,
        "Referenced domain `nobody' does not exist",
    )
    yield Form(
        "a guest without a name is removed",
        lambda g: g.manage("DestroySystem", AffectedSystem=g.path("ComputerSystem", CreationClassName="x")),
        NOT_FOUND,
        "Unable to retrieve domain name",
    )
    yield Form(
        "settings of no guest", lambda g: g.modify_system(""), NO_SUCH_PROPERTY, "Missing VirtualSystemIdentifier"
    )
    yield Form(
        "settings for nobody",
        lambda g: g.modify_system(_named("nobody")),
        NOT_FOUND,
        "Referenced domain `nobody' does not exist",
    )
    yield Form(
        "another UUID",
        lambda g: g.modify_system(f'{_named(g.name)} UUID = "11111111-2222-3333-4444-555555555555";'),
        FAILED,
        "",
    )
    yield Form("no settings", lambda g: g.manage("ModifySystemSettings"), FAILED, "Missing SystemSettings")
    yield Form(
        "a resource for no guest",
        lambda g: g.manage(
            "AddResourceSettings",
            AffectedConfiguration=g.path("VirtualSystemSettingData", Foo="x"),
            ResourceSettings=[g.memory],
        ),
        INVALID_PARAMETER,
        "AffectedConfiguration has invalid InstanceID",
    )
    yield Form(
        "a resource for nobody",
        lambda g: g.add(g.memory, to="nobody"),
        NOT_FOUND,
        "Referenced domain `nobody' does not exist",
    )
    yield Form("more memory", lambda g: g.add(g.memory), FAILED, "Cannot add resources of type 4")
    yield Form(
        "more processors",
        lambda g: g.add(g.mof(f"Proc{RASD}", "VirtualQuantity = 1;")),
        FAILED,
        "Cannot add resources of type 3",
    )
    yield Form(
        "an interface of no type is added",
        lambda g: g.add(g.mof(f"Net{RASD}")),
        FAILED,
        "Add resource failed: No Network Type specified",
    )
    yield Form(
        "a change of nothing",
        lambda g: g.modify("Mem", "VirtualQuantity = 1;"),
        INVALID_PARAMETER,
        "Missing InstanceID in RASD",
    )
    yield Form(
        "a change of no guest",
        lambda g: g.modify("Mem", 'InstanceID = "foo";'),
        INVALID_PARAMETER,
        "Invalid InstanceID `foo'",
    )
    yield Form(
        "a change of nobody",
        lambda g: g.modify("Mem", 'InstanceID = "nobody/mem";'),
        NOT_FOUND,
        "No such instance (nobody/mem)",
    )
    yield Form(
        "a change in unknown units",
        lambda g: g.modify("Mem", f'InstanceID = "{g.name}/mem"; VirtualQuantity = 1; AllocationUnits = "x";'),
        FAILED,
        "Modify resource failed: Unknown AllocationUnits in Memory RASD",
    )
    yield Form("nothing is removed", lambda g: g.remove("Disk", "zz"), NOT_FOUND, "No such instance (")
    yield Form("memory is removed", lambda g: g.remove("Mem", "mem"), FAILED, "Cannot delete resources of type 4")
    yield Form(
        "processors are removed", lambda g: g.remove("Proc", "proc"), FAILED, "Cannot delete resources of type 3"
    )


def _moves() -> Iterator[Form]:
    yield Form(
        "a guest without a name is moved",
        lambda g: g.migrate(ComputerSystem=_nameless(g)),
        FAILED,
        "Missing key (Name) in ComputerSystem",
        of=WITH_MIGRATION,
    )
    yield Form(
        "a guest of another class is moved",
        lambda g: g.migrate(ComputerSystem=g.path("ComputerSystem", CreationClassName="x", Name=g.name)),
        FAILED,
        "Invalid REF in ComputerSystem",
        of=WITH_MIGRATION,
    )
    yield Form(
        "nobody is moved",
        lambda g: g.migrate(ComputerSystem=g.system("nobody")),
        NOT_FOUND,
        "No such domain",
        of=WITH_MIGRATION,
    )
    yield Form(
        "nobody is moved, by the name of a superclass",
        lambda g: g.migrate(
            ComputerSystem=pywbem.CIMInstanceName(
                "CIM_ComputerSystem", g.system("nobody").keybindings, namespace="root/virt"
            )
        ),
        NOT_FOUND,
        "No such domain",
        of=WITH_MIGRATION,
    )
    yield Form(
        "to a host without a name",
        lambda g: g.on_class(
            "VirtualSystemMigrationService",
            "CheckVirtualSystemIsMigratableToSystem",
            ComputerSystem=g.system(g.name),
            DestinationSystem=g.path("HostSystem", CreationClassName="x"),
        ),
        FAILED,
        "Missing key (Name) in DestinationSystem",
        of=WITH_MIGRATION,
    )
    yield Form(
        "in an unknown way",
        lambda g: g.migrate(
            "MigrateVirtualSystemToHost",
            MigrationSettingData=g.mof("VirtualSystemMigrationSettingData", "MigrationType = 9;"),
        ),
        FAILED,
        "Unsupported migration type 9",
        of=WITH_MIGRATION,
    )
    for method in ("CheckVirtualSystemIsMigratableToHost", "MigrateVirtualSystemToHost"):
        yield Form(
            f"{method} where there is no migration",
            _moved_by(method),
            FAILED,
            "Failed to construct a valid libvirt URI",
            Instead(_NO_MIGRATION, 0, "1", is_undone=True),
            of=WITHOUT_MIGRATION,
        )
    yield Form(
        "a snapshot of nobody's",
        lambda g: g.create_snapshot(
            AffectedSystem=g.path("ComputerSystem", CreationClassName="x"), SnapshotType=pywbem.Uint16(32768)
        ),
        INVALID_PARAMETER,
        "Missing Name property of AffectedSystem",
    )
    yield Form(
        "a snapshot of an unknown type",
        lambda g: g.create_snapshot(AffectedSystem=g.system(g.name), SnapshotType=pywbem.Uint16(9)),
        NOT_SUPPORTED,
        "Only memory(32768,32769) snapshots are supported",
        Instead("6 Invalid Type", 0, "6", is_undone=True),
    )
    yield Form(
        "a snapshot of no form",
        lambda g: g.snapshot("ApplySnapshot", Snapshot=g.path("VirtualSystemSettingData", InstanceID="bad")),
        FAILED,
        "Invalid InstanceID in Snapshot",
    )


def _pools() -> Iterator[Form]:
    for method in ("CreateResourcePool", "RemoveResourcesFromResourcePool"):
        yield Form(
            method,
            _of_pools(method),
            NOT_SUPPORTED,
            "",
            Instead(method, 0, "1", is_undone=True),
        )
    yield Form(
        "AddResourcesToResourcePool",
        lambda g: g.pools("AddResourcesToResourcePool"),
        FAILED,
        "Unknown Method",
        Instead("AddResourcesToResourcePool", 0, "1", is_undone=True),
    )
    yield Form("a pool of nothing", lambda g: g.pools("CreateChildResourcePool", ElementName="x"), INVALID_PARAMETER)
    for name, text, expected in (
        ("a pool of no type", 'Path = "/tmp";', "Missing `Type' property"),
        ("a pool of an unknown type", 'Type = 99; Path = "/tmp";', "Storage pool type not supported"),
        ("a pool without a place", "Type = 1;", "Missing `Path' property"),
        ("a file system on nothing", 'Type = 2; Path = "/tmp";', "Missing `DevicePaths' property"),
        (
            "a file system on two",
            'Type = 2; Path = "/tmp"; DevicePaths = {"/a", "/b"};',
            "Specified pool type only takes one device path",
        ),
    ):
        yield Form(name, _pool_of(text), FAILED, f"Settings Error: {expected}")
    yield Form(
        "an unknown pool is removed",
        lambda g: g.pools("DeleteResourcePool", Pool=g.pool_path("DiskPool/nix")),
        FAILED,
        "Resource pool instance does not exist",
    )
    yield Form(
        "a pool of no form is removed",
        lambda g: g.pools("DeleteResourcePool", Pool=g.pool_path("nix")),
        INVALID_PARAMETER,
        "Pool has invalid InstanceID",
    )
    yield Form(
        "a volume of nothing",
        lambda g: g.pools("CreateResourceInPool", Pool=g.pool_path(f"DiskPool/{g.pool}")),
        INVALID_PARAMETER,
        "Missing argument `Settings'",
    )
    yield Form(
        "a volume in nothing",
        lambda g: g.pools("CreateResourceInPool", Settings=g.mof(f"StorageVolume{RASD}")),
        INVALID_PARAMETER,
        "Missing argument `Pool'",
    )
    yield Form(
        "a volume of another kind",
        lambda g: g.volume("", kind="Mem"),
        FAILED,
        "Unable to get attributes for resource: This function does not support this resource type",
    )
    yield Form(
        "a volume without a size",
        lambda g: g.volume('VolumeName = "v"; FormatType = 1;'),
        FAILED,
        "Unable to get attributes for resource: StorageVolumeRASD",
    )
    yield Form("a volume without an address", lambda g: g.delete_volume(""), FAILED, "Missing Address in resource RASD")
    yield Form(
        "an unknown volume", lambda g: g.delete_volume('Address = "/nix";'), FAILED, "Unable to delete resource: "
    )
    yield Form(
        "an unknown pool is read again",
        lambda g: g.pools("RefreshResourcesInPool", Pool=g.pool_path("DiskPool/nix")),
        0,
        "0",
        Instead("RefreshResourcesInPool of an unknown pool", NOT_FOUND),
    )


FORMS = (*_keys(), *_methods(), *_definitions(), *_changes(), *_moves(), *_pools())
