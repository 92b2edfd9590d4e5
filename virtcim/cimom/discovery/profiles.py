"""The profiles that the server itself follows, and what of it follows them (DSP1033)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from virtcim.cimom.discovery.objects import FixedAssociation, FixedInstance, FixedProvider
from virtcim.immutable import immutable
from virtcim.providers.interface import (
    Association,
    CIMError,
    End,
    Instance,
    InstanceProvider,
    Keys,
    MethodResult,
    Parameters,
    RequestContext,
    Status,
)
from virtcim.schema.profiles import DeclaredProfile, numbered_id, profile_properties

__all__ = ["PROFILE_CLASS", "Conformance", "ProfileProvider", "ServerProfile", "followed_profiles", "references"]

PROFILE_CLASS = "CIM_RegisteredProfile"


def _declared(number: int, name: str, version: str, central: str, referencing: str | None = None) -> DeclaredProfile:
    return DeclaredProfile(numbered_id(number, name, version), name, version, (central,), referencing=referencing)


_WBEM_SERVER = _declared(1092, "WBEM Server", "1.0.0", "CIM_WBEMServer")

PROFILES = (
    _WBEM_SERVER,
    _declared(1033, "Profile Registration", "1.1.0", PROFILE_CLASS, _WBEM_SERVER.instance_id),
    _declared(1054, "Indications", "1.2.2", "CIM_IndicationService", _WBEM_SERVER.instance_id),
)


@immutable
class ServerProfile:
    """A profile that is followed: its declaration, its instance, and the creation classes of its central instances."""

    declared: DeclaredProfile
    instance: FixedInstance
    central: frozenset[str]


def followed_profiles(namespace: str, prefix: str, served: Mapping[str, frozenset[str]]) -> list[ServerProfile]:
    """The profiles that are followed.

    Parameters:
        namespace: where they live.
        prefix: of their InstanceIDs.
        served: central class to those of it and its descendants that are served.
    """
    followed = []
    for declared in PROFILES:
        central = frozenset[str]().union(*(served[class_name] for class_name in declared.central))
        if not central:
            continue
        keys = {"InstanceID": declared.instance_id.format(prefix=prefix)}
        instance = FixedInstance(namespace, PROFILE_CLASS, keys, profile_properties(declared, "the server"))
        followed.append(ServerProfile(declared, instance, central))
    return followed


def references(profiles: Sequence[ServerProfile]) -> FixedAssociation:
    """CIM_ReferencedProfile between the profiles: Antecedent is referred to by Dependent."""
    by_id = {each.declared.instance_id: each.instance for each in profiles}
    pairs = [
        (each.instance, by_id[each.declared.referencing]) for each in profiles if each.declared.referencing in by_id
    ]
    return FixedAssociation("CIM_ReferencedProfile", ("Antecedent", "Dependent"), pairs)


class Conformance(Association):
    """CIM_ElementConformsToProfile between the server's profiles and their central instances.

    Parameters:
        profiles: that are followed.
        providers: of the central instances, by creation class.
    """

    class_names = ("CIM_ElementConformsToProfile",)

    def __init__(self, profiles: Sequence[ServerProfile], providers: Mapping[str, InstanceProvider]) -> None:
        self._profiles = {each.instance.identity: each for each in profiles}
        self._providers = providers
        self.left = End("ConformantStandard", frozenset({PROFILE_CLASS}))
        self.right = End("ManagedElement", frozenset().union(*(each.central for each in profiles)))

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        profile = self._profiles.get(left.identity)
        for class_name in sorted(profile.central) if profile else ():
            yield from self._providers[class_name].instances(class_name, context)

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        return [each.instance for each in self._profiles.values() if right.class_name in each.central]

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return [each.instance for each in self._profiles.values()]

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]


class ProfileProvider(FixedProvider):
    """Serves the server's own profiles.

    Parameters:
        profiles: that are followed.
        conformance: leads to their central instances.
    """

    def __init__(self, profiles: Iterable[ServerProfile], conformance: Conformance) -> None:
        super().__init__(each.instance for each in profiles)
        self._conformance = conformance

    def invoke_method(
        self,
        class_name: str,
        keys: Keys | None,
        method: str,
        parameters: Parameters,
        context: RequestContext,
    ) -> MethodResult:
        if method != "GetCentralInstances":
            return super().invoke_method(class_name, keys, method, parameters, context)
        if keys is None:
            raise CIMError(Status.INVALID_PARAMETER, f"{class_name} was named alone; expected an instance of it")
        profile = self.get_instance(class_name, keys, context)
        central = self._conformance.to_right(profile, context)
        return MethodResult(0, {"CentralInstances": [each.path() for each in central]})
