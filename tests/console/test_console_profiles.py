"""What the walk of the page Profiles finds: nothing on a server as it is, and what an answer on its way has lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

Open = Callable[..., Page]


def check(page: Page) -> None:
    """Walk, and wait for the end."""
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("heading", name="Findings", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Check", exact=True)).to_be_visible()


def spoil(route: Route) -> None:
    """Let the first element of a batch be lost, and the others have a state that no value map has."""
    answer = route.fetch()
    told = answer.json()
    responses = told["responses"]
    responses[0] = {**responses[0], "status": 404, "body": {"status": 6, "name": "NOT_FOUND", "message": "gone"}}
    for each in responses:
        if "EnabledState" in each["body"].get("properties", {}):
            each["body"]["properties"]["EnabledState"] = -1
    route.fulfill(response=answer, body=json.dumps(told))


def test_a_server_as_it_is_has_no_findings(open_page: Open) -> None:
    page = open_page("#/profiles")
    check(page)
    expect(page.get_by_text("No findings.")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("listitem").filter(has_text=re.compile("WBEM Server: [1-9]"))).to_be_visible()


def test_what_is_lost_or_wrong_is_found_and_leads_to_the_instance(open_page: Open) -> None:
    page = open_page("#/profiles")
    page.route("**/api/batch", spoil)
    check(page)
    expect(page.get_by_text("No findings.")).to_have_count(0)
    lost = page.get_by_role("listitem").filter(has_text="Get of a found element fails")
    expect(lost.first).to_contain_text("gone")
    wrong = page.get_by_role("listitem").filter(has_text="EnabledState: -1")
    expect(wrong.first).to_contain_text("Value that the value map does not have")
    wrong.first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1, name="CIM browser")).to_be_visible()
