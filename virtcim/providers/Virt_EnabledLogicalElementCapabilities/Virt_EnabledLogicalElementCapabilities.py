"""The states that can be asked of guests, as <prefix>_EnabledLogicalElementCapabilities (DSP1057)."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.providers.base import ElementProvider
from virtcim.providers.guest import Guest
from virtcim.providers.guestcapabilities import GuestCapabilities
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_ComputerSystem.transitions import requests_supported

__all__ = ["StateCapabilities", "StateCapabilitiesProvider", "state_capabilities_of"]


class StateCapabilities(GuestCapabilities):
    """What can be asked of a guest (Virt_EnabledLogicalElementCapabilities)."""

    __slots__ = ()

    base = "EnabledLogicalElementCapabilities"


def state_capabilities_of(guest: Guest) -> StateCapabilities:
    """The instance of a guest."""
    return guest.memo(StateCapabilities, StateCapabilities)


StateCapabilities.table = PropertyTable(
    attribute("InstanceID", lambda capabilities: capabilities.guest.name, DomainConfig),
    attribute("ElementName", lambda capabilities: capabilities.guest.name, DomainConfig),
    constant("Caption", "States that can be requested of a virtual system", "a fixed text"),
    Property(
        "RequestedStatesSupported",
        lambda capabilities: requests_supported(capabilities.guest),
        "platform, persistence and connection mode; the present state does not matter",
    ),
    constant("ElementNameEditSupported", False, "always false: ElementName is the name of the domain"),
)


class StateCapabilitiesProvider(ElementProvider):
    """Serves <prefix>_EnabledLogicalElementCapabilities."""

    name = "Virt_EnabledLogicalElementCapabilities"
    types = (StateCapabilities,)
