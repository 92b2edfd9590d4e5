"""Takes the pictures of the console that docs/tour.md has: `python -m tests.console.pictures docs`, as root.

With `--all` as well every page in all its looks, to be looked at.
"""

from __future__ import annotations

import argparse
import base64
import tempfile
import time
from collections.abc import Iterator, Mapping
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

EVERYTHING = (
    *("overview", "guests", "create", "nodes", "node/root%2Fvirt", "storage", "networks", "templates", "jobs"),
    *("subscriptions", "topology", "browser", "profiles", "about"),
    *(f"{GUEST}/{tab}" for tab in ("summary", "console", "settings", "devices", "snapshots", "jobs", "graph", "cim")),
)

LOOKS: tuple[Mapping[str, str], ...] = ({}, {"scheme": "dark", "language": "de"}, {"width": "narrow"})

QUALITY = 70
PATIENCE = 60.0


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
    """The console in one of its looks, logged in."""
    width, height = NARROW if look.get("width") == "narrow" else WIDE
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale=look.get("language", "en-GB"),
        color_scheme="dark" if look.get("scheme") == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.on("pageerror", lambda error: print("error:", error))
    page.on("console", lambda message: print(message.type, message.text) if message.type == "error" else None)
    page.goto(server.url)
    page.locator("#user").fill(server.user or "")
    page.locator("#password").fill(server.password or "")
    page.locator("button.main").click()
    page.locator(".frame").wait_for()
    yield page
    context.close()


def take(page: Page, address: str, file: Path) -> None:
    """Open a page, wait until it is whole, and keep what it looks like."""
    page.evaluate("address => { location.hash = address }", f"#/{address}")
    page.get_by_role("heading", level=1).first.wait_for()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    if address.endswith("/console"):
        page.locator("main .panel button").first.click()
        page.locator(".screen canvas").wait_for()
    page.wait_for_timeout(2500)
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    file.write_bytes(base64.b64decode(shot["data"]))
    too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    print(
        f"{file} {file.stat().st_size // 1000} kB" + (f", {too_wide} px too wide" if too_wide > 1 else ""), flush=True
    )


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--all", action="store_true", help="every page in all its looks, too")
    arguments = parser.parse_args()
    with bed() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        ask = server.pywbem("root/virt")
        wait_until(lambda: len(ask.EnumerateInstanceNames("KVM_ComputerSystem")) == 6, PATIENCE)
        for name, address, look in PICTURES:
            with opened(browser, server, look) as page:
                take(page, address, arguments.directory / f"console-{name}.webp")
        for number, look in enumerate(LOOKS if arguments.all else ()):
            with opened(browser, server, look) as page:
                for address in EVERYTHING:
                    name = address.replace("%2F", "-").replace("/", "-")
                    take(page, address, arguments.directory / f"{number}-{name}.webp")
        browser.close()


if __name__ == "__main__":
    main()
