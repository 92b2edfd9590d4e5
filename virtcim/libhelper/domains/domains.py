"""Operations on domains, each on a connection of its own, so that a slow one delays nobody.

Layer rule: imports libvirt, change, domainxml, errors, events.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import libvirt

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.domains.change import exclusive, run_of
from virtcim.libhelper.errors import translated
from virtcim.libhelper.events import Event

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["EventWait", "Lifecycle"]


class EventWait:
    """Waits for an event of one object that is heard from now on.

    A context manager: the event is listened for from entering to leaving the block.

    Parameters:
        hypervisor: whose events.
        matches: tells the event.
        supported: whether the driver sends such an event at all.
    """

    def __init__(self, hypervisor: Hypervisor, matches: Callable[[Event], bool], supported: bool = True) -> None:
        self._hypervisor = hypervisor
        self._matches = matches
        self._heard = threading.Event()
        self.supported = supported
        self.event: Event | None = None

    def __enter__(self) -> EventWait:
        self._hypervisor.add_event_sink(self._sink)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._hypervisor.remove_event_sink(self._sink)

    def wait(self, timeout: float) -> bool:
        """Block until the event has come, for at most `timeout` seconds; whether it has.

        A driver that does not send the event is not waited for: True.
        """
        return not self.supported or self._heard.wait(timeout)

    def _sink(self, event: Event) -> None:
        if self._matches(event):
            self.event = event
            self._heard.set()


class Lifecycle:
    """The operations on the domains of one hypervisor.

    Each takes the name or the UUID of a domain, returns when libvirt has answered, and raises `LibvirtError` when it
    refused.  Whether the inventory shows the effect already is another matter: `Inventory.wait_for`.
    """

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor

    @contextlib.contextmanager
    def domain(self, name_or_uuid: str) -> Iterator[libvirt.virDomain]:
        """libvirt's own domain object on a fresh connection, for the length of a block.

        Raises:
            LibvirtError: no connection, no such domain, and for every libvirt error in the block.
        """
        record = self._hypervisor.inventory.domain(name_or_uuid)
        uuid = record.uuid if record is not None else name_or_uuid
        with self._hypervisor.connections.connection() as connection, translated():
            try:
                domain = connection.lookupByUUIDString(uuid)
            except libvirt.libvirtError:
                domain = connection.lookupByName(name_or_uuid)
            yield domain

    def start(self, domain: str, *, paused: bool = False, force_boot: bool = False) -> None:
        """Start it, from its managed save where there is one; a change of its definition under way comes first.

        Parameters:
            paused: leave it paused.
            force_boot: throw the managed save away.
        """
        flags = libvirt.VIR_DOMAIN_START_PAUSED if paused else 0
        flags |= libvirt.VIR_DOMAIN_START_FORCE_BOOT if force_boot else 0
        with exclusive(self._hypervisor, self._uuid(domain)), self.domain(domain) as target:
            begins_anew = force_boot or not target.hasManagedSaveImage()
            defined = DomainConfig.parse(target.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)) if begins_anew else None
            if flags:
                target.createWithFlags(flags)
            else:
                target.create()
            if defined is not None and defined.current_memory is not None:
                uuid = target.UUIDString()
                self._hypervisor.balloons.ask(uuid, run_of(target), defined.current_memory)
                self._hypervisor.inventory.refresh(uuid)

    def resume(self, domain: str) -> None:
        """Let a paused domain run on."""
        with self.domain(domain) as target:
            target.resume()

    def suspend(self, domain: str) -> None:
        """Pause it."""
        with self.domain(domain) as target:
            target.suspend()

    def destroy(self, domain: str, *, graceful: bool = False) -> None:
        """Stop it at once.

        Parameters:
            graceful: refuse rather than kill a process that does not end.
        """
        with self.domain(domain) as target:
            if graceful:
                target.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
            else:
                target.destroy()

    def shutdown(self, domain: str) -> None:
        """Ask the guest to shut down; that it does is up to the guest."""
        with self.domain(domain) as target:
            if self._hypervisor.driver == "LXC":
                target.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_SIGNAL)
            else:
                target.shutdown()

    def reboot(self, domain: str, *, timeout: float = 0.0) -> bool:
        """Ask the guest to reboot.

        Parameters:
            timeout: seconds to wait for the reboot itself, where the driver tells of it.

        Returns:
            whether it rebooted within that time; True where the driver does not tell.
        """
        return self._until_reboot(domain, lambda target: target.reboot(0), timeout)

    def reset(self, domain: str, *, timeout: float = 0.0) -> bool:
        """Press the reset button.  Parameters and result are those of `reboot`."""
        return self._until_reboot(domain, lambda target: target.reset(0), timeout)

    def managed_save(self, domain: str) -> None:
        """Save its memory to disk and stop it; the next start goes on from there."""
        with self.domain(domain) as target:
            target.managedSave(0)

    def managed_save_remove(self, domain: str) -> None:
        """Throw the managed save away."""
        with self.domain(domain) as target:
            target.managedSaveRemove(0)

    def pm_wakeup(self, domain: str) -> None:
        """Wake a guest that put itself to sleep."""
        with self.domain(domain) as target:
            target.pMWakeup(0)

    def event_wait(self, domain: str, name: str) -> EventWait:
        """Something to wait with for an event (`reboot`, `device-removed`, ...) of a domain."""
        uuid = self._uuid(domain)
        return EventWait(
            self._hypervisor,
            lambda event: event.source == "domain" and event.key == uuid and event.name == name,
            self._hypervisor.driver != "TEST" and f"domain/{name}" in self._hypervisor.event_names,
        )

    def _uuid(self, domain: str) -> str:
        record = self._hypervisor.inventory.domain(domain)
        return record.uuid if record is not None else domain

    def _until_reboot(self, domain: str, operation: Callable[[libvirt.virDomain], Any], timeout: float) -> bool:
        with self.event_wait(domain, "reboot") as rebooted:
            with self.domain(domain) as target:
                operation(target)
            return rebooted.wait(timeout)
