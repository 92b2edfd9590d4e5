"""Migrations that go on in the background as <prefix>_MigrationJob."""

from __future__ import annotations

from collections.abc import Callable

from virtcim.providers.interface import CIMValue
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import ConcreteJob

__all__ = ["MigrationJob"]


class MigrationJob(ConcreteJob):
    """A job that is a migration: libvirt-cim has a class of its own for it (Virt_MigrationJob)."""

    __slots__ = ()

    base = "MigrationJob"
    indicated_as = "ComputerSystemMigrationJob"


def _figure(name: str) -> Callable[[MigrationJob], CIMValue]:
    return lambda job: job.figures.get(name)


def _dirty_rate(job: MigrationJob) -> int | None:
    """Bytes per second; libvirt counts pages."""
    pages, size = job.figures.get("dirty_rate"), job.figures.get("page_size")
    return pages * size if isinstance(pages, int) and isinstance(size, int) else None


_STATISTICS = "job statistics (virDomainGetJobStats) "

MigrationJob.table = PropertyTable(
    ConcreteJob.table,
    Property("SourceHost", _figure("source"), "name of the host that the guest was on"),
    Property("DestinationHost", _figure("destination"), "name of the host that the guest is to go to"),
    Property("VirtualSystemName", _figure("guest"), "name of the guest"),
    Property(
        "GuestPlace", _figure("place"), "where the guest is: a host, or in words where it is at none or at both of them"
    ),
    Property("BandwidthLimit", _figure("bandwidth_limit"), "settings of the migration, or the client"),
    Property("DowntimeLimit", _figure("downtime_limit"), "settings of the migration, or the client"),
    Property("InPostCopy", lambda job: bool(job.figures.get("in_postcopy")), "whether virDomainMigrateStartPostCopy"),
    Property("DataTotal", _figure("data_total"), _STATISTICS + "data_total"),
    Property("DataProcessed", _figure("data_processed"), _STATISTICS + "data_processed"),
    Property("DataRemaining", _figure("data_remaining"), _STATISTICS + "data_remaining"),
    Property("DiskTotal", _figure("disk_total"), _STATISTICS + "disk_total"),
    Property("DiskProcessed", _figure("disk_processed"), _STATISTICS + "disk_processed"),
    Property("MemoryIteration", _figure("iteration"), _STATISTICS + "memory_iteration"),
    Property("MemoryRate", _figure("memory_rate"), _STATISTICS + "memory_bps"),
    Property("DirtyRate", _dirty_rate, _STATISTICS + "memory_dirty_rate, memory_page_size"),
    Property("Downtime", _figure("downtime"), _STATISTICS + "downtime"),
    Property("Throttle", _figure("throttle"), _STATISTICS + "auto_converge_throttle"),
    Property("PostCopyRequests", _figure("postcopy_requests"), _STATISTICS + "memory_postcopy_requests"),
)
