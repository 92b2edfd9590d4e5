"""Names of markup, pages from elsewhere, tickets that are used twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import libvirt
import pytest
import pywbem
from playwright.sync_api import Page, expect

from tests.bed import Libvirtd, Server, boot_sector_xml, wait_until
from tests.console.test_console import GUEST, PAGES, state

pytestmark = pytest.mark.slow

Open = Callable[..., Page]

MARKUP = "<img src=x onerror=alert(1)>"
RIGHT_TO_LEFT = "\u202egpj.exe"

ELSEWHERE = "http://elsewhere.example/"

ATTACK = """async ([server, guest]) => {
    const body = JSON.stringify({parameters: {RequestedState: 2}});
    const place = `${server}${guest}/methods/RequestStateChange`;
    const done = [];
    const attempt = (name, work) =>
        work().then((result) => done.push([name, result]), () => done.push([name, "refused"]));
    const post = (mode, headers) => () => fetch(place, {method: "POST", credentials: "include", mode, headers, body})
        .then((answer) => answer.type === "opaque" ? "refused" : answer.status);
    await attempt("plain", post("no-cors", {"Content-Type": "text/plain"}));
    await attempt("json", post("cors", {"Content-Type": "application/json", "X-Virtcim-Request": "1"}));
    await attempt("read", () => fetch(`${server}/api/session`, {credentials: "include"})
        .then((answer) => answer.text()));
    await attempt("events", () => new Promise((found, failed) => {
        const source = new EventSource(`${server}/api/events`, {withCredentials: true});
        source.onopen = () => found("open");
        source.onerror = failed;
    }));
    await attempt("socket", () => new Promise((found, failed) => {
        const target = server.replace("http", "ws") + "/api/namespaces/root%2Fvirt/consoles/first/vnc?ticket=x";
        const socket = new WebSocket(target, ["binary"]);
        socket.onopen = () => found("open");
        socket.onerror = failed;
    }));
    return done;
}"""

ALL_PLACES = """async () => {
    const classes = {
        "root/virt": ["CIM_ComputerSystem", "CIM_ResourcePool", "CIM_StorageVolume", "CIM_Job",
            "CIM_VirtualSystemSettingData"],
        "root/interop": ["Virt_Template", "Virt_TemplateGroup"],
    };
    const { instances } = await import("/api.js");
    const found = await Promise.all(Object.entries(classes).flatMap(([space, names]) =>
        names.map((name) => instances(space, name))));
    return found.flat().filter((each) => JSON.stringify(each).includes("<img src=x")).map((each) => each.href);
}"""

PLACE = """import("/state.js").then(({ guestPlace }) =>
    guestPlace("root/virt", "KVM_ComputerSystem", "first"))"""

TWICE = """async () => {
    const ticket = await fetch("/api/namespaces/root%2Fvirt/consoles/first/vnc/tickets",
        {method: "POST", headers: {"Content-Type": "application/json", "X-Virtcim-Request": "1"}, body: "{}"})
        .then((answer) => answer.json());
    const open = () => new Promise((done) => {
        const socket = new WebSocket(`ws://${location.host}${ticket.href}`, ["binary"]);
        socket.onmessage = () => done("open");
        socket.onerror = () => done("refused");
    });
    return [await open(), await open()];
}"""


def test_markup_is_text_wherever_it_stands(open_page: Open, host: Libvirtd) -> None:
    names = (MARKUP, RIGHT_TO_LEFT, "x" * 200)
    with closing(host.connect()) as connection:
        for name in names:
            named = f"<name>{escape(name)}</name>"
            xml = boot_sector_xml("plain", host.new_image()).replace("<name>plain</name>", named)
            told = f"<title>{escape(MARKUP)}</title><description>{escape(MARKUP * 100)}</description>"
            connection.defineXML(xml.replace("</name>", f"</name>{told}", 1))
        connection.networkDefineXML(f"<network><name>{escape(MARKUP)}</name></network>")
    try:
        page = open_page()
        asked: list[str] = []
        page.on("dialog", lambda dialog: asked.append(dialog.message))
        places = [f"#/{name}" for name in PAGES]
        guests = [GUEST.replace("first", encoded(page, name)) for name in names]
        tabs = ("summary", "settings", "devices", "jobs", "graph", "cim")
        places += [f"{guest}/{tab}" for guest in guests for tab in tabs]
        for place in places:
            page.evaluate("address => { location.hash = address }", place)
            expect(page.get_by_role("heading", level=1).first).to_be_visible()
            expect(page.get_by_text("Reading…")).to_have_count(0)
            assert page.locator("img[src=x]").count() == 0, place
        assert not asked
    finally:
        with closing(host.connect()) as connection:
            connection.networkLookupByName(MARKUP).undefine()


TEMPLATE = f"""
id = "odd"
title = "{MARKUP}"
group = "{MARKUP}"
platforms = ["KVM"]

[[parameters]]
name = "site"
label = "{MARKUP}"
type = "text"

[[disks]]
size = "1 MiB"
"""


@pytest.fixture
def marked(host: Libvirtd, serve: Callable[..., Server], tmp_path: Path) -> Iterator[Server]:
    """A server where a name of markup is had by all that can have one: also by a template, a job and an alert.

    libvirt 9 writes the name of a filter as it is, and nobody can parse it then.
    """
    named = f"<name>{escape(MARKUP)}</name>"
    pool_xml = f"<pool type='dir'>{named}<target><path>{host.images}</path></target></pool>"
    volume_xml = f"<volume>{named}<capacity>1024</capacity><target><format type='raw'/></target></volume>"
    (tmp_path / "odd.toml").write_text(TEMPLATE)
    config = f"[providers.jobs]\ngrace = 0\n[images]\ndirectory = '{tmp_path}'\n"
    with closing(host.connect()) as connection:
        xml = boot_sector_xml("plain", host.new_image()).replace("<name>plain</name>", named)
        guest = connection.defineXML(xml)
        guest.snapshotCreateXML(f"<domainsnapshot>{named}<description>{escape(MARKUP)}</description></domainsnapshot>")
        network = connection.networkDefineXML(f"<network>{named}</network>")
        pool = connection.storagePoolDefineXML(pool_xml)
        pool.create()
        volume = pool.createXML(volume_xml)
        server = serve(host.uri(), config=config)
        ask = server.pywbem()
        path = wait_until(
            lambda: [each for each in ask.EnumerateInstanceNames("KVM_ComputerSystem") if each["Name"] == MARKUP]
        )[0]
        ask.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(2))
        wait_until(lambda: ask.GetInstance(path)["EnabledState"] == 2)
        (running,) = (each for each in host.directory.glob("run/libvirt/qemu/*.pid") if each.stem != "driver")
        os.kill(int(running.read_text()), signal.SIGKILL)
        wait_until(lambda: not guest.isActive())
        yield server
        volume.delete()
        pool.destroy()
        for each in (pool, network):
            each.undefine()


def test_markup_is_text_of_every_kind_of_object(open_page: Open, marked: Server) -> None:
    page = open_page("#/overview", of=marked)
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    alerts = page.locator("main li").filter(has_text="crashed").or_(page.locator("main li").filter(has_text="error"))
    expect(alerts.filter(has_text=MARKUP).first).to_be_visible()
    guest = GUEST.replace("first", encoded(page, MARKUP))
    # What shows the name, and what is opened there first.
    shown = {
        "#/guests": "",
        "#/storage": "",
        "#/networks": "details summary",
        "#/templates": "",
        "#/jobs": "",
        "#/topology": "",
        f"{guest}/snapshots": "",
        f"{guest}/graph": "",
    }
    for address, opened in shown.items():
        page.evaluate("address => { location.hash = address }", address)
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        for each in page.locator(f"main {opened}").all() if opened else ():
            each.click()
        if address not in {"#/topology", f"{guest}/graph"}:
            expect(page.locator("main").get_by_text(MARKUP).first).to_be_visible()
        assert page.locator("img[src=x]").count() == 0, address
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").click()
    drawn = ElementTree.parse(download.value.path()).getroot()
    assert {each.tag.rpartition("}")[2] for each in drawn.iter()} == {"svg", "line", "rect", "text"}
    assert any(MARKUP in (each.text or "") for each in drawn.iter())
    places = page.evaluate(ALL_PLACES)
    classes = {place.split("/")[5] for place in places}
    assert {"KVM_DiskPool", "KVM_NetworkPool", "KVM_StorageVolume", "KVM_ConcreteJob", "Virt_Template"} <= classes
    for place in places:
        page.evaluate("place => { location.hash = `#/browser/${encodeURIComponent(place)}` }", place)
        expect(page.locator("main .code").get_by_text(MARKUP).or_(page.get_by_text("KVM_")).first).to_be_visible()
        for tab in ("Properties", "Associators", "Methods"):
            page.get_by_role("tab", name=tab).click()
            expect(page.locator("main [aria-busy=true]")).to_have_count(0)
            assert page.locator("img[src=x]").count() == 0, (place, tab)
    page.evaluate("location.hash = '#/templates'")
    page.locator(".panel").filter(has_text="odd@1").get_by_role("button", name="Make guests").click()
    expect(page.get_by_role("dialog").get_by_text(MARKUP).first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert not asked


def encoded(page: Page, text: str) -> str:
    """A part of an address."""
    found: str = page.evaluate("text => encodeURIComponent(text)", text)
    return found


def test_a_page_from_elsewhere_changes_and_reads_nothing(open_page: Open, host: Libvirtd, server: Server) -> None:
    page = open_page(GUEST)
    expect(page.locator(".head .state.off")).to_be_visible()
    guest = page.evaluate(PLACE)
    other = page.context.new_page()
    other.route(ELSEWHERE, lambda route: route.fulfill(content_type="text/html", body="<!doctype html><p>elsewhere"))
    other.goto(ELSEWHERE)
    done = other.evaluate(ATTACK, [server.url, guest])
    assert done == [[name, "refused"] for name in ("plain", "json", "read", "events", "socket")]
    assert state(host) == libvirt.VIR_DOMAIN_SHUTOFF


def test_a_ticket_is_good_once(open_page: Open, host: Libvirtd) -> None:
    with closing(host.connect()) as connection:
        connection.lookupByName("first").create()
    page = open_page(f"{GUEST}/console", away=True)
    assert page.evaluate(TWICE) == ["open", "refused"]
