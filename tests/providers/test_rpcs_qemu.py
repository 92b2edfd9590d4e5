"""ResourcePoolConfigurationService on a real libvirtd: volumes with content, copies that are followed and ended."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bed import Libvirtd
from tests.providers.lateevents import hold_events_back
from tests.providers.poolservice import (
    COMPLETED,
    EXCEPTION,
    HASTY,
    RUNNING,
    SUSPENDED,
    TERMINATED,
    PoolService,
)
from virtcim.providers.interface import CIMError, InstancePath
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.settings import ProviderSettings

MIB = 1 << 20
GIB = 1 << 30
SUSPEND, TERMINATE, START = 3, 4, 2


@pytest.fixture
def service(libvirtd: Libvirtd) -> Iterator[PoolService]:
    made = PoolService(libvirtd.uri(), "KVM")
    yield made
    made.close()
    remove_all(libvirtd)


@pytest.fixture
def hasty(libvirtd: Libvirtd, tmp_path: Path) -> Iterator[PoolService]:
    """A service all of whose work becomes jobs."""
    settings = ProviderSettings(jobs=JobSettings(grace=HASTY.grace), transfer_directory=tmp_path / "transfer")
    (tmp_path / "transfer").mkdir()
    made = PoolService(libvirtd.uri(), "KVM", settings=settings)
    yield made
    made.close()
    remove_all(libvirtd)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "pool"


def remove_all(daemon: Libvirtd) -> None:
    for kind in ("pool", "net"):
        for name in daemon.virsh(f"{kind}-list", "--all", "--name").split():
            for verb in ("destroy", "undefine"):
                try:
                    daemon.virsh(f"{kind}-{verb}", name)
                except subprocess.CalledProcessError:
                    continue


def same(one: Path, other: Path) -> bool:
    """Whether two files hold the same."""
    compare = ["qemu-img", "compare", "-f", "raw", "-F", "raw", str(one), str(other)]
    return subprocess.run(compare, check=False, capture_output=True).returncode == 0


def sparse_image(path: Path, size: int, every: int) -> None:
    """A file of `size` bytes with a MiB of data at each multiple of `every`."""
    with path.open("wb") as file:
        file.truncate(size)
        for number, place in enumerate(range(0, size, every)):
            file.seek(place)
            file.write(bytes([number % 255 + 1]) * MIB)


def done(service: PoolService, job: Any) -> dict[str, Any]:
    """The end of a job that is to succeed."""
    shown = service.end_of(job.out["Job"])
    assert shown["JobState"] == COMPLETED, shown
    return shown


def pool_of(service: PoolService, directory: Path) -> InstancePath:
    """A directory pool."""
    result = service.call(
        "CreateChildResourcePool",
        ElementName="images",
        Settings=[service.setting("DiskPool", Type=1, Path=str(directory))],
    )
    if result.return_value == 4096:
        done(service, result)
    return service.pool("DiskPool", "images")


def test_a_directory_pool_is_made_with_its_directory(service: PoolService, libvirtd: Libvirtd, directory: Path) -> None:
    pool = pool_of(service, directory)
    assert directory.is_dir()
    assert "images" in libvirtd.virsh("pool-list", "--name").split()
    (directory / "kept").write_bytes(b"x")
    assert service.call("DeleteResourcePool", Pool=pool).return_value == 0
    assert libvirtd.virsh("pool-list", "--all", "--name").split() == []
    assert (directory / "kept").exists()


def test_the_name_of_a_pool_that_is_gone_can_be_taken_before_its_end_is_told(
    service: PoolService, libvirtd: Libvirtd, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.create("DiskPool", "p", Type=1, Path=str(directory))
    hold_events_back(service.hypervisor, monkeypatch)
    libvirtd.virsh("pool-destroy", "p")
    libvirtd.virsh("pool-undefine", "p")
    service.create("DiskPool", "p", Type=1, Path=str(directory))


def test_a_pool_that_cannot_start_leaves_nothing(service: PoolService, libvirtd: Libvirtd, tmp_path: Path) -> None:
    create = "CreateChildResourcePool"
    unbuilt = service.setting("DiskPool", Type=1, Path=str(tmp_path / "none"), Build=0)
    text = service.refused(create, ElementName="p", Settings=[unbuilt])
    assert text.startswith("FAILED Unable to create resource pool: ")
    device = service.setting("DiskPool", Type=2, Path=str(tmp_path / "fs"), DevicePaths=["/dev/no-such"])
    assert service.refused(create, ElementName="p", Settings=[device]).startswith("FAILED Unable to create")
    strange = service.setting("DiskPool", ResourceSubType="strange", Path="/x")
    assert service.refused(create, ElementName="p", Settings=[strange]).startswith("FAILED Unable to create")
    assert libvirtd.virsh("pool-list", "--all", "--name").split() == []


@pytest.mark.parametrize("name", ["raw", "qcow2", "vmdk", "vdi"])
def test_volumes_of_all_formats(service: PoolService, directory: Path, name: str) -> None:
    pool = pool_of(service, directory)
    given = {"FormatType": {"raw": 1, "qcow2": 2}[name]} if name in ("raw", "qcow2") else {"ResourceSubType": name}
    result = service.create_volume(
        pool, VolumeName="v", Capacity=6, AllocationQuantity=0, AllocationUnits="byte*2^30", **given
    )
    shown = service.shown(result.out["Resource"])
    assert (shown["Capacity"], shown["ResourceSubType"]) == (6 * GIB, name)
    assert shown["AllocationQuantity"] < MIB
    assert f'"format": "{name}"' in image_info(directory / "v")


def image_info(path: Path) -> str:
    return subprocess.run(
        ["qemu-img", "info", "--output", "json", str(path)], check=True, capture_output=True, text=True
    ).stdout


def test_a_volume_over_another_one(service: PoolService, directory: Path) -> None:
    pool = pool_of(service, directory)
    service.create_volume(pool, VolumeName="base", Capacity=GIB, AllocationQuantity=0, FormatType=1)
    base = str(directory / "base")
    shown = service.shown(service.create_volume(pool, VolumeName="top", FormatType=2, BackingPath=base).out["Resource"])
    assert (shown["BackingPath"], shown["BackingFormat"], shown["Capacity"]) == (base, "raw", GIB)
    text = service.refused("DeleteResourceInPool", Resource=service.setting("Disk", Address=base), Pool=pool)
    top = directory / "top"
    assert text == f"FAILED Unable to delete resource: {top} is based on {base}; on it hang: {top}"
    merged = service.create_volume(pool, VolumeName="whole", HostResource=[str(directory / "top")])
    assert "BackingPath" not in service.shown(merged.out["Resource"])


def test_more_than_the_pool_has_is_refused(service: PoolService, directory: Path) -> None:
    pool = pool_of(service, directory)
    text = service.refused(
        "CreateResourceInPool",
        Settings=service.setting("StorageVolume", VolumeName="v", Capacity=1 << 55, FormatType=1),
        Pool=pool,
    )
    assert text.startswith("FAILED Unable to create storage volume: ")
    assert list(directory.iterdir()) == []


def test_resize_wipe_upload_download(service: PoolService, directory: Path) -> None:
    pool = pool_of(service, directory)
    volume = service.create_volume(pool, VolumeName="v", Capacity=MIB, FormatType=1).out["Resource"]
    text = base64.b64encode(b"written").decode()
    assert service.call("UploadVolume", Volume=volume, Data=text, Offset=512).return_value == 0
    assert (directory / "v").read_bytes()[512:520] == b"written\0"
    got = service.call("DownloadVolume", Volume=volume, Offset=512, Length=7)
    assert (got.return_value, base64.b64decode(got.out["Data"])) == (0, b"written")
    assert service.call("ResizeVolume", Volume=volume, Capacity=2, AllocationUnits="MegaBytes").return_value == 0
    assert service.shown(volume)["Capacity"] == 2 * MIB
    assert "`Shrink'" in service.refused("ResizeVolume", Volume=volume, Capacity=MIB)
    assert service.call("ResizeVolume", Volume=volume, Capacity=MIB, Shrink=True, Allocate=True).return_value == 0
    assert (directory / "v").stat().st_size == MIB
    assert service.call("WipeVolume", Volume=volume).return_value == 0
    assert (directory / "v").read_bytes() == bytes(MIB)
    whole = service.call("DownloadVolume", Volume=volume)
    assert base64.b64decode(whole.out["Data"]) == bytes(MIB)


def test_refused_transfers(service: PoolService, directory: Path) -> None:
    pool = pool_of(service, directory)
    volume = service.create_volume(pool, VolumeName="v", Capacity=8 * MIB, FormatType=1).out["Resource"]
    assert "Either `Data' or `File'" in service.refused("UploadVolume", Volume=volume)
    assert "Either `Data' or `File'" in service.refused("UploadVolume", Volume=volume, Data="AAAA", File="x")
    assert "not Base64" in service.refused("UploadVolume", Volume=volume, Data="A?")
    assert "nothing to upload" in service.refused("UploadVolume", Volume=volume, Data="")
    assert "`Offset'" in service.refused("UploadVolume", Volume=volume, Data="AAAA", Offset=9 * MIB)
    assert "more than one answer" in service.refused("DownloadVolume", Volume=volume)
    assert service.call("UploadVolume", Volume=volume, File="x").return_value == 1
    assert service.call("DownloadVolume", Volume=volume, File="x").return_value == 1
    assert service.call("WipeVolume", Volume=volume, Algorithm=77).return_value == 4
    assert "is not a storage volume" in service.refused("WipeVolume", Volume=pool)
    gone = InstancePath(volume.class_name, {"InstanceID": "/no/such"})
    assert service.refused("WipeVolume", Volume=gone).startswith("NOT_FOUND")


def test_files_are_written_to_volumes_and_back(hasty: PoolService, directory: Path, tmp_path: Path) -> None:
    transfer = tmp_path / "transfer"
    sparse_image(transfer / "in.img", 32 * MIB, 8 * MIB)
    pool = pool_of(hasty, directory)
    done(hasty, hasty.create_volume(pool, VolumeName="v", Capacity=32 * MIB, FormatType=1))
    volume = InstancePath(hasty.name_of("StorageVolumeResourceAllocationSettingData"), {"InstanceID": f"{directory}/v"})
    done(hasty, hasty.call("UploadVolume", Volume=volume, File="in.img"))
    done(hasty, hasty.call("DownloadVolume", Volume=volume, File=str(transfer / "out.img")))
    assert same(transfer / "in.img", directory / "v")
    assert same(transfer / "in.img", transfer / "out.img")
    taken = hasty.refused("DownloadVolume", Volume=volume, File="out.img")
    assert taken.startswith("ALREADY_EXISTS Unable to open `File'")
    missing = hasty.refused("UploadVolume", Volume=volume, File="none.img")
    assert missing.startswith("NOT_FOUND Unable to open `File'")
    (tmp_path / "secret").write_bytes(b"x")
    (transfer / "link").symlink_to(tmp_path / "secret")
    (transfer / "up").symlink_to(tmp_path)
    for outside in ("../secret", str(tmp_path / "secret"), "up/secret", "..", "."):
        assert "`File'" in hasty.refused("UploadVolume", Volume=volume, File=outside), outside
    assert "Unable to open `File' link" in hasty.refused("UploadVolume", Volume=volume, File="link")
    (transfer / "sub").mkdir()
    assert "is not a file" in hasty.refused("UploadVolume", Volume=volume, File="sub")
    done(hasty, hasty.call("DownloadVolume", Volume=volume, File="sub/out.img", Offset=8 * MIB, Length=MIB))
    assert (transfer / "sub" / "out.img").read_bytes() == b"\2" * MIB


def test_a_copy_of_2_gib_is_a_job_whose_percentage_grows(hasty: PoolService, directory: Path) -> None:
    pool = pool_of(hasty, directory)
    sparse_image(directory / "big", 2 * GIB, 16 * MIB)
    done(hasty, hasty.call("RefreshResourcesInPool", Pool=pool))
    started = hasty.create_volume(pool, VolumeName="copy", HostResource=[str(directory / "big")])
    assert started.return_value == 4096
    job = started.out["Job"]
    percentages: list[int] = []

    def watch(shown: dict[str, Any]) -> bool:
        percentages.append(shown["PercentComplete"])
        return bool(shown["JobState"] == COMPLETED)

    shown = hasty.until(job, watch)
    assert percentages == sorted(percentages)
    assert percentages[-1] == 100
    assert len({each for each in percentages if 0 < each < 100}) > 2
    assert same(directory / "copy", directory / "big")
    assert (directory / "copy").stat().st_blocks < 512 * MIB // 512
    (affected,) = [
        each
        for each in hasty.instances("KVM_StorageVolumeResourceAllocationSettingData")
        if each.keys()["InstanceID"] == f"{directory}/copy"
    ]
    assert affected.properties()["Capacity"] == 2 * GIB
    resource = shown["JobOutParameters"].properties["Resource"]
    assert resource.endswith(f'StorageVolumeResourceAllocationSettingData.InstanceID="{directory}/copy"')


@pytest.mark.parametrize("suspended", [False, True])
def test_a_copy_is_ended_and_nothing_of_it_stays(
    hasty: PoolService, libvirtd: Libvirtd, directory: Path, suspended: bool
) -> None:
    pool = pool_of(hasty, directory)
    sparse_image(directory / "big", 2 * GIB, 16 * MIB)
    done(hasty, hasty.call("RefreshResourcesInPool", Pool=pool))
    job = hasty.create_volume(pool, VolumeName="copy", HostResource=[str(directory / "big")]).out["Job"]
    hasty.until(job, lambda shown: shown["PercentComplete"] > 2)
    if suspended:
        assert hasty.job(job, "RequestStateChange", RequestedState=SUSPEND).return_value == 0
        assert hasty.shown(job)["JobState"] == SUSPENDED
        assert "copy" in libvirtd.virsh("vol-list", "images")
    code = hasty.job(job, "RequestStateChange", RequestedState=TERMINATE).return_value
    shown = hasty.end_of(job)
    assert (code, shown["JobState"]) == (0, TERMINATED)
    assert 0 < shown["PercentComplete"] < 100
    assert [path.name for path in directory.iterdir()] == ["big"]
    assert libvirtd.virsh("vol-list", "images").split()[0] == "big"
    again = hasty.create_volume(pool, VolumeName="copy", HostResource=[str(directory / "big")]).out["Job"]
    assert hasty.end_of(again)["JobState"] == COMPLETED


def test_a_suspended_copy_goes_on(hasty: PoolService, directory: Path) -> None:
    pool = pool_of(hasty, directory)
    sparse_image(directory / "big", GIB, 16 * MIB)
    done(hasty, hasty.call("RefreshResourcesInPool", Pool=pool))
    job = hasty.create_volume(pool, VolumeName="copy", HostResource=[str(directory / "big")]).out["Job"]
    hasty.until(job, lambda shown: shown["PercentComplete"] > 2)
    assert hasty.job(job, "RequestStateChange", RequestedState=SUSPEND).return_value == 0
    at = hasty.shown(job)["PercentComplete"]
    assert at < 100
    assert hasty.job(job, "RequestStateChange", RequestedState=START).return_value == 0
    assert hasty.shown(job)["JobState"] in (RUNNING, COMPLETED)
    assert hasty.end_of(job)["JobState"] == COMPLETED
    assert same(directory / "copy", directory / "big")


def test_a_copy_into_another_format_and_size(service: PoolService, directory: Path) -> None:
    pool = pool_of(service, directory)
    sparse_image(directory / "big", 64 * MIB, 16 * MIB)
    service.call("RefreshResourcesInPool", Pool=pool)
    other = service.create_volume(pool, VolumeName="other", FormatType=2, HostResource=[str(directory / "big")])
    assert service.shown(other.out["Resource"])["ResourceSubType"] == "qcow2"
    compare = ["qemu-img", "compare", str(directory / "big"), str(directory / "other")]
    assert subprocess.run(compare, check=False, capture_output=True).returncode == 0
    larger = service.create_volume(
        pool, VolumeName="larger", Capacity=100, AllocationUnits="MiB", HostResource=[str(directory / "big")]
    )
    assert service.shown(larger.out["Resource"])["Capacity"] == 100 * MIB
    smaller = service.setting("StorageVolume", VolumeName="s", Capacity=MIB, HostResource=[str(directory / "big")])
    assert "less than that of the source" in service.refused("CreateResourceInPool", Settings=smaller, Pool=pool)


def test_a_copy_that_fails_is_a_job_with_libvirts_error(hasty: PoolService, directory: Path) -> None:
    pool = pool_of(hasty, directory)
    done(hasty, hasty.create_volume(pool, VolumeName="v", Capacity=MIB, FormatType=1))
    job = hasty.create_volume(pool, VolumeName="v", Capacity=MIB, FormatType=1).out["Job"]
    shown = hasty.end_of(job)
    assert (shown["JobState"], shown["ErrorCode"]) == (EXCEPTION, 90)
    (error,) = hasty.job(job, "GetErrors").out["Errors"]
    assert error.properties["MessageID"] == "libvirt:90"
    assert error.properties["Message"].startswith("Unable to create storage volume: ")
    assert "v" in error.properties["Message"]


def test_networks_of_all_kinds_run(service: PoolService, libvirtd: Libvirtd) -> None:
    wanted: list[dict[str, Any]] = [
        {"ForwardMode": 0},
        {"ForwardMode": 1, "IPv6Address": "fd00:7::1"},
        {"ForwardMode": 2, "IPRangeStart": ""},
        {"ForwardMode": 3},
        {"ForwardMode": 4, "BridgeName": "vctest9"},
    ]
    for number, properties in enumerate(wanted):
        try:
            path = service.create("NetPool", f"n{number}", Address=None, **properties)
        except CIMError as error:
            if "n0" in service.identifiers("KVM_NetworkPool"):
                raise
            pytest.skip(f"this machine cannot run networks: {error}")
        assert service.shown(path)["OperationalStatus"] == [2]
    assert set(libvirtd.virsh("net-list", "--name").split()) == {f"n{number}" for number in range(5)}
    taken = service.setting("NetPool", Address="192.168.122.1")
    text = service.refused("CreateChildResourcePool", ElementName="twice", Settings=[taken])
    assert text.startswith("FAILED Unable to create resource pool: ")
    assert "twice" not in libvirtd.virsh("net-list", "--all", "--name").split()
    for number in range(5):
        assert service.call("DeleteResourcePool", Pool=service.pool("NetworkPool", f"n{number}")).return_value == 0
    assert libvirtd.virsh("net-list", "--all", "--name").split() == []
