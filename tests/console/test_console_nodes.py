"""Two nodes on the screen: a guest is migrated, and its new node is drained."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.bed import wait_until
from tests.test_drain import INTEROP, PATIENCE, Fleet, fleet, place  # noqa: F401

pytestmark = pytest.mark.slow

Open = Callable[..., Page]


def test_a_guest_is_migrated_and_its_node_drained(open_page: Open, fleet: Fleet) -> None:  # noqa: F811
    source = place(fleet.server.pywbem(INTEROP), "moving")
    target = {"east": "west", "west": "east"}[source]
    page = open_page(f"#/guest/root%2Fvirt%2F{source}/KVM_ComputerSystem/moving", of=fleet.server)
    page.get_by_role("button", name="Migrate").click()
    dialog = page.get_by_role("dialog")
    # The local node has another platform, and is said not to do.
    dialog.get_by_label("To the node").select_option("local")
    expect(dialog.get_by_role("alert")).to_have_text("The node has no KVM.")
    dialog.get_by_label("To the node").select_option(target)
    expect(dialog.get_by_text("Nothing speaks against it.")).to_be_visible(timeout=PATIENCE * 1000)
    # A guest that runs has no definition alone to move: the check says so, and nothing is offered.
    dialog.get_by_label("How").select_option("other")
    expect(dialog.get_by_text("state:")).to_be_visible()
    expect(dialog.get_by_role("button", name="Migrate")).to_be_disabled()
    dialog.get_by_label("How").select_option("live")
    expect(dialog.get_by_text("Nothing speaks against it.")).to_be_visible()
    dialog.get_by_role("button", name="Migrate").click()
    expect(page.get_by_role("heading", level=1, name="Jobs and events")).to_be_visible()
    wait_until(lambda: where(fleet) == {target}, PATIENCE)

    page.evaluate("address => { location.hash = address }", f"#/node/root%2Fvirt%2F{target}")
    # libvirt knows it before the server does.
    expect(page.get_by_role("row").filter(has_text="moving").locator(".state.on")).to_be_visible()
    page.get_by_role("button", name="Drain").click()
    expect(dialog.get_by_text(f"moving: can go to {source}")).to_be_visible(timeout=PATIENCE * 1000)
    dialog.get_by_role("button", name="Drain").click()
    wait_until(lambda: where(fleet) == {source}, PATIENCE)
    expect(page.get_by_text("completed").first).to_be_visible(timeout=PATIENCE * 1000)


def test_a_new_guest_is_told_where_it_would_go_best(open_page: Open, fleet: Fleet) -> None:  # noqa: F811
    page = open_page("#/create", of=fleet.server)
    page.get_by_label("Node", exact=True).select_option("east")
    expect(page.get_by_label("Platform")).to_have_value("KVM_VirtualSystemManagementService")
    page.get_by_text("Which node suits best").click()
    nodes = page.locator("details li")
    expect(nodes).to_have_count(2)
    expect(nodes.filter(has_text="west")).to_contain_text("processors in use")
    nodes.filter(has_text="west").get_by_role("button", name="Here").click()
    expect(page.get_by_label("Node", exact=True)).to_have_value("root/virt/west")


def where(fleet: Fleet) -> set[str]:  # noqa: F811
    """The nodes on which the guest runs."""
    return {name for name, daemon in fleet.daemons.items() if daemon.list_all().get("moving") == "running"}
