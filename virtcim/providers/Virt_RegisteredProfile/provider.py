"""The provider: finding profiles, and GetCentralInstances."""

from __future__ import annotations

from virtcim.providers.base import ElementProvider
from virtcim.providers.interface import MethodResult, RequestContext, Role
from virtcim.providers.methods import Method, Parameters
from virtcim.providers.Virt_RegisteredProfile.Virt_RegisteredProfile import RegisteredProfile, profiles_of

__all__ = ["RegisteredProfileProvider"]


class RegisteredProfileProvider(ElementProvider):
    """Serves <prefix>_RegisteredProfile."""

    name = "Virt_RegisteredProfile"
    types = (RegisteredProfile,)


def _get_central_instances(profile: RegisteredProfile, parameters: Parameters, context: RequestContext) -> MethodResult:
    """CIM_RegisteredProfile.GetCentralInstances."""
    central = profiles_of(profile.site).central(profile)
    return MethodResult(0, {"CentralInstances": [instance.path() for instance in central]})


RegisteredProfile.methods = (Method("GetCentralInstances", _get_central_instances, role=Role.READ),)
