"""The provider of the service."""

from __future__ import annotations

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import CIMError, Keys, Status
from virtcim.providers.keys import main_key
from virtcim.providers.services.service import SERVICE_METHODS
from virtcim.providers.Virt_VirtualSystemManagementService.methods import METHODS
from virtcim.providers.Virt_VirtualSystemManagementService.Virt_VirtualSystemManagementService import (
    VirtualSystemManagementService,
)
from virtcim.schema.paths import key_of

__all__ = ["VirtualSystemManagementServiceProvider"]

VirtualSystemManagementService.methods = (*METHODS, *SERVICE_METHODS)


class VirtualSystemManagementServiceProvider(ElementProvider):
    """Serves <prefix>_VirtualSystemManagementService."""

    name = "Virt_VirtualSystemManagementService"
    types = (VirtualSystemManagementService,)

    def find(self, platform: Platform, element: type[Element], keys: Keys) -> Element:
        """The service on the host that is named, else the first one: the key checks tell which key is wrong."""
        main_key(keys, *element.main_key)
        services = list(VirtualSystemManagementService.all_of(self.site, platform))
        if not services:
            raise CIMError(Status.NOT_FOUND, "No such instance")
        system = key_of(keys, "SystemName")
        return next((found for found in services if found.keys()["SystemName"] == system), services[0])

    def target(self, class_name: str, keys: Keys | None) -> Element:
        """The service that is called; the first one where only its class was named, as old scripts do."""
        if keys is not None:
            return self.element(class_name, keys)
        platform, _ = self.resolve(class_name)
        found = next(iter(VirtualSystemManagementService.all_of(self.site, platform)), None)
        if found is None:
            raise CIMError(Status.NOT_FOUND, f"Unable to connect to libvirt: {platform.title} was never connected")
        return found
