"""What the instances that tell what a guest can do have in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Self

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey, no_such_domain
from virtcim.providers.guest import Guest
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.site import Site
from virtcim.providers.sources import GUESTS

__all__ = ["GuestCapabilities"]


class GuestCapabilities(Element):
    """What a guest can do, named as the guest is; subclasses tell of what.

    Attributes:
        guest: whose it is.
    """

    __slots__ = ("guest",)

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
