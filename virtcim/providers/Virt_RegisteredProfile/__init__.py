"""The profiles that are followed, as <prefix>_RegisteredProfile (CIM_RegisteredProfile; DSP1033)."""

from __future__ import annotations

from virtcim.providers.Virt_RegisteredProfile.declared import PROFILES
from virtcim.providers.Virt_RegisteredProfile.provider import RegisteredProfileProvider
from virtcim.providers.Virt_RegisteredProfile.Virt_RegisteredProfile import (
    INTEROP,
    Profiles,
    RegisteredProfile,
    profiles_of,
)

__all__ = [
    "INTEROP",
    "PROFILES",
    "Profiles",
    "RegisteredProfile",
    "RegisteredProfileProvider",
    "profiles_of",
]
