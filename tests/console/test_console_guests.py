"""Guests made of a medium and of each other, their screens as people use them, and names that are hard on a page."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import libvirt
import pytest
from playwright.sync_api import Page, Request, WebSocket, expect

from tests.bed import Libvirtd, Server, boot_sector_xml, wait_until
from tests.bed.linux import COMMAND_LINE, LOGS_IN, LinuxGuest
from tests.console.test_console import GUEST, state
from tests.console.test_console_forms import described

pytestmark = pytest.mark.slow

Open = Callable[..., Page]

POOL = "<i>store"

NOTE_STEPS = """() => {
    window.steps = [];
    new MutationObserver(() => steps.push(document.querySelector("main").textContent))
        .observe(document.querySelector("main"), {childList: true, characterData: true, subtree: true});
}"""

HIDDEN_ROWS = """() => {
    const end = document.querySelector(".screen").getBoundingClientRect().bottom;
    return [...document.querySelectorAll(".xterm-rows > div")]
        .filter((row) => row.getBoundingClientRect().bottom > end + 1).length;
}"""

KEY, CUT_TEXT = 4, 6
"""Messages of clients in RFB (RFC 6143, 7.5)."""


@pytest.fixture
def pool(host: Libvirtd) -> Iterator[Path]:
    """The directory of a pool of storage, which the images of the guests are in."""
    with closing(host.connect()) as connection:
        made = connection.storagePoolDefineXML(
            f"<pool type='dir'><name>{escape(POOL)}</name><target><path>{host.images}</path></target></pool>"
        )
        made.create()
        yield host.images
        made.destroy()
        made.undefine()


def create(page: Page) -> None:
    """Look at what is to be made, and have it made."""
    page.get_by_role("button", name="Review and create").click()
    page.get_by_role("dialog").get_by_role("button", name="Create").click()


def test_a_name_is_enough_to_have_a_guest_with_its_screen_on_view(open_page: Open, host: Libvirtd) -> None:
    """On a host that has nothing: no guest, no storage, no network."""
    host.remove_domains()
    page = open_page()
    expect(page.get_by_text("There are no guests yet")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="New guest").click()
    expect(page.get_by_role("link", name="storage pool")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("newcomer")
    page.get_by_label("Memory in MiB").fill("64")
    create(page)
    screen = page.locator(".screen canvas")
    expect(screen).to_be_visible()
    page.get_by_role("button", name="Power off").click()
    page.get_by_role("dialog").get_by_role("button", name="Power off").click()
    expect(page.get_by_text("The guest does not run")).to_be_visible()
    expect(screen).to_have_count(0)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(screen).to_be_visible()


def test_a_guest_without_a_screen_has_its_serial_console(open_page: Open, host: Libvirtd) -> None:
    with closing(host.connect()) as connection:
        xml = connection.lookupByName("first").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        connection.defineXML(re.sub("<graphics.*</graphics>", "", xml, flags=re.DOTALL)).create()
    page = open_page(f"{GUEST}/console")
    expect(page.get_by_role("button", name="Screen", exact=True)).to_be_disabled()
    expect(page.get_by_title("The guest has no screen by VNC.")).to_be_visible()
    page.get_by_role("button", name="Serial").click()
    expect(page.locator(".screen .xterm")).to_be_visible()


def test_snapshots_are_made_gone_back_to_and_removed(open_page: Open, host: Libvirtd) -> None:
    page = open_page(f"{GUEST}/snapshots")
    with closing(host.connect()) as connection:
        guest = connection.lookupByName("first")
        guest.create()
        for name in ("one", "<b>two"):
            page.get_by_role("button", name="New snapshot").click()
            dialog = page.get_by_role("dialog")
            dialog.get_by_label("Name").fill(name)
            dialog.get_by_role("button", name="New snapshot").click()
            expect(page.locator("main .tree").get_by_text(name, exact=True)).to_be_visible()
        assert guest.snapshotLookupByName("<b>two").getParent().getName() == "one"
        guest.destroy()
        expect(page.locator(".head .state.off")).to_be_visible()
        page.get_by_role("button", name="Go back to it").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Go back to it").click()
        expect(page.locator(".head .state.on")).to_be_visible()
        wait_until(lambda: guest.snapshotCurrent().getName() == "one")
        # Whoever is about to remove one does not remove another one that got its name meanwhile.
        page.locator("main .tree li li").get_by_role("button", name="Delete").click()
        guest.snapshotLookupByName("<b>two").delete()
        time.sleep(1.1)  # the times of snapshots are in seconds
        guest.snapshotCreateXML("<domainsnapshot><name>&lt;b>two</name></domainsnapshot>")
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Somebody has changed this meanwhile")
        page.keyboard.press("Escape")
        assert set(guest.snapshotListNames()) == {"one", "<b>two"}
        page.locator("main .tree li li").get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.locator("main .tree li li")).to_have_count(0)
        assert guest.snapshotListNames() == ["one"]


def test_many_guests_are_acted_on_and_told_of_together(open_page: Open, host: Libvirtd) -> None:
    host.define(boot_sector_xml("second", host.new_image()))
    lost = host.new_image()
    host.define(boot_sector_xml("broken", lost))
    lost.unlink()
    page = open_page("#/guests", away=True)
    expect(page.get_by_text("3 of 3 guests")).to_be_visible()
    page.get_by_role("checkbox", name="Select all that are shown").check()
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Start: 2 guests", exact=True)).to_be_visible()
    expect(page.locator(".toasts .bad")).to_have_count(1)
    expect(page.locator(".toasts .bad")).to_contain_text("Start: broken:")


def test_a_view_is_saved_and_removed(open_page: Open) -> None:
    page = open_page("#/guests")
    page.once("dialog", lambda dialog: dialog.accept("mine"))
    search, views = page.get_by_role("searchbox", name="Search"), page.get_by_role("combobox", name="Saved views")
    search.fill("nothing like it")
    page.get_by_role("button", name="Save view").click()
    expect(views).to_have_value("mine")
    page.reload()
    expect(page.get_by_text("1 of 1 guests")).to_be_visible()
    views.select_option("mine")
    expect(page.get_by_text("0 of 1 guests")).to_be_visible()
    page.get_by_role("button", name="Remove view").click()
    expect(views).to_have_count(0)


def test_a_guest_is_made_of_a_medium_and_a_new_disk(pool: Path, open_page: Open, host: Libvirtd) -> None:
    (pool / "installer.iso").touch()
    page = open_page("#/create")
    page.get_by_label("Name").fill("fresh")
    page.locator("#new-iso").fill(str(pool / "installer.iso"))
    page.get_by_label("Its disk").select_option(f"a new one, in {POOL}")
    page.get_by_label("Size of the new disk").fill("3")
    page.get_by_label("Memory in MiB").fill("32")
    create(page)
    expect(page.get_by_role("heading", level=1, name="fresh")).to_be_visible()
    expect(page.locator(".head .state.on")).to_be_visible()
    assert state(host, "fresh") == libvirt.VIR_DOMAIN_RUNNING
    page.get_by_role("tab", name="Console").click()
    page.get_by_role("button", name="Screen", exact=True).click()
    expect(page.locator(".screen canvas")).to_be_visible()
    made = described(host, "fresh")
    assert f"<source file='{pool / 'installer.iso'}'/>" in made
    assert f"<source file='{pool / 'fresh.qcow2'}'/>" in made
    assert made.index("<boot dev='hd'/>") < made.index("<boot dev='cdrom'/>")
    with closing(host.connect()) as connection:
        assert connection.storageVolLookupByPath(str(pool / "fresh.qcow2")).info()[1] == 3 << 30


def test_a_guest_that_is_refused_leaves_no_disk(pool: Path, open_page: Open, host: Libvirtd) -> None:
    page = open_page("#/create", away=True)
    page.get_by_label("Name").fill("no/name")
    page.get_by_label("Size of the new disk").fill("1")
    create(page)
    expect(page.get_by_role("alert").filter(has_text="no/name")).to_be_visible()
    assert not (pool / "no_name.qcow2").exists()
    assert not described(host, "no/name")


def test_a_guest_is_cloned(pool: Path, open_page: Open, host: Libvirtd) -> None:
    page = open_page("#/create")
    page.get_by_role("radio", name="Another guest").check()
    page.get_by_label("Name").fill("second")
    page.locator("#new-origin").select_option("first")
    create(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.get_by_role("alert").all_inner_texts() == []
    wait_until(lambda: described(host, "second"))
    one, other = (
        described(host, name).partition("<source file='")[2].partition("'")[0] for name in ("first", "second")
    )
    assert one != other
    assert Path(other).parent == pool
    expect(page.get_by_role("complementary").get_by_role("link", name="second")).to_be_visible()


def test_a_guest_is_made_of_a_template(pool: Path, open_page: Open, host: Libvirtd) -> None:
    page = open_page("#/templates")
    page.locator(".panel").filter(has_text="empty@1").get_by_role("button", name="Make guests").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("#make-name").fill("sown")
    dialog.get_by_text("More", exact=True).click()
    dialog.locator("#parameter-pool").fill(POOL)
    dialog.locator("#parameter-start").fill("no")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1, name="Jobs and events")).to_be_visible()
    assert page.get_by_role("alert").all_inner_texts() == []
    wait_until(lambda: f"<source file='{pool}/" in described(host, "sown"))


def test_spice_has_a_file_for_its_viewer(open_page: Open, host: Libvirtd) -> None:
    with closing(host.connect()) as connection:
        xml = connection.lookupByName("first").XMLDesc()
        spice = "<graphics type='spice' autoport='yes' listen='127.0.0.1'/></devices>"
        connection.defineXML(xml.replace("</devices>", spice)).create()
        running = connection.lookupByName("first").XMLDesc()
    port = running.partition("<graphics type='spice' port='")[2].partition("'")[0]
    page = open_page(f"{GUEST}/console")
    with page.expect_download() as download:
        page.get_by_role("button", name="SPICE (.vv file)").click()
    assert download.value.suggested_filename == "first.vv"
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "[virt-viewer]"
    assert {"type=spice", "host=127.0.0.1", f"port={port}", "title=first"} <= set(lines)


TO_LOG_IN = """\
id = "small"
title = "Small"
platforms = ["KVM"]
customize = "none"

[settings]
DomainType = "qemu"
Kernel = "{kernel}"
Ramdisk = "{ramdisk}"
CommandLine = "{words}"

[[disks]]
size = "1 MiB"

[[resources]]
kind = "Mem"
VirtualQuantity = 128
AllocationUnits = "byte*2^20"

[[resources]]
kind = "Console"
SourceType = 2
"""


def test_a_guest_is_provisioned_to_its_prompt(
    pool: Path, open_page: Open, host: Libvirtd, serve: Callable[..., Server], linux: LinuxGuest, tmp_path: Path
) -> None:
    filled = TO_LOG_IN.format(kernel=linux.kernel, ramdisk=linux.ramdisk, words=f"{COMMAND_LINE} {LOGS_IN}")
    (tmp_path / "small.toml").write_text(filled)
    config = f"[providers.jobs]\ngrace = 0\n[images]\ndirectory = '{tmp_path}'\npool = '{POOL}'\n"
    page = open_page("#/templates", of=serve(host.uri(), config=config))
    page.locator(".panel").filter(has_text="small@1").get_by_role("button", name="Make guests").click()
    page.get_by_role("dialog").locator("#make-name").fill("talker")
    page.evaluate(NOTE_STEPS)
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    expect(page.get_by_role("row").filter(has_text="Provision talker")).to_contain_text("100 %")
    assert page.evaluate("steps.some((each) => /Step \\d of \\d: /.test(each))")
    page.evaluate("address => { location.hash = address }", f"{GUEST.replace('first', 'talker')}/console")
    page.get_by_role("button", name="Serial").click()
    page.locator(".screen .xterm").click()

    def is_asked() -> bool:
        # Who comes when it is there already has it said again.
        page.keyboard.press("Enter")
        page.wait_for_timeout(1000)
        return "login:" in page.locator(".xterm-accessibility").inner_text()

    wait_until(is_asked, 240)
    assert page.evaluate(HIDDEN_ROWS) == 0


@pytest.fixture
def screen(open_page: Open, host: Libvirtd) -> Page:
    """The screen of a guest that a reset switches off."""
    with closing(host.connect()) as connection:
        xml = connection.lookupByName("first").XMLDesc()
        connection.defineXML(xml.replace("<on_reboot>restart", "<on_reboot>destroy")).create()
    return open_page(f"{GUEST}/console", away=True)


def open_screen(page: Page) -> list[bytes]:
    """Open the screen, and gather what the page sends to it."""
    sent: list[bytes] = []

    def follow(socket: WebSocket) -> None:
        socket.on("framesent", lambda data: sent.append(data if isinstance(data, bytes) else data.encode()))

    page.on("websocket", follow)
    page.get_by_role("button", name="Screen", exact=True).click()
    expect(page.locator(".screen canvas")).to_be_visible()
    # The first request for the picture ends the handshake: what is sent before it gets lost.
    wait_until(lambda: any(each[:1] == b"\x03" for each in sent))
    return sent


def test_control_alt_delete_reaches_the_guest(screen: Page, host: Libvirtd) -> None:
    open_screen(screen)

    def is_off() -> bool:
        # The firmware takes no keys until it has begun to boot.
        screen.get_by_role("button", name="Send Ctrl-Alt-Del").click()
        screen.wait_for_timeout(500)
        return state(host) == libvirt.VIR_DOMAIN_SHUTOFF

    wait_until(is_off)
    expect(screen.get_by_text("The connection has ended.")).to_be_visible()


def test_text_is_typed_and_put_into_the_clipboard(screen: Page, open_page: Open) -> None:
    sent = open_screen(screen)
    other = open_page(f"{GUEST}/console")
    open_screen(other)
    other.get_by_text("Clipboard").first.click()
    screen.get_by_text("Clipboard").first.click()
    screen.get_by_role("textbox", name="Clipboard").fill("aé€\n")
    screen.get_by_role("button", name="Type it").click()

    def pressed() -> list[int]:
        keys = [each for each in sent if each[:2] == bytes([KEY, 1])]
        return [int.from_bytes(each[4:8], "big") for each in keys]

    wait_until(lambda: pressed()[-4:] == [0x61, 0xE9, 0x10020AC, 0xFF0D])
    # Whoever else looks at the guest shares its clipboard.
    screen.get_by_role("button", name="Put it into").click()
    wait_until(lambda: any(each[:1] == bytes([CUT_TEXT]) for each in sent))
    expect(other.get_by_role("textbox", name="Clipboard")).to_have_value("aé€\n")


def test_who_has_not_been_told_overwrites_nothing(open_page: Open, host: Libvirtd) -> None:
    """Two people at a guest, where one of them gets no events: the ETag tells."""
    page = open_page(away=True)
    page.route("**/api/events*", lambda route: route.abort())
    page.reload()
    page.evaluate("address => { location.hash = address }", f"{GUEST}/settings")
    page.get_by_label("Title").fill("mine")
    page.get_by_role("button", name="Review what changes").click()
    other = open_page(f"{GUEST}/settings")
    other.get_by_label("Title").fill("theirs")
    other.get_by_role("button", name="Review what changes").click()
    other.get_by_role("dialog").get_by_role("button", name="Apply").click()
    wait_until(lambda: "<title>theirs</title>" in described(host, "first"))
    page.get_by_role("dialog").get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert").filter(has_text="Somebody has changed this meanwhile")).to_be_visible()
    expect(page.get_by_label("Title")).to_have_value("mine")
    assert "<title>theirs</title>" in described(host, "first")


NAMES = (
    "<img src=x onerror=alert(1)>",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 <b>",
    "\u202egpj.exe",
    "w" * 5000,
    "\u05e9\u05dc\u05d5\u05dd" * 1250,
    "a word " * 700 + "end",
    "100%25 .. ?#&;\"'",
)


@pytest.fixture
def hard_names(tmp_path: Path, serve: Callable[..., Server]) -> Server:
    """A server of the test driver, whose guests have names that are hard on a page."""
    guests = "".join(
        f"<domain type='test'><name>{escape(name)}</name><title>{escape(NAMES[0])}</title>"
        "<memory>65536</memory><os><type>hvm</type></os></domain>"
        for name in NAMES
    )
    file = tmp_path / "node.xml"
    file.write_text(f"<node><cpu><mhz>6000</mhz></cpu>{guests}</node>")
    return serve(f"test://{file}")


@pytest.mark.parametrize("width", [1280, 360])
def test_hard_names_are_shown_whole_and_lead_to_their_guests(open_page: Open, hard_names: Server, width: int) -> None:
    page = open_page("#/guests", of=hard_names, width=width)
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    refused: list[str] = []

    def note(request: Request) -> None:
        answer = request.response()
        if answer is not None and answer.status >= 400:
            refused.append(f"{answer.status} {request.url[:200]}")

    page.on("requestfinished", note)
    expect(page.get_by_role("status").filter(has_text=f"{len(NAMES)} of {len(NAMES)} guests")).to_be_visible()
    for name in NAMES:
        for tab in ("summary", "settings", "devices", "jobs", "cim"):
            address = f"#/guest/root%2Fvirt/Test_ComputerSystem/{quote(name, safe='')}/{tab}"
            page.evaluate("address => { location.hash = address }", address)
            expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible()
            expect(page.get_by_text("Reading…")).to_have_count(0)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), (tab, name[:20])
        expect(page.locator(".head .state.on")).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        expect(page.locator(".head .state.paused")).to_be_visible()
        told = page.locator(".toasts .good").last
        expect(told).to_contain_text(f"{name[:59]}…" if len(name) > 60 else name)
    assert page.locator("img[src=x]").count() == 0
    assert not asked
    assert not refused


def test_an_alert_from_before_the_page_was_opened_is_shown(open_page: Open, host: Libvirtd, server: Server) -> None:
    with closing(host.connect()) as connection:
        connection.lookupByName("first").create()
        page = open_page("#/guests")
        row = page.get_by_role("row").filter(has_text="first")
        expect(row.locator(".state.on")).to_be_visible()
        page.context.close()
        os.kill(int((host.directory / "run/libvirt/qemu/first.pid").read_text()), signal.SIGKILL)
        wait_until(lambda: not connection.lookupByName("first").isActive())
    later = open_page("#/overview")
    expect(later.locator("main li").filter(has_text=re.compile("first.*(crashed|ended by an error)"))).to_be_visible()
