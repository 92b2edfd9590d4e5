"""The console of many guests in a browser: its first load, when the list is there, how it scrolls and keeps up."""

from __future__ import annotations

import base64
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Page, Response, sync_playwright

from bench.node import guest_name, test_node
from tests.bed import Server

__all__ = ["GUESTS", "measure_console", "why_no_console"]

CHROMIUM = "/usr/bin/chromium"
PARTS = Path(__file__).parents[1] / "virtcim" / "console" / "parts"

GUESTS = 10000

#: Loads of a page whose files the browser has.
LOADS = 5

#: Steps of a scroll, one a frame, and points of each.
STEPS = 300
STEP = 400

#: Changes a second, for how many seconds, and of how many clients at once.
CHANGES = 100
SECONDS = 10
CLIENTS = 4

#: Seconds until the server has all guests, at most.
PATIENCE = 180

PAUSE, RUN = 9, 2

WATCH = """window.longTasks = [];
new PerformanceObserver((list) => { for (const each of list.getEntries()) longTasks.push(each.duration); })
    .observe({type: "longtask", buffered: true});"""

LISTED = """(count) => new Promise((done) => {
    const look = () => {
        const rows = document.querySelectorAll("tbody tr[aria-rowindex]").length;
        const told = document.querySelector(".head [role=status]")?.textContent ?? "";
        if (rows > 0 && (!count || told.replace(/[^0-9]/g, "").endsWith(String(count)))) done(performance.now());
        else setTimeout(look, 5);
    };
    look();
})"""

SCROLL = """([steps, step]) => new Promise((done) => {
    const frame = document.querySelector(".table.tall");
    longTasks.length = 0;
    let count = 0, last = performance.now(), longest = 0;
    const move = () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
        frame.scrollTop += step;
        count += 1;
        if (count < steps) requestAnimationFrame(move);
        else setTimeout(() => done({ longest, task: Math.max(0, ...longTasks) }), 100);
    };
    requestAnimationFrame(move);
})"""

LAG = """() => {
    window.lags = [];
    window.longTasks.length = 0;
    import("/state.js").then(({ state }) => {
        let before = state.events[0];
        const look = () => {
            if (state.events[0] !== before) {
                before = state.events[0];
                requestAnimationFrame(() => window.lags.push(Date.now() - before.seen.getTime()));
            }
            requestAnimationFrame(look);
        };
        look();
    });
}"""


def why_no_console() -> str | None:
    """What is missing for a measurement; None for nothing."""
    if not Path(CHROMIUM).is_file():
        return f"{CHROMIUM} is not installed"
    return None if PARTS.is_dir() else "the parts of the console are not fetched"


def measure_console(guests: int) -> dict[str, str]:
    """Measure the console with so many guests of the test driver.

    Returns:
        names of figures and the figures, for people.
    """
    with tempfile.TemporaryDirectory() as scratch:
        node = Path(scratch, "node.xml")
        node.write_text(test_node(guests))
        with Server(f"test://{node}", guarded=False) as server, sync_playwright() as playwright:
            _await_guests(server, guests)
            arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
            page = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB").new_page()
            page.set_default_timeout(120_000)
            try:
                return _measure(page, server, guests)
            finally:
                browser.close()


def _measure(page: Page, server: Server, guests: int) -> dict[str, str]:
    files: list[Response] = []
    page.on("response", lambda response: files.append(response) if "/api/" not in response.url else None)
    page.add_init_script(WATCH)
    page.goto(f"{server.url}/#/guests")
    page.get_by_label("User").fill(server.user or "")
    page.get_by_label("Password").fill(server.password or "")
    page.get_by_role("button", name="Log in").click()
    page.evaluate(LISTED, guests)
    size = sum(each.request.sizes()["responseBodySize"] for each in files)
    count = len(files)
    first, whole = [], []
    for _ in range(LOADS):
        page.reload()
        first.append(page.evaluate(LISTED, 0))
        whole.append(page.evaluate(LISTED, guests))
    scrolled: Any = page.evaluate(SCROLL, [STEPS, STEP])
    page.evaluate(LAG)
    behind = _change(server, guests)
    lags = sorted(page.evaluate("window.lags"))
    return {
        "files of the first load": f"{count} with {size / 1000:.0f} kB, compressed",
        f"list of {guests} guests after a warm load": f"rows after {statistics.median(first):.0f} ms, "
        f"all after {statistics.median(whole):.0f} ms",
        "scrolling": f"longest task {scrolled['task']:.0f} ms, longest frame {scrolled['longest']:.0f} ms",
        f"{CHANGES} changes a second": f"drawn {statistics.median(lags):.0f} ms after their events, "
        f"p95 {lags[int(len(lags) * 0.95) - 1]:.0f} ms, longest task "
        f"{page.evaluate('Math.max(0, ...window.longTasks)'):.0f} ms; the server was {behind:.1f} s late",
    }


def _ask(server: Server, method: str, target: str, body: Any = None) -> Any:
    login = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "X-Virtcim-Request": "1", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(server.url + target, data, headers, method=method), timeout=PATIENCE) as answer:
        return json.load(answer)


def _await_guests(server: Server, guests: int) -> None:
    end = time.monotonic() + PATIENCE
    place = "/api/namespaces/root%2Fvirt/classes/CIM_ComputerSystem/instances?names=true"
    while len(_ask(server, "GET", place)["instances"]) < guests:
        if time.monotonic() > end:
            raise RuntimeError(f"not all of {guests} guests are shown")
        time.sleep(0.5)


def _change(server: Server, guests: int) -> float:
    """Pause and resume guests, so many a second; give how late the last second's changes were, in seconds."""

    def change(requests: list[dict[str, Any]]) -> None:
        _ask(server, "POST", "/api/batch", {"requests": requests})

    began, late = time.monotonic(), 0.0
    with ThreadPoolExecutor(CLIENTS) as clients:
        for second in range(SECONDS):
            state = PAUSE if second % 2 == 0 else RUN
            base = (second // 2) * CHANGES
            requests = [_state_change(guest_name((base + number) % guests), state) for number in range(CHANGES)]
            list(clients.map(change, [requests[number::CLIENTS] for number in range(CLIENTS)]))
            late = time.monotonic() - began - second - 1
            time.sleep(max(0.0, -late))
    time.sleep(2)
    return max(0.0, late)


def _state_change(name: str, state: int) -> dict[str, Any]:
    keys = f"CreationClassName=Test_ComputerSystem,Name={name}"
    path = f"/api/namespaces/root%2Fvirt/instances/Test_ComputerSystem/{keys}/methods/RequestStateChange"
    return {"method": "POST", "path": path, "body": {"parameters": {"RequestedState": state}}}
