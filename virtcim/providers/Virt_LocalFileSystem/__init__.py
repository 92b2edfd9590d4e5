"""The file systems in guests: <prefix>_LocalFileSystem."""

from virtcim.providers.Virt_LocalFileSystem.Virt_LocalFileSystem import (
    LocalFileSystem,
    LocalFileSystemProvider,
    file_systems_of,
)

__all__ = ["LocalFileSystem", "LocalFileSystemProvider", "file_systems_of"]
