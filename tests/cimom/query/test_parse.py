"""What is a query and what is none, in each language."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest

from tests.growth import assert_linear
from virtcim.cimom.query import AssociationQuery, Filter, Language, Query, parse, parse_filter, parse_select
from virtcim.cimom.query.expressions import ALL, Chain, Comparison, Constant, Step
from virtcim.cimom.query.parser import MAX_LENGTH, MAX_NESTING, MAX_PATTERNS
from virtcim.providers.interface import CIMError, InstancePath, Status


def refusal(language: str, text: str) -> CIMError:
    with pytest.raises(CIMError) as caught:
        parse(language, text)
    return caught.value


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("DMTF:CQL", Language.CQL),
        ("CQL", Language.CQL),
        ("CIM:CQL", Language.CQL),
        ("dmtf:cql", Language.CQL),
        ("  Cql\n", Language.CQL),
        ("WQL", Language.WQL),
        ("wql", Language.WQL),
        ("WQL1", Language.WQL),
        (" wQl ", Language.WQL),
    ],
)
def test_every_spelling_of_a_language(name: str, language: Language) -> None:
    query = parse(name, "SELECT * FROM CIM_X")
    assert isinstance(query, Query)
    assert query.language is language


@pytest.mark.parametrize("name", ["DMTF:FQL", "fql", " Dmtf:Fql "])
def test_every_spelling_of_fql(name: str) -> None:
    assert isinstance(parse(name, "a = 1"), Filter)
    assert isinstance(parse_filter(name, "a = 1"), Filter)


@pytest.mark.parametrize("name", ["", "SQL", "DMTF:SQL", "XPath", "DMTF CQL", "CQL2", "x" * 10_000])
def test_other_languages(name: str) -> None:
    error = refusal(name, "SELECT * FROM CIM_X")
    assert error.status is Status.QUERY_LANGUAGE_NOT_SUPPORTED
    assert len(error.description) < 200


def test_a_language_in_the_wrong_place() -> None:
    with pytest.raises(CIMError) as caught:
        parse_filter("DMTF:CQL", "SELECT * FROM CIM_X")
    assert caught.value.status is Status.QUERY_LANGUAGE_NOT_SUPPORTED
    with pytest.raises(CIMError) as caught:
        parse_select("DMTF:FQL", "a = 1")
    assert caught.value.status is Status.QUERY_LANGUAGE_NOT_SUPPORTED
    with pytest.raises(CIMError) as caught:
        parse_select("WQL", 'ASSOCIATORS OF {CIM_X.a="1"}')
    assert caught.value.status is Status.INVALID_QUERY


GOOD_SELECTS = [
    "SELECT * FROM CIM_ComputerSystem",
    "SELECT * from Class",
    "select\t*\r\nfrom\fCIM_ComputerSystem",
    "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ComputerSystem",
    "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND "
    "SourceInstance.CIM_ConcreteJob::JobState <> PreviousInstance.CIM_ConcreteJob::JobState",
    "SELECT * FROM CIM_InstModification WHERE SourceInstance.CIM_ManagedSystemElement::OperationalStatus[*] = 17",
    "SELECT * FROM CIM_InstModification WHERE ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 17 "
    "AND ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 2",
    "SELECT * FROM KVM_ComputerSystemModifiedIndication",
    'SELECT w,x,y,z FROM ClassName WHERE w = TRUE AND x >= 10 AND y <= 13.10 AND z = "Ten"',
    "SELECT w,x,y,z FROM ClassName WHERE w = TRUE AND w != FALSE",
    "SELECT * FROM ClassName WHERE NOT NOT NOT x < 5",
    "SELECT * FROM ClassName WHERE v IS NULL",
    "SELECT * FROM ClassName WHERE v IS NOT NULL",
    "SELECT * FROM ClassName WHERE v IS TRUE OR (w = 1) IS NOT TRUE",
    "SELECT * FROM T WHERE NOT (s8<3) AND r32<1.23 AND NOT(n16<=17) OR r64=3.14 ",
    "SELECT s FROM T WHERE (PropertyA='PropertyA' OR PropertyB='Nothing') AND s='s'",
    "SELECT * FROM CIM_ComputerSystem CS WHERE CS ISA CIM_System",
    "SELECT * FROM CIM_ComputerSystem AS CS WHERE CS.Name LIKE 'ab.*'",
    "SELECT CS.*, Name FROM CIM_ComputerSystem CS",
    "SELECT CIM_ComputerSystem.Name, CIM_System::Caption FROM CIM_ComputerSystem",
    "SELECT * FROM A WHERE b NOT LIKE 'x'",
    "SELECT * FROM A WHERE b[0] = 1 OR b[] = 2",
    "SELECT * FROM A WHERE b = {1, 2} OR c = {} OR d <> {'x', NULL, TRUE}",
    "SELECT * FROM A WHERE b = -0x1F OR c = +101B OR d = 1. OR e = .5e-3 OR f = 1E3",
    "SELECT * FROM A WHERE b = 'it\\'s' OR c = \"say \\\"so\\\"\" OR d = '\\u00e4\\n\\t'",
    "SELECT * FROM A WHERE EnabledState = #'Enabled' OR 2 = A.EnabledState#'Enabled'",
    "SELECT * FROM A WHERE UpperCase(b) || 'x' = 'AX'",
    "SELECT * FROM A WHERE b > CurrentDateTime() - DateTime('00000000000500.000000:000')",
    "SELECT * FROM A WHERE b + 2 * 3 - c / 4 = 5",
    "SELECT * FROM A WHERE EVERY b > 0",
    "SELECT * FROM A WHERE ((((a = 1))))",
    "SELECT * FROM A WHERE a",
    "SELECT * FROM A WHERE A.First = 1 AND A.Order = 2",
    "SELECT * FROM Größe WHERE Länge = 1",
]


@pytest.mark.parametrize("language", ["DMTF:CQL", "WQL"])
@pytest.mark.parametrize("text", GOOD_SELECTS)
def test_good_selects(language: str, text: str) -> None:
    assert isinstance(parse(language, text), Query)


GOOD_FILTERS = [
    "IntArrayProp1 = {4, 5, 7}",
    "IntArrayProp1[2] = 7",
    "ANY IntArrayProp1 = 7",
    "ANY IntArrayProp1 = IntScal1",
    "EVERY IntArrayProp1 < 90",
    "NOT ANY IntArrayProp1 = 7",
    "NOT EVERY IntArrayProp1 = 7",
    "BoolScal1 = true",
    "strScal1 <> 'Test'",
    "strScal1 LIKE 'T...'",
    "strScal1 NOT LIKE '.*'",
    "ANY s LIKE '.ne'",
    "a = NULL",
    "a IS NOT NULL",
    "(a = 1 AND b = 2) OR (c = 3)",
    "a.b.c = 5",
    "a = b",
    "a = -5",
    "a=0x10",
    "a=11b",
    "a = 5.0e3",
    "NOT (a = 1 OR b = 2)",
    "a <= '20260228235958.123456-090'",
    "r = 'root/virt:X.k=\"v\"'",
]


@pytest.mark.parametrize("text", GOOD_FILTERS)
def test_good_filters(text: str) -> None:
    assert isinstance(parse("DMTF:FQL", text), Filter)


BAD_SELECTS = [
    ("", 1),
    ("   ", 4),
    ("SELECT", 7),
    ("SELECT *", 9),
    ("SELECT FROM A", 13),
    ("SELECT * FROM", 14),
    ("SELECT * FROM A WHERE", 22),
    ("SELECT * FROM A WHERE a =", 26),
    ("SELECT * FROM A WHERE a = = 1", 27),
    ("SELECT * FROM A WHERE a == 1", 26),
    ("SELECT * FROM A WHERE (a = 1", 29),
    ("SELECT * FROM A WHERE a = 1)", 28),
    ("SELECT * FROM A WHERE a LIKE", 29),
    ("SELECT * FROM A WHERE a ISA 5", 29),
    ("SELECT * FROM A WHERE a IS 5", 28),
    ("SELECT * FROM A WHERE a BETWEEN 1 AND 2", 25),
    ("SELECT * FROM A WHERE a = 'open", 27),
    ("SELECT a b FROM C", 10),
    ("SELECT a, FROM C", 16),
    ("SELECT * FROM A WHERE a. = 1", 26),
    ("SELECT * FROM A WHERE a[ = 1", 26),
    ("SELECT * FROM A WHERE a::b::c = 1", 27),
    ("DELETE FROM A", 1),
    ("SELECT * FROM A; DROP TABLE B", 16),
    ("SELECT * FROM A WHERE a = 12abc", 27),
    ("SELECT * FROM A WHERE a = 0x", 27),
    ("SELECT * FROM A WHERE \0", 23),
    ("blah", 1),
    ("a = 1", 1),
    ("SELECT * FROM 'A'", 15),
    ("SELECT * FROM A WHERE a AND", 28),
    ("SELECT * FROM A WHERE ANY", 26),
    ("SELECT * FROM A WHEREa = 1", 24),
    ("SELECT * FROM A WHERE a = 1 ANDb = 2", 29),
]


@pytest.mark.parametrize("language", ["CQL", "WQL"])
@pytest.mark.parametrize(("text", "position"), BAD_SELECTS)
def test_bad_selects(language: str, text: str, position: int) -> None:
    error = refusal(language, text)
    assert error.status is Status.INVALID_QUERY
    assert f"at position {position}:" in error.description
    assert "expected " in error.description


BAD_FILTERS = [
    ("", 1),
    ("a", 2),
    ("a =", 4),
    ("= 1", 1),
    ("1 = a", 1),
    ("a == 1", 4),
    ("a = 1 AND", 10),
    ("(a = 1", 7),
    ("a = {1", 7),
    ("a LIKE b", 8),
    ("SELECT * FROM A", 8),
    ("a::b = 1", 2),
    ("f(a) = 1", 2),
    ("a = 1 b = 2", 7),
    ("a + 1 = 2", 3),
    ("a ISA B", 3),
    ("NOT", 4),
    ("ANY EVERY a = 1", 11),
]


@pytest.mark.parametrize(("text", "position"), BAD_FILTERS)
def test_bad_filters(text: str, position: int) -> None:
    error = refusal("DMTF:FQL", text)
    assert error.status is Status.INVALID_QUERY
    assert f"at position {position}:" in error.description


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        ("SELECT * FROM A ORDER BY a", "ORDER BY"),
        ("SELECT * FROM A WHERE a = 1 ORDER BY a DESC, b ASC", "ORDER BY"),
        ("SELECT * FROM A, B WHERE A.x = B.y", "More than one class"),
        ("SELECT * FROM A a, B AS b", "More than one class"),
        ("SELECT * FROM (SELECT * FROM A) b", "A query in FROM"),
        ("SELECT DISTINCT a FROM A", "DISTINCT"),
        ("SELECT FIRST 5 * FROM A", "FIRST"),
        ("SELECT COUNT(*) FROM A", "SELECT list"),
        ("SELECT a AS b FROM A", "AS"),
        ("SELECT a + 1 FROM A", "SELECT list"),
        ("SELECT * FROM A WHERE ANY x IN b SATISFIES (x = 1)", "SATISFIES"),
        ("SELECT * FROM A WHERE a[1..3] = 1", "range"),
        ("SELECT * FROM A WHERE a[1, 3] = 1", "index"),
        ("SELECT * FROM A WHERE a LIKE b", "LIKE"),
        ("SELECT * FROM A WITHIN 10 WHERE a = 1", "WITHIN"),
        ("SELECT * FROM A WHERE a = 1 GROUP WITHIN 10 BY b HAVING c > 5", "GROUP"),
    ],
)
def test_refused_features(text: str, feature: str) -> None:
    error = refusal("DMTF:CQL", text) if "WITHIN 10 WHERE" not in text else refusal("WQL", text)
    if error.status is Status.INVALID_QUERY:
        pytest.fail(error.description)
    assert error.status is Status.QUERY_FEATURE_NOT_SUPPORTED
    assert feature.lower() in error.description.lower()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"SELECT * FROM A WHERE a = '{'x' * MAX_LENGTH}'", "characters"),
        (f"SELECT * FROM A WHERE {'(' * (MAX_NESTING + 1)}a = 1{')' * (MAX_NESTING + 1)}", "parentheses"),
        ("SELECT * FROM A WHERE " + " OR ".join(["a LIKE 'b'"] * (MAX_PATTERNS + 1)), "patterns of LIKE"),
        (f"SELECT * FROM A WHERE a = {'9' * 5000}", "digits"),
        ("SELECT * FROM A WHERE a = 1e999", "too large"),
        ("SELECT * FROM A WHERE a = '\\ud800'", "not a character"),
        ("SELECT * FROM A WHERE a = '\\u110000'", "not a character"),
    ],
)
def test_limits(text: str, reason: str) -> None:
    error = refusal("CQL", text)
    assert error.status is Status.INVALID_QUERY
    assert reason in error.description
    assert len(error.description) < 300


@pytest.mark.parametrize(
    "condition",
    [
        "(" * MAX_NESTING + "a = 1" + ")" * MAX_NESTING,
        "NOT " * 3000 + "a = 1",
        " AND ".join(["a = 1"] * 1500),
        " OR ".join(["a = 1"] * 1500),
        " OR ".join(["a LIKE 'b'"] * MAX_PATTERNS),
        "b = " + " + ".join(["a"] * 3000),
        "b = " + " || ".join(["a"] * 3000),
        ".".join(["a"] * 5000) + " = 1",
    ],
)
def test_long_is_not_deep(condition: str) -> None:
    query = parse_select("CQL", f"SELECT * FROM Class WHERE {condition}")
    assert "a" in {name.lower() for name in query.properties}


def test_the_value_of_a_select() -> None:
    query = parse_select("cql", "SELECT CS.Name, Caption FROM CIM_ComputerSystem CS WHERE CS.EnabledState <> 3")
    assert query.from_class == "CIM_ComputerSystem"
    assert query.alias == "CS"
    assert query.select == (Chain((Step("CS"), Step("Name"))), Chain((Step("Caption"),)))
    assert query.where == Comparison("<>", Chain((Step("CS"), Step("EnabledState"))), Constant(3))
    assert query.properties == {"EnabledState"}
    with pytest.raises(FrozenInstanceError):
        query.from_class = "CIM_Other"  # type: ignore[misc]


def test_properties_are_those_of_the_instance() -> None:
    query = parse_select(
        "CQL",
        "SELECT * FROM A x WHERE x.b = 1 AND NOT (a.c LIKE 'x' OR UpperCase(d) = e || 'f') AND g.B::h[*] = 1 + i "
        "AND ANY A::j = 1 AND x ISA B AND k#'l' = 1 AND m IS NULL AND NOT n ISA C",
    )
    assert query.properties == {"b", "c", "d", "e", "g", "i", "j", "m", "n"}
    assert parse_filter("FQL", "ANY a.b = 1 AND c[3] LIKE 'x'").properties == {"a", "c"}
    assert parse_select("CQL", "SELECT a FROM A").properties == frozenset()


def test_indices_and_scopes() -> None:
    query = parse_select("CQL", "SELECT * FROM A WHERE b.C::d[2].e[*] = 1")
    assert isinstance(query.where, Comparison)
    assert query.where.left == Chain((Step("b"), Step("d", "C", 2), Step("e", None, ALL)))
    assert str(query.where.left) == "b.C::d[2].e[*]"


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("007", 7),
        ("0xFf", 255),
        ("-0X10", -16),
        ("101b", 5),
        ("0B", 0),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5E-2", -0.015),
        ("1e3", 1000.0),
        ("tRuE", True),
        ("FALSE", False),
        ("'a'", "a"),
        ('"a"', "a"),
        ("''", ""),
        ("'it''", None),
        (r"'it\'s'", "it's"),
        (r"'\\'", "\\"),
        (r"'\.'", "\\."),
        (r"'\b\t\n\f\r'", "\b\t\n\f\r"),
        (r"'\u0041'", "A"),
        (r"'\u01F427'", "\U0001f427"),
        ("'\n'", "\n"),
        ("{1,2}", (1, 2)),
        ("{}", ()),
        ("{'a', NULL}", ("a", None)),
    ],
)
def test_literals(literal: str, value: object) -> None:
    if value is None:
        assert refusal("CQL", f"SELECT * FROM A WHERE a = {literal}").status is Status.INVALID_QUERY
        return
    query = parse_select("CQL", f"SELECT * FROM A WHERE a = {literal}")
    assert isinstance(query.where, Comparison)
    assert isinstance(query.where.right, Constant)
    assert query.where.right.value == value
    assert type(query.where.right.value) is type(value)


def test_association_queries() -> None:
    query = parse(
        "WQL",
        'ASSOCIATORS OF {root/virt:KVM_ComputerSystem.CreationClassName="KVM_ComputerSystem",Name="a}b"} '
        "WHERE AssocClass = KVM_SystemDevice ResultClass = CIM_LogicalDisk ResultRole = PartComponent "
        "Role = 'GroupComponent' KeysOnly",
    )
    assert isinstance(query, AssociationQuery)
    assert query.path == InstancePath(
        "KVM_ComputerSystem", {"CreationClassName": "KVM_ComputerSystem", "Name": "a}b"}, "root/virt"
    )
    assert (query.references, query.assoc_class, query.result_class) == (False, "KVM_SystemDevice", "CIM_LogicalDisk")
    assert (query.role, query.result_role, query.keys_only) == ("GroupComponent", "PartComponent", True)

    query = parse("wql", "references of {Msvm_X='a'} where role = Antecedent resultclass=Msvm_Y")
    assert isinstance(query, AssociationQuery)
    assert (query.references, query.role, query.result_class) == (True, "Antecedent", "Msvm_Y")
    assert query.path == InstancePath("Msvm_X", {"": "a"})


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("ASSOCIATORS OF", Status.INVALID_QUERY),
        ("ASSOCIATORS OF {}", Status.INVALID_QUERY),
        ("ASSOCIATORS OF {CIM_X}", Status.INVALID_QUERY),
        ("ASSOCIATORS OF {CIM_X.a=}", Status.INVALID_QUERY),
        ('ASSOCIATORS OF {CIM_X.a="1"} WHERE', Status.INVALID_QUERY),
        ('ASSOCIATORS OF {CIM_X.a="1"} WHERE Foo = Bar', Status.INVALID_QUERY),
        ('ASSOCIATORS OF {CIM_X.a="1"} WHERE Role = a Role = b', Status.INVALID_QUERY),
        ('ASSOCIATORS OF {CIM_X.a="1"} WHERE Role', Status.INVALID_QUERY),
        ('ASSOCIATORS OF {CIM_X.a="1"} WHERE Role = a AND ResultRole = b', Status.INVALID_QUERY),
        ('REFERENCES OF {CIM_X.a="1"} WHERE AssocClass = B', Status.INVALID_QUERY),
        ('ASSOCIATORS OF {CIM_X.a="1"} WHERE ClassDefsOnly', Status.QUERY_FEATURE_NOT_SUPPORTED),
        ('REFERENCES OF {CIM_X.a="1"} WHERE RequiredQualifier = x', Status.QUERY_FEATURE_NOT_SUPPORTED),
    ],
)
def test_bad_association_queries(text: str, status: Status) -> None:
    assert refusal("WQL", text).status is status


def test_association_queries_are_wql() -> None:
    assert refusal("CQL", 'ASSOCIATORS OF {CIM_X.a="1"}').status is Status.INVALID_QUERY


def test_the_grammar_library_is_loaded_late() -> None:
    check = (
        "import sys; from virtcim.cimom import query; assert 'lark' not in sys.modules; "
        "query.parse('CQL', 'SELECT * FROM A')"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


HOSTILE: dict[str, Callable[[int], str]] = {
    "digits": lambda n: "SELECT * FROM A WHERE x = " + "1" * n,
    "fractions": lambda n: "SELECT * FROM A WHERE x = " + "1." * (n // 2),
    "exponents": lambda n: "SELECT * FROM A WHERE x = " + "1e" * (n // 2),
    "string without an end": lambda n: "SELECT * FROM A WHERE x = '" + "\\'" * (n // 2),
    "object without an end": lambda n: "ASSOCIATORS OF {" + '"\\' * (n // 2),
    "strings in an object": lambda n: "ASSOCIATORS OF {" + '""' * (n // 2),
    "blanks in an object": lambda n: "ASSOCIATORS OF {X.a=b" + " " * n + '"}',
    "keys of an object": lambda n: "ASSOCIATORS OF {X." + ",".join(f"b{number}=1" for number in range(n // 7)) + "}",
    "blanks": lambda n: "SELECT " + " " * n,
    "names": lambda n: "SELECT * FROM " + "a" * n,
    "dots": lambda n: "SELECT " + "a." * (n // 2),
    "entries": lambda n: "SELECT " + "a," * (n // 2) + "a FROM B",
    "conditions": lambda n: "SELECT * FROM A WHERE " + "a=1 AND " * (n // 8) + "a=1",
    "negations": lambda n: "SELECT * FROM A WHERE " + "NOT " * (n // 4) + "a=1",
    "sums": lambda n: "SELECT * FROM A WHERE 1" + "+1" * (n // 2) + "=1",
    "elements": lambda n: "SELECT * FROM A WHERE a = {" + "1," * (n // 2) + "1}",
}


@pytest.mark.parametrize("language", ["CQL", "WQL"])
@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length(language: str, name: str) -> None:
    parse(language, "SELECT * FROM A")  # the grammar is loaded once
    assert_linear(lambda text: parse(language, text), HOSTILE[name], 3500)
