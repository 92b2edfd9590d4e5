"""Which snapshots can be taken of a guest, as <prefix>_VirtualSystemSnapshotCapabilities (DSP1042)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Self

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, MainKey, no_such_domain
from virtcim.providers.guest import Guest
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.snapshots import can_notify, creation_obstacles
from virtcim.providers.sources import GUESTS

__all__ = ["GuestSnapshotCapabilities", "GuestSnapshotCapabilitiesProvider", "snapshot_capabilities_of"]


class GuestSnapshotCapabilities(Element):
    """Which snapshots can be taken of a guest as it is now (Virt_VirtualSystemSnapshotCapabilities)."""

    __slots__ = ("guest",)

    base = "VirtualSystemSnapshotCapabilities"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No InstanceID specified")
    source = GUESTS

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        super().__init__(guest.site, guest.platform, guest.name)

    @classmethod
    def made_from(cls, owner: Guest) -> Iterable[Self]:
        return (owner.memo(cls, cls),)

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        if not site.hypervisors(platform):
            return CIMError(Status.NOT_FOUND, "No such instance")
        return CIMError(Status.NOT_FOUND, f"No such instance ({key}): {no_such_domain(key)}")

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision, self.guest.hypervisor.read_only


def snapshot_capabilities_of(guest: Guest) -> GuestSnapshotCapabilities:
    """The instance of a guest."""
    return guest.memo(GuestSnapshotCapabilities, GuestSnapshotCapabilities)


def _types_enabled(capabilities: GuestSnapshotCapabilities) -> list[int]:
    if capabilities.guest.is_read_only:
        return []
    return [int(kind) for kind, obstacle in creation_obstacles(capabilities.guest).items() if obstacle is None]


def _obstacles(capabilities: GuestSnapshotCapabilities) -> list[str] | None:
    found = creation_obstacles(capabilities.guest).items()
    return [f"{int(kind)}: {obstacle.text}" for kind, obstacle in found if obstacle is not None] or None


GuestSnapshotCapabilities.table = PropertyTable(
    attribute("InstanceID", lambda capabilities: capabilities.guest.name, DomainConfig),
    attribute("ElementName", lambda capabilities: capabilities.guest.name, DomainConfig),
    constant("Caption", "Snapshots that can be taken of a virtual system", "a fixed text"),
    Property(
        "SnapshotTypesEnabled",
        _types_enabled,
        "platform, formats of the disks, state of the domain and connection mode",
    ),
    Property("Obstacles", _obstacles, "why the other types are not enabled, each with its number"),
    Property(
        "GuestOSNotificationEnabled",
        lambda capabilities: can_notify(capabilities.guest),
        "domain XML devices/channel/target/@state of the guest agent",
    ),
)


class GuestSnapshotCapabilitiesProvider(ElementProvider):
    """Serves <prefix>_VirtualSystemSnapshotCapabilities."""

    name = "Virt_VirtualSystemSnapshotCapabilities"
    types = (GuestSnapshotCapabilities,)
