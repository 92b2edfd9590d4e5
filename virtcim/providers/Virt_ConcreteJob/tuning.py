"""Changing the pace of a migration that is under way, by modifying its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.libhelper.migrations import Tuning
from virtcim.providers.interface import CIMError, CIMValue, Status
from virtcim.providers.values import number_of

if TYPE_CHECKING:
    from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import ConcreteJob

__all__ = ["take_tuning", "tune"]


def take_tuning(given: dict[str, CIMValue]) -> Tuning | None:
    """Take what changes the pace of a migration out of the properties that a client wants changed.

    Returns:
        what is to change; None for nothing.

    Raises:
        CIMError: INVALID_PARAMETER for values that cannot be.
    """
    names = [name for name in ("BandwidthLimit", "DowntimeLimit", "InPostCopy") if name in given]
    values = {name: given.pop(name) for name in names}
    for name, value in values.items():
        if value is None:
            raise CIMError(Status.INVALID_PARAMETER, f"{name}: is NULL; expected a value")
    bandwidth = number_of(values.get("BandwidthLimit"), "BandwidthLimit")
    downtime = number_of(values.get("DowntimeLimit"), "DowntimeLimit")
    if downtime == 0:
        text = "DowntimeLimit: 0 cannot be set any more; expected milliseconds"
        raise CIMError(Status.INVALID_PARAMETER, text)
    if values.get("InPostCopy") not in (None, True):
        raise CIMError(Status.INVALID_PARAMETER, "InPostCopy: cannot be taken back")
    return Tuning(bandwidth, downtime, "InPostCopy" in values) if values else None


def tune(job: ConcreteJob, tuning: Tuning) -> None:
    """Change the pace of a migration, as soon as libvirt heeds that: once data flow.

    It is kept for one that waits, or whose checks go on.

    Raises:
        CIMError: NOT_SUPPORTED for a migration that cannot have that; FAILED where it is not under way any more.
    """
    name, figures = job.job.record.instance_id, job.figures
    if figures.get("bandwidth_limit") is None:
        raise CIMError(Status.NOT_SUPPORTED, f"Job {name} moves a definition alone, which has no pace")
    if tuning.postcopy and not figures.get("may_postcopy"):
        raise CIMError(Status.NOT_SUPPORTED, f"Job {name}: InPostCopy: expected a migration with PostCopy")
    work = job.job.work
    if work is None or not work.ask(tuning):
        raise CIMError(Status.FAILED, f"Job {name} is not under way")
    limits = {"bandwidth_limit": tuning.bandwidth, "downtime_limit": tuning.downtime}
    work.tell({name: value for name, value in limits.items() if value is not None})
