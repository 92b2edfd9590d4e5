"""Which snapshots can be taken of a guest, as <prefix>_VirtualSystemSnapshotCapabilities (DSP1042)."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.providers.base import ElementProvider
from virtcim.providers.guest import Guest
from virtcim.providers.guestcapabilities import GuestCapabilities
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.snapshots import can_notify, creation_obstacles

__all__ = ["GuestSnapshotCapabilities", "GuestSnapshotCapabilitiesProvider", "snapshot_capabilities_of"]


class GuestSnapshotCapabilities(GuestCapabilities):
    """Which snapshots can be taken of a guest as it is now (Virt_VirtualSystemSnapshotCapabilities)."""

    __slots__ = ()

    base = "VirtualSystemSnapshotCapabilities"


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
