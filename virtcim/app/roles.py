"""Who may do what, for the embedded server and for the bridge into others.

Elements declare what their methods need; here stand the methods of the DMTF's classes that only tell something,
whoever serves them.  Everything else that changes something needs `administer`.  Reading operations need `read`
(`cimom.access.READING`).  A line counts for the class and those below it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from virtcim.cimom.access import Access, Role, RoleSettings
from virtcim.cimom.discovery import INTEROP_NAMES
from virtcim.providers.Virt_AggregatedManagementService import METHOD_ROLES
from virtcim.schema.classes import ClassStore

__all__ = ["ROLES", "make_access"]

ROLES = {
    "CIM_MetricService.GetMetricValues": Role.READ,
    "CIM_MetricService.ShowMetrics": Role.READ,
    "CIM_MetricService.ShowMetricsByClass": Role.READ,
    "CIM_RegisteredProfile.CloseConformantInstances": Role.READ,
    "CIM_RegisteredProfile.GetCentralInstances": Role.READ,
    "CIM_RegisteredProfile.OpenConformantInstances": Role.READ,
    "CIM_RegisteredProfile.PullConformantInstances": Role.READ,
    "CIM_StoragePool.GetAvailableExtents": Role.READ,
    "CIM_StoragePool.GetSupportedSizeRange": Role.READ,
    "CIM_StoragePool.GetSupportedSizes": Role.READ,
    "CIM_VirtualSystemMigrationService.CheckVirtualSystemIsMigratableToHost": Role.READ,
    "CIM_VirtualSystemMigrationService.CheckVirtualSystemIsMigratableToSystem": Role.READ,
}


SUBSCRIPTION_CLASSES = ("CIM_IndicationFilter", "CIM_ListenerDestination", "CIM_AbstractIndicationSubscription")
CHANGING = ("CreateInstance", "ModifyInstance", "DeleteInstance", "SetProperty")


def make_access(
    roles: RoleSettings, classes: ClassStore, declared: Mapping[str, Role], subscribers: str = "administer"
) -> Access:
    """Make out who may do what, by the settings, this table, and what elements declare of their methods.

    Parameters:
        declared: `<class>.<method>` to the role that it needs (`registration.roles`).
        subscribers: the name of the role that is needed to subscribe to indications.

    The interop namespace has several names; what is set for one of them counts for all.
    """
    given = {name.strip("/").lower(): special for name, special in roles.namespaces.items()}
    for name in INTEROP_NAMES:
        if (special := given.get(name.lower())) is not None:
            for other in INTEROP_NAMES:
                given.setdefault(other.lower(), special)
    roles = dataclasses.replace(roles, namespaces=given)
    needed = Role[subscribers.upper()]
    subscribing = {f"{name}.{operation}": needed for name in SUBSCRIPTION_CLASSES for operation in CHANGING}
    return Access(roles, {**ROLES, **METHOD_ROLES, **subscribing, **declared}, classes.ancestors)
