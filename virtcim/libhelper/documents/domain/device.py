"""What all devices of a domain have in common."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar, Self

from virtcim.libhelper.xml.mapping import (
    Attributes,
    ElementName,
    Flag,
    Int,
    Ints,
    Items,
    Mapped,
    OnOff,
    Text,
    YesNo,
)

__all__ = [
    "Device",
    "DriverThread",
    "IdRange",
    "IpAddress",
    "Route",
    "SecurityLabel",
    "UnknownDevice",
    "VirtioOptions",
]


class Device(Mapped):
    """A child of `<devices>`."""

    __slots__ = ("_kept",)

    tag: ClassVar[str]
    never_empty: ClassVar[tuple[str, ...]] = ("boot",)
    boot_order = Int("boot/@order")
    boot_loadparm = Text("boot/@loadparm")
    alias_name = Text("alias/@name")
    acpi_index = Int("acpi/@index")
    address = Attributes("address")
    address_zpci_uid = Text("address/zpci/@uid")
    address_zpci_fid = Text("address/zpci/@fid")

    @property
    def kept(self) -> dict[Hashable, object] | None:
        """What was made of it and is kept with it, of a device that many guests have alike; None for any other."""
        return getattr(self, "_kept", None)

    def keep(self) -> Self:
        """Say that many guests have it alike."""
        object.__setattr__(self, "_kept", {})
        return self

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if isinstance(vars(cls).get("tag"), str):
            cls.location = f"devices/{cls.tag}"


class UnknownDevice(Device):
    """A device that this package has no class for: its name and its attributes."""

    location = "devices/*"
    tag = ElementName()
    attributes = Attributes(".")


class VirtioOptions(Mapped):
    """The options that every virtio device takes."""

    driver_iommu = OnOff("driver/@iommu")
    driver_ats = OnOff("driver/@ats")
    driver_packed = OnOff("driver/@packed")
    driver_page_per_vq = OnOff("driver/@page_per_vq")


class DriverThread(Mapped):
    """An `<iothread>` of a device that several threads serve, each some of its queues."""

    tag = "iothread"
    id = Int("@id")
    queue_ids = Ints("queue/@id")


class IdRange(Mapped):
    """A `<uid>` or `<gid>` of an `<idmap>`."""

    start = Int("@start")
    target = Int("@target")
    count = Int("@count")


class SecurityLabel(Mapped):
    """A `<seclabel>` of a domain, or of one of its sources."""

    tag = "seclabel"
    type = Text("@type")
    model = Text("@model")
    relabel = YesNo("@relabel")
    labelskip = YesNo("@labelskip")
    label = Text("label")
    imagelabel = Text("imagelabel", writable=False)
    baselabel = Text("baselabel")


class IpAddress(Mapped):
    """An `<ip>` of an interface."""

    tag = "ip"
    address = Text("@address")
    family = Text("@family")
    prefix = Int("@prefix")
    peer = Text("@peer")


class Route(Mapped):
    """A `<route>` of an interface."""

    tag = "route"
    family = Text("@family")
    address = Text("@address")
    netmask = Text("@netmask")
    prefix = Int("@prefix")
    gateway = Text("@gateway")
    metric = Int("@metric")


class Teaming(Mapped):
    """The `<teaming>` of an interface or host device."""

    teaming_type = Text("teaming/@type")
    teaming_persistent = Text("teaming/@persistent")


class Rom(Mapped):
    """The `<rom>` of a PCI device."""

    rom_enabled = YesNo("rom/@enabled")
    rom_bar = OnOff("rom/@bar")
    rom_file = Text("rom/@file")


class ReadOnlyShareable(Mapped):
    """The two flags of what is lent to a guest."""

    readonly = Flag("readonly")
    shareable = Flag("shareable")


class GuestNetwork(Mapped):
    """Addresses and routes inside the guest."""

    ips = Items("ip", IpAddress)
    routes = Items("route", Route)
