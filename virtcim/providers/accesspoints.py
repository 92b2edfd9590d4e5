"""What finds the access points of guests: by their own names and those of the guests."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.guest import Guest
from virtcim.providers.guests import guest_named
from virtcim.providers.interface import CIMError, Keys, Status
from virtcim.providers.keys import main_key

__all__ = ["AccessPointProvider"]


class AccessPointProvider(ElementProvider):
    """Serves access points, whose keys are SystemName and Name."""

    @abstractmethod
    def points_of(self, guest: Guest) -> Iterable[Element]:
        """List those of a guest.

        Raises:
            CIMError: it can have none.
        """

    def find(self, platform: Platform, element: type[Element], keys: Keys) -> Element:
        name = main_key(keys, *element.main_key)
        system = main_key(keys, "SystemName", "No such instance (SystemName)", Status.NOT_FOUND)
        guest = guest_named(self.site, platform, system)
        if guest is None:
            raise CIMError(Status.NOT_FOUND, "No such instance (SystemName)")
        for point in self.points_of(guest):
            if point.keys()["Name"] == name:
                return point
        raise CIMError(Status.NOT_FOUND, "No such instance (Name)")
