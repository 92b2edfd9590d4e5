"""What the server can do, declared once: the objects by which clients discover it take everything from here."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import field
from typing import Protocol

from virtcim.immutable import immutable
from virtcim.providers.interface import Catalog, InstanceProvider, Properties

__all__ = [
    "Authentication",
    "CommunicationMechanism",
    "FunctionalProfile",
    "GenericOperation",
    "PullLimits",
    "ServerCapabilities",
    "server_capabilities",
]


class FunctionalProfile(enum.IntEnum):
    """CIM_ObjectManagerCommunicationMechanism.FunctionalProfilesSupported."""

    BASIC_READ = 2
    BASIC_WRITE = 3
    SCHEMA_MANIPULATION = 4
    INSTANCE_MANIPULATION = 5
    ASSOCIATION_TRAVERSAL = 6
    QUERY_EXECUTION = 7
    QUALIFIER_DECLARATION = 8
    INDICATIONS = 9
    PULLED_READ = 10
    PULLED_READ_COUNT = 11
    PULLED_QUERY_EXECUTION = 12


_ASSOCIATION_OPERATIONS = frozenset({"Associators", "AssociatorNames", "References", "ReferenceNames"})
_CLOSING = frozenset({"CloseEnumeration"})
_PULLED_READ = _CLOSING | {
    "OpenEnumerateInstances", "OpenEnumerateInstancePaths", "OpenAssociatorInstances", "OpenAssociatorInstancePaths",
    "OpenReferenceInstances", "OpenReferenceInstancePaths", "PullInstancesWithPath", "PullInstancePaths",
}  # fmt: skip

_GROUPS = {
    FunctionalProfile.BASIC_READ: frozenset(
        {"GetClass", "EnumerateClasses", "EnumerateClassNames", "GetInstance", "EnumerateInstances",
         "EnumerateInstanceNames", "GetProperty"}
    ),
    FunctionalProfile.BASIC_WRITE: frozenset({"SetProperty"}),
    FunctionalProfile.SCHEMA_MANIPULATION: frozenset({"CreateClass", "ModifyClass", "DeleteClass"}),
    FunctionalProfile.INSTANCE_MANIPULATION: frozenset({"CreateInstance", "ModifyInstance", "DeleteInstance"}),
    FunctionalProfile.ASSOCIATION_TRAVERSAL: _ASSOCIATION_OPERATIONS,
    FunctionalProfile.QUERY_EXECUTION: frozenset({"ExecQuery"}),
    FunctionalProfile.QUALIFIER_DECLARATION: frozenset(
        {"GetQualifier", "SetQualifier", "DeleteQualifier", "EnumerateQualifiers"}
    ),
    FunctionalProfile.PULLED_READ: _PULLED_READ,
    FunctionalProfile.PULLED_READ_COUNT: frozenset({"EnumerationCount"}),
    FunctionalProfile.PULLED_QUERY_EXECUTION: _CLOSING | {"OpenQueryInstances", "PullInstances"},
}  # fmt: skip
"""The operations of each functional group (DSP0200 1.4, section 7)."""


class GenericOperation(enum.IntEnum):
    """CIM_GenericOperationCapabilitiesStructure.OperationsSupported, by the names that DSP0200 gives the operations.

    Extrinsic methods and class-level associations are operations of their own there.
    """

    GetInstance = 2
    DeleteInstance = 3
    ModifyInstance = 4
    CreateInstance = 5
    EnumerateInstances = 6
    EnumerateInstanceNames = 7
    Associators = 8
    AssociatorNames = 9
    References = 10
    ReferenceNames = 11
    OpenEnumerateInstances = 12
    OpenEnumerateInstancePaths = 13
    OpenAssociatorInstances = 14
    OpenAssociatorInstancePaths = 15
    OpenReferenceInstances = 16
    OpenReferenceInstancePaths = 17
    OpenQueryInstances = 18
    PullInstancesWithPath = 19
    PullInstancePaths = 20
    PullInstances = 21
    CloseEnumeration = 22
    EnumerationCount = 23
    InvokeMethod = 24
    InvokeStaticMethod = 25
    GetClass = 26
    DeleteClass = 27
    ModifyClass = 28
    CreateClass = 29
    EnumerateClasses = 30
    EnumerateClassNames = 31
    AssociatorClasses = 32
    AssociatorClassPaths = 33
    ReferenceClasses = 34
    ReferenceClassPaths = 35
    GetQualifier = 36
    DeleteQualifier = 37
    EnumerateQualifiers = 40


_EXTRINSIC = (GenericOperation.InvokeMethod, GenericOperation.InvokeStaticMethod)
_CLASS_LEVEL = {
    "Associators": GenericOperation.AssociatorClasses,
    "AssociatorNames": GenericOperation.AssociatorClassPaths,
    "References": GenericOperation.ReferenceClasses,
    "ReferenceNames": GenericOperation.ReferenceClassPaths,
}

CQL_FEATURES = (2, 8, 14, 17)
"""CQLSupport of `cimom.query`: Basic Query, Embedded Properties, Arithmetic Expression, Property Scoping."""


class Authentication(enum.IntEnum):
    """AuthenticationMechanismsSupported, the values that the old and the new generation have in common."""

    OTHER = 1
    NONE = 2
    BASIC = 3


@immutable
class CommunicationMechanism:
    """A way to talk to the server, as discovery shows it; each front end declares its own.

    Attributes:
        name: of the mechanism, the protocol service and the capabilities.
        class_name: CIM_ObjectManagerCommunicationMechanism, or a class below it.
        mechanism: its property CommunicationMechanism.
        protocol: CIM_ProtocolService.Protocol.
        capabilities_class: CIM_WBEMProtocolServiceCapabilities, or a class below it.
        version: of the protocol.
        properties: of `class_name`, beside those that all mechanisms have.
        capabilities: of `capabilities_class`, likewise.
        multiple_operations: whether several operations may share a message.
    """

    name: str
    class_name: str
    mechanism: int
    protocol: int
    capabilities_class: str
    version: str
    properties: Properties = field(default_factory=dict)
    capabilities: Properties = field(default_factory=dict)
    multiple_operations: bool = False


class Authenticating(Protocol):
    """What tells who asks, as far as clients are told of it."""

    @property
    def mechanism(self) -> Authentication | None:
        """How a client can say who it is; None where not by this."""


@immutable
class PullLimits:
    """The pulled enumerations (DSP0200 1.4, section 5.4.2.24).

    Attributes:
        minimum_timeout, maximum_timeout: seconds that OperationTimeout may have.
        no_timeout: whether an enumeration may be open for ever (OperationTimeout 0).
        continuation_on_error: whether ContinueOnError may be true.
        closes_on_limits: whether an enumeration is closed when the limits of the server are exceeded.
    """

    minimum_timeout: int
    maximum_timeout: int
    no_timeout: bool
    continuation_on_error: bool
    closes_on_limits: bool


@immutable
class ServerCapabilities:
    """What the server can do.

    Attributes:
        operations: the intrinsic operations that can succeed, by name.
        indications: whether clients can subscribe to indications.
        authentication: how a client can say who it is.
        authentication_descriptions: of each, "" where the mechanism says it all.
        pull: limits of the pulled enumerations; None without these.
    """

    operations: frozenset[str]
    indications: bool
    authentication: tuple[Authentication, ...]
    authentication_descriptions: tuple[str, ...]
    pull: PullLimits | None = None

    @property
    def functional_profiles(self) -> list[FunctionalProfile]:
        """The functional groups of which every operation is there."""
        groups = [group for group, operations in _GROUPS.items() if operations <= self.operations]
        return sorted([*groups, FunctionalProfile.INDICATIONS] if self.indications else groups)

    @property
    def generic_operations(self) -> list[GenericOperation]:
        """The operations as the capabilities of the new generation list them."""
        known = [GenericOperation[name] for name in self.operations if name in GenericOperation.__members__]
        class_level = [number for name, number in _CLASS_LEVEL.items() if name in self.operations]
        return sorted([*known, *class_level, *_EXTRINSIC])

    @property
    def cql_features(self) -> tuple[int, ...]:
        """What queries may hold; Not Supported (0) without queries."""
        queries = not self.operations.isdisjoint({"ExecQuery", "OpenQueryInstances"})
        return CQL_FEATURES if queries else (0,)

    @property
    def filters(self) -> bool:
        """Whether pulled enumerations take filter queries (DMTF:FQL)."""
        return self.operations >= _PULLED_READ


_CHANGES = {
    "CreateInstance": "create_instance",
    "DeleteInstance": "delete_instance",
}
"""The operations that a provider has to allow, each with the method by which it does so.

The instance of the object manager can always be modified.
"""

SUBSCRIPTION = "cim_indicationsubscription"


def server_capabilities(
    catalog: Catalog,
    operations: Iterable[str],
    authenticator: Authenticating,
    pull: PullLimits | None = None,
    certificates: bool = False,
    subscriptions: bool = False,
) -> ServerCapabilities:
    """The capabilities of a server.

    Parameters:
        catalog: what is served: an operation that no provider allows is not supported.
        operations: the intrinsic operations that are implemented.
        authenticator: tells who asks.
        pull: limits of the pulled enumerations, where these are implemented.
        certificates: whether client certificates stand for users.
        subscriptions: whether clients can subscribe to indications, in a namespace that the catalog does not have.
    """
    providers = [provider for group in catalog.namespaces.values() for provider in group]
    allowed = {
        name
        for name, method in _CHANGES.items()
        if any(getattr(kind, method) is not getattr(InstanceProvider, method) for kind in set(map(type, providers)))
    }
    links = [association for group in catalog.associations.values() for association in group]
    # Where there are many namespaces, most of them have the same classes.
    alike = {tuple(each.class_names) for each in providers} | {tuple(each.class_names) for each in links}
    served = {name.lower() for names in alike for name in names}
    subscribed = subscriptions or SUBSCRIPTION in served
    mechanisms = _mechanisms(authenticator, certificates)
    return ServerCapabilities(
        operations=frozenset(name for name in operations if name not in _CHANGES or subscribed or name in allowed),
        indications=subscribed,
        authentication=tuple(mechanism for mechanism, _ in mechanisms),
        authentication_descriptions=tuple(description for _, description in mechanisms),
        pull=pull,
    )


def _mechanisms(authenticator: Authenticating, certificates: bool) -> list[tuple[Authentication, str]]:
    """The ways to authenticate, each with a description where its value does not say all."""
    found = [] if authenticator.mechanism is None else [(authenticator.mechanism, "")]
    if certificates:
        found.append((Authentication.OTHER, "TLS client certificate"))
    return found or [(Authentication.OTHER, "Outside of HTTP")]
