"""The providers: finding capabilities and templates by their InstanceID."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.keys import main_key
from virtcim.providers.Virt_AllocationCapabilities.template import TEMPLATE_TYPES
from virtcim.providers.Virt_AllocationCapabilities.templates import find_template
from virtcim.providers.Virt_AllocationCapabilities.Virt_AllocationCapabilities import AllocationCapabilities

__all__ = ["AllocationCapabilitiesProvider", "TemplateProvider"]


class AllocationCapabilitiesProvider(ElementProvider):
    """Serves <prefix>_AllocationCapabilities."""

    name = "Virt_AllocationCapabilities"
    types: ClassVar = (AllocationCapabilities,)


class TemplateProvider(ElementProvider):
    """Serves the settings for new networks and storage pools, of which there are templates only.

    The templates of the classes of which there are others are served together with those.
    """

    name = "Virt_AllocationCapabilities"
    types: ClassVar = tuple(TEMPLATE_TYPES[kind] for kind in ("NetPool", "DiskPool"))

    def find(self, platform: Platform, element: type[Element], keys: Mapping[str, Any]) -> Element:
        instance_id = main_key(keys, "InstanceID", "Missing InstanceID")
        template = find_template(self.site, platform, element.base, instance_id)
        if template is None:
            raise CIMError(Status.NOT_FOUND, f"No such instance ({instance_id})")
        return template
