"""Memory that a guest shares with others, or with programs of its host."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Shmem
from virtcim.providers.Virt_RASD.other_table import field_of, other_table, quantity
from virtcim.providers.Virt_RASD.setting import ResourceSetting, device_table

__all__ = ["SharedMemorySetting"]


class SharedMemorySetting(ResourceSetting[Shmem]):
    """Memory that a guest shares with others (Virt_SharedMemoryResourceAllocationSettingData)."""

    __slots__ = ()

    base = "SharedMemoryResourceAllocationSettingData"


SharedMemorySetting.table = device_table(
    (Shmem,),
    other_table(Shmem),
    quantity(Shmem, Shmem.size, "byte"),
    field_of("SharedMemoryName", (Shmem, Shmem.name)),
    field_of("Role", (Shmem, Shmem.role)),
    field_of("InterruptVectors", (Shmem, Shmem.msi_vectors)),
)
