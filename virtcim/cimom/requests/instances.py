"""Operations on instances, their properties among them (DSP0200 1.4, section 5.3.2)."""

from __future__ import annotations

from typing import ClassVar

from virtcim.cimom.requests.projections import ALL, Projection
from virtcim.cimom.requests.request import Request, Target
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMValue, EmbeddedInstance, InstancePath, Parameters

__all__ = [
    "CreateInstance",
    "DeleteInstance",
    "EnumerateInstanceNames",
    "EnumerateInstances",
    "ExecQuery",
    "GetInstance",
    "GetProperty",
    "ModifyInstance",
    "SetProperty",
]


@immutable(kw_only=True)
class GetInstance(Request):
    """GetInstance (DSP0200 1.4, section 5.3.2.2)."""

    operation: ClassVar[str] = "GetInstance"
    single: ClassVar[bool] = True
    path: InstancePath
    projection: Projection = ALL


@immutable(kw_only=True)
class EnumerateInstances(Request):
    """EnumerateInstances (5.3.2.3).

    Attributes:
        deep: whether instances of subclasses show the properties of these (DeepInheritance).
        creation_classes: only instances of these creation classes, spelt as the class store has them, for a client
            that asks for them one by one; None for all.
    """

    operation: ClassVar[str] = "EnumerateInstances"
    class_name: str
    deep: bool = True
    projection: Projection = ALL
    creation_classes: frozenset[str] | None = None


@immutable(kw_only=True)
class EnumerateInstanceNames(Request):
    """EnumerateInstanceNames (5.3.2.4); `creation_classes` as of `EnumerateInstances`."""

    operation: ClassVar[str] = "EnumerateInstanceNames"
    class_name: str
    creation_classes: frozenset[str] | None = None


@immutable(kw_only=True)
class CreateInstance(Request):
    """CreateInstance (5.3.2.6)."""

    operation: ClassVar[str] = "CreateInstance"
    changes: ClassVar[bool] = True
    instance: EmbeddedInstance

    def class_names(self) -> tuple[str, ...]:
        return (self.instance.class_name,)

    def applied_to(self) -> Target:
        return self.instance.class_name

    def parameters(self) -> Parameters:
        return {"NewInstance": self.instance}


@immutable(kw_only=True)
class ModifyInstance(Request):
    """ModifyInstance (5.3.2.8).

    Attributes:
        instance: holds the properties to set; its keys, where given, are those of `path`.
        properties: lower-case names of the PropertyList; None for those that the instance holds.
    """

    operation: ClassVar[str] = "ModifyInstance"
    changes: ClassVar[bool] = True
    path: InstancePath
    instance: EmbeddedInstance
    properties: frozenset[str] | None = None

    def class_names(self) -> tuple[str, ...]:
        return (self.path.class_name,)

    def applied_to(self) -> Target:
        return self.path

    def parameters(self) -> Parameters:
        listed = {} if self.properties is None else {"PropertyList": sorted(self.properties)}
        return {"ModifiedInstance": self.instance, **listed}


@immutable(kw_only=True)
class DeleteInstance(Request):
    """DeleteInstance (5.3.2.5)."""

    operation: ClassVar[str] = "DeleteInstance"
    changes: ClassVar[bool] = True
    path: InstancePath

    def class_names(self) -> tuple[str, ...]:
        return (self.path.class_name,)

    def applied_to(self) -> Target:
        return self.path


@immutable(kw_only=True)
class GetProperty(Request):
    """GetProperty (5.3.2.18, deprecated)."""

    operation: ClassVar[str] = "GetProperty"
    single: ClassVar[bool] = True
    path: InstancePath
    property_name: str


@immutable(kw_only=True)
class SetProperty(Request):
    """SetProperty (5.3.2.19, deprecated)."""

    operation: ClassVar[str] = "SetProperty"
    changes: ClassVar[bool] = True
    path: InstancePath
    property_name: str
    value: CIMValue = None

    def class_names(self) -> tuple[str, ...]:
        return (self.path.class_name,)

    def applied_to(self) -> Target:
        return self.path

    def parameters(self) -> Parameters:
        return {self.property_name: self.value}


@immutable(kw_only=True)
class ExecQuery(Request):
    """ExecQuery (5.3.2.13, deprecated); `creation_classes` as of `EnumerateInstances`."""

    operation: ClassVar[str] = "ExecQuery"
    language: str
    query: str
    creation_classes: frozenset[str] | None = None
