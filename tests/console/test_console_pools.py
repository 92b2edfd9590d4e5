"""Pools, volumes, networks and the topology in the console; each effect is read by libvirt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import pywbem
from playwright.sync_api import Page, expect

from tests.bed import Libvirtd, Server, wait_until
from tests.console.test_console import GUEST

pytestmark = pytest.mark.slow

Open = Callable[..., Page]


def test_a_pool_and_its_volumes(open_page: Open, host: Libvirtd, tmp_path: Path) -> None:
    page = open_page("#/storage", away=True)
    page.get_by_role("button", name="New pool").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Create")).to_be_disabled()
    dialog.get_by_label("Name").fill("<b>shelf")
    dialog.get_by_label("Directory on the host").fill("nowhere")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_label("Directory on the host").fill(str(tmp_path / "shelf"))
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    panel = page.locator("section.panel").filter(has=page.get_by_role("heading", name="<b>shelf"))
    panel.get_by_role("button", name="New volume").click()
    dialog.get_by_label("Size in GiB").fill("no")
    expect(dialog.get_by_role("button", name="Create")).to_be_disabled()
    dialog.get_by_label("Size in GiB").fill("2")
    dialog.get_by_label("Name").fill("data.qcow2")
    dialog.get_by_role("button", name="Create").click()
    expect(panel.get_by_role("link", name="data.qcow2")).to_be_visible()
    with closing(host.connect()) as connection:
        pool = connection.storagePoolLookupByName("<b>shelf")
        assert pool.storageVolLookupByName("data.qcow2").info()[1] == 2 << 30
        assert "<format type='qcow2'/>" in pool.storageVolLookupByName("data.qcow2").XMLDesc()

        (tmp_path / "shelf" / "found.img").write_bytes(bytes(1 << 20))
        panel.get_by_role("button", name="Look anew").click()
        expect(panel.get_by_role("link", name="found.img")).to_be_visible()

        panel.get_by_role("button", name="Delete: data.qcow2").click()
        dialog.get_by_role("button", name="Delete").click()
        expect(panel.get_by_role("link", name="data.qcow2")).to_have_count(0)
        assert pool.listVolumes() == ["found.img"]

        panel.get_by_role("button", name="Remove").click()
        dialog.get_by_role("button", name="Delete").click()
        expect(panel).to_have_count(0)
        assert "<b>shelf" not in [each.name() for each in connection.listAllStoragePools()]
        assert (tmp_path / "shelf" / "found.img").exists()


@pytest.fixture
def no_network(host: Libvirtd) -> Iterator[None]:
    """Take away the network of a test that failed: its bridge is one of this machine."""
    yield
    with closing(host.connect()) as connection:
        for each in connection.listAllNetworks():
            if each.name() == "quiet" and each.isActive():
                each.destroy()


@pytest.mark.usefixtures("no_network")
def test_a_network_with_who_hangs_on_it(open_page: Open, host: Libvirtd) -> None:
    page = open_page("#/networks", away=True)
    page.get_by_role("button", name="New network").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("quiet")
    dialog.get_by_label("Kind").select_option("isolated")
    dialog.get_by_label("Address of the host in it").fill("10.77.0.1")
    dialog.get_by_label("Netmask").fill("255.255.0.255")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Netmask")
    dialog.get_by_label("Netmask").fill("255.255.0.0")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    panel = page.locator("section.panel").filter(has=page.get_by_role("heading", name="quiet"))
    expect(panel.get_by_text("No guest hangs on it.")).to_be_visible()
    with closing(host.connect()) as connection:
        found = connection.networkLookupByName("quiet").XMLDesc()
        assert "<forward" not in found
        assert "address='10.77.0.1' prefix='16'" in found
        guest = connection.lookupByName("first")
        guest.attachDeviceFlags("<interface type='network'><source network='quiet'/></interface>", 2)
        wait_until(lambda: "quiet" in guest.XMLDesc(2))
        page.evaluate("location.hash = '#/storage'")
        page.evaluate("location.hash = '#/networks'")
        expect(panel.get_by_role("link", name="first")).to_be_visible()
        panel.get_by_role("button", name="Remove").click()
        dialog.get_by_role("button", name="Delete").click()
        expect(panel).to_have_count(0)
        assert "quiet" not in [each.name() for each in connection.listAllNetworks()]
    page.get_by_text("Filters (").first.click()
    expect(page.get_by_role("link", name="clean-traffic", exact=True)).to_be_visible()


def test_the_graph_shows_what_is_chosen(open_page: Open) -> None:
    page = open_page(f"{GUEST}/graph")

    def drawn() -> str:
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as SVG").click()
        return Path(download.value.path()).read_text()

    expect(page.locator(".graph canvas").first).to_be_visible()
    wait_until(lambda: "LogicalDisk" in drawn())
    assert "SettingData" not in drawn()
    page.get_by_label("Show").select_option("settings")
    wait_until(lambda: "VirtualSystemSettingData" in drawn())
    assert "RegisteredProfile" not in drawn()
    page.get_by_label("Show").select_option("everything")
    wait_until(lambda: "RegisteredProfile" in drawn())


def shared_pools(client: pywbem.WBEMConnection) -> int:
    """How many pools there are that are called shared."""
    return sum(each["InstanceID"].endswith("/shared") for each in client.EnumerateInstanceNames("CIM_ResourcePool"))


def test_what_two_platforms_of_a_host_share_is_shown_once(
    open_page: Open, host: Libvirtd, serve: Callable[..., Server], tmp_path: Path
) -> None:
    both = serve(host.uri(), host.uri("lxc"))
    with closing(host.connect()) as connection:
        pool = connection.storagePoolDefineXML(
            f"<pool type='dir'><name>shared</name><target><path>{tmp_path}</path></target></pool>"
        )
        pool.create()
        network = connection.networkDefineXML("<network><name>shared</name></network>")
        try:
            with both.pywbem() as client:
                wait_until(lambda: shared_pools(client) == 4)
            page = open_page("#/storage", of=both)
            shared = page.get_by_role("heading", name="shared", exact=True)
            expect(shared).to_have_count(1)
            share = shared.locator("..").locator("p").nth(1).inner_text()
            page.get_by_role("link", name="Networks").click()
            expect(page.get_by_role("heading", level=1, name="Networks")).to_be_visible()
            expect(shared).to_have_count(1)
            expect(page.get_by_text(f"Filters ({len(connection.listAllNWFilters())})")).to_be_visible()
            page.get_by_role("link", name="Overview").click()
            expect(page.get_by_text(share.split(" / ")[1])).to_be_visible()
        finally:
            network.undefine()
            pool.destroy()
            pool.undefine()
