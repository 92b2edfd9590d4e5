"""All requests that there are."""

from __future__ import annotations

from virtcim.cimom.requests.associations import (
    AssociatorClasses,
    AssociatorClassPaths,
    AssociatorNames,
    Associators,
    ReferenceClasses,
    ReferenceClassPaths,
    ReferenceNames,
    References,
)
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
from virtcim.cimom.requests.request import Request

__all__ = ["INTRINSIC_OPERATIONS", "REQUESTS"]

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
