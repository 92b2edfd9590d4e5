"""What a condition says of an instance: types, NULL, arrays, names in any case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cimom.toy import ALL_TYPES
from virtcim.cimom.query import parse_filter, parse_select
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, Status
from virtcim.schema.classes import ClassStore

INSTANCE: dict[str, Any] = {
    **ALL_TYPES,
    "CreationClassName": "Toy_System",
    "Name": "plain",
    "Caption": "Größe 1",
    "Letter": "x",
    "Notes": ["one", "two", "three"],
    "Codes": (1, 2, 65535),
}
"""`Notes` and `Codes` are Bags: the toy declares no ArrayType."""

UNKNOWN = {"CreationClassName": "Toy_System", "Name": "plain"}
"""Everything but the keys is NULL."""


def selects(toy: ClassStore, where: str, properties: dict[str, Any], language: str = "CQL") -> bool:
    query = parse_select(language, f"SELECT * FROM Toy_System t WHERE {where}")
    return query.compile(toy)("Toy_System", properties)


TRUE = [
    "U8 = 255",
    "U8 <> 254",
    "U8 > 254",
    "U8 >= 255",
    "U8 < 256",
    "U8 <= 255",
    "255 = U8",
    "254 < U8",
    "U64 = 18446744073709551615",
    "S64 = -9223372036854775808",
    "S8 < 0",
    "U32 > S32",
    "U16 = 0xFFFF",
    "U8 = 11111111b",
    "R64 = 0.1",
    "R64 < 1",
    "R32 > -1.5e-3",
    "U8 = 255.0",
    "U8 <> 255.5",
    "U8 = 70000 OR TRUE",
    "Dedicated = TRUE",
    "Dedicated <> FALSE",
    "Dedicated",
    "NOT (NOT Dedicated)",
    "Dedicated IS TRUE",
    "(U8 = 1) IS NOT TRUE",
    "(U8 = 255) = Dedicated",
    "Name = 'plain'",
    "Name <> 'Plain'",
    "Name > 'plaim'",
    "Caption = 'Gr\\u00f6\\u0000dfe 1'",
    "Letter = 'x'",
    "Caption <> Name",
    "UpperCase(Name) = 'PLAIN'",
    "Name || '-' || Letter = 'plain-x'",
    "Since = '20260228235958.123456-090'",
    "Since = '20260301012958.123456+000'",
    "Since < '20260301000000.000000-090'",
    "Since > DateTime('20260101000000.000000+000')",
    "Age = '00000003040506.000007:000'",
    "Age > '00000003000000.000000:000'",
    "Since < CurrentDateTime() + DateTime('99999999000000.000000:000') OR Since < CurrentDateTime() OR U8 = 255",
    "Since - Age < Since",
    "Since + Age - Since = Age",
    "Age / 2 < Age",
    "Age * 2 > Age",
    "DatetimeToMicrosecond(Age) = 273906000007",
    "MicrosecondToInterval(273906000007) = Age",
    "MicrosecondToTimestamp(DatetimeToMicrosecond(Since)) = Since",
    "U8 + 1 = 256",
    "U8 - 255 = 0",
    "U8 * 2 = 510",
    "U8 / 2 = 127",
    "S8 / 3 = -42",
    "R64 / 2 = 0.05",
    "2 + 3 * 4 = 14",
    "(2 + 3) * 4 = 20",
    "10 - 3 - 2 = 5",
    "100 / 10 / 2 = 5",
    "U8 = 250 + 5",
    "StringToUint('255') = U8",
    "StringToSint('-0x80') = S8",
    "StringToReal('1e-1') = R64",
    "StringToNumeric('255') = U8",
    "NumericToString(U8) = '255'",
    "Name LIKE 'pl.*'",
    "Name LIKE 'plain'",
    "Name NOT LIKE 'x.*'",
    "NOT Name LIKE 'x'",
    "EnabledState = #'Enabled'",
    "EnabledState = t.EnabledState#'enabled'",
    "#'Disabled' <> EnabledState",
    "Notes[0] = 'one'",
    "Notes[2] LIKE 'thr.*'",
    "Notes[*] = 'two'",
    "Notes[] = 'two'",
    "'two' = Notes[*]",
    "ANY Notes = 'two'",
    "ANY Notes[*] = 'two'",
    "EVERY Codes > 0",
    "ANY Codes > 60000",
    "NOT EVERY Codes < 60000",
    "NOT ANY Notes = 'four'",
    "ANY Notes LIKE 't.o'",
    "EVERY Notes LIKE '.*[eo].*'",
    "60000 < Codes[*]",
    "ANY Codes = EnabledState",
    "Notes = {'one', 'two', 'three'}",
    "Notes = {'three', 'one', 'two'}",
    "Notes <> {'one', 'two'}",
    "Notes <> {'one', 'two', 'two'}",
    "Codes[*] = {65535, 2, 1}",
    "Notes <> {}",
    "Flags = {TRUE, FALSE}",
    "Ratios[0] = 1",
    "Times[0] = Since",
    "Times = {'20260228235958.123456-090', '00000003040506.000007:000'}",
    "Notes = Notes",
    "ANY Times = Age",
    "Setting.Weight = 7",
    "Setting.Toy_Setting::Weight = 7",
    "t.Setting.Inner.Weight = 1",
    "Setting.Since = Since",
    "Setting.InstanceID LIKE 's.1'",
    "ANY Setting.Words = 'a'",
    "Setting.Words[1] = '<b>'",
    "Settings[1].InstanceID = 'b'",
    "Settings[*].InstanceID = 'b'",
    "ANY Settings[*].InstanceID = 'a'",
    "EVERY Settings[*].InstanceID LIKE '[ab]'",
    'Settings[1].Owner = \'Toy_System.CreationClassName="Toy_System",Name="plain"\'',
    'Settings[1].Owner = ObjectPath(\'root/any:toy_system.name="plain",creationclassname="Toy_System"\')',
    'Settings[1].Owner <> \'Toy_System.CreationClassName="Toy_System",Name="other"\'',
    "Settings[1].Owner ISA Toy_Named",
    "Anything ISA Toy_Setting",
    "NOT Anything ISA Toy_System",
    "Anything.InstanceID = 'any'",
    "Anything.Toy_Setting::InstanceID = 'any'",
    "ANY Settings ISA Toy_Setting",
    "Setting = Setting",
    "Setting <> Anything",
    "Setting IS NOT NULL",
    "Setting.Owner IS NULL",
    "t ISA Toy_Named",
    "Toy_System ISA Toy_System",
    "NOT t ISA Toy_SpecialSystem",
    "ClassName() = 'Toy_System'",
    "ClassName(Setting) = 'Toy_Setting'",
    "ClassName(t) = ClassName()",
    "ClassName(Settings[1].Owner) = 'Toy_System'",
    "Toy_Named::Name = 'plain'",
    "t.Toy_Element::Caption LIKE 'G.*'",
    "Toy_SpecialSystem::Special IS NULL",
    "U8 IS NOT NULL",
    "NOT (U8 IS NULL)",
    "U8 <> NULL",
    "NULL <> U8",
    "u8 = 255 AND NAME = 'plain' AND T.u16 = 65535 AND toy_system.CAPTION IS NOT NULL",
    "setting.WEIGHT = 7",
    "anything.INSTANCEID = 'any'",
    "Setting.toy_setting::weight = 7",
    "t isa TOY_NAMED",
    "U8 = 1 OR U8 = 255 AND NOT U8 = 2",
    "NOT U8 = 1 AND U8 = 255",
]

FALSE = [
    "U8 = 254",
    "U8 <> 255",
    "U8 = 70000",
    "Dedicated = FALSE",
    "NOT Dedicated",
    "Name = 'PLAIN'",
    "Name LIKE 'pl'",
    "Name LIKE ''",
    "Since = '20260228235958.123456+000'",
    "Notes[*] = 'four'",
    "ANY Notes = 'four'",
    "EVERY Codes > 1",
    "Notes = {'one', 'two'}",
    "Notes = {'one', 'one', 'two'}",
    "Notes = {}",
    "Settings[*].InstanceID = 'c'",
    "Setting.Weight = 8",
    "Anything ISA Toy_System",
    "t ISA Toy_Disk",
    "Setting = Anything",
    "U8 IS NULL",
    "U8 = NULL",
    "EnabledState = #'Disabled'",
    "UpperCase(Name) = Name",
    "Toy_SpecialSystem::Special = 'x'",
    "U8 = 255 AND U8 = 1",
    "ANY Settings ISA Toy_System",
]

UNDECIDED = [
    "U16 = 1",
    "U16 <> 1",
    "NOT U16 = 1",
    "NOT U16 <> 1",
    "U16 < 1 OR U16 >= 1",
    "Caption = 'x'",
    "Caption <> 'x'",
    "Caption LIKE '.*'",
    "NOT Caption LIKE '.*'",
    "Dedicated",
    "NOT Dedicated",
    "Dedicated = TRUE",
    "Dedicated <> TRUE",
    "U16 = U16",
    "U16 = U32",
    "Notes = {'a'}",
    "Notes <> {'a'}",
    "ANY Notes = 'a'",
    "NOT ANY Notes = 'a'",
    "EVERY Notes = 'a'",
    "NOT EVERY Notes = 'a'",
    "Notes[0] = 'a'",
    "NOT Notes[0] = 'a'",
    "Since > '20260101000000.000000+000'",
    "NOT Since > '20260101000000.000000+000'",
    "U16 + 1 = 2",
    "NOT U16 + 1 = 2",
    "UpperCase(Caption) = 'X'",
    "NOT UpperCase(Caption) = 'X'",
    "Setting ISA Toy_Setting",
    "NOT Setting ISA Toy_Setting",
    "Setting.Weight = 1",
    "NOT Setting.Weight = 1",
    "NOT (U16 = 1 AND U32 = 1)",
    "NOT (U16 = 1 OR U32 = 1)",
    "U16 = 1 AND Name = 'plain'",
    "NOT (U16 = 1 AND Name = 'plain')",
    "U16 / 0 = 1",
    "NOT 1 / 0 = 1",
    "Anything.X = 1",
    "NOT Anything.X = 1",
    "Caption || 'x' = 'x'",
]

DECIDED_ALL_THE_SAME = [
    "U16 IS NULL",
    "NOT (U16 IS NOT NULL)",
    "U16 = NULL",
    "U16 = 1 OR Name = 'plain'",
    "NOT (U16 = 1 AND Name = 'x')",
    "(U16 = 1) IS NULL",
    "(U16 = 1) IS NOT TRUE",
    "(U16 = 1) IS NOT FALSE",
    "Notes IS NULL",
    "Notes = NULL",
    "Notes[0] IS NULL",
    "Setting.Weight IS NULL",
    "UpperCase(Caption) IS NULL",
]


@pytest.mark.parametrize("where", TRUE)
def test_true(toy: ClassStore, where: str) -> None:
    assert selects(toy, where, INSTANCE)
    assert not selects(toy, f"NOT ({where})", INSTANCE)


@pytest.mark.parametrize("where", FALSE)
def test_false_or_unknown(toy: ClassStore, where: str) -> None:
    assert not selects(toy, where, INSTANCE)


@pytest.mark.parametrize("where", UNDECIDED)
def test_null_makes_unknown(toy: ClassStore, where: str) -> None:
    assert not selects(toy, where, UNKNOWN)
    assert not selects(toy, f"NOT ({where})", UNKNOWN)


@pytest.mark.parametrize("where", DECIDED_ALL_THE_SAME)
def test_null_decides(toy: ClassStore, where: str) -> None:
    assert selects(toy, where, UNKNOWN)


@pytest.mark.parametrize(
    ("values", "any_one", "every_one"),
    [
        ([], False, True),
        ([1], True, True),
        ([1, 2], True, False),
        ([2], False, False),
        ([1, None], True, None),
        ([2, None], None, False),
        ([None], None, None),
    ],
)
def test_quantifiers(toy: ClassStore, values: list[int | None], any_one: bool | None, every_one: bool | None) -> None:
    properties = {**UNKNOWN, "Codes": values}
    for quantifier, expected in (("ANY", any_one), ("EVERY", every_one)):
        assert selects(toy, f"{quantifier} Codes = 1", properties) is (expected is True)
        assert selects(toy, f"NOT {quantifier} Codes = 1", properties) is (expected is False)


def test_null_elements(toy: ClassStore) -> None:
    properties = {**UNKNOWN, "Notes": ["a", None]}
    assert selects(toy, "Notes = {NULL, 'a'}", properties)
    assert selects(toy, "Notes[1] IS NULL", properties)
    assert selects(toy, "Notes[7] IS NULL", properties)
    assert not selects(toy, "Notes[1] = 'a' OR Notes[1] <> 'a'", properties)


def test_values_that_are_not_of_their_type_are_no_fault(toy: ClassStore) -> None:
    wrong = {
        "U8": "x",
        "Name": 5,
        "Since": "never",
        "Notes": "one",
        "Setting": 5,
        "Dedicated": 3,
        "Codes": [None, "x"],
        "Age": datetime.now(),
        "Anything": [1],
    }
    for where in (*TRUE, *FALSE, "Age < CurrentDateTime()", "Since < Age"):
        selects(toy, where, wrong)


def test_a_point_and_an_interval_have_no_order(toy: ClassStore) -> None:
    for where in ("Since < Age", "NOT Since < Age", "Since >= Age", "NOT Since >= Age"):
        assert not selects(toy, where, INSTANCE)
    assert selects(toy, "Since <> Age", INSTANCE)


def test_now(toy: ClassStore) -> None:
    now = datetime.now(UTC)
    recent, old = ({**UNKNOWN, "Since": now - timedelta(seconds=seconds)} for seconds in (10, 1000))
    where = "Since > CurrentDateTime() - DateTime('00000000000500.000000:000')"
    assert selects(toy, where, recent)
    assert not selects(toy, where, old)


def test_microseconds_count_from_year_zero(toy: ClassStore) -> None:
    """The figure of DSP0202's function is counted from 1 January of year 0."""
    day = 24 * 60 * 60 * 1_000_000
    assert selects(toy, f"DatetimeToMicrosecond(DateTime('00010101000000.000000+000')) = {366 * day}", UNKNOWN)
    assert selects(toy, f"MicrosecondToTimestamp({367 * day}) = DateTime('00010102000000.000000+000')", UNKNOWN)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("Nothing = 1", "no property Nothing"),
        ("t.Nothing = 1", "Nothing"),
        ("Toy_Nowhere::Name = 'a'", "Toy_Nowhere"),
        ("Toy_Disk::Name = 'a'", "Toy_Disk"),
        ("Setting.Nothing = 1", "Nothing"),
        ("Name.Length = 1", "embedded"),
        ("Setting.Toy_Nowhere::Weight = 1", "Toy_Nowhere"),
        ("t ISA Toy_Nowhere", "Toy_Nowhere"),
        ("U8 = 'x'", "number"),
        ("Name = 5", "string"),
        ("Name = TRUE", "not of type string"),
        ("Dedicated = 1", "boolean"),
        ("Dedicated = 'TRUE'", "boolean"),
        ("U8 = Name", "string"),
        ("Since = 'today'", "datetime"),
        ("Since = 5", "datetime"),
        ("Since = Name", "datetime"),
        ("Dedicated > FALSE", "no order"),
        ("Setting > Setting", "no order"),
        ("Notes = 'one'", "array"),
        ("'one' = Notes", "array"),
        ("Notes LIKE 'one'", "array"),
        ("Notes < {'one'}", "order"),
        ("Notes = {1}", "string"),
        ("Notes = {'a', 1}", "one type"),
        ("ANY Name = 'a'", "not an array"),
        ("Name[0] = 'a'", "not an array"),
        ("Name[*] = 'a'", "not an array"),
        ("ANY Notes = {'a'}", "array"),
        ("U8 LIKE 'a'", "LIKE"),
        ("Name LIKE '(a'", "Pattern"),
        ("Name ISA Toy_System", "ISA"),
        ("Name", "condition"),
        ("U8 AND Dedicated", "condition"),
        ("NULL", "condition"),
        ("Notes", "condition"),
        ("Name + 1 = 2", "calculate"),
        ("Since + 1 = Since", "added"),
        ("U8 || 'x' = 'x'", "string"),
        ("Foo(1) = 1", "no function"),
        ("UpperCase() = 'a'", "arguments"),
        ("UpperCase(U8) = 'a'", "string"),
        ("DateTime('x') = Since", "no value"),
        ("StringToUint('-1') = 1", "no value"),
        ("ClassName(U8) = 'a'", "ClassName"),
        ("U8 < NULL", "NULL"),
        ("EnabledState = #'Sleeping'", "Sleeping"),
        ("#'Enabled' = #'Enabled'", "Nothing tells"),
        ("U8 IS TRUE", "boolean"),
        ("t.* = 1", "not a value"),
        ("Settings.Weight = 1", "embedded"),
        ("Settings[*].Words = 'a'", "index"),
        ("Settings[1].Owner.Name = 'a'", "embedded"),
        ("Settings[1].Owner = 'nonsense'", "instance path"),
        ("t = 1", "instance"),
    ],
)
def test_wrong_names_and_types(toy: ClassStore, where: str, text: str) -> None:
    query = parse_select("CQL", f"SELECT * FROM Toy_System t WHERE {where}")
    with pytest.raises(CIMError) as caught:
        query.check(toy)
    assert caught.value.status is Status.INVALID_QUERY
    assert text.lower() in caught.value.description.lower()


@pytest.mark.parametrize("where", ["Max(U8) = 1", "COUNT(*) > 1", "NamespaceName() = 'root/virt'", "HostPort(t) = 'a'"])
def test_functions_that_are_refused(toy: ClassStore, where: str) -> None:
    with pytest.raises(CIMError) as caught:
        parse_select("CQL", f"SELECT * FROM Toy_System t WHERE {where}").check(toy)
    assert caught.value.status is Status.QUERY_FEATURE_NOT_SUPPORTED


def test_the_class_in_from(toy: ClassStore) -> None:
    with pytest.raises(CIMError) as caught:
        parse_select("CQL", "SELECT * FROM Toy_Nowhere").check(toy)
    assert caught.value.status is Status.INVALID_CLASS
    selected = parse_select("CQL", "select * from toy_SYSTEM").compile(toy)
    assert selected("Toy_System", {})
    assert selected("Toy_SpecialSystem", {})
    assert not selected("Toy_Disk", {})


def test_projection(toy: ClassStore) -> None:
    def projected(text: str, class_name: str) -> tuple[str, ...] | None:
        return parse_select("CQL", text).projection(toy, class_name)

    assert projected("SELECT * FROM Toy_Named", "Toy_System") is None
    assert projected("SELECT Toy_Named.* FROM Toy_Named", "Toy_System") is None
    assert projected("SELECT x.*, Name FROM Toy_Named x", "Toy_System") is None
    assert projected("SELECT name, x.CAPTION, Name FROM Toy_Named x", "Toy_System") == ("Name", "Caption")
    mixed = "SELECT Name, Toy_System::U8, Toy_Disk::Size FROM Toy_Named"
    assert projected(mixed, "Toy_System") == ("Name", "U8")
    assert projected(mixed, "Toy_Disk") == ("Name", "Size")
    assert projected("SELECT Setting.Weight, Notes[*] FROM Toy_System", "toy_specialsystem") == ("Setting", "Notes")


@pytest.mark.parametrize(
    ("select", "status"),
    [
        ("Nothing", Status.INVALID_QUERY),
        ("Name, t.Nothing", Status.INVALID_QUERY),
        ("t", Status.INVALID_QUERY),
        ("Setting.Nothing", Status.INVALID_QUERY),
        ("Toy_Nowhere::Name", Status.INVALID_QUERY),
        ("Notes[0]", Status.QUERY_FEATURE_NOT_SUPPORTED),
    ],
)
def test_wrong_select_lists(toy: ClassStore, select: str, status: Status) -> None:
    with pytest.raises(CIMError) as caught:
        parse_select("CQL", f"SELECT {select} FROM Toy_System t").check(toy)
    assert caught.value.status is status


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Name LIKE 'pl%'", True),
        ("Name LIKE 'p_ain'", True),
        ("Name LIKE '[a-q]lain'", True),
        ("Name LIKE 'pl.*'", False),
        ("Dedicated = 1", True),
        ("Dedicated = 0", False),
        ("U8 = '255'", True),
        ('EnabledState = "2"', True),
        ("__CLASS = 'Toy_System'", True),
        ("__this ISA 'Toy_Named'", True),
        ("Name != 'plain'", False),
        ('Toy_System.Name = "plain"', True),
    ],
)
def test_wql(toy: ClassStore, where: str, expected: bool) -> None:
    assert selects(toy, where, INSTANCE, "WQL") is expected


FQL = [
    ("U8 = 255", True),
    ("Name = 'plain'", True),
    ("Notes = {'one', 'two', 'three'}", True),
    ("Notes[1] = 'two'", True),
    ("ANY Codes = EnabledState", True),
    ("EVERY Codes < 90", False),
    ("NOT ANY Codes = 7", True),
    ("Name LIKE '[op].*'", True),
    ("Caption = NULL", False),
    ("Caption <> NULL", True),
    ("Special = NULL", True),
    ("Special = 'x'", False),
    ("NOT Special = 'x'", False),
    ("Since > '20200101000000.000000+000'", True),
    ("Setting.Weight = 7", True),
    ("Dedicated = true AND (U8 = 1 OR U16 = 65535)", True),
    ("u8 = 255 and NAME like 'PLAIN'", False),
]


@pytest.mark.parametrize("class_name", ["Toy_System", None])
@pytest.mark.parametrize(("text", "expected"), FQL)
def test_fql(toy: ClassStore, text: str, expected: bool, class_name: str | None) -> None:
    assert parse_filter("DMTF:FQL", text).compile(toy, class_name)("Toy_System", INSTANCE) is expected


def test_fql_reaches_into_subclasses(toy: ClassStore) -> None:
    selected = parse_filter("FQL", "u8 = 255 OR size = 5").compile(toy, "Toy_Named")
    assert selected("Toy_System", INSTANCE)
    assert selected("Toy_Disk", {"Size": 5})
    assert not selected("Toy_Disk", {"Size": 6})
    with pytest.raises(CIMError) as caught:
        parse_filter("FQL", "Nothing = 1").check(toy, "Toy_Named")
    assert caught.value.status is Status.INVALID_QUERY
    with pytest.raises(CIMError) as caught:
        parse_filter("FQL", "Name = 'a'").check(toy, "Toy_Nowhere")
    assert caught.value.status is Status.INVALID_CLASS


def test_fql_without_a_class_judges_by_values(toy: ClassStore) -> None:
    selected = parse_filter("FQL", "Since > '20200101000000.000000+000' AND Name <> 'x'").compile(toy)
    assert selected("Toy_System", INSTANCE)
    assert not selected("Toy_Disk", {"Name": "a"})
    reference = parse_filter("FQL", "Antecedent = 'Toy_System.Name=\"a\"'").compile(toy)
    assert reference("Toy_Partner", {"Antecedent": InstancePath("Toy_System", {"Name": "a"}, "root/virt")})
    assert not reference("Toy_Partner", {"Antecedent": InstancePath("Toy_System", {"Name": "b"}, "root/virt")})


def test_instances_of_classes_that_are_not_declared(toy: ClassStore) -> None:
    anything = {**UNKNOWN, "Anything": EmbeddedInstance("Foreign_Class", {"Size": 5})}
    assert selects(toy, "Anything.SIZE = 5", anything)
    assert not selects(toy, "Anything.Other = 5", anything)
