"""Requests as values: what a client wants, whichever way it came in (DSP0200 1.4, sections 5.3 and 5.4; DSP0223).

Each operation is one class, named as the standard names it.  Front ends make them; `cimom.core` carries them out.
Paths are `InstancePath`, instances `EmbeddedInstance`, values the Python values of `providers.interface`; names of
classes, properties and roles are in any case, those in sets in lower case.
"""

from virtcim.cimom.requests.associations import (
    AssociationFilter,
    AssociatorClasses,
    AssociatorClassPaths,
    AssociatorNames,
    Associators,
    ReferenceClasses,
    ReferenceClassPaths,
    ReferenceNames,
    References,
)
from virtcim.cimom.requests.catalog import INTRINSIC_OPERATIONS, REQUESTS
from virtcim.cimom.requests.classes import (
    EnumerateClasses,
    EnumerateClassNames,
    EnumerateQualifiers,
    GetClass,
    GetQualifier,
)
from virtcim.cimom.requests.enumerations import (
    CloseEnumeration,
    OpenAssociatorInstancePaths,
    OpenAssociatorInstances,
    OpenEnumerateInstancePaths,
    OpenEnumerateInstances,
    Opening,
    OpenQueryInstances,
    OpenReferenceInstancePaths,
    OpenReferenceInstances,
    PullInstancePaths,
    PullInstances,
    PullInstancesWithPath,
)
from virtcim.cimom.requests.instances import (
    CreateInstance,
    DeleteInstance,
    EnumerateInstanceNames,
    EnumerateInstances,
    ExecQuery,
    GetInstance,
    GetProperty,
    ModifyInstance,
    SetProperty,
)
from virtcim.cimom.requests.methods import InvokeMethod
from virtcim.cimom.requests.projections import ALL, ClassProjection, Projection
from virtcim.cimom.requests.request import UNKNOWN_CALLER, Attempt, Caller, Request

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
