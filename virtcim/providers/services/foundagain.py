"""Work that another run of the server has begun, and that libvirt may still be at: found again by asking libvirt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from virtcim.libhelper.connections import Connections
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.migrations import Place
from virtcim.libhelper.uris import shorten_uri
from virtcim.providers.errors import libvirt_failure
from virtcim.providers.guests import guest_named
from virtcim.providers.interface import CIMError, MethodResult, Status
from virtcim.providers.Virt_BackupService import BackupMode
from virtcim.providers.Virt_BackupService.methods import pushed
from virtcim.providers.Virt_HostSystem import host_name
from virtcim.providers.Virt_VirtualSystemSnapshotService.methods import found_snapshot

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.work import Work
    from virtcim.providers.guest import Guest
    from virtcim.providers.jobs import JobRecord
    from virtcim.providers.site import Site

__all__ = ["work_of"]

_PATIENCE = 60.0
"""Seconds that a hypervisor gets to be connected."""
_LOOK = 0.2
"""Seconds between two looks at whether it is."""

_Find = Callable[[], Iterable["Site"]]


def work_of(record: JobRecord, sites: _Find) -> Callable[[Work], MethodResult] | None:
    """Find what goes on with a job of an earlier run of the server.

    Parameters:
        record: of the job.
        sites: gives what is served; nodes may come later.

    Returns:
        the work: it waits for the end of what libvirt is at, and tells how it ended; None for a job that only the
        server itself was at.
    """
    figures = record.figures
    if not all(figures.get(name) for name in ("uuid", "uri")):
        return None
    if record.base == "MigrationJob" and figures.get("destination_uri"):
        return lambda work: _migration(record, sites, work)
    if record.base == "BackupJob":
        return lambda work: _backup(record, sites, work)
    if record.method == "CreateSnapshot" and figures.get("snapshot"):
        return lambda work: _snapshot(record, sites, work)
    return None


def _migration(record: JobRecord, sites: _Find, work: Work) -> MethodResult:
    figures = work.figures
    hypervisor = _hypervisor(str(figures["uri"]), sites)
    uri, name = str(figures["destination_uri"]), str(figures.get("destination", ""))
    other = _served(uri, sites())
    if other is None:
        place = Place(name, Connections(uri), uri)
    else:
        place = Place(name, other.connections, uri, other.inventory, other.host_uuid)
    try:
        hypervisor.migrations.resume(str(figures["uuid"]), host_name(hypervisor), place, work)
    except LibvirtError as error:
        raise libvirt_failure(f"{record.method} failed", error) from error
    work.set_leftover("")
    return MethodResult(0)


def _backup(record: JobRecord, sites: _Find, work: Work) -> MethodResult:
    figures = work.figures
    hypervisor = _hypervisor(str(figures["uri"]), sites)
    uuid, checkpoint = str(figures["uuid"]), str(figures.get("checkpoint") or "")
    try:
        if figures.get("mode") == int(BackupMode.PULL):
            hypervisor.backups.resume_pull(uuid, work)
            return MethodResult(0)
        volumes, pool = tuple(str(figures.get("volumes", "")).split("\n")), str(figures.get("pool", ""))
        hypervisor.backups.resume_push(uuid, pool, volumes, checkpoint or None, work)
    except LibvirtError as error:
        raise libvirt_failure("Unable to back up", error) from error
    guest = _guest(record, sites, figures)
    return MethodResult(0) if guest is None else pushed(guest, pool, volumes, checkpoint)


def _snapshot(record: JobRecord, sites: _Find, work: Work) -> MethodResult:
    figures = work.figures
    hypervisor = _hypervisor(str(figures["uri"]), sites)
    uuid, name = str(figures["uuid"]), str(figures["snapshot"])
    try:
        found = hypervisor.snapshots.await_snapshot(uuid, name)
    except LibvirtError as error:
        raise libvirt_failure("Unable to create snapshot", error) from error
    work.set_leftover("")
    if not found:
        text = f"the server ended while the snapshot was taken, and there is no snapshot {name!r}"
        raise CIMError(Status.FAILED, f"Unable to create snapshot: {text}")
    guest = _guest(record, sites, figures)
    return MethodResult(0) if guest is None else found_snapshot(guest, name)


def _guest(record: JobRecord, sites: _Find, figures: Mapping[str, int | str]) -> Guest | None:
    """The guest that a job is about, as it is now; None where it is gone."""
    for site in sites():
        for platform in site.platforms:
            if (site.namespace, platform.prefix) == (record.namespace, record.prefix):
                return guest_named(site, platform, str(figures.get("guest", "")))
    return None


def _hypervisor(uri: str, sites: _Find) -> Hypervisor:
    """The hypervisor of a URI, once it is connected.

    Raises:
        CIMError: FAILED where it is not served any more, or not connected in time.
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        found = _served(uri, sites())
        if found is not None and found.connected:
            return found
        time.sleep(_LOOK)
    raise CIMError(Status.FAILED, f"the server ended while it was under way, and {shorten_uri(uri)} does not answer")


def _served(uri: str, sites: Iterable[Site]) -> Hypervisor | None:
    return next((each for site in sites for each in site.all_hypervisors() if each.uri == uri), None)
