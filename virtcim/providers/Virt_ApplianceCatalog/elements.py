"""The catalogue and its appliances, as instances."""

from __future__ import annotations

from collections.abc import Hashable

from virtcim.images.appliances.catalogs import Catalogs, Entry
from virtcim.providers.interface import CIMValue, Instance, Properties

__all__ = ["APPLIANCE", "APPLIANCE_CATALOG", "APPLIANCE_PREFIX", "ShownAppliance", "ShownCatalog"]

APPLIANCE_CATALOG, APPLIANCE = "Virt_ApplianceCatalog", "Virt_Appliance"
CATALOG_ID = "virtcim:appliances"
APPLIANCE_PREFIX = "virtcim:appliance:"
"""What the InstanceID of an appliance begins with, before its name."""


class ShownCatalog(Instance):
    """A handle on the catalogue.

    Parameters:
        catalogs: what it shows.
        namespace: where it is shown.
    """

    __slots__ = ("_catalogs", "identity", "namespace", "revision")

    class_name = APPLIANCE_CATALOG

    def __init__(self, catalogs: Catalogs, namespace: str) -> None:
        self._catalogs = catalogs
        self.namespace = namespace
        self.identity: Hashable = CATALOG_ID
        self.revision: Hashable = tuple(catalogs.troubles.items())

    def keys(self) -> dict[str, CIMValue]:
        return {"InstanceID": CATALOG_ID}

    def properties(self) -> Properties:
        troubles = self._catalogs.troubles
        return {
            **self.keys(),
            "ElementName": "Appliances",
            "TroubledCatalogs": tuple(troubles),
            "Troubles": tuple(troubles.values()),
        }


class ShownAppliance(Instance):
    """A handle on an appliance.

    Parameters:
        entry: of its catalogue.
        namespace: where it is shown.
    """

    __slots__ = ("entry", "identity", "namespace", "revision")

    class_name = APPLIANCE

    def __init__(self, entry: Entry, namespace: str) -> None:
        self.entry = entry
        self.namespace = namespace
        self.identity: Hashable = entry.key
        self.revision: Hashable = entry

    def keys(self) -> dict[str, CIMValue]:
        return {"InstanceID": f"{APPLIANCE_PREFIX}{self.entry.key}"}

    def properties(self) -> Properties:
        entry = self.entry
        return {
            **self.keys(),
            "ElementName": entry.title or entry.id,
            "Description": entry.description or None,
            "Name": entry.key,
            "CatalogName": entry.catalog,
            "Vendor": entry.vendor or None,
            "Version": entry.version or None,
            "Platforms": entry.platforms,
            "Architecture": entry.architecture,
            "URL": entry.url,
            "Checksum": entry.sha256 or None,
            "Licence": entry.licence or None,
        }
