"""Registered profiles as values (DSP1033 1.1; schema class CIM_RegisteredProfile)."""

from __future__ import annotations

from virtcim.immutable import immutable

__all__ = ["DeclaredProfile", "numbered_id", "profile_properties"]

DMTF = 2
"""RegisteredOrganization."""

PROFILE = 2
"""SpecificationType."""

NOT_ADVERTISED = 2
"""AdvertiseTypes: there is no SLP here."""


@immutable
class DeclaredProfile:
    """A profile that is registered when one of its central classes is served.

    Attributes:
        instance_id: InstanceID; `{prefix}` in it stands for the prefix of who follows the profile.
        name, version: RegisteredName and RegisteredVersion.
        central: the central classes, those of platforms without their prefix.
        scoping: the scoping classes, where ElementConformsToProfile leads to their instances as well.
        referencing: the instance_id of the profile that refers to this one.
    """

    instance_id: str
    name: str
    version: str
    central: tuple[str, ...]
    scoping: tuple[str, ...] = ()
    referencing: str | None = None


def numbered_id(number: int, name: str, version: str) -> str:
    """Give the `instance_id` of a profile that the DMTF has published.

    Parameters:
        number: of the DMTF's document.
        name, version: as registered.
    """
    return f"{{prefix}}:DSP{number}-{name.replace(' ', '')}-{version}"


def profile_properties(profile: DeclaredProfile, follower: str) -> dict[str, str | int | tuple[int, ...]]:
    """Give the properties of a registered profile beside its key.

    Parameters:
        profile: the profile.
        follower: who follows it, for people.
    """
    return {
        "RegisteredName": profile.name,
        "RegisteredVersion": profile.version,
        "RegisteredOrganization": DMTF,
        "SpecificationType": PROFILE,
        "AdvertiseTypes": (NOT_ADVERTISED,),
        "ElementName": f"{profile.name} {profile.version}",
        "Description": f"The {profile.name} profile, as {follower} follows it",
    }
