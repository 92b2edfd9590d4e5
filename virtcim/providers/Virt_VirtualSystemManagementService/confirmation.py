"""Whether libvirt kept what a client asked for: a 0 is true."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import Controller, Device, Disk, DomainConfig, Interface, Mapped
from virtcim.libhelper.documents.domain.agreement import differing_fields
from virtcim.libhelper.domains.change import NotKeptError

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import DomainDocument
    from virtcim.providers.drafts import Draft

__all__ = ["Confirmation"]

_NOTHING: tuple[object, ...] = ("", 0, [], False)


@immutable
class _Request:
    """What was written of a device, or of the domain as a whole (`device` is None)."""

    identifier: str
    device: Device | None
    before: Mapped
    properties: Mapping[str, str]
    is_new: bool


@dataclass
class Confirmation:
    """Takes down what is asked of a definition or of a running guest, and holds what becomes of it against that.

    Parameters:
        document: that is edited.
    """

    document: DomainDocument
    _requests: list[_Request] = field(default_factory=list)
    _removed: list[tuple[str, Device]] = field(default_factory=list)

    def add(self, identifier: str, draft: Draft, device: Device | None, names: Collection[str] | None = None) -> None:
        """Take down a draft that was written.

        What a property merely takes away for another value's sake is not asked for.

        Parameters:
            identifier: of the resource; "" for the guest as a whole.
            device: as it is in the document; None for the domain.
            names: the fields that are asked for; None for all that were written.
        """
        requested = {
            name: declared
            for name, declared in draft.properties.items()
            if (names is None or name in names)
            and (draft.fields.get(name) not in (None, [], (), "") or draft.given.get(declared) in _NOTHING)
        }
        self._requests.append(_Request(identifier, device, draft.base, requested, draft.is_new))

    def add_removed(self, identifier: str, device: Device) -> None:
        """Take down a device that was removed."""
        self._removed.append((identifier, device))

    def check(self, actual: DomainConfig) -> None:
        """Hold what libvirt made against what was asked for.

        Parameters:
            actual: the definition, or the running guest, as libvirt has it.

        Raises:
            NotKeptError: they differ; names the resource and the property.
        """
        edited = self.document.config
        for identifier, device in self._removed:
            if _is_back(device, edited, actual):
                raise NotKeptError(f"{identifier}: libvirt puts it back, as the guest or another device needs it")
        for requested in self._requests:
            if requested.device is None:
                _compare(requested, edited, [actual])
                continue
            now = self.document.current(requested.device)
            _compare(requested, now, _counterparts(now, edited, actual, requested.is_new))


def _compare(requested: _Request, now: Mapped, candidates: Sequence[Mapped]) -> None:
    if not candidates:
        raise NotKeptError(f"{requested.identifier}: libvirt does not keep it")
    differing = min(
        (differing_fields(requested.properties, requested.before, now, candidate) for candidate in candidates), key=len
    )
    if differing:
        names = ", ".join(dict.fromkeys(requested.properties[name] for name in differing))
        prefix = f"{requested.identifier}: " if requested.identifier else ""
        raise NotKeptError(f"{prefix}{names}: libvirt does not keep the value")


def _identity(device: Device) -> object:
    """What tells a device from others of its element, wherever it stands; None where nothing does."""
    match device:
        case Disk():
            return device.target_dev
        case Interface():
            return (device.mac_address or "").lower() or None
        case Controller():
            return None if device.index is None else (device.type, device.index)
        case _:
            return None


def _same_element(device: Device, config: DomainConfig) -> list[Device]:
    return [each for each in config.devices if each.tag == device.tag]


def _counterparts(device: Device, edited: DomainConfig, actual: DomainConfig, is_new: bool) -> list[Device]:
    """The devices that this one can have become.

    One that was there before is found at its place: it is not the same any more where libvirt puts another one there,
    as it does in front of a first console that is to be no serial port.
    """
    identity = _identity(device)
    before, after = _same_element(device, edited), _same_element(device, actual)
    if identity is not None:
        return [each for each in after if _identity(each) == identity]
    if len(before) == len(after) or (len(before) < len(after) and not is_new):
        place = next(place for place, each in enumerate(before) if each is device)
        return [after[place]]
    return after


def _is_back(device: Device, edited: DomainConfig, actual: DomainConfig) -> bool:
    identity = _identity(device)
    if identity is not None:
        return identity in map(_identity, _same_element(device, actual))
    return len(_same_element(device, actual)) > len(_same_element(device, edited))
