"""Appliances by CIM and by the command line: a real server, a real QEMU, real clients."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.listener import Listener, subscribed
from tests.images.appliances import descriptor, vmdk, write_archive
from virtcim.images.appliances.package import open_package

POOL = "appliances"
COMPLETED = 7
CATALOG = '[[appliance]]\nid = "shop"\ntitle = "A shop"\nplatforms = ["KVM"]\nurl = "{}"\nlicence = "free"\n'


@dataclass
class Place:
    """A server with a directory for appliances and a storage pool.

    Attributes:
        directory: for appliances.
        pool: the directory of the pool.
    """

    daemon: Libvirtd
    server: Server
    directory: Path
    pool: Path

    def client(self) -> Any:
        """A connection for CIM operations."""
        return pywbem.WBEMConnection(
            self.server.url, (self.server.user, self.server.password), default_namespace="root/interop", timeout=60
        )

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the catalogue; give the job when it is over, or what it gave back."""
        client = self.client()
        (catalog,) = client.EnumerateInstanceNames("Virt_ApplianceCatalog")
        value, out = client.InvokeMethod(method, catalog, **parameters)
        if value != 4096:
            return value, out
        wait_until(lambda: client.GetInstance(out["Job"])["JobState"] >= COMPLETED, 120)
        job = client.GetInstance(out["Job"])
        return job["JobState"], job["JobOutParameters"] or job["ErrorDescription"]

    def reference(self) -> pywbem.CIMInstanceName:
        """The storage pool."""
        return pywbem.CIMInstanceName("KVM_DiskPool", {"InstanceID": f"DiskPool/{POOL}"}, namespace="root/virt")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `virtcim appliance`."""
        options = ["--url", self.server.url, "--user", str(self.server.user)]
        return subprocess.run(
            [sys.executable, "-m", "virtcim.app.main", "appliance", arguments[0], *options, *arguments[1:]],
            capture_output=True,
            text=True,
            timeout=120,
            env={"VIRTCIM_PASSWORD": str(self.server.password), "PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin"},
        )


@pytest.fixture(scope="module")
def place(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    base = tmp_path_factory.mktemp("served")
    directory, pool = base / "appliances", base / "pool"
    directory.mkdir()
    pool.mkdir()
    files = {"guest.ovf": descriptor(), "disk.vmdk": vmdk(base, b"served")}
    write_archive(directory / "shop.ova", files)
    licence = "<EulaSection><Info/><License>Do no harm.</License></EulaSection>"
    write_archive(directory / "bound.ova", files | {"guest.ovf": descriptor(sections=licence)})
    (base / "catalog.toml").write_text(CATALOG.format(directory / "shop.ova"))
    libvirtd.remove_domains()
    libvirtd.virsh("pool-create-as", POOL, "dir", "--target", str(pool))
    config = (
        f'[appliances]\ndirectory = "{directory}"\n[appliances.catalog.own]\nlocation = "{base}/catalog.toml"\n'
        "[providers.jobs]\ngrace = 0\n"
    )
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(libvirtd.uri(), config=config))
        yield Place(libvirtd, server, directory, pool)
        libvirtd.remove_domains()
        libvirtd.virsh("pool-destroy", POOL)


def test_the_catalogue_shows_its_appliances(place: Place) -> None:
    client = place.client()
    (catalog,) = client.EnumerateInstanceNames("Virt_ApplianceCatalog")
    (shop,) = client.Associators(catalog, AssocClass="CIM_MemberOfCollection")
    assert (shop["Name"], shop["ElementName"], shop["Platforms"]) == ("own/shop", "A shop", ["KVM"])
    assert client.GetInstance(shop.path)["Licence"] == "free"
    listed = place.command("list")
    assert "own/shop" in listed.stdout, listed.stderr


def test_whoever_subscribes_is_told_of_the_catalogue(place: Place) -> None:
    file = place.directory.parent / "catalog.toml"
    before = file.read_text()
    query = "SELECT * FROM CIM_InstIndication WHERE SourceInstance ISA Virt_Appliance"
    with Listener() as listener, subscribed(place.server, listener, query, spaces=["root/interop"]):
        file.write_text(before.replace("A shop", "Another") + CATALOG.replace('"shop"', '"new"').format("/absent.ova"))
        assert place.call("RefreshCatalogs")[0] == COMPLETED
        changed, made = listener.wait_for(2)
        file.write_text(before)
        assert place.call("RefreshCatalogs")[0] == COMPLETED
        told = listener.wait_for(4)
    assert (changed["PreviousInstance"]["ElementName"], changed["SourceInstance"]["ElementName"]) == (
        "A shop",
        "Another",
    )
    assert (made.classname, made["SourceInstance"]["Name"]) == ("CIM_InstCreation", "own/new")
    assert {each.classname for each in told[2:]} == {"CIM_InstModification", "CIM_InstDeletion"}


def test_an_appliance_is_imported_and_exported_by_jobs(place: Place) -> None:
    state, told = place.call("ReadAppliance", Source="own/shop")
    assert (state, told["Systems"], told["Networks"]) == (COMPLETED, ["guest"], ["LAN"])
    state, out = place.call(
        "ImportAppliance", Source="own/shop", Pool=place.reference(), SystemName="made", Networks=["LAN=user"]
    )
    assert state == COMPLETED, out
    (system,) = map(pywbem.CIMInstanceName.from_wbem_uri, out["ResultingSystems"])
    assert system["Name"] == "made"
    assert place.client().GetInstance(system)["EnabledState"] == 3
    assert "made" in place.daemon.list_all()
    system.host = None
    state, out = place.call("ExportSystem", System=system, Target="copy.ova", Version=pywbem.Uint16(2))
    assert state == COMPLETED, out
    assert out["Files"] == ["copy.ova"]
    package = open_package(place.directory / "copy.ova")
    assert (package.appliance.version, package.appliance.systems[0].name) == ("2", "made")
    state, text = place.call("ExportSystem", System=system, Target="copy.ova")
    assert state == 10
    assert "is there already" in text


def test_the_command_line_imports_and_exports(place: Place) -> None:
    shown = place.command("show", "bound.ova")
    assert "Do no harm." in shown.stdout, shown.stderr
    order = ("import", "bound.ova", "--pool", POOL, "--name", "bound", "--network", "LAN=user")
    refused = place.command(*order)
    assert refused.returncode == 1
    assert "has a licence" in refused.stderr
    taken = place.command(*order, "--accept-licence")
    assert taken.stdout == "bound\n", taken.stderr
    given = place.command("export", "bound", "bound-copy.ova")
    assert given.stdout == "bound-copy.ova\n", given.stderr


def test_a_file_of_the_administrator_says_what_guests_of_appliances_begin_with(place: Place) -> None:
    directory = place.server.directory / "templates.d"
    directory.mkdir(exist_ok=True)
    own = directory / "vmware.toml"
    settings = '[settings]\nFirmware = "bios"\nEnablePAE = true\nClockOffset = 1\n'
    own.write_text(f'id = "vmware"\nappliances = ["vmx-*"]\n{settings}')
    (directory / "other.toml").write_text(
        'id = "other"\nappliances = ["virtualbox-*"]\n[settings]\nEnableAPIC = true\n'
    )
    given: dict[str, Any] = {"Source": "own/shop", "Pool": place.reference(), "Networks": ["LAN=user"]}
    os.kill(place.server.pid, signal.SIGHUP)
    wait_until(lambda: "template:vmware@1" in shown_templates(place), 60)
    try:
        assert place.call("ImportAppliance", **given, SystemName="overridden")[0] == COMPLETED
    finally:
        own.unlink()
        os.kill(place.server.pid, signal.SIGHUP)
    xml = place.daemon.virsh("dumpxml", "overridden")
    assert "<pae/>" in xml
    assert "<clock offset='localtime'/>" in xml
    assert "<hap" not in xml
    wait_until(lambda: "template:vmware@1" not in shown_templates(place), 60)
    assert place.call("ImportAppliance", **given, SystemName="as-usual")[0] == COMPLETED
    assert "<pae/>" not in place.daemon.virsh("dumpxml", "as-usual")


def shown_templates(place: Place) -> set[str]:
    """The InstanceIDs of all templates."""
    return {each["InstanceID"] for each in place.client().EnumerateInstanceNames("Virt_Template")}


@pytest.mark.parametrize("source", ["../catalog.toml", "/etc/passwd", "none/none", "absent.ova"])
def test_files_elsewhere_are_not_opened(place: Place, source: str) -> None:
    wrong = source not in ("none/none", "absent.ova")
    with pytest.raises(pywbem.CIMError) if wrong else contextlib.nullcontext():
        assert place.call("ReadAppliance", Source=source)[0] == 10
