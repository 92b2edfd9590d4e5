"""The operating systems of guests: <prefix>_OperatingSystem."""

from virtcim.providers.Virt_OperatingSystem.Virt_OperatingSystem import (
    OperatingSystem,
    OperatingSystemProvider,
    operating_systems_of,
)

__all__ = ["OperatingSystem", "OperatingSystemProvider", "operating_systems_of"]
