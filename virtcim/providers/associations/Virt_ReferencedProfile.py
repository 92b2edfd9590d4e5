"""<prefix>_ReferencedProfile: a profile (Antecedent) and the one that refers to it (Dependent) (DSP1033)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_RegisteredProfile import RegisteredProfile, profiles_of

__all__ = ["referenced_profile"]


def referenced_profile(site: Site) -> Relation:
    """The association."""
    profiles = profiles_of(site)

    def referencing(profile: RegisteredProfile) -> Iterable[RegisteredProfile]:
        return (
            other
            for other in profiles.registered(profile.platform)
            if other.declared.instance_id == profile.declared.referencing
        )

    def referenced(profile: RegisteredProfile) -> Iterable[RegisteredProfile]:
        return (
            other
            for other in profiles.registered(profile.platform)
            if other.declared.referencing == profile.declared.instance_id
        )

    return Relation(
        site,
        "ReferencedProfile",
        Role("Antecedent", (RegisteredProfile,)),
        Role("Dependent", (RegisteredProfile,)),
        to_right=referencing,
        to_left=referenced,
    )
