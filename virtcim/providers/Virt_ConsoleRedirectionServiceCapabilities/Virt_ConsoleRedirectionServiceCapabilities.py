"""What the console service can do: <prefix>_ConsoleRedirectionServiceCapabilities (DSP1076)."""

from __future__ import annotations

from virtcim.providers.properties import PropertyTable, constant
from virtcim.providers.services.capabilities import CAPABILITIES, ServiceCapabilities, ServiceCapabilitiesProvider
from virtcim.providers.Virt_ConsoleRedirectionService import SHARED, ConsoleRedirectionService

__all__ = ["ConsoleRedirectionCapabilities", "ConsoleRedirectionCapabilitiesProvider"]


class ConsoleRedirectionCapabilities(ServiceCapabilities):
    """What the console service can do (Virt_ConsoleRedirectionServiceCapabilities)."""

    __slots__ = ()

    base = "ConsoleRedirectionServiceCapabilities"
    instance_id = "ConsoleRedirectionCapabilities"
    service = ConsoleRedirectionService
    table = PropertyTable(
        CAPABILITIES,
        constant("ElementNameEditSupported", False),
        constant("RequestedStatesSupported", (), "always empty: the service cannot be stopped by itself"),
        constant("SharingModeSupported", (SHARED,), "always Shared"),
    )


class ConsoleRedirectionCapabilitiesProvider(ServiceCapabilitiesProvider):
    """Serves <prefix>_ConsoleRedirectionServiceCapabilities."""

    name = "Virt_ConsoleRedirectionServiceCapabilities"
    types = (ConsoleRedirectionCapabilities,)
