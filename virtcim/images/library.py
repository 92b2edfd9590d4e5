"""Everything that has to do with images, of a server: templates, images, and what is under way with them.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from virtcim.images.records import Records
from virtcim.images.settings import ImageSettings
from virtcim.images.store import ImageStore
from virtcim.images.templates import Template
from virtcim.images.templates.store import TemplateStore
from virtcim.images.turns import Turns
from virtcim.immutable import immutable

__all__ = ["Filling", "Library"]

_PATIENCE = 5.0
"""Seconds that the disk gets to take what was written."""


@immutable
class Filling:
    """A volume that is being filled: what there is of it after the server has died is not the image.

    Attributes:
        volume: for people.
    """

    volume: str


@dataclass
class Library:
    """The templates and images of a server.

    Attributes:
        templates: all of them.
        images: those that are here.
        settings: of both.
        fillings: the volumes that images are being copied to, by hypervisor, pool and volume.
        flush: waits until everything that was changed is on disk, for some seconds at most.
        turns: whoever puts an image into a volume takes one.
        check: refuses a template, by raising TemplateError, whose settings are none of a guest.
    """

    templates: TemplateStore
    images: ImageStore
    settings: ImageSettings
    fillings: Records[Filling]
    flush: Callable[[float], bool]
    check: Callable[[Template], object] = lambda _template: None
    turns: Turns = field(default_factory=Turns)

    def saved(self) -> None:
        """Wait until what was changed is on disk."""
        self.flush(_PATIENCE)
