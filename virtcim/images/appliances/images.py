"""The files of disks: what formats there are, whether a file is one that can be read safely, and converting it.

A format is named by whoever sends the file and never guessed, and what a file would have others opened for is refused:
the images of a hostile appliance must not lead to files of this host.

Layer rule: imports `errors` of this package and `libhelper.work`.
"""

from __future__ import annotations

import json
import re
import resource
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import BinaryIO

from virtcim.images.appliances.errors import ApplianceError
from virtcim.libhelper.work import Work

__all__ = ["QCOW2", "RAW", "STREAM_OPTIMIZED", "check_image", "convert", "format_of", "uri_of", "virtual_size"]

RAW, QCOW2, VMDK, VPC, VHDX = "raw", "qcow2", "vmdk", "vpc", "vhdx"
"""QEMU's words."""
STREAM_OPTIMIZED = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
_FORMATS = (
    (re.compile(r"https?://www\.vmware\.com/.*vmdk.*", re.IGNORECASE), VMDK),
    (re.compile(r"https?://(www\.gnome\.org/~markmc/qcow-image-format\.html|.*qcow2?.*)", re.IGNORECASE), QCOW2),
    (re.compile(r"https?://(go\.microsoft\.com/fwlink/\?LinkId=137171|.*/vhd)", re.IGNORECASE), VPC),
    (re.compile(r"https?://.*vhdx.*", re.IGNORECASE), VHDX),
    (re.compile(r"https?://www\.ecma-international\.org/.*Ecma-119.*", re.IGNORECASE), RAW),
    (re.compile(r"https?://.*[/#]raw|raw", re.IGNORECASE), RAW),
)
"""The formats by the URIs that tools write for them: OVF prescribes none."""
_URIS = {
    VMDK: STREAM_OPTIMIZED,
    QCOW2: "http://www.gnome.org/~markmc/qcow-image-format.html",
    RAW: "http://www.gnome.org/~markmc/raw",
}
_OTHERS = (b"QFI\xfb", b"KDMV", b"COWD", b"# Disk DescriptorFile", b"vhdxfile", b"conectix", b"QED\0")
"""How images begin of formats that name other files, or that are taken for such."""
_SECTOR = 512
_NO_PARENT = 0xFFFFFFFF
_EXTERNAL_DATA = 1 << 2
"""Of the incompatible features of qcow2: the data are in another file."""
_MOST_DESCRIPTOR = 1 << 20
_MOST_HEADER = 1 << 16
_MOST_URI = 1024
_PARENT = re.compile(r"^[ \t]{0,64}parentCID[ \t]{0,64}=[ \t]{0,64}([0-9A-Fa-f]{1,16})", re.MULTILINE | re.IGNORECASE)
_PERCENT = re.compile(r"\(([0-9]{1,3})\.[0-9]+/100%")
_LINE, _MOST_ANSWER = 4096, 1 << 20
_SLACK = 64 << 20
"""Bytes that an image may be larger than its capacity: what formats keep of themselves."""
_MEMORY = 2 << 30
"""Bytes of address space for the program that converts."""


def format_of(uri: str) -> str:
    """Tell QEMU's word for the format that a URI names.

    Raises:
        ApplianceError: it is none that can be read.
    """
    found = next((name for pattern, name in _FORMATS if pattern.fullmatch(uri[:_MOST_URI])), None)
    if found is None:
        raise ApplianceError(f"format {uri[:120]!r}: is not known; expected that of VMDK, VHD, qcow2 or raw images")
    return found


def uri_of(name: str) -> str:
    """Give the URI that is written for a format."""
    return _URIS[name]


def check_image(file: BinaryIO, name: str, kind: str) -> None:
    """Refuse a file that is not of the format that it is said to be, or that has other files opened.

    Parameters:
        file: the image.
        name: for messages.
        kind: QEMU's word for its format.

    Raises:
        ApplianceError: it cannot be taken.
    """
    header = file.read(_MOST_HEADER)
    match kind:
        case "vmdk":
            _check_vmdk(file, header, name)
        case "qcow2":
            _check_qcow2(header, name)
        case "vpc":
            file.seek(max(0, file.seek(0, 2) - _SECTOR))
            footer = file.read(_SECTOR)
            # 4 is an image of differences, which names its parent.
            if footer[:8] != b"conectix" or len(footer) < _SECTOR or int.from_bytes(footer[60:64], "big") not in (2, 3):
                raise ApplianceError(f"file {name!r}: is no whole VHD image; expected one")
        case "vhdx":
            if header[:8] != b"vhdxfile":
                raise ApplianceError(f"file {name!r}: is no VHDX image; expected one")
        case "vdi":
            if header[64:68] != b"\x7f\x10\xda\xbe":
                raise ApplianceError(f"file {name!r}: is no VDI image; expected one")
        case _:
            # Storage pools look at how a volume begins, and would find other files named in it.
            if header.startswith(_OTHERS):
                raise ApplianceError(f"file {name!r}: begins like an image of another format; expected a raw one")


def _check_qcow2(header: bytes, name: str) -> None:
    if len(header) < 72 or header[:4] != b"QFI\xfb":
        raise ApplianceError(f"file {name!r}: is no qcow2 image; expected one")
    version, backing = struct.unpack_from(">IQ", header, 4)
    features = struct.unpack_from(">Q", header, 72)[0] if version >= 3 and len(header) >= 80 else 0
    if version not in (2, 3):
        raise ApplianceError(f"file {name!r}: is qcow2 of version {version}; expected 2 or 3")
    if backing or features & _EXTERNAL_DATA:
        raise ApplianceError(f"file {name!r}: has its data in another file; expected a whole image")


def _check_vmdk(file: BinaryIO, header: bytes, name: str) -> None:
    if header[:4] != b"KDMV" or len(header) < _SECTOR:
        # Text that names its extents, which may be any file of this host.
        raise ApplianceError(f"file {name!r}: is no sparse VMDK image; expected one")
    version, _, capacity = struct.unpack_from("<IIQ", header, 4)
    offset, size = struct.unpack_from("<QQ", header, 28)
    if version not in (1, 2, 3) or not capacity:
        raise ApplianceError(f"file {name!r}: is no whole VMDK image; expected one")
    file.seek(min(offset * _SECTOR, 2**62))
    text = file.read(min(size * _SECTOR, _MOST_DESCRIPTOR)).split(b"\0", 1)[0].decode("latin-1")
    parent = _PARENT.search(text)
    if "parentfilenamehint" in text.lower() or (parent is not None and int(parent[1], 16) != _NO_PARENT):
        raise ApplianceError(f"file {name!r}: holds differences to another image; expected a whole one")


def virtual_size(path: Path, kind: str) -> int:
    """Ask for the bytes of the disk that an image holds, which was checked before.

    Raises:
        ApplianceError: QEMU cannot read it.
    """
    command = ["qemu-img", "info", "--output=json", "--image-opts", _image(path, kind)]
    return int(json.loads(_run(command, path.name, Work(), None))["virtual-size"])


def convert(
    source: Path, kind: str, target: Path, wanted: str, work: Work, *, most: int | None = None, stream: bool = False
) -> None:
    """Make an image of another format.

    Parameters:
        source: the image, which was checked before.
        kind: QEMU's word for its format.
        target: what is written.
        wanted: QEMU's word for the format of that.
        work: told how far it is in percent, and asked whether to go on.
        most: bytes that the new image may take; None for any number.
        stream: for VMDK, whether it is the compressed form that OVF has.

    Raises:
        ApplianceError: QEMU cannot; nothing of the new image stays.
        WorkCancelledError: the work was asked to stop; likewise.
    """
    options = ["-o", "subformat=streamOptimized"] if stream else []
    command = ["qemu-img", "convert", "-p", "--image-opts", *options, "-O", wanted, _image(source, kind), str(target)]
    try:
        _run(command, source.name, work, most)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _run(command: list[str], name: str, work: Work, most: int | None) -> str:
    """Run a program that reads an image, under limits, and give what it wrote.

    Raises:
        ApplianceError: it failed.
        WorkCancelledError: the work was asked to stop.
    """
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process,
    ):
        try:
            # Between fork and exec nothing of ours may run: other threads hold locks.
            resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            if most is not None:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most + _SLACK, most + _SLACK))
        except ProcessLookupError:
            pass
        told = ""
        try:
            with work.stoppable(process.kill):
                assert process.stdout is not None
                while text := process.stdout.readline(_LINE):
                    told = (told + text)[-_MOST_ANSWER:]
                    # How far it is stands before each carriage return, which text mode makes a line's end.
                    found = _PERCENT.search(text)
                    if found is not None:
                        work.report(int(found[1]), 100)
                if process.wait() != 0:
                    complaints.seek(0)
                    raise ApplianceError(f"image {name!r}: {_complaint(complaints.read(_MOST_ANSWER))}")
        except BaseException:
            process.kill()
            raise
    return told


def _image(path: Path, kind: str) -> str:
    """The image as QEMU's options have it: the format named, and no protocol in the name of the file."""
    name = str(path.absolute()).replace(",", ",,")
    return f"driver={kind},file.driver=file,file.filename={name}"


def _complaint(text: str) -> str:
    """The last line that a program has written, without where its files lie."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    last = lines[-1] if lines else "qemu-img ended without a word"
    return re.sub(r"(?<![\w.])/[^\s':,]*/", "", last)[:300]
