"""The resources of a guest, and the one place where their identifiers come from.

A device and its setting data share an identifier; `DeviceID` and `InstanceID` are `<guest>/<identifier>`.  It is
libvirt-cim's where that had one (`vda`, a MAC address, `mem`, `proc`, `vnc`, `sdl:<display>`, `console:<port>`,
`charconsole:<port>`, `mouse:ps2`, `controller:scsi:0`); devices that it did not know are named likewise.  Two
devices that would have the same identifier are told apart by `#2`, `#3`, ... in the order of the domain XML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any, TypeVar, cast

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import Device, DomainConfig
from virtcim.platforms.base import Feature
from virtcim.providers.interface import Properties

__all__ = ["SUFFIX", "DeviceEntry", "DeviceKind", "Identify", "device_entries", "kinds_of"]

T = TypeVar("T")

Identify = Callable[[Any, int], str | None]
"""From a part of the domain XML, and its place among those of the same element from 0, to the identifier of the
resource; None where it is no resource of the kind."""

SUFFIX = "ResourceAllocationSettingData"
"""What the names of the classes of settings end in."""


@immutable(eq=False, kw_only=True)
class DeviceKind:
    """A kind of resource that guests have: all that makes it one, declared once (`kinds.KINDS`).

    Devices, settings, pools, templates, hot plug and the making of new devices read it.

    Attributes:
        name: for messages.
        identifiers: how a resource is named, by the class of its part of the domain XML; `DomainConfig` for what is
            one resource of the whole guest, `Device` for all that no other kind names.
        device: the type of the devices (`Virt_Device`); None for a kind that has settings only.
        setting: the type of the settings (`Virt_RASD`).
        pool: the type of the pools that it is taken from (`Virt_DevicePool`); None where there are none.
        synonyms: other words of clients for the class of the settings: what stands before its suffix.
        is_meant: tells from the values of a setting of the generic class whether a resource of this kind is meant.
        is_shared: tells from the values of a setting whether what it describes is also shown as another kind.
        device_class: gives the class of a new device, of the context of its draft and what a client gave; None for
            what cannot be added to a guest.
        finish: checks the draft of a new device as a whole, and fills in what was left open.
        feature: what a platform must have for its guests to get one.
        template: the type of the settings that show what a pool can give; None for a pool of which nothing is told.
        templates: gives the templates of a pool (`Virt_AllocationCapabilities.templates`).
        plugs: the elements that are plugged into a running guest when a client does not tell it from its definition.
        is_hot: whether it can be added to a running guest, and taken from it, where the platform has hot plug.
        is_hot_in_containers: the same of containers.
    """

    name: str
    identifiers: Mapping[type[object], Identify]
    setting: type[Any]
    device: type[Any] | None = None
    pool: type[Any] | None = None
    synonyms: tuple[str, ...] = ()
    is_meant: Callable[[Properties], bool] = field(default=lambda _given: False)
    is_shared: Callable[[Properties], bool] = field(default=lambda _given: False)
    device_class: Callable[[Any, Properties], type[Device]] | None = None
    finish: Callable[[Any], None] = field(default=lambda _draft: None)
    feature: Feature | None = None
    template: type[Any] | None = None
    templates: Callable[[Any], Iterable[Any]] = field(default=lambda _pool: ())
    plugs: frozenset[str] = frozenset()
    is_hot: bool = False
    is_hot_in_containers: bool = False

    @property
    def is_guest_wide(self) -> bool:
        """Whether it is a property of the guest rather than a device of its own."""
        return DomainConfig in self.identifiers

    @property
    def word(self) -> str:
        """The part of the class name of its settings that tells them from others; empty for the generic class."""
        base: str = self.setting.base
        return base.removesuffix(SUFFIX)

    @property
    def resource_type(self) -> int | None:
        """ResourceType of what is taken from the pools of the kind; None where there are none."""
        return None if self.pool is None else int(self.pool.resource_type)

    def __repr__(self) -> str:
        return f"<kind {self.name}>"


@immutable
class DeviceEntry:
    """One resource of a guest.

    Attributes:
        kind: what it is.
        identifier: unique in the guest.
        device: its part of the domain XML; the whole for the memory and the processors.
        ordinal: its place among the devices of the same XML element, from 0.
        kept: what is made of it alone is kept here, where many guests have it alike; None for one guest's own.
    """

    kind: DeviceKind
    identifier: str
    device: Any
    ordinal: int
    kept: dict[object, object] | None = field(default=None, compare=False)

    def memo(self, make: Callable[[DeviceEntry], T]) -> T:
        """What `make` makes of it alone; made once where many guests have it alike."""
        if self.kept is None:
            return make(self)
        try:
            return cast(T, self.kept[make])
        except KeyError:
            return cast(T, self.kept.setdefault(make, make(self)))


def device_entries(
    config: DomainConfig, kinds: Sequence[DeviceKind], is_taken: Callable[[str], bool]
) -> dict[str, DeviceEntry]:
    """The resources of a configuration by identifier, in the order of the kinds.

    Parameters:
        config: the domain XML.
        kinds: all that there are.
        is_taken: tells whether an identifier is in use already, outside of this guest.
    """
    entries: dict[str, DeviceEntry] = {}
    for kind, wanted, device, ordinal in _candidates(config, kinds):
        identifier = wanted
        number = 1
        while identifier in entries or is_taken(identifier):
            number += 1
            identifier = f"{wanted}#{number}"
        entries[identifier] = _entry(kind, identifier, device, ordinal)
    order = {kind: place for place, kind in enumerate(kinds)}
    return dict(sorted(entries.items(), key=lambda item: order[item[1].kind]))


def _entry(kind: DeviceKind, identifier: str, device: object, ordinal: int) -> DeviceEntry:
    """Make the entry of a resource; one object for all guests that have it alike."""
    kept = device.kept if isinstance(device, Device) else None
    if kept is None:
        return DeviceEntry(kind, identifier, device, ordinal)
    key = kind, identifier, ordinal
    known = kept.get(key)
    if known is None:
        known = kept.setdefault(key, DeviceEntry(kind, identifier, device, ordinal, {}))
    return cast(DeviceEntry, known)


_Candidate = tuple[DeviceKind, str, object, int]
_Rules = Mapping[type[object], Sequence[tuple[DeviceKind, Identify]]]


def _candidates(config: DomainConfig, kinds: Sequence[DeviceKind]) -> Iterator[_Candidate]:
    rules = _rules(tuple(kinds))
    yield from _named(rules, config, 0)
    ordinals: dict[str, int] = {}
    for device in config.devices:
        ordinal = ordinals.get(device.tag, 0)
        ordinals[device.tag] = ordinal + 1
        yield from _named(rules, device, ordinal)


@lru_cache(maxsize=16)
def _rules(kinds: tuple[DeviceKind, ...]) -> _Rules:
    """How resources are named, by the class of their part of the domain XML."""
    rules: dict[type[object], list[tuple[DeviceKind, Identify]]] = {}
    for kind in kinds:
        for part, identify in kind.identifiers.items():
            rules.setdefault(part, []).append((kind, identify))
    return rules


def _named(rules: _Rules, device: object, ordinal: int) -> Iterator[_Candidate]:
    """One device, as the kinds under which it is shown: a pty console is also listed as graphics."""
    for kind, identify in rules.get(type(device)) or rules.get(Device, ()):
        identifier = identify(device, ordinal)
        if identifier is not None:
            yield kind, identifier, device, ordinal


def kinds_of(device: Device, kinds: Sequence[DeviceKind]) -> list[DeviceKind]:
    """The kinds, of all `kinds`, under which a device is shown."""
    return [kind for kind, *_ in _named(_rules(tuple(kinds)), device, 0)]
