"""Documents as they are kept: without passwords."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.growth import assert_linear
from virtcim.libhelper.inventory import records
from virtcim.libhelper.inventory.records import Document


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<graphics type='vnc' passwd='hush' port='1'>", "<graphics type='vnc' passwd='*' port='1'>"),
        ('<graphics passwd="it\'s" passwdValidTo="x"/>', "<graphics passwd='*' passwdValidTo=\"x\"/>"),
        ("<graphics type='vnc'\n  passwd='a>b'/>", "<graphics type='vnc'\n  passwd='*'/>"),
        ("<graphics keymap='>' passwd='hush'/>", "<graphics keymap='>' passwd='*'/>"),
        ("<graphics keymap=\" passwd='x'\" passwd='hush'/>", "<graphics keymap=\" passwd='x'\" passwd='*'/>"),
        ("<graphics passwd='a'/><graphics passwd='b'/>", "<graphics passwd='*'/><graphics passwd='*'/>"),
        ("<description>passwd='x'</description>", "<description>passwd='x'</description>"),
    ],
)
def test_passwords_are_cut_out(text: str, kept: str) -> None:
    assert Document(text, str).text == kept
    assert Document(text, str).digest == Document.digest_of(text) == Document(kept, str).digest


def test_a_compact_document_has_the_same_text() -> None:
    text = "<domain>" + "<disk type='file' name='\udc80'/>" * 100 + "</domain>"
    document: Document[int] = Document(text, len)
    digest = document.digest
    assert document.compact() is document
    assert (document.text, document.digest, document.parsed()) == (text, digest, len(text))
    assert len(document.compressed) < len(text) // 10
    assert Document.decompressed(document.compressed, len).text == text


@pytest.fixture
def no_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no text had been compressed in this process."""
    monkeypatch.setattr(records, "_patterns", {})


def domain_xml(number: int) -> str:
    """The XML of one of many guests that differ in little."""
    devices = "".join(f"<disk><target dev='vd{letter}' bus='virtio'/></disk>" for letter in "abcdefghij")
    return f"<domain type='kvm' id='{number}'><name>guest{number}</name><devices>{devices}</devices></domain>"


@pytest.mark.usefixtures("no_patterns")
def test_what_is_alike_is_compressed_by_the_first_of_it() -> None:
    texts = [domain_xml(number) for number in range(100)]
    documents: list[Document[int]] = [Document(text, len).compact() for text in texts]
    assert [document.text for document in documents] == texts
    assert all(len(document._data) < len(document.compressed) // 2 for document in documents)
    assert len(records._patterns) == 1


@pytest.mark.usefixtures("no_patterns")
def test_the_texts_that_others_are_compressed_by_are_bounded() -> None:
    texts = [f"<{'x' * number}>{'y' * 100_000}" for number in range(100)]
    documents: list[Document[int]] = [Document(text, len).compact() for text in texts]
    assert [document.text for document in documents] == texts
    assert len(records._patterns) < 50
    assert sum(map(len, records._patterns.values())) < 1 << 20


def test_what_is_kept_is_read_without_what_it_was_compressed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [Document(domain_xml(number), len).compact().compressed for number in range(2)]
    monkeypatch.setattr(records, "_patterns", {})
    assert [Document.decompressed(each, len).text for each in kept] == [domain_xml(number) for number in range(2)]


@pytest.mark.parametrize(
    ("text", "named"), [("<domain><metadata/></domain>", False), ('<a xmlns="urn:virtcim:x"/>', True)]
)
def test_it_is_told_whether_there_is_anything_of_our_own(text: str, named: bool) -> None:
    document: Document[int] = Document(text, len)
    assert document.names_our_own is document.compact().names_our_own is named
    assert Document.decompressed(document.compressed, len).names_our_own is named


HOSTILE: dict[str, Callable[[int], str]] = {
    "tags": lambda n: "passwd=" + "<graphics " * n,
    "tags with values": lambda n: "<graphics passwd=" * n,
    "quotes": lambda n: "<graphics " + " passwd='" * n,
    "open values": lambda n: "<graphics a=\"'<graphics passwd=" * n,
    "blanks": lambda n: "passwd=<graphics" + " " * n,
    "attributes": lambda n: "<graphics" + " a='b'" * n + " passwd='x' <",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length(name: str) -> None:
    assert_linear(Document._clean, HOSTILE[name], 20_000)


@pytest.mark.parametrize(
    ("running", "defined", "equal"),
    [
        ("<domain type='kvm' id='7'><name>a</name></domain>", "<domain type='kvm'><name>a</name></domain>", True),
        ("<domain type='kvm' id='7'><name>a</name></domain>", "<domain type='kvm'><name>b</name></domain>", False),
        ("<domain type='kvm' id='7'><x id='1'/></domain>", "<domain type='kvm'><x/></domain>", False),
        ("<domain type='kvm'><x id='1'/></domain>", "<domain type='kvm'><x/></domain>", False),
        ("<network connections='1'/>", "<network connections='1'/>", True),
    ],
)
def test_the_digest_at_rest_leaves_out_the_number_alone(running: str, defined: str, equal: bool) -> None:
    one, other = Document(running, str), Document(defined, str)
    assert (one.digest_at_rest == other.digest_at_rest) is equal
    assert (one.digest == other.digest) is (running == defined)
