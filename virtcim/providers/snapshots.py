"""Snapshots of guests: their types, and which of them can be taken of a guest and be applied to it.

Layer rule: imports `platforms`, `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

import enum
import hashlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from virtcim.immutable import immutable
from virtcim.libhelper.agent import is_agent_connected
from virtcim.libhelper.documents.domain import Disk
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.inventory.records import OWN_NAMESPACE
from virtcim.libhelper.names import is_misnamed_overlay, is_number_of_another
from virtcim.libhelper.states import DomainState, PausedReason, RunningReason, ShutoffReason
from virtcim.platforms.base import Feature
from virtcim.providers.requested import own_element, own_xml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtcim.libhelper.documents.domain import DomainConfig
    from virtcim.libhelper.documents.snapshot import SnapshotConfig
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.inventory.records import Domain, Snapshot
    from virtcim.platforms.base import Platform
    from virtcim.providers.guest import Guest

__all__ = [
    "Obstacle",
    "SnapshotCode",
    "SnapshotType",
    "application_obstacle",
    "can_notify",
    "creation_obstacles",
    "keep_applied",
    "last_applied",
    "platform_types",
    "removal_obstacle",
]

_log = logging.getLogger(__name__)

APPLIED_NAMESPACE = f"{OWN_NAMESPACE}applied-snapshot"
"""Of the element in the metadata of a guest that holds which snapshot was applied last."""
_KEY = "virtcimsnapshot"
"""The prefix for it."""
_FORMAT = "qcow2"
"""The format of images that hold snapshots in themselves."""
_REVERTS_EXTERNAL = (9, 9, 0)
"""The version of libvirt that can first put a guest back to an external snapshot."""
_REVERTED = frozenset(
    {
        (DomainState.RUNNING, RunningReason.FROM_SNAPSHOT),
        (DomainState.PAUSED, PausedReason.FROM_SNAPSHOT),
        (DomainState.SHUTOFF, ShutoffReason.FROM_SNAPSHOT),
    }
)
"""The states, with the reasons for them, in which a domain is that was put back to a snapshot."""
_TESTS = "TEST"
"""libvirt's name of a driver whose guests have no images."""


class SnapshotType(enum.IntEnum):
    """CIM_VirtualSystemSnapshotService.CreateSnapshot.SnapshotType.

    FULL: the memory of a guest that runs, and its disks, in the images of the disks.
    DISK: the disks alone: the guest goes on in overlays.
    MEMORY: the memory in a file, and the disks as with DISK; the guest goes on.
    MEMORY_AND_STOP: the memory in libvirt's own saved state; the guest is off, and its next start goes on from there.
    """

    FULL = 2
    DISK = 3
    MEMORY = 32768
    MEMORY_AND_STOP = 32769


class SnapshotCode(enum.IntEnum):
    """The return codes of CIM_VirtualSystemSnapshotService."""

    COMPLETED = 0
    NOT_SUPPORTED = 1
    FAILED = 2
    TIMEOUT = 3
    INVALID_PARAMETER = 4
    INVALID_STATE = 5
    INVALID_TYPE = 6


@immutable
class Obstacle:
    """Why something cannot be done with a guest.

    Attributes:
        code: the return code that stands for it.
        text: for people.
    """

    code: SnapshotCode
    text: str


def platform_types(platform: Platform, hypervisor: Hypervisor) -> list[SnapshotType]:
    """The types of snapshots that some guest of a hypervisor can have taken."""
    types: set[SnapshotType] = set()
    if platform.supports(Feature.SNAPSHOTS):
        types.add(SnapshotType.FULL)
        if hypervisor.driver != _TESTS:
            types |= {SnapshotType.DISK, SnapshotType.MEMORY}
    if platform.supports(Feature.MANAGED_SAVE):
        types.add(SnapshotType.MEMORY_AND_STOP)
    return sorted(types)


def creation_obstacles(guest: Guest) -> Mapping[SnapshotType, Obstacle | None]:
    """What stands in the way of each type of snapshot of a guest as it is now; None where nothing does.

    Only the types that the platform has are there.
    """
    return {kind: _first_obstacle(guest, kind) for kind in platform_types(guest.platform, guest.hypervisor)}


def can_notify(guest: Guest) -> bool:
    """Whether the guest can be told that a snapshot is about to be taken: its agent is connected."""
    return is_agent_connected(guest.domain.live)


def application_obstacle(guest: Guest, snapshot: SnapshotConfig) -> Obstacle | None:
    """What stands in the way of putting a guest back to one of its snapshots; None where nothing does."""
    if guest.domain.has_managed_save:
        text = f"guest {guest.name!r} has saved memory, which would not fit its disks any more; expected one without"
        return Obstacle(SnapshotCode.INVALID_STATE, text)
    if snapshot.is_external and guest.hypervisor.libvirt_version < _REVERTS_EXTERNAL:
        wanted = ".".join(map(str, _REVERTS_EXTERNAL))
        text = f"snapshot {snapshot.name!r} is external; expected an internal one, or libvirt {wanted}"
        return Obstacle(SnapshotCode.NOT_SUPPORTED, text)
    if guest.hypervisor.driver != _TESTS and not snapshot.is_external and is_number_of_another(snapshot.name or ""):
        text = (
            f"snapshot {snapshot.name!r}: QEMU would put the disks back to the snapshot of this number, whatever its "
            "name; expected a name that is no number"
        )
        return Obstacle(SnapshotCode.INVALID_STATE, text)
    later = next((each for each in _followers(guest.domain, snapshot.name) if each.is_external), None)
    if later is not None and not snapshot.is_external:
        text = (
            f"snapshot {snapshot.name!r}: external snapshot {later.name!r} was taken after it, whose overlays would lie"
            " on other data then; expected none"
        )
        return Obstacle(SnapshotCode.INVALID_STATE, text)
    return None


def removal_obstacle(guest: Guest, snapshot: SnapshotConfig) -> Obstacle | None:
    """What stands in the way of removing a snapshot of a guest without those that follow it; None where nothing does.

    libvirt 9.0 removes the overlay of an external snapshot with internal ones in it, that cannot be applied then, and
    whose guest has no disk any more where that is tried.
    """
    if not snapshot.is_external:
        return None
    inner = next((each for each in _followers(guest.domain, snapshot.name, within=True) if not each.is_external), None)
    if inner is None:
        return None
    text = (
        f"snapshot {snapshot.name!r}: internal snapshot {inner.name!r} is in its overlays, and would be lost with them;"
        " expected it to be removed before, or both by DestroySnapshotTree"
    )
    return Obstacle(SnapshotCode.INVALID_STATE, text)


def _followers(domain: Domain, name: str | None, *, within: bool = False) -> Iterator[SnapshotConfig]:
    """The snapshots that were taken after one in its branch.

    Parameters:
        domain: whose they are.
        name: of that one.
        within: only those up to the next external one: behind it are other overlays.
    """
    for each in domain.snapshots or ():
        config = each.config
        if config is not None and config.parent_name == name:
            yield config
            if not (within and config.is_external):
                yield from _followers(domain, config.name, within=within)


def last_applied(domain: Domain) -> str | None:
    """The name of the snapshot that a domain was put back to last, as far as libvirt tells; None where it does not.

    libvirt tells as long as the domain is in the state that this has left it in, and when the snapshot that it goes on
    from has others behind it; beyond that, the domain's own metadata hold which one was applied through this server.  A
    domain that is off stays in that state while further snapshots are taken of it: what was applied is before those.
    """
    snapshots = {each.name: each for each in domain.snapshots or ()}
    xml = own_xml(domain.live_document or domain.defined_document) if snapshots else ""
    element = own_element(xml, APPLIED_NAMESPACE)
    kept = next((name for name, each in snapshots.items() if _fingerprint(each) == element), None)
    current = next((name for name, each in snapshots.items() if each.is_current), None)
    parents = {name: None if each.config is None else each.config.parent_name for name, each in snapshots.items()}
    if current is None or current in parents.values():
        return current or kept
    is_reverted = (domain.state, domain.reason) in _REVERTED
    return current if is_reverted and kept not in _before(current, parents) else kept


def _before(name: str, parents: Mapping[str, str | None]) -> set[str]:
    """The names of the snapshots that one follows, down to the root."""
    found: set[str] = set()
    parent = parents.get(name)
    while parent is not None and parent not in found:
        found.add(parent)
        parent = parents.get(parent)
    return found


def keep_applied(guest: Guest, snapshot: Snapshot) -> None:
    """Keep with a guest that it was put back to one of its snapshots."""
    element = f"<applied>{_fingerprint(snapshot)}</applied>"
    try:
        guest.hypervisor.domains.set_metadata(guest.domain.uuid, element, _KEY, APPLIED_NAMESPACE)
    except LibvirtError as error:
        _log.debug("guest %r: the snapshot that was applied is not kept: %s", guest.name, error.message)
    guest.hypervisor.inventory.refresh(guest.domain.uuid)


def _fingerprint(snapshot: Snapshot) -> str:
    """What tells a snapshot from one that is called so later: a digest, as a name may hold what XML does not take."""
    created = None if snapshot.config is None else snapshot.config.creation_time
    return hashlib.sha256(f"{created} {snapshot.name}".encode("utf-8", "surrogatepass")).hexdigest()


def _first_obstacle(guest: Guest, kind: SnapshotType) -> Obstacle | None:
    return next(_obstacles(guest, kind), None)


def _obstacles(guest: Guest, kind: SnapshotType) -> Iterator[Obstacle]:
    domain, name = guest.domain, guest.name
    config = domain.config
    if config is None:
        yield Obstacle(SnapshotCode.FAILED, f"guest {name!r}: its configuration cannot be read")
        return
    if not domain.persistent:
        yield Obstacle(
            SnapshotCode.NOT_SUPPORTED,
            f"guest {name!r} is transient: what libvirt knows of snapshots would go with it; expected a persistent one",
        )
    if kind in (SnapshotType.MEMORY, SnapshotType.MEMORY_AND_STOP) and not domain.active:
        yield Obstacle(SnapshotCode.INVALID_STATE, f"guest {name!r} is off, and has no memory; expected one that runs")
    if kind is SnapshotType.FULL:
        yield from _obstacles_to_internal(guest, config)
    elif kind is not SnapshotType.MEMORY_AND_STOP:
        if not any(_can_be_overlaid(disk) for disk in _disks(config)):
            yield Obstacle(SnapshotCode.NOT_SUPPORTED, f"guest {name!r} has no disk on a file or block device")
        if not domain.active:
            yield from _obstacles_to_overlays(config)


def _obstacles_to_overlays(config: DomainConfig) -> Iterator[Obstacle]:
    for disk in _disks(config):
        if is_misnamed_overlay(disk.source_file or ""):
            yield Obstacle(
                SnapshotCode.INVALID_STATE,
                f"disk {disk.target_dev}: there is a comma in {disk.source_file}, with which libvirt makes the overlay "
                "of a guest that is off under another name; expected none, or a guest that runs",
            )


def _obstacles_to_internal(guest: Guest, config: DomainConfig) -> Iterator[Obstacle]:
    if guest.hypervisor.driver == _TESTS:
        return
    if config.os_loader_type == "pflash" or config.os_firmware == "efi":
        yield Obstacle(
            SnapshotCode.NOT_SUPPORTED,
            f"guest {guest.name!r}: libvirt takes no internal snapshot of flash firmware; expected type 3",
        )
    disks = list(_disks(config))
    if not disks:
        yield Obstacle(SnapshotCode.NOT_SUPPORTED, f"guest {guest.name!r} has no disk to hold a snapshot")
    for disk in disks:
        if disk.driver_type != _FORMAT:
            yield Obstacle(
                SnapshotCode.NOT_SUPPORTED,
                f"disk {disk.target_dev} is {disk.driver_type or 'raw'}; expected {_FORMAT}, or type 3",
            )
        elif disk.snapshot in ("external", "no"):
            yield Obstacle(
                SnapshotCode.NOT_SUPPORTED,
                f"disk {disk.target_dev}: its definition says snapshot={disk.snapshot!r}; expected internal, or type 3",
            )


def _disks(config: DomainConfig) -> Iterator[Disk]:
    """The disks that a snapshot takes in unless it is told otherwise."""
    for device in config.devices:
        if isinstance(device, Disk) and device.device in (None, "disk", "lun") and not device.readonly:
            yield device


def _can_be_overlaid(disk: Disk) -> bool:
    return bool(disk.source_file or disk.source_dev) and disk.snapshot != "no"
