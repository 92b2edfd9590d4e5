"""Why a job failed, as CIM_Error."""

from __future__ import annotations

from virtcim.libhelper.errors import LibvirtError
from virtcim.providers.interface import EmbeddedInstance, Status
from virtcim.providers.jobs import JobError
from virtcim.schema.errors import CLASS_NAME, error_properties

__all__ = ["cim_error"]


def cim_error(error: JobError) -> EmbeddedInstance:
    """Give an error as an embedded instance: of libvirt's, its number and the part that raised it."""
    level = error.libvirt_level
    properties = error_properties(
        error.status,
        Status(error.status).name,
        error.message,
        error.libvirt_code,
        error.libvirt_domain,
        error.libvirt_level,
        level is not None and LibvirtError(error.message, level=level).is_warning,
    )
    return EmbeddedInstance(CLASS_NAME, properties)
