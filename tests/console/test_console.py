"""What people do with the console: look, start, change, follow; each effect is read by libvirt."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing

import libvirt
import pytest
from playwright.sync_api import Page, expect

from tests.bed import Libvirtd, Server, wait_until

Open = Callable[..., Page]

GUEST = "#/guest/root%2Fvirt/KVM_ComputerSystem/first"
PAGES = {
    "overview": "Overview",
    "guests": "Guests",
    "create": "New guest",
    "nodes": "Nodes",
    "storage": "Storage",
    "networks": "Networks",
    "templates": "Templates",
    "jobs": "Jobs and events",
    "subscriptions": "Subscriptions",
    "topology": "Topology",
    "browser": "CIM browser",
    "profiles": "Profiles",
    "about": "About",
}
TABS = ("Summary", "Settings", "Devices", "Snapshots", "Jobs and changes", "Neighbours", "CIM")


def state(host: Libvirtd, name: str = "first") -> int:
    """The state of a guest, as libvirt has it."""
    with closing(host.connect()) as connection:
        found: int = connection.lookupByName(name).state()[0]
        return found


@pytest.mark.parametrize("width", [1280, 360])
def test_every_page_opens_without_an_error(open_page: Open, width: int) -> None:
    page = open_page(width=width)
    for name, title in PAGES.items():
        page.evaluate("address => { location.hash = address }", f"#/{name}")
        expect(page.get_by_role("heading", level=1, name=title, exact=True)).to_be_visible()
        expect(page.get_by_text("Reading…")).to_have_count(0)
        expect(page.get_by_role("alert")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), f"{name} is too wide"
    page.evaluate("address => { location.hash = address }", GUEST)
    for name in TABS:
        page.get_by_role("tab", name=name, exact=True).click()
        expect(page.get_by_text("Reading…")).to_have_count(0)
        expect(page.get_by_role("alert")).to_have_count(0)


def test_a_guest_is_started_paused_and_switched_off(open_page: Open, host: Libvirtd) -> None:
    page = open_page(GUEST)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator(".head .state.on")).to_be_visible()
    assert state(host) == libvirt.VIR_DOMAIN_RUNNING
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".head .state.paused")).to_be_visible()
    assert state(host) == libvirt.VIR_DOMAIN_PAUSED
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".head .state.on")).to_be_visible()
    page.get_by_role("button", name="Power off").click()
    page.get_by_role("dialog").get_by_role("button", name="Power off").click()
    expect(page.locator(".head .state.off")).to_be_visible()
    assert state(host) == libvirt.VIR_DOMAIN_SHUTOFF


def test_what_libvirt_does_is_on_the_screen(open_page: Open, host: Libvirtd) -> None:
    page = open_page("#/guests")
    row = page.get_by_role("row").filter(has_text="first")
    expect(row.locator(".state.off")).to_be_visible()
    mark = page.get_by_role("checkbox", name="Select first", exact=True)
    mark.check()
    expect(page.get_by_text("1 selected")).to_be_visible()
    with closing(host.connect()) as connection:
        connection.lookupByName("first").create()
        expect(row.locator(".state.on")).to_be_visible()
        expect(mark).to_be_checked()
        connection.lookupByName("first").destroy()
    expect(row.locator(".state.off")).to_be_visible()
    mark.uncheck()
    expect(page.get_by_text("1 selected")).to_have_count(0)
    page.get_by_role("button", name="Name", exact=False).first.click()
    expect(mark).not_to_be_checked()
    expect(row.locator(".state.off")).to_be_visible()


def test_settings_are_reviewed_and_changed(open_page: Open, host: Libvirtd) -> None:
    page = open_page(f"{GUEST}/settings")
    review = page.get_by_role("button", name="Review what changes")
    expect(review).to_be_disabled()
    page.get_by_label("Title").fill("The <b>first</b> one")
    review.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".added")).to_have_text("The <b>first</b> one")
    dialog.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    with closing(host.connect()) as connection:
        wait_until(lambda: "The &lt;b&gt;first&lt;/b&gt; one" in connection.lookupByName("first").XMLDesc())
    expect(page.get_by_label("Title")).to_have_value("The <b>first</b> one")


def test_the_screen_of_a_guest_is_shown(open_page: Open, host: Libvirtd) -> None:
    with closing(host.connect()) as connection:
        connection.lookupByName("first").create()
    page = open_page(f"{GUEST}/console")
    page.get_by_role("button", name="Screen", exact=True).click()
    canvas = page.locator(".screen canvas")
    expect(canvas).to_be_visible()
    wait_until(
        lambda: page.evaluate(
            """() => { const canvas = document.querySelector(".screen canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.some((value, index) => index % 4 < 3 && value > 60); }"""
        )
    )
    page.get_by_role("button", name="Serial").click()
    expect(page.locator(".screen .xterm")).to_be_visible()


def test_an_address_that_changes_while_the_page_begins_is_followed(open_page: Open) -> None:
    page = open_page()
    page.add_init_script("""new MutationObserver((_, own) => {
        if (!document.querySelector(".frame")) return;
        own.disconnect();
        location.hash = "#/networks";
    }).observe(document, {childList: true, subtree: true});""")
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Networks")).to_be_visible()


NOTE_LAST = """const add = EventSource.prototype.addEventListener;
EventSource.prototype.addEventListener = function (kind, take) {
    add.call(this, kind, (message) => {
        localStorage.setItem("last", message.lastEventId);
        take(message);
    });
};"""

IS_KEPT = """() => new Promise((told) => {
    const last = localStorage.getItem("last");
    const source = new EventSource(`/api/events?lastEventId=${last}`);
    source.addEventListener("begin", (message) => {
        source.close();
        told(message.lastEventId.split(".")[0] === last.split(".")[0]);
    });
})"""


def test_a_page_that_is_left_ends_its_stream(open_page: Open, server: Server) -> None:
    # A picture has no icon, which the browser looks for.
    page = open_page(away=True)
    page.add_init_script(NOTE_LAST)
    page.goto(f"{server.url}/#/guests")
    page.reload()
    expect(page.get_by_role("link", name="first", exact=True).first).to_be_visible()
    page.wait_for_function("localStorage.getItem('last')")
    page.goto(f"{server.url}/icon.svg")
    wait_until(lambda: not page.evaluate(IS_KEPT))


def test_log_out_ends_the_session(open_page: Open, server: Server) -> None:
    page = open_page()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("User")).to_be_visible()
    assert page.context.request.get(f"{server.url}/api/namespaces/root%2Fvirt").status == 401


LOOKING = {
    *("Screens", "Save view", "Save as SVG", "Ask", "Check", "Log out everywhere", "Read again"),
    # Of who may operate.
    *("Pause", "Shut down", "Reboot", "Save to disk", "Reset", "Power off", "Screen", "Serial", "Full screen"),
    "Send Ctrl-Alt-Del",
}
"""What changes nothing, or what an operator may do."""

OPERATING = frozenset({"Pause", "Power off", "Screen"})

OFFERED = """() => [...document.querySelectorAll("main :is(button, a.button), nav a[href='#/create']")]
    .filter((each) => !each.disabled && each.ariaDisabled !== "true")
    .filter((each) => each.role !== "tab" && !each.closest("th, .tree"))
    .map((each) => each.textContent.trim())"""


@pytest.mark.parametrize("role", ["read", "operate"])
def test_nobody_is_offered_what_would_be_refused(
    open_page: Open, host: Libvirtd, serve: Callable[..., Server], role: str
) -> None:
    roles = {"read": ["bed"], "operate": [], "administer": ["root"], role: ["bed"]}
    barred = serve(host.uri(), config="[roles]\n" + "".join(f"{name} = {who}\n" for name, who in roles.items()))
    with closing(host.connect()) as connection:
        guest = connection.lookupByName("first")
        guest.create()
        guest.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
    page, offered = open_page(GUEST, of=barred), set()
    expect(page.get_by_text("you may look only")).to_have_count(int(role == "read"))
    tabs = ("summary", "console", "settings", "devices", "snapshots", "jobs", "graph", "cim")
    for address in (*(f"#/{name}" for name in PAGES), *(f"{GUEST}/{tab}" for tab in tabs)):
        page.evaluate("address => { location.hash = address }", address)
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        offered |= set(page.evaluate(OFFERED))
        if address.endswith("/snapshots"):
            expect(page.get_by_text("one", exact=True)).to_be_visible()
        if address.endswith("/settings"):
            expect(page.get_by_label("Title")).to_be_disabled()
        if address.endswith("/console") and role == "operate":
            expect(page.locator(".screen canvas")).to_be_visible()
    assert offered <= LOOKING
    assert offered & OPERATING == (OPERATING if role == "operate" else set())


def test_the_tree_offers_nothing_to_who_may_only_look(
    open_page: Open, host: Libvirtd, serve: Callable[..., Server]
) -> None:
    barred = serve(host.uri(), config='[roles]\nread = ["bed"]\noperate = []\nadminister = ["root"]\n')
    page = open_page(GUEST, of=barred)
    tree = page.get_by_role("complementary")
    tree.get_by_role("button", name="Unfold Templates").click()
    for name in ("first", "local", "Nodes", "empty@1"):
        tree.get_by_role("button", name=f"Actions of {name}", exact=True).click()
        dialog = page.get_by_role("dialog", name=name, exact=True)
        expect(dialog.get_by_text("you may look only")).to_be_visible()
        expect(dialog.get_by_role("button")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


def test_the_tree_has_the_actions_of_each_guest(open_page: Open, host: Libvirtd) -> None:
    page = open_page("#/about")
    actions = page.get_by_role("button", name="Actions of first", exact=True)
    actions.click()
    dialog = page.get_by_role("dialog", name="first", exact=True)
    expect(dialog.get_by_role("button", name="Pause")).to_be_disabled()
    dialog.get_by_role("button", name="Start").click()
    expect(dialog).to_have_count(0)
    wait_until(lambda: state(host) == libvirt.VIR_DOMAIN_RUNNING)
    actions.click()
    dialog.get_by_role("button", name="Power off").click()
    confirmed = page.get_by_role("dialog", name="Power off: first?")
    confirmed.get_by_role("button", name="Power off").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    wait_until(lambda: state(host) == libvirt.VIR_DOMAIN_SHUTOFF)
    expect(page.get_by_role("heading", level=1, name="About")).to_be_visible()


def test_the_tree_has_the_actions_of_nodes_and_groups(open_page: Open) -> None:
    page = open_page("#/about")
    node = page.get_by_role("button", name="Actions of local", exact=True)
    node.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="local", exact=True)
    expect(dialog.get_by_role("button", name="Edit")).to_be_disabled()
    expect(dialog.get_by_role("button", name="Edit")).to_have_accessible_description(re.compile("own host"))
    expect(dialog.get_by_text("Drain: this is the server's own host")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(node).to_be_focused()
    page.get_by_role("button", name="Actions of Nodes", exact=True).click()
    group = page.get_by_role("dialog", name="Nodes", exact=True)
    group.get_by_role("button", name="Add a node").click()
    form = page.get_by_role("dialog", name="Add a node")
    expect(form.get_by_label("URIs of libvirt")).to_be_visible()
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(group.get_by_role("button", name="Add a node")).to_be_focused()
    page.keyboard.press("Escape")
    node.click()
    dialog.get_by_role("button", name="New guest").click()
    expect(page.get_by_role("heading", level=1, name="New guest")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_tree_has_the_actions_of_templates_and_their_groups(open_page: Open) -> None:
    page = open_page("#/about")
    tree = page.get_by_role("complementary")
    tree.get_by_role("button", name="Unfold Templates").click()
    tree.get_by_role("button", name="Actions of empty@1", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Copy").click()
    page.get_by_role("dialog").get_by_role("button", name="Review what changes").click()
    page.get_by_role("dialog").get_by_role("button", name="Apply").click()
    copy = tree.get_by_role("button", name=re.compile("Actions of empty.*-copy@1"))
    expect(copy).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    tree.get_by_role("button", name="Actions of basic", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Put into another group").click()
    asked = page.get_by_role("dialog", name="Put into another group")
    asked.get_by_label("Group").fill("mine")
    asked.get_by_role("button", name="Save").click()
    expect(tree.get_by_role("button", name="Actions of mine", exact=True)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    copy.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    removal = page.get_by_role("dialog", name=re.compile("Delete: empty.*-copy@1"))
    removal.get_by_role("button", name="Delete").click()
    expect(copy).to_have_count(0)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_name_of_markup_is_text(open_page: Open, host: Libvirtd) -> None:
    name = "<img src=x onerror=alert(1)>"
    page = open_page("#/guests")
    with closing(host.connect()) as connection:
        connection.defineXML(like_first(connection, name))
    expect(page.get_by_role("link", name=name).first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def like_first(connection: libvirt.virConnect, name: str) -> str:
    """A further guest that is like the first one, under another name."""
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = connection.lookupByName("first").XMLDesc()
    lines = [line for line in text.splitlines() if "<uuid>" not in line]
    return "\n".join(lines).replace("<name>first</name>", f"<name>{escaped}</name>")
