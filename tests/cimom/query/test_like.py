"""Patterns: what they match, and that no pattern takes long."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtcim.cimom.query.like import MAX_PATTERN_LENGTH, dsp1001_matcher, wql_matcher


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("ABC", ["ABC"], ["", "AB", "ABCD", "abc", "xABC"]),
        ("ABC*", ["AB", "ABC", "ABCCC"], ["A", "ABCD"]),
        ("D.F", ["DAF", "D.F", "D\nF"], ["DF", "DAAF"]),
        ("GH[IJ]", ["GHI", "GHJ"], ["GH", "GHK", "GHIJ"]),
        ("r[au]t", ["rat", "rut"], ["ret"]),
        ("r[au]^t", ["ret", "r.t"], ["rat", "rut", "rt"]),
        ("r[^au]t", ["ret"], ["rat"]),
        ("C*", ["", "C", "CCC"], ["CD"]),
        ("C+", ["C", "CC"], [""]),
        ("C?", ["", "C"], ["CC"]),
        ("[EF]{1,2}", ["E", "F", "EE", "EF", "FE"], ["", "EEE"]),
        ("A[BC]D", ["ABD", "ACD"], ["AD", "ABCD"]),
        ("1[.]{2,3}n", ["1..n", "1...n"], ["1.n", "1....n"]),
        ("x{3}", ["xxx"], ["xx", "xxxx"]),
        ("x{2,}", ["xx", "xxxxx"], ["x"]),
        ("(ABC)", ["ABC"], ["AB"]),
        ("(XYZ)+", ["XYZ", "XYZXYZ"], ["", "XYZX"]),
        ("(DEF)?|GHI", ["", "DEF", "GHI"], ["DEFGHI"]),
        ("a(b|cd)*e", ["ae", "abe", "acdbe"], ["ace"]),
        ("^ABC$", ["ABC"], ["ABCD"]),
        ("^a|b$", ["a", "b"], ["ab"]),
        ("a^b", [], ["ab", "a^b"]),
        ("[a-c0-9]+", ["a1b2"], ["d", "-"]),
        ("[-a]+", ["-a-"], ["b"]),
        (r"a\.b", ["a.b"], ["axb"]),
        (r"\*\\\(", ["*\\("], ["\\*"]),
        (r"[\]\-]", ["]", "-"], ["\\"]),
        ("", [""], ["a"]),
        ("(a*)*b", ["b", "aaab"], ["aaa"]),
        ("(|a)+", ["", "aaa"], ["b"]),
        ("x{0}y", ["y"], ["xy"]),
        ("{a}", ["{a}"], ["a"]),
        ("人気サイ.ト*", ["人気サイ気トト", "人気サイ気"], ["人気"]),
        (".*\U0001f427", ["a\U0001f427"], ["\U0001f427a"]),
    ],
)
def test_dsp1001(pattern: str, yes: list[str], no: list[str]) -> None:
    matches = dsp1001_matcher(pattern)
    assert [text for text in yes if not matches(text)] == []
    assert [text for text in no if matches(text)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "*a",
        "+",
        "a|*",
        "(",
        "(a",
        "a)",
        "[",
        "[a",
        "[]",
        "\\",
        "a**",
        "a{1}{2}",
        "^*",
        "a{3,1}",
        "a{999}",
        "(a{99}){99}",
        "((((){9999}){9999}){9999}){9999}",
        "(" * 20 + "a" + ")" * 20,
        "a" * (MAX_PATTERN_LENGTH + 1),
        "a?" * 400,
    ],
)
def test_patterns_that_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError):
        dsp1001_matcher(pattern)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("abc", ["abc"], ["ab", "ABC", "abcd"]),
        ("%", ["", "abc", "a\nb"], []),
        ("a%", ["a", "abc"], ["ba"]),
        ("%a", ["a", "bca"], ["ab"]),
        ("%b%", ["b", "abc"], ["ac", ""]),
        ("a%b%c", ["abc", "a-b-c", "abbcc"], ["acb", "ab"]),
        ("a%a", ["aa", "aba"], ["a"]),
        ("%ab%ab%", ["abab", "xabyabz"], ["ab", "aab"]),
        ("_b", ["ab", "bb"], ["b", "aab"]),
        ("__%", ["ab", "abc"], ["a"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
        ("[^a-c]x", ["dx"], ["ax", "x"]),
        ("[abc]%[0-9]", ["b5", "a-5"], ["a", "5"]),
        ("[%]_[_]", ["%a_"], ["aa_", "%ab"]),
        ("[]x]", ["]", "x"], ["a"]),
        ("a.b*c(", ["a.b*c("], ["axb*c("]),
        ("[ab", ["[ab"], ["a"]),
        ("[]", ["[]"], [""]),
        ("[z-a]", ["z", "-", "a"], ["m"]),
        ("[[&&--~|]", ["[", "&", "-", "~", "|"], ["a"]),
        ("", [""], ["a"]),
    ],
)
def test_wql(pattern: str, yes: list[str], no: list[str]) -> None:
    matches = wql_matcher(pattern)
    assert [text for text in yes if not matches(text)] == []
    assert [text for text in no if matches(text)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "(a*)*b",
        "(a+)+b",
        "(a|a)*b",
        "(a|aa)+b",
        "(.*)(.*)(.*)(.*)(.*)b",
        "(a?){60}" + "a{60}b",
        "((a*)*)*b",
        ".*" * 60 + "b",
    ],
)
def test_no_dsp1001_pattern_takes_long(pattern: str) -> None:
    started = time.process_time()
    assert not dsp1001_matcher(pattern)("a" * 5000)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("pattern", ["%a" * 500 + "b", "%" * 1000 + "b", "%aaaaaaaaaaaaaaab" * 50, "[" * 1000])
def test_no_wql_pattern_takes_long(pattern: str) -> None:
    started = time.process_time()
    assert not wql_matcher(pattern)("a" * 20_000)
    assert time.process_time() - started < 2


PATTERNS = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[b-c]"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)


@given(PATTERNS, st.lists(st.text("abc", max_size=6), min_size=1, max_size=5))
def test_dsp1001_agrees_with_re(pattern: str, texts: list[str]) -> None:
    """These forms mean the same in both languages."""
    matches, expected = dsp1001_matcher(pattern), re.compile(pattern, re.DOTALL)
    for text in texts:
        assert matches(text) is (expected.fullmatch(text) is not None)


@given(st.text("ab*?", max_size=12), st.lists(st.text("ab", max_size=12), min_size=1, max_size=5))
def test_wql_agrees_with_fnmatch(pattern: str, texts: list[str]) -> None:
    matches = wql_matcher(pattern.replace("*", "%").replace("?", "_"))
    for text in texts:
        assert matches(text) is fnmatch.fnmatchcase(text, pattern)


@given(st.text(max_size=60), st.text(max_size=30))
def test_any_text_is_a_pattern_or_a_value_error(pattern: str, text: str) -> None:
    wql_matcher(pattern)(text)
    try:
        matches = dsp1001_matcher(pattern)
    except ValueError:
        return
    matches(text)
