"""Moving the domains of one hypervisor to others.

Layer rule: imports libvirt, context, documents, errors, work and its siblings.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import libvirt

from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.domains.handle import refuse_directory
from virtcim.libhelper.domains.jobs import holding_job
from virtcim.libhelper.errors import LibvirtError, translated
from virtcim.libhelper.migrations.copies import missing_images, remove_images
from virtcim.libhelper.migrations.order import MigrationKind, MigrationOrder, Place, flags_of, parameters_of
from virtcim.libhelper.migrations.watch import Tuning, Watch, figures_of
from virtcim.libhelper.migrations.whereabouts import Sighting, look_for
from virtcim.libhelper.work import Work, WorkCancelledError

__all__ = ["Migrations"]

_log = logging.getLogger(__name__)

_SHUTDOWN_LOOK = 0.25
"""Seconds between two looks at whether a domain has shut down."""

_PATIENCE = 20.0
"""Seconds that a host gets to answer after a migration failed: a daemon that broke down is started again by then."""

_BREAKING_OFF, _LOOK = 20.0, 0.1
"""Seconds that QEMU gets to break off a transfer, and between two looks at whether it has."""

_MEASURED = ("downtime", "elapsed", "setup_time")
"""What is known only once it is over."""


class Migrations:
    """The migrations of the domains of one hypervisor.

    Parameters:
        context: of the hypervisor.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._under_way: set[str] = set()

    def is_under_way(self, uuid: str) -> bool:
        """Whether a domain is being moved away by this process."""
        return uuid in self._under_way

    def documents(self, uuid: str) -> tuple[str, str]:
        """Read the XML of a domain as it is to be sent: as it runs, and as it is defined; "" where it is not.

        Raises:
            LibvirtError: no connection, no such domain.
        """
        with self._context.connections.connection() as connection, translated():
            domain = connection.lookupByUUIDString(uuid)
            live = defined = ""
            if domain.isActive():
                live = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE)
            if domain.isPersistent():
                defined = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE)
            return live, defined

    def move(self, uuid: str, here: str, place: Place, order: MigrationOrder, work: Work) -> None:
        """Move a domain, and have both inventories take that in.

        Until that is over the inventory of the target holds the domain back, and that of the source shows it as one
        that is being moved, whichever side lists it.

        Parameters:
            uuid: of the domain.
            here: the name of this host, for people.
            place: where to.
            order: how.
            work: told how far it is, and asked whether to stop; what it was asked for (`Tuning`) before and meanwhile
                is done as soon as libvirt heeds that.

        Raises:
            LibvirtError: it failed; the text says where the domain is.  `is_busy` where it is being moved already.
            WorkCancelledError: a client ended it; `work.figures["place"]` says where the domain is.
        """
        with self._claim(uuid), self._shown_once(uuid, place):
            try:
                self._move(uuid, place, order, work)
            except libvirt.libvirtError as error:
                where = self._whereabouts(uuid, here, place, work)
                failure = LibvirtError.of(error)
                raise failure.saying(f"{failure.message}; {where}") from error
            except LibvirtError as error:
                where = self._whereabouts(uuid, here, place, work)
                raise error.saying(f"{error.message}; {where}") from error
            except WorkCancelledError:
                self._whereabouts(uuid, here, place, work)
                raise
            work.tell({"place": place.name})

    def resume(self, uuid: str, here: str, place: Place, work: Work) -> None:
        """Go on with a migration that another process has begun, or say how it ended.

        One over the connections of that process has ended with it, and libvirt takes it back; one from daemon to daemon
        goes on without it.  A domain that runs at its new place already, and whose memory has not all come there, is
        halted with that process, and goes on with the rest of its memory.  A domain that libvirt has left standing at
        its old place, as it could not know whether it has come to the new one, goes on there when it has not.

        Parameters:
            uuid, here, place, work: as `move` has them.

        Raises:
            LibvirtError: the domain is not at its new place, or not there alone; the text says where it is.
            WorkCancelledError: a client ended it.
        """
        with self._claim(uuid), self._shown_once(uuid, place):
            try:
                with (
                    Watch(self._context, uuid, MigrationOrder(), work) as watch,
                    work.heeding(watch.look),
                    work.stoppable(watch.stop, watch.pause),
                ):
                    self._send_the_rest(uuid, place, work)
                    self._wait_until_free(uuid, place)
            except LibvirtError as error:
                raise error.saying(f"{error.message}; {self._whereabouts(uuid, here, place, work)}") from error
            sightings = self._sightings(uuid, here, place)
            source, target = sightings
            if source.is_stranded and target.is_absent:
                with self._context.connections.connection() as connection, translated():
                    connection.lookupByUUIDString(uuid).resume()
                sightings = self._sightings(uuid, here, place)
                source, target = sightings
            where = self._left(sightings, place, work)
            if target.state is None or source.is_active:
                text = f"the server ended while it was under way; {where}"
                raise LibvirtError(text, libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_FROM_DOMAIN)
            work.tell({"place": place.name})

    def _send_the_rest(self, uuid: str, place: Place, work: Work) -> None:
        """Go on with a migration whose memory followed the domain when the process ended that had begun it."""
        flags = work.figures.get("flags")
        if not isinstance(flags, int) or not flags & libvirt.VIR_MIGRATE_POSTCOPY:
            return
        uri = work.figures.get("data_uri")
        parameters = {libvirt.VIR_MIGRATE_PARAM_URI: uri} if uri else {}
        with (
            translated(),
            place.connections.connection() as target,
            self._context.connections.connection() as source,
        ):
            domain = source.lookupByUUIDString(uuid)
            if tuple(domain.state()) == (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED):
                _send(domain, target, place, parameters, flags | libvirt.VIR_MIGRATE_POSTCOPY_RESUME, work)

    def _wait_until_free(self, uuid: str, place: Place) -> None:
        """Wait until neither side holds a domain for a migration; a side that does not answer is left to itself."""
        for connections in (self._context.connections, place.connections):
            deadline = time.monotonic() + _PATIENCE
            while time.monotonic() < deadline:
                try:
                    with connections.connection() as connection:
                        domain = connection.lookupByUUIDString(uuid)
                        while holding_job(domain) is not None:
                            deadline = time.monotonic() + _PATIENCE
                            time.sleep(_SHUTDOWN_LOOK)
                        break
                except libvirt.libvirtError as error:
                    failure = LibvirtError.of(error)
                    if failure.is_gone or failure.is_invalid_state:
                        break
                except LibvirtError:
                    pass
                time.sleep(_SHUTDOWN_LOOK)

    @contextlib.contextmanager
    def _claim(self, uuid: str) -> Iterator[None]:
        with self._context.locks.claim(uuid, "the guest is being migrated"):
            self._under_way.add(uuid)
            try:
                yield
            finally:
                self._under_way.discard(uuid)

    @contextlib.contextmanager
    def _shown_once(self, uuid: str, place: Place) -> Iterator[None]:
        """Have a domain shown at its old place alone for the length of a block."""
        source = self._context.inventory
        if place.inventory is not None:
            place.inventory.withhold(uuid)
        source.set_relocating(uuid)
        try:
            yield
        finally:
            source.hand_over(uuid, place.inventory)

    def _move(self, uuid: str, place: Place, order: MigrationOrder, work: Work) -> None:
        with place.connections.connection() as target, self._context.connections.connection() as source:
            domain = source.lookupByUUIDString(uuid)
            refuse_directory(order.name)
            persistent = bool(domain.isPersistent())
            autostart = persistent and bool(domain.autostart())
            if order.kind is MigrationKind.RESTART:
                _shut_down(domain, order.shutdown_timeout, work)
            for each in work.asked:
                if isinstance(each, Tuning):
                    order = each.of(order)
            flags, parameters = flags_of(order, persistent), parameters_of(order)
            if order.copy_storage:
                config = DomainConfig.parse(order.live_xml or domain.XMLDesc(0))
                with contextlib.suppress(libvirt.libvirtError):  # libvirt itself says what is wrong with a pool
                    work.tell({"images": "\n".join(missing_images(config, order, target))})
            with (
                Watch(self._context, uuid, order, work) as watch,
                work.heeding(watch.look),
                work.stoppable(watch.stop, watch.pause),
            ):
                work.tell({"flags": flags, "data_uri": order.data_uri})
                work.set_leftover(work.left)  # with it, what another process needs to go on
                with _started_again(domain) if order.kind is MigrationKind.RESTART else contextlib.nullcontext():
                    _send(domain, target, place, parameters, flags, work)
            _settle(target, uuid, order, autostart, work)

    def _whereabouts(self, uuid: str, here: str, place: Place, work: Work) -> str:
        """Say where a domain is, once its migration has failed, and remove what is left of it where it is not."""
        return self._left(self._sightings(uuid, here, place), place, work)

    def _left(self, sightings: tuple[Sighting, Sighting], place: Place, work: Work) -> str:
        """As `_whereabouts`, of what is seen already."""
        source, target = sightings
        if target.is_absent and source.state is not None:
            remove_images([each for each in str(work.figures.get("images", "")).split("\n") if each], place.connections)
        return _say(sightings, work)

    def _sightings(self, uuid: str, here: str, place: Place) -> tuple[Sighting, Sighting]:
        """Ask both hosts for a domain."""
        return (
            look_for(uuid, here, self._context.connections, _PATIENCE),
            look_for(uuid, place.name, place.connections, _PATIENCE),
        )


def _send(
    domain: libvirt.virDomain,
    target: libvirt.virConnect,
    place: Place,
    parameters: dict[str, Any],
    flags: int,
    work: Work,
) -> None:
    """Have libvirt move a domain, and ask it to go on where it was held meanwhile.

    libvirt gives back a call that was held before QEMU has broken the transfer off, and refuses to go on until then.
    """
    breaking_off = -math.inf
    while True:
        try:
            if flags & libvirt.VIR_MIGRATE_PEER2PEER:
                domain.migrateToURI3(place.uri, parameters, flags)
            else:
                domain.migrate3(target, parameters, flags)
        except libvirt.libvirtError as error:
            if work.suspended:
                work.checkpoint()
                flags |= libvirt.VIR_MIGRATE_POSTCOPY_RESUME
                breaking_off = time.monotonic() + _BREAKING_OFF
            elif error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID and time.monotonic() < breaking_off:
                time.sleep(_LOOK)
            else:
                raise
        else:
            return


@contextlib.contextmanager
def _started_again(domain: libvirt.virDomain) -> Iterator[None]:
    """Have a domain that was shut down to be moved run again where it is, when the block fails."""
    try:
        yield
    except libvirt.libvirtError:
        try:
            domain.create()
        except libvirt.libvirtError as error:
            _log.warning("domain %s cannot be started again: %s", domain.UUIDString(), LibvirtError.of(error))
        raise


def _say(sightings: tuple[Sighting, Sighting], work: Work) -> str:
    """Say where a domain is, in words and as a figure of the work."""
    text = f"the guest {' and '.join(each.text for each in sightings)}"
    found = [each.host for each in sightings if each.state is not None]
    work.tell({"place": found[0] if len(found) == 1 else text})
    return text


def _shut_down(domain: libvirt.virDomain, timeout: float, work: Work) -> None:
    """Have a domain shut down, and wait until it has.

    Raises:
        LibvirtError: it has not, in time.
        WorkCancelledError: a client ended the waiting.
    """
    stopped = threading.Event()
    deadline = time.monotonic() + timeout
    with work.stoppable(stopped.set):
        domain.shutdown()
        while domain.isActive():
            if stopped.wait(_SHUTDOWN_LOOK):
                raise WorkCancelledError
            if time.monotonic() > deadline:
                text = f"Domain failed to shutdown in {timeout:g} seconds"
                raise LibvirtError(text, libvirt.VIR_ERR_OPERATION_TIMEOUT)


def _settle(target: libvirt.virConnect, uuid: str, order: MigrationOrder, autostart: bool, work: Work) -> None:
    """Do what libvirt leaves to be done at the new place."""
    domain = target.lookupByUUIDString(uuid)
    if order.kind is MigrationKind.RESTART:
        domain.create()
    if autostart and domain.isPersistent():
        domain.setAutostart(1)
    if not order.moves_definition_only:
        with contextlib.suppress(libvirt.libvirtError):  # figures that come late are no reason to fail
            figures = figures_of(domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED))
            work.tell({name: figures[name] for name in _MEASURED if name in figures})
