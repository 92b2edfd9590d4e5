"""The provider: finding profiles, and GetCentralInstances."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, cast

from virtcim.providers.base import ElementProvider
from virtcim.providers.interface import MethodResult, RequestContext
from virtcim.providers.Virt_RegisteredProfile.profile import RegisteredProfile, profiles_of

__all__ = ["RegisteredProfileProvider"]


class RegisteredProfileProvider(ElementProvider):
    """Serves <prefix>_RegisteredProfile."""

    types: ClassVar = (RegisteredProfile,)

    def methods(self) -> Collection[str]:
        return ("GetCentralInstances",)

    def invoke_method(
        self,
        class_name: str,
        keys: Mapping[str, Any] | None,
        method: str,
        parameters: Mapping[str, Any],
        context: RequestContext,
    ) -> MethodResult:
        if method != "GetCentralInstances":
            return super().invoke_method(class_name, keys, method, parameters, context)
        profile = cast(RegisteredProfile, self.get_instance(class_name, keys or {}, context))
        central = profiles_of(self.site).central(profile)
        namespace = self.site.settings.namespace
        return MethodResult(0, {"CentralInstances": [instance.path(namespace) for instance in central]})
