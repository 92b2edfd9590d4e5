"""What there is to serve: the hypervisors of each platform, and their guests.

A site is one node.  Everything here is made from the inventories.

Layer rule: imports `platforms`, `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from virtcim.platforms.base import Platform
from virtcim.platforms.registry import ALWAYS_SHOWN, Registry
from virtcim.platforms.settings import PlatformSettings
from virtcim.providers.deviceids import DeviceKind
from virtcim.providers.guest import Guest
from virtcim.providers.guests import GuestList, slashes
from virtcim.providers.interface import (
    CIMError,
    Instance,
    Keys,
    Status,
)
from virtcim.providers.jobs import Jobs
from virtcim.providers.memo import Memo
from virtcim.providers.requested import RequestedStates
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.storage import StorageMaps

if TYPE_CHECKING:
    from virtcim.images.library import Library
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.inventory.records import Domain, Record

__all__ = ["Site"]

_log = logging.getLogger(__name__)

Item = TypeVar("Item")


class ElementFinder(Protocol):
    """A provider, as far as references to its elements need it."""

    @property
    def class_names(self) -> Sequence[str]: ...
    def element(self, class_name: str, keys: Keys) -> Instance: ...


class Site(Memo):
    """The hypervisors that are served, each under its platform.

    Parameters:
        members: the hypervisors with their platforms; several of one platform are all served.  More may come (`add`).
        platforms: every platform that can be served, also those without a hypervisor.
        kinds: of the resources of guests.
        settings: of the providers.
        jobs: where work that takes time is run; several sites may share them.  Jobs in memory only where None.

    Attributes:
        namespace: where the instances of this site live: a namespace belongs to a node.
        hidden: the prefixes, in lower case, of the platforms whose classes are not shown there: those that had no
            hypervisor so far, libvirt-cim's aside.
        patience: seconds that each function of a platform that others have written gets.
        migrate_uri: where guests migrate to, when they migrate to this node; "" leaves that to libvirt.
        library: templates and images; None where there are none.
        nodes: all sites that are served together, this one among them: between them guests can be moved.
    """

    def __init__(
        self,
        members: Iterable[tuple[Platform, Hypervisor]],
        platforms: Iterable[Platform],
        kinds: Iterable[DeviceKind],
        settings: ProviderSettings | None = None,
        jobs: Jobs | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or ProviderSettings()
        self.namespace = self.settings.namespace.strip("/")
        self.migrate_uri = ""
        self.library: Library | None = None
        self.jobs = jobs or Jobs(self.settings.jobs)
        self.requested_states = RequestedStates()
        self.storage = StorageMaps()
        self.platforms = tuple(platforms)
        self.patience = platforms.patience if isinstance(platforms, Registry) else PlatformSettings().patience
        self.kinds = tuple(kinds)
        self._served: tuple[ElementFinder, ...] = ()
        self._providers: Mapping[str, ElementFinder] | None = None
        self._followers: list[Callable[[Hypervisor], None]] = []
        self.nodes: Sequence[Site] = (self,)
        members = tuple(members)
        self._guests = {
            platform.prefix: GuestList(self, platform, [member for owner, member in members if owner is platform])
            for platform in self.platforms
        }
        self.hidden = frozenset(
            platform.prefix.lower() for platform in self.platforms if not self._guests[platform.prefix].hypervisors
        ).difference(ALWAYS_SHOWN)

    def revision(self) -> Hashable:
        """Give what is another value once anything has changed that guests are shown by."""
        inventories = [each.inventory.revision for guests in self._guests.values() for each in guests.hypervisors]
        return (self.requested_states.changes, *inventories)

    def add(self, platform: Platform, hypervisor: Hypervisor) -> None:
        """Serve a further hypervisor, after those that its platform has."""
        self.show(platform)
        self._guests[platform.prefix].add(hypervisor)
        for follower in tuple(self._followers):
            follower(hypervisor)

    def show(self, platform: Platform) -> None:
        """Show the classes of a platform from now on."""
        self.hidden -= {platform.prefix.lower()}

    def remove(self, hypervisor: Hypervisor) -> None:
        """Serve a hypervisor no more; nothing happens where it is not served."""
        for guests in self._guests.values():
            guests.remove(hypervisor)

    def follow(self, follower: Callable[[Hypervisor], None]) -> None:
        """Have `follower` called with each hypervisor that is served, those that come later too."""
        self._followers.append(follower)
        for platform in self.platforms:
            for hypervisor in self.hypervisors(platform):
                follower(hypervisor)

    def serve(self, providers: Iterable[ElementFinder]) -> None:
        """Have the elements of providers found by what refers to them."""
        self._served = (*self._served, *providers)
        self._providers = None

    def provider_of(self, class_name: str) -> ElementFinder:
        """The provider of a class, name in any case.

        Raises:
            CIMError: INVALID_CLASS for a class that is not served.
        """
        known = self._providers
        if known is None:
            # A thousand names, which nobody looks up of a node that is down.
            known = {name.lower(): provider for provider in self._served for name in provider.class_names}
            self._providers = known
        provider = known.get(class_name.lower())
        if provider is None:
            raise CIMError(Status.INVALID_CLASS, f"{class_name} is not served here")
        return provider

    def hypervisors(self, platform: Platform) -> Sequence[Hypervisor]:
        """The hypervisors of a platform, in the order in which they came."""
        return self._guests[platform.prefix].hypervisors

    def all_hypervisors(self) -> Sequence[Hypervisor]:
        """The hypervisors of all platforms."""
        return [each for platform in self.platforms for each in self.hypervisors(platform)]

    def guests(self, platform: Platform) -> Iterable[Guest]:
        """The guests of a platform, over all its hypervisors, in a stable order."""
        return self._guests[platform.prefix].guests.values()

    def of_guests(self, platform: Platform, key: Hashable, make: Callable[[Guest], Iterable[Item]]) -> Sequence[Item]:
        """What `make` gives for each guest of a platform, one after the other, kept until a guest changes.

        A guest for which it fails is left out with a log line.

        Parameters:
            platform: whose guests.
            key: stands for `make`, which is called only when nothing is kept under it.
        """
        snapshot = self._guests[platform.prefix].snapshot
        cached = snapshot.collected.get(key)
        if cached is None:
            cached = snapshot.collected[key] = tuple(_each(snapshot.guests.values(), make))
        return cast("Sequence[Item]", cached)

    def guest(self, platform: Platform, name: str) -> Guest | None:
        """The guest of a platform with this name (case matters, as it does to libvirt)."""
        return self._guests[platform.prefix].guests.get(name)

    def guest_of(self, platform: Platform, domain: Domain) -> Guest:
        """The guest of a platform as a record describes it, be it the present record or an older one."""
        known = self.guest(platform, domain.name)
        hypervisor = self.hypervisor_of(platform, domain)
        if known is None:
            return Guest(self, platform, hypervisor, domain, as_recorded=True)
        words = known.defined_word, True, known.snapshot_word
        return Guest(self, platform, hypervisor, domain, known.namesakes, *words)

    def hypervisor_of(self, platform: Platform, record: Record) -> Hypervisor:
        """The hypervisor of a platform that a record lives on.

        Raises:
            KeyError: it is none of this platform's.
        """
        return {hypervisor.uri: hypervisor for hypervisor in self.hypervisors(platform)}[record.uri]

    def split(self, platform: Platform, identifier: str) -> Iterable[tuple[Guest, str]]:
        """The readings of `<guest>/<rest>` for which the guest exists.

        There can be several, as a name may hold slashes.
        """
        guests = self._guests[platform.prefix].guests
        for end in slashes(identifier):
            guest = guests.get(identifier[:end])
            if guest is not None:
                yield guest, identifier[end + 1 :]


def _each(guests: Iterable[Guest], make: Callable[[Guest], Iterable[Item]]) -> Iterator[Item]:
    for guest in guests:
        try:
            made = tuple(make(guest))
        except Exception:  # whatever is wrong with one guest must not take the others with it
            _log.exception("%r is left out", guest)
        else:
            yield from made
