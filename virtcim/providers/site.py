"""What there is to serve: the hypervisors of each platform, and their guests.

Everything here is made from the inventories and stays as long as the records it was made from, so that enumerating a
quiet host makes no new objects.

Layer rule: imports `platforms` and `libhelper`; every provider imports this module.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from virtcim.libhelper.documents.domain.difference import is_as_defined
from virtcim.platforms.base import Platform
from virtcim.providers.deviceids import DeviceEntry, device_entries
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.jobs import Jobs, JobSettings
from virtcim.providers.requested import RequestedStates
from virtcim.providers.states import system_state
from virtcim.providers.storage import StorageMaps

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import DomainConfig
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.inventory.records import Domain, Record
    from virtcim.providers.base import ElementProvider

__all__ = ["Configuration", "Guest", "ProviderSettings", "Site"]

_log = logging.getLogger(__name__)

Made = TypeVar("Made")

_DEFINED = "defined"
"""Follows the name of a guest in the identifiers of the configuration of its next start."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What an administrator may set for the providers.

    Attributes:
        namespace: where the instances live; used in values that hold a WBEM URI.
        settle_timeout: seconds to wait until the inventory shows what libvirt has reported as done.
        shutdown_timeout: seconds that a guest gets for an orderly stop when the client sets no time limit.
        transfer_directory: the directory whose files clients may have written into volumes, and below which they may
            have volumes written into new files; None for none.
        jobs: how work that takes time is run and kept.
    """

    namespace: str = "root/virt"
    settle_timeout: float = 10.0
    shutdown_timeout: float = 60.0
    transfer_directory: Path | None = None
    jobs: JobSettings = field(default_factory=JobSettings)


class _Memo:
    """Keeps what was made from an object as long as the object itself."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}

    def memo(self, key: Hashable, make: Callable[..., Made]) -> Made:
        """What `make(self)` gave when it was first asked for under `key`."""
        try:
            return cast(Made, self._made[key])
        except KeyError:
            return cast(Made, self._made.setdefault(key, make(self)))


class Configuration(_Memo):
    """One configuration of a guest: what a VirtualSystemSettingData and its ResourceAllocationSettingData show.

    Attributes:
        guest: the guest.
        config: the domain XML.
        is_state: whether this is the configuration in which the guest is now (the "state" configuration of DSP1057),
            rather than another one that its next start takes (the "defined" one).
        instance_id: of the setting data.
    """

    __slots__ = ("_entries", "_start", "config", "guest", "instance_id", "is_state")

    def __init__(self, guest: Guest, config: DomainConfig, is_state: bool) -> None:
        super().__init__()
        self.guest = guest
        self.config = config
        self.is_state = is_state
        whole = guest.name if is_state else f"{guest.name}/{guest.defined_word}"
        self.instance_id = f"{guest.platform.prefix}:{whole}"
        self._start = f"{whole}/"
        self._entries: dict[str, DeviceEntry] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the guest runs in this configuration now."""
        return self.is_state and self.guest.domain.active

    @property
    def asked_memory(self) -> int | None:
        """The KiB of memory that the running guest is on its way to; None when it is there, or nothing is known."""
        if not self.is_running:
            return None
        domain, requests = self.guest.domain, self.guest.hypervisor.inventory.memory_requests
        return requests.pending(domain.uuid, domain.id, self.config.current_memory)

    def resource_id(self, identifier: str) -> str:
        """The InstanceID of the setting data of one resource."""
        return f"{self._start}{identifier}"

    def holds(self, resource_id: str) -> bool:
        """Whether this is the InstanceID of the setting data of one of the resources."""
        return resource_id.startswith(self._start) and resource_id[len(self._start) :] in self.entries

    @property
    def entries(self) -> Mapping[str, DeviceEntry]:
        """The resources by their identifiers, which are unique in the configuration."""
        if self._entries is None:
            self._entries = device_entries(self.config, self._is_taken)
        return self._entries

    def _is_taken(self, identifier: str) -> bool:
        """Whether the InstanceID that a resource would have is that of another one: of the guest as it is now, or of
        a guest whose name is a part of this one's."""
        guest = self.guest
        if self.is_state and not guest.namesakes:
            return False
        resource_id = self.resource_id(identifier)
        others = [other for namesake in guest.namesakes for other in namesake.configurations]
        if not self.is_state:
            others.extend(other for other in guest.configurations if other.is_state)
        return any(other.holds(resource_id) for other in others)


class Guest(_Memo):
    """One domain as a guest of a platform.

    Attributes:
        site, platform, hypervisor: where it lives.
        domain: the record of the inventory.
        name: of the domain.
        condition: its state, in the words of the DMTF.
        namesakes: guests of the platform whose names, followed by a slash, begin this one's name.
        defined_word: what tells the identifiers of the defined configuration from those of the present one.
    """

    __slots__ = ("condition", "defined_word", "domain", "hypervisor", "name", "namesakes", "platform", "site")

    def __init__(
        self,
        site: Site,
        platform: Platform,
        hypervisor: Hypervisor,
        domain: Domain,
        namesakes: tuple[Guest, ...] = (),
        defined_word: str = _DEFINED,
    ) -> None:
        super().__init__()
        self.site = site
        self.platform = platform
        self.hypervisor = hypervisor
        self.domain = domain
        self.name = domain.name
        self.condition = system_state(domain, platform)
        self.namesakes = namesakes
        self.defined_word = defined_word

    def __repr__(self) -> str:
        return f"<guest {self.name!r} of {self.hypervisor.uri}>"

    @property
    def state(self) -> Configuration | None:
        """The configuration in which the guest is now; None when its XML could not be read."""
        configurations = self.configurations
        return configurations[0] if configurations else None

    @property
    def configurations(self) -> Sequence[Configuration]:
        """All configurations, the one in which the guest is now first; none when its XML could not be read."""
        return self.memo(Configuration, _configurations)


def _configurations(guest: Guest) -> tuple[Configuration, ...]:
    """The present configuration and, of a running guest that is defined otherwise, that of its next start."""
    domain = guest.domain
    config = domain.config
    if config is None:
        return ()
    state = Configuration(guest, config, is_state=True)
    live, defined = domain.live_document, domain.defined_document
    if live is None or defined is None or is_as_defined(live.text, defined.text, state.asked_memory):
        return (state,)
    next_config = domain.defined
    return (state,) if next_config is None else (state, Configuration(guest, next_config, is_state=False))


class _Snapshot:
    """The guests of one platform as they were at some revisions of the inventories, and what was gathered of them."""

    __slots__ = ("gathered", "guests", "revisions")

    def __init__(self, revisions: tuple[int, ...], guests: dict[str, Guest]) -> None:
        self.revisions = revisions
        self.guests = guests
        self.gathered: dict[Hashable, Sequence[Any]] = {}


class _Roster:
    """The guests of one platform by name, kept until an inventory changes."""

    def __init__(self, site: Site, platform: Platform, hypervisors: Sequence[Hypervisor]) -> None:
        self.hypervisors = tuple(hypervisors)
        self._site = site
        self._platform = platform
        self._lock = threading.Lock()
        self._snapshot = _Snapshot((), {})
        self._reported: set[tuple[str, str]] = set()

    def add(self, hypervisor: Hypervisor) -> None:
        with self._lock:
            # A new tuple: who reads the old one does so to its end.
            self.hypervisors = (*self.hypervisors, hypervisor)

    @property
    def snapshot(self) -> _Snapshot:
        revisions = tuple(hypervisor.inventory.revision for hypervisor in self.hypervisors)
        if revisions == self._snapshot.revisions:
            return self._snapshot
        with self._lock:
            self._snapshot = _Snapshot(revisions, self._updated(self._snapshot.guests))
            return self._snapshot

    @property
    def guests(self) -> Mapping[str, Guest]:
        return self.snapshot.guests

    def _updated(self, known: Mapping[str, Guest]) -> dict[str, Guest]:
        guests: dict[str, Guest] = {}
        for hypervisor in self.hypervisors:
            for domain in hypervisor.inventory.domains():
                name = domain.name
                if name in guests:
                    self._report(domain, guests[name])
                    continue
                guest = known.get(name)
                if guest is None or guest.domain is not domain or guest.namesakes or guest.defined_word != _DEFINED:
                    guest = Guest(self._site, self._platform, hypervisor, domain)
                guests[name] = guest
        for name in sorted(name for name in guests if "/" in name):
            parts = [name[:end] for end in _slashes(name) if name[:end] in guests]
            if parts:
                self._reword(guests, parts[-1])
                namesakes = tuple(guests[part] for part in parts)
                guest = guests[name]
                guests[name] = Guest(self._site, self._platform, guest.hypervisor, guest.domain, namesakes)
        return guests

    def _reword(self, guests: dict[str, Guest], name: str) -> None:
        """Keep the identifiers of a guest's defined configuration apart from the names of other guests."""
        guest = guests[name]
        word, number = _DEFINED, 1
        while f"{name}/{word}" in guests:
            number += 1
            word = f"{_DEFINED}#{number}"
        if word != guest.defined_word:
            guests[name] = Guest(self._site, self._platform, guest.hypervisor, guest.domain, guest.namesakes, word)

    def _report(self, domain: Domain, served: Guest) -> None:
        """Say once that a guest is hidden by another of the same name."""
        place = (domain.uri, domain.name)
        if place not in self._reported:
            self._reported.add(place)
            _log.warning(
                "guest %r of %s is not served: %s has one of that name, and both are of platform %s",
                domain.name,
                domain.uri,
                served.hypervisor.uri,
                self._platform.prefix,
            )


class Site(_Memo):
    """The hypervisors that are served, each under its platform.

    Parameters:
        members: the hypervisors with their platforms; several of one platform are all served.  More may come (`add`).
        platforms: every platform whose classes are served, also those without a hypervisor.
        settings: of the providers.
        jobs: where work that takes time is run; jobs in memory only where None.
    """

    def __init__(
        self,
        members: Iterable[tuple[Platform, Hypervisor]],
        platforms: Iterable[Platform],
        settings: ProviderSettings | None = None,
        jobs: Jobs | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or ProviderSettings()
        self.jobs = jobs or Jobs(self.settings.jobs)
        self.requested_states = RequestedStates()
        self.storage = StorageMaps()
        self.platforms = tuple(platforms)
        self._providers: dict[str, ElementProvider] = {}
        members = tuple(members)
        self._rosters = {
            platform.prefix: _Roster(self, platform, [member for owner, member in members if owner is platform])
            for platform in self.platforms
        }

    @property
    def namespace(self) -> str:
        """Where the instances of this site live: a namespace belongs to a node."""
        return self.settings.namespace

    def add(self, platform: Platform, hypervisor: Hypervisor) -> None:
        """Serve a further hypervisor, after those that its platform has."""
        self._rosters[platform.prefix].add(hypervisor)

    def serve(self, providers: Iterable[ElementProvider]) -> None:
        """Have the elements of providers found by what refers to them."""
        self._providers.update((name.lower(), provider) for provider in providers for name in provider.class_names)

    def provider_of(self, class_name: str) -> ElementProvider:
        """The provider of a class, name in any case.

        Raises:
            CIMError: INVALID_CLASS for a class that is not served.
        """
        provider = self._providers.get(class_name.lower())
        if provider is None:
            raise CIMError(Status.INVALID_CLASS, f"{class_name} is not served here")
        return provider

    def hypervisors(self, platform: Platform) -> Sequence[Hypervisor]:
        """The hypervisors of a platform, in the order in which they came."""
        return self._rosters[platform.prefix].hypervisors

    def guests(self, platform: Platform) -> Iterable[Guest]:
        """The guests of a platform, over all its hypervisors, in a stable order."""
        return self._rosters[platform.prefix].guests.values()

    def gathered(self, platform: Platform, key: Hashable, make: Callable[[Guest], Iterable[Made]]) -> Sequence[Made]:
        """What `make` gives for each guest of a platform, one after the other, kept until a guest changes.

        A guest for which it fails is left out with a log line.

        Parameters:
            platform: whose guests.
            key: stands for `make`, which is called only when nothing is kept under it.
        """
        snapshot = self._rosters[platform.prefix].snapshot
        kept = snapshot.gathered.get(key)
        if kept is None:
            kept = snapshot.gathered[key] = tuple(_each(snapshot.guests.values(), make))
        return kept

    def guest(self, platform: Platform, name: str) -> Guest | None:
        """The guest of a platform with this name (case matters, as it does to libvirt)."""
        return self._rosters[platform.prefix].guests.get(name)

    def guest_of(self, platform: Platform, domain: Domain) -> Guest:
        """The guest of a platform that a record describes, be it the present record or an older one."""
        known = self.guest(platform, domain.name)
        if known is not None and known.domain is domain:
            return known
        hypervisor = self.hypervisor_of(platform, domain)
        if known is None:
            return Guest(self, platform, hypervisor, domain)
        return Guest(self, platform, hypervisor, domain, known.namesakes, known.defined_word)

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
        guests = self._rosters[platform.prefix].guests
        for end in _slashes(identifier):
            guest = guests.get(identifier[:end])
            if guest is not None:
                yield guest, identifier[end + 1 :]


def _each(guests: Iterable[Guest], make: Callable[[Guest], Iterable[Made]]) -> Iterator[Made]:
    for guest in guests:
        try:
            made = tuple(make(guest))
        except Exception:  # whatever is wrong with one guest must not take the others with it
            _log.exception("%r is left out", guest)
        else:
            yield from made


def _slashes(text: str) -> Iterable[int]:
    """The positions of the slashes in a text."""
    return (position for position, character in enumerate(text) if character == "/")
