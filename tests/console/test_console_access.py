"""Who sees little, who has no mouse, who has a small screen: axe-core over every page, and the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.console.test_console import GUEST, PAGES, TABS

Open = Callable[..., Page]

AXE = Path(__file__).parents[2] / "build" / "console" / "node_modules" / "axe-core" / "axe.min.js"

NARROW = 800
"""Pixels up to which the tree is folded away."""

RUN = """() => axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations.map((each) => {
    const places = each.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" | ");
    return `${each.id} (${each.impact}): ${each.help}: ${places}`;
}))"""

IN_FOCUS = """([tag, text]) => document.activeElement.matches(tag)
    && document.activeElement.textContent.trim() === text"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, which `make console` fetches with the tools of the console."""
    if not AXE.is_file():
        pytest.skip("without npm, make console cannot fetch axe-core")
    return AXE.read_text()


def look(page: Page, axe: str, place: str) -> list[str]:
    """What axe-core finds on a page as it is; each begins with the place.

    It is run as a script of the browser rather than of the page, which takes none from elsewhere.
    """
    page.evaluate(axe)
    return [f"{place}: {each}" for each in page.evaluate(RUN)]


def visit(page: Page, address: str) -> None:
    """Open a page, and wait until it has read what it shows."""
    page.evaluate("address => { location.hash = address }", address)
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    expect(page.get_by_text("Reading…")).to_have_count(0)


def test_the_first_pages_have_no_violation(open_page: Open, axe: str) -> None:
    page, found = open_page(), []
    for address in ("#/overview", "#/guests", GUEST):
        visit(page, address)
        found += look(page, axe, address)
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_no_page_has_a_violation(open_page: Open, axe: str, width: int, scheme: Literal["light", "dark"]) -> None:
    # What is under way at the log-out is refused.
    page, found = open_page(width=width, scheme=scheme, away=True), []
    for address in (f"#/{name}" for name in PAGES):
        visit(page, address)
        found += look(page, axe, address)
    visit(page, GUEST)
    for name in (*TABS, "Console"):
        page.get_by_role("tab", name=name, exact=True).click()
        expect(page.get_by_text("Reading…")).to_have_count(0)
        found += look(page, axe, name)
    for address, button in (
        (GUEST, "Delete guest"),
        (f"{GUEST}/devices", "Add a disk"),
        ("#/nodes", "Add a node"),
        ("#/nodes", "Add a group"),
        ("#/templates", "Make guests"),
        ("#/templates", "Copy"),
    ):
        visit(page, address)
        page.get_by_role("button", name=button).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        expect(page.get_by_text("Reading…")).to_have_count(0)
        found += look(page, axe, f"{address} {button}")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    if width > NARROW:
        page.get_by_role("button", name="Unfold Templates").click()
        for name, action in (("first", "Start"), ("local", "Drain"), ("Nodes", "Add a group"), ("empty@1", "Copy")):
            page.get_by_role("button", name=f"Actions of {name}", exact=True).click()
            expect(page.get_by_role("dialog").get_by_role("button", name=action)).to_be_visible()
            found += look(page, axe, f"actions of {name} from the tree")
            page.keyboard.press("Escape")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("User")).to_be_visible()
    found += look(page, axe, "log-in")
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_a_guest_is_found_and_started_by_the_keyboard_alone(open_page: Open) -> None:
    page = open_page("#/guests")
    expect(page.get_by_role("row").filter(has_text="first")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    tab_to(page, "a", "first")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="first", exact=True)).to_be_visible()
    tab_to(page, "button", "Start")
    page.keyboard.press("Enter")
    expect(page.locator(".head .state.on")).to_be_visible()
    tab_to(page, "button", "Summary")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Console")).to_be_focused()
    tab_to(page, "button", "Power off")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Power off")).to_be_focused()


def tab_to(page: Page, tag: str, text: str) -> None:
    """Press the tabulator until something is in focus."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate(IN_FOCUS, [tag, text]):
            return
    raise AssertionError(f"{text} is not reached")
