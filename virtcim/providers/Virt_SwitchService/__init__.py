"""Switching between the host and its guests as <prefix>_SwitchService (CIM_SwitchService)."""

from virtcim.providers.Virt_SwitchService.Virt_SwitchService import SwitchService, SwitchServiceProvider

__all__ = ["SwitchService", "SwitchServiceProvider"]
