"""Access to the consoles of guests as <prefix>_ConsoleRedirectionService (CIM_RedirectionService; DSP1076)."""

from __future__ import annotations

from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.service import SERVICE, HostService, HostServiceProvider

__all__ = ["SHARED", "ConsoleRedirectionService", "ConsoleRedirectionServiceProvider"]

SHARED = 3
"""SharingMode: several clients at one console."""

_KVM = 3
_UNLIMITED = 65535


class ConsoleRedirectionService(HostService):
    """Gives clients access to the graphical consoles of guests (Virt_ConsoleRedirectionService)."""

    __slots__ = ()

    base = "ConsoleRedirectionService"
    service_name = "ConsoleRedirectionService"
    table = PropertyTable(
        SERVICE,
        constant("Caption", "Consoles of virtual systems", "a fixed text"),
        constant("RedirectionServiceType", (_KVM,), "always KVM: keyboard, video, mouse"),
        constant("MaxCurrentEnabledSAPs", _UNLIMITED, "always the largest number: there is no limit"),
        constant("SharingMode", SHARED, "always Shared"),
    )


class ConsoleRedirectionServiceProvider(HostServiceProvider):
    """Serves <prefix>_ConsoleRedirectionService."""

    name = "Virt_ConsoleRedirectionService"
    types = (ConsoleRedirectionService,)
