"""Backups that go on in the background as <prefix>_BackupJob."""

from __future__ import annotations

from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import ConcreteJob

__all__ = ["BackupJob"]


class BackupJob(ConcreteJob):
    """A job that is a backup (Virt_BackupJob)."""

    __slots__ = ()

    base = "BackupJob"


def _exports(job: BackupJob) -> list[str] | None:
    return str(job.figures.get("exports") or "").split("\n") if job.figures.get("exports") else None


_STATISTICS = "job statistics (virDomainGetJobStats) "

BackupJob.table = PropertyTable(
    ConcreteJob.table,
    Property("VirtualSystemName", lambda job: job.figures.get("guest"), "name of the guest"),
    Property("BackupMode", lambda job: job.figures.get("mode"), "parameter of the method"),
    Property("Exports", _exports, "where libvirt was told to have the disks read"),
    Property("DiskTotal", lambda job: job.figures.get("disk_total"), _STATISTICS + "disk_total"),
    Property("DiskProcessed", lambda job: job.figures.get("disk_processed"), _STATISTICS + "disk_processed"),
)
