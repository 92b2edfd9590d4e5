"""A guest with a raw disk writes the header of an image over a file of the host: nobody reads that file for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bed import Libvirtd
from tests.providers.outcome import outcome
from tests.providers.poolservice import PoolService
from tests.providers.recorded import CONTEXT
from virtcim.libhelper.documents.domain import Disk, DomainConfig
from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath

MIB = 1 << 20
VSMS = "KVM_VirtualSystemManagementService"
SECRET = b"what only the host knows"


@dataclass
class Trap:
    """A pool with a volume that a guest has as a raw disk, and that libvirt takes for qcow2 over a file of the host."""

    service: PoolService
    daemon: Libvirtd
    directory: Path
    pool: InstancePath

    @property
    def volume(self) -> Path:
        return self.directory / "disk"

    def copy(self, name: str, **properties: Any) -> Path:
        """Have a volume made."""
        result = self.service.create_volume(self.pool, VolumeName=name, **properties)
        assert result.return_value == 0
        return self.directory / name

    def attach(self, guest: str, **properties: Any) -> Disk:
        """Give a guest the volume as a further disk."""
        setting = EmbeddedInstance(
            "KVM_DiskResourceAllocationSettingData",
            {"Address": str(self.volume), "VirtualDevice": "vdb", **properties},
        )
        (service,) = self.service.instances(VSMS)
        affected = InstancePath("KVM_VirtualSystemSettingData", {"InstanceID": f"KVM:{guest}"}, "root/virt")
        parameters: dict[str, Any] = {"AffectedConfiguration": affected, "ResourceSettings": [setting]}
        provider = self.service.providers[VSMS]
        assert (
            outcome(
                provider.invoke_method(VSMS, service.keys(), "AddResourceSettings", parameters, CONTEXT)
            ).return_value
            == 0
        )
        devices = DomainConfig.parse(self.service.hypervisor.domains.xml(guest)).devices
        return next(each for each in devices if isinstance(each, Disk) and each.target_dev == "vdb")

    def refusal(self, **properties: Any) -> str:
        """The text with which a volume is refused."""
        with pytest.raises(CIMError) as caught:
            self.service.create_volume(self.pool, VolumeName="refused", **properties)
        assert not (self.directory / "refused").exists()
        return caught.value.description


@pytest.fixture
def trap(libvirtd: Libvirtd, tmp_path: Path) -> Iterator[Trap]:
    secret, header, directory = (tmp_path / name for name in ("secret", "header", "pool"))
    secret.write_bytes(SECRET.ljust(MIB, b"\0"))
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(header)], check=True, timeout=60
    )
    directory.mkdir()
    libvirtd.virsh("pool-create-as", "trap", "dir", "--target", str(directory))
    libvirtd.virsh("vol-create-as", "trap", "disk", "1M", "--format", "raw")
    disk = f"<source file='{directory}/disk'/><target dev='vda' bus='virtio'/>"
    for name, devices in (
        ("trapper", f"<disk type='file' device='disk'><driver name='qemu' type='raw'/>{disk}</disk>"),
        ("other", ""),
    ):
        libvirtd.define(
            f"<domain type='qemu'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os>"
            f"<devices>{devices}</devices></domain>"
        )
    with (directory / "disk").open("r+b") as file:
        file.write(header.read_bytes())
    libvirtd.virsh("pool-refresh", "trap")
    service = PoolService(libvirtd.uri(), "KVM")
    yield Trap(service, libvirtd, directory, service.pool("DiskPool", "trap"))
    service.close()
    libvirtd.remove_domains()
    libvirtd.virsh("pool-destroy", "trap")


def test_a_volume_is_read_as_its_guest_reads_it(trap: Trap) -> None:
    taken_for = VolumeConfig.parse(trap.daemon.virsh("vol-dumpxml", "disk", "--pool", "trap"))
    assert taken_for.target_format_type == "qcow2"
    for properties in ({}, {"ResourceSubType": "raw"}):
        copy = trap.copy(f"copy{len(properties)}", HostResource=[str(trap.volume)], **properties)
        assert copy.read_bytes() == trap.volume.read_bytes()
    text = trap.refusal(HostResource=[str(trap.volume)], ResourceSubType="qcow2")
    assert "guests read disk as raw, and it begins like qcow2; expected a copy in the format raw" in text
    over = trap.copy("over", BackingPath=str(trap.volume), ResourceSubType="qcow2")
    info = subprocess.run(["qemu-img", "info", "-U", str(over)], check=True, capture_output=True, text=True, timeout=60)
    assert "backing file format: raw" in info.stdout
    assert trap.attach("other").driver_type == "raw"


def test_a_volume_of_no_guest_is_read_only_as_somebody_says(trap: Trap) -> None:
    trap.daemon.virsh("undefine", "trapper")
    assert trap.service.hypervisor.inventory.wait_for(lambda found: found.domain("trapper") is None, 60)
    said = "begins like an image over"
    assert said in trap.refusal(HostResource=[str(trap.volume)])
    assert said in trap.refusal(BackingPath=str(trap.volume), ResourceSubType="qcow2")
    with pytest.raises(CIMError, match=f"{said} .*expected DriverType to say how it is to be read"):
        trap.attach("other")
    assert trap.attach("other", DriverType="raw").driver_type == "raw"
