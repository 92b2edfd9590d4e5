"""What a new guest is and has where nobody said anything: the one place that decides it.

The platform knows its words (types of domains and operating systems, buses), the capabilities of the host what is
there, and the class of each device how it is by default (`default_values`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from virtcim.immutable import immutable
from virtcim.libhelper.documents.capabilities import GuestCapabilities, HostCapabilities
from virtcim.libhelper.documents.domain import Console, Controller, DomainConfig, DomainDocument, Graphics, Input
from virtcim.libhelper.documents.domain.defaults import GuestTraits, is_x86
from virtcim.platforms.base import Feature, Platform

__all__ = ["NewGuest", "SystemChoice", "UnavailableError"]

_USUAL_MEMORY = 262144
"""KiB: libvirt-cim's default."""
_USUAL_PROCESSORS = 1
_FULL = "hvm"
_CONTAINER = "exe"
_NO_INIT = "/bin/false"
"""What a container runs that is not told what to run: nothing, as its root may be that of the host."""


class UnavailableError(ValueError):
    """The host has no guests of the kind that is asked for."""


@immutable
class SystemChoice:
    """What is asked for of the kind of a new guest; None leaves it to us.

    Attributes:
        domain_type: libvirt's `domain/@type`, in any case.
        is_definite: whether there is to be an error if that is not known, rather than the platform's own type.
        arch: the architecture.
        is_full: whether it is to see a whole machine rather than a paravirtual interface.
        has_kernel: whether it starts a kernel from outside, and so needs nothing to boot from.
    """

    domain_type: str | None = None
    is_definite: bool = False
    arch: str | None = None
    is_full: bool | None = None
    has_kernel: bool = False


@immutable
class NewGuest:
    """A guest that is to be defined.

    Attributes:
        platform: of which it is to be.
        host: what the host can do; empty where it does not say.
        document: the domain XML, which is filled in.
    """

    platform: Platform
    host: HostCapabilities
    document: DomainDocument

    def choose_system(self, choice: SystemChoice) -> None:
        """Write the type of the domain, and what a guest of that type has unless it is told otherwise.

        Raises:
            UnavailableError: the host has no such guests.
        """
        platform, values = self.platform, dict[str, Any]()
        os_type = values["os_type"] = self._os_type(choice.is_full)
        capable = self.capabilities_of(os_type, choice.arch)
        values["type"] = self._domain_type(choice, capable)
        if capable is not None and self.document.config.os_type_arch is None:
            values["os_type_arch"] = capable.arch_name
        if platform.supports(Feature.CONTROLLERS) and os_type == _FULL:
            values["features_acpi"] = True
            if capable is None or is_x86(capable.arch_name):
                values["features_apic"] = True
            values["clock_offset"] = "utc"
        if os_type == _FULL and platform.boot_devices and not choice.has_kernel:
            values["os_boot_devs"] = ["hd"]
        if os_type == _FULL and platform.full_virtualization(platform.os_types[0]) is False:
            values |= {"features_acpi": True, "features_apic": True, "features_pae": True}
        self._set(values)

    def capabilities_of(self, os_type: str, arch: str | None) -> GuestCapabilities | None:
        """What the host can do for guests of a type and architecture, its own unless told; None when it does not say.

        Raises:
            UnavailableError: it has none of that architecture.
        """
        guests = [guest for guest in self.host.guests if guest.os_type == os_type]
        if arch is not None and guests:
            guests = [guest for guest in guests if guest.arch_name == arch]
            if not guests:
                raise UnavailableError(f"Arch: the host has no guests of type {os_type} and architecture {arch}")
        own = [guest for guest in guests if guest.arch_name == self.host.cpu_arch]
        return next(iter(own or guests), None)

    def check_machine(self) -> None:
        """Refuse a machine type that the host does not have.

        Raises:
            UnavailableError: it has no such machine for the architecture of the guest.
        """
        config = self.document.config
        capable = None if config.os_type is None else self.capabilities_of(config.os_type, config.os_type_arch)
        if capable is None or config.os_type_machine is None:
            return
        machines = [*capable.arch_machines, *(machine for kind in capable.arch_domains for machine in kind.machines)]
        known = {name for machine in machines for name in (machine.name, machine.canonical)}
        if machines and config.os_type_machine not in known:
            raise UnavailableError(
                f"Machine: the host has no machine {config.os_type_machine} for the architecture {capable.arch_name}"
            )

    def complete(self, *, with_devices: bool) -> None:
        """Fill in what nothing was said of: memory, processors, what a container runs, identity, and the usual devices.

        Parameters:
            with_devices: whether it gets devices; a guest made after another one has those of that one.
        """
        config = self.document.config
        if config.memory is None:
            self._set({"memory": _USUAL_MEMORY})
        if config.vcpu is None:
            self._set({"vcpu": _USUAL_PROCESSORS})
        if config.os_type == _CONTAINER and config.os_init is None:
            self._set({"os_init": _NO_INIT})
        if with_devices:
            for device in self._missing_devices():
                values = device.default_values(self.traits)
                if values is not None:
                    self.document.add_device(device, values)
        if self.document.config.uuid is None:
            self._set({"uuid": str(uuid4())})

    @property
    def traits(self) -> GuestTraits:
        """What its devices depend on."""
        config: DomainConfig = self.document.config
        return GuestTraits(
            arch=config.os_type_arch,
            machine=config.os_type_machine,
            is_container=self.platform.containers,
            has_graphics=self.platform.supports(Feature.GRAPHICS),
            has_usb=any(isinstance(device, Controller) and device.type == "usb" for device in config.devices),
            mouse_bus=self.platform.buses.mouse,
        )

    def _missing_devices(self) -> Iterator[type[Console] | type[Graphics] | type[Input]]:
        """The classes of devices that people reach it by, of which it has none."""
        devices = self.document.devices
        has_console = any(isinstance(device, Console) for device in devices)
        has_display = any(isinstance(device, Graphics) for device in devices)
        if not has_console and not has_display:
            yield Console
            yield Graphics
        if not any(isinstance(device, Input) for device in devices):
            yield Input

    def _os_type(self, is_full: bool | None) -> str:
        platform = self.platform
        first = platform.os_types[0]
        if is_full is not None:
            return next((kind for kind in platform.os_types if platform.full_virtualization(kind) is is_full), first)
        if platform.full_virtualization(first) is False and "linux" in platform.os_types:
            return "linux"
        return first

    def _domain_type(self, choice: SystemChoice, capable: GuestCapabilities | None) -> str:
        platform = self.platform
        offered = platform.domain_types if capable is None else [domain.type for domain in capable.arch_domains]
        types = [kind for kind in platform.domain_types if kind in offered]
        wanted = (choice.domain_type or "").lower()
        kind = wanted if wanted in types or choice.is_definite else next(iter(types), "")
        if kind not in offered:
            raise UnavailableError(f"DomainType: the host has no {kind or platform.prefix} for that architecture")
        return kind

    def _set(self, values: dict[str, Any]) -> None:
        self.document.set(self.document.config, values)
