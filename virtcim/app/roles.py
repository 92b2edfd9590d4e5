"""Which method needs which role: the one table, for the embedded server and for the bridge into others.

What stands here needs less than `administer`; everything that changes something and does not stand here needs that,
methods of plugins among it.  Reading operations need `read` (`cimom.access.READING`).  A line counts for the class and
those below it.
"""

from __future__ import annotations

import dataclasses

from virtcim.cimom.access import Access, Role, RoleSettings
from virtcim.cimom.discovery import INTEROP_NAMES
from virtcim.schema.classes import ClassStore

__all__ = ["ROLES", "make_access"]

ROLES = {
    # Methods that only tell something.
    "CIM_ConcreteJob.GetError": Role.READ,
    "CIM_ConcreteJob.GetErrors": Role.READ,
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
    # The state of guests that there are.
    "Virt_ComputerSystem.RequestStateChange": Role.OPERATE,
    "Virt_ComputerSystem.SetPowerState": Role.OPERATE,
    # Jobs: only whoever may operate can have started one.
    "CIM_ConcreteJob.DeleteInstance": Role.OPERATE,
    "CIM_ConcreteJob.KillJob": Role.OPERATE,
    "CIM_ConcreteJob.RequestStateChange": Role.OPERATE,
}


def make_access(roles: RoleSettings, classes: ClassStore) -> Access:
    """Who may do what, by the settings and this table.

    The interop namespace has several names; what is set for one of them counts for all.
    """
    given = {name.strip("/").lower(): special for name, special in roles.namespaces.items()}
    for name in INTEROP_NAMES:
        if (special := given.get(name.lower())) is not None:
            for other in INTEROP_NAMES:
                given.setdefault(other.lower(), special)
    roles = dataclasses.replace(roles, namespaces=given)
    return Access(roles, ROLES, classes.ancestors)
