"""Appliances that are small enough to make in a test: descriptors, disks, archives."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from virtcim.images.appliances.images import STREAM_OPTIMIZED
from virtcim.images.appliances.manifest import digest_of, write_manifest

__all__ = ["DISK_SIZE", "archive", "descriptor", "envelope", "vmdk", "write_archive"]

DISK_SIZE = 1 << 20

RASD = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
VSSD = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"


def envelope(content: str, version: int = 1) -> bytes:
    """An envelope around parts of a descriptor."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/{version}"
  xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/{version}"
  xmlns:rasd="{RASD}" xmlns:vssd="{VSSD}" xmlns:vmw="http://www.vmware.com/schema/ovf"
  xmlns:other="http://example.com/other">
{content}
</Envelope>""".encode()


def item(**values: object) -> str:
    """An item with the values of its properties."""
    return "<Item>" + "".join(f"<rasd:{name}>{value}</rasd:{name}>" for name, value in values.items()) + "</Item>"


def system(items: str = "", sections: str = "", identity: str = "guest") -> str:
    """A system with two processors, 64 MiB and further items."""
    usual = item(InstanceID=1, ResourceType=3, VirtualQuantity=2) + item(
        AllocationUnits="byte * 2^20", InstanceID=2, ResourceType=4, VirtualQuantity=64
    )
    return f"""<VirtualSystem ovf:id="{identity}"><Info/><Name>{identity}</Name>{sections}
<VirtualHardwareSection><Info/><System><vssd:ElementName>x</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>
<vssd:VirtualSystemType>vmx-10</vssd:VirtualSystemType></System>{usual}{items}</VirtualHardwareSection>
</VirtualSystem>"""


def descriptor(
    disk: str = "disk.vmdk",
    uri: str = STREAM_OPTIMIZED,
    capacity: int = DISK_SIZE,
    *,
    sections: str = "",
    more: str = "",
) -> bytes:
    """A descriptor of one system with a disk at a SCSI controller, an empty drive, and a port.

    Parameters:
        disk: the name of the file of the disk.
        uri: its format.
        sections: further sections of the system.
        more: further attributes of the file.
    """
    items = (
        item(Address=0, InstanceID=3, ResourceSubType="VirtualSCSI", ResourceType=6)
        + item(Address=1, InstanceID=4, ResourceType=5)
        + item(AddressOnParent=0, HostResource="ovf:/disk/d1", InstanceID=5, Parent=3, ResourceType=17)
        + item(AddressOnParent=1, InstanceID=6, Parent=4, ResourceType=15)
        + item(Connection="LAN", InstanceID=7, ResourceSubType="E1000", ResourceType=10)
    )
    return envelope(f"""<References><File ovf:id="f1" ovf:href="{disk}" {more}/></References>
<DiskSection><Info/><Disk ovf:diskId="d1" ovf:fileRef="f1" ovf:capacity="{capacity}" ovf:format="{uri}"/></DiskSection>
<NetworkSection><Info/><Network ovf:name="LAN"/></NetworkSection>
{system(items, sections)}""")


def image(directory: Path, kind: str, content: bytes = b"disk", *options: str) -> bytes:
    """An image of `DISK_SIZE` bytes that begins with `content`.

    Parameters:
        kind: QEMU's word for its format.
        options: further ones of `qemu-img convert`.
    """
    raw, made = directory / "content", directory / f"content.{kind}"
    raw.write_bytes(content.ljust(DISK_SIZE, b"\0"))
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", kind, *options, str(raw), str(made)], check=True, timeout=60
    )
    return made.read_bytes()


def vmdk(directory: Path, content: bytes = b"disk") -> bytes:
    """A disk in the compressed form of VMDK that appliances have."""
    return image(directory, "vmdk", content, "-o", "subformat=streamOptimized")


def archive(files: Mapping[str, bytes]) -> bytes:
    """An archive with plain files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def write_archive(path: Path, files: Mapping[str, bytes], algorithm: str | None = "sha256") -> Path:
    """Write an appliance: a descriptor, its manifest, and its other files.

    Parameters:
        files: the descriptor first.
        algorithm: of the manifest; None for no manifest.
    """
    (name, text), *others = files.items()
    members = {name: text}
    if algorithm is not None:
        digests = {each: digest_of(io.BytesIO(data), algorithm) for each, data in files.items()}
        members[f"{name.rpartition('.')[0]}.mf"] = write_manifest(digests)
    path.write_bytes(archive(members | dict(others)))
    return path
