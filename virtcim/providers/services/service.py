"""Services of a host: what the elements of all their classes have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Self, cast

from virtcim.libhelper.inventory.records import Host
from virtcim.libhelper.work import Work
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, MainKey, class_of
from virtcim.providers.interface import (
    CIMError,
    InstancePath,
    Keys,
    MethodResult,
    RequestContext,
    Status,
)
from virtcim.providers.jobs import Effect
from virtcim.providers.keys import main_key
from virtcim.providers.methods import Method, Parameters
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.services.work import run_method
from virtcim.providers.states import EnabledState, HealthState, OperationalStatus, RequestedState, StateChangeCode
from virtcim.providers.Virt_HostSystem import HOSTS, HostSystem

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["SERVICE", "SERVICE_METHODS", "HostService", "HostServiceProvider"]


class HostService(Element):
    """A service of a host, one on each host of a platform.

    Attributes:
        service_name: the key Name.
        site: what is served.
        host: the host.
    """

    __slots__ = ("host",)

    key_names = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
    main_key = MainKey("Name", "No such instance (Name)", Status.NOT_FOUND)
    ignores_case = True
    source = HOSTS
    surveyed = (Host,)
    service_name: ClassVar[str]

    def __init__(self, host: HostSystem) -> None:
        self.host = host
        super().__init__(host.site, host.platform, host.name)

    @classmethod
    def made_from(cls, owner: HostSystem) -> Iterable[Self]:
        return (cls(owner),)

    @property
    def hypervisor(self) -> Hypervisor:
        """The hypervisor that it works on: the first one of the platform on its host."""
        return self.host.hypervisor

    @property
    def connected(self) -> bool:
        """Whether the hypervisor can be reached."""
        return self.hypervisor.connected

    def do(
        self,
        method: str,
        context: RequestContext,
        run: Callable[[Work], MethodResult],
        affected: Sequence[InstancePath] = (),
        effect: Effect = Effect.EXCLUSIVE_USE,
    ) -> MethodResult:
        """Carry out a method of the service: at once where that is quick, else as a job.

        Parameters:
            run: does it.
            affected: what it acts upon.
            effect: how.
        """
        return run_method(self, method, context, run, affected, effect)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.connected, self.hypervisor.facts


def _when_connected(name: str, connected: int, lost: int) -> Property[HostService]:
    return Property(name, lambda service: int(connected if service.connected else lost), "connection to libvirt")


SERVICE = PropertyTable[HostService](
    Property(
        "SystemCreationClassName",
        lambda service: class_of(service.platform.prefix, "HostSystem"),
        "class name of the host",
    ),
    attribute("SystemName", lambda service: service.host.name, source="fully qualified host name"),
    attribute("CreationClassName", lambda service: service.class_name, source="class name"),
    attribute("Name", lambda service: service.service_name, source="kind of service"),
    attribute("ElementName", lambda service: service.service_name, source="as Name"),
    constant("Started", True),
    _when_connected("EnabledState", EnabledState.ENABLED, EnabledState.ENABLED_BUT_OFFLINE),
    constant("RequestedState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable"),
    constant("EnabledDefault", int(EnabledState.ENABLED), "always Enabled"),
    _when_connected("HealthState", HealthState.OK, HealthState.UNKNOWN),
    Property(
        "OperationalStatus",
        lambda service: [int(OperationalStatus.OK if service.connected else OperationalStatus.NO_CONTACT)],
        "connection to libvirt",
    ),
)
"""The properties that all services have."""


def _refuse(service: HostService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """Answer Not Supported: a service is there as long as the server is, and cannot be started or stopped by itself."""
    return MethodResult(StateChangeCode.NOT_SUPPORTED)


SERVICE_METHODS: tuple[Method[HostService], ...] = (
    Method("RequestStateChange", _refuse),
    Method("StartService", _refuse),
    Method("StopService", _refuse),
)
"""The methods that all services have."""

HostService.methods = SERVICE_METHODS


class HostServiceProvider(ElementProvider):
    """Serves the classes of services."""

    def find(self, platform: Platform, element: type[Element], keys: Keys) -> Element:
        services = cast("list[HostService]", list(element.all_of(self.site, platform)))
        name = main_key(keys, *element.main_key).casefold()
        if not services:
            raise CIMError(Status.NOT_FOUND, "No such instance")
        if name != services[0].service_name.casefold():
            raise CIMError(Status.NOT_FOUND, "No such instance (Name)")
        host = str(next((value for key, value in keys.items() if key.lower() == "systemname"), "")).casefold()
        return next((service for service in services if service.host.name.casefold() == host), services[0])

    def target(self, class_name: str, keys: Keys | None) -> Element:
        """The service that is meant: invoked on the class, the first there is, as clients of libvirt-cim do."""
        if keys is not None:
            return self.element(class_name, keys)
        platform, service = self.resolve(class_name)
        for found in service.all_of(self.site, platform):
            return found
        raise CIMError(Status.NOT_FOUND, "No such instance")
