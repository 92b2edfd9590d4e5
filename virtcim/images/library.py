"""Everything that has to do with images, of a server: templates, images, and what is under way with them.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from virtcim.images.settings import ImageSettings
from virtcim.images.store import ImageStore, Records, TemplateStore
from virtcim.images.templates import Template
from virtcim.immutable import immutable
from virtcim.libhelper.work import Work

__all__ = ["Filling", "Library"]

_LOOK_AGAIN = 0.1
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
        check: refuses a template, by raising TemplateError, whose settings are none of a guest.
    """

    templates: TemplateStore
    images: ImageStore
    settings: ImageSettings
    fillings: Records[Filling]
    flush: Callable[[float], bool]
    check: Callable[[Template], object] = lambda _template: None
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _locking: threading.Lock = field(default_factory=threading.Lock)

    def saved(self) -> None:
        """Wait until what was changed is on disk."""
        self.flush(_PATIENCE)

    @contextmanager
    def alone(self, key: str, work: Work) -> Iterator[None]:
        """Be the only one who has to do with something.

        Parameters:
            key: of it.
            work: asked whether to stop while somebody else has to do with it.

        Raises:
            WorkCancelledError: it was asked to stop.
        """
        with self._locking:
            lock = self._locks.setdefault(key, threading.Lock())
        while not lock.acquire(timeout=_LOOK_AGAIN):
            with work.stoppable():
                work.checkpoint()
        try:
            yield
        finally:
            lock.release()
