"""Answers that are given again without decoding anything: only while nothing has changed, and to those who may ask."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from multidict import CIMultiDict

from tests.cimom.harness import RawClient, RunningServer, class_name, extrinsic, intrinsic, system, value
from tests.cimom.toy import Toy, ToyInstance
from virtcim.cimom.principals import NOBODY, Mechanism, Principal
from virtcim.cimom.requests import UNKNOWN_CALLER, Caller
from virtcim.frontends.cimxml import frontend
from virtcim.frontends.cimxml.decode import decode_request
from virtcim.frontends.cimxml.repeats import (
    DECODED,
    MAX_BODY,
    MAX_PIECES,
    MAX_WHOLE,
    OVERHEAD,
    DecodedRequests,
    Question,
    RepeatedAnswers,
)
from virtcim.frontends.cimxml.writer import MOMENT, NamespaceWriter
from virtcim.frontends.http.exchange import OperationNote
from virtcim.frontends.http.sending import CHUNK, Outgoing
from virtcim.frontends.reading.raw import RawRequest

MANY = 20
"""Instances of a class that has many."""

PLAIN = intrinsic("GetInstance", InstanceName=system("plain"))
NOTE = OperationNote("GetInstance", "GetInstance", False, "root/toy", "", 0, 0.0, 1)


class Counted:
    """A toy whose instances are lasting, how often its provider was asked, and the revision of its catalog."""

    def __init__(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.revision = 0
        monkeypatch.setattr(ToyInstance, "lasting", True)
        get_instance = toy.provider.get_instance

        def counted(*arguments: object) -> object:
            self.asked += 1
            return get_instance(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(toy.provider, "get_instance", counted)
        toy.catalog = replace(toy.catalog, revision=lambda _: self.revision)


def test_asked_again(make_server: Callable[..., RunningServer], toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(toy, monkeypatch)
    with RawClient(make_server().port) as client:
        first = client.post(PLAIN)
        assert client.post(PLAIN).body == first.body
        assert counted.asked == 1
        with_other_headers = client.post(PLAIN, {"User-Agent": "another"})
        assert with_other_headers.body == first.body
        assert counted.asked == 2
        toy.provider.change("Toy_System", "plain", Caption="changed")
        counted.revision += 1
        assert b"changed" in client.post(PLAIN).body
        del toy.provider.stores["Toy_System"]["plain"]
        counted.revision += 1
        assert client.post(PLAIN).cim_status == 6


def test_a_class_is_laid_out_once(
    make_server: Callable[..., RunningServer], toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(toy, monkeypatch)
    for number in range(MANY):
        toy.provider.add("Toy_Disk", Name=f"special|{number}", Size=number)
    disks = intrinsic("EnumerateInstances", ClassName=class_name("Toy_Disk"))
    names = intrinsic("EnumerateInstanceNames", ClassName=class_name("Toy_Disk"))
    server = make_server()
    with RawClient(server.port) as client:
        first = [client.post(each).body for each in (disks, names)]
        gathered: list[object] = []
        found = NamespaceWriter._found

        def counted_found(*given: Any) -> Any:
            gathered.append(given)
            return found(*given)

        monkeypatch.setattr(NamespaceWriter, "_found", counted_found)
        for _ in range(4):
            assert [client.post(each).body for each in (disks, names)] == first
        # The names were laid out at once: the first answer had them all from the one before.
        assert len(gathered) == 1
        toy.provider.change("Toy_Disk", "special|7", Size=4711)
        counted.revision += 1
        assert client.post(disks).body == first[0].replace(b"<VALUE>7</VALUE>", b"<VALUE>4711</VALUE>")
        del toy.provider.stores["Toy_Disk"]["special|7"]
        counted.revision += 1
        for each in (disks, names, disks, names):
            assert b"special|7&" not in client.post(each).body
        assert client.post(names).body.count(b"<INSTANCENAME ") == first[1].count(b"<INSTANCENAME ") - 1


def test_asked_again_in_another_message(
    make_server: Callable[..., RunningServer], toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def numbered(message_id: str, before: str = "") -> str:
        return re.sub('<MESSAGE ID="[^"]*"', f'{before}<MESSAGE ID="{message_id}"', PLAIN)

    counted = Counted(toy, monkeypatch)
    with RawClient(make_server().port) as client:
        first = client.post(numbered("1")).body
        other = client.post(numbered("a-2.b")).body
        assert other == first.replace(b'<MESSAGE ID="1"', b'<MESSAGE ID="a-2.b"')
        assert counted.asked == 1
        assert b'<MESSAGE ID="&lt;"' in client.post(numbered("&lt;")).body
        for comment in ("3", "4"):
            assert client.post(numbered("1", f'<!-- <MESSAGE ID="{comment}" -->')).body == first
        assert counted.asked == 4


def test_a_class_that_lasts_is_told_again_without_its_provider(
    make_server: Callable[..., RunningServer], toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(toy, monkeypatch)
    for number in range(MANY):
        toy.provider.add("Toy_Disk", Name=f"special|{number}", Caption="x" * MAX_WHOLE)
    enumerated: list[str] = []
    instances = type(toy.provider).instances

    def counted_instances(provider: Any, name: str, context: Any) -> Any:
        enumerated.append(name)
        return instances(provider, name, context)

    monkeypatch.setattr(type(toy.provider), "instances", counted_instances)
    disks = intrinsic("EnumerateInstances", ClassName=class_name("Toy_Disk"))
    with RawClient(make_server().port) as client:
        first = client.post(disks).body
        assert client.post(disks).body == first
        asked = len(enumerated)
        client.post(disks)
        assert len(enumerated) > asked, "what a provider does not promise is asked for each time"
        monkeypatch.setattr(type(toy.provider), "is_lasting", lambda *_: True)
        client.post(disks)
        asked = len(enumerated)
        assert client.post(disks).body == first
        assert len(enumerated) == asked
        toy.provider.add("Toy_Disk", Name="special|new", Size=1)
        counted.revision += 1
        assert client.post(disks).body.count(b"<VALUE.NAMEDINSTANCE>") == first.count(b"<VALUE.NAMEDINSTANCE>") + 1


def test_what_does_not_last_is_asked_for_each_time(raw: RawClient, toy: Toy) -> None:
    raw.post(PLAIN)
    toy.provider.change("Toy_System", "plain", Caption="changed")
    assert b"changed" in raw.post(PLAIN).body


def test_what_is_asked_again_is_decoded_once(raw: RawClient, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def counted_decode(body: bytes, max_elements: int) -> RawRequest:
        decoded.append(body)
        return decode_request(body, max_elements)

    monkeypatch.setattr(frontend, "decode_request", counted_decode)
    linked = intrinsic("Associators", ObjectName=system("plain"))
    first = raw.post(linked).body
    other = raw.post(re.sub('<MESSAGE ID="[^"]*"', '<MESSAGE ID="another"', linked)).body
    assert re.sub(b'<MESSAGE ID="[^"]*"', b'<MESSAGE ID="another"', first) == other
    toy.provider.change("Toy_Disk", "plain|vda", Size=4711)
    assert b"<VALUE>4711</VALUE>" in raw.post(linked).body
    assert len(decoded) == 1
    assert raw.post(linked, {"CIMObject": "root%2Felsewhere"}).status == 400
    assert len(decoded) == 2
    change = extrinsic("Change", system("plain"), State=value(2))
    assert [raw.post(change).cim_status for _ in range(2)] == [0, 0]
    assert len(decoded) == 4, "what changes something may hold a password, and is not kept"


def test_a_wrong_header_is_refused_all_the_same(
    make_server: Callable[..., RunningServer], toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    Counted(toy, monkeypatch)
    with RawClient(make_server().port) as client:
        assert client.post(PLAIN).status == 200
        assert client.post(PLAIN, {"CIMMethod": "DeleteInstance"}).status == 400
        assert client.post(PLAIN, {"Content-Encoding": "gzip"}).status == 415


def test_a_question_is_of_somebody_and_holds_no_password() -> None:
    headers = CIMultiDict({"CIMMethod": "GetInstance", "AUTHORIZATION": "Basic c2VjcmV0"})
    question = Question.of(UNKNOWN_CALLER, headers, b"body")
    assert question is not None
    assert "c2VjcmV0" not in repr(question)
    other = Question.of(Caller(Principal("other", Mechanism.PASSWORD)), headers, b"body")
    assert other != question
    assert Question.of(UNKNOWN_CALLER, headers, bytes(MAX_BODY + 1)) is None


def put(answers: RepeatedAnswers, question: Question, pieces: Sequence[bytes]) -> None:
    """Have an answer kept, as of the first revision."""
    answers.put(question, 1, pieces, Outgoing(pieces), NOTE)


def test_bounded() -> None:
    def at(revision: int) -> Callable[[str], int]:
        return lambda _: revision

    answers = RepeatedAnswers(3 * (OVERHEAD + 20))
    questions = [Question(NOBODY, "", (), f"{number:010}".encode()) for number in range(5)]
    for each in questions[:3]:
        put(answers, each, [b"", b"", bytes(10)])
    assert answers.get(questions[0], at(1)) is not None
    put(answers, questions[3], [b"", b"", bytes(10)])
    assert [answers.get(each, at(1)) is not None for each in questions] == [True, False, True, True, False]
    put(answers, questions[4], [b"x"] * (MAX_PIECES + 1))
    assert answers.get(questions[4], at(1)) is None
    assert answers.get(questions[0], at(2)) is None
    assert len(answers) == 2
    assert answers.size == 2 * (OVERHEAD + 20)


def test_decoded_requests_are_bounded() -> None:
    requests = DecodedRequests(3 * ((1 + DECODED) * 10 + OVERHEAD))
    questions = [Question(NOBODY, "", (), f"{number:010}".encode(), b"1") for number in range(5)]
    read = RawRequest("1", "1.0", "GetInstance", False, "root/toy", None, ())
    for each in questions[:3]:
        requests.put(each, read)
    assert requests.get(questions[0]) == read
    requests.put(questions[3], read)
    assert [requests.get(each) is not None for each in questions] == [True, False, True, True, False]
    requests.put(questions[3], read)
    assert requests.size == 3 * ((1 + DECODED) * 10 + OVERHEAD)


def test_pieces_that_others_hold_are_kept_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, question = RepeatedAnswers(1 << 20), Question(NOBODY, "", (), b"body")
    pieces = [b"<", b"1", bytes(MAX_WHOLE)]
    put(answers, question, pieces)
    found = answers.get(question, lambda _: 1)
    assert found is not None
    assert (b"".join(found[0].take()), found[1]) == (b"".join(pieces), NOTE)
    assert answers.size < MAX_WHOLE
    answers.sweep()
    assert len(answers) == 1
    later = time.monotonic() + MOMENT + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert answers.get(question, lambda _: 1) is None
    put(answers, question, pieces)
    monkeypatch.setattr(time, "monotonic", lambda: later + MOMENT + 1)
    answers.sweep()
    assert (len(answers), answers.size) == (0, 0)


@pytest.mark.parametrize("size", [10, MAX_WHOLE, 3 * CHUNK])
def test_an_answer_is_given_again_with_the_identifier_of_each_message(size: int) -> None:
    answers = RepeatedAnswers(1 << 20)
    pieces = [b"<", b"1", *[b"x" * 100] * (size // 100), b">"]
    question = Question(NOBODY, "", (), b"body", b"1")
    put(answers, question, pieces)
    for message_id in (b"1", b"234", b"", b"1"):
        found = answers.get(replace(question, message_id=message_id), lambda _: 1)
        assert found is not None
        whole = b"".join([b"<", message_id, *pieces[2:]])
        assert found[0].size == len(whole)
        assert b"".join(found[0].take()) == whole
