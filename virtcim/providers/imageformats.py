"""In which format a volume is read: what a raw one begins with is its guest's word, and libvirt's pools believe it.

A guest can write the header of a qcow2 image onto its raw disk, over any file of the host.  Whoever then reads the
volume as qcow2, for another guest or to copy it, reads that file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

from virtcim.libhelper.documents.domain import Disk
from virtcim.providers.guests import made_of_guests
from virtcim.providers.gueststorage import path_of

if TYPE_CHECKING:
    from virtcim.libhelper.documents.storage import VolumeConfig
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.guest import Guest
    from virtcim.providers.site import Site

__all__ = ["BaseInNoPoolError", "FormatsByPath", "as_guests_read", "formats_in_guests"]

FormatsByPath: TypeAlias = Mapping[str, str]

_RAW = "raw"
_HARMLESS = frozenset({None, _RAW, "iso", "dir"})
"""What a pool says of images in which nothing can name another one."""


class BaseInNoPoolError(Exception):
    """Only libvirt says that a volume lies over something that is in no storage pool: a guest may have chosen it.

    Attributes:
        base: the path of that.
    """

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.base = base


def formats_in_guests(site: Site, hypervisor: Hypervisor) -> FormatsByPath:
    """Tell in which format guests read their images, and those that these lie over; raw where one of several does."""
    found: dict[str, str] = {}
    for platform in site.platforms:
        for host, path, word in made_of_guests(site, platform, formats_in_guests, _formats):
            if host is hypervisor and found.get(path) != _RAW:
                found[path] = word
    return found


def as_guests_read(config: VolumeConfig, formats: FormatsByPath, hypervisor: Hypervisor) -> VolumeConfig:
    """Describe a volume as the guests read it that have it; as libvirt does where none has.

    Parameters:
        config: of a volume, as libvirt describes it.
        formats: see `formats_in_guests`.

    Raises:
        BaseInNoPoolError: no guest has it, and libvirt takes it for an image over another one that is in no pool.
    """
    base = config.backing_store_path
    if base is not None and config.target_path not in formats and hypervisor.inventory.volume_at(base) is None:
        raise BaseInNoPoolError(base)
    word = formats.get(config.target_path or "")
    if config.target_format_type in _HARMLESS or word in (None, config.target_format_type):
        return config
    capacity = config.physical or config.capacity
    return config.replace(target_format_type=word, capacity=capacity, backing_store_path=None)


def _formats(guest: Guest) -> Iterator[tuple[Hypervisor, str, str]]:
    for configuration in guest.all_configurations:
        for entry in configuration.entries.values():
            disk = entry.device
            if not isinstance(disk, Disk):
                continue
            path = path_of(guest, disk)
            if path and disk.driver_type:
                yield guest.hypervisor, path, disk.driver_type
            for image in disk.backing_chain:
                below = image.source_file or image.source_dev
                if below and image.format_type:
                    yield guest.hypervisor, below, image.format_type
