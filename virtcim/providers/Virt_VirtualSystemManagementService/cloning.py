"""DefineSystem with a guest as ReferenceConfiguration and a CloneMode: a guest with disks of its own, in steps."""

from __future__ import annotations

import enum
import posixpath
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from virtcim.images.provisioning import Step, carry_out
from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import Disk, DomainDocument
from virtcim.libhelper.domains.change import NotKeptError
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work
from virtcim.libhelper.xml.editing import object_text
from virtcim.providers.base import class_of
from virtcim.providers.errors import libvirt_failure
from virtcim.providers.gueststorage import file_stem, new_volume, path_of
from virtcim.providers.interface import (
    CIMError,
    EmbeddedInstance,
    InstancePath,
    MethodResult,
    RequestContext,
    Status,
)
from virtcim.providers.jobs import Effect
from virtcim.providers.services.work import run_method
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_VirtualSystemManagementService.definition import Definition, Request
from virtcim.providers.Virt_VirtualSystemManagementService.outcomes import raise_error, refused, with_notes
from virtcim.providers.Virt_VirtualSystemManagementService.reference import Reference

if TYPE_CHECKING:
    from virtcim.providers.guest import Guest
    from virtcim.providers.Virt_VirtualSystemManagementService.Virt_VirtualSystemManagementService import (
        VirtualSystemManagementService,
    )

__all__ = ["CLONE_MODE", "CloneMode", "Cloning", "clone_mode"]

CLONE_MODE = "CloneMode"

_FILE_POOLS = frozenset({"dir", "fs", "netfs", "vstorage"})
"""The types of storage pools whose volumes are files, so that an overlay can lie beside its base."""
_LEFT_AS_THEY_ARE = ("cdrom", "floppy")


class CloneMode(enum.IntEnum):
    """Virt_VirtualSystemSettingData.CloneMode."""

    FULL_COPY = 2
    OVERLAY = 3


@immutable
class ClonedDisk:
    """A disk of the guest, and what becomes of it.

    Attributes:
        target: its name in both guests.
        path: of its image.
        pool: the UUID of the storage pool that it is in.
        volume: its name there.
        format: of it.
        clone: the name of the volume of the new guest, in the same pool.
        aside: that of the overlay in which the guest itself goes on.
    """

    target: str
    path: str
    pool: str
    volume: str
    format: str
    clone: str
    aside: str

    @property
    def aside_path(self) -> str:
        """The path of the overlay in which the guest itself goes on."""
        return posixpath.join(posixpath.dirname(self.path), self.aside)


def clone_mode(system: EmbeddedInstance | None) -> CloneMode | None:
    """Read how the disks of a guest are to be cloned; None where they are not.

    Raises:
        CIMError: INVALID_PARAMETER for what the class does not know.
    """
    value = None if system is None else system.properties.get(CLONE_MODE)
    if value is None:
        return None
    try:
        return CloneMode(int(str(value)))
    except ValueError:
        text = f"{CLONE_MODE}: {value!s:.20}; expected 2 (Full Copy) or 3 (Overlay)"
        raise CIMError(Status.INVALID_PARAMETER, text) from None


def without_mode(system: EmbeddedInstance) -> EmbeddedInstance:
    """The settings of the new guest, without what is said of its making."""
    return replace(system, properties={name: each for name, each in system.properties.items() if name != CLONE_MODE})


class Cloning:
    """A guest that is to be made as a clone of another one.

    Parameters:
        service: of the node.
        guest: the guest that is cloned.
        xml: its definition, with its passwords.
        mode: how its disks are.
        system: SystemSettings, with the mode.
        resources: ResourceSettings; None when they were not given.
        context: of the request.

    Raises:
        CIMError: what is asked for cannot be; nothing has been done.
    """

    def __init__(
        self,
        service: VirtualSystemManagementService,
        guest: Guest,
        xml: str,
        mode: CloneMode,
        system: EmbeddedInstance,
        resources: Sequence[EmbeddedInstance | None] | None,
        context: RequestContext,
    ) -> None:
        self._service, self._guest, self._xml, self._mode = service, guest, xml, mode
        self._hypervisor = guest.hypervisor
        self._system = without_mode(system)
        self._resources = resources
        self._context = context
        # With the disks of the other guest: everything else that cannot be is told before anything is done.
        self.name = self._definition(xml).name
        # It may be one that was found for the guest, which is defined later.
        properties = {**self._system.properties, "VirtualSystemIdentifier": self.name}
        self._system = replace(self._system, properties=properties)
        self._stem = file_stem(self.name)
        self._disks = list(self._cloned_disks())
        if guest.domain.has_managed_save:
            raise refused(f"guest {guest.name}: its memory is saved, and belongs to its disks; expected it to be off")
        if mode is CloneMode.OVERLAY and guest.snapshots:
            raise refused(f"guest {guest.name}: has snapshots in its disks; expected a {CLONE_MODE} of Full Copy")
        self._aside: dict[str, str] = {}
        self._made: list[str] = []
        self._uuid = ""

    def start(self) -> MethodResult:
        """Begin the job."""
        return run_method(
            self._service,
            "DefineSystem",
            self._context,
            self._run,
            [system_of(self._guest).path()],
            Effect.PERFORMANCE_IMPACT,
            name=f"Clone {self._guest.name} as {self.name}",
            base="ProvisioningJob",
            at_once=True,
        )

    def _run(self, work: Work) -> MethodResult:
        work.tell({"guest": self.name})
        library = self._service.site.library
        try:
            carry_out(list(self._steps()), work, (lambda: None) if library is None else library.saved)
        except NotKeptError as error:
            raise refused(with_notes(f"Clone {self._guest.name}: {error}", error)) from error
        except LibvirtError as error:
            raise libvirt_failure(with_notes(f"Clone {self._guest.name}", error), error) from error
        except CIMError as error:
            raise CIMError(error.status, with_notes(error.description, error)) from error
        class_name = class_of(self._service.platform.prefix, ComputerSystem.base)
        keys = {"CreationClassName": class_name, "Name": self.name}
        return MethodResult(0, {"ResultingSystem": InstancePath(class_name, keys, self._service.namespace)})

    def _steps(self) -> Iterator[Step]:
        """What is done, in order."""
        is_overlay = self._mode is CloneMode.OVERLAY
        sets_aside = self._disks and (is_overlay or self._guest.domain.active)
        if sets_aside:
            names = ", ".join(each.aside for each in self._disks)
            stands = f"guest {self._guest.name!r} in its overlays {names}"
            yield Step("set the disks aside", self._set_aside, self._merge, stands, weight=2)
        for disk in self._disks:
            make = partial(self._overlay if is_overlay else self._copy, disk)
            yield self._volume_step(f"{'overlay' if is_overlay else 'copy'} disk {disk.target}", disk, make)
        if not sets_aside:
            yield Step("see that the guest was off", self._see_off)
        elif not is_overlay:
            yield Step("merge the disks back", self._merge_back, weight=5)
        yield Step("define the guest", self._define, self._undefine, f"guest {self.name!r}")

    def _definition(self, xml: str) -> Definition:
        request = Request(self._system, self._resources, Reference(self._guest, xml))
        return Definition(self._service.site, self._service.platform, self._hypervisor, request, raise_error)

    def _cloned_disks(self) -> Iterator[ClonedDisk]:
        """The disks that the new guest gets of its own: all but media, and what several guests share.

        Raises:
            CIMError: FAILED where one is in no storage pool.
        """
        number = 0
        for disk in DomainDocument(self._xml).devices:
            if not isinstance(disk, Disk) or (disk.device or "disk") in _LEFT_AS_THEY_ARE:
                continue
            if disk.readonly or disk.shareable:
                continue
            target, path = disk.target_dev or "", path_of(self._guest, disk)
            found = None if path is None else self._hypervisor.inventory.volume_at(path)
            if path is None or found is None:
                raise refused(f"disk {target}: is in no storage pool of this node; expected it in one")
            if disk.encryption_format or "<encryption" in DomainDocument(self._xml).device_xml(disk):
                raise refused(f"disk {target}: is encrypted; expected one that is not")
            pool, volume = found
            kind = pool.config.type if pool.config is not None else None
            is_aside = self._mode is CloneMode.OVERLAY or self._guest.domain.active
            if is_aside and kind not in _FILE_POOLS:
                text = f"disk {target}: is no file, so that no overlay can lie over it; expected the guest to be off"
                raise refused(text if self._mode is CloneMode.FULL_COPY else f"{text}, and a {CLONE_MODE} of Full Copy")
            format_ = "qcow2" if self._mode is CloneMode.OVERLAY else disk.driver_type or "raw"
            suffix = f".{format_}" if kind in _FILE_POOLS else ""
            clone = f"{self._stem}-{number}{suffix}" if number else f"{self._stem}{suffix}"
            yield ClonedDisk(
                target, path, str(pool.uuid), volume, disk.driver_type or "raw", clone,
                f"{file_stem(self._guest.name)}-{target}-{self._stem}.qcow2",
            )  # fmt: skip
            number += 1

    def _set_aside(self, _work: Work) -> None:
        for disk in self._disks:
            if self._hypervisor.storage.volume_config(disk.pool, disk.aside) is not None:
                raise refused(f"volume {disk.aside}: exists already; expected none of that name")
        overlays = {disk.target: disk.aside_path for disk in self._disks}
        self._hypervisor.overlays.lay(self._guest.domain.uuid, overlays)
        self._aside = overlays
        self._refresh()

    def _merge_back(self, work: Work) -> None:
        """Have the guest go on in its disks, with what it has written meanwhile."""
        self._hypervisor.overlays.merge(self._guest.domain.uuid, self._aside, work)
        self._aside = {}
        self._refresh()
        for disk in self._disks:
            if self._hypervisor.storage.volume_config(disk.pool, disk.aside) is not None:
                self._hypervisor.storage.delete_volume(disk.pool, disk.aside)
        self._refresh()

    def _merge(self) -> None:
        if self._aside:
            self._merge_back(Work())

    def _copy(self, disk: ClonedDisk, work: Work) -> None:
        source = self._hypervisor.storage.volume_config(disk.pool, disk.volume)
        if source is None:
            raise refused(f"volume {disk.volume}: is gone")
        storage, place = self._hypervisor.storage, (disk.pool, disk.volume)
        # What a raw disk begins with is its guest's word: the pool's view of it must not decide what is read.
        is_raw = disk.format == "raw"
        text = object_text(new_volume(disk.clone, (is_raw and source.physical) or source.capacity or 0, disk.format))
        if is_raw or source.backing_store_path is None:
            storage.copy_volume(disk.pool, text, disk.clone, place, work)
        else:
            storage.convert_volume(disk.pool, text, disk.clone, place, work)

    def _overlay(self, disk: ClonedDisk, work: Work) -> None:
        source = self._hypervisor.storage.volume_config(disk.pool, disk.volume)
        if source is None:
            raise refused(f"volume {disk.volume}: is gone")
        made = new_volume(disk.clone, source.capacity or 0, "qcow2").replace(
            backing_store_path=disk.path, backing_store_format_type=disk.format
        )
        self._hypervisor.storage.create_volume(disk.pool, object_text(made), disk.clone, work)

    def _see_off(self, _work: Work) -> None:
        """Refuse copies of disks that a guest may have written to meanwhile."""
        record = self._hypervisor.inventory.domain_by_uuid(self._guest.domain.uuid)
        if record is None or record.active:
            raise refused(f"guest {self._guest.name}: was started while its disks were copied; expected it to be off")

    def _define(self, _work: Work) -> None:
        self._refresh()
        definition = self._definition(self._with_own_disks())
        self._uuid = self._hypervisor.domains.define(
            definition.document.tostring(), autostart=definition.autostart, check=definition.confirmation.check
        )

    def _undefine(self) -> None:
        if self._uuid:
            self._hypervisor.domains.remove(self._uuid)

    def _with_own_disks(self) -> str:
        """The definition of the guest, with the disks of the new one."""
        document = DomainDocument(self._xml)
        own = {disk.target: disk for disk in self._disks}
        for device in document.devices:
            disk = own.get(device.target_dev or "") if isinstance(device, Disk) else None
            if disk is None or not isinstance(device, Disk):
                continue
            found = self._hypervisor.storage.volume_config(disk.pool, disk.clone)
            if found is None or not found.target_path:
                raise refused(f"volume {disk.clone}: is gone")
            is_block = device.type == "block"
            document.set(
                device,
                {
                    "type": "block" if is_block else "file",
                    "source_file": None if is_block else found.target_path,
                    "source_dev": found.target_path if is_block else None,
                    "source_pool": None,
                    "source_volume": None,
                    "driver_type": "qcow2" if self._mode is CloneMode.OVERLAY else disk.format,
                },
            )
        return document.tostring()

    def _volume_step(self, what: str, disk: ClonedDisk, make: Callable[[Work], None]) -> Step:
        """A step that makes a volume, and takes back that volume and no other one of its name."""
        library = self._service.site.library

        def run(work: Work) -> None:
            key = f"{self._hypervisor.uri}\n{disk.pool}\n{disk.clone}"
            with nullcontext() if library is None else library.turns.take(key, work):
                if self._hypervisor.storage.volume_config(disk.pool, disk.clone) is not None:
                    raise refused(f"volume {disk.clone}: exists already; expected none of that name")
                make(work)
                # From here on: one that somebody else makes meanwhile is not ours.
                self._made.append(disk.clone)

        def undo() -> None:
            if disk.clone in self._made and self._hypervisor.storage.volume_config(disk.pool, disk.clone) is not None:
                self._hypervisor.storage.delete_volume(disk.pool, disk.clone)
                self._refresh()

        return Step(what, run, undo, f"volume {disk.clone!r}", weight=20)

    def _refresh(self) -> None:
        """Have libvirt and the inventory know the volumes that there are now."""
        for pool in dict.fromkeys(disk.pool for disk in self._disks):
            self._hypervisor.storage.refresh_pool(pool)
