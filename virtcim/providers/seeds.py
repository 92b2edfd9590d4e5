"""Seeds of guests, which are taken out once they have done their work: they may hold keys and hashes of passwords.

A guest has done with its seed when it was up and has shut itself down in order: libvirt keeps that as the reason why it
does not run, also for a server that was not there.  One that was switched off or crashed may need it again.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import Disk
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


def detach_seeds(site: Site) -> None:
    """Take the seeds of the guests of a site out when these have done with them, from now on."""
    site.follow(_watch)


def _watch(hypervisor: Hypervisor) -> None:
    def look(domain: object) -> None:
        if isinstance(domain, Domain) and _is_done(domain):
            # Listeners must not wait for libvirt.
            threading.Thread(target=_detach, args=(hypervisor, domain), name="seed", daemon=True).start()

    if not hypervisor.read_only:
        hypervisor.inventory.listeners.append(lambda change: look(change.after))
        for domain in hypervisor.inventory.domains():
            look(domain)


def _is_done(domain: Domain) -> bool:
    return (
        (domain.state, domain.reason) == _OFF
        and not domain.has_managed_save
        and own_element(lasting_xml(domain), SEED) is not None
    )


def _detach(hypervisor: Hypervisor, domain: Domain) -> None:
    """Empty the drive of the seed of a guest that is off, and delete the seed."""
    pool, _, name = (own_element(lasting_xml(domain), SEED) or "").partition(" ")
    detached = False

    def edit(change: DomainChange) -> None:
        nonlocal detached
        if change.defined is None or change.live is not None:
            return  # it is gone, or was started again
        for device in change.defined.devices:
            if not isinstance(device, Disk) or path is None or device.source_file != path:
                continue
            if device.device == "cdrom":
                change.defined.set(device, {"source_file": None})
            else:
                change.defined.remove_device(device)
        detached = True

    try:
        volume = hypervisor.storage.volume_config(pool, name)
        path = None if volume is None else volume.target_path
        hypervisor.domains.change(domain.uuid, edit)
        if not detached:
            return
        if volume is not None:
            hypervisor.storage.delete_volume(pool, name)
        hypervisor.domains.remove_metadata(domain.uuid, SEED)
        _log.info("guest %r: is done with its seed, which is deleted", domain.name)
    except LibvirtError as error:
        if not error.is_gone:
            _log.warning("guest %r: its seed stays: %s", domain.name, error.message)
