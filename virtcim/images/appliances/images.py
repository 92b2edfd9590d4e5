"""The files of disks: what formats there are, whether a file is one that can be read safely, and converting it.

A format is named by whoever sends the file and never guessed, and what a file would have others opened for is refused:
the images of a hostile appliance must not lead to files of this host.

Layer rule: imports `errors` of this package and `libhelper.work`.
"""

from __future__ import annotations

import itertools
import json
import re
import resource
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from virtcim.images.appliances.errors import ApplianceError
from virtcim.immutable import immutable
from virtcim.libhelper.work import Work

__all__ = [
    "QCOW2",
    "RAW",
    "STREAM_OPTIMIZED",
    "ImageFile",
    "check_image",
    "check_parent",
    "check_parents",
    "convert",
    "format_of",
    "uri_of",
    "virtual_size",
]

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
_OTHERS = (b"QFI\xfb", b"KDMV", b"COWD", b"# Disk DescriptorFile", b"vhdxfile", b"conectix", b"QED\0", b"OOOM")
"""How images begin of formats that name other files, or that are taken for such."""
_SECTOR = 512
_NO_PARENT = 0xFFFFFFFF
_EXTERNAL_DATA = 1 << 2
"""Of the incompatible features of qcow2: the data are in another file."""
_MOST_DESCRIPTOR = 1 << 20
_READ_BY_QEMU = 20 * _SECTOR
"""Bytes of the text of a VMDK image that QEMU and libvirt read: from the second sector on, wherever the header says."""
_MOST_HEADER = 1 << 16
_MOST_URI = 1024
_PARENT = re.compile(r"^[ \t]{0,64}parentCID[ \t]{0,64}=[ \t]{0,64}([0-9A-Fa-f]{1,16})", re.MULTILINE | re.IGNORECASE)
_CONTENT = re.compile(r"^[ \t]{0,64}CID[ \t]{0,64}=[ \t]{0,64}([0-9A-Fa-f]{1,16})", re.MULTILINE | re.IGNORECASE)
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
    if not uri:
        raise ApplianceError("format: is not said; expected that of VMDK, VHD, qcow2 or raw images: it is not guessed")
    found = next((name for pattern, name in _FORMATS if pattern.fullmatch(uri[:_MOST_URI])), None)
    if found is None:
        raise ApplianceError(f"format {uri[:120]!r}: is not known; expected that of VMDK, VHD, qcow2 or raw images")
    return found


def uri_of(name: str) -> str:
    """Give the URI that is written for a format."""
    return _URIS[name]


@immutable
class ImageFile:
    """A file with an image.

    Attributes:
        kind: QEMU's word for its format.
        parent: the image that it holds differences to; None for a whole one.
        name: for messages; "" for that of the file.
        names_parent: whether the parent is the one that it names itself, as only an image of this host may.
    """

    path: Path
    kind: str
    parent: ImageFile | None = None
    name: str = ""
    names_parent: bool = False

    @property
    def node(self) -> str:
        """The image as QEMU opens it, with these parents or none, whatever it names itself."""
        return f"json:{json.dumps(self._layers)}"

    @property
    def own_node(self) -> str:
        """The image without its parents."""
        return replace(self, parent=None).node

    @property
    def _layers(self) -> dict[str, Any]:
        file = {"driver": "file", "filename": str(self.path.absolute())}
        backing = {} if self.names_parent else {"backing": self.parent and self.parent._layers}
        return {"driver": self.kind, "file": file, **backing}


def check_parents(kinds: Sequence[str]) -> None:
    """Refuse images of differences in formats that have none that can be read.

    Parameters:
        kinds: QEMU's words for the formats, of an image, its parent and so on.

    Raises:
        ApplianceError: one is in such a format.
    """
    for kind, parent in itertools.pairwise(kinds):
        if kind not in (VMDK, QCOW2) or (kind == VMDK) != (parent == VMDK):
            raise ApplianceError(
                f"image of differences: is of the format {kind} over {parent}; expected VMDK over VMDK, or qcow2"
            )


def check_image(file: BinaryIO, name: str, kind: str, *, is_whole: bool = True) -> None:
    """Refuse a file that is not of the format that it is said to be, or that has other files opened.

    Parameters:
        file: the image.
        name: for messages.
        kind: QEMU's word for its format.
        is_whole: whether it is a whole image, or one of differences, which is opened with a parent that is told.

    Raises:
        ApplianceError: it cannot be taken.
    """
    header = file.read(_MOST_HEADER)
    match kind:
        case "vmdk":
            _check_vmdk(file, header, name, is_whole=is_whole)
        case "qcow2":
            _check_qcow2(header, name, is_whole=is_whole)
        case "vpc":
            file.seek(max(0, file.seek(0, 2) - _SECTOR))
            footer = file.read(_SECTOR)
            # 4 is an image of differences, which names its parent.
            if footer[:8] != b"conectix" or len(footer) < _SECTOR or int.from_bytes(footer[60:64], "big") not in (2, 3):
                raise ApplianceError(f"file {name!r}: is not a whole VHD image; expected a fixed or dynamic one")
        case "vhdx":
            if header[:8] != b"vhdxfile":
                raise ApplianceError(f"file {name!r}: does not begin as a VHDX image does; expected one")
        case "vdi":
            if header[64:68] != b"\x7f\x10\xda\xbe":
                raise ApplianceError(f"file {name!r}: does not begin as a VDI image does; expected one")
        case _:
            # Storage pools look at how a volume begins, and would find other files named in it.
            if header.startswith(_OTHERS):
                raise ApplianceError(f"file {name!r}: begins like an image of another format; expected a raw one")


def _check_qcow2(header: bytes, name: str, *, is_whole: bool) -> None:
    if len(header) < 72 or header[:4] != b"QFI\xfb":
        raise ApplianceError(f"file {name!r}: does not begin as a qcow2 image does; expected one")
    version, backing = struct.unpack_from(">IQ", header, 4)
    features = struct.unpack_from(">Q", header, 72)[0] if version >= 3 and len(header) >= 80 else 0
    if version not in (2, 3):
        raise ApplianceError(f"file {name!r}: is qcow2 of version {version}; expected 2 or 3")
    if (backing and is_whole) or features & _EXTERNAL_DATA:
        raise ApplianceError(f"file {name!r}: has its data in another file; expected a whole image")


def _check_vmdk(file: BinaryIO, header: bytes, name: str, *, is_whole: bool) -> None:
    if header[:4] != b"KDMV" or len(header) < _SECTOR:
        # Text that names its extents, which may be any file of this host.
        raise ApplianceError(f"file {name!r}: does not begin as a sparse VMDK image does; expected one")
    version, _, capacity = struct.unpack_from("<IIQ", header, 4)
    if version not in (1, 2, 3) or not capacity:
        raise ApplianceError(f"file {name!r}: is not a whole VMDK image; expected one of version 1 to 3 with a size")
    texts = (_vmdk_text(file, header), _text_at(file, _SECTOR, _READ_BY_QEMU))
    if is_whole and any(map(_has_parent, texts)):
        raise ApplianceError(f"file {name!r}: holds differences to another image; expected a whole one")


def _has_parent(text: str) -> bool:
    """Tell whether the text of a VMDK image says that it holds differences to another one."""
    return _content_id(_PARENT, text) != _NO_PARENT or "parentfilenamehint" in text.lower()


def _vmdk_text(file: BinaryIO, header: bytes) -> str:
    """The text in a sparse VMDK image that describes it, at the place that its header says."""
    offset, size = struct.unpack_from("<QQ", header, 28)
    return _text_at(file, min(offset * _SECTOR, 2**62), min(size * _SECTOR, _MOST_DESCRIPTOR))


def _text_at(file: BinaryIO, place: int, most: int) -> str:
    file.seek(place)
    return file.read(most).split(b"\0", 1)[0].decode("latin-1")


def _content_id(pattern: re.Pattern[str], text: str) -> int:
    """The number that VMDK has for the state of a disk; that of no parent where none is told."""
    found = pattern.search(text)
    return _NO_PARENT if found is None else int(found[1], 16)


def check_parent(image: ImageFile) -> None:
    """Refuse an image of differences to another parent than it has, where it tells which one: VMDK may.

    Parameters:
        image: which was checked before, as its parent.

    Raises:
        ApplianceError: it is of another one, or of another state of that one.
    """
    if image.parent is None or image.kind != VMDK:
        return
    own, parent = (_vmdk_text_of(each.path) for each in (image, image.parent))
    wanted = _content_id(_PARENT, own)
    if wanted not in (_NO_PARENT, _content_id(_CONTENT, parent)):
        raise ApplianceError(
            f"file {image.name!r}: holds differences to another disk than {image.parent.name!r}; expected its parent"
        )


def _vmdk_text_of(path: Path) -> str:
    with path.open("rb") as file:
        return _vmdk_text(file, file.read(_SECTOR))


def virtual_size(image: ImageFile) -> int:
    """Ask for the bytes of the disk that an image holds, which was checked before; its parents are not opened.

    Raises:
        ApplianceError: QEMU cannot read it.
    """
    command = ["qemu-img", "info", "--output=json", image.own_node]
    return int(json.loads(_run(command, image.name or image.path.name, Work(), None))["virtual-size"])


def convert(
    source: ImageFile, target: Path, wanted: str, work: Work, *, most: int | None = None, stream: bool = False
) -> None:
    """Make an image of another format.

    Parameters:
        source: the image, which was checked before, as all its parents.
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
    command = ["qemu-img", "convert", "-p", *options, "-O", wanted, source.node, str(target)]
    try:
        _run(command, source.name or source.path.name, work, most)
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


def _complaint(text: str) -> str:
    """The last line that a program has written, without where its files lie."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    last = lines[-1] if lines else "qemu-img ended without a word"
    return re.sub(r"(?<![\w.])/[^\s':,]*/", "", last)[:300]
