"""Random number generators of a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Rng
from virtcim.providers.Virt_RASD.other_table import backend, field_of, mode, other_table
from virtcim.providers.Virt_RASD.setting import ResourceSetting, device_table

__all__ = ["RNGSetting"]


class RNGSetting(ResourceSetting[Rng]):
    """A random number generator of a guest (Virt_RNGResourceAllocationSettingData)."""

    __slots__ = ()

    base = "RNGResourceAllocationSettingData"


RNGSetting.table = device_table(
    (Rng,),
    other_table(Rng),
    backend((Rng, Rng.backend_model)),
    mode((Rng, Rng.backend_source_mode)),
    field_of("RateBytes", (Rng, Rng.rate_bytes), zero=False),
    field_of("RatePeriod", (Rng, Rng.rate_period), zero=False),
)
