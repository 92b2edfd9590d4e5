"""What services can do: what the capabilities of all kinds of service have in common (CIM_Capabilities)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, ClassVar, Self

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider, MainKey
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.properties import PropertyTable, attribute
from virtcim.providers.services.service import HostService
from virtcim.providers.site import Site
from virtcim.providers.sources import PLATFORMS, Place
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
    """

    __slots__ = ()

    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No InstanceID specified")
    ignores_case = True
    source = PLATFORMS
    instance_id: ClassVar[str]
    service: ClassVar[type[HostService]]

    def __init__(self, site: Site, platform: Platform) -> None:
        super().__init__(site, platform, self.instance_id)

    @classmethod
    def made_from(cls, owner: Place) -> Iterable[Self]:
        return (cls(owner.site, owner.platform),) if hosts_of(owner.site, owner.platform) else ()

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        return CIMError(Status.NOT_FOUND, "No such instance (InstanceID)")

    @property
    def hosts(self) -> Iterable[HostSystem]:
        """The hosts of the platform."""
        return hosts_of(self.site, self.platform)

    @property
    def hypervisors(self) -> Iterable[Hypervisor]:
        """The hypervisors of the platform."""
        return self.site.hypervisors(self.platform)

    @property
    def can_write(self) -> bool:
        """Whether there is a connection that changes can be made over."""
        return any(not hypervisor.read_only for hypervisor in self.hypervisors)

    def methods_supported(self, as_jobs: bool = False) -> list[int]:
        """List the methods of the service by their numbers in the class, in order; none over read-only connections.

        Parameters:
            as_jobs: those alone that can start a job.
        """
        methods = self.service.methods if self.can_write else ()
        supported = (each.capability for each in methods if each.may_be_job >= as_jobs)
        return sorted(capability for capability in supported if capability is not None)

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
