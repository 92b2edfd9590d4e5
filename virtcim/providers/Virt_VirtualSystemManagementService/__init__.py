"""Defining, changing and removing guests (CIM_VirtualSystemManagementService; DSP1042)."""

from __future__ import annotations

from virtcim.providers.Virt_VirtualSystemManagementService.provider import VirtualSystemManagementServiceProvider
from virtcim.providers.Virt_VirtualSystemManagementService.summary import summaries
from virtcim.providers.Virt_VirtualSystemManagementService.Virt_VirtualSystemManagementService import (
    VirtualSystemManagementService,
)

__all__ = ["VirtualSystemManagementService", "VirtualSystemManagementServiceProvider", "summaries"]
