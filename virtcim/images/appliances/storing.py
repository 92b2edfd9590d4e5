"""Making templates of an appliance: its disks become images of the store, its systems what is said of guests.

Layer rule: imports its siblings, `images.store`, `libhelper` and `platforms`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from virtcim.images.appliances.contents import Contents, whole_capacity, whole_sectors
from virtcim.images.appliances.images import QCOW2
from virtcim.images.appliances.importing import Guest, ImportOrder, Plan, plan_import
from virtcim.images.appliances.machine import Drive
from virtcim.images.appliances.package import Package
from virtcim.images.appliances.scratch import scratch_directory
from virtcim.images.appliances.translation import Image, Translation, architecture_of, translate
from virtcim.images.appliances.undo import PartOfWork, Steps, undoing
from virtcim.images.store import ImageError, ImageStore, StoredImage
from virtcim.immutable import immutable
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.work import Work
from virtcim.platforms.base import Platform

__all__ = ["StoredDisk", "StoredSystem", "store_appliance"]

_CHECKED, _STORED = 10, 95
"""Percent that it has come when the files are compared, and when the disks are there."""


@immutable
class StoredDisk:
    """A disk of a system.

    Attributes:
        capacity: in bytes.
        image: with its content; None for an empty one.
    """

    capacity: int
    image: StoredImage | None = None


@immutable
class StoredSystem:
    """A system of an appliance.

    Attributes:
        name: of the system.
        annotation: for people.
        xml: of the domain that a guest of it would be.
        disks: by the paths that the domain has in their place.
    """

    name: str
    annotation: str
    xml: str
    disks: Mapping[str, StoredDisk]


def store_appliance(
    package: Package,
    order: ImportOrder,
    hypervisor: Hypervisor,
    platform: Platform,
    images: ImageStore,
    work: Work,
    scratch: Path,
    keep: Callable[[Sequence[StoredSystem]], object],
) -> tuple[str, ...]:
    """Put the disks of an appliance into the store of images; what was put there is taken back when a later step fails.

    Parameters:
        order: how; of its pool only the host is meant, and nothing is started.
        platform: of the guests that are to be made of it.
        images: the store.
        work: told how far it is, and asked whether to go on.
        scratch: a directory with room for the largest disk of the appliance, twice.
        keep: takes the systems, in the order in which they are started; what it raises takes back everything.

    Returns:
        what is left out, or became something else, in words.

    Raises:
        ApplianceError: it cannot be taken.
        ImageError: the store refused an image.
        WorkCancelledError: the work was asked to stop.
        OSError: there is no room, or the package cannot be read.
    """
    plan = plan_import(package, order, hypervisor, makes_guests=False)
    package.check_files(PartOfWork(work, 0, _CHECKED))
    with scratch_directory(scratch) as directory, undoing(work) as steps:
        storing = _Storing(package, order, plan, hypervisor, platform, images, work, directory, steps)
        systems = [storing.store(guest) for guest in plan.guests]
        work.checkpoint()
        keep(systems)
    work.report(100, 100)
    return tuple(dict.fromkeys(storing.warnings))


class _Storing:
    """Stores the systems of one appliance, one after the other.

    Attributes:
        warnings: so far.
    """

    def __init__(
        self,
        package: Package,
        order: ImportOrder,
        plan: Plan,
        hypervisor: Hypervisor,
        platform: Platform,
        images: ImageStore,
        work: Work,
        scratch: Path,
        steps: Steps,
    ) -> None:
        self._package, self._order, self._plan = package, order, plan
        self._hypervisor, self._platform = hypervisor, platform
        self._images, self._work, self._steps = images, work, steps
        self._contents = Contents(package, scratch)
        self._count = sum(bool(drive.disk or drive.capacity) for guest in plan.guests for drive in guest.machine.drives)
        self._done = 0
        self.warnings = list(plan.warnings)
        if plan.properties:
            self.warnings.append("properties are left out: guests of a template are not told them")

    def store(self, guest: Guest) -> StoredSystem:
        """Store the disks of a system, and say what a guest of it would be."""
        if any(drive.file for drive in guest.machine.drives):
            self._warn(guest, "what is in its drives is left out")
        disks = {drive.id: self._store(guest, drive) for drive in guest.machine.drives if drive.disk or drive.capacity}
        drives = tuple(replace(drive, file="") for drive in guest.machine.drives)
        translation = Translation(
            name=guest.name,
            platform=self._platform,
            host=self._hypervisor.host_capabilities(),
            networks=self._plan.networks,
            images={id_: Image("file", _path(id_), QCOW2) for id_ in disks},
            arch=architecture_of(guest.system.system.word),
            bases=self._order.bases,
        )
        document, told = translate(replace(guest.machine, drives=drives), translation)
        for each in told:
            self._warn(guest, each)
        by_path = {_path(id_): disk for id_, disk in disks.items()}
        return StoredSystem(guest.name, guest.system.annotation, document.tostring(), by_path)

    def _store(self, guest: Guest, drive: Drive) -> StoredDisk:
        begin, end = (_CHECKED + (_STORED - _CHECKED) * each // self._count for each in (self._done, self._done + 1))
        middle = (begin + end) // 2
        self._done += 1
        if not drive.disk:
            return StoredDisk(whole_sectors(drive.capacity))
        disk = self._package.appliance.disks[drive.disk]
        capacity = whole_capacity(disk, self._plan.properties)
        if not self._package.appliance.content_of(disk):
            return StoredDisk(capacity)
        path, _ = self._contents.convert(disk, capacity, QCOW2, PartOfWork(self._work, begin, middle))
        try:
            image, is_new = self._images.take(path, QCOW2, guest.name, PartOfWork(self._work, middle, end))
        finally:
            path.unlink(missing_ok=True)
        if is_new:
            self._steps.add(f"image {image.sha256[:12]}", partial(self._forget, image))
        return StoredDisk(capacity, image)

    def _forget(self, image: StoredImage) -> None:
        with suppress(ImageError):
            self._images.remove(image.sha256)

    def _warn(self, guest: Guest, text: str) -> None:
        self.warnings.append(f"system {guest.name!r}: {text}")


def _path(id_: str) -> str:
    """What stands for the path of a disk in the domain."""
    return f"/{id_}"
