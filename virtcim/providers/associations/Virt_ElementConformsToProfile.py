"""<prefix>_ElementConformsToProfile: a profile and what follows it (CIM_ElementConformsToProfile; DSP1033).

The profile is in the Interop namespace, the element in the main one; the association can be followed from both.
"""

from __future__ import annotations

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_RegisteredProfile import RegisteredProfile, profiles_of

__all__ = ["element_conforms_to_profile"]


def element_conforms_to_profile(site: Site) -> Relation:
    """The association, for the profiles of the site as they are known by now."""
    profiles = profiles_of(site)
    return Relation(
        site,
        "ElementConformsToProfile",
        Role("ConformantStandard", (RegisteredProfile,)),
        Role("ManagedElement", profiles.conforming_types()),
        to_right=profiles.conforming,
        to_left=profiles.followed_by,
    )
