"""The queries of indication filters, as management software sends them, on the real schema (DSP1054)."""

from __future__ import annotations

from typing import Any

import pytest

from virtcim.cimom.query import parse_select
from virtcim.providers.interface import CIMError, EmbeddedInstance, Status
from virtcim.schema.classes import ClassStore


def system(state: int, status: list[int] | None = None, class_name: str = "KVM_ComputerSystem") -> EmbeddedInstance:
    return EmbeddedInstance(class_name, {"Name": "guest", "EnabledState": state, "OperationalStatus": status or [2]})


def modification(before: EmbeddedInstance, after: EmbeddedInstance) -> dict[str, Any]:
    return {"PreviousInstance": before, "SourceInstance": after}


STARTED = modification(system(3), system(2))
UNCHANGED = modification(system(2), system(2))
TROUBLED = modification(system(2, [2]), system(2, [6, 17]))
MODIFIED = "KVM_ComputerSystemModifiedIndication"

CHANGED_STATE = (
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem AND "
    "SourceInstance.CIM_ComputerSystem::EnabledState <> PreviousInstance.CIM_ComputerSystem::EnabledState"
)


@pytest.mark.parametrize("language", ["DMTF:CQL", "WQL"])
@pytest.mark.parametrize(
    ("text", "class_name", "selected", "passed_over"),
    [
        ("SELECT * FROM CIM_InstModification", MODIFIED, [STARTED, UNCHANGED, TROUBLED], []),
        ("SELECT * FROM KVM_ComputerSystemModifiedIndication", MODIFIED, [STARTED], []),
        ("SELECT * FROM Xen_ComputerSystemModifiedIndication", MODIFIED, [], [STARTED]),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ComputerSystem", MODIFIED, [], [STARTED]),
        ("SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem", MODIFIED, [STARTED], []),
        ("SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob", MODIFIED, [], [STARTED]),
        (CHANGED_STATE, MODIFIED, [STARTED], [UNCHANGED, TROUBLED]),
        (CHANGED_STATE.lower(), MODIFIED, [STARTED], [UNCHANGED, TROUBLED]),
        (CHANGED_STATE.replace("CIM_ComputerSystem::", ""), MODIFIED, [STARTED], [UNCHANGED, TROUBLED]),
        (
            "SELECT * FROM CIM_InstModification WHERE "
            "SourceInstance.OperationalStatus <> PreviousInstance.OperationalStatus",
            MODIFIED,
            [TROUBLED],
            [STARTED, UNCHANGED],
        ),
        (
            "SELECT * FROM CIM_InstModification WHERE "
            "SourceInstance.CIM_ManagedSystemElement::OperationalStatus[*] = 17",
            MODIFIED,
            [TROUBLED],
            [STARTED],
        ),
        (
            "SELECT * FROM CIM_InstModification WHERE ANY SourceInstance.CIM_ComputerSystem::OperationalStatus[*] = 17 "
            "AND ANY SourceInstance.CIM_ComputerSystem::OperationalStatus[*] = 6",
            MODIFIED,
            [TROUBLED],
            [STARTED],
        ),
        (
            "SELECT * FROM CIM_InstModification WHERE SourceInstance.CIM_ComputerSystem::OperationalStatus[0] <> "
            "PreviousInstance.CIM_ComputerSystem::OperationalStatus[0]",
            MODIFIED,
            [TROUBLED],
            [STARTED],
        ),
        (
            "SELECT * FROM CIM_InstModification WHERE SourceInstance.CIM_ComputerSystem::EnabledState = #'Enabled'",
            MODIFIED,
            [STARTED, UNCHANGED],
            [modification(system(2), system(3))],
        ),
        ("SELECT * FROM CIM_InstModification m WHERE m.SourceInstance.Name LIKE 'guest'", MODIFIED, [STARTED], []),
        (
            "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND "
            "SourceInstance.CIM_ConcreteJob::JobState <> PreviousInstance.CIM_ConcreteJob::JobState",
            "CIM_InstModification",
            [
                modification(
                    EmbeddedInstance("CIM_ConcreteJob", {"JobState": 4}),
                    EmbeddedInstance("CIM_ConcreteJob", {"JobState": 7}),
                )
            ],
            [
                STARTED,
                modification(
                    EmbeddedInstance("CIM_ConcreteJob", {}), EmbeddedInstance("CIM_ConcreteJob", {"JobState": 7})
                ),
            ],
        ),
    ],
)
def test_filters(
    store: ClassStore,
    language: str,
    text: str,
    class_name: str,
    selected: list[dict[str, Any]],
    passed_over: list[dict[str, Any]],
) -> None:
    predicate = parse_select(language, text).compile(store)
    for indication in selected:
        assert predicate(class_name, indication)
    for indication in passed_over:
        assert not predicate(class_name, indication)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("SELECT * FROM CIM_NoSuchIndication", Status.INVALID_CLASS),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_NoSuchClass", Status.INVALID_QUERY),
        ("SELECT * FROM CIM_InstCreation WHERE PreviousInstance ISA CIM_ComputerSystem", Status.INVALID_QUERY),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance.CIM_ComputerSystem::Nothing = 1", Status.INVALID_QUERY),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance.CIM_ComputerSystem::Name = 1", Status.INVALID_QUERY),
    ],
)
def test_filters_that_are_refused(store: ClassStore, text: str, status: Status) -> None:
    with pytest.raises(CIMError) as caught:
        parse_select("DMTF:CQL", text).check(store)
    assert caught.value.status is status


def test_what_an_indication_has_to_hold() -> None:
    assert parse_select("CQL", CHANGED_STATE).properties == {"SourceInstance", "PreviousInstance"}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM CIM_ComputerSystem WHERE EnabledState = 2",
        "SELECT Name, EnabledState FROM CIM_ComputerSystem WHERE Name LIKE 'web[0-9]+'",
        "select * from KVM_ComputerSystem where Dedicated[*] = 0 or ANY OtherIdentifyingInfo LIKE '.*-.*'",
        "SELECT * FROM CIM_ComputerSystem WHERE TimeOfLastStateChange > CurrentDateTime() - "
        "DateTime('00000000010000.000000:000')",
        "SELECT InstanceID FROM CIM_ResourceAllocationSettingData WHERE ResourceType = 17 AND VirtualQuantity > 1024",
        "SELECT * FROM CIM_SystemDevice WHERE GroupComponent ISA KVM_ComputerSystem",
    ],
)
def test_queries_of_instances(store: ClassStore, text: str) -> None:
    query = parse_select("DMTF:CQL", text)
    query.check(store)
    assert query.compile(store)("CIM_Error", {}) is False
