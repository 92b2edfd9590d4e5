"""What the walk of the page Profiles finds: nothing on a server as it is, and what an answer on its way has lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from bench import node
from tests.bed import Server
from tests.console.test_console_access import axe, look

__all__ = ["axe"]

Open = Callable[..., Page]
Change = Callable[[dict[str, Any]], None]

BATCH = "**/api/batch"
GUESTS = 60
"""More than the walk looks at."""


def check(page: Page) -> None:
    """Walk, and wait for the end."""
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("heading", name="Findings", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Check", exact=True)).to_be_visible()


def row_of(page: Page, name: str) -> Locator:
    """The row of a profile, the last ones by name first: only rows in view are drawn."""
    header = page.get_by_role("columnheader", name="Profile")
    if header.get_attribute("aria-sort") != "descending":
        header.get_by_role("button").click()
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def change_answers(page: Page, pattern: str, change: Change) -> None:
    """Change each answer of a batch whose request has a path of a pattern."""

    def spoil(route: Route) -> None:
        asked = json.loads(route.request.post_data or "")["requests"]
        answer = route.fetch()
        told = answer.json()
        for request, response in zip(asked, told["responses"], strict=True):
            if re.search(pattern, unquote(request["path"])):
                change(response)
        route.fulfill(response=answer, body=json.dumps(told))

    page.route(BATCH, spoil)


def lose(response: dict[str, Any]) -> None:
    response |= {"status": 404, "body": {"status": 6, "name": "NOT_FOUND", "message": "gone"}}


def fail(response: dict[str, Any]) -> None:
    response |= {"status": 500, "body": {"status": 1, "name": "FAILED", "message": "libvirt is tired"}}


def empty(response: dict[str, Any]) -> None:
    response["body"]["instances"] = []


def twice(response: dict[str, Any]) -> None:
    response["body"]["instances"] *= 2


def have(**properties: Any) -> Change:
    """Let an instance have these properties."""
    return lambda response: response["body"]["properties"].update(properties)


def lack_method(response: dict[str, Any]) -> None:
    del response["body"]["methods"]["RequestStateChange"]


ONE_GUEST = r"/instances/KVM_ComputerSystem/[^/]*$"
FROM_GUEST = r"/instances/KVM_ComputerSystem/[^/]*/{}\?associationClass={}&"
FAULTS = [
    (ONE_GUEST, lose, "Cannot be got again", "gone"),
    (ONE_GUEST, have(EnabledState=-1), "Value that the value map does not have", "EnabledState: -1"),
    (ONE_GUEST, have(Name=None), "Key without a value", "Name"),
    (ONE_GUEST, have(HealthState=None), "Mandatory property is NULL", "DSP1057 10"),
    (
        r"/instances/KVM_MemoryPool/InstanceID=MemoryPool/0$",
        have(ResourceType=3),
        "Value that the profile does not allow",
        "DSP1045 10",
    ),
    (r"/classes/KVM_ComputerSystem$", lack_method, "Method is missing", "DSP1057 8"),
    (FROM_GUEST.format("associators", "CIM_HostedDependency"), empty, "Association leads to too few", "DSP1057 10"),
    (FROM_GUEST.format("associators", "CIM_HostedDependency"), twice, "Association leads to too many", "DSP1057 10"),
    (FROM_GUEST.format("references", "CIM_ElementSettingData"), empty, "No association names the other end", "first"),
    (
        FROM_GUEST.format("associators", "CIM_ElementConformsToProfile"),
        empty,
        "The association does not lead back",
        "0.0",
    ),
    (FROM_GUEST.format("associators", "CIM_ElementConformsToProfile"), empty, "Does not conform to", "Virtual System"),
    (FROM_GUEST.format("associators", "CIM_ElementCapabilities"), fail, "A request failed", "libvirt is tired"),
    (r"RegisteredProfile/.*associationClass=CIM_ReferencedProfile&.*role=Antecedent", empty, "too few", "DSP1033 10"),
]


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "node.xml").write_text(node.test_node(GUESTS))
    with Server(f"test://{tmp_path / 'node.xml'}") as server:
        yield server


def test_a_server_as_it_is_has_no_findings(open_page: Open) -> None:
    page = open_page("#/profiles")
    check(page)
    expect(page.get_by_text("No findings.")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    for name in ("WBEM Server", "Virtual System"):
        expect(row_of(page, name).locator("td").nth(4)).to_have_text("1")
        expect(row_of(page, name).locator("td").nth(5)).to_have_text("0")


@pytest.mark.parametrize(
    ("pattern", "change", "what", "detail"),
    [pytest.param(*each, id=each[2], marks=pytest.mark.slow if at else ()) for at, each in enumerate(FAULTS)],
)
def test_what_is_lost_or_wrong_is_found_and_leads_to_the_instance(
    open_page: Open, pattern: str, change: Change, what: str, detail: str
) -> None:
    page = open_page("#/profiles")
    change_answers(page, pattern, change)
    check(page)
    expect(page.get_by_text("No findings.")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("form [role=status]")).to_contain_text(re.compile(r"^(\d+) of \1 profiles"))
    found = page.get_by_role("listitem").filter(has_text=re.compile(what, re.IGNORECASE)).filter(has_text=detail).first
    found.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1, name="CIM browser")).to_be_visible()


def test_one_namespace_alone_is_looked_at(open_page: Open) -> None:
    page = open_page("#/profiles")
    page.get_by_label("Namespace", exact=True).select_option("root/interop")
    check(page)
    expect(row_of(page, "Virtual System").locator("td").nth(4)).to_have_text("0")
    expect(row_of(page, "WBEM Server").locator("td").nth(4)).to_have_text("1")


def test_a_walk_ends_where_it_is_cancelled(open_page: Open) -> None:
    page = open_page("#/profiles")
    held: list[Route] = []
    passed: list[Route] = []

    def hold(route: Route) -> None:
        if passed:
            route.continue_()
            passed.append(route)
        else:
            held.append(route)

    page.route(BATCH, hold)
    with page.expect_request(BATCH):
        page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_role("button", name="Cancel", exact=True).click()
    passed += held
    for route in held:
        route.continue_()
    expect(page.get_by_text("Cancelled before the end.")).to_be_visible()
    expect(page.get_by_role("button", name="Check", exact=True)).to_be_visible()
    count = len(passed)
    check(page)
    assert len(passed) > 10 * count
    expect(page.get_by_text("No findings.")).to_be_visible()


def test_a_server_that_goes_away_ends_the_walk_and_says_so(open_page: Open) -> None:
    page = open_page("#/profiles", away=True)
    page.route(BATCH, lambda route: route.abort())
    check(page)
    expect(page.get_by_role("alert").filter(has_text="Failed to fetch")).to_be_visible()
    expect(page.get_by_text("No findings.")).to_have_count(0)


def test_no_more_is_read_than_is_looked_at(many: Server, open_page: Open) -> None:
    page = open_page("#/profiles", of=many)
    counts: list[int] = []

    def count(route: Route) -> None:
        answer = route.fetch()
        counts.extend(len(each["body"].get("instances", [])) for each in answer.json()["responses"] if each["body"])
        route.fulfill(response=answer)

    page.route(BATCH, count)
    page.get_by_label("Elements of each profile").fill("7")
    check(page)
    expect(row_of(page, "Virtual System").locator("td").nth(4)).to_have_text("7 (not all)")
    assert 7 <= max(counts) <= 20
    page.get_by_label("Elements of each profile").fill("many")
    expect(page.get_by_role("alert")).to_contain_text("1000")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 360])
def test_the_findings_have_no_violation(open_page: Open, axe: str, width: int) -> None:
    page = open_page("#/profiles", width=width)
    change_answers(page, ONE_GUEST, have(EnabledState=-1))
    check(page)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 1
    found = look(page, axe, "findings")
    assert not found, "\n".join(found)
