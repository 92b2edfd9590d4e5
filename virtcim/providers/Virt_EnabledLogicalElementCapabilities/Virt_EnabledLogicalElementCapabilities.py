"""The states that can be asked of guests, as <prefix>_EnabledLogicalElementCapabilities (DSP1057)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Self

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, MainKey, no_such_domain
from virtcim.providers.guest import Guest
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import GUESTS
from virtcim.providers.Virt_ComputerSystem.transitions import requests_supported

__all__ = ["StateCapabilities", "StateCapabilitiesProvider", "state_capabilities_of"]


class StateCapabilities(Element):
    """What can be asked of a guest (Virt_EnabledLogicalElementCapabilities)."""

    __slots__ = ("guest",)

    base = "EnabledLogicalElementCapabilities"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No InstanceID specified")
    source = GUESTS

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        super().__init__(guest.site, guest.platform, guest.name)

    @classmethod
    def made_from(cls, owner: Guest) -> Iterable[Self]:
        return (owner.memo(cls, cls),)

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        if not site.hypervisors(platform):
            return CIMError(Status.NOT_FOUND, "No such instance")
        return CIMError(Status.NOT_FOUND, f"No such instance ({key}): {no_such_domain(key)}")

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision, self.guest.hypervisor.read_only


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
