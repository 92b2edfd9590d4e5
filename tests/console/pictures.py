"""Takes the pictures of the console that the documentation has: `python -m tests.console.pictures docs`, as root.

Those of docs/tour.md, and for docs/console-pages.md every page in its three looks, side by side in one picture.
"""

from __future__ import annotations

import argparse
import base64
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.bed import Libvirtd, Server, boot_sector_xml, wait_until
from tests.console.conftest import CHROMIUM

GUEST = "guest/root%2Fvirt/KVM_ComputerSystem/web"

WIDE, NARROW = (1280, 800), (360, 720)

#: Name of the picture, the address of its page, and what of its look differs from wide, light and English.
PICTURES: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("overview", "overview", {}),
    ("guests", "guests", {}),
    ("guest", GUEST, {"scheme": "dark"}),
    ("screen", f"{GUEST}/console", {}),
    ("settings", f"{GUEST}/settings", {}),
    ("create", "create", {}),
    ("templates", "templates", {}),
    ("topology", f"{GUEST}/graph", {}),
    ("browser", f"{GUEST}/cim", {"language": "de"}),
    ("narrow", "guests", {"width": "narrow"}),
)

#: Title of a page in the documentation, and its address.
PAGES: tuple[tuple[str, str], ...] = (
    ("Overview", "overview"),
    ("Guests", "guests"),
    *((f"Guest: {tab}", f"{GUEST}/{tab}") for tab in ("summary", "console", "settings", "devices")),
    ("Guest: snapshots", f"{GUEST.replace('web', 'archive')}/snapshots"),
    ("Guest: jobs", f"{GUEST}/jobs"),
    ("Guest: neighbours", f"{GUEST}/graph"),
    ("Guest: the CIM behind it", f"{GUEST}/cim"),
    ("New guest", "create"),
    ("Nodes", "nodes"),
    ("A node", "node/root%2Fvirt"),
    ("Storage", "storage"),
    ("Networks", "networks"),
    ("Templates", "templates"),
    ("Jobs and events", "jobs"),
    ("Subscriptions", "subscriptions"),
    ("Topology", "topology"),
    ("CIM browser", "browser"),
    ("Profiles", "profiles"),
    ("About", "about"),
)

LOOKS: tuple[Mapping[str, str], ...] = ({}, {"scheme": "dark", "language": "de"}, {"width": "narrow"})

SHEET = (1770, 480)
"""Pixels of the picture of a page: two wide looks and a narrow one, each as high as the picture."""

HEADING = """# Every page of the console

Each in three looks: light, in English; dark, in German; and at 360 pixels. They are taken of real guests by
`python -m tests.console.pictures docs`. [tour.md](tour.md) walks through them, and [console.md](console.md) says what
they do.
"""

QUALITY = 70
PATIENCE = 120.0

SAMPLES = 8
"""Points that a chart of the load has at least."""

HAS_FIGURES = """async (samples) => {
    const [{ state }, { summariesOf }] = await Promise.all([import("/state.js"), import("/api.js")]);
    const running = [...state.guests.values()].filter((guest) => guest.state === 2 || guest.state === 9);
    if (!state.loaded || running.some((guest) => guest.load === null)) return false;
    const own = running.filter((guest) => guest.namespace === "root/virt" && guest.state === 2);
    const found = await summariesOf("root/virt", own, { history: "true" });
    return found.every((each) => (each.properties.ProcessorLoadHistory ?? []).length >= samples);
}"""
"""Whether the server has sampled guests for a while, and the page has what it has found."""

REDRAWN = (
    """() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 500))"""
)
"""Waits until a page that gathers changes for a while has drawn them."""

IS_DRAWN = """() => [...document.querySelectorAll("main .chart, main .graph")]
        .every((each) => each.querySelector("canvas"))
    && [...document.images].every((each) => each.complete) && !document.querySelector("main span.thumb")"""

LOOKS_AT_MOST = 12
STILL = 400
"""Milliseconds between two looks at a page that comes to rest."""


@contextmanager
def bed() -> Iterator[Server]:
    """A server of guests, networks, storage and a second node."""
    with tempfile.TemporaryDirectory() as scratch, Libvirtd() as daemon:
        with closing(daemon.connect()) as connection:
            names = ("web", "database", "mail", "build-1", "build-2", "archive")
            guests = [connection.defineXML(boot_sector_xml(name, daemon.new_image())) for name in names]
            for guest in guests[:4]:
                guest.create()
            guests[2].suspend()
            for number, name in enumerate(("before-upgrade", "after-upgrade")):
                guests[5].snapshotCreateXML(f"<domainsnapshot><name>{name}</name></domainsnapshot>", 0)
                time.sleep(number)
            connection.networkDefineXML("<network><name>inside</name><ip address='10.9.0.1' prefix='24'/></network>")
            pool = connection.storagePoolDefineXML(
                f"<pool type='dir'><name>images</name><target><path>{scratch}</path></target></pool>"
            )
            pool.create()
            for name in ("installer.iso", "data.qcow2"):
                pool.createXML(f"<volume><name>{name}</name><capacity unit='MiB'>64</capacity></volume>")
        config = f"uris = ['{daemon.uri()}']\n[node.office]\nuris = ['test:///default']\ngroups = ['branches']\n"
        with Server(config=config) as server:
            yield server


@contextmanager
def opened(browser: Browser, server: Server, look: Mapping[str, str]) -> Iterator[Page]:
    """The console in one of its looks, before anybody has logged in."""
    width, height = NARROW if look.get("width") == "narrow" else WIDE
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale=look.get("language", "en-GB"),
        color_scheme="dark" if look.get("scheme") == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.on("pageerror", lambda error: print("error:", error))
    page.on("console", lambda message: print(message.type, message.text) if message.type == "error" else None)
    page.goto(server.url)
    page.locator("#user").wait_for()
    yield page
    context.close()


def log_in(page: Page, server: Server) -> None:
    """Log in as the server's user."""
    page.locator("#user").fill(server.user or "")
    page.locator("#password").fill(server.password or "")
    page.locator("button.main").click()
    page.locator(".frame").wait_for()
    # What the mouse is over looks otherwise.
    page.mouse.move(0, 0)


def go(page: Page, address: str) -> None:
    """Open a page, and wait until it is whole."""
    page.evaluate("address => { location.hash = address }", f"#/{address}")
    page.get_by_role("heading", level=1).first.wait_for()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    if address.endswith("/console"):
        page.locator("main .panel button").first.click()
        page.locator(".screen canvas").wait_for()
    if address == "profiles":
        page.locator("form button.main").click()
        page.locator("form button.main").wait_for()
    await_figures(page)
    page.wait_for_function(IS_DRAWN)
    await_rest(page)
    too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if too_wide > 1:
        print(f"{address}: {too_wide} px too wide")


def await_figures(page: Page) -> None:
    """Wait until there are figures of all guests that run, and the page has drawn them."""
    wait_until(lambda: page.evaluate(HAS_FIGURES, SAMPLES), PATIENCE)
    page.evaluate(REDRAWN)


def await_rest(page: Page) -> None:
    """Wait until two pictures in a row are the same; of what moves all the time, for as long as any page needs."""
    before = b""
    for _ in range(LOOKS_AT_MOST):
        now = shot(page)
        if now == before:
            return
        before = now
        page.wait_for_timeout(STILL)


def shot(page: Page) -> bytes:
    """What a page looks like, as WebP."""
    session = page.context.new_cdp_session(page)
    return base64.b64decode(session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})["data"])


def side_by_side(browser: Browser, looks: Sequence[bytes]) -> bytes:
    """One picture of several, as WebP."""
    width, height = SHEET
    page = browser.new_page(viewport={"width": width, "height": height})
    pictures = [f"data:image/webp;base64,{base64.b64encode(each).decode()}" for each in looks]
    page.set_content(
        "<body style='margin: 0; display: flex; justify-content: space-between; background: #888'>"
        + "".join(f"<img height={height} src='{each}'>" for each in pictures)
    )
    page.wait_for_function("[...document.images].every(each => each.complete)")
    taken = shot(page)
    page.close()
    return taken


def sheets(browser: Browser, server: Server, directory: Path) -> Iterator[tuple[str, Path]]:
    """Take every page in its looks: its title, and the file."""
    looks: dict[str, list[bytes]] = {}
    for look in LOOKS:
        with opened(browser, server, look) as page:
            looks.setdefault("Log-in", []).append(shot(page))
            log_in(page, server)
            for title, address in PAGES:
                go(page, address)
                looks.setdefault(title, []).append(shot(page))
    for title, each in looks.items():
        file = directory / f"page-{'-'.join(re.findall('[a-z]+', title.lower()))}.webp"
        file.write_bytes(side_by_side(browser, each))
        yield title, file


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    with bed() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        ask = server.pywbem("root/virt")
        wait_until(lambda: len(ask.EnumerateInstanceNames("KVM_ComputerSystem")) == 6, PATIENCE)
        # A page shows the load of guests from its beginning only where the server has sampled it before.
        with opened(browser, server, {}) as page:
            log_in(page, server)
            await_figures(page)
        for name, address, look in PICTURES:
            with opened(browser, server, look) as page:
                log_in(page, server)
                go(page, address)
                (directory / f"console-{name}.webp").write_bytes(shot(page))
        found = list(sheets(browser, server, directory))
        (directory / "console-pages.md").write_text(
            HEADING + "".join(f"\n## {title}\n\n![{title}]({file.name})\n" for title, file in found)
        )
        browser.close()


if __name__ == "__main__":
    main()
