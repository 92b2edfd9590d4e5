"""How a guest is migrated unless the client says otherwise: <prefix>_VirtualSystemMigrationSettingData (DSP1081)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Self

from virtcim.platforms.base import Feature, Platform
from virtcim.providers.base import Element, ElementProvider, MainKey
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import PLATFORMS, Place
from virtcim.providers.Virt_HostSystem import hosts_of

__all__ = ["MigrationSettingData", "MigrationSettingDataProvider", "migration_settings_of"]

_INSTANCE_ID = "MigrationSettingData"
_UNKNOWN, _LIVE, _SSH = 0, 2, 2


class MigrationSettingData(Element):
    """The settings of a migration for which the client gives none (Virt_VirtualSystemMigrationSettingData)."""

    __slots__ = ()

    base = "VirtualSystemMigrationSettingData"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No InstanceID specified")
    ignores_case = True
    source = PLATFORMS

    def __init__(self, site: Site, platform: Platform) -> None:
        super().__init__(site, platform, _INSTANCE_ID)

    @classmethod
    def made_from(cls, owner: Place) -> Iterable[Self]:
        return (cls(owner.site, owner.platform),) if hosts_of(owner.site, owner.platform) else ()

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        return CIMError(Status.NOT_FOUND, "No such instance (InstanceID)")

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return 0


def migration_settings_of(site: Site, platform: Platform) -> Iterable[MigrationSettingData]:
    """The instance of a platform that has a host."""
    return tuple(MigrationSettingData.all_of(site, platform))


def _where_it_migrates(value: int) -> Callable[[MigrationSettingData], int]:
    return lambda settings: value if settings.platform.supports(Feature.MIGRATION) else _UNKNOWN


MigrationSettingData.table = PropertyTable(
    constant("InstanceID", _INSTANCE_ID, "a fixed text"),
    constant("ElementName", _INSTANCE_ID, "as InstanceID"),
    Property("MigrationType", _where_it_migrates(_LIVE), "Live, unknown on a platform without migration"),
    Property("TransportType", _where_it_migrates(_SSH), "SSH, unknown on a platform without migration"),
    constant("Priority", 0, "always 0: the default"),
)


class MigrationSettingDataProvider(ElementProvider):
    """Serves <prefix>_VirtualSystemMigrationSettingData."""

    name = "Virt_VSMigrationSettingData"
    types = (MigrationSettingData,)
