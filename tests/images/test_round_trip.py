"""Guests that were exported and imported again are what they were."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bed import Libvirtd
from tests.images.host import ORDER, POOL, Host, compare, running_host
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.exporting import ExportOrder
from virtcim.libhelper.documents.domain import Controller, Disk, DomainConfig, Interface

BRIDGE = "br-lan"
SCSI = ("lsilogic", "lsisas1068", "vmpvscsi", "virtio-scsi")
ADAPTERS = ("e1000", "e1000e", "vmxnet3", "virtio", "rtl8139", "pcnet")
FIELDS = (
    "vcpu", "memory", "title", "description", "os_type", "os_type_arch", "os_type_machine", "os_firmware",
    "os_boot_devs", "clock_offset", "cpu_mode", "cpu_topology_cores", "on_reboot", "on_crash", "features_acpi",
    "features_apic",
)  # fmt: skip


@pytest.fixture(scope="module")
def host(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with running_host(libvirtd, tmp_path_factory.mktemp("round")) as made:
        yield made


@pytest.fixture(autouse=True)
def clean(host: Host) -> Iterator[None]:
    yield
    host.empty()


def random_guest(chance: random.Random, pool: Path) -> str:
    """The XML of a guest, whose disks are made."""
    machine = chance.choice(["pc", "q35"])
    buses = ["scsi", "sata", "virtio", *(["ide"] if machine == "pc" else [])]
    processors = chance.choice([1, 2, 4, 6])
    devices, names = [], iter(f"sd{letter}" for letter in "abcdefghijklmnop")
    virtio = iter(f"vd{letter}" for letter in "abcdefgh")
    models = {index: chance.choice(SCSI) for index in range(chance.randint(1, 2))}
    places = [("scsi", index, unit) for index in models for unit in range(3)]
    places += [("sata", 0, unit) for unit in range(4)] + [("ide", bus, unit) for bus in (0, 1) for unit in (0, 1)]
    free = {bus: [place for place in places if place[0] == bus] for bus in buses}
    for number in range(chance.randint(0, 4)):
        bus = chance.choice(buses)
        is_drive = bus in ("sata", "ide") and chance.random() < 0.3
        source = "" if is_drive else random_disk(chance, pool / f"disk{number}")
        kind = "cdrom" if is_drive else "disk"
        if bus == "virtio":
            target, address = next(virtio), ""
        else:
            _, controller, unit = free[bus].pop(chance.randrange(len(free[bus])))
            target = f"hd{'abcd'[controller * 2 + unit]}" if bus == "ide" else next(names)
            inner, controller = (controller, 0) if bus == "ide" else (0, controller)
            address = f"<address type='drive' controller='{controller}' bus='{inner}' target='0' unit='{unit}'/>"
        devices.append(
            f"<disk type='file' device='{kind}'>{source}<target dev='{target}' bus='{bus}'/>{address}</disk>"
        )
    for index, model in models.items():
        devices.append(f"<controller type='scsi' index='{index}' model='{model}'/>")
    for _ in range(chance.randint(0, 3)):
        source = chance.choice(["<interface type='user'>", f"<interface type='bridge'><source bridge='{BRIDGE}'/>"])
        devices.append(f"{source}<model type='{chance.choice(ADAPTERS)}'/></interface>")
    topology = f"<topology sockets='{processors // 2}' cores='2' threads='1'/>" if processors > 1 else ""
    mode = chance.choice(["", f"<cpu mode='custom' match='exact'><model>qemu64</model>{topology}</cpu>"])
    title = chance.choice(["", "<title>A guest &amp; more</title>"])
    description = chance.choice(["", "<description>What it is for: näheres &lt;hier&gt;\nand there</description>"])
    boot = "".join(f"<boot dev='{each}'/>" for each in chance.sample(["hd", "cdrom", "network"], chance.randint(1, 3)))
    return f"""<domain type='qemu'><name>origin</name>{title}{description}
<memory unit='KiB'>{chance.choice([64 * 1024, 128 * 1024 + 4, 1024 * 1024])}</memory><vcpu>{processors}</vcpu>
<os><type arch='x86_64' machine='{machine}'>hvm</type>{boot}</os>
<features><acpi/>{chance.choice(["", "<apic/>"])}</features>
{mode}<clock offset='{chance.choice(["utc", "localtime"])}'/><on_reboot>restart</on_reboot>
<on_crash>{chance.choice(["destroy", "restart"])}</on_crash>
<devices>{"".join(devices)}</devices></domain>"""


def random_disk(chance: random.Random, path: Path) -> str:
    """Make a disk, and give its source."""
    kind = chance.choice(["raw", "qcow2"])
    size = chance.randint(1, 64) * 65536
    raw = path.with_suffix(".content")
    with raw.open("wb") as file:
        for _ in range(4):
            file.seek(chance.randrange(0, size - 4096, 512))
            file.write(chance.randbytes(4096))
        file.truncate(size)
    made = path.with_suffix(f".{kind}")
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", kind, str(raw), str(made)], check=True, timeout=60)
    raw.unlink()
    return f"<driver name='qemu' type='{kind}'/><source file='{made}'/>"


def drives(config: DomainConfig) -> list[Disk]:
    """The drives of a guest, by their places."""

    def key(disk: Disk) -> tuple[Any, ...]:
        if disk.address.get("type") != "drive":
            return disk.target_bus, disk.target_dev
        return disk.target_bus, *(int(disk.address[name]) for name in ("controller", "bus", "unit"))

    return sorted((each for each in config.devices if isinstance(each, Disk)), key=key)


def settings(config: DomainConfig) -> dict[str, Any]:
    """What is to be the same of a guest and its copy."""
    found: dict[str, Any] = {name: getattr(config, name) for name in FIELDS}
    found["scsi"] = [
        (each.index, each.model)
        for each in config.devices
        if isinstance(each, Controller)
        and each.type == "scsi"
        and any(disk.target_bus == "scsi" and disk.address["controller"] == str(each.index) for disk in drives(config))
    ]
    found["drives"] = [
        (disk.device, disk.target_bus, disk.address if disk.target_bus != "virtio" else None, disk.source_file is None)
        for disk in drives(config)
    ]
    found["ports"] = [
        (each.type, each.source_bridge, each.model_type) for each in config.devices if isinstance(each, Interface)
    ]
    return found


@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(each, marks=pytest.mark.slow) for each in range(5, 50))])
def test_a_guest_comes_back_as_it_was(host: Host, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    host.define(random_guest(chance, host.pool))
    origin = host.config("origin")
    order = ExportOrder(
        tmp_path / f"copy.{chance.choice(['ova', 'ovf'])}", chance.choice(["vmdk", "qcow2"]), chance.choice([1, 2])
    )
    written = host.give("origin", order)
    assert [path.exists() for path in written.files] == [True] * len(written.files)
    networks = {BRIDGE: f"bridge:{BRIDGE}"}
    host.take(order.target, replace(ORDER, name="copy", networks=networks))
    copy = host.config("copy")
    assert settings(copy) == settings(origin)
    for one, other in zip(drives(origin), drives(copy), strict=True):
        if one.source_file is not None and other.source_file is not None:
            compare(Path(one.source_file), one.driver_type or "", Path(other.source_file), other.driver_type or "")


def overlay(host: Host) -> Path:
    """A guest `origin` whose disk is an overlay; what lies below it."""
    base, top = host.pool / "base.raw", host.pool / "top.qcow2"
    base.write_bytes(b"what lies below".ljust(1 << 20, b"\0"))
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "raw", str(top)]
    subprocess.run(command, check=True, timeout=60)
    host.define(
        "<domain type='qemu'><name>origin</name><memory>65536</memory><os><type>hvm</type></os><devices>"
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{top}'/>"
        "<target dev='sda' bus='sata'/></disk></devices></domain>"
    )
    return base


def test_what_lies_below_an_overlay_is_exported(host: Host, tmp_path: Path) -> None:
    base = overlay(host)
    host.give("origin", ExportOrder(tmp_path / "origin.ovf"))
    compare(tmp_path / "origin-disk1.vmdk", "vmdk", base, "raw")


def test_an_image_of_another_host_leads_to_no_files_of_this_one(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = overlay(host)
    host.hypervisor.storage.refresh_pool(POOL)
    assert host.hypervisor.inventory.wait_for(lambda found: found.volume_at(str(base)) is not None, 60)
    monkeypatch.setattr("virtcim.images.appliances.exporting.is_local", lambda _: False)
    with pytest.raises(ApplianceError, match="'sda': has its data in another file"):
        host.give("origin", ExportOrder(tmp_path / "origin.ovf"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_cot_reads_what_is_written(host: Host, tmp_path: Path) -> None:
    """The Common OVF Tool, which is somebody else's reader: what it tells is what the guest has."""
    cot = shutil.which("cot")
    if cot is None:
        pytest.skip("cot is not installed")
    for seed in range(10):
        host.define(random_guest(random.Random(seed), host.pool))
        origin = host.config("origin")
        target = tmp_path / f"{seed}.ova"
        host.give("origin", ExportOrder(target))
        done = subprocess.run([cot, "info", str(target)], capture_output=True, text=True, timeout=120)
        told = done.stdout + done.stderr
        assert (done.returncode, "WARNING" in told, "ERROR" in told) == (0, False, False), told
        # Processors, memory, ports, serial ports, disks.
        found = re.search(r"\(default\) +(\d+) +[0-9.]+ [MG]iB +(\d+) +0 +(\d+) ", told)
        assert found is not None, told
        ports = sum(isinstance(each, Interface) for each in origin.devices)
        disks = sum(disk.device == "disk" for disk in drives(origin))
        assert tuple(map(int, found.groups())) == (origin.vcpu, ports, disks)
        host.empty()
