"""The guests of a site, by platform and name, kept until an inventory changes.

Layer rule: imports `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar, cast

from virtcim.providers.guest import DEFINED_WORD, SNAPSHOT_WORD, Guest

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.inventory.records import Domain
    from virtcim.platforms.base import Platform
    from virtcim.providers.site import Site

__all__ = ["all_guests", "guest_as", "guest_named", "made_by_type", "made_of_guests", "split_identifier"]

_log = logging.getLogger(__name__)

Item = TypeVar("Item")
Made = TypeVar("Made")

_FIRST = itemgetter(0)


class GuestSnapshot:
    """The guests of one platform as they were at some revisions of the inventories, and what was made of them.

    Attributes:
        hypervisors: of the platform, then.
        has_slashes: whether the name of one holds a slash, so that others may have a say in its identifiers.
    """

    __slots__ = ("collected", "guests", "has_slashes", "hypervisors", "revisions")

    def __init__(
        self, hypervisors: Sequence[Hypervisor], revisions: tuple[int, ...], guests: dict[str, Guest], has_slashes: bool
    ) -> None:
        self.hypervisors = hypervisors
        self.revisions = revisions
        self.guests = guests
        self.has_slashes = has_slashes
        self.collected: dict[Hashable, object] = {}


class GuestList:
    """The guests of one platform by name, kept until an inventory changes."""

    def __init__(self, site: Site, platform: Platform) -> None:
        self._site = site
        self._platform = platform
        self._lock = threading.Lock()
        self._snapshot = GuestSnapshot((), (), {}, has_slashes=False)
        self._reported: set[tuple[str, str]] = set()

    @property
    def snapshot(self) -> GuestSnapshot:
        hypervisors = self._site.hypervisors(self._platform)
        revisions = tuple(hypervisor.inventory.revision for hypervisor in hypervisors)
        if revisions == self._snapshot.revisions:
            return self._snapshot
        with self._lock:
            known = self._snapshot
            followed = self._followed(hypervisors, known)
            if followed is None:
                guests = self._updated(hypervisors, known.guests)
                gone = [guest for name, guest in known.guests.items() if guests.get(name) is not guest]
                has_slashes = any("/" in name for name in guests)
            else:
                (guests, gone), has_slashes = followed, False
            self._snapshot = GuestSnapshot(hypervisors, revisions, guests, has_slashes)
            for guest in gone:
                guest.forget()
            return self._snapshot

    @property
    def guests(self) -> Mapping[str, Guest]:
        return self.snapshot.guests

    def _followed(
        self, hypervisors: Sequence[Hypervisor], known: GuestSnapshot
    ) -> tuple[dict[str, Guest], list[Guest]] | None:
        """The guests, and those that are none of them any more, where no name has a say in what belongs to another one
        and it is known which have changed; None otherwise.  Only these are looked at."""
        if len(hypervisors) != 1 or known.hypervisors != hypervisors or known.has_slashes:
            return None
        (hypervisor,), (revision,) = hypervisors, known.revisions
        names = hypervisor.inventory.domains_changed_since(revision)
        if names is None or any("/" in name for name in names):
            return None
        guests, gone, is_longer = known.guests.copy(), [], False
        for name in names:
            domain, before = hypervisor.inventory.domain(name), guests.get(name)
            if before is not None and before.domain is not domain:
                gone.append(before)
            if domain is None:
                guests.pop(name, None)
            elif before is None or before.domain is not domain:
                guests[name] = Guest(self._site, self._platform, hypervisor, domain)
                is_longer = is_longer or before is None
        if is_longer:
            guests = dict(sorted(guests.items(), key=_FIRST))
        return guests, gone

    def _updated(self, hypervisors: Sequence[Hypervisor], known: Mapping[str, Guest]) -> dict[str, Guest]:
        guests: dict[str, Guest] = {}
        for hypervisor in hypervisors:
            for domain in hypervisor.inventory.domains():
                name = domain.name
                other = guests.get(name)
                if other is not None and other.hypervisor is not hypervisor:
                    self._report(domain, other)
                    continue
                if other is not None and domain.revision < other.domain.revision:
                    # It is gone, as another one has its name there, and libvirt's event has still to be followed.
                    continue
                guest = known.get(name)
                if guest is None or guest.domain is not domain or not _is_alone(guest):
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
        """Keep the identifiers of a guest's other configurations apart from the names of other guests."""
        guest = guests[name]
        defined = _free_word(DEFINED_WORD, lambda word: f"{name}/{word}" in guests)
        snapshot = _free_word(
            SNAPSHOT_WORD,
            lambda word: any(each.startswith(f"{name}/{word}/") or each == f"{name}/{word}" for each in guests),
        )
        if (defined, snapshot) != (guest.defined_word, guest.snapshot_word):
            guests[name] = Guest(
                self._site,
                self._platform,
                guest.hypervisor,
                guest.domain,
                guest.namesakes,
                defined,
                snapshot_word=snapshot,
            )

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


def _is_alone(guest: Guest) -> bool:
    """Whether no other guest has a say in how a guest's identifiers are made."""
    return not guest.namesakes and (guest.defined_word, guest.snapshot_word) == (DEFINED_WORD, SNAPSHOT_WORD)


def _free_word(word: str, is_taken: Callable[[str], bool]) -> str:
    """A word, with a number behind it where it is taken."""
    found, number = word, 1
    while is_taken(found):
        number += 1
        found = f"{word}#{number}"
    return found


def all_guests(site: Site, platform: Platform) -> Iterable[Guest]:
    """The guests of a platform, over all its hypervisors, in a stable order."""
    return _list_of(site, platform).guests.values()


def guest_named(site: Site, platform: Platform, name: str) -> Guest | None:
    """The guest of a platform with this name (case matters, as it does to libvirt)."""
    return _list_of(site, platform).guests.get(name)


def made_of_guests(
    site: Site, platform: Platform, key: Hashable, make: Callable[[Guest], Iterable[Item]]
) -> Sequence[Item]:
    """What `make` gives for each guest of a platform, one after the other, kept until a guest changes.

    A guest for which it fails is left out with a log line.

    Parameters:
        platform: whose guests.
        key: stands for `make`, which is called only when nothing is kept under it.
    """
    return _collected(site, platform, key, lambda guests: tuple(_each(guests, make)))


def made_by_type(
    site: Site, platform: Platform, key: Hashable, make: Callable[[Guest], Iterable[Item]]
) -> Mapping[type[Item], Sequence[Item]]:
    """What `made_of_guests` would give, by its types: they are told apart once for all of them."""

    def gather(guests: Iterable[Guest]) -> dict[type[Item], list[Item]]:
        found: dict[type[Item], list[Item]] = {}
        for item in _each(guests, make):
            found.setdefault(type(item), []).append(item)
        return found

    return _collected(site, platform, key, gather)


def _collected(site: Site, platform: Platform, key: Hashable, gather: Callable[[Iterable[Guest]], Made]) -> Made:
    """What `gather` makes of the guests of a platform, kept until one of them changes."""
    snapshot = _list_of(site, platform).snapshot
    cached = snapshot.collected.get(key)
    if cached is None:
        cached = snapshot.collected[key] = gather(snapshot.guests.values())
    return cast("Made", cached)


def guest_as(site: Site, platform: Platform, domain: Domain) -> Guest:
    """The guest of a platform as a record describes it, be it the present record or an older one."""
    known = guest_named(site, platform, domain.name)
    hypervisor = site.hypervisor_of(platform, domain)
    if known is None:
        return Guest(site, platform, hypervisor, domain, as_recorded=True)
    words = known.defined_word, True, known.snapshot_word
    return Guest(site, platform, hypervisor, domain, known.namesakes, *words)


def split_identifier(site: Site, platform: Platform, identifier: str) -> Iterable[tuple[Guest, str]]:
    """The readings of `<guest>/<rest>` for which the guest exists.

    There can be several, as a name may hold slashes.
    """
    guests = _list_of(site, platform).guests
    for end in _slashes(identifier):
        guest = guests.get(identifier[:end])
        if guest is not None:
            yield guest, identifier[end + 1 :]


def _list_of(site: Site, platform: Platform) -> GuestList:
    """The guests of a platform, as the site keeps them."""
    return site.memo((GuestList, platform.prefix), lambda _: GuestList(site, platform))


def _each(guests: Iterable[Guest], make: Callable[[Guest], Iterable[Item]]) -> Iterator[Item]:
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
