"""Forms of the console: guests, devices, nodes and templates are made and changed; each effect is read elsewhere."""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Callable
from contextlib import closing
from urllib.request import Request, urlopen

import libvirt
import pytest
from playwright.sync_api import Page, expect

from tests.bed import Libvirtd, Server, boot_sector_xml, wait_until
from tests.console.test_console import GUEST

pytestmark = pytest.mark.slow

Open = Callable[..., Page]


def described(host: Libvirtd, name: str) -> str:
    """The definition of a guest; "" without one."""
    with closing(host.connect()) as connection:
        try:
            found: str = connection.lookupByName(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        except libvirt.libvirtError:
            return ""
        return found


def test_disks_and_ports_are_added_changed_and_removed(open_page: Open, host: Libvirtd) -> None:
    page = open_page(f"{GUEST}/devices")
    image = host.new_image()
    page.get_by_role("button", name="Add a disk").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Image, volume or device").fill(str(image))
    dialog.get_by_label("Bus").select_option("virtio")
    dialog.get_by_role("button", name="Review what changes").click()
    expect(dialog.locator(".added").first).to_have_text(str(image))
    dialog.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    wait_until(lambda: str(image) in described(host, "first"))

    page.get_by_role("button", name="Add a network port").click()
    dialog.get_by_label("Attached to").select_option("user")
    dialog.get_by_role("button", name="Review what changes").click()
    dialog.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    wait_until(lambda: "<interface type='user'>" in described(host, "first"))

    port = page.locator(".panel").filter(has_text="Attached to")
    port.get_by_role("button", name="Edit").click()
    dialog.get_by_label("Model").select_option("e1000")
    dialog.get_by_role("button", name="Review what changes").click()
    expect(dialog.locator(".added")).to_have_text("e1000")
    dialog.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    wait_until(lambda: "<model type='e1000'/>" in described(host, "first"))

    port.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    wait_until(lambda: "<interface" not in described(host, "first"))


def test_a_refusal_is_shown_where_it_was_made(open_page: Open, host: Libvirtd) -> None:
    page = open_page(f"{GUEST}/settings")
    processors = page.get_by_label("Processors", exact=False).first
    processors.fill("0")
    expect(page.get_by_role("alert").filter(has_text="at least 1")).to_be_visible()
    expect(page.get_by_role("button", name="Review what changes")).to_be_disabled()
    processors.fill("100000")
    expect(page.get_by_role("alert").filter(has_text="at most")).to_be_visible()
    processors.fill("two")
    expect(page.get_by_role("alert").filter(has_text="a number is expected")).to_be_visible()
    assert "100000" not in described(host, "first")


def test_a_snapshot_that_is_refused_says_so_where_it_was_asked_for(open_page: Open, host: Libvirtd) -> None:
    lost = host.new_image()
    host.define(boot_sector_xml("broken", lost))
    lost.unlink()
    page = open_page(f"{GUEST.replace('first', 'broken')}/snapshots", away=True)
    page.get_by_role("button", name="New snapshot").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("before")
    dialog.get_by_role("button", name="New snapshot").click()
    expect(dialog.get_by_role("alert").filter(has_text=lost.name)).to_be_visible()
    expect(dialog.get_by_label("Name")).to_have_value("before")


def test_who_edits_what_somebody_else_changes_is_told(open_page: Open, host: Libvirtd) -> None:
    page = open_page(f"{GUEST}/settings")
    page.get_by_label("Title").fill("mine")
    with closing(host.connect()) as connection:
        guest = connection.lookupByName("first")
        guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "theirs", None, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    expect(page.get_by_text("Somebody else has changed this guest")).to_be_visible()
    expect(page.get_by_label("Title")).to_have_value("mine")
    page.get_by_role("button", name="Review what changes").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".removed")).to_have_text("theirs")
    expect(dialog.locator(".added")).to_have_text("mine")
    dialog.get_by_role("button", name="Apply").click()
    wait_until(lambda: "<title>mine</title>" in described(host, "first"))


def test_a_guest_is_made_of_a_disk(open_page: Open, host: Libvirtd) -> None:
    page = open_page("#/create")
    page.get_by_role("radio", name="A disk that is there").check()
    page.get_by_label("Name").fill("<i>second")
    page.get_by_label("Memory in MiB").fill("64")
    page.locator("#new-image").fill(str(host.new_image()))
    page.get_by_text("More settings").click()
    page.get_by_label("Title").fill("made here")
    page.get_by_role("checkbox", name="Start it at once").uncheck()
    page.get_by_role("button", name="Review and create").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("<i>second")).to_be_visible()
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1, name="<i>second")).to_be_visible()
    made = described(host, "<i>second")
    assert "<title>made here</title>" in made
    assert "<memory unit='KiB'>65536</memory>" in made


def test_a_node_and_a_group_are_made_and_removed(open_page: Open, server: Server) -> None:
    page = open_page("#/nodes", away=True)
    page.get_by_role("button", name="Add a node").click()
    dialog = page.get_by_role("dialog")
    save = dialog.get_by_role("button", name="Save")
    expect(dialog.get_by_label("Name")).to_be_visible()
    expect(save).to_be_disabled()
    dialog.get_by_label("Name").fill("no good")
    expect(dialog.get_by_role("alert").filter(has_text="letters, digits")).to_be_visible()
    dialog.get_by_label("Name").fill("far")
    dialog.get_by_label("URIs of libvirt").fill("nonsense")
    expect(dialog.get_by_role("alert").filter(has_text="nonsense is no URI")).to_be_visible()
    # What the settings of the server do not permit is refused by it, and shown.
    dialog.get_by_label("URIs of libvirt").fill("qemu+ssh://far.example/system")
    save.click()
    expect(dialog.get_by_role("alert").first).to_be_visible()


def test_who_edits_a_node_that_somebody_else_changes_is_told(
    open_page: Open, host: Libvirtd, serve: Callable[..., Server]
) -> None:
    shown = serve(host.uri(), config="[nodes]\ntransports = ['unix']\npatience = 0.1\n")
    ask = shown.pywbem("root/interop")
    page = open_page("#/nodes", of=shown, away=True)
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Add a node").click()
    dialog.get_by_label("Name").fill("far")
    dialog.get_by_label("URIs of libvirt").fill("bhyve:///system")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="far")

    def comment() -> str:
        (node,) = (each for each in ask.EnumerateInstances("Virt_ManagedNode") if each["Name"] == "far")
        return str(node["Comment"])

    row.get_by_role("button", name="Edit").click()
    dialog.get_by_label("Comment").fill("mine")
    (theirs,) = (each for each in ask.EnumerateInstances("Virt_ManagedNode") if each["Name"] == "far")
    theirs["Comment"] = "theirs"
    ask.ModifyInstance(theirs, PropertyList=["Comment"])
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody has changed this meanwhile")
    assert comment() == "theirs"
    dialog.get_by_role("button", name="Cancel").click()
    row.get_by_role("button", name="Edit").click()
    expect(dialog.get_by_label("Comment")).to_have_value("theirs")
    dialog.get_by_label("Comment").fill("mine")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert comment() == "mine"
    # What may be done there is known, though it came after the log-in.
    page.evaluate("location.hash = '#/create'")
    expect(page.get_by_label("Node", exact=True).get_by_role("option", name="far")).to_have_count(1)


def test_a_template_is_copied_edited_and_removed(open_page: Open, server: Server) -> None:
    page = open_page("#/templates")
    original = page.locator(".panel").filter(has_text="empty@1")
    original.get_by_role("button", name="Copy").click()
    dialog = page.get_by_role("dialog")
    document = dialog.get_by_role("textbox", name="Document")
    text = document.input_value()
    identifier = next(line for line in text.splitlines() if line.startswith("id =")).split('"')[1]
    assert identifier.endswith("-copy")
    dialog.get_by_role("button", name="Review what changes").click()
    dialog.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    card = page.locator(".panel").filter(has_text=f"{identifier}@")
    card.get_by_role("button", name="Edit").click()
    dialog.get_by_label("Title").fill('a "title" # of mine')
    dialog.get_by_role("button", name="Review what changes").click()
    expect(dialog.locator(".added")).to_contain_text("of mine")
    dialog.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    (found,) = (each for each in templates(server) if each["properties"]["Name"] == identifier)
    assert 'Title = "a \\"title\\" # of mine"' in found["properties"]["Document"]
    card.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(card).to_have_count(0)
    assert identifier not in {each["properties"]["Name"] for each in templates(server)}


def templates(server: Server) -> list[dict[str, dict[str, str]]]:
    """The templates that the server has."""
    login = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
    place = f"{server.url}/api/namespaces/root%2Finterop/classes/Virt_Template/instances"
    with urlopen(Request(place, headers={"Authorization": f"Basic {login}"}), timeout=60) as answer:
        found: list[dict[str, dict[str, str]]] = json.load(answer)["instances"]
        return found


def test_methods_are_called_in_the_browser_of_classes(open_page: Open) -> None:
    page = open_page(GUEST)
    page.get_by_role("tab", name="CIM", exact=True).click()
    page.get_by_role("tabpanel").get_by_role("link", name="CIM browser").click()
    page.get_by_role("tab", name="Methods").click()
    page.get_by_text("RequestStateChange", exact=True).click()
    page.get_by_label("RequestedState").fill("2")
    page.get_by_role("button", name="Call").first.click()
    expect(page.get_by_role("status").filter(has_text='"ReturnValue": 0')).to_be_visible()


DOCUMENT = '''id = "x" # [settings]
user_data = """
[settings]
Title = 1
"""
[settings]
Title = "old" # why
[[resources]]
kind = "Net"
[[resources]]
kind = "Mem"
VirtualQuantity = 2
'''

EDIT = """async ([document, ...edits]) => {
    const { setValue } = await import("/toml.js");
    return edits.reduce((before, [table, name, value]) => setValue(before, table, name, value), document);
}"""


def test_a_document_is_changed_in_its_place_only(open_page: Open) -> None:
    page = open_page()
    settings, memory = {"header": "[settings]"}, {"header": "[[resources]]", "kind": "Mem"}
    processors, top = {"header": "[[resources]]", "kind": "Proc"}, {"header": ""}
    text = 'a "b" # c\u2028'
    changed = page.evaluate(
        EDIT,
        [
            DOCUMENT,
            [settings, "Title", text],
            [memory, "VirtualQuantity", 7],
            [processors, "VirtualQuantity", 3],
            [top, "id", "y"],
            [top, "group", "web"],
        ],
    )
    before, after = tomllib.loads(DOCUMENT), tomllib.loads(changed)
    assert after["settings"] == {"Title": text}
    assert after["resources"] == [
        {"kind": "Net"},
        {"kind": "Mem", "VirtualQuantity": 7},
        {"kind": "Proc", "VirtualQuantity": 3},
    ]
    assert after["user_data"] == before["user_data"]
    assert (after["id"], after["group"]) == ("y", "web")
    assert "# why" in changed
    assert page.evaluate(EDIT, [changed, [settings, "Title", None]]).count("Title") == 1
