"""A browser for all tests of the console; what a page complains of fails the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect, sync_playwright

from tests.bed import Libvirtd, Server, boot_sector_xml
from tests.conftest import missing

CHROMIUM = "/usr/bin/chromium"
PARTS = Path(__file__).parents[2] / "virtcim" / "console" / "parts"

PATIENCE = 60_000
"""Milliseconds that a page has at most for what it is to show: the machine may be busy with other things."""

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without its background networking; for one file, as an event loop runs for as long."""
    if shutil.which(CHROMIUM) is None:
        missing(f"{CHROMIUM} is not installed")
    if not PARTS.is_dir():
        pytest.skip("without npm, make console cannot fetch the foreign parts")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@pytest.fixture
def host(libvirtd: Libvirtd) -> Libvirtd:
    """The daemon with one guest, `first`, that runs a boot sector."""
    libvirtd.remove_domains()
    libvirtd.define(boot_sector_xml("first", libvirtd.new_image()))
    return libvirtd


@pytest.fixture
def server(host: Libvirtd, serve: Callable[..., Server]) -> Server:
    """The server of the daemon, which makes jobs of what people would wait for."""
    return serve(host.uri(), config="[providers.jobs]\ngrace = 0.5\n")


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens the console, logged in: `open_page(address, width=..., of=server, at=url, away=True)`.

    No page may have had an error; where `away` is set, the browser may complain of requests that were refused.
    """
    faults: list[str] = []
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(message.text)

    def note_others(message: ConsoleMessage) -> None:
        if not message.text.startswith(("Failed to load resource", "WebSocket connection to")):
            note(message)

    def fail(error: Error) -> None:
        faults.append(str(error))

    def open_it(
        address: str = "",
        width: int = 1280,
        of: Server = server,
        at: str = "",
        away: bool = False,
        scheme: Literal["light", "dark"] = "light",
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, locale="en-GB", color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", note_others if away else note)
        page.on("pageerror", fail)
        page.goto(f"{at or of.url}/{address}")
        page.get_by_label("User").fill(of.user or "")
        page.get_by_label("Password").fill(of.password or "")
        page.get_by_role("button", name="Log in").click()
        page.locator(".frame").wait_for()
        return page

    yield open_it
    for each in contexts:
        each.close()
    assert not faults
