"""The request decoder, fed with everything: it answers or refuses, and never breaks."""

from __future__ import annotations

import contextlib
import random
import time
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.cimom.harness import (
    DTD,
    array,
    class_name,
    element,
    extrinsic,
    faults,
    instance_name,
    intrinsic,
    message,
    namespace_path,
    system,
    value,
)
from tests.cimom.toy import Toy
from virtcim.cimom.core import Core
from virtcim.cimom.requests import UNKNOWN_CALLER
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cimxml.decode import RequestFault, decode_request
from virtcim.frontends.cimxml.frontend import CIMXML
from virtcim.frontends.reading.elements import _has_internal_subset, decode_instance
from virtcim.frontends.reading.raw import RawKey, RawPath, RawRequest
from virtcim.frontends.reading.typed import TypedReader
from virtcim.providers.interface import CIMError
from virtcim.schema.classes import ClassStore

SETTING = (
    '<INSTANCE CLASSNAME="Toy_Setting"><PROPERTY NAME="Weight" TYPE="uint32"><VALUE>1</VALUE></PROPERTY></INSTANCE>'
)
DISK = instance_name("Toy_Disk", CreationClassName="Toy_Disk", Name="plain|vda")
REFERENCE = element("VALUE.REFERENCE", element("LOCALINSTANCEPATH", namespace_path("root/toy"), system("plain")))
NEW_DISK = (
    '<INSTANCE CLASSNAME="Toy_Disk"><QUALIFIER NAME="q" TYPE="string"><VALUE>x</VALUE></QUALIFIER>'
    '<PROPERTY NAME="Name" TYPE="string"><VALUE>n</VALUE></PROPERTY>'
    '<PROPERTY NAME="Size" TYPE="uint64"><VALUE>5</VALUE></PROPERTY></INSTANCE>'
)

SEEDS = [
    intrinsic(
        "EnumerateInstances",
        ClassName=class_name("Toy_Element"),
        DeepInheritance=value("TRUE"),
        PropertyList=array(["Name", "Caption"]),
    ),
    intrinsic("GetInstance", InstanceName=system("typed"), IncludeClassOrigin=value("true")),
    intrinsic("Associators", ObjectName=system("plain"), AssocClass=class_name("Toy_Dependency"), Role=value("x")),
    intrinsic("References", ObjectName=class_name("Toy_Disk"), ResultClass=class_name("Toy_Dependency")),
    intrinsic(
        "GetInstance",
        InstanceName=element(
            "INSTANCENAME",
            element("KEYBINDING", REFERENCE, NAME="Antecedent"),
            element("KEYBINDING", REFERENCE, NAME="Dependent"),
            CLASSNAME="Toy_Partner",
        ),
    ),
    intrinsic("GetClass", ClassName=class_name("Toy_System"), LocalOnly=value("false")),
    intrinsic("CreateInstance", NewInstance=NEW_DISK),
    intrinsic("ModifyInstance", ModifiedInstance=element("VALUE.NAMEDINSTANCE", DISK, NEW_DISK)),
    intrinsic("DeleteInstance", InstanceName=DISK),
    intrinsic("SetProperty", InstanceName=DISK, PropertyName=value("Size"), NewValue=value(1)),
    intrinsic("EnumerateQualifiers"),
    intrinsic(
        "OpenEnumerateInstances",
        ClassName=class_name("Toy_Element"),
        FilterQueryLanguage=value("DMTF:FQL"),
        FilterQuery=value("Name = 'plain' OR NOT EnabledState IS NULL"),
        OperationTimeout=value(5),
        ContinueOnError=value("true"),
        MaxObjectCount=value(2),
    ),
    intrinsic("OpenReferenceInstancePaths", InstanceName=system("plain"), Role=value("x"), MaxObjectCount=value(1)),
    intrinsic("PullInstancesWithPath", EnumerationContext=value("x"), MaxObjectCount=value(1)),
    intrinsic("CloseEnumeration", EnumerationContext=value("x")),
    intrinsic("ExecQuery", QueryLanguage=value("WQL"), Query=value("SELECT * FROM Toy_Disk WHERE Size < 3")),
    intrinsic(
        "OpenQueryInstances",
        FilterQueryLanguage=value("DMTF:CQL"),
        FilterQuery=value("SELECT Name FROM Toy_Named WHERE Toy_Named ISA Toy_Disk"),
        ReturnQueryResultClass=value("true"),
    ),
    extrinsic(
        "Change",
        system("plain"),
        State=value(2),
        Words=array(["a"]),
        Setting=value(SETTING),
        Settings=array([SETTING]),
        Partner=REFERENCE,
        Partners=element("VALUE.REFARRAY", REFERENCE),
    ),
    extrinsic("Count", class_name("Toy_System")),
    intrinsic("CreateClass", NewClass='<CLASS NAME="X"><PROPERTY NAME="P" TYPE="string"/></CLASS>'),
    message(
        '<CORRELATOR NAME="c" TYPE="string"><VALUE>1</VALUE></CORRELATOR>'
        + element("IMETHODCALL", namespace_path("root/toy"), NAME="EnumerateClassNames")
    ),
]


@pytest.fixture(scope="module")
def cimxml(classes: ClassStore) -> CIMXML:
    toy = Toy()
    toy.fill()
    settings = ServerSettings(host_name="toyhost")
    return CIMXML(Core(toy.catalog, classes, settings), settings)


def decoded(body: bytes) -> RawRequest | RequestFault:
    try:
        return decode_request(body)
    except RequestFault as fault:
        return fault


def answer(cimxml: CIMXML, body: bytes) -> None:
    """Carry a request through: it is refused as DSP0200 has it, or answered with valid CIM-XML."""
    request = decoded(body)
    if isinstance(request, RequestFault):
        assert request.status in {400, 413, 501}
        return
    document = b"".join(cimxml.answer(request, UNKNOWN_CALLER).pieces)
    assert not faults(document)
    assert b"failed:" not in document


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds_are_valid(cimxml: CIMXML, seed: str) -> None:
    assert DTD.validate(etree.fromstring(seed.encode())), DTD.error_log
    assert decode_request(seed.encode()).operation
    answer(cimxml, seed.encode())


@settings(max_examples=200)
@given(body=st.binary(max_size=300))
def test_bytes(cimxml: CIMXML, body: bytes) -> None:
    answer(cimxml, body)


@settings(max_examples=300)
@given(
    seed=st.sampled_from(SEEDS),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    insert=st.text(st.sampled_from("<>/&;\"'=[]!-x\0\ufffd\U0001f427 "), max_size=6),
)
def test_cuts(cimxml: CIMXML, seed: str, cut: tuple[float, float], insert: str) -> None:
    start, end = sorted(round(each * len(seed)) for each in cut)
    if end - start > 40:
        end = start + (end - start) % 40
    answer(cimxml, (seed[:start] + insert + seed[end:]).encode())


TEXTS = ["", "0x", "\u0130\u0663", "-1", "TRUE", "9" * 40, SETTING, "instance of X {", None]


def mutate(root: etree._Element, choose: random.Random) -> None:
    """Drop, double, move, rename, empty or change one element or attribute."""
    elements = list(root.iter())
    victim = choose.choice(elements)
    parent = victim.getparent()
    other = choose.choice(elements)
    kind = choose.randrange(8)
    if kind == 0 and parent is not None:
        parent.remove(victim)
    elif kind == 1 and parent is not None:
        parent.append(etree.fromstring(etree.tostring(victim)))
    elif kind == 2:
        other.insert(choose.randrange(len(other) + 1), etree.fromstring(etree.tostring(victim)))
    elif kind == 3:
        victim.tag = other.tag
    elif kind == 4:
        victim.text = choose.choice(TEXTS)
    elif kind == 5 and victim.attrib:
        del victim.attrib[choose.choice(list(victim.attrib))]
    elif kind == 6 and victim.attrib:
        victim.set(
            choose.choice(list(victim.attrib)),
            choose.choice(["", "x", "Toy_System", "2.0", "3.0", "\u0130", "State", "numeric", "root", "/"]),
        )
    else:
        for child in list(victim):
            victim.remove(child)


@settings(max_examples=400)
@given(seed=st.sampled_from(SEEDS), mutations=st.integers(1, 6), entropy=st.integers(0, 2**32))
def test_mutated_messages(cimxml: CIMXML, seed: str, mutations: int, entropy: int) -> None:
    choose = random.Random(entropy)
    root = etree.fromstring(seed.encode())
    for _ in range(mutations):
        mutate(root, choose)
    answer(cimxml, etree.tostring(root, encoding="utf-8"))


@settings(max_examples=200)
@given(st.text(max_size=60), st.sampled_from(["", "<INSTANCE CLASSNAME='A'>", "instance of Toy_Setting {"]))
def test_embedded_instances(classes: ClassStore, text: str, start: str) -> None:
    declared = classes["Toy_System"].properties["setting"]
    with contextlib.suppress(CIMError):
        TypedReader(classes).value(start + text, declared)


@pytest.mark.parametrize("form", [lambda inner: escape(inner), lambda inner: f"<![CDATA[{inner}]]>"])
def test_embedded_too_deep(classes: ClassStore, form: object) -> None:
    assert callable(form)
    text = SETTING
    for _ in range(40):
        inner = form(text) if "]]>" not in text else escape(text)
        text = (
            '<INSTANCE CLASSNAME="Toy_Setting"><PROPERTY NAME="Inner" TYPE="string">'
            f"<VALUE>{inner}</VALUE></PROPERTY></INSTANCE>"
        )
        if len(text) > 500_000:
            break
    declared = classes["Toy_System"].properties["setting"]
    with pytest.raises(Exception, match=r"too deep|no embedded"):
        TypedReader(classes).value(text, declared)


def test_instance_text() -> None:
    assert decode_instance(SETTING).class_name == "Toy_Setting"
    for text in ("", "<x/>", "<INSTANCE>", "<INSTANCE/>", "\ud800", f"<!DOCTYPE a []>{SETTING}"):
        with pytest.raises(ValueError, match="not an embedded"):
            decode_instance(text)


def test_path_forms() -> None:
    request = decode_request(extrinsic("M", instance_name("A", K="v", L="w")).encode())
    assert request.namespace == "root/toy"
    assert request.target == RawPath(
        "A", (("K", RawKey("v", "string", "")), ("L", RawKey("w", "string", ""))), "root/toy"
    )
    assert decode_request(extrinsic("M", class_name("A")).encode()).target == RawPath("A", None, "root/toy")


def test_white_space_in_values_is_kept() -> None:
    request = decode_request(extrinsic("M", instance_name("A", K=" v\n "), P=value(" x\ty ")).encode())
    assert request.parameters == (("P", " x\ty "),)
    assert request.target is not None
    assert request.target.keys == (("K", RawKey(" v\n ", "string", "")),)


@pytest.mark.parametrize(
    "filler",
    [b"<!--" + b"x" * (64 << 20) + b"-->", b"<?x " + b"?" * (64 << 20) + b"?>", b" " * (64 << 20)],
    ids=["comment", "instruction", "blanks"],
)
def test_what_stands_before_the_root_is_passed_over_in_no_time(filler: bytes) -> None:
    """Without a pattern, which holds the interpreter's lock for as long as it runs: 2 s for these."""
    began = time.thread_time()
    assert not _has_internal_subset(filler + b"<CIM/>")
    assert _has_internal_subset(filler + b"<!DOCTYPE CIM [<!ENTITY a 'b'>]><CIM/>")
    assert time.thread_time() - began < 1.0


def test_a_doctype_must_be_short() -> None:
    assert not _has_internal_subset(b'<!DOCTYPE CIM SYSTEM "[">')
    assert _has_internal_subset(b"<!DOCTYPE CIM" + b" " * 10_000 + b"[]>")
    assert _has_internal_subset(b'<!DOCTYPE CIM "' + b"x" * 10_000 + b'" []>')
