"""Storage volumes as <prefix>_StorageVolume (CIM_StorageVolume): what storage pools consist of."""

from virtcim.providers.Virt_StorageVolume.Virt_StorageVolume import StorageVolume, StorageVolumeProvider, volumes_of

__all__ = ["StorageVolume", "StorageVolumeProvider", "volumes_of"]
