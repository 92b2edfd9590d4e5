"""Catalogues of appliances, and the plugins that bring more of them or read what is no OVF."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.images.appliances import descriptor, vmdk, write_archive
from virtcim.images.appliances import contents
from virtcim.images.appliances.catalogs import Catalogs, Entry, fetch_package, read_catalog
from virtcim.images.appliances.description import File
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.importers import open_any
from virtcim.images.appliances.machine import settle_machine
from virtcim.images.appliances.package import open_package
from virtcim.images.appliances.settings import ApplianceSettings, CatalogSettings
from virtcim.images.settings import ImageSettings
from virtcim.libhelper.work import Work

CATALOG = """
[[appliance]]
id = "shop"
title = "A shop"
vendor = "Maker"
version = "1.2"
platforms = ["KVM"]
url = "/srv/shop.ova"
licence = "Apache-2.0"
"""
IMAGES = ImageSettings(hosts=("127.0.0.0/8",), attempts=1, timeout=20.0)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the output of tests short."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str, ThreadingHTTPServer]]:
    """A directory that is served, its URL, and the server."""
    root = tmp_path / "web"
    root.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield root, f"http://127.0.0.1:{server.server_port}", server
    server.shutdown()
    server.server_close()


def catalogs(tmp_path: Path, **settings: CatalogSettings) -> Catalogs:
    """Catalogues by name."""
    return Catalogs(ApplianceSettings(catalog=settings), IMAGES, tmp_path / "kept")


def test_a_catalogue_is_read(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(CATALOG)
    found = catalogs(tmp_path, own=CatalogSettings(str(tmp_path / "own.toml")))
    (entry,) = found.entries()
    assert (entry.key, entry.title, entry.platforms) == ("own/shop", "A shop", ("KVM",))
    assert found.find("own/shop") == entry
    assert found.troubles == {}
    with pytest.raises(ApplianceError, match="is in no catalogue"):
        found.find("own/other")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("appliance = 3", "no list"),
        ("[[appliance", "expected TOML"),
        ('[[appliance]]\nid = "a b"\nurl = "x"', "'a b'"),
        ('[[appliance]]\nid = "a"', "has no url"),
        ('[[appliance]]\nid = "a"\nurl = "x"\nsha256 = "abc"', "sha256"),
        ('[[appliance]]\nid = "a"\nurl = 3', "url: is not a text"),
        ('[[appliance]]\nid = "a"\nurl = "x"\ncolor = "red"', "has 'color'"),
        ('[[appliance]]\nid = "a"\nurl = "x"\n' * 2, "is there twice"),
        (f"a{'.a' * 300} = 1", "more than 100 dots"),
        (f"a = {'9' * 5000}", "expected TOML"),
        (f"a = {'[' * 100_000}", "expected TOML"),
        ("#" * (1 << 20) + "\n", "characters"),
    ],
)
def test_a_catalogue_that_is_none_says_why(text: str, complaint: str) -> None:
    with pytest.raises(ApplianceError, match=complaint):
        read_catalog(text, "own")


def test_a_catalogue_elsewhere_is_kept_when_it_cannot_be_had(
    tmp_path: Path, web: tuple[Path, str, ThreadingHTTPServer]
) -> None:
    root, url, server = web
    catalog = CATALOG.replace("/srv", "https://example.com")
    (root / "all.toml").write_text(catalog)
    digest = hashlib.sha256(catalog.encode()).hexdigest()
    found = catalogs(tmp_path, far=CatalogSettings(f"{url}/all.toml", digest))
    assert found.entries() == []
    assert found.troubles == {"far": "was not fetched yet"}
    found.refresh(Work())
    assert [each.key for each in found.entries()] == ["far/shop"]
    assert found.troubles == {}
    (root / "all.toml").write_text(catalog.replace("shop", "trap"))
    found.refresh(Work())
    assert "expected" in found.troubles["far"]
    assert [each.key for each in found.entries()] == ["far/shop"]
    server.shutdown()
    server.server_close()
    found.refresh(Work())
    assert found.troubles["far"]
    assert [each.key for each in found.entries()] == ["far/shop"]


def test_a_catalogue_from_elsewhere_names_no_files_of_this_host(
    tmp_path: Path, web: tuple[Path, str, ThreadingHTTPServer]
) -> None:
    root, url, _ = web
    (root / "all.toml").write_text(CATALOG)
    found = catalogs(tmp_path, far=CatalogSettings(f"{url}/all.toml"))
    found.refresh(Work())
    assert "'shop' is a file of this host" in found.troubles["far"]
    assert found.entries() == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gzip.compress(bytes(100_000)), id="large"),
        pytest.param(gzip.compress(b"a" * 90)[:15] + b"\xff" * 20, id="broken"),
    ],
)
def test_a_packed_disc_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(contents, "_MOST_DISC", 50_000)
    (tmp_path / "guest.ovf").write_bytes(descriptor())
    (tmp_path / "disk.vmdk").write_bytes(content)
    taken = contents.Contents(open_package(tmp_path / "guest.ovf"), tmp_path)
    with pytest.raises(ApplianceError, match="unpack"):
        taken.unpack(File("file", "disk.vmdk", compression="gzip"), None, Work())


def test_an_appliance_is_fetched_and_held_against_its_checksum(
    tmp_path: Path, web: tuple[Path, str, ThreadingHTTPServer]
) -> None:
    root, url, _ = web
    (root / "shop.ova").write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    good = Entry("shop", f"{url}/shop.ova", sha256=digest)
    (tmp_path / "one").mkdir()
    assert fetch_package(good, IMAGES, tmp_path / "one", Work()).read_bytes() == b"content"
    (tmp_path / "two").mkdir()
    with pytest.raises(ApplianceError, match="has sha256"):
        fetch_package(Entry("shop", f"{url}/shop.ova", sha256="0" * 64), IMAGES, tmp_path / "two", Work())
    with pytest.raises(ApplianceError, match="of this machine"):
        fetch_package(good, ImageSettings(), tmp_path / "two", Work())


PLUGIN = """
from virtcim.images.appliances.catalogs import Entry


class Importer:
    endings = (".box",)

    def convert(self, source, directory, work):
        made = directory / "made.ovf"
        made.write_bytes(source.read_bytes())
        return made


class Elsewhere(Importer):
    endings = (".far",)

    def convert(self, source, directory, work):
        return source


def entries():
    return [Entry("gem", "http://example.com/gem.ova", catalog="vendor")]


def broken():
    raise RuntimeError("no")


IMPORTER, ELSEWHERE = Importer(), Elsewhere()
"""
POINTS = """
[virtcim.appliance_importers]
box = box_plugin:IMPORTER
far = box_plugin:ELSEWHERE
[virtcim.appliance_catalogs]
vendor = box_plugin:entries
broken = box_plugin:broken
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with plugins."""
    site = tmp_path / "site"
    (site / "box_plugin-1.dist-info").mkdir(parents=True)
    (site / "box_plugin.py").write_text(PLUGIN)
    (site / "box_plugin-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: box-plugin\nVersion: 1\n")
    (site / "box_plugin-1.dist-info" / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("box_plugin", None)


@pytest.mark.usefixtures("plugin")
def test_a_plugin_brings_a_catalogue(tmp_path: Path) -> None:
    found = catalogs(tmp_path)
    assert [each.key for each in found.entries()] == ["vendor/gem"]
    assert found.troubles == {"broken": "RuntimeError: no"}


@pytest.mark.usefixtures("plugin")
def test_a_plugin_reads_what_is_no_ovf(tmp_path: Path) -> None:
    source, scratch = tmp_path / "guest.box", tmp_path / "scratch"
    source.write_bytes(descriptor())
    scratch.mkdir()
    assert open_any(source, scratch, Work()).appliance.systems[0].id == "guest"
    with pytest.raises(ApplianceError, match="made it elsewhere"):
        open_any(source.rename(tmp_path / "guest.far"), scratch, Work())
    with pytest.raises(ApplianceError, match="is of no kind that is known"):
        open_any(tmp_path / "guest.zip", scratch, Work())


STAND_IN = """\
#!/bin/sh -e
# Does with an archive what the manual of virt-v2v says of "-o local", but for looking into the disks: it leaves a
# domain and its disks.  It shows that virt-v2v is called as it wants to be, and not that a guest is converted.
[ "$1 $2 $4 $5 $6 $8 $9" = "-i ova -o local -os -of qcow2" ]
[ "${10} ${11}" = "-on converted" ]
tar -x -f "$3" -C "$7"
[ ! -e "$7/refuse" ] || { echo "virt-v2v: error: no operating system" >&2; exit 1; }
qemu-img convert -f vmdk -O qcow2 "$7/disk.vmdk" "$7/converted-sda"
cat > "$7/converted.xml" <<END
<domain type='kvm'><name>converted</name><memory unit='KiB'>65536</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$7/converted-sda'/>
<target dev='vda' bus='virtio'/></disk>
<interface type='network'><source network='LAN'/><model type='virtio'/></interface></devices></domain>
END
"""


def test_virt_v2v_is_used_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs, scratch = tmp_path / "bin", tmp_path / "scratch"
    programs.mkdir()
    scratch.mkdir()
    licence = "<EulaSection><Info/><License>Do no harm.</License></EulaSection>"
    files = {"guest.ovf": descriptor(sections=licence), "disk.vmdk": vmdk(tmp_path, b"converted")}
    source = write_archive(tmp_path / "guest.ova", files)
    with pytest.raises(ApplianceError, match=r"expected one of virt-v2v"):
        open_any(source, scratch, Work(), importer="magic")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    if shutil.which("virt-v2v") is None:
        with pytest.raises(ApplianceError, match="is not installed"):
            open_any(source, scratch, Work(), importer="virt-v2v")
    (programs / "virt-v2v").write_text(STAND_IN)
    (programs / "virt-v2v").chmod(0o755)
    package = open_any(source, scratch, Work(), importer="virt-v2v")
    package.check_files(Work())
    machine = settle_machine(package.appliance.systems[0], "")
    assert (machine.processors, machine.memory) == (2, 64 << 20)
    assert ([each.network for each in machine.ports], len(package.appliance.disks)) == (["LAN"], 1)
    assert list(package.appliance.all_licences) == ["Do no harm."]
    assert not (scratch / "virt-v2v").exists()
    (tmp_path / "other").mkdir()
    refused = write_archive(tmp_path / "refused.ova", files | {"refuse": b""})
    with pytest.raises(ApplianceError, match="virt-v2v: virt-v2v: error: no operating system"):
        open_any(refused, tmp_path / "other", Work(), importer="virt-v2v")
    bad = write_archive(tmp_path / "bad.ova", files | {"../refuse": b""})
    with pytest.raises(ApplianceError, match="leads out of the package"):
        open_any(bad, tmp_path / "other", Work(), importer="virt-v2v")
