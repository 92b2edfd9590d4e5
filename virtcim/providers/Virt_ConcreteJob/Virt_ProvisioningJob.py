"""Guests that are being made of templates, as <prefix>_ProvisioningJob."""

from __future__ import annotations

from collections.abc import Callable

from virtcim.providers.interface import CIMValue
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import ConcreteJob

__all__ = ["ProvisioningJob"]


class ProvisioningJob(ConcreteJob):
    """A job that makes a guest of a template (Virt_ProvisioningJob)."""

    __slots__ = ()

    base = "ProvisioningJob"


def _figure(name: str) -> Callable[[ProvisioningJob], CIMValue]:
    return lambda job: job.figures.get(name)


ProvisioningJob.table = PropertyTable(
    ConcreteJob.table,
    Property("VirtualSystemName", _figure("guest"), "name of the guest"),
    Property("Template", _figure("template"), "id and version of the template"),
    Property("Step", _figure("step"), "what is under way, or was last"),
    Property("StepNumber", _figure("step_number"), "the number of that step, from 1 on"),
    Property("Steps", _figure("steps"), "how many steps there are"),
    Property("DataTotal", _figure("data_total"), "bytes that the step has to move"),
    Property("DataProcessed", _figure("data_processed"), "bytes of these that it has moved"),
)
