"""The console while the server is away, and when it is back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.bed import Libvirtd, Server, boot_sector_xml
from tests.console.relay import Relay
from tests.frontends.client import Client, Follower, basic

pytestmark = pytest.mark.slow

Open = Callable[..., Page]

AWAY = "The server does not answer"
SUMMARY = re.compile("/summary")

STATES_SEEN = """async () => {
    const { state } = await import("/state.js");
    const seen = state.events.filter(
        (each) => each.class === "KVM_ComputerSystem" && each.changed?.includes("EnabledState"));
    return JSON.stringify(seen.slice(0, 3).map((each) => each.properties.EnabledState)) === "[2,9,2]";
}"""

END_ALL = """() => fetch("/api/session?everywhere=true", {method: "DELETE", headers: {"X-Virtcim-Request": "1"}})
    .then((answer) => answer.status)"""


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    with Relay(lambda: server.port) as running:
        yield running


def test_nothing_is_lost_while_the_connection_is_cut(open_page: Open, host: Libvirtd, relay: Relay) -> None:
    page = open_page("#/jobs", at=relay.url, away=True)
    expect(page.get_by_text("No changes since")).to_be_visible()
    # Guests are read once changes are followed.
    expect(page.get_by_role("link", name="first", exact=True)).to_be_visible()
    with closing(host.connect()) as connection:
        connection.lookupByName("first").create()
        expect(page.get_by_role("cell", name="KVM_ComputerSystem", exact=True).first).to_be_visible()
        relay.cut()
        expect(page.get_by_text(AWAY)).to_be_visible()
        # Both states are told of, though nobody saw the first one: the stream goes on where it was.
        connection.lookupByName("first").suspend()
        connection.lookupByName("first").resume()
        relay.mend()
        expect(page.get_by_text(AWAY)).to_have_count(0)
        page.wait_for_function(STATES_SEEN)
        connection.lookupByName("first").destroy()


def test_a_server_that_was_started_anew_is_gone_on_with(
    open_page: Open, host: Libvirtd, server: Server, relay: Relay
) -> None:
    page = open_page("#/guests", at=relay.url, away=True)
    row = page.get_by_role("row").filter(has_text="first")
    expect(row.locator(".state.off")).to_be_visible()
    relay.cut()
    server.stop()
    expect(page.get_by_text(AWAY)).to_be_visible()
    expect(row).to_be_visible()
    with closing(host.connect()) as connection:
        connection.lookupByName("first").create()
        server.start()
        relay.mend()
        # The session goes on: nobody has to log in again.
        expect(page.get_by_text(AWAY)).to_have_count(0)
        expect(row.locator(".state.on")).to_be_visible()
        page.evaluate("location.hash = '#/jobs'")
        expect(page.get_by_role("cell", name="KVM_ComputerSystem", exact=True).first).to_be_visible()
        connection.lookupByName("first").destroy()


def test_a_page_that_is_opened_first_while_the_server_is_away_comes_with_it(open_page: Open, relay: Relay) -> None:
    page = open_page("#/guests", at=relay.url, away=True)
    expect(page.get_by_role("link", name="first", exact=True).first).to_be_visible()
    relay.cut()
    expect(page.get_by_text(AWAY)).to_be_visible()
    page.evaluate("location.hash = '#/storage'")
    expect(page.get_by_text("The page could not be fetched")).to_be_visible()
    relay.mend()
    expect(page.get_by_role("heading", level=1, name="Storage")).to_be_visible()
    expect(page.get_by_text("Reading…")).to_have_count(0)


def test_all_sessions_are_ended_from_the_page_about(open_page: Open) -> None:
    other, page = open_page("#/networks", away=True), open_page(away=True)
    page.get_by_role("link", name="About").click()
    page.get_by_role("button", name="Log out everywhere").click()
    expect(page.get_by_label("User")).to_be_visible()
    expect(other.get_by_text("The session has ended")).to_be_visible()


def test_a_session_that_was_ended_elsewhere_asks_for_a_new_one(open_page: Open, server: Server) -> None:
    page, other = open_page("#/networks", away=True), open_page(away=True)
    assert other.evaluate(END_ALL) == 204
    expect(page.get_by_text("The session has ended")).to_be_visible()


def test_who_may_not_follow_is_told_why_and_sees_what_there_is(
    open_page: Open, host: Libvirtd, serve: Callable[..., Server]
) -> None:
    narrow = serve(host.uri(), config="[indications]\nmax_streams_per_user = 1\n")
    other = Follower(Client(narrow.port, {"Authorization": basic(narrow.user or "", narrow.password)}))
    page = open_page("#/guests", of=narrow, away=True)
    expect(page.get_by_role("alert").filter(has_text="1 streams of events are followed by bed")).to_be_visible()
    expect(page.get_by_role("link", name="first", exact=True).first).to_be_visible()
    expect(page.get_by_text(AWAY)).to_have_count(0)
    other.close()
    expect(page.get_by_role("alert")).to_have_count(0)
    with closing(host.connect()) as connection:
        connection.lookupByName("first").create()
    expect(page.get_by_role("row").filter(has_text="first")).to_contain_text("running")


def test_the_own_host_that_is_away_says_so(
    open_page: Open, new_libvirtd: Callable[[], Libvirtd], serve: Callable[..., Server]
) -> None:
    daemon = new_libvirtd()
    page = open_page("#/nodes", of=serve(daemon.uri()))
    row = page.get_by_role("row").filter(has_text="local")
    expect(row).to_contain_text("connected")
    expect(row).to_contain_text("KVM")
    daemon.stop()
    expect(row).to_contain_text("no contact")
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("listitem").filter(has_text="Node local: no contact")).to_be_visible()
    daemon.start()
    expect(page.get_by_role("listitem").filter(has_text="Node local: no contact")).to_have_count(0)


def test_nothing_is_offered_with_a_guest_that_is_out_of_reach(
    open_page: Open, new_libvirtd: Callable[[], Libvirtd], serve: Callable[..., Server]
) -> None:
    daemon = new_libvirtd()
    daemon.define(boot_sector_xml("first", daemon.new_image()))
    page = open_page("#/guests", of=serve(daemon.uri()))
    page.get_by_role("link", name="first", exact=True).first.click()
    delete = page.get_by_role("button", name="Delete guest", exact=True)
    expect(delete).to_be_enabled()
    daemon.stop()
    expect(delete).to_be_disabled()
    expect(delete).to_have_attribute("title", "its node has no contact to it")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_disabled()
    daemon.start()
    expect(delete).to_be_enabled()


def test_what_cannot_be_read_is_told_until_it_can(open_page: Open) -> None:
    page = open_page("#/guests", away=True)
    expect(page.get_by_role("link", name="first", exact=True).first).to_be_visible()
    page.route(SUMMARY, lambda route: route.fulfill(status=500, json={"message": "no more files"}))
    told = page.get_by_role("alert").filter(has_text="local: what is shown may be old")
    expect(told).to_contain_text("no more files")
    page.unroute(SUMMARY)
    expect(told).to_have_count(0)


def test_nodes_that_were_read_later_are_no_longer_told_of(open_page: Open) -> None:
    page = open_page("#/guests", away=True)
    expect(page.get_by_role("link", name="first", exact=True).first).to_be_visible()
    page.evaluate("""async () => {
        const { loadNodes, state } = await import("/state.js");
        state.unread.set("", "no more files");
        await loadNodes();
    }""")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_page_that_cannot_be_fetched_says_so(open_page: Open) -> None:
    page = open_page(away=True)
    page.route("**/pages/storage.js", lambda route: route.abort())
    page.evaluate("location.hash = '#/storage'")
    told = page.get_by_role("alert").filter(has_text="The page could not be fetched")
    expect(told).to_be_visible()
    page.unroute("**/pages/storage.js")
    told.get_by_role("button", name="Load again").click()
    expect(page.get_by_role("heading", level=1, name="Storage")).to_be_visible()


def test_a_console_that_cannot_be_fetched_says_so(browser: Browser, server: Server) -> None:
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.route("**/state.js", lambda route: route.abort())
        page.goto(server.url)
        told = page.get_by_text("The console is loading.")
        expect(told).to_be_visible()
        page.unroute("**/state.js")
        told.get_by_role("link", name="load it again").click()
        expect(page.get_by_label("User")).to_be_visible()
        expect(told).to_have_count(0)


def test_a_log_out_that_fails_is_not_taken_for_one(open_page: Open) -> None:
    page = open_page(away=True)
    page.route("**/api/session", lambda route: route.abort() if route.request.method == "DELETE" else route.fallback())
    page.get_by_role("button", name="Log out").click()
    expect(page.locator(".toasts .bad")).to_contain_text("Whether it was done is not known")
    page.reload()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
