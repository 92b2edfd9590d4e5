"""What there is to serve: the hypervisors of each platform.

A site is one node.  `guests` makes the guests of it, from the inventories.

Layer rule: imports `platforms`, `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from virtcim.platforms.base import Platform
from virtcim.platforms.registry import ALWAYS_SHOWN, Registry
from virtcim.platforms.settings import PlatformSettings
from virtcim.providers.deviceids import DeviceKind
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
    from virtcim.libhelper.inventory.records import Record

__all__ = ["Site"]


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
        self._hypervisors = {
            platform.prefix: tuple(member for owner, member in members if owner is platform)
            for platform in self.platforms
        }
        self._adding = threading.Lock()
        self.hidden = frozenset(
            platform.prefix.lower() for platform in self.platforms if not self._hypervisors[platform.prefix]
        ).difference(ALWAYS_SHOWN)

    def revision(self) -> Hashable:
        """Give what is another value once anything has changed that guests and their hosts are shown by."""
        known = [
            (each.inventory.revision, each.condition) for several in self._hypervisors.values() for each in several
        ]
        return (self.requested_states.changes, *known)

    def add(self, platform: Platform, hypervisor: Hypervisor) -> None:
        """Serve a further hypervisor, after those that its platform has."""
        self.show(platform)
        with self._adding:
            # A new tuple: who reads the old one does so to its end.
            self._hypervisors[platform.prefix] += (hypervisor,)
        for follower in tuple(self._followers):
            follower(hypervisor)

    def show(self, platform: Platform) -> None:
        """Show the classes of a platform from now on."""
        self.hidden -= {platform.prefix.lower()}

    def remove(self, hypervisor: Hypervisor) -> None:
        """Serve a hypervisor no more; nothing happens where it is not served."""
        with self._adding:
            for prefix, several in self._hypervisors.items():
                self._hypervisors[prefix] = tuple(each for each in several if each is not hypervisor)

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
        return self._hypervisors[platform.prefix]

    def all_hypervisors(self) -> Sequence[Hypervisor]:
        """The hypervisors of all platforms."""
        return [each for platform in self.platforms for each in self.hypervisors(platform)]

    def hypervisor_of(self, platform: Platform, record: Record) -> Hypervisor:
        """The hypervisor of a platform that a record lives on.

        Raises:
            KeyError: it is none of this platform's.
        """
        return {hypervisor.uri: hypervisor for hypervisor in self.hypervisors(platform)}[record.uri]
