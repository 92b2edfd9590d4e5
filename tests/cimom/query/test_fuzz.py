"""Whatever comes in, what comes out is a query or a CIMError, soon."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cimom.toy import ALL_TYPES
from virtcim.cimom.query import AssociationQuery, Filter, Query, parse
from virtcim.cimom.query.parser import MAX_LENGTH
from virtcim.providers.interface import CIMError
from virtcim.schema.classes import ClassStore

WORDS = r"""
SELECT * FROM Toy_System t WHERE AND OR NOT ANY EVERY IS NULL ISA LIKE TRUE FALSE AS ORDER BY GROUP WITHIN IN
SATISFIES FIRST DISTINCT ASSOCIATORS REFERENCES OF ( ) [ ] { } , . :: # = <> != < <= > >= + - / || .. ' " \
U8 S64 R64 Name Since Age Dedicated Notes Codes Setting Settings Anything Owner Weight Toy_Setting Toy_Named
Nothing 0 1 255 -1 0x1F 101b 1.5 1e400 'plain' 'a%_[b]' '(a*)*' '20260228235958.123456-090'
'Toy_System.Name="x"' UpperCase( CurrentDateTime() DateTime( ClassName() {Toy_System.Name="x"} __CLASS ß
"""
TOKENS = st.sampled_from([*WORDS.split(), "\0", "\n"])
LANGUAGES = st.sampled_from(["CQL", "WQL", "FQL"])

OPERANDS = st.sampled_from(
    [
        "U8",
        "t.S64",
        "R64",
        "Name",
        "Since",
        "Age",
        "Dedicated",
        "Notes",
        "Codes[*]",
        "Notes[1]",
        "Setting",
        "Setting.Weight",
        "Settings[*].InstanceID",
        "Anything.X",
        "Anything.InstanceID",
        "Setting.Inner.Toy_Setting::Weight",
        "Settings[1].Owner",
        "t",
        "Nothing",
        "1",
        "-2.5",
        "'plain'",
        "TRUE",
        "NULL",
        "{1, 2}",
        "{}",
        "'20260228235958.123456-090'",
        "#'Enabled'",
        "EnabledState",
        "UpperCase(Name)",
        "ClassName()",
        "CurrentDateTime()",
        "Times",
        "Flags",
        "Toy_SpecialSystem::Special",
    ]
)
VALUES = st.recursive(
    OPERANDS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "||"]), inner).map(" ".join),
        inner.map(lambda value: f"({value})"),
        inner.map(lambda value: f"UpperCase({value})"),
    ),
    max_leaves=4,
)
COMPARISONS = st.one_of(
    st.tuples(st.sampled_from(["", "ANY ", "EVERY "]), VALUES, st.sampled_from(["=", "<>", "<", ">="]), VALUES).map(
        " ".join
    ),
    st.tuples(VALUES, st.sampled_from(["IS NULL", "IS NOT NULL", "ISA Toy_Named", "LIKE 'p.*'", "IS TRUE", ""])).map(
        " ".join
    ),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(" ".join),
        inner.map(lambda condition: f"NOT ({condition})"),
    ),
    max_leaves=6,
)
PROPERTIES = st.dictionaries(
    st.sampled_from(sorted(ALL_TYPES)),
    st.one_of(st.none(), st.sampled_from(list(ALL_TYPES.values()))),
)


def run(toy: ClassStore, language: str, text: str, properties: dict[str, Any]) -> None:
    started = time.process_time()
    with contextlib.suppress(CIMError):
        query = parse(language, text)
        query.check(toy)
        if not isinstance(query, AssociationQuery):
            predicate = query.compile(toy, "Toy_Named") if isinstance(query, Filter) else query.compile(toy)
            assert predicate("Toy_System", properties) in {True, False}
    assert time.process_time() - started < 2


QUICK = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@QUICK
@given(language=LANGUAGES, text=st.text(max_size=200))
def test_any_text(toy: ClassStore, language: str, text: str) -> None:
    run(toy, language, text, {})


@QUICK
@given(
    language=LANGUAGES,
    start=st.sampled_from(["", "SELECT * FROM Toy_System t WHERE "]),
    tokens=st.lists(TOKENS, max_size=25),
)
def test_any_tokens(toy: ClassStore, language: str, start: str, tokens: list[str]) -> None:
    run(toy, language, start + " ".join(tokens), ALL_TYPES)


@QUICK
@given(language=st.sampled_from(["CQL", "WQL"]), condition=CONDITIONS, properties=PROPERTIES)
def test_any_condition(toy: ClassStore, language: str, condition: str, properties: dict[str, Any]) -> None:
    run(toy, language, f"SELECT * FROM Toy_System t WHERE {condition}", properties)


def comparisons(operands: list[str], operators: list[str]) -> st.SearchStrategy[str]:
    sides = st.sampled_from(operands)
    return st.tuples(sides, st.sampled_from(operators), sides).map(" ".join)


WELL_TYPED = st.one_of(
    comparisons(
        ["U8", "S64", "R64", "Setting.Weight", "Codes[0]", "255", "-1.5", "U8 + 1", "U8 / 0"], ["=", "<>", "<"]
    ),
    comparisons(
        ["Name", "Caption", "Notes[1]", "'plain'", "UpperCase(Name)", "Anything.InstanceID"], ["=", "<>", "<="]
    ),
    comparisons(["Since", "Times[0]", "Setting.Since", "'20260228235958.123456-090'", "Since + Age"], ["=", "<>", ">"]),
    comparisons(["Dedicated", "Flags[0]", "TRUE", "Flags[9]"], ["=", "<>"]),
    comparisons(["Codes", "{1, 2}", "Codes[*]", "{}"], ["=", "<>"]),
    st.sampled_from(["ANY Codes = 2", "EVERY Codes <> U8", "Notes[*] = 'one'", "ANY Notes LIKE 'o.*'"]),
    st.sampled_from(["Dedicated", "U8 IS NULL", "Setting ISA Toy_Setting", "Anything ISA Toy_Disk", "Name LIKE 'p.*'"]),
)


def truth(toy: ClassStore, condition: str, properties: dict[str, Any]) -> bool | None:
    """True, False or None for unknown."""
    answers = []
    for text in (condition, f"NOT ({condition})"):
        query = parse("CQL", f"SELECT * FROM Toy_System t WHERE {text}")
        assert isinstance(query, Query)
        answers.append(query.compile(toy)("Toy_System", properties))
    assert answers != [True, True]
    return True if answers[0] else False if answers[1] else None


@QUICK
@given(one=WELL_TYPED, other=WELL_TYPED, properties=PROPERTIES)
def test_three_valued_logic(toy: ClassStore, one: str, other: str, properties: dict[str, Any]) -> None:
    first, second = truth(toy, one, properties), truth(toy, other, properties)
    both = truth(toy, f"({one}) AND ({other})", properties)
    either = truth(toy, f"({one}) OR ({other})", properties)
    assert both is (False if False in (first, second) else None if None in (first, second) else True)
    assert either is (True if True in (first, second) else None if None in (first, second) else False)
    assert truth(toy, f"NOT (NOT ({one}))", properties) is first
    assert truth(toy, f"(TRUE AND ({one})) IS NULL", properties) is (first is None)


@pytest.mark.parametrize("language", ["CQL", "WQL", "FQL"])
@pytest.mark.parametrize(
    "piece",
    [
        "(",
        ")",
        "[",
        "{",
        "'",
        '"',
        "\\",
        "'\\",
        "NOT ",
        "NOT (",
        "a.",
        "a::",
        "#",
        "1",
        "0x",
        "1.",
        ".",
        "-",
        "+",
        "{a",
        '{"',
        "UpperCase(",
        "a = 1 AND ",
        "a = 1 OR (",
        "ANY ",
        "a || ",
        "a * ",
        ", ",
        "\u00df",
        "\0",
        "SELECT ",
        "* FROM ",
        "{1, ",
        "a[",
        "CurrentDateTime() - ",
        "1 * ",
        "9",
    ],
)
def test_the_same_over_and_over(toy: ClassStore, language: str, piece: str) -> None:
    for start in ("", "SELECT * FROM Toy_System WHERE ", "SELECT ", "Name = ", "ASSOCIATORS OF "):
        text = (start + piece * MAX_LENGTH)[:MAX_LENGTH]
        run(toy, language, text, ALL_TYPES)


@pytest.mark.parametrize(
    "condition",
    [
        "U8 = " + " * ".join(["9999999999999999999"] * 700),
        "U8 = " + " - ".join(["CurrentDateTime()"] * 700),
        "R64 = " + " * ".join(["1e300"] * 2000),
        "Name = " + " || ".join(["Name"] * 2000),
        " AND ".join(["Name LIKE '(a*)*b'"] * 600),
        " OR ".join(["Setting.Inner.Weight = 5"] * 600),
        "Notes = {" + ", ".join(["'a'"] * 3000) + "}",
        "NOT (" * 31 + "U8 = 1 AND (1 + 1) = 2" + ")" * 31,
        "(1 + " * 31 + "1" + ")" * 31 + " = U8",
    ],
)
def test_large_conditions(toy: ClassStore, condition: str) -> None:
    run(toy, "CQL", f"SELECT * FROM Toy_System WHERE {condition}", {**ALL_TYPES, "Name": "a" * 5000})
