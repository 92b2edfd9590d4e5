"""Names of markup, pages from elsewhere, tickets that are used twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from xml.sax.saxutils import escape

import libvirt
import pytest
from playwright.sync_api import Page, expect

from tests.bed import Libvirtd, Server, boot_sector_xml
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
