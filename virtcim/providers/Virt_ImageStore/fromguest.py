"""A template of a guest: its system disk becomes an image, what is said of it the settings of others like it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from virtcim.images.library import Library
from virtcim.images.provisioning import Step, carry_out
from virtcim.images.store import Incoming
from virtcim.images.templates import ExtraDisk, ImageSource
from virtcim.libhelper.inventory.records import Pool
from virtcim.libhelper.work import Work
from virtcim.libhelper.xml.editing import object_text
from virtcim.providers.guest import Configuration, ConfigurationKind, Guest
from virtcim.providers.gueststorage import capacity_of, file_stem, new_volume, path_of
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.Virt_ImageStore.described import described_template, own_disks

__all__ = ["TemplateOfGuest"]

_FORMATS = ("qcow2", "raw")
"""Those of disks that can become images.  What a raw disk begins with is its guest's word, and so it is copied byte for
byte; the others are written anew, whole and without the snapshots that they may hold."""


class TemplateOfGuest:
    """A template that is to be made of a guest.

    Parameters:
        library: that it comes into.
        guest: of which; it has to be off.
        id_, title, group, customize: of the template.
        owner: who asks for it.

    Raises:
        CIMError: it cannot be made; nothing has been done.
    """

    def __init__(
        self, library: Library, guest: Guest, id_: str, title: str, group: str, customize: str, owner: str
    ) -> None:
        self._library, self._guest, self._owner = library, guest, owner
        defined = guest.domain.defined
        if guest.domain.active or guest.domain.has_managed_save or defined is None:
            raise CIMError(Status.FAILED, f"guest {guest.name}: is not off; expected it to be off, or a clone of it")
        disks = own_disks(defined)
        if not disks:
            raise CIMError(Status.FAILED, f"guest {guest.name}: has no disk; expected one with its system")
        self._disk = disks[0]
        self._further = disks[1:]
        self._format = self._disk.driver_type or "raw"
        if self._format not in _FORMATS:
            text = f"disk {self._disk.target_dev}: is {self._format}; expected {' or '.join(_FORMATS)}"
            raise CIMError(Status.FAILED, text)
        self._pool, self._volume = self._place()
        self._copy = f"{file_stem(guest.name)}-template.{self._format}"
        self.template = replace(
            described_template(Configuration(guest, defined, ConfigurationKind.DEFINED)),
            id=id_,
            version=library.templates.next_version(id_),
            title=title,
            group=group,
            disks=tuple(
                ExtraDisk(size, bus=each.target_bus or "")
                for each in self._further
                if (size := capacity_of(guest, each))
            ),
            customize=customize,
        )
        self._image = ""
        self._upload = ""
        self._made = False

    def run(self, work: Work) -> None:
        """Make it; what fails or is ended is taken back.

        Raises:
            ImageError, TemplateError, LibvirtError, WorkCancelledError, OSError.
        """
        carry_out(list(self._steps()), work, self._library.saved)

    def _steps(self) -> Iterator[Step]:
        stands = f"volume {self._copy!r} in storage pool {self._pool.name!r}"
        yield Step("copy the disk", self._convert, self._delete_copy, stands, weight=50)
        yield Step("take the image in", self._take_in, self._forget_image, "an image in the store", weight=40)
        yield Step("remove the copy", lambda _: self._delete_copy())
        yield Step("keep the template", self._keep)

    def _place(self) -> tuple[Pool, str]:
        """The storage pool of the system disk, and its volume."""
        path = path_of(self._guest, self._disk)
        found = None if path is None else self._guest.hypervisor.inventory.volume_at(path)
        if found is None:
            text = f"disk {self._disk.target_dev}: is in no storage pool of this node; expected it in one"
            raise CIMError(Status.FAILED, text)
        return found

    def _convert(self, work: Work) -> None:
        storage = self._guest.hypervisor.storage
        source = storage.volume_config(self._pool.uuid, self._volume)
        if source is None or storage.volume_config(self._pool.uuid, self._copy) is not None:
            raise CIMError(Status.FAILED, f"volume {self._volume}: is gone, or {self._copy} is there already")
        is_raw = self._format == "raw"
        made = new_volume(self._copy, (is_raw and source.physical) or source.capacity or 0, self._format)
        place = (self._pool.uuid, self._volume)
        take = storage.copy_volume if is_raw else storage.convert_volume
        take(self._pool.uuid, object_text(made), self._copy, place, work)
        # Not before: one that somebody else has made meanwhile is theirs.
        self._made = True
        record = self._guest.hypervisor.inventory.domain_by_uuid(self._guest.domain.uuid)
        if record is None or record.active:
            raise CIMError(Status.FAILED, f"guest {self._guest.name}: was started meanwhile; expected it to be off")

    def _delete_copy(self) -> None:
        storage = self._guest.hypervisor.storage
        if self._made and storage.volume_config(self._pool.uuid, self._copy) is not None:
            storage.delete_volume(self._pool.uuid, self._copy)
        self._made = False

    def _take_in(self, work: Work) -> None:
        images = self._library.images
        known = {each.sha256 for each in images.all()}
        incoming = Incoming(images)
        self._upload = incoming.name
        self._guest.hypervisor.storage.download(self._pool.uuid, self._copy, incoming, 0, 0, work)
        image = images.finish(self._upload, incoming.sha256, self._format, self.template.title or self.template.id)
        self._upload = ""
        if image.sha256 not in known:
            self._image = image.sha256
        source = ImageSource(sha256=image.sha256, format=self._format, size=image.size)
        self.template = replace(self.template, image=source)

    def _forget_image(self) -> None:
        if self._upload:
            self._library.images.abandon(self._upload)
        if self._image:
            self._library.images.remove(self._image)

    def _keep(self, _work: Work) -> None:
        self._library.templates.add(self.template, self._owner)
