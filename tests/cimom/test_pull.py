"""Pulled enumerations: opening, pulling, closing, their limits, and what changes underneath."""

from __future__ import annotations

import base64
import gc
import threading
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.cimom.harness import RawClient, Response, RunningServer, array, class_name, instance_name, intrinsic, value
from tests.cimom.harness import system as system_path
from tests.cimom.toy import Toy, ToyInstance
from virtcim.cimom.capabilities import FunctionalProfile, server_capabilities
from virtcim.cimom.pull import Enumeration, Enumerations, pull_limits
from virtcim.cimom.requests import INTRINSIC_OPERATIONS
from virtcim.cimom.results import PullKind
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cimxml.encode import Body, Table
from virtcim.frontends.http.auth import BasicAuthenticator, NoAuthentication, PasswordFile
from virtcim.providers.interface import CIMError, Instance, RequestContext, Status

PLAIN = pywbem.CIMInstanceName("Toy_System", {"CreationClassName": "Toy_System", "Name": "plain"}, namespace="root/toy")


def outputs(response: Response) -> tuple[bool, str | None]:
    """EndOfSequence and EnumerationContext."""
    values = {each.get("NAME"): each.findtext("VALUE") for each in response.xml.iter("PARAMVALUE")}
    assert set(values) == {"EndOfSequence", "EnumerationContext"}
    return values["EndOfSequence"] == "TRUE", values["EnumerationContext"]


def opened(raw: RawClient, operation: str = "OpenEnumerateInstances", **parameters: str) -> str:
    """Open an enumeration that has more to come, and give its context."""
    if "InstanceName" not in parameters:
        parameters.setdefault("ClassName", class_name("Toy_System"))
    response = raw.post(intrinsic(operation, **parameters))
    assert response.cim_status == 0, response.description
    end, context = outputs(response)
    assert not end
    assert context
    return context


def pull(
    raw: RawClient,
    context: str,
    count: int = 1,
    operation: str = "PullInstancesWithPath",
    namespace: str = "root/toy",
) -> Response:
    parameters = {"EnumerationContext": value(context), "MaxObjectCount": value(count)}
    return raw.post(intrinsic(operation, namespace, **parameters))


def close(raw: RawClient, context: str) -> Response:
    return raw.post(intrinsic("CloseEnumeration", EnumerationContext=value(context)))


def names(response: Response) -> list[str]:
    return [
        each.findtext("KEYBINDING[@NAME='Name']/KEYVALUE") or ""
        for each in response.xml.iter("INSTANCENAME")
        if each.getparent().tag == "INSTANCEPATH"  # type: ignore[union-attr]
    ]


@pytest.fixture
def puller(server: RunningServer) -> Iterable[pywbem.WBEMConnection]:
    client = pywbem.WBEMConnection(server.url, default_namespace="root/toy", use_pull_operations=True)
    yield client
    client.close()


def same_instances(left: Iterable[Any], right: Iterable[Any]) -> None:
    """The same instances in the same order; the host is in pulled paths only."""

    def plain(instance: Any) -> Any:
        copy = instance.copy()
        copy.path.host = None
        return copy

    assert [plain(each) for each in left] == [plain(each) for each in right]


@pytest.mark.parametrize("count", [1, 3, 1000])
@pytest.mark.parametrize("asked", ["Toy_System", "toy_element", "Toy_SystemDevice", "Toy_Single"])
def test_iterating_classes(puller: pywbem.WBEMConnection, asked: str, count: int) -> None:
    same_instances(puller.IterEnumerateInstances(asked, MaxObjectCount=count), puller.EnumerateInstances(asked))
    paths = list(puller.IterEnumerateInstancePaths(asked, MaxObjectCount=count))
    assert {each.host for each in paths} <= {"toyhost"}
    for each in paths:
        each.host = None
    assert paths == puller.EnumerateInstanceNames(asked)


@pytest.mark.parametrize(
    "options",
    [{}, {"DeepInheritance": False}, {"PropertyList": ["Name", "caption"]}, {"IncludeClassOrigin": True}],
)
def test_iterating_with_options(puller: pywbem.WBEMConnection, options: dict[str, Any]) -> None:
    pulled = puller.IterEnumerateInstances("Toy_Named", MaxObjectCount=2, **options)
    same_instances(pulled, puller.EnumerateInstances("Toy_Named", **options))


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize(
    "options", [{}, {"ResultClass": "Toy_System"}, {"Role": "antecedent"}, {"AssocClass": "Toy_SystemDevice"}]
)
def test_iterating_associations(puller: pywbem.WBEMConnection, options: dict[str, Any], count: int) -> None:
    same_instances(
        puller.IterAssociatorInstances(PLAIN, MaxObjectCount=count, **options), puller.Associators(PLAIN, **options)
    )
    pulled = list(puller.IterAssociatorInstancePaths(PLAIN, MaxObjectCount=count, **options))
    assert pulled == puller.AssociatorNames(PLAIN, **options)
    options = {name: given for name, given in options.items() if name == "Role"}
    same_instances(
        puller.IterReferenceInstances(PLAIN, MaxObjectCount=count, **options), puller.References(PLAIN, **options)
    )
    pulled = list(puller.IterReferenceInstancePaths(PLAIN, MaxObjectCount=count, **options))
    assert pulled == puller.ReferenceNames(PLAIN, **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Size > 1", {"plain|vdb", "special|vda"}),
        ("Name LIKE 'plain.*' AND NOT Size = 1", {"plain|vdb"}),
        ("Size > 100", set()),
    ],
)
def test_filters(puller: pywbem.WBEMConnection, text: str, expected: set[str]) -> None:
    options = {"FilterQueryLanguage": "DMTF:FQL", "FilterQuery": text, "MaxObjectCount": 1}
    assert {each["Name"] for each in puller.IterEnumerateInstances("Toy_Disk", **options)} == expected
    trimmed = puller.IterEnumerateInstances("Toy_Disk", PropertyList=["Name"], **options)
    assert {each["Name"] for each in trimmed} == expected
    assert {each["Name"] for each in puller.IterEnumerateInstancePaths("Toy_Disk", **options)} == expected
    expected = {name for name in expected if name.startswith("plain")}
    options["AssocClass"] = "Toy_SystemDevice"
    assert {each["Name"] for each in puller.IterAssociatorInstances(PLAIN, **options)} == expected
    assert {each["Name"] for each in puller.IterAssociatorInstancePaths(PLAIN, **options)} == expected


def test_filtered_references(puller: pywbem.WBEMConnection) -> None:
    options = {"FilterQueryLanguage": "DMTF:FQL", "FilterQuery": "Slot = 9", "MaxObjectCount": 10}
    assert len(list(puller.IterReferenceInstances(PLAIN, **options))) == 2
    options["FilterQuery"] = "Slot = 8"
    assert list(puller.IterReferenceInstancePaths(PLAIN, **options)) == []


def test_pulls_of_any_size_yield_everything_once(puller: pywbem.WBEMConnection) -> None:
    result = puller.OpenEnumerateInstancePaths("Toy_System", MaxObjectCount=2)
    found = list(result.paths)
    for count in (1, 0, 5, 2, 1000):
        assert not result.eos
        result = puller.PullInstancePaths(result.context, count)
        assert len(result.paths) <= count
        found += result.paths
    assert result.eos
    assert result.context is None
    assert len(found) == len({each["Name"] for each in found}) == 13


def test_closing(puller: pywbem.WBEMConnection, server: RunningServer) -> None:
    context = puller.OpenEnumerateInstances("Toy_System", MaxObjectCount=1).context
    assert len(server.server.core.enumerations) == 1
    puller.CloseEnumeration(context)
    assert len(server.server.core.enumerations) == 0
    operations: list[Callable[[], object]] = [
        lambda: puller.CloseEnumeration(context),
        lambda: puller.PullInstancesWithPath(context, 1),
    ]
    for operation in operations:
        with pytest.raises(pywbem.CIMError) as error:
            operation()
        assert error.value.status_code == Status.INVALID_ENUMERATION_CONTEXT


def test_output_parameters(raw: RawClient) -> None:
    response = raw.post(intrinsic("OpenEnumerateInstances", ClassName=class_name("Toy_Single")))
    assert outputs(response)[0] is False
    assert b"<IRETURNVALUE></IRETURNVALUE><PARAMVALUE" in response.body
    response = pull(raw, outputs(response)[1] or "", 1)
    assert b'<PARAMVALUE NAME="EndOfSequence" PARAMTYPE="boolean"><VALUE>TRUE</VALUE></PARAMVALUE>' in response.body
    assert b'<PARAMVALUE NAME="EnumerationContext" PARAMTYPE="string"></PARAMVALUE>' in response.body
    assert [each.tag for each in response.xml.findall(".//IRETURNVALUE/*")] == ["VALUE.INSTANCEWITHPATH"]
    response = raw.post(
        intrinsic("OpenEnumerateInstancePaths", ClassName=class_name("Toy_Single"), MaxObjectCount=value(1))
    )
    assert outputs(response) == (True, None)
    assert [each.tag for each in response.xml.findall(".//IRETURNVALUE/*")] == ["INSTANCEPATH"]


def test_nothing_there_ends_at_once(raw: RawClient, toy: Toy) -> None:
    toy.provider.stores["Toy_Disk"].clear()
    response = raw.post(intrinsic("OpenEnumerateInstances", ClassName=class_name("Toy_Disk")))
    assert outputs(response) == (True, None)


SYSTEMS = {"ClassName": class_name("Toy_System")}
SOURCE = {"InstanceName": system_path("plain")}


@pytest.mark.parametrize(
    ("operation", "parameters", "status"),
    [
        ("OpenEnumerateInstances", {}, Status.INVALID_PARAMETER),
        ("OpenEnumerateInstances", {"ClassName": class_name("Toy_None")}, Status.INVALID_CLASS),
        ("OpenEnumerateInstancePaths", {"ClassName": class_name("Toy_None")}, Status.INVALID_CLASS),
        ("OpenEnumerateInstances", {**SYSTEMS, "IncludeQualifiers": value("true")}, Status.INVALID_PARAMETER),
        ("OpenEnumerateInstances", {**SYSTEMS, "MaxObjectCount": value(-1)}, Status.INVALID_PARAMETER),
        ("OpenEnumerateInstances", {**SYSTEMS, "MaxObjectCount": value(2**32)}, Status.INVALID_PARAMETER),
        ("OpenEnumerateInstances", {**SYSTEMS, "MaxObjectCount": array([1])}, Status.INVALID_PARAMETER),
        ("OpenEnumerateInstances", {**SYSTEMS, "MaxObjectCount": ""}, 0),
        ("OpenEnumerateInstances", {**SYSTEMS, "OperationTimeout": ""}, 0),
        ("OpenEnumerateInstances", {**SYSTEMS, "OperationTimeout": value(1)}, 0),
        ("OpenEnumerateInstances", {**SYSTEMS, "OperationTimeout": value(600)}, 0),
        ("OpenEnumerateInstances", {**SYSTEMS, "OperationTimeout": value(601)}, Status.INVALID_OPERATION_TIMEOUT),
        ("OpenEnumerateInstances", {**SYSTEMS, "OperationTimeout": value(0)}, Status.INVALID_OPERATION_TIMEOUT),
        ("OpenReferenceInstances", {**SOURCE, "OperationTimeout": value(0)}, Status.INVALID_OPERATION_TIMEOUT),
        ("OpenEnumerateInstances", {**SYSTEMS, "OperationTimeout": value("soon")}, Status.INVALID_PARAMETER),
        ("OpenEnumerateInstances", {**SYSTEMS, "ContinueOnError": value("true")}, 0),
        ("OpenEnumerateInstances", {**SYSTEMS, "FilterQuery": value("Name = 'x'")}, Status.INVALID_PARAMETER),
        ("OpenEnumerateInstances", {**SYSTEMS, "FilterQueryLanguage": value("DMTF:FQL")}, Status.INVALID_PARAMETER),
        (
            "OpenEnumerateInstances",
            {**SYSTEMS, "FilterQueryLanguage": value("WQL"), "FilterQuery": value("SELECT * FROM Toy_System")},
            Status.QUERY_LANGUAGE_NOT_SUPPORTED,
        ),
        (
            "OpenEnumerateInstancePaths",
            {**SYSTEMS, "FilterQueryLanguage": value("DMTF:FQL"), "FilterQuery": value("Name =")},
            Status.INVALID_QUERY,
        ),
        (
            "OpenEnumerateInstances",
            {**SYSTEMS, "FilterQueryLanguage": value("DMTF:FQL"), "FilterQuery": value("Nonsense = 1")},
            Status.INVALID_QUERY,
        ),
        ("OpenAssociatorInstances", {"InstanceName": class_name("Toy_System")}, Status.INVALID_PARAMETER),
        ("OpenAssociatorInstances", {"InstanceName": system_path("absent")}, Status.NOT_FOUND),
        ("OpenAssociatorInstancePaths", {**SOURCE, "AssocClass": class_name("Toy_None")}, Status.INVALID_PARAMETER),
        ("OpenReferenceInstances", {**SOURCE, "AssocClass": class_name("Toy_Partner")}, Status.INVALID_PARAMETER),
        ("PullInstancesWithPath", {"EnumerationContext": value("x")}, Status.INVALID_PARAMETER),
        ("PullInstancesWithPath", {"MaxObjectCount": value(1)}, Status.INVALID_PARAMETER),
        ("PullInstancePaths", {"EnumerationContext": value("x"), "MaxObjectCount": value(1)}, 21),
        ("PullInstances", {"EnumerationContext": value(""), "MaxObjectCount": value(1)}, 21),
        ("CloseEnumeration", {"EnumerationContext": value("x")}, 21),
        ("CloseEnumeration", {}, Status.INVALID_PARAMETER),
        ("EnumerationCount", {"EnumerationContext": value("x")}, Status.NOT_SUPPORTED),
    ],
)
def test_parameters(raw: RawClient, operation: str, parameters: dict[str, str], status: int) -> None:
    response = raw.post(intrinsic(operation, **parameters))
    assert response.cim_status == status
    if not status:
        outputs(response)


def test_contexts_are_bound_to_kind_and_namespace(raw: RawClient) -> None:
    context = opened(raw)
    for operation in ("PullInstancePaths", "PullInstances"):
        assert pull(raw, context, 1, operation).cim_status == Status.INVALID_ENUMERATION_CONTEXT
    assert pull(raw, context, 1, namespace="root/far").cim_status == Status.INVALID_ENUMERATION_CONTEXT
    assert pull(raw, context, 1).cim_status == 0
    paths = opened(raw, "OpenReferenceInstancePaths", **SOURCE)
    assert pull(raw, paths, 1).cim_status == Status.INVALID_ENUMERATION_CONTEXT
    assert pull(raw, paths, 1, "PullInstancePaths").cim_status == 0


@pytest.fixture
def two_users(tmp_path: Path) -> BasicAuthenticator:
    (tmp_path / "password").write_text("anna:a\nbert:b\n")
    return BasicAuthenticator(PasswordFile(tmp_path / "password"))


ANNA: dict[str, str | None] = {"Authorization": f"Basic {base64.b64encode(b'anna:a').decode()}"}
BERT: dict[str, str | None] = {"Authorization": f"Basic {base64.b64encode(b'bert:b').decode()}"}


def test_contexts_are_bound_to_their_user(
    make_server: Callable[..., RunningServer], two_users: BasicAuthenticator
) -> None:
    server = make_server(two_users)
    with RawClient(server.port) as anna, RawClient(server.port) as bert:
        anna.headers, bert.headers = ANNA, BERT
        context = opened(anna)
        assert len(context) >= 32
        assert context != opened(anna)
        assert pull(bert, context).cim_status == Status.INVALID_ENUMERATION_CONTEXT
        assert close(bert, context).cim_status == Status.INVALID_ENUMERATION_CONTEXT
        assert pull(anna, context).cim_status == 0


def test_limits(make_server: Callable[..., RunningServer], two_users: BasicAuthenticator) -> None:
    server = make_server(two_users, pull_max_open=5, pull_max_open_per_user=3, pull_max_objects=4, pull_max_empty=2)
    with RawClient(server.port) as anna, RawClient(server.port) as bert:
        anna.headers, bert.headers = ANNA, BERT
        contexts = [opened(anna) for _ in range(3)]
        refused = anna.post(intrinsic("OpenEnumerateInstances", **SYSTEMS))
        assert refused.cim_status == Status.SERVER_LIMITS_EXCEEDED
        others = [opened(bert) for _ in range(2)]
        assert bert.post(intrinsic("OpenEnumerateInstances", **SYSTEMS)).cim_status == Status.SERVER_LIMITS_EXCEEDED
        whole = anna.post(
            intrinsic("OpenEnumerateInstances", ClassName=class_name("Toy_Disk"), MaxObjectCount=value(4))
        )
        assert outputs(whole) == (True, None), "what is not kept is not limited"
        assert len(names(pull(anna, contexts[0], 1000))) == 4
        for _ in range(2):
            assert pull(anna, contexts[1], 0).cim_status == 0
        assert pull(anna, contexts[1], 1).cim_status == 0
        for _ in range(2):
            assert pull(anna, contexts[1], 0).cim_status == 0
        assert pull(anna, contexts[1], 0).cim_status == Status.SERVER_LIMITS_EXCEEDED
        assert pull(anna, contexts[1], 1).cim_status == Status.INVALID_ENUMERATION_CONTEXT
        opened(anna)
        assert close(bert, others[0]).cim_status == 0
        opened(bert)


def test_held_instances_are_limited(make_server: Callable[..., RunningServer]) -> None:
    server = make_server(pull_max_held=20)
    with RawClient(server.port) as raw:
        context = opened(raw)
        response = raw.post(intrinsic("OpenEnumerateInstances", **SYSTEMS))
        assert response.cim_status == Status.SERVER_LIMITS_EXCEEDED
        pull(raw, context, 6)
        opened(raw)


def test_changes_underneath(puller: pywbem.WBEMConnection, toy: Toy) -> None:
    """No instance comes twice, and none is lost that was there all the time."""
    before = {each["Name"] for each in puller.EnumerateInstanceNames("Toy_System")}
    result = puller.OpenEnumerateInstances("Toy_System", MaxObjectCount=3)
    found = [each["Name"] for each in result.instances]
    systems = toy.provider.stores["Toy_System"]
    del systems["typed"], systems[found[0]]
    toy.provider.add("Toy_System", Name="new")
    toy.provider.change("Toy_System", found[1], Caption="changed")
    while not result.eos:
        result = puller.PullInstancesWithPath(result.context, 2)
        found += [each["Name"] for each in result.instances]
    assert len(found) == len(set(found))
    assert before - {"typed"} <= set(found) <= before | {"new"}
    captions = {each["Name"]: each["Caption"] for each in puller.IterEnumerateInstances("Toy_System", MaxObjectCount=9)}
    assert captions[found[1]] == "changed"


def test_nothing_is_written_ahead(raw: RawClient, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    body = Table.body

    def counting(self: Table, properties: Any) -> Body:
        written.append(properties["Name"])
        return body(self, properties)

    monkeypatch.setattr(Table, "body", counting)
    context = opened(raw)
    assert not written
    pull(raw, context, 2)
    assert len(written) == 2
    pull(raw, opened(raw), 2)
    assert len(written) == 2, "the cache has them"


def test_an_open_enumeration_costs_no_copies(toy: Toy) -> None:
    for number in range(5000):
        toy.provider.add("Toy_Disk", Name=f"disk{number}", Caption="x" * 1000)
    instances = list(toy.provider.instances("Toy_Disk", RequestContext("root/toy")))
    gc.collect()
    tracemalloc.start()
    enumeration = Enumeration(PullKind.INSTANCE_PATHS, instances)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(enumeration.waiting) == 5003
    assert size < 5003 * 16


@pytest.mark.parametrize("going_on", ["true", "false"])
def test_broken_instances(raw: RawClient, toy: Toy, going_on: str) -> None:
    toy.provider.stores["Toy_System"]["a/b"] = Broken("a/b")
    context = opened(raw, ContinueOnError=value(going_on), MaxObjectCount=value(1))
    errors, found, end = 0, ["plain"], False
    for _ in range(20):
        response = pull(raw, context, 3)
        if response.cim_status:
            assert response.cim_status == Status.FAILED
            assert "Toy_System" in response.description
            errors += 1
            continue
        found += names(response)
        end, _ = outputs(response)
        if end:
            break
    assert end
    assert len(found) == 12
    assert errors == (1 if going_on == "true" else 0)


class Broken(ToyInstance):
    """An instance whose properties cannot be read."""

    def __init__(self, name: str) -> None:
        super().__init__("Toy_System", {"Name": name})

    def properties(self) -> Any:
        raise RuntimeError("broken")


@pytest.mark.parametrize("operation", ["OpenEnumerateInstances", "OpenEnumerateInstancePaths"])
@pytest.mark.parametrize("going_on", ["true", "false"])
def test_failing_classes(
    raw: RawClient, toy: Toy, monkeypatch: pytest.MonkeyPatch, operation: str, going_on: str
) -> None:
    instances = toy.provider.instances

    def partly(asked: str, context: RequestContext) -> Iterable[Instance]:
        if asked == "Toy_SpecialSystem":
            raise CIMError(Status.ACCESS_DENIED, "no entry", 45)
        return instances(asked, context)

    monkeypatch.setattr(toy.provider, "instances", partly)
    context = opened(raw, operation, ContinueOnError=value(going_on), MaxObjectCount=value(3))
    pulling = "PullInstancesWithPath" if operation == "OpenEnumerateInstances" else "PullInstancePaths"
    response = pull(raw, context, 100, pulling)
    assert len(names(response)) == 9
    if going_on == "false":
        assert outputs(response) == (True, None)
        return
    assert outputs(response) == (False, context)
    response = pull(raw, context, 100, pulling)
    assert (response.cim_status, response.description) == (Status.ACCESS_DENIED, "no entry")
    assert outputs(pull(raw, context, 100, pulling)) == (True, None)
    failed = raw.post(intrinsic(operation, ClassName=class_name("Toy_SpecialSystem"), ContinueOnError=value(going_on)))
    assert failed.cim_status == Status.ACCESS_DENIED


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def numbered(count: int) -> list[Instance | CIMError]:
    return [ToyInstance("Toy_Single", {"Number": number}) for number in range(count)]


def add(enumerations: Enumerations, count: int = 10, **options: Any) -> Enumeration:
    enumeration = Enumeration(PullKind.INSTANCES, numbered(count), **options)
    enumerations.add(enumeration, "anna", "root/toy", enumerations.timeout(None))
    return enumeration


def take(enumerations: Enumerations, enumeration: Enumeration, count: int = 1) -> tuple[list[Any], str | None]:
    taken, _, context = enumerations.pull(enumeration.context, "anna", "root/toy", PullKind.INSTANCES, count)
    return [each.identity for each in taken], context


def status_of(action: Callable[[], Any]) -> Status:
    with pytest.raises(CIMError) as error:
        action()
    return error.value.status


def test_enumerations_expire() -> None:
    clock = Clock()
    enumerations = Enumerations(ServerSettings(pull_timeout=30), clock)
    first, second = add(enumerations), add(enumerations)
    clock.now += 29
    assert take(enumerations, first, 0) == ([], first.context)
    clock.now += 2
    assert status_of(lambda: take(enumerations, second)) == Status.INVALID_ENUMERATION_CONTEXT
    assert take(enumerations, first)[0] == [0]
    enumerations.sweep()
    assert len(enumerations) == 1
    clock.now += 31
    enumerations.sweep()
    assert len(enumerations) == enumerations.held == 0


@pytest.mark.parametrize(("unlimited", "expected"), [(True, float("inf")), (False, None)])
def test_no_timeout(unlimited: bool, expected: float | None) -> None:
    clock = Clock()
    enumerations = Enumerations(ServerSettings(pull_unlimited=unlimited), clock)
    if expected is None:
        assert status_of(lambda: enumerations.timeout(0)) == Status.INVALID_OPERATION_TIMEOUT
        return
    enumeration = Enumeration(PullKind.INSTANCES, numbered(2))
    enumerations.add(enumeration, "anna", "root/toy", enumerations.timeout(0))
    clock.now += 1e9
    enumerations.sweep()
    assert take(enumerations, enumeration)[0] == [0]


def test_parallel_pulls_share() -> None:
    enumerations = Enumerations(ServerSettings())
    enumeration = add(enumerations, 2000)
    found: list[int] = []
    refused: list[Status] = []

    def work() -> None:
        while True:
            try:
                pieces, context = take(enumerations, enumeration, 7)
            except CIMError as exc:
                refused.append(exc.status)
                return
            found.extend(pieces)
            if context is None:
                return

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert sorted(found) == list(range(2000))
    assert refused == [Status.INVALID_ENUMERATION_CONTEXT] * 7
    assert len(enumerations) == 0


def test_closing_during_a_pull_abandons_it() -> None:
    enumerations = Enumerations(ServerSettings())
    at_it, closed = threading.Event(), threading.Event()

    def slow(instance: Instance) -> bool:
        at_it.set()
        return closed.wait(60)

    enumeration = add(enumerations, selects=slow)
    statuses: list[Status] = []
    thread = threading.Thread(target=lambda: statuses.append(status_of(lambda: take(enumerations, enumeration, 5))))
    thread.start()
    assert at_it.wait(60)
    enumerations.close(enumeration.context, "anna", "root/toy")
    closed.set()
    thread.join(60)
    assert statuses == [Status.PULL_HAS_BEEN_ABANDONED]
    assert len(enumeration.waiting) >= 9
    assert status_of(lambda: take(enumerations, enumeration)) == Status.INVALID_ENUMERATION_CONTEXT


def test_pulling_holds_off_expiry() -> None:
    clock = Clock()
    enumerations = Enumerations(ServerSettings(pull_timeout=1), clock)

    def slow(instance: Instance) -> bool:
        clock.now += 10
        enumerations.sweep()
        return True

    enumeration = add(enumerations, selects=slow)
    assert take(enumerations, enumeration, 3) == ([0, 1, 2], enumeration.context)


def test_pulls_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtcim.cimom.pull.PULL_SECONDS", 0.0)
    enumerations = Enumerations(ServerSettings())
    enumeration = add(enumerations)
    assert take(enumerations, enumeration, 5) == ([], enumeration.context)


def test_a_server_that_stops_opens_and_pulls_no_more() -> None:
    enumerations = Enumerations(ServerSettings())
    enumeration = add(enumerations)
    enumerations.stop()
    for action in (
        lambda: enumerations.timeout(None),
        lambda: take(enumerations, enumeration),
        lambda: enumerations.close(enumeration.context, "anna", "root/toy"),
        lambda: enumerations.add(enumeration, "anna", "root/toy", 1.0),
    ):
        assert status_of(action) == Status.SERVER_IS_SHUTTING_DOWN


def test_contention(make_server: Callable[..., RunningServer], toy: Toy) -> None:
    """Many clients open, pull, close and leave, while instances come and go."""
    for number in range(300):
        toy.provider.add("Toy_System", Name=f"guest{number}")
    server = make_server(pull_max_open=40, pull_max_open_per_user=40)
    faults: list[str] = []
    done = threading.Event()

    def client(seed: int) -> None:
        with RawClient(server.port) as raw:
            for turn in range(6):
                found: list[str] = []
                response = raw.post(intrinsic("OpenEnumerateInstances", **SYSTEMS, MaxObjectCount=value(seed)))
                while response.cim_status == 0:
                    found += names(response)
                    end, context = outputs(response)
                    if end:
                        break
                    if turn == 3 and len(found) > 100:
                        close(raw, context or "")
                        break
                    response = pull(raw, context or "", 37 + seed)
                if response.cim_status:
                    faults.append(response.description)
                if len(found) != len(set(found)) or (turn != 3 and len(found) < 200):
                    faults.append(f"{len(found)} found, {len(set(found))} different")

    def disturb() -> None:
        number = 0
        while not done.wait(0.002):
            number += 1
            toy.provider.change("Toy_System", f"guest{number % 250}", Caption=str(number))
            toy.provider.stores["Toy_System"].pop(f"extra{number - 5}", None)
            toy.provider.add("Toy_System", Name=f"extra{number}")

    disturber = threading.Thread(target=disturb)
    disturber.start()
    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(12)]
    for each in clients:
        each.start()
    for each in clients:
        each.join(60)
    done.set()
    disturber.join()
    assert not faults
    assert len(server.server.core.enumerations) == 0


def test_what_is_told_of_it(toy: Toy) -> None:
    settings = ServerSettings(pull_min_timeout=5, pull_max_timeout=90)
    told = server_capabilities(toy.catalog, INTRINSIC_OPERATIONS, NoAuthentication(), pull_limits(settings))
    assert {FunctionalProfile.PULLED_READ, FunctionalProfile.PULLED_QUERY_EXECUTION} <= set(told.functional_profiles)
    assert FunctionalProfile.PULLED_READ_COUNT not in told.functional_profiles
    assert told.filters
    assert told.pull is not None
    assert (told.pull.minimum_timeout, told.pull.maximum_timeout, told.pull.no_timeout) == (5, 90, False)


def test_links_are_held_by_their_ends(raw: RawClient, toy: Toy) -> None:
    context = opened(raw, "OpenReferenceInstances", InstanceName=system_path("plain"))
    toy.provider.stores["Toy_Disk"].clear()
    response = pull(raw, context, 10)
    assert response.cim_status == 0
    assert outputs(response) == (True, None)


def test_source_given_by_another_class(raw: RawClient) -> None:
    other = instance_name("Toy_Disk", CreationClassName="Toy_Disk", Name="plain|vda")
    response = raw.post(intrinsic("OpenAssociatorInstancePaths", InstanceName=other, MaxObjectCount=value(5)))
    assert names(response) == ["plain"]
