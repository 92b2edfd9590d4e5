"""Filters, destinations and subscriptions, as clients really make, change and remove them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pywbem

from tests.bed import Server
from tests.bed.listener import Listener
from tests.bed.server import parameter, text
from tests.bed.views import request_state

FILTER, DESTINATION, SUBSCRIPTION = (
    "CIM_IndicationFilter",
    "CIM_ListenerDestinationCIMXML",
    "CIM_IndicationSubscription",
)
QUERY = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("test:///default") as running:
        yield running


@pytest.fixture
def interop(server: Server) -> Iterator[Any]:
    """A connection to the Interop namespace; what was made there is removed afterwards."""
    with server.pywbem("root/interop") as connection:
        yield connection
        for class_name in ("CIM_AbstractIndicationSubscription", FILTER, "CIM_ListenerDestination"):
            for path in connection.EnumerateInstanceNames(class_name):
                if not is_own(path):
                    connection.DeleteInstance(path)


def is_own(path: Any) -> bool:
    """Whether a filter is one of the server's own."""
    return str(path.keybindings.get("Name")).count(":") == 2


def make(connection: Any, class_name: str, **properties: Any) -> Any:
    return connection.CreateInstance(pywbem.CIMInstance(class_name, properties))


def make_filter(connection: Any, name: str = "f", query: str = QUERY, language: str = "WQL", **more: Any) -> Any:
    return make(connection, FILTER, Name=name, Query=query, QueryLanguage=language, **more)


def make_destination(connection: Any, name: str = "d", url: str = "http://127.0.0.1:9", **more: Any) -> Any:
    return make(connection, DESTINATION, Name=name, Destination=url, **more)


def refusal(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> tuple[int, str]:
    with pytest.raises(pywbem.CIMError) as caught:
        call(*arguments, **keywords)
    return caught.value.status_code, caught.value.status_description


def test_what_a_client_leaves_out_is_filled_in(interop: Any) -> None:
    path = make_filter(interop, SourceNamespaces=["root/virt"])
    made = interop.GetInstance(path)
    assert made["SystemCreationClassName"] == "CIM_ComputerSystem"
    assert made["CreationClassName"] == FILTER
    (manager,) = interop.EnumerateInstances("CIM_ObjectManager")
    assert made["SystemName"] == manager["SystemName"]
    assert made["SourceNamespaces"] == ["root/virt"]
    assert made["Query"] == QUERY
    destination = interop.GetInstance(make_destination(interop))
    assert (destination["Protocol"], destination["PersistenceType"]) == (2, 2)


def test_the_same_objects_are_there_under_each_name_of_the_namespace(server: Server, interop: Any) -> None:
    subscription = make(interop, SUBSCRIPTION, Filter=make_filter(interop), Handler=make_destination(interop))
    assert subscription.keybindings["Filter"].namespace == "root/interop"
    for name in ("interop", "root/PG_InterOp"):
        with server.pywbem(name) as connection:
            (path,) = connection.EnumerateInstanceNames(SUBSCRIPTION)
            assert path.keybindings["Filter"].namespace == name
            found = connection.GetInstance(path)
            assert found["Handler"].namespace == name
            assert (found["SubscriptionState"], found["OnFatalErrorPolicy"]) == (2, 2)


def test_nothing_is_made_twice(interop: Any) -> None:
    named, destination = make_filter(interop), make_destination(interop)
    make(interop, SUBSCRIPTION, Filter=named, Handler=destination)
    for again in (
        lambda: make_filter(interop),
        lambda: make_destination(interop, url="http://127.0.0.1:10"),
        lambda: make(interop, SUBSCRIPTION, Filter=named, Handler=destination),
    ):
        assert refusal(again)[0] == pywbem.CIM_ERR_ALREADY_EXISTS


def test_what_is_in_use_stays(interop: Any) -> None:
    named, destination = make_filter(interop), make_destination(interop)
    subscription = make(interop, SUBSCRIPTION, Filter=named, Handler=destination)
    for path in (named, destination):
        code, words = refusal(interop.DeleteInstance, path)
        assert code == pywbem.CIM_ERR_FAILED
        assert "in use" in words
    for path in (subscription, named, destination):
        interop.DeleteInstance(path)
        assert refusal(interop.GetInstance, path)[0] == pywbem.CIM_ERR_NOT_FOUND


def test_subscriptions_can_be_followed(interop: Any) -> None:
    named, destination = make_filter(interop), make_destination(interop)
    other = make_filter(interop, "other")
    make(interop, SUBSCRIPTION, Filter=named, Handler=destination)
    (far,) = interop.AssociatorNames(named, AssocClass=SUBSCRIPTION)
    assert far.keybindings["Name"] == "d"
    assert interop.AssociatorNames(other, AssocClass=SUBSCRIPTION) == []
    (link,) = interop.References(destination, ResultClass=SUBSCRIPTION)
    assert link["Filter"].keybindings["Name"] == "f"
    assert link["SubscriptionState"] == 2
    (service,) = interop.EnumerateInstances("CIM_IndicationService")
    managed = interop.AssociatorNames(service.path, AssocClass="CIM_ServiceAffectsElement")
    names = [path.keybindings["Name"] for path in managed if "Name" in path.keybindings and not is_own(path)]
    assert sorted(names) == ["d", "f", "other"]
    assert "CIM_FilterCollection" in {path.classname for path in managed}


def test_the_service_says_what_is_true(interop: Any) -> None:
    (service,) = interop.EnumerateInstances("CIM_IndicationService")
    assert service["FilterCreationEnabled"] is True
    assert (service["DeliveryRetryAttempts"], service["DeliveryRetryInterval"]) == (3, 30)
    (capabilities,) = interop.Associators(service.path, AssocClass="CIM_ElementCapabilities")
    assert capabilities["SubscriptionsPersisted"] is True
    assert capabilities["MaxActiveSubscriptions"] == 2000
    (host,) = interop.AssociatorNames(service.path, AssocClass="CIM_HostedService")
    assert host.classname == "CIM_ComputerSystem"
    (profile,) = interop.Associators(service.path, AssocClass="CIM_ElementConformsToProfile")
    assert profile["RegisteredName"] == "Indications"
    (mechanism,) = interop.EnumerateInstances("CIM_CIMXMLCommunicationMechanism")
    assert 9 in mechanism["FunctionalProfilesSupported"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("blah", "Syntax error"),
        ("SELECT * FROM CIM_NoSuchThing", "CIM_NoSuchThing does not exist"),
        ("SELECT * FROM CIM_ComputerSystem", "no class of indications"),
        ("SELECT * FROM CIM_InstMethodCall", "no indications of class CIM_InstMethodCall"),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_Gone", "CIM_Gone does not exist"),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_FilterCollection", "No instance of"),
        (
            "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ComputerSystem "
            "AND SourceInstance ISA CIM_StorageVolume",
            "No instance of",
        ),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance.Nonsense = 1", "property Nonsense"),
        ("SELECT * FROM CIM_InstCreation WHERE PreviousInstance.Name = 'x'", "PreviousInstance"),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance.EnabledState = 'Enabled'", "of type"),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance.ElementName.Length = 1", "Length is asked of something"),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance.EnabledState", "EnabledState"),
        ("SELECT * FROM CIM_InstCreation WHERE SourceInstance.EnabledState = #'Sleeping'", "Sleeping"),
        ("SELECT * FROM CIM_InstModification WHERE SourceInstance.CIM_ComputerSystem::Nonsense = 1", "Nonsense"),
        (
            "SELECT * FROM Test_ComputerSystemCreatedIndication WHERE SourceInstance ISA CIM_LogicalDisk",
            "No instance of",
        ),
    ],
)
@pytest.mark.parametrize("language", ["DMTF:CQL", "WQL"])
def test_a_filter_that_can_select_nothing_is_refused(interop: Any, query: str, words: str, language: str) -> None:
    code, said = refusal(make_filter, interop, query=query, language=language)
    assert code == pywbem.CIM_ERR_INVALID_QUERY
    assert words in said


@pytest.mark.parametrize("language", ["DMTF:CQL", "CQL", "CIM:CQL", "cql", " WQL ", "WQL"])
def test_each_spelling_of_a_language_is_taken(interop: Any, language: str) -> None:
    assert interop.GetInstance(make_filter(interop, language=language))["QueryLanguage"] == language.strip()


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"QueryLanguage": "SQL"}, pywbem.CIM_ERR_QUERY_LANGUAGE_NOT_SUPPORTED, "SQL"),
        ({"QueryLanguage": None}, pywbem.CIM_ERR_INVALID_PARAMETER, "QueryLanguage"),
        ({"Query": " "}, pywbem.CIM_ERR_INVALID_PARAMETER, "Query"),
        ({"SourceNamespaces": ["root/gone"]}, pywbem.CIM_ERR_INVALID_PARAMETER, "root/gone does not exist"),
        ({"SourceNamespaces": ["root/interop"]}, pywbem.CIM_ERR_INVALID_PARAMETER, "expected root/virt"),
        ({"CreationClassName": "CIM_Other"}, pywbem.CIM_ERR_INVALID_PARAMETER, "CIM_Other"),
        ({"Name": "x" * 2000}, pywbem.CIM_ERR_INVALID_PARAMETER, "2000 characters"),
        ({"Nonsense": "1"}, pywbem.CIM_ERR_INVALID_PARAMETER, "Nonsense"),
    ],
)
def test_a_faulty_filter_is_refused(interop: Any, changed: dict[str, Any], code: int, words: str) -> None:
    properties = {"Name": "f", "Query": QUERY, "QueryLanguage": "WQL", **changed}
    given, said = refusal(
        make, interop, FILTER, **{name: value for name, value in properties.items() if value is not None}
    )
    assert (given, words in said) == (code, True), said


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "missing"),
        ("ftp://host:1/", "scheme 'ftp'"),
        ("file:///etc/passwd", "scheme 'file'"),
        ("http://user:secret@host:1/", "a login stands in the URL"),
        ("http://host:1/#part", "a fragment"),
        ("http://host:0/", "port 0"),
        ("http://host:99999/", "no URL"),
        ("http://ho st:1/", "without blanks"),
        ("http:///path", "no name of a host"),
        ("http://under..dots:1", "no name of a host"),
        ("http://[1::2::3]:1/", "no"),
        ("http://host:1/\nX-Header: 1", "printable"),
        ("http://" + "a" * 3000, "at most 2048"),
    ],
)
def test_a_destination_that_cannot_be_is_refused(interop: Any, url: str, words: str) -> None:
    code, said = refusal(make_destination, interop, url=url)
    assert (code, words in said) == (pywbem.CIM_ERR_INVALID_PARAMETER, True), said
    assert "secret" not in said


def test_a_faulty_subscription_is_refused(interop: Any) -> None:
    named, destination = make_filter(interop), make_destination(interop)
    missing, elsewhere = named.copy(), named.copy()
    missing.keybindings["Name"] = "gone"
    elsewhere.namespace = "root/virt"
    for filter_path, properties, code in (
        (missing, {}, pywbem.CIM_ERR_NOT_FOUND),
        (elsewhere, {}, pywbem.CIM_ERR_NOT_FOUND),
        (destination, {}, pywbem.CIM_ERR_INVALID_PARAMETER),
        (named, {"OnFatalErrorPolicy": pywbem.Uint16(9)}, pywbem.CIM_ERR_INVALID_PARAMETER),
        (named, {"SubscriptionState": pywbem.Uint16(1)}, pywbem.CIM_ERR_INVALID_PARAMETER),
        (named, {"SubscriptionDuration": pywbem.Uint64(0)}, pywbem.CIM_ERR_INVALID_PARAMETER),
        (named, {"SubscriptionDuration": pywbem.Uint64(2**64 - 1)}, pywbem.CIM_ERR_INVALID_PARAMETER),
        (named, {"RepeatNotificationPolicy": pywbem.Uint16(1)}, pywbem.CIM_ERR_INVALID_PARAMETER),
        (named, {"RepeatNotificationPolicy": pywbem.Uint16(3)}, pywbem.CIM_ERR_INVALID_PARAMETER),
    ):
        given, said = refusal(make, interop, SUBSCRIPTION, Filter=filter_path, Handler=destination, **properties)
        assert given == code, said


def test_a_subscription_says_what_it_wants_of_repeated_alerts(interop: Any) -> None:
    wishes = {
        "RepeatNotificationPolicy": pywbem.Uint16(3),
        "RepeatNotificationInterval": pywbem.Uint64(60),
        "RepeatNotificationCount": pywbem.Uint16(2),
    }
    path = make(interop, SUBSCRIPTION, Filter=make_filter(interop), Handler=make_destination(interop), **wishes)
    found = interop.GetInstance(path)
    assert {name: found[name] for name in wishes} == wishes
    changed = pywbem.CIMInstance(SUBSCRIPTION, {"SubscriptionState": pywbem.Uint16(4)}, path=path)
    interop.ModifyInstance(changed)
    found = interop.GetInstance(path)
    assert {name: found[name] for name in wishes} == wishes


def test_clients_of_libvirt_cim_change_a_subscription() -> None:
    drop_in = Server("test:///default", config="[compatibility]\nlibvirt_cim = true\n")
    with drop_in, drop_in.pywbem("root/interop") as interop:
        path = make(interop, SUBSCRIPTION, Filter=make_filter(interop), Handler=make_destination(interop))
        interop.ModifyInstance(pywbem.CIMInstance(SUBSCRIPTION, {"SubscriptionState": pywbem.Uint16(4)}, path=path))
        assert interop.GetInstance(path)["SubscriptionState"] == 4


def test_a_filter_and_a_destination_can_be_changed(interop: Any) -> None:
    path = make_filter(interop, SourceNamespaces=["root/virt"])
    changed = interop.GetInstance(path)
    changed["Query"] = "SELECT * FROM CIM_InstCreation"
    interop.ModifyInstance(changed, PropertyList=["Query"])
    found = interop.GetInstance(path)
    assert (found["Query"], found["SourceNamespaces"]) == ("SELECT * FROM CIM_InstCreation", ["root/virt"])
    changed["Query"] = "SELECT * FROM CIM_ComputerSystem"
    assert refusal(interop.ModifyInstance, changed)[0] == pywbem.CIM_ERR_INVALID_QUERY
    assert interop.GetInstance(path) == found
    path = make_destination(interop)
    changed = interop.GetInstance(path)
    changed["Destination"] = "https://127.0.0.1:10/a"
    interop.ModifyInstance(changed)
    assert interop.GetInstance(path)["Destination"] == "https://127.0.0.1:10/a"


def test_a_subscription_can_be_disabled_and_ends_when_its_time_is_over(interop: Any) -> None:
    path = make(interop, SUBSCRIPTION, Filter=make_filter(interop), Handler=make_destination(interop))
    changed = pywbem.CIMInstance(SUBSCRIPTION, {"SubscriptionState": pywbem.Uint16(4)}, path=path)
    interop.ModifyInstance(changed)
    assert interop.GetInstance(path)["SubscriptionState"] == 4
    changed = pywbem.CIMInstance(SUBSCRIPTION, {"SubscriptionDuration": pywbem.Uint64(1000)}, path=path)
    interop.ModifyInstance(changed)
    found = interop.GetInstance(path)
    assert (found["SubscriptionState"], found["SubscriptionDuration"]) == (4, 1000)
    assert 0 < found["SubscriptionTimeRemaining"] <= 1000


def raw(connection: Any, operation: str, inner: str) -> str:
    """Send an operation as bytes, with blanks before the XML declaration, as old clients do."""
    body, headers = connection.prepared(operation, inner)
    status, _, answer = connection.post(b"\n  " + body, headers)
    assert status == 200
    found: str = answer.decode()
    return found


def instance(class_name: str, properties: dict[str, str]) -> str:
    inner = "".join(
        f'<PROPERTY NAME="{name}" TYPE="string"><VALUE>{text(value)}</VALUE></PROPERTY>'
        for name, value in properties.items()
    )
    return f'<INSTANCE CLASSNAME="{class_name}">{inner}</INSTANCE>'


def named(class_name: str, name: str, system: str) -> str:
    keys = {
        "SystemCreationClassName": "CIM_ComputerSystem",
        "SystemName": system,
        "CreationClassName": class_name,
        "Name": name,
    }
    inner = "".join(
        f'<KEYBINDING NAME="{key}"><KEYVALUE VALUETYPE="string">{value}</KEYVALUE></KEYBINDING>'
        for key, value in keys.items()
    )
    return f'<INSTANCENAME CLASSNAME="{class_name}">{inner}</INSTANCENAME>'


def test_libvirt_cims_clients_subscribe_as_they_always_did(server: Server, interop: Any) -> None:
    """Three requests with keys between blanks, the older class of handlers, and the deletion in reverse order."""
    handler = "CIM_IndicationHandlerCIMXML"
    system = "client.example.com"
    with server.client("root/PG_InterOp") as client:
        keys = {"SystemCreationClassName": "CIM_ComputerSystem", "SystemName": system}
        filtered = instance(
            FILTER,
            {
                **keys,
                "CreationClassName": FILTER,
                "Name": " old\n",
                "Query": "\n SELECT * FROM Test_ComputerSystemModifiedIndication \n",
                "QueryLanguage": "WQL",
                "SourceNamespace": "root/virt",
            },
        )
        handled = instance(
            handler,
            {**keys, "CreationClassName": handler, "Name": "old", "Destination": " http://localhost:8000 "},
        )
        for made in (filtered, handled):
            assert "<ERROR" not in raw(client, "CreateInstance", parameter("NewInstance", made))
        references = "".join(
            f'<PROPERTY.REFERENCE NAME="{role}" REFERENCECLASS="{class_name}"><VALUE.REFERENCE>'
            f"{named(class_name, ' old ', system)}</VALUE.REFERENCE></PROPERTY.REFERENCE>"
            for role, class_name in (("Filter", FILTER), ("Handler", handler))
        )
        connected = f'<INSTANCE CLASSNAME="{SUBSCRIPTION}">{references}</INSTANCE>'
        assert "<ERROR" not in raw(client, "CreateInstance", parameter("NewInstance", connected))
        (found,) = interop.EnumerateInstances(SUBSCRIPTION)
        assert found["Handler"].classname == handler
        assert found["Filter"].keybindings["SystemName"] == system
        assert interop.GetInstance(found["Handler"])["Destination"] == "http://localhost:8000"
        keybindings = "".join(
            f'<KEYBINDING NAME="{role}"><VALUE.REFERENCE>{named(class_name, "old", system)}</VALUE.REFERENCE>'
            "</KEYBINDING>"
            for role, class_name in (("Filter", FILTER), ("Handler", handler))
        )
        gone = f'<INSTANCENAME CLASSNAME="{SUBSCRIPTION}">{keybindings}</INSTANCENAME>'
        for path in (gone, named(handler, "old", system), named(FILTER, "old", system)):
            assert "<ERROR" not in raw(client, "DeleteInstance", parameter("InstanceName", path))
        assert interop.EnumerateInstanceNames(SUBSCRIPTION) == []


USERS = """
[roles]
read = ["*"]
operate = ["operator"]
administer = ["bed"]

[indications]
subscribers = "operate"
max_per_user = 2
destinations = ["127.0.0.1", "*.example.com:5990"]
"""


def test_who_may_subscribe_where_to_and_how_often(serve: Callable[..., Server]) -> None:
    server = serve("test:///default", config=USERS)
    passwords = server.directory / "htpasswd"
    line = passwords.read_text().strip().partition(":")[2]
    passwords.write_text(f"bed:{line}\noperator:{line}\nreader:{line}\n")

    def connect(user: str) -> Any:
        return pywbem.WBEMConnection(server.url, (user, server.password), default_namespace="root/interop", timeout=60)

    with connect("reader") as reader, connect("operator") as operator, connect("bed") as administrator:
        assert refusal(make_filter, reader)[0] == pywbem.CIM_ERR_ACCESS_DENIED
        for number in range(2):
            make_filter(operator, f"f{number}")
        code, words = refusal(make_filter, operator, "f2")
        assert code == pywbem.CIM_ERR_SERVER_LIMITS_EXCEEDED
        assert "operator has 2" in words
        path = make_filter(administrator, "g")
        assert refusal(operator.DeleteInstance, path)[0] == pywbem.CIM_ERR_ACCESS_DENIED
        changed = operator.GetInstance(path)
        assert refusal(operator.ModifyInstance, changed)[0] == pywbem.CIM_ERR_ACCESS_DENIED
        mine = [path for path in operator.EnumerateInstanceNames(FILTER) if path.keybindings["Name"] == "f0"]
        administrator.DeleteInstance(mine[0])
        make_destination(administrator, "inside", "https://a.example.com:5990/")
        for url in ("http://10.0.0.1:1", "https://a.example.com:5991/", "https://example.com:5990/"):
            code, words = refusal(make_destination, administrator, "outside", url)
            assert code == pywbem.CIM_ERR_INVALID_PARAMETER
            assert "settings" in words


def test_subscriptions_survive_a_restart(serve: Callable[..., Server]) -> None:
    server = serve("test:///default")
    with server.pywbem("root/interop") as connection:
        named, destination = make_filter(connection), make_destination(connection)
        make(connection, SUBSCRIPTION, Filter=named, Handler=destination)
        before = [connection.EnumerateInstances(each) for each in (FILTER, DESTINATION, SUBSCRIPTION)]
    server.stop()
    server.start()
    with server.pywbem("root/interop") as connection:
        after = [connection.EnumerateInstances(each) for each in (FILTER, DESTINATION, SUBSCRIPTION)]
    assert before == after


def test_the_servers_own_filters_are_subscribed_to_by_their_collection(server: Server, interop: Any) -> None:
    collections = {each["CollectionName"]: each for each in interop.EnumerateInstances("CIM_FilterCollection")}
    assert collections.keys() == {"Virtual System", "Resource Allocation", "Resource Pool", "Job Control", "Alerts"}
    collection = collections["Virtual System"].path
    members = interop.Associators(collection, AssocClass="CIM_MemberOfCollection")
    assert len(members) == 3
    assert {each["Query"].split()[3] for each in members} == {
        "CIM_InstCreation",
        "CIM_InstModification",
        "CIM_InstDeletion",
    }
    assert [each["SourceNamespaces"] for each in members] == [["root/virt"]] * 3
    (back,) = interop.AssociatorNames(members[0].path, AssocClass="CIM_MemberOfCollection")
    assert back.keybindings["InstanceID"] == collection.keybindings["InstanceID"]
    for refused in (
        lambda: interop.DeleteInstance(members[0].path),
        lambda: interop.ModifyInstance(members[0]),
        lambda: interop.DeleteInstance(collection),
    ):
        assert refusal(refused)[0] == pywbem.CIM_ERR_NOT_SUPPORTED
    with Listener() as listener:
        destination = make_destination(interop, url=listener.url)
        path = make(interop, "CIM_FilterCollectionSubscription", Filter=collection, Handler=destination)
        assert interop.GetInstance(path)["SubscriptionState"] == 2
        again = {"Filter": collection, "Handler": destination}
        code, _ = refusal(make, interop, "CIM_FilterCollectionSubscription", **again)
        assert code == pywbem.CIM_ERR_ALREADY_EXISTS
        assert request_state(server, "test", 9, "Test_ComputerSystem") == 0
        told = listener.wait_for(1)[0]
        assert told["IndicationFilterName"] == "virtcim:Virtual System:Modification"
        assert request_state(server, "test", 2, "Test_ComputerSystem") == 0
        assert interop.EnumerateInstanceNames(SUBSCRIPTION) == []
