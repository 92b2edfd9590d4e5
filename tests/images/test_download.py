"""Downloads from a host on loopback that breaks off, lies, leads elsewhere and hangs."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

import pytest

from tests.bed import wait_until
from tests.images.imagehost import ImageHost
from virtcim.images.addresses import AddressError, check_url, mirrored
from virtcim.images.download import DownloadError, checksum_in, download
from virtcim.images.settings import ImageSettings
from virtcim.images.store import ImageError, ImageStore, StoredImage
from virtcim.images.templates import ImageSource
from virtcim.libhelper.work import Work, WorkCancelledError


def qcow2_header(*, backing: int = 0, features: int = 0) -> bytes:
    """The header of a qcow2 image of version 3 (QEMU's docs/interop/qcow2.txt).

    Parameters:
        backing: where the name of the image below it stands; 0 for none.
        features: that nobody may pass over.
    """
    head = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, backing, 16, 16, 1 << 30, 0, 1, 0, 0, 1, 0, 0)
    return (head + struct.pack(">Q", features)).ljust(512, b"\0")


LISTED = ImageSettings(hosts=("127.0.0.1",), attempts=2, timeout=20)
CONTENT = qcow2_header() + secrets.token_bytes(500_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()

DESCRIPTOR = b'# Disk DescriptorFile\nRW 2048 FLAT "/etc/shadow" 0\n'
"""Of a VMDK image whose data are in other files."""

Record = TypeVar("Record")


class Records(Generic[Record]):
    """A table in memory."""

    def __init__(self) -> None:
        self.held: dict[str, Record] = {}

    def get(self, key: str, /) -> Record | None:
        return self.held.get(key)

    def items(self) -> list[tuple[str, Record]]:
        return list(self.held.items())

    def put(self, key: str, record: Record, /) -> None:
        self.held[key] = record

    def remove(self, key: str, /) -> None:
        self.held.pop(key, None)


@pytest.fixture
def host() -> Iterator[ImageHost]:
    with ImageHost() as made:
        made.files["/image"] = CONTENT
        yield made


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images", Records[StoredImage](), LISTED)


def test_a_download_goes_on_where_it_broke_off(host: ImageHost, tmp_path: Path) -> None:
    host.break_after["/image"] = 200_000
    download(f"{host.url}/image", tmp_path / "image", LISTED, Work())
    assert (tmp_path / "image").read_bytes() == CONTENT
    assert (host.asked["/image"], host.ranges) == (2, [200_000])


def test_a_download_begins_anew_where_the_server_knows_no_ranges(host: ImageHost, tmp_path: Path) -> None:
    host.break_after["/image"] = 200_000
    host.ignores_ranges = True
    download(f"{host.url}/image", tmp_path / "image", LISTED, Work())
    assert (tmp_path / "image").read_bytes() == CONTENT


def test_a_download_begins_anew_where_there_is_no_such_part(host: ImageHost, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"of a longer file" + CONTENT)
    download(f"{host.url}/image", tmp_path / "image", LISTED, Work())
    assert (tmp_path / "image").read_bytes() == CONTENT
    assert host.asked["/image"] == 2


def test_another_part_than_was_asked_for_is_not_taken(host: ImageHost, tmp_path: Path) -> None:
    host.break_after["/image"] = 200_000
    host.shift = 1
    with pytest.raises(DownloadError, match="another part"):
        download(f"{host.url}/image", tmp_path / "image", LISTED, Work())


def test_what_is_larger_than_permitted_is_not_kept(host: ImageHost, tmp_path: Path) -> None:
    small = replace(LISTED, largest=100_000)
    with pytest.raises(DownloadError, match=r"images\.largest"):
        download(f"{host.url}/image", tmp_path / "image", small, Work())
    assert not (tmp_path / "image").exists()


def test_a_truncated_download_is_none(host: ImageHost, tmp_path: Path) -> None:
    host.claims["/image"] = len(CONTENT) + 1000
    host.ignores_ranges = True
    with pytest.raises(DownloadError, match="broke off"):
        download(f"{host.url}/image", tmp_path / "image", LISTED, Work())


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("file:///etc/passwd", "no scheme"),
        ("ftp://127.0.0.1/image", "no scheme"),
        ("http://user:word@127.0.0.1/image", "password"),
        ("http://127.0.0.2:{port}/image", "of this machine"),
        ("http://[::1]:{port}/image", "of this machine"),
        ("http://169.254.169.254/latest/meta-data", "of this machine"),
        ("http://[::ffff:169.254.169.254]/x", "of this machine"),
        ("http://0.0.0.0:{port}/image", "of this machine"),
        ("http://203.0.113.7/image", "not listed"),
        ("http://[::1", "Invalid IPv6"),
    ],
)
def test_a_redirect_leads_nowhere_that_is_not_listed(host: ImageHost, tmp_path: Path, where: str, text: str) -> None:
    host.redirects["/away"] = where.format(port=host.port)
    with pytest.raises(DownloadError, match=text):
        download(f"{host.url}/away", tmp_path / "image", LISTED, Work())
    with pytest.raises(DownloadError, match=text):
        download(where.format(port=host.port), tmp_path / "image", LISTED, Work())
    assert not (tmp_path / "image").exists()


@pytest.mark.parametrize(
    "name", ["localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "[::127.0.0.1]", "[::]"]
)
def test_a_name_that_is_listed_may_not_mean_this_machine(host: ImageHost, tmp_path: Path, name: str) -> None:
    named = ImageSettings(hosts=("*",), attempts=1)
    with pytest.raises(DownloadError, match=r"none of its addresses|of this machine"):
        download(f"http://{name}:{host.port}/image", tmp_path / "image", named, Work())
    assert host.asked["/image"] == 0


def test_what_a_name_meant_when_it_was_looked_at_is_connected_to(
    host: ImageHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server can give another address each time that it is asked."""
    asked = []

    def getaddrinfo(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(name)
        address = "203.0.113.7" if asked.count("rebound.example") % 2 and name == "rebound.example" else name
        address = "127.0.0.1" if address == "rebound.example" else address
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, host.port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    named = ImageSettings(hosts=("*.example",), attempts=2, timeout=0.5)
    with pytest.raises(DownloadError):
        download(f"http://rebound.example:{host.port}/image", tmp_path / "image", named, Work())
    assert asked.count("rebound.example") == 2
    assert host.asked["/image"] == 0
    assert not host.asked


def test_redirects_end(host: ImageHost, tmp_path: Path) -> None:
    host.redirects["/a"], host.redirects["/b"] = "/b", "/a"
    with pytest.raises(DownloadError, match="more than 10 times"):
        download(f"{host.url}/a", tmp_path / "image", LISTED, Work())
    host.redirects["/b"] = "/image"
    download(f"{host.url}/a", tmp_path / "image", LISTED, Work())
    assert (tmp_path / "image").read_bytes() == CONTENT


def test_a_server_that_hangs_is_given_up_and_can_be_ended(host: ImageHost, tmp_path: Path) -> None:
    host.gate.clear()
    short = replace(LISTED, timeout=0.3, attempts=1)
    with pytest.raises(DownloadError, match="timed out"):
        download(f"{host.url}/image", tmp_path / "image", short, Work())
    work = Work()
    ended: list[BaseException] = []

    def fetch() -> None:
        try:
            download(f"{host.url}/image", tmp_path / "other", LISTED, work)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    wait_until(lambda: (tmp_path / "other").exists())
    wait_until(work.cancel)
    thread.join(60)
    assert [type(error) for error in ended] == [WorkCancelledError]


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"])
def test_a_server_that_sends_byte_by_byte_is_given_up(head: bytes, tmp_path: Path) -> None:
    """Each byte comes in time, of an answer's head or of its body."""
    given_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(head)
                while not given_up.wait(0.02):
                    connection.sendall(b"X")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/image"
        with pytest.raises(DownloadError):
            download(url, tmp_path / "image", replace(LISTED, timeout=0.5, attempts=1), Work())
        given_up.set()
        thread.join(60)


def test_the_checksum_is_found_in_a_file(host: ImageHost, store: ImageStore) -> None:
    sha512 = hashlib.sha512(CONTENT).hexdigest()
    text = f"# a comment\n{'0' * 128}  other\n{sha512} *image\n"
    assert checksum_in(text, "image") == sha512
    assert checksum_in(f"SHA256 (image) = {SHA256}\n", "image") == SHA256
    assert checksum_in(text, "none") is None
    host.files["/SHA512SUMS"] = text.encode()
    source = ImageSource(url=f"{host.url}/image", checksum_url=f"{host.url}/SHA512SUMS")
    image = store.fetch(source, Work())
    assert (image.sha256, store.path(image).read_bytes()) == (SHA256, CONTENT)
    host.files["/SHA512SUMS"] = f"{'1' * 128}  image\n".encode()
    with pytest.raises(ImageError, match="has the checksum"):
        store.fetch(source, Work(), anew=True)
    assert store.path(image).exists()


@pytest.mark.parametrize(
    "text",
    [
        f"{SHA256}  image",
        f"{SHA256.upper()} *image\r\n",
        f"\ufeff{SHA256}  ./image\n",
        f"{SHA256}\timages/image\n",
        f"SHA256 (image) = {SHA256}\r\n",
        f"SHA2-256(image)= {SHA256}\n",
        f"# image: 5 bytes\nSHA256 (image) = {SHA256}\n",
        f"{SHA256}\n",
        f"{'0' * 64}  old/image\n{SHA256}  image\n",
        f"{SHA256}  image\n{'0' * 128}  image\n",
    ],
)
def test_every_form_of_a_checksum_is_read(text: str) -> None:
    assert checksum_in(text, "image") == SHA256


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{SHA256}  image.sig\n{'0' * 64}  other\n",
        f"{SHA256}  a/image\n{'0' * 64}  b/image\n",
        f"{SHA256}  image\n{'0' * 64}  image\n",
        f"{SHA256}\n{'0' * 64}\n",
        f"{SHA256[:-1]}  image\n",
        f"MD5 (image) = {SHA256}\n",
    ],
)
def test_what_has_no_checksum_of_a_file_or_several_has_none(text: str) -> None:
    assert checksum_in(text, "image") is None


@pytest.mark.parametrize(
    ("sums", "text"), [(b"#" * ((1 << 20) + 1), "more than 1048576 bytes"), (None, "HTTP 404")], ids=["long", "missing"]
)
def test_without_the_file_of_checksums_no_image_is_fetched(
    host: ImageHost, store: ImageStore, sums: bytes | None, text: str
) -> None:
    if sums is not None:
        host.files["/SHA256SUMS"] = sums
    with pytest.raises(ImageError, match=text):
        store.fetch(ImageSource(url=f"{host.url}/image", checksum_url=f"{host.url}/SHA256SUMS"), Work())
    assert host.asked["/image"] == 0


def test_a_wrong_checksum_is_told_and_nothing_is_kept(host: ImageHost, store: ImageStore) -> None:
    with pytest.raises(ImageError, match=f"{SHA256}; expected 0000"):
        store.fetch(ImageSource(url=f"{host.url}/image", sha256="0" * 64), Work())
    assert store.all() == []
    assert [path for path in store.directory.rglob("*") if path.is_file()] == []


def test_what_broke_off_and_was_replaced_is_fetched_anew(host: ImageHost, store: ImageStore) -> None:
    """What is gone on with can be the beginning of another file, where the server has no ETag."""
    source = ImageSource(url=f"{host.url}/image", sha256=SHA256)
    partial = store.directory / "partial" / hashlib.sha256(source.url.encode()).hexdigest()[:32]
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"another file")
    assert store.fetch(source, Work()).sha256 == SHA256
    assert host.asked["/image"] == 2


def test_an_image_is_taken_in_piece_by_piece(store: ImageStore) -> None:
    name = store.begin()
    store.write(name, 0, CONTENT[:300_000])
    store.write(name, 300_000, CONTENT[300_000:])
    with pytest.raises(ImageError, match="is the next one"):
        store.write(name, 900_000, b"x")
    image = store.finish(name, SHA256.upper(), "qcow2", "mine")
    assert store.find(ImageSource(sha256=SHA256)) == image
    for wrong in (name, "../../etc/passwd", "0" * 32):
        with pytest.raises(ImageError, match="was not begun"):
            store.write(wrong, 0, b"x")
    other = store.begin()
    with pytest.raises(ImageError, match="has the checksum"):
        store.finish(other, SHA256, "qcow2", "")


def test_an_image_that_is_sent_is_no_larger_than_permitted(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "images", Records[StoredImage](), replace(LISTED, largest=100_000))
    name = store.begin()
    store.write(name, 0, b"x" * 100_000)
    with pytest.raises(ImageError, match=r"images\.largest"):
        store.write(name, 100_000, b"x")
    assert [path for path in store.directory.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("format_", "content", "said"),
    [
        ("qcow2", qcow2_header(backing=112) + b"/etc/shadow", "has its data in another file"),
        ("qcow2", qcow2_header(features=1 << 2), "has its data in another file"),
        ("qcow2", b"/etc/shadow", "does not begin as a qcow2 image does"),
        (
            "vmdk",
            b'# Disk DescriptorFile\nRW 2048 FLAT "/etc/shadow" 0\n'.ljust(1024, b"\0"),
            "does not begin as a sparse VMDK image does",
        ),
        ("vhd", b"", "is not a whole VHD image"),
        ("raw", qcow2_header(backing=112) + b"/etc/shadow", "begins like an image of another format"),
        ("iso", DESCRIPTOR, "begins like an image of another format"),
        ("raw", b"OOOM\0\0\0\2/etc/shadow", "begins like an image of another format"),
        ("vdi", b"/etc/shadow", "does not begin as a VDI image does"),
    ],
)
def test_an_image_does_not_lead_to_files_of_this_host(
    host: ImageHost, store: ImageStore, format_: str, content: bytes, said: str
) -> None:
    """A guest would read what is below its image; converting it is done with the rights of the hypervisor."""
    host.files["/image"] = content
    with pytest.raises(ImageError, match=said):
        store.fetch(ImageSource(url=f"{host.url}/image", format=format_), Work())
    name = store.begin()
    store.write(name, 0, content)
    with pytest.raises(ImageError, match=said):
        store.finish(name, hashlib.sha256(content).hexdigest(), format_, "")
    assert store.all() == []
    assert [path for path in store.directory.rglob("*") if path.is_file()] == []


def test_a_mirror_stands_in_for_all_hosts(host: ImageHost, tmp_path: Path) -> None:
    host.files["/images/cloud.example.com/debian.qcow2"] = CONTENT
    store = ImageStore(tmp_path, Records[StoredImage](), replace(LISTED, mirror=f"{host.url}/images/"))
    source = ImageSource(url="https://cloud.example.com/debian.qcow2", sha256=SHA256)
    assert store.fetch(source, Work()).url == source.url
    assert mirrored("https://a/b", LISTED) == "https://a/b"


def test_hosts_are_listed_by_name_address_or_network() -> None:
    listed = ImageSettings(hosts=("*.example.com", "10.0.0.0/8"))
    assert check_url("https://images.example.com/x", listed) == "images.example.com"
    assert check_url("http://10.1.2.3/x", listed) == "10.1.2.3"
    with pytest.raises(AddressError, match="not listed"):
        check_url("http://11.1.2.3/x", listed)
    with pytest.raises(AddressError, match="not listed"):
        check_url("http://other.org/x", ImageSettings(hosts=("*.example.com",)))
