"""What services can do: what the capabilities of all kinds of service have in common (CIM_Capabilities)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.keys import main_key
from virtcim.providers.properties import PropertyTable, attribute
from virtcim.providers.services.service import HostService
from virtcim.providers.site import Site
from virtcim.providers.Virt_HostSystem import HostSystem, hosts_of

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["CAPABILITIES", "ServiceCapabilities", "ServiceCapabilitiesProvider"]


class ServiceCapabilities(Element):
    """What the service of a kind can do on the hosts of a platform.

    Attributes:
        instance_id: the key.
        service: the type of the service.
        site: what is served.
        types: the types of all such capabilities.
    """

    __slots__ = ("site",)

    key_names = ("InstanceID",)
    instance_id: ClassVar[str]
    service: ClassVar[type[HostService]]
    types: ClassVar[list[type[ServiceCapabilities]]] = []

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.types.append(cls)

    def __init__(self, site: Site, platform: Platform) -> None:
        self.site = site
        super().__init__(platform, self.instance_id)

    @classmethod
    def all_of(cls, site: Site, platform: Platform) -> Iterable[ServiceCapabilities]:
        return (cls(site, platform),) if hosts_of(site, platform) else ()

    @property
    def hosts(self) -> Iterable[HostSystem]:
        """The hosts of the platform."""
        return hosts_of(self.site, self.platform)

    @property
    def hypervisors(self) -> Iterable[Hypervisor]:
        """The hypervisors of the platform."""
        return self.site.hypervisors(self.platform)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return tuple((hypervisor.facts, hypervisor.connected) for hypervisor in self.hypervisors)


CAPABILITIES = PropertyTable[ServiceCapabilities](
    attribute("InstanceID", lambda capabilities: capabilities.instance_id, source="kind of service"),
    attribute("ElementName", lambda capabilities: capabilities.instance_id, source="as InstanceID"),
)
"""The properties that the capabilities of all services have."""


class ServiceCapabilitiesProvider(ElementProvider):
    """Serves the classes of the capabilities of services."""

    def find(self, platform: Platform, element: type[Element], keys: Mapping[str, Any]) -> Element:
        instance_id = main_key(keys, "InstanceID", "No InstanceID specified")
        for capabilities in element.all_of(self.site, platform):
            if str(capabilities.identity).casefold() == instance_id.casefold():
                return capabilities
        raise CIMError(Status.NOT_FOUND, "No such instance (InstanceID)")
