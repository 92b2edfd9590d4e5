"""The REST front end of a whole server: summaries, what happens, sessions that end meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest

from tests.bed import Server, wait_until
from tests.frontends.client import Client, Follower, basic

SPACE = "/api/namespaces/root%2Fvirt"
GUEST = f"{SPACE}/instances/Test_ComputerSystem/CreationClassName=Test_ComputerSystem,Name=test"
RUN, PAUSE = 2, 9


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server on libvirt's test driver that keeps little of what happened."""
    with Server("test:///default", config="[indications]\nmax_streams = 3\nstream_bytes = 100000\n") as running:
        yield running


@pytest.fixture
def client(server: Server) -> Client:
    assert server.user is not None
    return Client(server.port, {"Authorization": basic(server.user, server.password)})


@pytest.fixture
def follow(client: Client) -> Iterator[Callable[..., Follower]]:
    """Opens streams, and closes them."""
    opened: list[Follower] = []

    def start(target: str = "/api/events", last: str = "", using: Client | None = None) -> Follower:
        opened.append(Follower(using or client, target, last))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def bring(client: Client, state: int) -> None:
    """Bring the guest into a state."""
    answer = client.ask("POST", f"{GUEST}/methods/RequestStateChange", {"parameters": {"RequestedState": state}})
    assert answer.json["ReturnValue"] == 0, answer.body


def until_state(stream: Follower, state: int) -> dict[str, object]:
    """The next event that says that the guest is in a state."""
    for kind, data in stream:
        assert kind != "gap"
        if data.get("class") == "Test_ComputerSystem" and data["properties"].get("EnabledState") == state:
            found: dict[str, object] = data
            return found
    raise AssertionError("the stream has ended")


def test_a_summary(client: Client) -> None:
    (guest,) = client.get(f"{SPACE}/summary")["summaries"]
    assert guest["class"] == "Virt_GuestSummary"
    assert guest["properties"]["Name"] == "test"
    assert guest["href"] == GUEST
    assert client.get(guest["href"])["properties"]["Name"] == "test"
    assert client.ask("GET", f"{SPACE}/summary?width=1").json["name"] == "INVALID_PARAMETER"


def test_a_summary_of_some(client: Client) -> None:
    some = f"{SPACE}/summary?guests={quote('Test_ComputerSystem/test,KVM_ComputerSystem/test', safe='')}"
    assert [each["properties"]["Name"] for each in client.get(some)["summaries"]] == ["test"]
    assert client.ask("GET", f"{SPACE}/summary?guests=Test_ComputerSystem%2Fnone").status == 404
    unknown = client.ask("GET", f"{SPACE}/summary?guests=Tset_ComputerSystem%2Ftest")
    assert (unknown.status, "class Tset_ComputerSystem does not exist" in unknown.json["message"]) == (400, True)
    table = client.get(f"{SPACE}/summary?columns=Name,enabledstate,Addresses")
    assert table == {"columns": ["Name", "EnabledState", "Addresses"], "rows": [["test", RUN, None]]}
    assert client.ask("GET", f"{SPACE}/summary?columns=Name,Nothing").status == 400
    page = client.get(f"{SPACE}/summary?max=1&after={quote('Test_ComputerSystem/a', safe='')}")
    assert [each["properties"]["Name"] for each in page["summaries"]] == ["test"]
    assert "next" not in page
    many = ",".join(["A/b"] * 501)
    assert client.ask("GET", f"{SPACE}/summary?guests={many}").status == 400


def test_summaries_come_page_by_page(tmp_path: Path) -> None:
    names = ["a", "b,c", "d%2Ce", "f g", "<i>", "&"]
    domain = "<domain type='test'><name>{}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    node = tmp_path / "node.xml"
    node.write_text(f"<node>{''.join(domain.format(escape(name)) for name in names)}</node>")
    with Server(f"test://{node}") as server:
        assert server.user is not None
        client = Client(server.port, {"Authorization": basic(server.user, server.password)})
        wait_until(lambda: len(client.get(f"{SPACE}/summary")["summaries"]) == len(names))
        first = client.get(f"{SPACE}/summary?max=2")
        seen = [each["properties"]["Name"] for each in first["summaries"]]
        assert seen == sorted(names)[:2]
        # What is on no page any more is passed over, though its name was read with the first one.
        gone = f"{SPACE}/instances/Test_ComputerSystem/CreationClassName=Test_ComputerSystem,Name=a"
        (service,) = client.get(f"{SPACE}/classes/Test_VirtualSystemManagementService/instances")["instances"]
        for method, parameters in (
            (f"{gone}/methods/RequestStateChange", {"RequestedState": 3}),
            (f"{service['href']}/methods/DestroySystem", {"AffectedSystem": {"href": gone}}),
        ):
            assert client.ask("POST", method, {"parameters": parameters}).json["ReturnValue"] == 0
        page = first
        while "next" in page:
            page = client.get(page["next"])
            seen += [each["properties"]["Name"] for each in page["summaries"]]
        assert seen == sorted(set(names) - {"a"})


def test_what_stays_as_it_is_keeps_its_tag(serve: Callable[..., Server]) -> None:
    running = serve("test:///default", config="[node.far]\nuris = ['bhyve:///system']\n")
    client = Client(running.port, {"Authorization": basic(running.user or "", running.password)})
    for space in ("root%2Finterop", "root%2Fvirt"):
        target = f"/api/namespaces/{space}/classes/CIM_ManagedElement/instances"
        first, second = (
            {each["path"]: (each["properties"], each["etag"]) for each in client.get(target)["instances"]} for _ in "12"
        )
        same = {path for path in first if path in second and first[path][0] == second[path][0]}
        assert len(same) > 10
        assert {path for path in same if first[path] != second[path]} == set()


def test_what_a_job_does_is_shown(serve: Callable[..., Server]) -> None:
    running = serve("test:///default", config="[providers.jobs]\ngrace = 0\n")
    client = Client(running.port, {"Authorization": basic(running.user or "", running.password)})
    wait_until(lambda: client.ask("GET", GUEST).status == 200)
    asked = {"parameters": {"RequestedState": PAUSE}}
    job = client.ask("POST", f"{GUEST}/methods/RequestStateChange", asked).json["parameters"]["Job"]["href"]
    (element,) = client.get(f"{job}/associators?associationClass=CIM_AffectedJobElement")["instances"]
    (link,) = client.get(f"{job}/references?associationClass=CIM_AffectedJobElement")["instances"]
    assert link["properties"]["AffectedElement"]["href"] == element["href"]
    assert link["properties"]["ElementEffects"]


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/health",
        "/metrics",
        "/api/",
        "/api/nothing",
        "/api/namespaces/root%2Fvirt/classes/CIM_ComputerSystem/instances",
        # Large enough to go out in chunks.
        "/api/openapi.json",
    ],
)
def test_head_says_what_get_would(client: Client, target: str) -> None:
    with_body, without = client.ask("GET", target), client.ask("HEAD", target)
    assert (without.status, without.body) == (with_body.status, b"")
    for name in ("content-type", "etag"):
        assert without.headers.get(name) == with_body.headers.get(name)
    if target != "/metrics":
        assert int(without.headers["content-length"]) == len(with_body.body)


def test_head_says_what_a_stream_would_be_and_opens_none(client: Client, follow: Callable[..., Follower]) -> None:
    stream = follow("/api/events?classes=CIM_ComputerSystem")
    last = stream.last
    stream.close()
    for _ in range(5):
        head = client.ask("HEAD", "/api/events?classes=CIM_ComputerSystem", **{"Last-Event-ID": last})
        assert (head.status, head.headers["content-type"], head.body) == (200, "text/event-stream", b"")
    for wrong in ("classes=CIM_Nothing", "clases=CIM_ComputerSystem", "query=SELECT", "namespace=nowhere"):
        target = f"/api/events?{wrong}"
        assert client.ask("HEAD", target).status == client.ask("GET", target).status == 400, wrong
    # Of at most three streams, the one whose client is away is the first to be forgotten.
    again = follow("/api/events?classes=CIM_ComputerSystem", last)
    assert again.last.partition(".")[0] == last.partition(".")[0]


@pytest.mark.parametrize(
    "target",
    [
        "/api/",
        "/api/events",
        "/api/alerts",
        "/api/openapi.json",
        "/api/session",
        "/api/namespaces",
        SPACE,
        f"{SPACE}/classes",
        f"{SPACE}/summary",
        GUEST,
        f"{GUEST}/associators",
        f"{SPACE}/consoles/test/vnc",
    ],
)
def test_each_url_takes_the_methods_that_it_names(client: Client, target: str) -> None:
    methods = client.ask("OPTIONS", target).headers["allow"].split(", ")
    for method in ("HEAD", "PUT"):
        answer = client.ask(method, target)
        assert (answer.status == 405) == (method not in methods), method
        if answer.status == 405:
            assert answer.headers["allow"].split(", ") == methods


def test_a_page_that_begins_its_stream_anew_goes_on(client: Client, follow: Callable[..., Follower]) -> None:
    stream = follow("/api/events?classes=Test_ComputerSystem")
    stream.close()
    bring(client, PAUSE)
    until_state(follow(f"/api/events?lastEventId={stream.last}"), PAUSE)
    bring(client, RUN)


def test_a_change_is_told_as_it_happens(client: Client, follow: Callable[..., Follower]) -> None:
    stream = follow(f"/api/events?classes=CIM_ComputerSystem&namespace={quote('root/virt')}")
    bring(client, PAUSE)
    told = until_state(stream, PAUSE)
    assert (told["kind"], told["namespace"], told["href"]) == ("modified", "root/virt", GUEST)
    assert isinstance(told["changed"], list)
    assert "EnabledState" in told["changed"]
    assert isinstance(told["previous"], dict)
    assert told["previous"]["EnabledState"] == RUN
    bring(client, RUN)
    until_state(stream, RUN)


def test_nothing_is_lost_when_a_connection_breaks(client: Client, follow: Callable[..., Follower]) -> None:
    stream = follow("/api/events?classes=Test_ComputerSystem")
    bring(client, PAUSE)
    until_state(stream, PAUSE)
    stream.close()
    bring(client, RUN)
    bring(client, PAUSE)
    bring(client, RUN)
    again = follow("/api/events", stream.last)
    states: list[int] = []
    while states[-3:] != [RUN, PAUSE, RUN]:
        kind, data = again.next()
        assert kind == "modified"
        if "EnabledState" in data["changed"]:
            states.append(data["properties"]["EnabledState"])
    assert states == [RUN, PAUSE, RUN]


def test_a_client_without_an_event_goes_on_too(client: Client, follow: Callable[..., Follower]) -> None:
    stream = follow("/api/events?classes=Test_ComputerSystem")
    stream.close()
    bring(client, PAUSE)
    again = follow(last=stream.last)
    until_state(again, PAUSE)
    bring(client, RUN)


@pytest.mark.parametrize("last", ["nobody.7", "0123456789abcdef01234567.1", "x", "a.b"])
def test_who_was_away_for_too_long_is_told_so(follow: Callable[..., Follower], last: str) -> None:
    assert follow(last=last).next() == ("gap", {"kind": "gap"})


def test_what_is_not_kept_is_told_as_missing(client: Client, follow: Callable[..., Follower]) -> None:
    stream = follow()
    stream.close()
    for _ in range(8):
        bring(client, PAUSE)
        bring(client, RUN)
    again = follow(last=stream.last)
    assert again.next()[0] == "gap"
    # What is still kept follows.
    until_state(again, RUN)


def test_a_client_that_comes_back_may_select_otherwise(client: Client, follow: Callable[..., Follower]) -> None:
    narrow = follow("/api/events?classes=Test_ComputerSystem")
    bring(client, PAUSE)
    until_state(narrow, PAUSE)
    narrow.close()
    bring(client, RUN)
    wide = follow("/api/events?classes=Test_ComputerSystem,CIM_LogicalDevice", narrow.last)
    assert wide.last.partition(".")[0] == narrow.last.partition(".")[0]
    until_state(wide, RUN)  # what was selected while it was away comes first
    bring(client, PAUSE)
    assert any(data["class"] == "Test_Processor" for _, data in wide)
    wide.close()
    bring(client, RUN)


def test_streams_are_limited(client: Client, follow: Callable[..., Follower]) -> None:
    for _ in range(3):
        assert follow().response.status == 200
    refused = client.ask("GET", "/api/events")
    assert (refused.status, refused.json["name"]) == (503, "SERVER_LIMITS_EXCEEDED")


def test_who_does_not_come_back_says_so(client: Client, follow: Callable[..., Follower]) -> None:
    stream = follow("/api/events?classes=Test_ComputerSystem")
    assert client.ask("DELETE", f"/api/events?lastEventId={stream.last}", X_Virtcim_Request=None).status == 403
    assert client.ask("DELETE", f"/api/events?lastEventId={stream.last}").status == 204
    assert list(stream) == []
    assert client.ask("DELETE", f"/api/events?lastEventId={stream.last}").status == 404
    assert client.ask("DELETE", "/api/events").status == 404
    assert follow("/api/events?classes=Test_ComputerSystem", stream.last).next()[0] == "gap"


@pytest.mark.parametrize(
    "query",
    [
        "classes=Nothing",
        "query=SELECT",
        "query=SELECT%20*%20FROM%20CIM_ComputerSystem",
        "classes=CIM_ComputerSystem&query=x",
        "what=x",
        "namespace=root%2Fnowhere",
    ],
)
def test_filters_that_are_none(client: Client, query: str) -> None:
    assert client.ask("GET", f"/api/events?{query}").status == 400


def test_a_stream_ends_with_its_session(server: Server, follow: Callable[..., Follower]) -> None:
    assert server.user is not None
    browser = Client(server.port)
    assert browser.log_in(server.user, server.password).status == 201
    stream = follow(using=browser)
    assert browser.ask("DELETE", "/api/session").status == 204
    assert list(stream) == []
    assert browser.ask("GET", "/api/events").status == 401


def test_streams_do_not_hold_up_the_end_and_sessions_go_on_after_it(follow: Callable[..., Follower]) -> None:
    with Server("test:///default") as running:
        assert running.user is not None
        own = Client(running.port)
        assert own.log_in(running.user, running.password).status == 201
        stream = follow(using=own)
        running.stop()
        assert list(stream) == []
        assert "Traceback" not in running.errors
        running.start()
        own.port = running.port
        session = own.get("/api/session")
        assert (session["user"], session["session"]) == (running.user, True)
