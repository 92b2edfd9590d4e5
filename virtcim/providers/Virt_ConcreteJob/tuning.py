"""Changing the pace of a migration that is under way, by modifying its job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtcim.libhelper.migrations import Tuning
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.values import number_of

if TYPE_CHECKING:
    from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import ConcreteJob

__all__ = ["take_tuning", "tune"]


def take_tuning(given: dict[str, Any]) -> Tuning | None:
    """Take what changes the pace of a migration out of the properties that a client wants changed.

    Returns:
        what is to change; None for nothing.

    Raises:
        CIMError: INVALID_PARAMETER for values of another type.
    """
    bandwidth = number_of(given.pop("BandwidthLimit", None), "BandwidthLimit")
    downtime = number_of(given.pop("DowntimeLimit", None), "DowntimeLimit")
    postcopy = given.pop("InPostCopy", None)
    if postcopy not in (None, True):
        raise CIMError(Status.INVALID_PARAMETER, "InPostCopy: cannot be taken back")
    if bandwidth is None and downtime is None and not postcopy:
        return None
    return Tuning(bandwidth, downtime, bool(postcopy))


def tune(job: ConcreteJob, tuning: Tuning) -> None:
    """Change the pace of a migration, as soon as libvirt heeds that: once data flow.

    Raises:
        CIMError: FAILED where it is not under way.
    """
    uuid = job.figures.get("uuid")
    hypervisors = job.site.hypervisors(job.platform)
    if not any(each.migrations.tune(str(uuid), tuning) for each in hypervisors):
        raise CIMError(Status.FAILED, f"Job {job.record.instance_id} is not under way")
    if job.job.work is not None:
        limits = {"bandwidth_limit": tuning.bandwidth, "downtime_limit": tuning.downtime}
        job.job.work.tell({name: value for name, value in limits.items() if value is not None})
