"""The states that can be asked of guests, as <prefix>_EnabledLogicalElementCapabilities (DSP1057)."""

from virtcim.providers.Virt_EnabledLogicalElementCapabilities.Virt_EnabledLogicalElementCapabilities import (
    StateCapabilities,
    StateCapabilitiesProvider,
    state_capabilities_of,
)

__all__ = ["StateCapabilities", "StateCapabilitiesProvider", "state_capabilities_of"]
