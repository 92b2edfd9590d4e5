"""The provider of the devices of guests."""

from __future__ import annotations

from typing import ClassVar

from virtcim.providers.base import ElementProvider
from virtcim.providers.Virt_Device.devices import DEVICE_TYPES

__all__ = ["DeviceProvider"]


class DeviceProvider(ElementProvider):
    """Serves <prefix>_LogicalDisk, NetworkPort, Memory, Processor and the other device classes."""

    name = "Virt_Device"
    types: ClassVar = DEVICE_TYPES
