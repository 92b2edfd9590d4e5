"""Access to the consoles of guests as <prefix>_ConsoleRedirectionService (CIM_RedirectionService; DSP1076)."""

from virtcim.providers.Virt_ConsoleRedirectionService.Virt_ConsoleRedirectionService import (
    SHARED,
    ConsoleRedirectionService,
    ConsoleRedirectionServiceProvider,
)

__all__ = ["SHARED", "ConsoleRedirectionService", "ConsoleRedirectionServiceProvider"]
