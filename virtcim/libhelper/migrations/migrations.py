"""Moving the domains of one hypervisor to others.

Layer rule: imports libvirt, connections, context, documents, errors, qemusockets, states, work and its siblings.
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

from virtcim.libhelper.connections import Connections
from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.domains.handle import refuse_directory
from virtcim.libhelper.errors import LibvirtError, translated
from virtcim.libhelper.migrations.copies import missing_images, remove_images
from virtcim.libhelper.migrations.order import MigrationKind, MigrationOrder, Place, flags_of, parameters_of
from virtcim.libhelper.migrations.watch import Tuning, Watch, figures_of
from virtcim.libhelper.migrations.whereabouts import Sighting, look_for
from virtcim.libhelper.qemusockets import remove_sockets
from virtcim.libhelper.states import DomainState, PausedReason
from virtcim.libhelper.work import Work, WorkCancelledError

__all__ = ["Migrations"]

_log = logging.getLogger(__name__)

_LOOK = 0.25
"""Seconds between two looks at whether a domain has shut down, or is free again."""

_PATIENCE = 20.0
"""Seconds that a host gets to answer after a migration failed: a daemon that broke down is started again by then.  As
long QEMU gets to break a transfer off, which libvirt goes on with only then."""

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
        with self._claim(uuid), self._shown_once(uuid, place), _without_sockets(work):
            try:
                self._move(uuid, here, place, order, work)
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
        goes on without it.  A domain that runs at its new place already, and whose memory has not all come there, may
        be halted with that process, and goes on with the rest of its memory.  A domain that libvirt has left standing
        at its old place, as it could not know whether it has come to the new one, goes on there when it has not; so
        does one that was shut down to be moved.

        Parameters:
            uuid, here, place, work: as `move` has them.

        Raises:
            LibvirtError: the domain is not at its new place, or not there alone; the text says where it is.
            WorkCancelledError: a client ended it.
        """
        with self._claim(uuid), self._shown_once(uuid, place), _without_sockets(work):
            try:
                with (
                    Watch(self._context, uuid, place, MigrationOrder(), work) as watch,
                    work.heeding(watch.look),
                    work.stoppable(watch.stop, watch.pause),
                ):
                    self._await_end(uuid, place, work)
            except LibvirtError as error:
                raise error.saying(f"{error.message}; {self._whereabouts(uuid, here, place, work)}") from error
            self._await_shutdown(uuid, work)
            source, target = sightings = self._sightings(uuid, here, place)
            if target.is_absent and self._goes_on_again(uuid, source, work):
                source, target = sightings = self._sightings(uuid, here, place)
            if not target.is_whole or source.is_active:
                text = f"the server ended while it was under way; {self._left(sightings, place, work)}"
                raise LibvirtError(text, libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_FROM_DOMAIN)
            with translated():
                self._forget(uuid, source, target, work)
                _settle(uuid, place, work)
            work.tell({"place": place.name})

    def _await_shutdown(self, uuid: str, work: Work) -> None:
        """Wait until a domain that was shutting down to be moved does not run, or has had its time."""
        deadline = time.monotonic() + int(work.figures.get("shutdown_timeout", 0))
        while time.monotonic() < deadline:
            if not look_for(uuid, "", self._context.connections, 0).is_active:
                break
            time.sleep(_LOOK)

    def _goes_on_again(self, uuid: str, source: Sighting, work: Work) -> bool:
        """Have a domain run again at its old place that stands there for a migration alone; whether it stood."""
        is_off = source.state is DomainState.SHUTOFF and "shutdown_timeout" in work.figures
        if not is_off and not source.is_stranded:
            return False
        with self._context.connections.connection() as connection, translated():
            domain = connection.lookupByUUIDString(uuid)
            if is_off:
                domain.create()
            else:
                domain.resume()
        return True

    def _await_end(self, uuid: str, place: Place, work: Work) -> None:
        """Wait until neither side holds a domain for a migration; a side that does not answer is left to itself.

        Where the memory follows the domain, and that was broken off, by who has the work stand still or by a daemon or
        a network that failed, it is gone on with.

        Raises:
            LibvirtError: it cannot be gone on with.
        """
        for domain in _while_held(uuid, self._context.connections):
            with contextlib.suppress(libvirt.libvirtError):  # it has left, or its daemon is asked again
                _send_the_rest(domain, place, work)
        deadline = time.monotonic() + _PATIENCE
        for _ in _while_held(uuid, place.connections):
            if time.monotonic() > deadline:  # nothing comes any more, and libvirt waits for it for ever
                break

    def _forget(self, uuid: str, source: Sighting, target: Sighting, work: Work) -> None:
        """Remove the definition at the old place, where libvirt was to do so and has lost sight of the migration."""
        flags = work.figures.get("flags")
        is_there = target.is_active or target.is_persistent
        if isinstance(flags, int) and flags & libvirt.VIR_MIGRATE_UNDEFINE_SOURCE and source.is_persistent and is_there:
            with self._context.connections.connection() as connection:
                connection.lookupByUUIDString(uuid).undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)

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

    def _move(self, uuid: str, here: str, place: Place, order: MigrationOrder, work: Work) -> None:
        with place.connections.connection() as target, self._context.connections.connection() as source:
            domain = source.lookupByUUIDString(uuid)
            refuse_directory(order.name)
            persistent = bool(domain.isPersistent())
            if persistent and domain.autostart():
                work.tell({"autostart": 1})
            if order.kind is MigrationKind.RESTART:
                work.tell({"shutdown_timeout": math.ceil(order.shutdown_timeout)})
                work.set_leftover(work.left)
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
                Watch(self._context, uuid, place, order, work) as watch,
                work.heeding(watch.look),
                work.stoppable(watch.stop, watch.pause),
            ):
                work.tell({"flags": flags, "data_uri": order.data_uri, "disks_uri": order.disks_uri})
                work.set_leftover(work.left)  # with it, what another process needs to go on
                with _started_again(domain) if order.kind is MigrationKind.RESTART else contextlib.nullcontext():
                    try:
                        _send(domain, target, place, parameters, flags)
                    except libvirt.libvirtError:
                        if not self._arrives_all_the_same(uuid, here, place, work):
                            raise
        _settle(uuid, place, work)
        if not order.moves_definition_only:
            _measure(uuid, place, work)

    def _arrives_all_the_same(self, uuid: str, here: str, place: Place, work: Work) -> bool:
        """Wait for the end of a migration whose call has failed; whether the domain has come to its new place.

        Once it runs there, with its memory following, there is no way back; QEMU goes on when a daemon has ended, and
        can be made to when it was halted.
        """
        if not work.figures.get("in_postcopy"):
            return False
        self._await_end(uuid, place, work)
        source, target = self._sightings(uuid, here, place)
        if source.is_active or not target.is_active or not target.is_whole:
            return False
        self._forget(uuid, source, target, work)
        return True

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
    domain: libvirt.virDomain, target: libvirt.virConnect, place: Place, parameters: dict[str, Any], flags: int
) -> None:
    """Have libvirt move a domain: let its daemon do so, or do so over two connections."""
    if flags & libvirt.VIR_MIGRATE_PEER2PEER:
        domain.migrateToURI3(place.uri, parameters, flags)
    else:
        domain.migrate3(target, parameters, flags)


@contextlib.contextmanager
def _without_sockets(work: Work) -> Iterator[None]:
    """Remove the sockets of a migration at the end of a block."""
    try:
        yield
    finally:
        remove_sockets(str(work.figures.get(each, "")) for each in ("data_uri", "disks_uri"))


def _is_broken_off(domain: libvirt.virDomain) -> bool:
    """Whether a domain runs at its new place, and the rest of its memory is not on its way there any more."""
    return tuple(domain.state()) == (DomainState.PAUSED, PausedReason.POSTCOPY_FAILED)


def _send_the_rest(domain: libvirt.virDomain, place: Place, work: Work) -> None:
    """Go on with a migration whose memory follows the domain, where that was broken off.

    Raises:
        LibvirtError: it is not at its new place any more, or nothing has come there for a while.
        libvirt.libvirtError: the old place does not tell how it stands.
    """
    flags = work.figures.get("flags")
    if not isinstance(flags, int):
        return
    uri = work.figures.get("data_uri")
    parameters = {libvirt.VIR_MIGRATE_PARAM_URI: uri} if uri else {}
    remaining, deadline = None, 0.0
    while _is_broken_off(domain):
        was_suspended = work.suspended
        work.checkpoint()
        before, remaining = remaining, domain.jobStats().get("data_remaining")
        if was_suspended or remaining != before:  # a daemon that was lost has lost sight of what QEMU goes on with
            deadline = time.monotonic() + _PATIENCE
        else:
            try:
                with place.connections.connection() as target, translated():
                    _send(domain, target, place, parameters, flags | libvirt.VIR_MIGRATE_POSTCOPY_RESUME)
            except LibvirtError as error:
                is_final = error.is_no_domain or time.monotonic() > deadline
                if is_final and not work.suspended and _is_broken_off(domain):
                    raise
        time.sleep(_LOOK)


def _is_held(domain: libvirt.virDomain) -> bool:
    """Whether a host holds a domain for a job."""
    try:
        statistics = domain.jobStats()
    except libvirt.libvirtError as error:
        if not LibvirtError.of(error).is_invalid_state:
            raise
        # libvirt tells nothing of a migration at the place that the domain comes to.
        return bool(domain.isActive())
    return bool(statistics.get("type", libvirt.VIR_DOMAIN_JOB_NONE) != libvirt.VIR_DOMAIN_JOB_NONE)


def _while_held(uuid: str, connections: Connections) -> Iterator[libvirt.virDomain]:
    """Give a domain again and again while a host holds it for a job; end when it does not, or has not answered long.

    Parameters:
        uuid: of the domain.
        connections: to the host.
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            with connections.connection() as connection:
                domain = connection.lookupByUUIDString(uuid)
                while _is_held(domain):
                    yield domain
                    deadline = time.monotonic() + _PATIENCE
                    time.sleep(_LOOK)
            return
        except libvirt.libvirtError as error:
            failure = LibvirtError.of(error)
            if failure.is_gone or failure.is_unsupported:
                return
        except LibvirtError:
            pass
        time.sleep(_LOOK)


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
            if stopped.wait(_LOOK):
                raise WorkCancelledError
            if time.monotonic() > deadline:
                text = f"Domain failed to shutdown in {timeout:g} seconds"
                raise LibvirtError(text, libvirt.VIR_ERR_OPERATION_TIMEOUT)


def _settle(uuid: str, place: Place, work: Work) -> None:
    """Do what libvirt leaves to be done at the new place."""
    starts, autostart = "shutdown_timeout" in work.figures, "autostart" in work.figures
    if not starts and not autostart:
        return
    with place.connections.connection() as target:
        domain = target.lookupByUUIDString(uuid)
        if starts and not domain.isActive():
            domain.create()
        if autostart and domain.isPersistent():
            domain.setAutostart(1)


def _measure(uuid: str, place: Place, work: Work) -> None:
    """Tell what is known of a migration once it is over; figures that come late are no reason to fail."""
    with contextlib.suppress(libvirt.libvirtError, LibvirtError), place.connections.connection() as target:
        domain = target.lookupByUUIDString(uuid)
        figures = figures_of(domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED))
        work.tell({name: figures[name] for name in _MEASURED if name in figures})
