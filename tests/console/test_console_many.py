"""Many guests of one node: what a page reads of them, and that it has what has become of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bench import node
from tests.bed import Server
from tests.frontends.client import Client, basic

pytestmark = pytest.mark.slow

Open = Callable[..., Page]

GUESTS = 900
"""More than a page of summaries has, and more than the console reads the figures of in each round."""

CHANGED = range(300, 600)
AT_ONCE = 100
"""Calls in one request, at most."""

PAUSE = 9

LACKING = """async () => {
    const { state } = await import("/state.js");
    return [...state.guests.values()].filter((guest) => guest.brief).length;
}"""
PAUSED_NAMES = """async () => {
    const { state } = await import("/state.js");
    return [...state.guests.values()].filter((guest) => guest.state === 9).map((guest) => guest.name).sort();
}"""


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "node.xml").write_text(node.test_node(GUESTS))
    with Server(f"test://{tmp_path / 'node.xml'}") as server:
        yield server


def pause(client: Client, numbers: range) -> None:
    """Pause guests, as many in a request as there may be."""
    place = "/api/namespaces/root%2Fvirt/instances/Test_ComputerSystem/CreationClassName=Test_ComputerSystem,Name="
    for begin in range(numbers.start, numbers.stop, AT_ONCE):
        requests = [
            {
                "method": "POST",
                "path": f"{place}{node.guest_name(number)}/methods/RequestStateChange",
                "body": {"parameters": {"RequestedState": PAUSE}},
            }
            for number in range(begin, begin + AT_ONCE)
        ]
        answers = client.ask("POST", "/api/batch", {"requests": requests}).json["responses"]
        assert [each["body"]["ReturnValue"] for each in answers] == [0] * AT_ONCE


def test_figures_are_read_of_those_that_are_seen_and_of_all_where_they_are_needed(
    many: Server, open_page: Open
) -> None:
    page = open_page("#/guests", of=many)
    expect(page.get_by_text(f"{GUESTS} of {GUESTS}")).to_be_visible()
    assert page.evaluate(LACKING) > 0
    page.locator(".table.tall").evaluate("(frame) => frame.scrollTo(0, frame.scrollHeight)")
    last = page.get_by_role("row").filter(has_text=node.guest_name(GUESTS - 1))
    expect(last).to_contain_text("64 MiB")
    assert page.evaluate(LACKING) > 0
    page.get_by_role("button", name="Memory").click()
    page.wait_for_function(f"async () => (await ({LACKING})()) === 0")


def test_many_changes_at_once_are_all_shown(many: Server, open_page: Open) -> None:
    page = open_page("#/guests", of=many)
    expect(page.get_by_text(f"{GUESTS} of {GUESTS}")).to_be_visible()
    assert many.user is not None
    client = Client(many.port, {"Authorization": basic(many.user, many.password)})
    # What is read meanwhile is older than what the events tell.
    page.get_by_role("button", name="Memory").click()
    pause(client, CHANGED)
    expected = [node.guest_name(number) for number in CHANGED]
    page.wait_for_function(f"async () => (await ({PAUSED_NAMES})()).length === {len(CHANGED)}")
    assert page.evaluate(PAUSED_NAMES) == expected


SCROLL = """async () => {
    const frame = document.querySelector(".table.tall");
    for (const step of [400, -400]) {
        for (let at = 0; at < 50; at += 1) {
            frame.scrollTop += step;
            await new Promise((go) => requestAnimationFrame(go));
        }
    }
}"""

KEPT = 1500
"""Nodes of the page that may come and go; 50 frames of a scroll draw more than these."""


def held(page: Page) -> int:
    """The nodes that are held of the page, those that are not in it any more included."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    nodes: int = session.send("Memory.getDOMCounters")["nodes"]
    session.detach()
    return nodes


def test_rows_that_were_scrolled_past_are_let_go(many: Server, open_page: Open) -> None:
    page = open_page("#/guests", of=many)
    expect(page.get_by_text(f"{GUESTS} of {GUESTS}")).to_be_visible()
    page.evaluate(SCROLL)
    before = held(page)
    page.evaluate(SCROLL)
    assert held(page) < before + KEPT
