"""The guest of ReferenceConfiguration, after which a new one is made.

Clients get the settings of a guest, change what is to be another one, and send all of them with it: what they send as
it was is what the new guest has from the other one anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.providers.drafts import ValueRefusedError, same
from virtcim.providers.guest import Configuration, ConfigurationKind
from virtcim.providers.Virt_RASD import ResourceSetting, setting_for
from virtcim.providers.Virt_VirtualSystemManagementService.wishes import changed_values
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

if TYPE_CHECKING:
    from virtcim.providers.guest import Guest
    from virtcim.providers.interface import CIMValue, Properties
    from virtcim.providers.Virt_VirtualSystemManagementService.resources import ResourceRequest

__all__ = ["Reference"]


class Reference:
    """The guest after which another one is made.

    Parameters:
        guest: the guest.
        xml: its definition, with its passwords.

    Attributes:
        xml: the same.
        config: what that says.
    """

    def __init__(self, guest: Guest, xml: str) -> None:
        self.xml = xml
        self.config = DomainConfig.parse(xml)
        defined = Configuration(guest, self.config, ConfigurationKind.DEFINED)
        self._left = list(defined.entries)
        self._configurations = [defined, *guest.configurations]

    def other_values(self, given: Properties) -> dict[str, CIMValue]:
        """The settings of the whole that are not those of the guest.

        Its identity is among what is the same, and what a guest must not share: its UUID, the variables of its
        firmware.
        """
        shown = [VirtualSystemSettingData(each).properties() for each in self._configurations]
        return {
            name: value
            for name, value in given.items()
            if not any(same(value, properties.get(name)) for properties in shown)
        }

    def takes(self, wanted: ResourceRequest, name: str) -> bool:
        """Whether a resource that a client describes is one that the guest has; each is one of them once.

        Parameters:
            wanted: the resource.
            name: of the new guest, of which clients may take the resource to be already.
        """
        for identifier in self._left:
            as_new = f"{name}/{identifier}"
            if any(_is_meant(setting, wanted, as_new) for setting in self._settings(identifier)):
                self._left.remove(identifier)
                return True
        return False

    def _settings(self, identifier: str) -> Iterator[ResourceSetting[object]]:
        """A resource as it is now, and as it is defined: clients have got it from either."""
        for configuration in self._configurations:
            setting = setting_for(configuration, identifier)
            if setting is not None:
                yield setting


def _is_meant(setting: ResourceSetting[object], wanted: ResourceRequest, as_new: str) -> bool:
    """Whether a client means this resource: it describes it as it is, and names it or leaves nothing out.

    Of which little is said, as of a network interface of some network, one more may be wanted, where there can be two.

    Parameters:
        setting: the resource.
        wanted: what the client describes.
        as_new: the InstanceID that the resource will have in the new guest.
    """
    if setting.entry.kind is not wanted.kind or not _is_as_it_is(setting, wanted.given):
        return False
    is_named = wanted.instance_id in (setting.instance_id, as_new)
    is_complete = setting.properties().keys() - {"InstanceID"} <= wanted.given.keys()
    # Displays are named after their type, of which a guest has one.
    is_only = wanted.given.get("ResourceSubType") == setting.entry.identifier
    return is_named or is_complete or is_only or wanted.is_guest_wide


def _is_as_it_is(setting: ResourceSetting[object], given: Properties) -> bool:
    try:
        return not changed_values(setting, setting.table, given)
    except ValueRefusedError:
        return False
