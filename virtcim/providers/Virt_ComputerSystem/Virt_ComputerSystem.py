"""The instance: what a guest shows as a CIM_ComputerSystem."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Self

from virtcim.libhelper.documents.domain import DomainConfig, Graphics
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey, no_such_domain, trimmed
from virtcim.providers.guest import Guest
from virtcim.providers.interface import CIMError, Properties, Status
from virtcim.providers.layers import Known
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import GUESTS
from virtcim.providers.states import EnabledState, RequestedState
from virtcim.providers.Virt_ComputerSystem.transitions import available_requests

__all__ = ["ComputerSystem", "system_of"]


class ComputerSystem(Element):
    """A guest (Virt_ComputerSystem)."""

    __slots__ = ("domain", "guest")

    base = "ComputerSystem"
    key_names = ("CreationClassName", "Name")
    main_key = MainKey("Name", "No domain name specified")
    source = GUESTS
    indicated_as = "ComputerSystem"

    def __init__(self, guest: Guest) -> None:
        super().__init__(guest.site, guest.platform, guest.name)
        self.guest = guest
        self.domain = guest.domain

    @classmethod
    def made_from(cls, owner: Guest) -> Iterable[Self]:
        return (owner.memo(cls, cls),)

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        if not site.hypervisors(platform):
            return CIMError(Status.NOT_FOUND, "No such instance.")
        return CIMError(Status.NOT_FOUND, f"Referenced domain `{key}' does not exist: {no_such_domain(key)}")

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.domain.revision, self.requested_state, self.awaited_state

    def declared_values(self: Self) -> Properties:
        domain, guest = self.domain, self.guest
        state = (
            self.platform,
            guest.condition,
            guest.is_read_only,
            domain.state,
            domain.active,
            domain.persistent,
            domain.autostart,
            domain.contact,
            domain.has_managed_save,
            self.requested_state,
            self.awaited_state,
        )
        return self.table.layers().of_state(self, state, self._known)

    def _known(self) -> Known:
        """What stands for any guest in the state of this one."""
        names = ("state", "active", "persistent", "autostart", "contact", "has_managed_save")
        domain = Known(**{name: getattr(self.domain, name) for name in names})
        guest = Known(
            platform=self.platform,
            condition=self.guest.condition,
            is_read_only=self.guest.is_read_only,
            domain=domain,
        )
        return Known(
            class_name=self.class_name,
            platform=self.platform,
            guest=guest,
            domain=domain,
            requested_state=self.requested_state,
            awaited_state=self.awaited_state,
        )

    @property
    def requested_state(self) -> int:
        """The last accepted request."""
        guest = self.guest
        return guest.site.requested_states.get(self.domain, guest, guest.as_recorded)

    @property
    def awaited_state(self) -> int | None:
        """The state that a request waits for; None for none."""
        guest = self.guest
        return None if guest.as_recorded else guest.site.requested_states.awaited(self.domain)

    @property
    def config(self) -> DomainConfig | None:
        """The configuration in which the guest is now."""
        state = self.guest.state
        return None if state is None else state.config


def system_of(guest: Guest) -> ComputerSystem:
    """The instance of a guest."""
    return guest.memo(ComputerSystem, ComputerSystem)


def _caption(system: ComputerSystem) -> str:
    config = system.config
    for device in config.devices if config else ():
        if isinstance(device, Graphics):
            port = f":{device.port}" if device.port is not None and device.port > 0 else ""
            console = f"Console on {device.type}://{system.guest.hypervisor.hostname}{port}"
            return trimmed(f"Virtual System ({console})")
    return "Virtual System (No console)"


def _description(system: ComputerSystem) -> str:
    config = system.config
    return (config and config.description) or "Virtual System"


def _identities(system: ComputerSystem) -> list[tuple[str, str]]:
    """Pairs of what IdentifyingDescriptions and OtherIdentifyingInfo hold, index by index."""
    pairs = [
        ("Type", "Virtual System"),
        ("Model", f"{system.platform.prefix} Virtual System"),
        ("UUID", system.domain.uuid),
    ]
    config = system.config
    if config is not None and config.title:
        pairs.append(("Title", trimmed(config.title, 256)))
    return pairs


def _enabled_default(system: ComputerSystem) -> int | None:
    if not system.domain.persistent:
        return None
    return int(EnabledState.ENABLED if system.domain.autostart else EnabledState.DISABLED)


def _transitioning(system: ComputerSystem) -> int:
    """The state that the guest is on its way to (DSP1052), be it that it has not begun yet what it was asked for."""
    enabled, awaited = system.guest.condition.enabled, system.awaited_state
    if enabled is not EnabledState.UNKNOWN and awaited is not None:
        return awaited
    match enabled:
        case EnabledState.UNKNOWN:
            return int(RequestedState.UNKNOWN)
        case EnabledState.SHUTTING_DOWN:
            return int(RequestedState.SHUT_DOWN)
        case EnabledState.STARTING:
            return int(RequestedState.ENABLED)
        case _:
            return int(RequestedState.NO_CHANGE)


ComputerSystem.table = PropertyTable(
    attribute("CreationClassName", lambda system: system.class_name, source="class name"),
    attribute("Name", lambda system: system.guest.name, DomainConfig),
    attribute("ElementName", lambda system: system.guest.name, DomainConfig),
    constant("NameFormat", "Other"),
    attribute("UUID", lambda system: system.domain.uuid, DomainConfig),
    Property("Caption", _caption, "domain XML devices/graphics/@type, @port of the first one; host name"),
    Property("Description", _description, "domain XML description, else a fixed text"),
    attribute(
        "EnabledState", lambda system: system.guest.condition.enabled, source="domain state and reason, managed save"
    ),
    Property(
        "RequestedState",
        lambda system: system.requested_state,
        "last RequestStateChange that libvirt did not refuse; kept in domain XML metadata",
    ),
    Property("EnabledDefault", _enabled_default, "autostart flag of a persistent domain"),
    Property("TransitioningToState", _transitioning, "domain state, and the RequestStateChange that is waited for"),
    Property(
        "AvailableRequestedStates",
        lambda system: available_requests(system.guest),
        "domain state, persistence, connection mode and platform",
    ),
    attribute(
        "TimeOfLastStateChange",
        lambda system: system.domain.state_changed,
        source="time of the last observed lifecycle event",
    ),
    attribute("HealthState", lambda system: system.guest.condition.health, source="domain state and reason"),
    Property("OperationalStatus", lambda system: [system.guest.condition.operational], "domain state and reason"),
    attribute("OperatingStatus", lambda system: system.guest.condition.operating, source="domain state and reason"),
    constant("Dedicated", (0,), "always Not Dedicated"),
    Property(
        "OtherIdentifyingInfo",
        lambda system: [value for _, value in _identities(system)],
        "fixed texts, domain XML uuid, title",
    ),
    Property(
        "IdentifyingDescriptions",
        lambda system: [name for name, _ in _identities(system)],
        "names of the entries of OtherIdentifyingInfo",
    ),
)
