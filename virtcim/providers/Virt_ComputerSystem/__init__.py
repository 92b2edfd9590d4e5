"""Guests as <prefix>_ComputerSystem (CIM_ComputerSystem; DSP1057)."""

from __future__ import annotations

from virtcim.providers.Virt_ComputerSystem.provider import ComputerSystemProvider
from virtcim.providers.Virt_ComputerSystem.Virt_ComputerSystem import ComputerSystem, system_of

__all__ = ["ComputerSystem", "ComputerSystemProvider", "system_of"]
