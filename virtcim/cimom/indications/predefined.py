"""Filters that are there from the start, in a collection for each profile whose changes they tell (DSP1054 1.2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from virtcim.cimom.indications.records import FilterCollection, FilterRecord

__all__ = ["predefined_filters"]

LIFECYCLE = ("Creation", "Modification", "Deletion")

COLLECTIONS = {
    "Virtual System": "CIM_ComputerSystem",
    "Resource Allocation": "CIM_ResourceAllocationSettingData",
    "Resource Pool": "CIM_ResourcePool",
    "Job Control": "CIM_ConcreteJob",
}
"""The class whose instances' life the filters of a collection tell, by the name of the profile."""

ALERTS = "Alerts"

MADE = datetime(2026, 1, 1, tzinfo=UTC)
"""When they were made: they stay the same from one start of the server to the next."""


def predefined_filters(
    product: str, system: str, namespaces: Iterable[str]
) -> tuple[list[FilterRecord], list[FilterCollection]]:
    """Make the filters and collections of a server.

    Parameters:
        product: of the server, for names.
        system: name of its host.
        namespaces: where what they tell of lives.
    """
    places = tuple(sorted(namespaces))
    filters: list[FilterRecord] = []
    collections: list[FilterCollection] = []
    queries = {
        profile: {kind: f"SELECT * FROM CIM_Inst{kind} WHERE SourceInstance ISA {name}" for kind in LIFECYCLE}
        for profile, name in COLLECTIONS.items()
    }
    queries[ALERTS] = {"Alert": "SELECT * FROM CIM_AlertIndication"}
    for profile, of_profile in queries.items():
        members = [
            FilterRecord(
                class_name="CIM_IndicationFilter",
                system_class="CIM_ComputerSystem",
                system=system,
                name=f"{product}:{profile}:{kind}",
                owner="",
                created=MADE,
                query=query,
                language="DMTF:CQL",
                source_namespaces=places,
            )
            for kind, query in of_profile.items()
        ]
        filters += members
        instance_id = f"{product}:{profile}"
        keys = tuple(member.key for member in members)
        collections.append(FilterCollection(f"collection {instance_id}", instance_id, profile, keys))
    return filters, collections
