"""Symbolic constants: a value by its name in the Values qualifier (DSP0202 1.0; DSP0004 2.8, 5.6.3.54 and 5.6.3.55)."""

from __future__ import annotations

from typing import Any

import pytest

from virtcim.cimom.query import parse_select
from virtcim.providers.interface import CIMError, Status
from virtcim.schema.classes import ClassStore
from virtcim.schema.mof import load_class_store

MOF = """
Qualifier Key : boolean = false, Scope(property, reference), Flavor(DisableOverride, ToSubclass);
Qualifier ValueMap : string[], Scope(property, method, parameter), Flavor(EnableOverride, ToSubclass);
Qualifier Values : string[], Scope(property, method, parameter), Flavor(EnableOverride, ToSubclass, Translatable);

class Toy_Lamp {
   [Key] string Name;
   [Values{"Red", "Green"}] uint16 Colour;
   [ValueMap{"W", "C"}, Values{"Warm", "Cold"}] string Tone;
   [ValueMap{"1", "2..5", ".."}, Values{"Off", "Dimmed", "DMTF Reserved"}] uint16 Level;
   [ValueMap{"0"}, Values{"Fixed", "Loose"}] uint16 Socket;
};
"""


@pytest.fixture(scope="module")
def lamps() -> ClassStore:
    return load_class_store([("lamps.mof", MOF)], [], [], None)


def selects(lamps: ClassStore, where: str, **properties: Any) -> bool:
    return parse_select("CQL", f"SELECT * FROM Toy_Lamp WHERE {where}").compile(lamps)("Toy_Lamp", properties)


def test_values_without_a_map_are_numbered_from_0(lamps: ClassStore) -> None:
    assert selects(lamps, "Colour = #'Green'", Colour=1)
    assert not selects(lamps, "Colour = #'Green'", Colour=2)


def test_values_of_a_string_are_those_of_its_map(lamps: ClassStore) -> None:
    assert selects(lamps, "Tone = Toy_Lamp.Tone#'cold'", Tone="C")
    assert not selects(lamps, "Tone = #'Cold'", Tone="Cold")


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("Level = #'Dimmed'", "more than one value"),
        ("Level = #'DMTF Reserved'", "more than one value"),
        ("Socket = #'Loose'", "more than one value"),
        ("Name = #'Off'", "has no value"),
    ],
)
def test_what_stands_for_no_one_value_is_refused(lamps: ClassStore, where: str, text: str) -> None:
    with pytest.raises(CIMError) as caught:
        parse_select("CQL", f"SELECT * FROM Toy_Lamp WHERE {where}").check(lamps)
    assert caught.value.status is Status.INVALID_QUERY
    assert text in caught.value.description
