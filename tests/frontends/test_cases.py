"""The table of cases, over every front end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cimom.toy import Toy
from tests.frontends.adapters import Adapter, Outcome, in_order
from tests.frontends.cases import CASES, NOT_COMPARED, Case


@pytest.mark.filterwarnings("ignore::pywbem.MissingKeybindingsWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(adapter: Adapter, toy: Toy, case: Case) -> None:
    if adapter.name in case.cannot:
        pytest.skip(case.cannot[adapter.name])
    if case.prepare is not None:
        case.prepare(toy)
    outcome = adapter.send(case.request, case.user)
    assert outcome.status == case.status, outcome
    assert case.text in outcome.text
    if case.value is not NOT_COMPARED:
        assert same(outcome, case.value), outcome
    disks = {str(identity): each.values for identity, each in toy.provider.stores["Toy_Disk"].items()}
    for identity, values in case.stored.items():
        if values is None:
            assert identity not in disks
        else:
            for name, value in values.items():
                if value is NOT_COMPARED:
                    assert name not in disks[identity]
                else:
                    assert disks[identity][name] == value


def same(outcome: Outcome, expected: Any) -> bool:
    """Whether an outcome is as expected, in whatever order."""
    if isinstance(expected, list):
        return bool(outcome.value == in_order(expected))
    if isinstance(expected, tuple) and expected[-1] is NOT_COMPARED:
        return bool(outcome.value[0] == expected[0])
    return bool(outcome.value == expected)


def test_each_case_is_carried_by_a_front_end_and_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60
    assert not [case.name for case in CASES if {"cimxml", "cmpi"} <= case.cannot.keys()]
