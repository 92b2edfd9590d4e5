"""Where elements come from: what a kind of element has instances of its own for.

An element type declares its source: guests, parts of guests, pools, hosts, jobs, ...  Its instances, the few among
which the one of a key is, and what the change of a record means for them, follow from that.

Layer rule: imports `site` and `libhelper`; knows no classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, Self, TypeVar

from virtcim.libhelper.inventory.records import Domain, Record
from virtcim.providers.guests import all_guests, guest_as, guest_named, made_of_guests, split_identifier

if TYPE_CHECKING:
    from virtcim.platforms.base import Platform
    from virtcim.providers.guest import Guest
    from virtcim.providers.site import Site

__all__ = [
    "GUESTS",
    "GUESTS_NOW",
    "HYPERVISORS",
    "PARTS_OF_GUESTS",
    "PLATFORMS",
    "AnyElement",
    "GuestSource",
    "Place",
    "PlatformSource",
    "Source",
]

Owner = TypeVar("Owner")


class ElementType(Protocol):
    """An element type, as far as a source needs it."""

    @classmethod
    def made_from(cls, owner: Any) -> Iterable[Self]: ...


AnyElement = TypeVar("AnyElement", bound=ElementType)


class Place(NamedTuple):
    """A platform of a site."""

    site: Site
    platform: Platform


class Source(ABC, Generic[Owner]):
    """What instances are made from: each owner has some, in the order of the owners.

    Attributes:
        records: the types of the records that change when an owner does; none where no record stands behind it.
        lasting: whether the instances are `Instance.lasting`.
    """

    records: tuple[type[Record], ...] = ()
    lasting = False

    @abstractmethod
    def owners(self, site: Site, platform: Platform) -> Iterable[Owner]:
        """All owners on a platform, in a stable order."""

    def owners_near(self, site: Site, platform: Platform, key: str) -> Iterable[Owner]:
        """Those owners that can have the instance with this main key; all of them unless the source knows better."""
        return self.owners(site, platform)

    def owners_of(self, site: Site, platform: Platform, record: Record) -> Iterable[Owner]:
        """The owners that a record is, or was, the state of."""
        return ()

    def instances(self, site: Site, platform: Platform, element: type[AnyElement]) -> Iterable[AnyElement]:
        """All instances of an element type on a platform."""
        for owner in self.owners(site, platform):
            yield from element.made_from(owner)

    def instances_of(
        self, site: Site, platform: Platform, record: Record, element: type[AnyElement]
    ) -> Iterable[AnyElement]:
        """The instances of an element type that a record, the present one or an older one, is shown as."""
        for owner in self.owners_of(site, platform, record):
            yield from element.made_from(owner)


class PlatformSource(Source[Place]):
    """One owner: the platform.

    Parameters:
        keeps: whether the instances stay what they are as long as the guests and what is known of their hosts do.
    """

    def __init__(self, keeps: bool = False) -> None:
        self.lasting = keeps

    def owners(self, site: Site, platform: Platform) -> Sequence[Place]:
        return (Place(site, platform),)


class GuestSource(Source["Guest"]):
    """Guests, by their names.

    Parameters:
        keeps: whether the instances stay what they are as long as the guests do.
    """

    records = (Domain,)

    def __init__(self, keeps: bool = True) -> None:
        self.lasting = self._keeps = keeps

    def owners(self, site: Site, platform: Platform) -> Iterable[Guest]:
        return all_guests(site, platform)

    def owners_near(self, site: Site, platform: Platform, key: str) -> Iterable[Guest]:
        guest = guest_named(site, platform, key)
        return () if guest is None else (guest,)

    def owners_of(self, site: Site, platform: Platform, record: Record) -> Iterable[Guest]:
        return (guest_as(site, platform, record),) if isinstance(record, Domain) else ()

    def instances(self, site: Site, platform: Platform, element: type[AnyElement]) -> Iterable[AnyElement]:
        if not self._keeps:
            return super().instances(site, platform, element)
        return made_of_guests(site, platform, element, element.made_from)


class _PartSource(GuestSource):
    """Guests, by the names with which the keys of their parts begin."""

    def owners_near(self, site: Site, platform: Platform, key: str) -> Iterable[Guest]:
        return [guest for guest, _ in split_identifier(site, platform, key)]


PLATFORMS = PlatformSource()
HYPERVISORS = PlatformSource(keeps=True)
"""Platforms, of which is shown what they have connections to."""
GUESTS = GuestSource()
PARTS_OF_GUESTS = _PartSource()
GUESTS_NOW = GuestSource(keeps=False)
"""Guests, whose instances are made anew each time that they are asked for."""
