"""Seeds of guests, which are taken out once they have done their work: they may hold keys and hashes of passwords.

A guest has done with its seed when it was up and has shut itself down in order: libvirt keeps that as the reason why it
does not run, also for a server that was not there.  One that was switched off or crashed may need it again.

A running one has done with it when it has borne the host name of its seed for a while, as its agent or the lease of its
address tells: nobody but cloud-init gives it that name, and cloud-init keeps what it has read.  The while is for what
cloud-init does with it afterwards, as a guest that is cut off in the middle of that needs its seed again.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from virtcim.images.seed import first_label
from virtcim.libhelper.documents.domain import Disk, DomainDocument
from virtcim.libhelper.domains.live import device_steps
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.inventory.records import Domain
from virtcim.libhelper.states import DomainState, ShutoffReason
from virtcim.providers.requested import SEED, lasting_xml, own_element

if TYPE_CHECKING:
    from virtcim.libhelper.domains.change import DomainChange
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.site import Site

__all__ = ["detach_seeds"]

_log = logging.getLogger(__name__)

_OFF = (DomainState.SHUTOFF, ShutoffReason.SHUTDOWN)
_LOOK_AGAIN = 30.0
"""Seconds after which running guests are asked again."""


class Seed(NamedTuple):
    """Where the seed of a guest is.

    Attributes:
        pool: the UUID of the storage pool.
        volume: the name.
        host_name: that is in it; "" where that was not noted.
    """

    pool: str
    volume: str
    host_name: str = ""


def detach_seeds(site: Site) -> None:
    """Take the seeds of the guests of a site out when these have done with them, from now on."""
    site.follow(lambda hypervisor: _watch(site, hypervisor))


def _watch(site: Site, hypervisor: Hypervisor) -> None:
    if not hypervisor.read_only:
        keeper = _Keeper(site, hypervisor)
        hypervisor.inventory.listeners.append(lambda change: keeper.look(change.after))
        for domain in hypervisor.inventory.domains():
            keeper.look(domain)


def _seed_of(domain: Domain) -> Seed | None:
    """The seed that a guest is to be rid of; None where it has none."""
    parts = (own_element(lasting_xml(domain), SEED) or "").split(" ")
    return Seed(*parts) if len(parts) in (2, 3) else None


class _Keeper:
    """Takes the seeds of the guests of one hypervisor out.

    Parameters:
        site, hypervisor: where they are.
    """

    def __init__(self, site: Site, hypervisor: Hypervisor) -> None:
        self._site, self._hypervisor = site, hypervisor
        self._lock = threading.Lock()
        self._is_asking = False
        self._since: dict[tuple[str, int | None], float] = {}

    @property
    def _settle(self) -> float:
        return 0.0 if self._site.library is None else self._site.library.settings.seed_settle

    def look(self, domain: object) -> None:
        """See whether a guest has done with its seed, or can be asked whether it has."""
        if not isinstance(domain, Domain):
            return
        if (domain.state, domain.reason) == _OFF and not domain.has_managed_save:
            seed = _seed_of(domain)
            if seed is not None:
                # Listeners must not wait for libvirt.
                threading.Thread(target=self._detach, args=(domain, seed), name="seed", daemon=True).start()
        elif self._can_be_asked(domain) and self._settle:
            with self._lock:
                if not self._is_asking:
                    self._is_asking = True
                    threading.Thread(target=self._ask, name="seeds", daemon=True).start()

    def _can_be_asked(self, domain: Domain) -> bool:
        if not (domain.active and domain.persistent and domain.contact):
            return False
        seed = _seed_of(domain)
        return seed is not None and bool(seed.host_name)

    def _ask(self) -> None:
        """Ask running guests for their host names again and again, as long as there are any with a seed."""
        while True:
            settle = self._settle
            running = [each for each in self._hypervisor.inventory.domains() if self._can_be_asked(each)]
            runs = {(each.uuid, each.id) for each in running}
            with self._lock:
                self._since = {run: since for run, since in self._since.items() if run in runs}
                self._is_asking = bool(running and settle)
                if not self._is_asking:
                    return
            for domain in running:
                self._ask_one(domain, settle)
            time.sleep(min(_LOOK_AGAIN, settle))

    def _ask_one(self, domain: Domain, settle: float) -> None:
        seed, run = _seed_of(domain), (domain.uuid, domain.id)
        try:
            names = self._hypervisor.domains.host_names(domain.uuid)
        except LibvirtError as error:
            _log.debug("guest %r: tells no host name: %s", domain.name, error.message)
            return
        if seed is None or seed.host_name.lower() not in {first_label(each).lower() for each in names}:
            self._since.pop(run, None)
        elif time.monotonic() - self._since.setdefault(run, time.monotonic()) >= settle:
            self._detach(domain, seed)

    def _detach(self, domain: Domain, seed: Seed) -> None:
        """Empty the drive of the seed of a guest, and delete the seed."""
        detached = False

        def edit(change: DomainChange) -> None:
            nonlocal detached
            if change.defined is None or path is None:
                detached = change.defined is not None
                return
            if (change.live is not None) is not domain.active:
                return  # it was started or stopped since
            if change.live is not None:
                drives = _drives(change.live, path)
                if any(drive.device != "cdrom" for drive in drives):
                    return  # a disk of a running guest stays until that is off
                for drive in drives:
                    change.steps.extend(device_steps(change.live, drive, {"source_file": None}))
            for drive in _drives(change.defined, path):
                if drive.device == "cdrom":
                    change.defined.set(drive, {"source_file": None})
                else:
                    change.defined.remove_device(drive)
            detached = True

        storage = self._hypervisor.storage
        try:
            volume = storage.volume_config(seed.pool, seed.volume)
            path = None if volume is None else volume.target_path
            self._hypervisor.domains.change(domain.uuid, edit)
            if not detached:
                return
            if volume is not None:
                storage.delete_volume(seed.pool, seed.volume)
            self._hypervisor.domains.remove_metadata(domain.uuid, SEED)
            _log.info("guest %r: is done with its seed, which is deleted", domain.name)
        except LibvirtError as error:
            if not error.is_gone:
                # A running guest that has the drive in use keeps it, and is asked again.
                level = logging.INFO if domain.active else logging.WARNING
                _log.log(level, "guest %r: its seed stays: %s", domain.name, error.message)


def _drives(document: DomainDocument, path: str) -> list[Disk]:
    """The drives that a file is in."""
    return [each for each in document.devices if isinstance(each, Disk) and each.source_file == path]
