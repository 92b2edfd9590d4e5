"""Requests as values: what a client wants, whichever way it came in (DSP0200 1.4, sections 5.3 and 5.4; DSP0223).

Each operation is one class, named as the standard names it.  Front ends make them; `cimom.core` carries them out.
Paths are `InstancePath`, instances `EmbeddedInstance`, values the Python values of `providers.interface`; names of
classes, properties and roles are in any case, those in sets in lower case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import ClassVar, TypeAlias

from virtcim.cimom.principals import NOBODY, Principal
from virtcim.immutable import immutable
from virtcim.providers.interface import (
    CIMValue,
    EmbeddedInstance,
    InstancePath,
    Parameters,
)

__all__ = [
    "ALL",
    "INTRINSIC_OPERATIONS",
    "REQUESTS",
    "UNKNOWN_CALLER",
    "AssociationFilter",
    "AssociatorClassPaths",
    "AssociatorClasses",
    "AssociatorNames",
    "Associators",
    "Attempt",
    "Caller",
    "ClassProjection",
    "CloseEnumeration",
    "CreateInstance",
    "DeleteInstance",
    "EnumerateClassNames",
    "EnumerateClasses",
    "EnumerateInstanceNames",
    "EnumerateInstances",
    "EnumerateQualifiers",
    "ExecQuery",
    "GetClass",
    "GetInstance",
    "GetProperty",
    "GetQualifier",
    "InvokeMethod",
    "ModifyInstance",
    "OpenAssociatorInstancePaths",
    "OpenAssociatorInstances",
    "OpenEnumerateInstancePaths",
    "OpenEnumerateInstances",
    "OpenQueryInstances",
    "OpenReferenceInstancePaths",
    "OpenReferenceInstances",
    "Opening",
    "Projection",
    "PullInstancePaths",
    "PullInstances",
    "PullInstancesWithPath",
    "ReferenceClassPaths",
    "ReferenceClasses",
    "ReferenceNames",
    "References",
    "Request",
    "SetProperty",
]


@immutable
class Caller:
    """Who asks.

    Attributes:
        principal: the authenticated user.
        origin: where the client is, for the audit log: address and port, or `local` with a process id.
        request_id: which request it is, for providers, jobs, the audit log and log lines.
        listener: where the client came in: address and port of the server, or the path of a Unix socket.
    """

    principal: Principal = NOBODY
    origin: str = ""
    request_id: str = ""
    listener: str = ""


UNKNOWN_CALLER = Caller()
"""Everybody, where there is no authentication."""


@immutable
class Projection:
    """What of an instance is asked for.

    Attributes:
        properties: lower-case names of the PropertyList; None for all.
        limit_class: only the properties of this class (DeepInheritance=false); None for those of the creation class.
        class_origin: whether each property says which class introduced it (IncludeClassOrigin).
    """

    properties: frozenset[str] | None = None
    limit_class: str | None = None
    class_origin: bool = False


ALL = Projection()
"""All properties."""


@immutable
class ClassProjection:
    """What of a class is asked for: the parameters of GetClass (DSP0200 1.4, section 5.3.2.1).

    Attributes:
        local_only: only what the class itself declares.
        qualifiers: whether qualifiers are wanted.
        class_origin: whether each element says which class introduced it.
        properties: lower-case names of the PropertyList; None for all.
    """

    local_only: bool = True
    qualifiers: bool = True
    class_origin: bool = False
    properties: frozenset[str] | None = None


@immutable
class AssociationFilter:
    """The filters of an association operation; None or "" where the client gave none.

    Attributes:
        association_class: AssocClass of Associators, ResultClass of References.
        result_class: ResultClass of Associators.
        role, result_role: names of the reference properties.
        creation_classes: only associations of these creation classes, for a client that asks for them one by one;
            None for all.
    """

    association_class: str | None = None
    result_class: str | None = None
    role: str | None = None
    result_role: str | None = None
    creation_classes: frozenset[str] | None = None


NO_FILTER = AssociationFilter()


@immutable
class Opening:
    """How an enumeration is opened (DSP0200 1.4, section 5.4.2.24.2).

    Attributes:
        language, query: the filter; both or neither.
        timeout: OperationTimeout in seconds; None for the server's.
        continue_on_error: whether the client wants to know what cannot be shown, and to go on after it.
        max_objects: objects in the answer to the opening.
    """

    language: str | None = None
    query: str | None = None
    timeout: int | None = None
    continue_on_error: bool = False
    max_objects: int = 0


Target: TypeAlias = InstancePath | str
"""An instance, or the name of a class."""


@immutable
class Attempt:
    """What is known of a request before its values are read: enough to decide about it, and to write it down.

    Attributes:
        operation: name of the intrinsic operation or extrinsic method, as sent.
        extrinsic: whether it is a method.
        namespace: target namespace, as sent.
        caller: who asks.
        class_names: the classes of all that the request names.
        applied_to: tells what it is applied to, for the audit log; "" for nothing.
        parameters: gives the parameters for the audit log, as `cimom.audit.plain` takes them.
    """

    operation: str
    extrinsic: bool
    namespace: str
    caller: Caller = UNKNOWN_CALLER
    class_names: tuple[str, ...] = ()
    applied_to: Callable[[], Target] = str
    parameters: Callable[[], Parameters] = dict


@immutable(kw_only=True)
class Request:
    """A request: one operation in one namespace.

    Attributes:
        namespace: target namespace; any case, outer slashes tolerated.
        caller: who asks.
    """

    operation: ClassVar[str] = ""
    """Name in DSP0200, for roles, the audit log and statistics."""

    changes: ClassVar[bool] = False
    """Whether it changes something, and may wait for the hypervisor."""

    quick: ClassVar[bool] = False
    """Whether it asks no provider, so that it needs no worker thread."""

    single: ClassVar[bool] = False
    """Whether it reads one instance, and so does not wait behind what reads all of a class."""

    namespace: str
    caller: Caller = UNKNOWN_CALLER

    def attempt(self) -> Attempt:
        """What roles and the audit log go by."""
        return Attempt(
            self.operation,
            False,
            self.namespace,
            self.caller,
            self.class_names(),
            self.applied_to,
            self.parameters,
        )

    def class_names(self) -> tuple[str, ...]:
        """Name the classes of what is changed: the role that is needed is the highest that one of them needs."""
        return ()

    def applied_to(self) -> Target:
        """Name what is changed."""
        return ""

    def parameters(self) -> Parameters:
        """Give the parameters of a change, for the audit log."""
        return {}


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


@immutable(kw_only=True)
class Associators(Request):
    """Associators of an instance (5.3.2.14)."""

    operation: ClassVar[str] = "Associators"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    projection: Projection = ALL


@immutable(kw_only=True)
class AssociatorNames(Request):
    """AssociatorNames of an instance (5.3.2.15)."""

    operation: ClassVar[str] = "AssociatorNames"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER


@immutable(kw_only=True)
class References(Request):
    """References of an instance (5.3.2.16)."""

    operation: ClassVar[str] = "References"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    projection: Projection = ALL


@immutable(kw_only=True)
class ReferenceNames(Request):
    """ReferenceNames of an instance (5.3.2.17)."""

    operation: ClassVar[str] = "ReferenceNames"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER


@immutable(kw_only=True)
class AssociatorClasses(Request):
    """Associators of a class (5.3.2.14): what the schema itself allows."""

    operation: ClassVar[str] = "Associators"
    class_name: str
    filter: AssociationFilter = NO_FILTER
    projection: ClassProjection = ClassProjection(local_only=False)


@immutable(kw_only=True)
class AssociatorClassPaths(Request):
    """AssociatorNames of a class (5.3.2.15)."""

    operation: ClassVar[str] = "AssociatorNames"
    class_name: str
    filter: AssociationFilter = NO_FILTER


@immutable(kw_only=True)
class ReferenceClasses(Request):
    """References of a class (5.3.2.16)."""

    operation: ClassVar[str] = "References"
    class_name: str
    filter: AssociationFilter = NO_FILTER
    projection: ClassProjection = ClassProjection(local_only=False)


@immutable(kw_only=True)
class ReferenceClassPaths(Request):
    """ReferenceNames of a class (5.3.2.17)."""

    operation: ClassVar[str] = "ReferenceNames"
    class_name: str
    filter: AssociationFilter = NO_FILTER


@immutable(kw_only=True)
class GetClass(Request):
    """GetClass (5.3.2.1)."""

    operation: ClassVar[str] = "GetClass"
    quick: ClassVar[bool] = True
    class_name: str
    projection: ClassProjection = ClassProjection()


@immutable(kw_only=True)
class EnumerateClasses(Request):
    """EnumerateClasses (5.3.2.10).

    Attributes:
        class_name: whose subclasses are meant; None for all classes.
        deep: whether subclasses of subclasses are meant too (DeepInheritance).
    """

    operation: ClassVar[str] = "EnumerateClasses"
    class_name: str | None = None
    deep: bool = False
    projection: ClassProjection = ClassProjection()


@immutable(kw_only=True)
class EnumerateClassNames(Request):
    """EnumerateClassNames (5.3.2.11); attributes as of `EnumerateClasses`."""

    operation: ClassVar[str] = "EnumerateClassNames"
    quick: ClassVar[bool] = True
    class_name: str | None = None
    deep: bool = False


@immutable(kw_only=True)
class EnumerateQualifiers(Request):
    """EnumerateQualifiers (5.3.2.22)."""

    operation: ClassVar[str] = "EnumerateQualifiers"


@immutable(kw_only=True)
class GetQualifier(Request):
    """GetQualifier (5.3.2.20)."""

    operation: ClassVar[str] = "GetQualifier"
    quick: ClassVar[bool] = True
    qualifier_name: str


@immutable(kw_only=True)
class OpenEnumerateInstances(Request):
    """OpenEnumerateInstances (5.4.2.24.3); `deep` as of `EnumerateInstances`."""

    operation: ClassVar[str] = "OpenEnumerateInstances"
    class_name: str
    deep: bool = True
    projection: Projection = ALL
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenEnumerateInstancePaths(Request):
    """OpenEnumerateInstancePaths (5.4.2.24.4)."""

    operation: ClassVar[str] = "OpenEnumerateInstancePaths"
    class_name: str
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenAssociatorInstances(Request):
    """OpenAssociatorInstances (5.4.2.24.7)."""

    operation: ClassVar[str] = "OpenAssociatorInstances"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    projection: Projection = ALL
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenAssociatorInstancePaths(Request):
    """OpenAssociatorInstancePaths (5.4.2.24.8)."""

    operation: ClassVar[str] = "OpenAssociatorInstancePaths"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenReferenceInstances(Request):
    """OpenReferenceInstances (5.4.2.24.5)."""

    operation: ClassVar[str] = "OpenReferenceInstances"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    projection: Projection = ALL
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenReferenceInstancePaths(Request):
    """OpenReferenceInstancePaths (5.4.2.24.6)."""

    operation: ClassVar[str] = "OpenReferenceInstancePaths"
    path: InstancePath
    filter: AssociationFilter = NO_FILTER
    opening: Opening = Opening()


@immutable(kw_only=True)
class OpenQueryInstances(Request):
    """OpenQueryInstances (5.4.2.24.9); the query is that of `opening`.

    Attributes:
        with_result_class: whether the class of the results is wanted (ReturnQueryResultClass).
    """

    operation: ClassVar[str] = "OpenQueryInstances"
    with_result_class: bool = False
    opening: Opening = Opening()


@immutable(kw_only=True)
class PullInstancesWithPath(Request):
    """PullInstancesWithPath (5.4.2.24.10).

    Attributes:
        context: of the enumeration.
        max_objects: objects in the answer.
    """

    operation: ClassVar[str] = "PullInstancesWithPath"
    context: str
    max_objects: int


@immutable(kw_only=True)
class PullInstancePaths(Request):
    """PullInstancePaths (5.4.2.24.11); attributes as of `PullInstancesWithPath`."""

    operation: ClassVar[str] = "PullInstancePaths"
    context: str
    max_objects: int


@immutable(kw_only=True)
class PullInstances(Request):
    """PullInstances (5.4.2.24.12); attributes as of `PullInstancesWithPath`."""

    operation: ClassVar[str] = "PullInstances"
    context: str
    max_objects: int


@immutable(kw_only=True)
class CloseEnumeration(Request):
    """CloseEnumeration (5.4.2.24.13)."""

    operation: ClassVar[str] = "CloseEnumeration"
    quick: ClassVar[bool] = True
    context: str


@immutable(kw_only=True)
class InvokeMethod(Request):
    """An extrinsic method (5.4), of an instance or of a class.

    Attributes:
        target: the instance, or the name of the class.
        method: its name, in any case.
        arguments: the input parameters that were given, spelt as the class declares them.
    """

    operation: ClassVar[str] = "InvokeMethod"
    changes: ClassVar[bool] = True
    target: Target
    method: str
    arguments: Parameters = field(default_factory=dict)

    def attempt(self) -> Attempt:
        class_name = self.target if isinstance(self.target, str) else self.target.class_name
        return Attempt(self.method, True, self.namespace, self.caller, (class_name,), self.applied_to, self.parameters)

    def applied_to(self) -> Target:
        return self.target

    def parameters(self) -> Parameters:
        return self.arguments


REQUESTS: tuple[type[Request], ...] = (
    GetInstance,
    EnumerateInstances,
    EnumerateInstanceNames,
    CreateInstance,
    ModifyInstance,
    DeleteInstance,
    GetProperty,
    SetProperty,
    ExecQuery,
    Associators,
    AssociatorNames,
    References,
    ReferenceNames,
    AssociatorClasses,
    AssociatorClassPaths,
    ReferenceClasses,
    ReferenceClassPaths,
    GetClass,
    EnumerateClasses,
    EnumerateClassNames,
    EnumerateQualifiers,
    GetQualifier,
    OpenEnumerateInstances,
    OpenEnumerateInstancePaths,
    OpenAssociatorInstances,
    OpenAssociatorInstancePaths,
    OpenReferenceInstances,
    OpenReferenceInstancePaths,
    OpenQueryInstances,
    PullInstancesWithPath,
    PullInstancePaths,
    PullInstances,
    CloseEnumeration,
    InvokeMethod,
)
"""All requests that there are."""

INTRINSIC_OPERATIONS = frozenset(each.operation for each in REQUESTS if each is not InvokeMethod)
"""The intrinsic operations that are implemented, by the names of DSP0200."""
