"""Which guest, which configuration and which resource a reference or an InstanceID means."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain.difference import is_as_defined
from virtcim.providers.base import no_such_domain
from virtcim.providers.guest import ConfigurationKind
from virtcim.providers.guests import guest_named, split_identifier
from virtcim.providers.interface import CIMError, CIMValue, InstancePath, Keys, Status
from virtcim.providers.references import require_own
from virtcim.schema.names import base_of, is_of_platform
from virtcim.schema.paths import key_of

if TYPE_CHECKING:
    from virtcim.libhelper.domains.change import DomainChange
    from virtcim.platforms.base import Platform
    from virtcim.providers.guest import Guest
    from virtcim.providers.site import Site

__all__ = [
    "Scope",
    "Target",
    "find_configuration",
    "find_resource",
    "find_system",
    "instance_id_of",
    "is_snapshot",
    "no_such_guest",
    "scope_of",
    "text_of",
]


class Scope(enum.Enum):
    """What a change acts on: the running guest, its definition, or both, which are then one configuration."""

    LIVE = enum.auto()
    DEFINED = enum.auto()
    BOTH = enum.auto()


@immutable
class Target:
    """What an InstanceID means.

    Attributes:
        guest: the guest.
        kind: of the configuration: the one in which it is now, or that of its next start.
        identifier: of the resource; "" for the guest as a whole.
    """

    guest: Guest
    kind: ConfigurationKind
    identifier: str = ""


def no_such_guest(name: str) -> CIMError:
    """libvirt-cim's error for a guest that does not exist."""
    return CIMError(Status.NOT_FOUND, f"Referenced domain `{name}' does not exist: {no_such_domain(name)}")


def find_system(site: Site, platform: Platform, path: InstancePath) -> Guest:
    """The guest that a reference to a system means.

    Raises:
        CIMError: NOT_FOUND as libvirt-cim has it; INVALID_PARAMETER for a system that is no guest of the platform.
    """
    require_own(site, path)
    name = _key(path.keys, "Name")
    if not name:
        raise CIMError(Status.NOT_FOUND, "Unable to retrieve domain name: Error 0")
    _check_class(platform, path, "AffectedSystem", "ComputerSystem")
    guest = guest_named(site, platform, name) or guest_named(site, platform, name.strip())
    if guest is None:
        raise no_such_guest(name)
    return guest


def find_configuration(site: Site, platform: Platform, instance_id: str) -> Target | None:
    """The configuration that the InstanceID of a VirtualSystemSettingData means; None for no guest of the platform."""
    return _configuration(site, platform, instance_id) or _configuration(site, platform, instance_id.strip())


def is_snapshot(site: Site, platform: Platform, instance_id: str) -> bool:
    """Whether an InstanceID is that of the settings of a snapshot."""
    prefix, colon, rest = instance_id.strip().partition(":")
    if not colon or prefix.casefold() != platform.prefix.casefold():
        return False
    return any(
        each.instance_id.partition(":")[2] == rest
        for guest, _ in split_identifier(site, platform, rest)
        for each in guest.snapshots
    )


def find_resource(site: Site, platform: Platform, instance_id: str) -> Target | None:
    """The resource that the InstanceID of a ResourceAllocationSettingData means; None where there is none."""
    return _resource(site, platform, instance_id) or _resource(site, platform, instance_id.strip())


def _configuration(site: Site, platform: Platform, instance_id: str) -> Target | None:
    prefix, colon, rest = instance_id.partition(":")
    if not colon or prefix.casefold() != platform.prefix.casefold():
        return None
    guest = guest_named(site, platform, rest)
    if guest is not None:
        return Target(guest, ConfigurationKind.STATE)
    name, _, word = rest.rpartition("/")
    guest = guest_named(site, platform, name)
    if guest is None or word != guest.defined_word or not guest.domain.persistent:
        return None
    return Target(guest, ConfigurationKind.DEFINED)


def _resource(site: Site, platform: Platform, instance_id: str) -> Target | None:
    readings = list(split_identifier(site, platform, instance_id))
    for guest, rest in readings:
        for configuration in guest.configurations:
            if configuration.holds(instance_id):
                start = (
                    len(instance_id) - len(rest)
                    if configuration.is_present
                    else len(f"{guest.name}/{guest.defined_word}/")
                )
                return Target(guest, configuration.kind, instance_id[start:])
    for guest, rest in readings:
        word, _, identifier = rest.partition("/")
        state = guest.state
        if word == guest.defined_word and guest.domain.persistent and state and identifier in state.entries:
            return Target(guest, ConfigurationKind.DEFINED, identifier)
    return None


def scope_of(target: Target, change: DomainChange) -> Scope:
    """What a change of the target acts on, as the guest is at this moment (DSP1042)."""
    if change.live is None:
        return Scope.DEFINED
    if change.defined is None:
        return Scope.LIVE
    if target.kind is ConfigurationKind.DEFINED:
        return Scope.DEFINED
    agree = is_as_defined(change.live.tostring(), change.defined.tostring())
    return Scope.BOTH if agree else Scope.LIVE


def _key(keys: Keys, name: str) -> str | None:
    return text_of(key_of(keys, name))


def text_of(value: CIMValue) -> str | None:
    """Take a value that is text; None for any other, and for NULL."""
    return value if isinstance(value, str) else None


def instance_id_of(site: Site, path: InstancePath) -> str | None:
    """Take the InstanceID out of a reference; None where it has none.

    Raises:
        CIMError: NOT_FOUND for a reference into another namespace than that of the site.
    """
    require_own(site, path)
    return _key(path.keys, "InstanceID")


def _check_class(platform: Platform, path: InstancePath, parameter: str, base: str) -> None:
    """Refuse what is of another platform, whose guests may have the same names."""
    if base_of(path.class_name).lower() != base.lower() or not is_of_platform(path.class_name, platform.prefix):
        raise CIMError(Status.INVALID_PARAMETER, f"{parameter}: {path.class_name} is not of platform {platform.prefix}")
