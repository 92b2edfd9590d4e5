"""Embedded instances in MOF, held against pywbem's compiler."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pywbem
from hypothesis import given
from hypothesis import strategies as st

from tests.growth import assert_linear
from virtcim.frontends.reading.mofvalue import MAX_LENGTH, parse_mof_instance
from virtcim.frontends.reading.raw import RawInstance
from virtcim.schema.values import reader

ROOT = Path(__file__).parents[2]

CLASS = "class C { string Text; string Texts[]; sint64 Number; sint64 Numbers[]; real64 Real; boolean Flag; };"


def values(instance: RawInstance) -> dict[str, Any]:
    return {each.name: each.value for each in instance.properties}


@cache
def compiler() -> pywbem.MOFCompiler:
    made = pywbem.MOFCompiler(pywbem.MOFWBEMConnection(), log_func=None)
    made.compile_string(CLASS, "root")
    return made


def compiled(text: str) -> dict[str, Any]:
    """The properties as pywbem's compiler reads them."""
    compiler().compile_string(text, "root")
    instance = compiler().handle.instances["root"].pop()
    return {name: value for name, value in instance.items() if value is not None}


STRINGS = st.lists(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters='"\\'), max_size=8)
    | st.sampled_from(["\\n", "\\t", '\\"', "\\\\", "\\x0041", "\\X263a.", ";", "/*", "//", "}"]),
    max_size=5,
).map(lambda parts: f'"{"".join(parts)}"')
TEXTS = st.lists(STRINGS, min_size=1, max_size=3).map(" \n".join)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
NUMBERS = (
    INTEGERS.map(str) | INTEGERS.map(hex) | st.integers(0, 255).map("{:b}b".format) | st.sampled_from(["0", "017"])
)
VALUES = {
    "Text": TEXTS,
    "Texts": st.lists(TEXTS, max_size=3).map(lambda parts: "{" + ", ".join(parts) + "}"),
    "Number": NUMBERS | st.just("NULL"),
    "Numbers": st.lists(NUMBERS, max_size=3).map(lambda parts: "{" + ",".join(parts) + "}"),
    "Real": st.sampled_from(["1.5", "-.25", "+2.5e3", "7.0E-2"]),
    "Flag": st.sampled_from(["true", "FALSE", "Null"]),
}
BLANKS = st.sampled_from([" ", "\n", "\t \r\n", " /* ; } */ ", " // x = 1;\n", "/**/ /***/"])


@given(st.data(), st.lists(st.sampled_from(sorted(VALUES)), min_size=1, unique=True))
def test_what_the_compiler_reads(data: st.DataObject, names: list[str]) -> None:
    def blank() -> str:
        return data.draw(BLANKS)

    body = "".join(f"{name}{blank()}={blank()}{data.draw(VALUES[name])}{blank()};{blank()}" for name in names)
    text = f"instance{blank()}of{blank()}C{blank()}{{{blank()}{body}}}{blank()};"
    types = {"Number": "sint64", "Numbers": "sint64", "Real": "real64", "Flag": "boolean"}
    read = {}
    for name, raw in values(parse_mof_instance(text)).items():
        read_one = reader(types.get(name, "string"))
        read[name] = [read_one(each) for each in raw] if isinstance(raw, list) else read_one(raw)
    assert read == compiled(text)


@pytest.mark.parametrize(
    "qualifiers",
    ["[Key]", '[Description("a ] b"), Key]', '[MaxLen(3), ValueMap{"1", "2"}]', "[Key : DisableOverride ToSubclass]"],
)
def test_qualifiers_are_passed_over(qualifiers: str) -> None:
    text = f'{qualifiers} instance of C {{ {qualifiers} Text = "x"; Number = 5; }};'
    assert values(parse_mof_instance(text)) == {"Text": "x", "Number": "5"}


@pytest.mark.parametrize("word", ["Instance", "OF", "True", "null"])
def test_a_keyword_is_a_name_where_a_name_stands(word: str) -> None:
    instance = parse_mof_instance(f"instance of {word} {{ {word} = 1; }};")
    assert (instance.class_name, values(instance)) == (word, {word: "1"})


def test_qualifiers_and_comments_are_passed_over() -> None:
    text = '/* first */ [Description("a ] b"), Key] instance of C // of\n{ [Write (true)] Text = "x"; };\n// the end'
    assert values(parse_mof_instance(text)) == {"Text": "x"}


@pytest.mark.parametrize(("text", "character"), [("'x'", "x"), ("'\\n'", "\n"), ("'\\x41'", "A"), ("'\"'", '"')])
def test_characters(text: str, character: str) -> None:
    """pywbem's compiler gives the quotes with them, and drops an escaped quote from strings."""
    assert values(parse_mof_instance(f"instance of C {{ C = {text}; }};")) == {"C": character}
    assert values(parse_mof_instance('instance of C { Text = "it\\\'s"; };')) == {"Text": "it's"}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "line 1, column 1: expected 'instance'"),
        ("nonsense", "line 1, column 1: expected 'instance'"),
        ("instance C { };", "line 1, column 10: expected 'of'"),
        ("instance of C {", "line 1, column 16: expected [ or a name or }"),
        ("instance of C { }", "line 1, column 18: expected ;"),
        ("instance of C { };\n instance of C { };", "line 2, column 2: expected the end, after one instance"),
        ('instance of C { };\n#pragma include ("/etc/passwd")', "line 2, column 1: expected MOF"),
        ("instance of C {\n Text = ; };", "line 2, column 9: expected a value"),
        ("instance of C { Text = $x; };", "column 24: expected MOF"),
        ('instance of C { Text = "x };', "column 24: expected MOF"),
        ('instance of C { Text = "\\q"; };', "column 24: expected an escape sequence of MOF in a string"),
        ('instance of C { Text = "\\xD800"; };', "column 24: expected an escape sequence of MOF in a string"),
        ("instance of C { Number = 08; };", "column 26: expected MOF"),
        ("instance of C { Number = 12x; };", "column 26: expected MOF"),
        (f"instance of C {{ Number = {'1' * 129}; }};", "expected a number of at most 128 characters"),
        ("instance of C { Numbers = {1,,2}; };", "column 30: expected a value"),
        ("instance of C { Numbers = {1 2}; };", "column 30: expected ,"),
        ("instance of C { Numbers = {{1}}; };", "column 28: expected a value"),
        ("instance of C { /* };", "column 17: expected an end of the comment"),
        ("[Key instance of C { };", "column 6: expected ( or , or : or ] or {"),
        ("instance of C { };" + " " * MAX_LENGTH, f"expected at most {MAX_LENGTH}"),
    ],
)
def test_what_is_no_instance(text: str, where: str) -> None:
    with pytest.raises(ValueError, match="MOF") as caught:
        parse_mof_instance(text)
    assert where in str(caught.value)


@given(st.text(st.characters(exclude_characters='\\"'), max_size=80))
def test_errors_quote_nothing(text: str) -> None:
    """The text of a setting may hold a password, and errors are logged."""
    with pytest.raises(ValueError, match=r"^MOF, line \d+, column \d+: expected [^\"]+$") as caught:
        parse_mof_instance(f'instance of C {{ Text = "s3cret" "{text}\\q"; }};')
    assert "s3cret" not in str(caught.value)


def test_no_compiler_is_loaded() -> None:
    """Importing one takes longer than any request may."""
    script = """
import sys
from virtcim.app.serve import serve
from virtcim.frontends.reading.mofvalue import parse_mof_instance
print(parse_mof_instance("instance of C { Number = 0x10; };").properties[0].value)
print({"pywbem", "ply"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["16", "set()"]


HOSTILE: dict[str, Callable[[int], str]] = {
    "comment without an end": lambda n: "instance of C { " + "/* " * n,
    "comments": lambda n: "instance of C { " + "/***/" * n,
    "lines": lambda n: "instance of C {" + "\n" * 5 * n,
    "string without an end": lambda n: 'instance of C { Text = "' + "\\n" * n,
    "strings": lambda n: "instance of C { Text = " + '"x"\n' * n,
    "properties": lambda n: "instance of C { " + "T=1;" * n,
    "blanks": lambda n: "instance " + " \n" * n,
    "digits": lambda n: "instance of C { Number = " + "1" * 5 * n,
    "zeros": lambda n: "instance of C { Number = " + "0" * 5 * n + "x",
    "letters": lambda n: "instance of " + "C" * 5 * n,
    "array": lambda n: "instance of C { Numbers = {" + "1," * n,
    "braces": lambda n: "instance of C " + "{" * n,
    "qualifiers": lambda n: "[" * n,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length(name: str) -> None:
    assert_linear(parse_mof_instance, HOSTILE[name])
