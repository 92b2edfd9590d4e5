"""What the console service can do: <prefix>_ConsoleRedirectionServiceCapabilities (DSP1076)."""

from virtcim.providers.Virt_ConsoleRedirectionServiceCapabilities.Virt_ConsoleRedirectionServiceCapabilities import (
    ConsoleRedirectionCapabilities,
    ConsoleRedirectionCapabilitiesProvider,
)

__all__ = ["ConsoleRedirectionCapabilities", "ConsoleRedirectionCapabilitiesProvider"]
