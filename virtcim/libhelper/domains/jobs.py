"""Following what libvirt does with a domain for a long time: saving it, dumping it, moving it.

Layer rule: imports libvirt, context, errors, handle, work; knows nothing of CIM.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

import libvirt

from virtcim.libhelper.context import Context
from virtcim.libhelper.domains.handle import domain_handle
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work

__all__ = ["changed_domain", "follow", "holding_job", "refuse_held"]

_log = logging.getLogger(__name__)

_OPERATIONS = {
    libvirt.VIR_DOMAIN_JOB_OPERATION_START: "start",
    libvirt.VIR_DOMAIN_JOB_OPERATION_SAVE: "save",
    libvirt.VIR_DOMAIN_JOB_OPERATION_RESTORE: "restore",
    libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN: "incoming migration",
    libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT: "outgoing migration",
    libvirt.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT: "snapshot",
    libvirt.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT: "return to a snapshot",
    libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP: "dump",
    libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP: "backup",
}
"""What libvirt holds a domain for, in words."""
_INTERVAL = 0.1
"""Seconds between two looks at the statistics, and between two attempts to stop."""


@contextlib.contextmanager
def follow(context: Context, uuid: str, work: Work) -> Iterator[None]:
    """A block with one call that libvirt counts as a job of a domain: reports how far it is, and can stop it.

    Parameters:
        context: where the domain is.
        uuid: of the domain.
        work: told how far it is (virDomainGetJobStats), and asked whether to stop (virDomainAbortJob).

    Raises:
        WorkCancelledError: the call was stopped.
    """
    over, stop = threading.Event(), threading.Event()

    def look(domain: libvirt.virDomain) -> None:
        # Neither is possible before libvirt has begun, or by drivers that have no jobs.
        with contextlib.suppress(libvirt.libvirtError):
            if stop.is_set():
                domain.abortJob()
            else:
                statistics = domain.jobStats()
                work.report(statistics.get("data_processed", 0), statistics.get("data_total", 0))

    def watch() -> None:
        if over.wait(_INTERVAL):
            return
        try:
            with context.connections.connection() as connection:
                domain = connection.lookupByUUIDString(uuid)
                while not over.wait(_INTERVAL):
                    look(domain)
        except (libvirt.libvirtError, LibvirtError) as error:
            _log.debug("the job of domain %s cannot be followed: %s", uuid, error)

    threading.Thread(target=watch, name="domain-job", daemon=True).start()
    try:
        with work.stoppable(stop.set):
            yield
    finally:
        over.set()


def holding_job(domain: libvirt.virDomain) -> str | None:
    """Say in words what libvirt holds a domain for; None where it is free, or where the driver cannot tell."""
    try:
        statistics = domain.jobStats()
    except libvirt.libvirtError as error:
        failure = LibvirtError.of(error)
        if failure.is_gone:
            raise
        return None
    if statistics.get("type", libvirt.VIR_DOMAIN_JOB_NONE) == libvirt.VIR_DOMAIN_JOB_NONE:
        return None
    return _OPERATIONS.get(statistics.get("operation", libvirt.VIR_DOMAIN_JOB_OPERATION_UNKNOWN), "job")


def refuse_held(domain: libvirt.virDomain) -> None:
    """Refuse at once to change a domain that libvirt holds for a job: the change would wait 30 s, and then fail.

    To pause the domain and to stop it is possible all the same.

    Raises:
        LibvirtError: it is held (`is_busy`).
    """
    job = holding_job(domain)
    if job is not None:
        text = f"domain {domain.name()!r} is in use: libvirt holds it for a {job}; expected one that is free"
        raise LibvirtError(text, libvirt.VIR_ERR_RESOURCE_BUSY, libvirt.VIR_FROM_DOMAIN)


@contextlib.contextmanager
def changed_domain(context: Context, uuid: str, parts: str | None = None) -> Iterator[libvirt.virDomain]:
    """libvirt's object of a domain that the block changes; what is known of it is read again, however that ends.

    Parameters:
        parts: the kind of its parts that the block changes as well (`inventory.records`).

    Raises:
        LibvirtError: libvirt holds the domain for a job (`is_busy`), and as `domain_handle`.
    """
    with context.locks.hold(uuid):
        try:
            with domain_handle(context, uuid) as domain:
                refuse_held(domain)
                yield domain
        finally:
            context.inventory.refresh(uuid)
            if parts is not None:
                context.inventory.refresh_parts(parts, uuid)
