"""The provider of guests."""

from __future__ import annotations

from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.guests import guest_named
from virtcim.providers.interface import (
    CIMError,
    Keys,
    Role,
    Status,
)
from virtcim.providers.keys import main_key
from virtcim.providers.methods import Method
from virtcim.providers.Virt_ComputerSystem.statechange import request_state_change
from virtcim.providers.Virt_ComputerSystem.Virt_ComputerSystem import ComputerSystem

__all__ = ["ComputerSystemProvider"]

ComputerSystem.methods = (Method("RequestStateChange", request_state_change, role=Role.OPERATE, may_be_job=True),)


class ComputerSystemProvider(ElementProvider):
    """Serves <prefix>_ComputerSystem."""

    name = "Virt_ComputerSystem"
    types = (ComputerSystem,)

    def target(self, class_name: str, keys: Keys | None) -> Element:
        """The guest that a method is invoked on, refused in libvirt-cim's words where there is none."""
        if keys is None:
            return super().target(class_name, keys)
        name = main_key(keys, "Name", "Name key not specified")
        platform, _ = self.resolve(class_name)
        if not any(guest_named(self.site, platform, each) for each in (name, name.strip())):
            raise CIMError(Status.INVALID_PARAMETER, f"Unable to get instance for guest '{name}'")
        return super().target(class_name, keys)
