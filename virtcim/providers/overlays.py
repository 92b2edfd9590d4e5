"""Which guests hang on an image: their disks lie over it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from virtcim.providers.guests import all_guests
from virtcim.providers.gueststorage import path_of
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.Virt_DevicePool import DiskPool

if TYPE_CHECKING:
    from virtcim.images.library import Library
    from virtcim.images.templates import Template
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.nodes.registry import NodeRegistry
    from virtcim.providers.site import Site

__all__ = ["BaseVolume", "base_volumes", "guests_over", "overlays_of", "refuse_hanging"]


class BaseVolume(NamedTuple):
    """A volume that is an image.

    Attributes:
        site, hypervisor: where it is.
        pool: the UUID of its pool.
        name: of the volume.
        path: of it.
    """

    site: Site
    hypervisor: Hypervisor
    pool: str
    name: str
    path: str


def base_volumes(nodes: NodeRegistry, sha256: str) -> Iterator[BaseVolume]:
    """The volumes on all nodes that hold an image of the store, by their names."""
    for site in nodes.sites():
        for hypervisor in site.all_hypervisors():
            for pool in hypervisor.inventory.pools():
                for volume in pool.volumes or ():
                    if volume.name.startswith("virtcim-") and f"-{sha256[:12]}." in volume.name:
                        path = (volume.config and volume.config.target_path) or volume.key
                        yield BaseVolume(site, hypervisor, pool.uuid, volume.name, path)


def overlays_of(hypervisor: Hypervisor, path: str) -> list[str]:
    """The paths of the volumes that lie over one."""
    return [
        config.target_path or volume.key
        for pool in hypervisor.inventory.pools()
        for volume in pool.volumes or ()
        if (config := volume.config) is not None and config.backing_store_path == path
    ]


def guests_over(site: Site, hypervisor: Hypervisor, path: str) -> list[str]:
    """The names of the guests whose disks lie over a volume, and the paths of overlays that no guest has."""
    left = overlays_of(hypervisor, path)
    names = []
    for platform in site.platforms:
        for guest in all_guests(site, platform):
            if guest.hypervisor is not hypervisor or guest.state is None:
                continue
            disks = [each.device for each in guest.state.entries.values() if each.kind.pool is DiskPool]
            own = {path_of(guest, device) for device in disks}
            if own.intersection(left):
                names.append(guest.name)
                left = [each for each in left if each not in own]
    return [*names, *left]


def refuse_hanging(nodes: NodeRegistry, library: Library, template: Template, text: str) -> None:
    """Refuse what would harm guests that hang on the image of a template.

    Raises:
        CIMError: FAILED, naming them.
    """
    image = None if template.image is None else library.images.find(template.image)
    sha256 = image.sha256 if image is not None else template.image.sha256 if template.image is not None else ""
    found = [
        name for each in base_volumes(nodes, sha256) for name in guests_over(each.site, each.hypervisor, each.path)
    ]
    if sha256 and found:
        raise CIMError(Status.FAILED, f"{text}: guests hang on its image: {', '.join(sorted(set(found)))}")
