"""What a virtualization platform is to virtcim: plain data and a few methods.

A platform adds no provider: the classes `<prefix>_ComputerSystem`, `<prefix>_LogicalDisk` and so on are derived from
its prefix, and everything in which platforms differ is asked from the object declared here.
"""

from __future__ import annotations

import enum
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

from virtcim.immutable import immutable
from virtcim.libhelper.documents.capabilities import HostCapabilities, parsed
from virtcim.libhelper.host import HostFacts
from virtcim.platforms.fields import Mode, SettingField
from virtcim.platforms.findings import Finding
from virtcim.platforms.metatemplates import MetaTemplate

__all__ = [
    "API_VERSION",
    "BusDefaults",
    "Feature",
    "Platform",
    "PlatformError",
    "WeightRange",
    "find_program",
    "usual_facts",
]

API_VERSION = 1
"""The version of what is declared here.  It goes up with every change that a platform of others would not survive."""

_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9]*\Z")
_FULL_VIRTUALIZATION = {"hvm": True, "xenpvh": True, "linux": False, "xen": False}
_OURS = frozenset({"cim", "virt", "platform"})
_VENDORS = frozenset({
    "dcim", "hp", "hpq", "hpvc", "ibm", "intel", "lmi", "linux", "lsiesg", "msft", "msvm", "omc", "pg", "prs",
    "solaris", "vmware", "win32",
})  # fmt: skip
"""Schema names under which others' servers show classes of their own, hypervisors' among them (Msvm_ComputerSystem)."""


class PlatformError(ValueError):
    """A platform declares something that cannot be."""


class Feature(enum.Flag):
    """What a platform can do beyond defining, starting and stopping guests."""

    SUSPEND = enum.auto()
    MANAGED_SAVE = enum.auto()
    REBOOT = enum.auto()
    REBOOT_EVENT = enum.auto()
    """libvirt tells when a guest has rebooted."""
    RESET = enum.auto()
    CONTROLLERS = enum.auto()
    FILTERS = enum.auto()
    GRAPHICS = enum.auto()
    MIGRATION = enum.auto()
    SNAPSHOTS = enum.auto()
    BACKUPS = enum.auto()
    HOTPLUG = enum.auto()
    WEIGHT = enum.auto()


@immutable
class BusDefaults:
    """What a new device of a new guest gets when the client names none: the libvirt words of its bus and model."""

    disk: str
    mouse: str = "ps2"
    tablet: str = "usb"
    network_model: str | None = None


@immutable
class WeightRange:
    """Which shares of the processors a guest can be given against others.

    Attributes:
        least, most, default: libvirt's numbers.
        cgroup_version: of the control groups for which this holds; None where it does not depend on them.
    """

    least: int
    most: int
    default: int
    cgroup_version: int | None = None


def _here() -> bool:
    return True


def _nothing_to_say() -> Iterable[Finding]:
    return ()


def usual_facts(facts: HostFacts) -> Mapping[str, str]:
    """Tell what is worth knowing of a host on every platform."""
    found = {
        "Driver": facts.driver,
        "Hypervisor version": _version(facts.hypervisor_version),
        "libvirt version": _version(facts.libvirt_version),
        "Processor model": parsed(HostCapabilities, facts.capabilities_xml).cpu_model,
    }
    return {name: value for name, value in found.items() if value}


def _version(numbers: tuple[int, int, int]) -> str:
    return ".".join(map(str, numbers)) if any(numbers) else ""


def _content(_mode: Mode, _values: Mapping[str, str]) -> Iterable[str]:
    return ()


def find_program(*names: str) -> bool:
    """Whether one of these programs is in the search path: how most platforms are detected."""
    return any(map(shutil.which, names))


@immutable(eq=False)
class Platform:
    """A virtualization platform.

    What is called here is not trusted to answer, nor to do so in time: an exception is a line in the log or in the
    report, and so is no answer within `platforms.patience`.

    Attributes:
        prefix: of its classes: `KVM` makes `KVM_ComputerSystem`.  Letters and digits; `CIM`, `Virt` and `Platform`
            are taken, and so are the schema names of vendors who have classes of their own (`VMware`, `Msvm`).
        title: for people, as in "Kernel-based Virtual Machine".
        drivers: what libvirt's `virConnectGetType` answers on a connection of this platform.
        uris: candidates to try, in order, when the user names none.
        domain_types: libvirt's `domain/@type` of its guests, the default for new ones first.
        os_types: libvirt's `os/type`, the default for new guests first.
        features: what it can do.
        buses: defaults for the devices of new guests.
        mac_prefix: the first three octets of MAC addresses made for new network ports.
        no_state_is_running: the driver reports VIR_DOMAIN_NOSTATE for guests that run.
        boot_devices: whether guests have a list of boot devices.
        max_network_ports: per guest.
        weights: shares of the processors, those for a version of the control groups each.
        inputs: libvirt's type and bus of the input devices that guests can have.
        containers: whether guests are containers, which see directories of the host in place of disks.
        schemes: of libvirt URIs, where they are neither the name of a driver nor those of `uris`.
        tried: whether it was tried on the real thing; what was not is said so wherever the platform is shown.
        detect: tells whether this host looks like having the platform, without asking libvirt.  Where it does not,
            its `uris` are not tried; a URI that the user names is served all the same.
        prerequisites: looks at what the platform needs on this host, and tells what is wrong.
        host_facts: makes facts of what libvirt says of a host, by name, for whoever looks at the host.
        mof: MOF of classes `<prefix>_X : Platform_X` with the properties that class X of this platform has beside those
            of all platforms; "" for none.
        properties: the values of these: X to name of the property to what computes it from the element (the handle
            that `providers/Virt_X` has), and gives None for NULL.
        fields: of the forms for its guests, beside those of all platforms; one of the same property takes the place of
            theirs.
        check_settings: looks through such a form as a whole: given which one, and the values as text by field
            (`VirtualSystemSettingData.Kernel`), gives complaints for people.
        meta_templates: the kinds of its new guests, the usual one first.
        api_version: of this interface, for which it was written.
    """

    prefix: str
    title: str
    drivers: tuple[str, ...]
    uris: tuple[str, ...]
    domain_types: tuple[str, ...]
    os_types: tuple[str, ...]
    features: Feature
    buses: BusDefaults
    mac_prefix: str = "52:54:00"
    no_state_is_running: bool = False
    boot_devices: bool = True
    max_network_ports: int = 8
    weights: tuple[WeightRange, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()
    containers: bool = False
    schemes: tuple[str, ...] = ()
    tried: bool = True
    detect: Callable[[], bool] = _here
    prerequisites: Callable[[], Iterable[Finding]] = _nothing_to_say
    host_facts: Callable[[HostFacts], Mapping[str, str]] = usual_facts
    mof: str = ""
    properties: Mapping[str, Mapping[str, Callable[[Any], Any]]] = field(default_factory=dict)
    fields: tuple[SettingField, ...] = ()
    check_settings: Callable[[Mode, Mapping[str, str]], Iterable[str]] = _content
    meta_templates: tuple[MetaTemplate, ...] = ()
    api_version: int = API_VERSION

    def __post_init__(self) -> None:
        if not _PREFIX.match(self.prefix):
            raise PlatformError(f"{self.prefix!r} cannot be a class prefix; expected letters and digits")
        if self.prefix.lower() in _OURS | _VENDORS:
            raise PlatformError(f"{self.prefix!r} cannot be a class prefix; expected one that no other classes have")
        if not self.drivers:
            raise PlatformError(f"platform {self.prefix} names no libvirt driver")

    def class_name(self, base: str) -> str:
        """The class of this platform that is called `base` without its prefix."""
        return f"{self.prefix}_{base}"

    def supports(self, feature: Feature) -> bool:
        """Whether the platform has all of `feature`."""
        return feature in self.features

    def serves(self, driver: str) -> bool:
        """Whether a connection whose libvirt driver is called `driver` (any case) belongs to this platform."""
        return driver.lower() in (name.lower() for name in self.drivers)

    def weight_range(self, cgroup_version: int) -> WeightRange | None:
        """The shares of the processors on a host; None where they are not known.

        Parameters:
            cgroup_version: of the host's control groups, 0 when unknown.
        """
        return next((weight for weight in self.weights if weight.cgroup_version in (None, cgroup_version)), None)

    def full_virtualization(self, os_type: str | None) -> bool | None:
        """Whether a guest with this libvirt `os/type` sees a whole machine rather than a paravirtual interface.

        None for what is neither, such as a container.
        """
        return _FULL_VIRTUALIZATION.get(os_type or "")
