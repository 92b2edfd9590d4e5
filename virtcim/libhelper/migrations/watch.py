"""Looking at a migration under way, over a connection of its own: how far it is, stopping it, and changing its pace.

Layer rule: imports libvirt, context, errors, states, work and order.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.context import Context
from virtcim.libhelper.errors import LibvirtError, translated
from virtcim.libhelper.migrations.order import MigrationOrder, Place
from virtcim.libhelper.states import DomainState, PausedReason
from virtcim.libhelper.work import Work

__all__ = ["Tuning", "Watch", "figures_of"]

_log = logging.getLogger(__name__)

_INTERVAL = 0.15
"""Seconds between two looks at the statistics, and between two attempts to stop."""

_PAUSE_PATIENCE = 20.0
"""Seconds in which a migration that is to stand still gets to where that is possible."""

_UNLIMITED = (1 << 63) - 1 >> 20
"""MiB/s: the largest number of bytes that libvirt takes."""

_FIGURES = {
    "elapsed": "time_elapsed",
    "downtime": "downtime",
    "setup_time": "setup_time",
    "data_total": "data_total",
    "data_processed": "data_processed",
    "data_remaining": "data_remaining",
    "memory_total": "memory_total",
    "memory_processed": "memory_processed",
    "memory_remaining": "memory_remaining",
    "memory_rate": "memory_bps",
    "dirty_rate": "memory_dirty_rate",
    "page_size": "memory_page_size",
    "iteration": "memory_iteration",
    "postcopy_requests": "memory_postcopy_requests",
    "disk_total": "disk_total",
    "disk_processed": "disk_processed",
    "disk_remaining": "disk_remaining",
    "throttle": "auto_converge_throttle",
}
"""Our names of what virDomainGetJobStats tells."""

_FOLLOWED_BY_MEMORY = frozenset(
    (DomainState.PAUSED, reason) for reason in (PausedReason.POSTCOPY, PausedReason.POSTCOPY_FAILED)
)
"""How a domain stands at its old place that runs at its new one, where its memory has not all come."""

_MOVING = frozenset({libvirt.VIR_DOMAIN_JOB_BOUNDED, libvirt.VIR_DOMAIN_JOB_UNBOUNDED})


def figures_of(statistics: Mapping[str, Any]) -> dict[str, int]:
    """Take what is told of a migration out of libvirt's job statistics: times in ms, amounts in bytes.

    Parameters:
        statistics: from virDomainGetJobStats.
    """
    return {name: int(statistics[field]) for name, field in _FIGURES.items() if field in statistics}


@immutable
class Tuning:
    """What can be changed while a migration goes on.

    Attributes:
        bandwidth: MiB/s at most; 0 for no limit, None leaves it.
        downtime: milliseconds that the domain may stand still at the end; 0 and None leave it.
        postcopy: let the domain go on at its new place now.
    """

    bandwidth: int | None = None
    downtime: int | None = None
    postcopy: bool = False

    def of(self, order: MigrationOrder) -> MigrationOrder:
        """The order with this pace from its beginning; `postcopy` has to wait for that."""
        bandwidth = order.bandwidth if self.bandwidth is None else self.bandwidth
        return replace(order, bandwidth=bandwidth, downtime=self.downtime or order.downtime)


class Watch:
    """Follows one migration, from entering to leaving the block.

    Parameters:
        context: of the source.
        uuid: of the domain.
        place: where it goes.
        order: what is done with it.
        work: told how far it is; what it was asked for (`Tuning`) is done once data flow.
    """

    def __init__(self, context: Context, uuid: str, place: Place, order: MigrationOrder, work: Work) -> None:
        self._context = context
        self._uuid = uuid
        self._place = place
        self._work = work
        self._over = threading.Event()
        self._wake = threading.Event()
        self._stop = False
        self._after = order.postcopy_after if order.postcopy else 0
        self._in_postcopy = bool(work.figures.get("in_postcopy"))
        # The bandwidth of the call itself is set by libvirt; what is set before data flow is lost again.
        self._first = [Tuning(downtime=order.downtime)] if order.downtime else []
        self._thread = threading.Thread(target=self._run, name="migration-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._wake.set()

    def stop(self) -> bool:
        """Have libvirt end it; whether it can: not once the domain runs at its new place."""
        if self._in_postcopy:
            return False
        self._stop = True
        self._wake.set()
        return True

    def pause(self) -> bool:
        """Have libvirt hold it, so that its call fails and can be made again; whether libvirt does.

        That is possible once the domain runs at its new place: until then a migration can only be ended.  A moment
        before, with the old place halted already, the daemon of the new one takes the domain for lost and ends it, and
        the old one has no way back.
        """
        flag = getattr(libvirt, "VIR_DOMAIN_ABORT_JOB_POSTCOPY", None)
        if not self._in_postcopy or flag is None:
            return False
        deadline = time.monotonic() + _PAUSE_PATIENCE
        while not self._over.is_set() and time.monotonic() < deadline:
            try:
                if self._runs_there():
                    with self._context.connections.connection() as connection, translated():
                        connection.lookupByUUIDString(self._uuid).abortJobFlags(flag)
                    return True
            except LibvirtError as error:
                if error.is_gone or error.is_unsupported:
                    _log.info("the migration of domain %s cannot be held: %s", self._uuid, error)
                    return False
            self._over.wait(_INTERVAL)
        return False

    def _runs_there(self) -> bool:
        """Whether the domain runs at its new place."""
        with self._place.connections.connection() as connection, translated():
            return bool(connection.lookupByUUIDString(self._uuid).state()[0] == DomainState.RUNNING)

    def look(self) -> None:
        """Look at once: something was asked for."""
        self._wake.set()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with self._context.connections.connection() as connection:
                    domain = connection.lookupByUUIDString(self._uuid)
                    while not self._over.is_set():
                        self._look(domain)
                        self._wake.wait(_INTERVAL)
                        self._wake.clear()
            except (libvirt.libvirtError, LibvirtError) as error:
                _log.debug("the migration of domain %s cannot be followed: %s", self._uuid, error)
                self._over.wait(1.0)

    def _look(self, domain: libvirt.virDomain) -> None:
        # None of this is possible before libvirt has begun.
        with contextlib.suppress(libvirt.libvirtError):
            if self._stop:
                domain.abortJob()
                return
            if not self._in_postcopy and tuple(domain.state()) in _FOLLOWED_BY_MEMORY:
                self._note_postcopy()
            statistics = domain.jobStats()
            if statistics.get("type") not in _MOVING:
                return
            figures = figures_of(statistics)
            self._work.tell(figures)
            done, total = figures.get("data_processed", 0), figures.get("data_total", 0)
            if total:
                # Pages that are sent again count again.
                self._work.report(min(done, total - total // 100), total)
            if done:
                self._tune(domain, figures)

    def _tune(self, domain: libvirt.virDomain, figures: Mapping[str, int]) -> None:
        asked = (each for each in self._work.take_asked() if isinstance(each, Tuning))
        wanted, self._first = [*self._first, *asked], []
        if self._after and figures.get("iteration", 0) > self._after:
            wanted.append(Tuning(postcopy=True))
        for each in wanted:
            try:
                self._apply(domain, each)
            except libvirt.libvirtError as error:
                _log.warning("the migration of domain %s cannot be changed: %s", self._uuid, error)

    def _apply(self, domain: libvirt.virDomain, tuning: Tuning) -> None:
        if tuning.bandwidth is not None:
            domain.migrateSetMaxSpeed(tuning.bandwidth or _UNLIMITED)
        if tuning.downtime:
            domain.migrateSetMaxDowntime(tuning.downtime)
        if tuning.postcopy and not self._in_postcopy:
            self._after = 0
            domain.migrateStartPostCopy()
            self._note_postcopy()

    def _note_postcopy(self) -> None:
        self._in_postcopy = True
        self._work.tell({"in_postcopy": 1})
