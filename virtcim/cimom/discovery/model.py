"""The objects that stand for the server: both generations of them, because clients look for either.

The older generation is CIM_ObjectManager with its namespaces and communication mechanism; the newer one, which
deprecates it, is CIM_WBEMServer with its namespaces, protocol service and capabilities (DSP1092).
"""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.cimom.capabilities import Authentication, CommunicationMechanism, ServerCapabilities
from virtcim.cimom.discovery.manager import managed
from virtcim.cimom.discovery.objects import FixedAssociation, FixedInstance
from virtcim.cimom.statistics import OperationStatistics
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMValue, EmbeddedInstance, Keys, Properties

__all__ = ["ServerIdentity", "ServerObjects"]

SYSTEM = "CIM_ComputerSystem"

AT_WORK: Properties = {
    "EnabledState": 2,
    "RequestedState": 12,
    "EnabledDefault": 2,
    "TransitioningToState": 12,
    "HealthState": 5,
    "OperationalStatus": (2,),
    "OperatingStatus": 16,
}
"""Enabled, Not Applicable, Enabled, Not Applicable, OK, OK, In Service: a server that answers is all of this."""

CLASS_INFO_OTHER = 1
CLASS_TYPE_CIM = 2
ADVERTISE_OTHER = 1
NOT_ADVERTISED = 2
SCHEMA_FINAL = 2


@immutable
class ServerIdentity:
    """Who the server is.

    Attributes:
        product, version: of the software.
        system_name: of the host, best fully qualified.
        schema_version: of the DMTF classes, such as 2.49.0.
        dns_sd: whether the server announces itself by DNS-SD.
    """

    product: str
    version: str
    system_name: str
    schema_version: str
    dns_sd: bool = False


class ServerObjects:
    """The objects of a server, as one name of the Interop namespace shows them.

    Parameters:
        identity: who the server is.
        capabilities: what it can do.
        statistics: that it can gather.
        namespace: where the objects live.
        namespaces: the names of its namespaces.
        mechanisms: the ways to talk to it.
    """

    def __init__(
        self,
        identity: ServerIdentity,
        capabilities: ServerCapabilities,
        statistics: OperationStatistics,
        namespace: str,
        namespaces: Iterable[str],
        mechanisms: Iterable[CommunicationMechanism],
    ) -> None:
        mechanisms = tuple(mechanisms)
        self._identity = identity
        self._capabilities = capabilities
        self._own = namespace
        namespaces = tuple(namespaces)
        title = f"{identity.product} WBEM server"
        self.system = FixedInstance(
            namespace,
            SYSTEM,
            {"CreationClassName": SYSTEM, "Name": identity.system_name},
            {
                "ElementName": identity.system_name,
                "NameFormat": "IP",
                "Dedicated": (0,),
                "Description": f"Host of the {title}",
                **AT_WORK,
            },
        )
        described: Properties = {"Description": f"{title} Version {identity.version}", "Started": True}
        self.object_manager = managed(self.hosted("CIM_ObjectManager", self.name, described), statistics)
        self.server = self.hosted("CIM_WBEMServer", self.name, described)
        self.protocol_services = [
            self.hosted("CIM_ProtocolService", each.name, {"Started": True, "Protocol": each.protocol})
            for each in mechanisms
        ]
        self.mechanisms = [self.hosted(each.class_name, each.name, self._mechanism(each)) for each in mechanisms]
        self.server_capabilities = self.with_id("CIM_WBEMServerCapabilities", "WBEMServer", {})
        self.protocol_capabilities = [
            self.with_id(each.capabilities_class, each.name, self._protocol(each)) for each in mechanisms
        ]
        self.namespaces = [self._old_namespace(name) for name in namespaces]
        self.server_namespaces = [self._namespace(name) for name in namespaces]

    @property
    def name(self) -> str:
        """Name of the server, unique beyond its host."""
        return f"{self._identity.product}:{self._identity.system_name}"

    def instances(self) -> list[FixedInstance]:
        """All objects but the object manager."""
        return [
            self.system, self.server, *self.protocol_services, *self.mechanisms,
            self.server_capabilities, *self.protocol_capabilities, *self.namespaces, *self.server_namespaces,
        ]  # fmt: skip

    def associations(self) -> list[FixedAssociation]:
        """What connects them."""
        dependency = ("Antecedent", "Dependent")
        services = (self.object_manager, self.server, *self.protocol_services)
        return [
            FixedAssociation("CIM_HostedService", dependency, ((self.system, service) for service in services)),
            FixedAssociation("CIM_HostedAccessPoint", dependency, ((self.system, each) for each in self.mechanisms)),
            FixedAssociation(
                "CIM_CommMechanismForManager", dependency, ((self.object_manager, each) for each in self.mechanisms)
            ),
            FixedAssociation(
                "CIM_NamespaceInManager", dependency, ((self.object_manager, each) for each in self.namespaces)
            ),
            FixedAssociation(
                "CIM_HostedDependency", dependency, ((self.server, each) for each in self.server_namespaces)
            ),
            FixedAssociation(
                "CIM_ServiceServiceDependency", dependency, ((self.server, each) for each in self.protocol_services)
            ),
            FixedAssociation(
                "CIM_ElementCapabilities",
                ("ManagedElement", "Capabilities"),
                [
                    (self.server, self.server_capabilities),
                    *zip(self.protocol_services, self.protocol_capabilities, strict=True),
                ],
            ),
        ]

    def hosted(self, class_name: str, name: str, properties: Properties) -> FixedInstance:
        """A service or access point of the host."""
        keys = {
            "SystemCreationClassName": SYSTEM, "SystemName": self._identity.system_name,
            "CreationClassName": class_name, "Name": name,
        }  # fmt: skip
        element_name = self._identity.product if name == self.name else name
        return FixedInstance(self._own, class_name, keys, {"ElementName": element_name, **AT_WORK, **properties})

    def with_id(self, class_name: str, local: str, properties: Properties) -> FixedInstance:
        """An object that is named by an InstanceID."""
        keys = {"InstanceID": f"{self.name}:{local}"}
        return FixedInstance(self._own, class_name, keys, {"ElementName": local, **properties})

    def _mechanism(self, declared: CommunicationMechanism) -> Properties:
        able, pull = self._capabilities, self._capabilities.pull
        other = Authentication.OTHER in able.authentication
        announced = self._identity.dns_sd
        return {
            "CommunicationMechanism": declared.mechanism,
            "FunctionalProfilesSupported": [int(group) for group in able.functional_profiles],
            "MultipleOperationsSupported": declared.multiple_operations,
            "AuthenticationMechanismsSupported": [int(each) for each in able.authentication],
            "AuthenticationMechanismDescriptions": list(able.authentication_descriptions) if other else None,
            "Version": declared.version,
            "AdvertiseTypes": (ADVERTISE_OTHER if announced else NOT_ADVERTISED,),
            "AdvertiseTypeDescriptions": ("DNS-SD",) if announced else None,
            "PulledEnumerationClosureOnExceedingServerLimitsSupported": None if pull is None else pull.closes_on_limits,
            "PulledEnumerationContinuationOnErrorSupported": None if pull is None else pull.continuation_on_error,
            "PulledEnumerationMinimumOperationTimeout": None if pull is None else pull.minimum_timeout,
            "PulledEnumerationMaximumOperationTimeout": None if pull is None else pull.maximum_timeout,
            "PulledEnumerationNoOperationTimeoutSupported": None if pull is None else pull.no_timeout,
            **declared.properties,
        }

    def _protocol(self, declared: CommunicationMechanism) -> Properties:
        able, pull = self._capabilities, self._capabilities.pull
        operations: dict[str, CIMValue] = {
            "OperationsSupported": [int(each) for each in able.generic_operations],
            "FQLSupported": able.filters,
            "CQLSupport": able.cql_features,
            "ContinueOnErrorSupported": bool(pull and pull.continuation_on_error),
        }
        if pull is not None:
            operations["MinimumOperationTimeout"] = pull.minimum_timeout
            operations["MaximumOperationTimeout"] = pull.maximum_timeout
        return {
            "WBEMProtocolVersionsSupported": (declared.version,),
            "GenericOperationCapabilities": EmbeddedInstance("CIM_GenericOperationCapabilitiesStructure", operations),
            "AuthenticationMechanismsSupported": [int(each) for each in able.authentication],
            "AuthenticationMechanismsDescriptions": list(able.authentication_descriptions),
            "MultipleOperationsSupported": declared.multiple_operations,
            **declared.capabilities,
        }

    def _old_namespace(self, name: str) -> FixedInstance:
        manager = self.object_manager.keys()
        keys: Keys = {
            "SystemCreationClassName": manager["SystemCreationClassName"], "SystemName": manager["SystemName"],
            "ObjectManagerCreationClassName": manager["CreationClassName"], "ObjectManagerName": manager["Name"],
            "CreationClassName": "CIM_Namespace", "Name": name,
        }  # fmt: skip
        version = self._identity.schema_version
        return FixedInstance(
            self._own,
            "CIM_Namespace",
            keys,
            {
                "ElementName": name,
                "ClassInfo": CLASS_INFO_OTHER,
                "DescriptionOfClassInfo": f"CIM {version}",
                "ClassType": CLASS_TYPE_CIM,
                "ClassTypeVersion": version,
            },
        )

    def _namespace(self, name: str) -> FixedInstance:
        schema: Properties = {"Name": "CIM", "Version": self._identity.schema_version, "Status": SCHEMA_FINAL,
                  "OwningOrganization": "DMTF"}  # fmt: skip
        return self.with_id(
            "CIM_WBEMServerNamespace",
            name,
            {"Name": name, "SchemaInformation": (EmbeddedInstance("CIM_SchemaInformationStructure", schema),)},
        )
