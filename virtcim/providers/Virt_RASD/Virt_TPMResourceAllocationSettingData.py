"""Trusted platform modules of a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Tpm
from virtcim.providers.Virt_RASD.other_table import backend, field_of, other_table
from virtcim.providers.Virt_RASD.setting import ADDRESS, ResourceSetting, device_table

__all__ = ["TPMSetting"]


class TPMSetting(ResourceSetting[Tpm]):
    """A trusted platform module of a guest (Virt_TPMResourceAllocationSettingData)."""

    __slots__ = ()

    base = "TPMResourceAllocationSettingData"


TPMSetting.table = device_table(
    (Tpm,),
    other_table(Tpm, placed=False),
    ADDRESS,
    backend((Tpm, Tpm.backend_type)),
    field_of("BackendVersion", (Tpm, Tpm.backend_version)),
    field_of("PersistentState", (Tpm, Tpm.backend_persistent_state)),
    field_of("EncryptionSecret", (Tpm, Tpm.backend_encryption_secret)),
)
