"""Appliances, in the interop namespace: Virt_ApplianceCatalog and Virt_Appliance."""

from virtcim.providers.Virt_ApplianceCatalog.elements import APPLIANCE, APPLIANCE_CATALOG
from virtcim.providers.Virt_ApplianceCatalog.provider import (
    ApplianceCatalogProvider,
    ApplianceProvider,
    CatalogMembers,
    Shelf,
)

__all__ = [
    "APPLIANCE",
    "APPLIANCE_CATALOG",
    "ApplianceCatalogProvider",
    "ApplianceProvider",
    "CatalogMembers",
    "Shelf",
]
