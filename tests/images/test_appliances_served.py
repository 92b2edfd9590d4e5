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
from tests.images.appliances import DISK_SIZE, descriptor, envelope, item, system, vmdk, write_archive
from tests.images.host import compare
from tests.images.imagehost import ImageHost
from tests.images.provisioningbed import Provisioner
from virtcim.images.appliances.images import STREAM_OPTIMIZED
from virtcim.images.appliances.machine import capacity_of, settle_machine
from virtcim.images.appliances.package import open_package
from virtcim.images.templates import Template, parse_template
from virtcim.libhelper.work import Work

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

    def status_of_failure(self, method: str, **parameters: Any) -> int:
        """Call a method of the catalogue that fails in its job; give the status of the error."""
        client = self.client()
        (catalog,) = client.EnumerateInstanceNames("Virt_ApplianceCatalog")
        _, out = client.InvokeMethod(method, catalog, **parameters)
        wait_until(lambda: client.GetInstance(out["Job"])["JobState"] > COMPLETED, 120)
        _, told = client.InvokeMethod("GetError", out["Job"])
        return int(told["Error"]["CIMStatusCode"])

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
    status = place.status_of_failure("ExportSystem", System=system, Target="copy.ova")
    assert status == pywbem.CIM_ERR_ALREADY_EXISTS
    again = {"Source": "own/shop", "Pool": place.reference(), "SystemName": "made", "Networks": ["LAN=user"]}
    assert place.status_of_failure("ImportAppliance", **again) == pywbem.CIM_ERR_ALREADY_EXISTS
    for unfit in (
        {"DeploymentOption": "none"},
        {"Properties": ["none=1"]},
        {"Importer": "none"},
        {"Networks": ["LAN=none"]},
        {"SystemName": "a/b"},
    ):
        wanted = {**again, "SystemName": "other", **unfit}
        assert place.status_of_failure("ImportAppliance", **wanted) == pywbem.CIM_ERR_INVALID_PARAMETER, unfit
    for unfit in ({"Format": "zip"}, {"Version": pywbem.Uint16(3)}, {"Target": "other.zip"}):
        wanted = {"System": system, "Target": "other.ova", **unfit}
        assert place.status_of_failure("ExportSystem", **wanted) == pywbem.CIM_ERR_INVALID_PARAMETER, unfit


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


def template(place: Place, key: str) -> Template:
    """A template, as the server has it."""
    path = pywbem.CIMInstanceName("Virt_Template", {"InstanceID": f"template:{key}"}, namespace="root/interop")
    return parse_template(place.client().GetInstance(path)["Document"])


def test_an_appliance_becomes_a_template(place: Place, images: ImageHost, tmp_path: Path) -> None:
    order = ("import", "own/shop", "--pool", POOL, "--template", "shop", "--network", "LAN=user")
    taken = place.command(*order)
    assert taken.stdout == "template:shop@1\n", taken.stderr
    assert "guest" not in place.daemon.list_all()
    made = template(place, "shop@1")
    assert (made.group, made.platforms, made.architecture, made.pool) == ("appliances", ("KVM",), "x86_64", POOL)
    assert (made.size, made.disk) == (DISK_SIZE, {"BusType": "scsi"})
    kinds = {str(each["kind"]): each for each in made.resources}
    assert (kinds["Controller"]["Model"], kinds["Net"]["NetworkType"]) == ("vmpvscsi", "user")
    bed = Provisioner(place.daemon, place.server, place.pool, images)
    bed.provision("template:shop@1", "of-shop", "start=no")
    xml = place.daemon.virsh("dumpxml", "of-shop")
    assert "<vcpu placement='static'>2</vcpu>" in xml
    assert "<memory unit='KiB'>65536</memory>" in xml
    assert "model='vmpvscsi'" in xml
    wanted = tmp_path / "wanted.raw"
    wanted.write_bytes(b"served".ljust(DISK_SIZE, b"\0"))
    compare(place.pool / "of-shop.qcow2", "qcow2", wanted, "raw")
    assert place.command(*order).stdout == "template:shop@2\n"
    assert template(place, "shop@2").image == made.image


def test_a_template_becomes_an_appliance(place: Place, tmp_path: Path) -> None:
    given: dict[str, Any] = {"Source": "own/shop", "Pool": place.reference(), "Networks": ["LAN=user"]}
    state, out = place.call("ImportAppliance", **given, TemplateID="given")
    assert state == COMPLETED, out
    path = pywbem.CIMInstanceName("Virt_Template", {"InstanceID": "template:given@1"}, namespace="root/interop")
    document = place.client().GetInstance(path)["Document"]
    more = '\n[[disks]]\nsize = "2 MiB"\n\n[[parameters]]\nname = "site"\n'
    client = place.client()
    changed = document.replace('id = "given"', 'id = "given"\nversion = 2', 1) + more
    client.CreateInstance(pywbem.CIMInstance("Virt_Template", {"Document": changed}), namespace="root/interop")
    written = place.command("export", "given", "given.ova", "--template", "--ovf", "2")
    assert written.stdout == "given.ova\n", written.stderr
    assert "parameters of the template are left out" in written.stderr
    package = open_package(place.directory / "given.ova")
    package.check_files(Work())
    (exported,) = package.appliance.systems
    machine = settle_machine(exported, "")
    assert (exported.name, machine.processors, machine.memory) == ("given", 2, 64 << 20)
    assert [(each.kind, each.words) for each in machine.controllers if each.kind == "scsi"] == [
        ("scsi", ("virtualscsi",))
    ]
    disks = list(package.appliance.disks.values())
    assert [(capacity_of(each, {}), bool(each.file)) for each in disks] == [(DISK_SIZE, True), (2 << 20, False)]
    state, out = place.call("ImportAppliance", **(given | {"Source": "given.ova"}), SystemName="back")
    assert state == COMPLETED, out
    wanted = tmp_path / "wanted.raw"
    wanted.write_bytes(b"served".ljust(DISK_SIZE, b"\0"))
    compare(place.pool / "back-1.qcow2", "qcow2", wanted, "raw")
    refused = place.command("export", "nowhere", "nowhere.ova", "--template")
    assert (refused.returncode, "does not exist" in refused.stderr) == (1, True), refused.stderr


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
    wait_until(lambda: "template:vmware@1" in shown_templates(place))
    try:
        assert place.call("ImportAppliance", **given, SystemName="overridden")[0] == COMPLETED
        assert place.call("ImportAppliance", **given, TemplateID="overridden")[0] == COMPLETED
    finally:
        own.unlink()
        os.kill(place.server.pid, signal.SIGHUP)
    xml = place.daemon.virsh("dumpxml", "overridden")
    assert "<pae/>" in xml
    assert "<clock offset='localtime'/>" in xml
    assert "<hap" not in xml
    made = template(place, "overridden@1")
    assert (made.settings["EnablePAE"], made.settings["ClockOffset"]) == (True, 1)
    wait_until(lambda: "template:vmware@1" not in shown_templates(place))
    assert place.call("ImportAppliance", **given, SystemName="as-usual")[0] == COMPLETED
    assert "<pae/>" not in place.daemon.virsh("dumpxml", "as-usual")


def shown_templates(place: Place) -> set[str]:
    """The InstanceIDs of all templates."""
    return {each["InstanceID"] for each in place.client().EnumerateInstanceNames("Virt_Template")}


def two_disks(place: Place, name: str, files: dict[str, bytes]) -> None:
    """Write an appliance with two disks at a SCSI controller, and one that is empty."""
    names = list(files)
    disks = "".join(
        f'<Disk ovf:diskId="d{each}" ovf:fileRef="f{each}" ovf:capacity="{2 * DISK_SIZE}" '
        f'ovf:format="{STREAM_OPTIMIZED}"/>'
        for each in (0, 1)
    )
    drives = item(InstanceID=9, ResourceSubType="lsilogicsas", ResourceType=6) + "".join(
        item(AddressOnParent=each, HostResource=f"ovf:/disk/d{each}", InstanceID=3 + each, Parent=9, ResourceType=17)
        for each in (0, 1, 2)
    )
    references = "".join(f'<File ovf:id="f{each}" ovf:href="{names[each]}"/>' for each in (0, 1))
    text = (
        f'<References>{references}</References><DiskSection><Info/>{disks}<Disk ovf:diskId="d2" ovf:capacity="65536"/>'
        f"</DiskSection>{system(drives)}"
    )
    write_archive(place.directory / name, {"two.ovf": envelope(text), **files})


@pytest.mark.slow
def test_a_template_has_all_disks_of_its_appliance(place: Place, images: ImageHost, tmp_path: Path) -> None:
    contents = {"one.vmdk": b"the system", "two.vmdk": b"the data"}
    two_disks(place, "disks.ova", {name: vmdk(tmp_path, content) for name, content in contents.items()})
    given: dict[str, Any] = {"Source": "disks.ova", "Pool": place.reference()}
    state, out = place.call("ImportAppliance", **given, TemplateID="disks")
    assert state == COMPLETED, out
    made = template(place, "disks@1")
    assert (made.disk, made.size) == ({"BusType": "scsi"}, 2 * DISK_SIZE)
    assert [(each.size, each.bus, bool(each.sha256)) for each in made.disks] == [
        (2 * DISK_SIZE, "scsi", True),
        (65536, "scsi", False),
    ]
    bed = Provisioner(place.daemon, place.server, place.pool, images)
    bed.provision("template:disks@1", "of-disks", "start=no")
    written = place.command("export", "disks", "given-disks.ova", "--template")
    assert written.returncode == 0, written.stderr
    state, out = place.call("ImportAppliance", **(given | {"Source": "given-disks.ova"}), SystemName="two-back")
    assert state == COMPLETED, out
    assert "model='lsisas1068'" in place.daemon.virsh("dumpxml", "of-disks")
    assert "model='lsisas1068'" in place.daemon.virsh("dumpxml", "two-back")
    for number, content in enumerate(contents.values()):
        wanted = tmp_path / "wanted.raw"
        wanted.write_bytes(content.ljust(2 * DISK_SIZE, b"\0"))
        compare(place.pool / ("of-disks.qcow2", "of-disks-1.qcow2")[number], "qcow2", wanted, "raw")
        compare(place.pool / f"two-back-{number + 1}.qcow2", "qcow2", wanted, "raw")


def test_what_does_not_become_a_template_leaves_nothing(place: Place, tmp_path: Path) -> None:
    two_disks(place, "broken.ova", {"one.vmdk": vmdk(tmp_path, b"other"), "two.vmdk": b"# Disk DescriptorFile"})
    (store,) = place.client().EnumerateInstances("Virt_ImageStore")
    given: dict[str, Any] = {"Source": "broken.ova", "Pool": place.reference(), "TemplateID": "broken"}
    state, text = place.call("ImportAppliance", **given)
    assert state == 10
    assert "does not begin as a sparse VMDK image does" in text
    assert place.client().GetInstance(store.path)["ImageIDs"] == store["ImageIDs"]
    assert not [each for each in shown_templates(place) if "broken" in each]
    for wrong in ({"TemplateID": "a/b"}, {"SystemName": "x"}, {"Start": True}, {"Customization": "magic"}):
        with pytest.raises(pywbem.CIMError) as refused:
            place.call("ImportAppliance", **(given | wrong))
        assert refused.value.status_code == pywbem.CIM_ERR_INVALID_PARAMETER


@pytest.mark.parametrize(
    "source",
    [
        "../catalog.toml",
        "/etc/passwd",
        "none/none",
        "absent.ova",
        "http://[::1",
        "http://169.254.169.254/x.ova",
        pytest.param("x" * 5000, id="long"),
    ],
)
def test_files_elsewhere_are_not_opened(place: Place, source: str) -> None:
    before = place.server.errors.count("Traceback")
    try:
        told = place.call("ReadAppliance", Source=source)[0]
    except pywbem.CIMError as error:
        told = error.status_code
    assert told in (10, pywbem.CIM_ERR_INVALID_PARAMETER, pywbem.CIM_ERR_NOT_FOUND)
    assert place.server.errors.count("Traceback") == before
