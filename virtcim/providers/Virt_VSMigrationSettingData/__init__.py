"""How a guest is migrated unless the client says otherwise: <prefix>_VirtualSystemMigrationSettingData (DSP1081)."""

from virtcim.providers.Virt_VSMigrationSettingData.Virt_VirtualSystemMigrationSettingData import (
    MigrationSettingData,
    MigrationSettingDataProvider,
    migration_settings_of,
)

__all__ = ["MigrationSettingData", "MigrationSettingDataProvider", "migration_settings_of"]
