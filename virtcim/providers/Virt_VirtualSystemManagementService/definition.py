"""DefineSystem: from what a client describes to the XML of a new guest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from virtcim.libhelper.documents.domain import (
    Console,
    Controller,
    DomainDocument,
    Graphics,
    Input,
    Interface,
    MappingError,
)
from virtcim.platforms.base import Feature
from virtcim.providers.deviceids import Kind
from virtcim.providers.drafts import Draft, Surroundings, ValueRefusedError
from virtcim.providers.interface import CIMError, EmbeddedInstance
from virtcim.providers.requested import without_own_metadata
from virtcim.providers.Virt_VirtualSystemManagementService.outcomes import refused
from virtcim.providers.Virt_VirtualSystemManagementService.resources import (
    Wanted,
    add_device,
    check_host,
    write_draft,
    write_whole,
)
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

if TYPE_CHECKING:
    from virtcim.libhelper.documents.capabilities import GuestCapabilities
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.platforms.base import Platform
    from virtcim.providers.site import Site

__all__ = ["Definition", "Request"]

_USUAL_MEMORY = 262144
"""KiB: libvirt-cim's default."""
_KEY_MAP = "en-us"
_S390 = frozenset({"s390", "s390x"})
_X86 = frozenset({"x86_64", "i686"})
_FULL = "hvm"
_NOT_SETTINGS = frozenset(
    {"InstanceID", "Caption", "Notes", "ChangeableType", "VirtualSystemIdentifier", "ElementName"}
)


@dataclass(frozen=True, slots=True)
class Request:
    """What DefineSystem was called with.

    Attributes:
        system: SystemSettings.
        resources: ResourceSettings; None when they were not given.
        reference: the XML of the guest of ReferenceConfiguration, with its secrets; None without one.
    """

    system: EmbeddedInstance | None
    resources: Sequence[EmbeddedInstance | None] | None
    reference: str | None


class Definition:
    """A guest that is to be defined.

    Parameters:
        site, platform, hypervisor: where.
        request: what was asked for.
        report: called with each error; raises it, or notes it so that the next one is found, too.

    Attributes:
        document: the domain XML.
        name: of the guest.
        autostart: whether it is to be started with the host.
    """

    def __init__(
        self,
        site: Site,
        platform: Platform,
        hypervisor: Hypervisor,
        request: Request,
        report: Callable[[CIMError], None],
    ) -> None:
        self._site = site
        self._platform = platform
        self._hypervisor = hypervisor
        self._report = report
        self._has_reference = request.reference is not None
        self.autostart = False
        self.name = ""
        self.document = DomainDocument(without_own_metadata(request.reference) if request.reference else "<domain/>")
        self._forget_identity()
        self._write_system(request.system)
        self._write_resources(request.resources)
        self._complete()

    @property
    def _around(self) -> Surroundings:
        return Surroundings(self._site, self._platform, self._hypervisor, self.document.config)

    def _set(self, values: Mapping[str, Any]) -> None:
        self.document.set(self.document.config, values)

    def _forget_identity(self) -> None:
        """Take out of a referenced guest what is its own."""
        config = self.document.config
        own = [field for field in ("genid", "os_nvram", "uuid") if getattr(config, field) is not None]
        self._set(dict.fromkeys(own))
        for device in self.document.devices:
            if isinstance(device, Interface) and device.mac_address is not None:
                self.document.set(device, {"mac_address": None})

    def _write_system(self, system: EmbeddedInstance | None) -> None:
        given = (
            {} if system is None else {name: value for name, value in system.properties.items() if value is not None}
        )
        with _told(self._report, "SystemSettings Error"):
            self._check_class(system)
        with _told(self._report, "SystemSettings Error"):
            self.name = _name(given)
            draft = Draft(self._around, self.document.config, {"VirtualSystemIdentifier": self.name}, is_new=True)
            draft.write(VirtualSystemSettingData.table)
            self._set(draft.fields)
        settings = {name: value for name, value in given.items() if name not in _NOT_SETTINGS}
        with _told(self._report, "SystemSettings Error"):
            self._set(self._kind_of_guest(settings))
            draft = Draft(self._around, self.document.config, settings, is_new=True)
            draft.write(VirtualSystemSettingData.table)
            write_draft(self.document, draft)
            self.autostart = bool(draft.autostart)
            self._check_uuid()
            self._check_machine()
        self._check_name()

    def _check_class(self, system: EmbeddedInstance | None) -> None:
        if system is not None and system.class_name.partition("_")[0] not in (self._platform.prefix, "Virt", "CIM"):
            raise ValueRefusedError(f"{system.class_name} is of another platform")

    def _check_machine(self) -> None:
        config = self.document.config
        capable = None if config.os_type is None else self._capable(config.os_type, config.os_type_arch)
        if capable is None or config.os_type_machine is None:
            return
        machines = [*capable.arch_machines, *(machine for kind in capable.arch_domains for machine in kind.machines)]
        known = {name for machine in machines for name in (machine.name, machine.canonical)}
        if machines and config.os_type_machine not in known:
            raise ValueRefusedError(
                f"Machine: the host has no machine {config.os_type_machine} for the architecture {capable.arch_name}"
            )

    def _check_uuid(self) -> None:
        uuid = self.document.config.uuid
        if uuid is not None and self._hypervisor.inventory.domain_by_uuid(uuid) is not None:
            self._report(refused(f"Guest '{self.name}' is already defined with UUID {uuid}"))

    def _check_name(self) -> None:
        taken = self._hypervisor.inventory.domain(self.name)
        if taken is not None:
            self._report(
                refused(f"Failed to define domain: domain '{self.name}' already exists with uuid {taken.uuid}")
            )

    def _kind_of_guest(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The type of the domain, and what a guest of that type has unless it is told otherwise."""
        config, platform = self.document.config, self._platform
        if self._has_reference:
            return {}
        os_type = platform.os_types[0]
        full = settings.get("IsFullVirt")
        if full is not None:
            os_type = next((kind for kind in platform.os_types if platform.full_virtualization(kind) is full), os_type)
        elif platform.full_virtualization(os_type) is False and "linux" in platform.os_types:
            os_type = "linux"
        values: dict[str, Any] = {"os_type": os_type}
        wanted = str(settings.get("DomainType") or _other_than(platform.prefix, settings.get("VirtualSystemType")))
        capable = self._capable(os_type, settings.get("Arch"))
        offered = platform.domain_types if capable is None else [domain.type for domain in capable.arch_domains]
        types = [kind for kind in platform.domain_types if kind in offered]
        kind = wanted.lower() if wanted.lower() in types or "DomainType" in settings else next(iter(types), "")
        if kind not in offered:
            raise ValueRefusedError(f"DomainType: the host has no {kind or platform.prefix} for that architecture")
        values["type"] = kind
        if capable is not None and config.os_type_arch is None:
            values["os_type_arch"] = capable.arch_name
        if platform.supports(Feature.CONTROLLERS) and os_type == _FULL:
            values["features_acpi"] = True
            if capable is None or capable.arch_name in _X86:
                values["features_apic"] = True
            values["clock_offset"] = "utc"
        if os_type == _FULL and platform.boot_devices and not settings.get("Kernel"):
            values["os_boot_devs"] = ["hd"]
        if os_type == _FULL and platform.full_virtualization(platform.os_types[0]) is False:
            values |= {"features_acpi": True, "features_apic": True, "features_pae": True}
        return values

    def _capable(self, os_type: str, arch: str | None) -> GuestCapabilities | None:
        """What the host can do for guests of a type and architecture, its own unless told; None when it does not say.

        Raises:
            ValueRefusedError: it has none of that architecture.
        """
        capabilities = self._hypervisor.host_capabilities()
        guests = [guest for guest in capabilities.guests if guest.os_type == os_type]
        if arch is not None and guests:
            guests = [guest for guest in guests if guest.arch_name == arch]
            if not guests:
                raise ValueRefusedError(f"Arch: the host has no guests of type {os_type} and architecture {arch}")
        own = [guest for guest in guests if guest.arch_name == capabilities.cpu_arch]
        return next(iter(own or guests), None)

    def _write_resources(self, resources: Sequence[EmbeddedInstance | None] | None) -> None:
        if resources is None:
            return
        with _told(self._report, "ResourceSettings Error"):
            if not resources:
                raise ValueRefusedError("No resources specified")
        for instance in resources:
            with _told(self._report, "ResourceSettings Error"):
                if instance is None:
                    raise ValueRefusedError("Unable to determine resource type")
                wanted = Wanted(instance, self._platform.prefix)
                if wanted.is_whole:
                    write_whole(self.document, self._around, wanted)
                else:
                    self._check_platform(wanted)
                    add_device(self.document, self._around, wanted)

    def _check_platform(self, wanted: Wanted) -> None:
        if wanted.kind is Kind.GRAPHICS and not self._platform.supports(Feature.GRAPHICS):
            raise ValueRefusedError("Resource type not supported on this platform", wanted.instance.class_name)

    def _complete(self) -> None:
        """Fill in what nothing was said of."""
        config = self.document.config
        if config.memory is None:
            self._set({"memory": _USUAL_MEMORY})
        if config.vcpu is None:
            self._set({"vcpu": 1})
        if not self._has_reference:
            self._add_consoles()
        if self.document.config.uuid is None:
            self._set({"uuid": str(uuid4())})
        with _told(self._report, "ResourceSettings Error"):
            check_host(self._around)

    def _add_consoles(self) -> None:
        """libvirt-cim's default consoles: VNC on the loopback address and a mouse; a pseudo terminal of a container."""
        config, platform = self.document.config, self._platform
        devices = config.devices
        if platform.containers:
            if not any(isinstance(device, Console) for device in devices):
                self.document.add_device(Console, {"type": "pty"})
            return
        if not platform.supports(Feature.GRAPHICS):
            return
        if not any(isinstance(device, Graphics | Console) for device in devices):
            if config.os_type_arch in _S390:
                ccw = (config.os_type_machine or "").startswith("s390-ccw")
                self.document.add_device(Console, {"type": "pty", "target_type": "sclp" if ccw else "virtio"})
                return
            self.document.add_device(
                Graphics, {"type": "vnc", "port": -1, "autoport": True, "listen": "127.0.0.1", "keymap": _KEY_MAP}
            )
        if config.os_type_arch not in _S390 and not any(isinstance(device, Input) for device in devices):
            bus = platform.buses.mouse
            if bus == "usb" and not any(isinstance(device, Controller) and device.type == "usb" for device in devices):
                return
            if config.os_type_arch in _X86 or config.os_type_arch is None or bus != "ps2":
                self.document.add_device(Input, {"type": "mouse", "bus": bus})


def _other_than(prefix: str, kind: str | None) -> str:
    """VirtualSystemType where it says more than the platform."""
    return "" if kind is None or kind.lower() == prefix.lower() else kind


def _name(given: Mapping[str, Any]) -> str:
    """The name of the guest: what the client says, else one that nobody has."""
    identifier, element = given.get("VirtualSystemIdentifier"), given.get("ElementName")
    name = identifier if identifier is not None else element
    return str(name) if name is not None else f"guest-{uuid4().hex[:12]}"


@contextmanager
def _told(report: Callable[[CIMError], None], text: str) -> Iterator[None]:
    """Tell what a block refuses in libvirt-cim's words.

    Parameters:
        report: takes the error.
        text: what it begins with.
    """
    try:
        yield
    except (ValueRefusedError, MappingError) as error:
        report(refused(f"{text}: {error}"))
