"""What an appliance may be: archives, manifests and descriptors, good ones and hostile ones."""

from __future__ import annotations

import base64
import io
import os
import struct
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.growth import assert_linear
from tests.images.appliances import DISK_SIZE, archive, descriptor, envelope, image, item, system, vmdk, write_archive
from virtcim.images.appliances.archive import list_members
from virtcim.images.appliances.description import Property
from virtcim.images.appliances.descriptor import read_descriptor
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.images import ImageFile, check_image, convert
from virtcim.images.appliances.machine import settle_machine
from virtcim.images.appliances.manifest import digest_of, write_manifest
from virtcim.images.appliances.package import Limits, open_package
from virtcim.images.appliances.properties import check_value, settle_properties
from virtcim.images.appliances.units import bytes_per_unit
from virtcim.libhelper.work import Work

NAME = "guest.ovf"


def tar_with(member: tarfile.TarInfo, data: bytes = b"") -> bytes:
    """An archive with a descriptor and one more member."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        text = descriptor()
        first = tarfile.TarInfo(NAME)
        first.size = len(text)
        tar.addfile(first, io.BytesIO(text))
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """A member of a kind."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


@pytest.mark.parametrize(
    ("member", "complaint"),
    [
        (entry("../outside"), "leads out of the package"),
        (entry("/etc/passwd"), "leads out of the package"),
        (entry("a/../../b"), "leads out of the package"),
        (entry("a\\b"), "leads out of the package"),
        (entry("line\nbreak"), "is no name"),
        (entry("disk.vmdk", tarfile.SYMTYPE, "/etc/passwd"), "is a symbolic link"),
        (entry("disk.vmdk", tarfile.LNKTYPE, NAME), "is a link"),
        (entry("disk.vmdk", tarfile.CHRTYPE), "is a device"),
        (entry("disk.vmdk", tarfile.BLKTYPE), "is a device"),
        (entry("disk.vmdk", tarfile.FIFOTYPE), "is a pipe"),
        (entry("disk.vmdk", tarfile.GNUTYPE_SPARSE), "is a sparse file"),
        (entry(NAME), "is in the archive twice"),
    ],
)
def test_an_archive_holds_plain_files_only(tmp_path: Path, member: tarfile.TarInfo, complaint: str) -> None:
    package = tmp_path / "guest.ova"
    package.write_bytes(tar_with(member))
    with pytest.raises(ApplianceError, match=complaint):
        open_package(package)


def test_an_archive_ends_where_it_says(tmp_path: Path) -> None:
    whole = archive({NAME: descriptor(), "disk.vmdk": b"x" * 3000})
    package = tmp_path / "guest.ova"
    package.write_bytes(whole[:5120])
    with pytest.raises(ApplianceError, match=r"ends within 'disk\.vmdk'"):
        open_package(package)


def test_a_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    package = tmp_path / "guest.ova"
    large = entry("x", tarfile.XHDTYPE)
    large.size = 1 << 40
    package.write_bytes(large.tobuf(tarfile.GNU_FORMAT))
    os.truncate(package, (1 << 40) + 4096)
    with pytest.raises(ApplianceError, match="a header of"):
        open_package(package)


def test_an_archive_has_a_bounded_number_of_files(tmp_path: Path) -> None:
    package = tmp_path / "guest.ova"
    package.write_bytes(archive({NAME: descriptor()} | {f"file{number}": b"" for number in range(10_000)}))
    with pytest.raises(ApplianceError, match="holds more than 1000 files"):
        open_package(package)


def test_an_archive_of_nothing_but_directories_comes_to_an_end(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number in range(41):
            tar.addfile(entry(f"d{number}", tarfile.DIRTYPE))
    assert [member.name for member in list_members(io.BytesIO(archive({NAME: b""})), 10)] == [NAME]
    with pytest.raises(ApplianceError, match="more than 40 headers"):
        list_members(made, 10)


def test_headers_that_say_nothing_of_files_come_to_an_end() -> None:
    records = b"4 =\n" * (1 << 14)
    header = entry("x", tarfile.XHDTYPE)
    header.size = len(records)
    block = header.tobuf(tarfile.USTAR_FORMAT) + records
    few = io.BytesIO(block * 10 + archive({NAME: b""}))
    assert [member.name for member in list_members(few, 1000)] == [NAME]
    with pytest.raises(ApplianceError, match="headers of more than"):
        list_members(io.BytesIO(block * 100), 1000)


def test_controllers_cost_what_they_are_many() -> None:
    def controllers(count: int) -> bytes:
        each = (item(InstanceID=10 + number, ResourceType=6, Address=number % 20) for number in range(count))
        return envelope(system("".join(each)))

    assert_linear(lambda data: settle_machine(read_descriptor(data).systems[0], ""), controllers, 2000)


def test_names_of_a_hundred_letters_and_more_are_read(tmp_path: Path) -> None:
    name = "d" * 180 + ".vmdk"
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=kind) as tar:
            for each, data in {NAME: descriptor(name), name: b"content"}.items():
                member = tarfile.TarInfo(each)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        assert [member.name for member in list_members(made, 10)] == [NAME, name]


@given(st.binary(max_size=2048))
def test_no_bytes_break_the_archive(data: bytes) -> None:
    with pytest.raises(ApplianceError):
        list_members(io.BytesIO(data), 10)


WHOLE = archive({NAME: descriptor(), "disk.vmdk": b"content" * 100})


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=16))
def test_no_change_breaks_the_archive(place: int, data: bytes) -> None:
    changed = WHOLE[:place] + data + WHOLE[place + len(data) :]
    try:
        members = list_members(io.BytesIO(changed), 10)
    except ApplianceError:
        return
    assert all(member.offset + member.size <= len(changed) for member in members)


TEXT = descriptor(sections="<EulaSection><Info/><License>yes</License></EulaSection>").decode()


@given(st.data())
def test_no_change_breaks_the_descriptor(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(TEXT)))
    length = data.draw(st.integers(0, 40))
    words = st.sampled_from(['"', "<", "-1", "9" * 40, "ovf:/disk/d2", "&x;", "\0", "]]>", "", "ovf:id", "17", "min"])
    changed = TEXT[:place] + data.draw(words) + TEXT[place + length :]
    try:
        appliance = read_descriptor(changed.encode())
        for each in appliance.systems:
            settle_machine(each, appliance.default_option)
    except ApplianceError:
        return


@pytest.mark.parametrize(
    "prologue",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">',
    ],
)
def test_no_entities_are_read(prologue: str) -> None:
    head, _, rest = TEXT.partition("?>")
    with pytest.raises(ApplianceError, match="document type"):
        read_descriptor(f"{head}?>{prologue}{rest}".encode())


def test_a_descriptor_is_bounded(tmp_path: Path) -> None:
    deep = envelope("<a>" * 5000 + "</a>" * 5000)
    with pytest.raises(ApplianceError, match="not well-formed"):
        read_descriptor(deep)
    package = tmp_path / "guest.ova"
    package.write_bytes(archive({NAME: descriptor() + b" " * (8 << 20)}))
    with pytest.raises(ApplianceError, match="more than"):
        open_package(package)


SYSTEM = system()
DISK = '<Disk ovf:diskId="d" ovf:capacity="1" ovf:capacityAllocationUnits="byte * 2^30"/>'
FULL = DISK.replace("/>", ' ovf:populatedSize="1073741825"/>')
CHILD = DISK.replace("/>", ' ovf:parentRef="e"/>')
TWO_VALUES = (
    '<Property ovf:key="k" ovf:type="string"><Value ovf:configuration="a" ovf:value="1"/>'
    '<Value ovf:configuration="a" ovf:value="2"/></Property>'
)
NET = '<NetworkSection><Info/><Network ovf:name="LAN"/></NetworkSection>'


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "0 systems"),
        (SYSTEM + SYSTEM, "2 systems"),
        (f"<other:Section><Info/></other:Section>{SYSTEM}", "needs 'Section of http://example.com/other'"),
        (f'<EncryptionSection ovf:required="true"><Info/></EncryptionSection>{SYSTEM}', "needs 'EncryptionSection'"),
        (f'<References><File ovf:id="a" ovf:href="x" ovf:size="-1"/></References>{SYSTEM}', "size: is '-1'"),
        (f'<References><File ovf:id="a" ovf:href="x"/><File ovf:id="a" ovf:href="y"/></References>{SYSTEM}', "twice"),
        (f'<DiskSection><Info/><Disk ovf:diskId="d" ovf:capacity="0"/></DiskSection>{SYSTEM}', "capacity of 0"),
        (f'<DiskSection><Info/><Disk ovf:diskId="d" ovf:capacity="1" ovf:fileRef="z"/></DiskSection>{SYSTEM}', "'z'"),
        (system(item(InstanceID=9, ResourceType=17, HostResource="ovf:/disk/none")), "has the disk 'none'"),
        (system(item(InstanceID=9, ResourceType=17, Parent=77)), "is attached to '77'"),
        (system(item(InstanceID=1, ResourceType=17)), "is there twice"),
        (system(item(InstanceID=9, ResourceType="many")), "is of the type 'many'"),
        (system(item(ResourceType=3)), "has no InstanceID"),
        (system(item(InstanceID=9, ResourceType=10, Connection="WAN")), "is connected to 'WAN'"),
        (NET.replace("<Info/>", "<Info/><Info/>") + SYSTEM, "NetworkSection: has 2 Info"),
        (NET.replace("</Net", '<Network ovf:name="LAN"/></Net', 1) + SYSTEM, "network 'LAN': is there twice"),
        (f"<DiskSection><Info/>{DISK}{DISK}</DiskSection>{SYSTEM}", "disk 'd': is there twice"),
        (
            f"<DiskSection><Info/>{FULL}</DiskSection>{SYSTEM}",
            "1073741825 bytes populated",
        ),
        (
            f"<DiskSection><Info/>{CHILD}</DiskSection>{SYSTEM}",
            "has the parent 'e'",
        ),
        (
            f'<DeploymentOptionSection><Info/><Configuration ovf:id="a"/></DeploymentOptionSection>'
            f"{system(sections='<ProductSection><Info/>' + TWO_VALUES + '</ProductSection>')}",
            "two values for one configuration",
        ),
    ],
)
def test_a_descriptor_that_contradicts_itself_is_refused(content: str, complaint: str) -> None:
    with pytest.raises(ApplianceError, match=complaint):
        read_descriptor(envelope(content))


def test_a_section_that_does_not_say_what_it_is_about_is_read_with_a_warning() -> None:
    read = read_descriptor(envelope(NET.replace("<Info/>", "") + SYSTEM.replace("<Info/>", "", 1)))
    assert (list(read.networks), read.systems[0].id) == (["LAN"], "guest")
    assert read.warnings == ("NetworkSection: has no Info", "VirtualSystem: has no Info")
    twice = envelope(NET.replace("<Info/>", "<Info/><Info/>") + SYSTEM)
    assert read_descriptor(twice, without=["Info"]).warnings == ()


def test_what_is_not_needed_is_left_out_with_a_warning() -> None:
    section = '<other:Section ovf:required="false"><Info/></other:Section>'
    assert "Section of http://example.com/other is left out" in read_descriptor(envelope(section + SYSTEM)).warnings[0]
    needed = envelope(section.replace("false", "true") + SYSTEM)
    assert read_descriptor(needed, without=["Section"]).systems[0].id == "guest"


def test_hardware_that_nobody_has_is_refused_unless_the_system_does_without() -> None:
    odd = item(InstanceID=9, ResourceType=1, ResourceSubType="vmware.pci.passthrough")
    read = read_descriptor(envelope(system(odd)))
    with pytest.raises(ApplianceError, match=r"is of type 1 vmware\.pci\.passthrough"):
        settle_machine(read.systems[0], "")
    spared = read_descriptor(envelope(system(odd.replace("<Item>", '<Item ovf:required="false">'))))
    assert "is left out" in settle_machine(spared.systems[0], "").warnings[0]


def test_a_value_that_is_needed_is_known_or_refused() -> None:
    known = item(InstanceID=9, ResourceType=17, VirtualQuantity=1, AllocationUnits="byte * 2^20")
    for needed, complaint in (("<rasd:Weight !>1</rasd:Weight>", ""), ("<rasd:Unknown !/>", "needs 'Unknown'")):
        for flag in ("true", "false"):
            value = needed.replace("!", f'ovf:required="{flag}"')
            text = envelope(system(known.replace("</Item>", f"{value}</Item>")))
            if complaint and flag == "true":
                with pytest.raises(ApplianceError, match=complaint):
                    read_descriptor(text)
            else:
                read_descriptor(text)


@pytest.mark.parametrize("number", [17, 31, 32])
def test_a_disk_is_one_by_whatever_number_of_the_dmtf(number: int) -> None:
    drive = item(InstanceID=9, ResourceType=number, VirtualQuantity=2, AllocationUnits="byte * 2^30")
    (disk,) = settle_machine(read_descriptor(envelope(system(drive))).systems[0], "").drives
    assert (disk.device, disk.capacity) == ("disk", 2 << 30)


def test_systems_come_in_the_order_in_which_they_start() -> None:
    systems = "".join(system(identity=name) for name in ("web", "database", "tool"))
    startup = '<StartupSection><Info/><Item ovf:id="database" ovf:order="1"/><Item ovf:id="web" ovf:order="2"/>'
    text = f'<VirtualSystemCollection ovf:id="all"><Info/>{startup}</StartupSection>{systems}</VirtualSystemCollection>'
    assert [each.id for each in read_descriptor(envelope(text)).systems] == ["database", "web", "tool"]


def scaled(count: str, content: str, named: str = "web", space: str = "other2") -> bytes:
    """A collection that replicates one of its members, in words of OVF 2 within an envelope of OVF 1."""
    section = f'<{space}:ScaleOutSection {space}:id="{named}"><Info/>{count}</{space}:ScaleOutSection>'
    text = f'<VirtualSystemCollection ovf:id="all"><Info/>{section}{content}</VirtualSystemCollection>'
    told = envelope(text.replace("InstanceCount ", f"{space}:InstanceCount ").replace("!", f"{space}:"))
    return told.replace(b"<Envelope ", b'<Envelope xmlns:other2="http://schemas.dmtf.org/ovf/envelope/2" ', 1)


def test_a_member_that_is_scaled_out_is_there_as_often_as_it_says() -> None:
    startup = '<StartupSection><Info/><Item ovf:id="web" ovf:order="2"/><Item ovf:id="database" ovf:order="1"/>'
    port = item(InstanceID=9, ResourceType=10, Address="52:54:00:00:00:01")
    content = f"{startup}</StartupSection>{system(port, identity='web')}{system(identity='database')}"
    count = '<InstanceCount !minimum="1" !default="2" !maximum="4"/>'
    for space in ("other2", "ovf"):
        read = read_descriptor(scaled(count, content, space=space))
        assert [(each.id, each.name) for each in read.systems] == [
            ("database", "database"),
            ("web-1", "web-1"),
            ("web-2", "web-2"),
        ]
        assert settle_machine(read.systems[1], "").ports[0].address == ""
        assert "has 2 replicas of 'web'" in read.warnings[0]
    assert len(read_descriptor(scaled('<InstanceCount !minimum="3"/>', content)).systems) == 4


@pytest.mark.parametrize(
    ("count", "named"),
    [
        ('<InstanceCount !default="2"/>', "none"),
        ("", "web"),
        ('<InstanceCount !default="5" !maximum="4"/>', "web"),
        ('<InstanceCount !default="0" !minimum="1"/>', "web"),
        ('<InstanceCount !default="1000000"/>', "web"),
        ('<InstanceCount !default="many"/>', "web"),
    ],
)
def test_replicas_are_bounded(count: str, named: str) -> None:
    with pytest.raises(ApplianceError, match=r"replic|default: is"):
        read_descriptor(scaled(count, system(identity="web"), named))


def test_replicas_of_replicas_are_bounded() -> None:
    content = system(identity="a0")
    for level in range(10):
        section = (
            f'<ScaleOutSection ovf:id="a{level}"><Info/><InstanceCount ovf:default="3"/></ScaleOutSection>{content}'
        )
        content = f'<VirtualSystemCollection ovf:id="a{level + 1}"><Info/>{section}</VirtualSystemCollection>'
    with pytest.raises(ApplianceError, match="no more than 1000"):
        read_descriptor(envelope(content))


def test_a_small_descriptor_makes_no_large_appliance() -> None:
    """Nor one that takes time by the square of its length."""
    many = range(1001)
    scales = (
        f'{system(identity=f"s{number}")}<ScaleOutSection ovf:id="s{number}"><Info/>'
        '<InstanceCount ovf:default="100"/></ScaleOutSection>'
        for number in many[:20]
    )
    plain = (f'<VirtualSystemCollection ovf:id="c{number}"><Info/></VirtualSystemCollection>' for number in many)
    for members in (scales, plain):
        text = f'<VirtualSystemCollection ovf:id="all"><Info/>{"".join(members)}</VirtualSystemCollection>'
        with pytest.raises(ApplianceError, match="expected no more than 1000"):
            read_descriptor(envelope(text, 2))
    twice = '<Item ovf:id="s" ovf:order="1"/>' * 2
    section = f"<StartupSection><Info/>{twice}</StartupSection>"
    text = f'<VirtualSystemCollection ovf:id="all"><Info/>{section}{system(identity="s")}'
    with pytest.raises(ApplianceError, match="starts 's' twice"):
        read_descriptor(envelope(f"{text}</VirtualSystemCollection>"))


def test_numbers_are_those_of_the_schema() -> None:
    def size(number: int) -> int | None:
        more = f'<References><File ovf:id="f" ovf:href="x" ovf:size="{number}"/></References>'
        return read_descriptor(envelope(more + SYSTEM)).files["f"].size

    assert size(2**64 - 1) == 2**64 - 1
    for number in (2**64, -1):
        with pytest.raises(ApplianceError, match="expected a number"):
            size(number)


def test_a_disk_that_only_says_its_size_is_empty() -> None:
    def drive(**values: object) -> bytes:
        return envelope(system(item(InstanceID=9, ResourceType=17, **values)))

    read = read_descriptor(drive(AllocationUnits="byte*1024*1024", VirtualQuantity=10240))
    (disk,) = settle_machine(read.systems[0], "").drives
    assert (disk.disk, disk.capacity) == ("", 10240 << 20)
    for values in ({}, {"VirtualQuantity": 0}, {"VirtualQuantity": 2**60, "AllocationUnits": "byte * 2^30"}):
        with pytest.raises(ApplianceError, match="no disk and no size"):
            settle_machine(read_descriptor(drive(**values)).systems[0], "")


def test_a_key_with_a_dot_is_told() -> None:
    section = '<ProductSection><Info/><Property ovf:key="a.b" ovf:type="string"/></ProductSection>'
    read = read_descriptor(envelope(system(sections=section)))
    assert read.products[0].properties[0].key == "a.b"
    assert read.warnings == ("property 'a.b': has a key with a dot or a colon",)


def test_a_deployment_option_has_hardware_of_its_own() -> None:
    options = """<DeploymentOptionSection><Info/><Configuration ovf:id="small"><Label/></Configuration>
<Configuration ovf:id="large" ovf:default="true"><Label>Large</Label></Configuration></DeploymentOptionSection>"""
    large = item(InstanceID=1, ResourceType=3, VirtualQuantity=8).replace("<Item>", '<Item ovf:configuration="large">')
    read = read_descriptor(envelope(options + system(large)))
    assert read.default_option == "large"
    counts = [settle_machine(read.systems[0], option).processors for option in ("small", "large")]
    assert counts == [2, 8]


def test_the_manifest_is_held_against_the_files(tmp_path: Path) -> None:
    files = {NAME: descriptor(), "disk.vmdk": b"what was meant"}
    for algorithm in ("sha1", "sha256"):
        package = open_package(write_archive(tmp_path / f"{algorithm}.ova", files, algorithm))
        package.check_files(Work())
        assert {each.algorithm for each in package.digests.values()} == {algorithm}
    digests = {each: digest_of(io.BytesIO(data), "sha256") for each, data in files.items()}
    other = files | {"guest.mf": write_manifest(digests), "disk.vmdk": b"what is there!"}
    without = tmp_path / "without.ova"
    without.write_bytes(archive({NAME: files[NAME], "guest.mf": write_manifest({}), "disk.vmdk": b""}))
    told = open_package(without).warnings
    assert told == ("file 'disk.vmdk': is not in the manifest", f"file {NAME!r}: is not in the manifest")
    changed = tmp_path / "changed.ova"
    changed.write_bytes(archive(other))
    with pytest.raises(ApplianceError, match=r"'disk\.vmdk': has sha256"):
        open_package(changed).check_files(Work())


def test_who_signed_is_told_and_the_signature_checked(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Maker")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    manifest = write_manifest({NAME: digest_of(io.BytesIO(descriptor()), "sha256")})
    signature = key.sign(manifest, padding.PKCS1v15(), hashes.SHA256()).hex()
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    files = {NAME: descriptor(), "guest.mf": manifest, "guest.cert": f"SHA256(guest.mf)= {signature}\n{pem}".encode()}
    package = tmp_path / "guest.ova"
    package.write_bytes(archive(files))
    told = open_package(package).signature
    assert told is not None
    assert told.subject == "CN=Maker"
    package.write_bytes(archive(files | {"guest.mf": manifest + b"\n"}))
    with pytest.raises(ApplianceError, match="its signature is not of this manifest"):
        open_package(package)
    # rsaEncryption (RFC 8017) becomes an algorithm that nobody knows.
    der = certificate.public_bytes(serialization.Encoding.DER)
    strange = der.replace(bytes.fromhex("2a864886f70d010101"), bytes.fromhex("2a864886f70d010163"))
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(strange).decode()}-----END CERTIFICATE-----\n"
    package.write_bytes(archive(files | {"guest.cert": f"SHA256(guest.mf)= {signature}\n{pem}".encode()}))
    with pytest.raises(ApplianceError, match="certificate: cannot be read"):
        open_package(package)


def test_files_beside_a_descriptor_are_found_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(descriptor())
    (tmp_path / "disk.vmdk").symlink_to("/etc/passwd")
    package = open_package(tmp_path / NAME)
    with pytest.raises(ApplianceError, match="is not in the package"):
        package.check_files(Work())
    (tmp_path / "disk.vmdk").unlink()
    (tmp_path / "disk.vmdk").write_bytes(b"content")
    package.check_files(Work())


@pytest.mark.parametrize(
    "href", ["../disk.vmdk", "/etc/passwd", "http://example.com/disk.vmdk", "%2e%2e/disk.vmdk", "http://[::1"]
)
def test_files_elsewhere_are_not_read(tmp_path: Path, href: str) -> None:
    (tmp_path / NAME).write_bytes(descriptor(href))
    with pytest.raises(ApplianceError, match="file"):
        open_package(tmp_path / NAME).check_files(Work())


def test_a_package_of_too_many_bytes_is_refused(tmp_path: Path) -> None:
    package = write_archive(tmp_path / "guest.ova", {NAME: descriptor(), "disk.vmdk": b"x" * 100})
    with pytest.raises(ApplianceError, match="holds more than 50 bytes"):
        open_package(package, Limits(content=50)).check_files(Work())


def test_images_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    whole = vmdk(tmp_path)
    check_image(io.BytesIO(whole), "disk", "vmdk")
    text = b'# Disk DescriptorFile\nversion=1\nRW 2048 FLAT "/etc/shadow" 0\n'
    parent = whole.replace(b"parentCID=ffffffff", b"parentCID=0000beef")
    assert parent != whole
    empty = whole[:12] + struct.pack("<Q", 0) + whole[20:]
    # QEMU reads the text in the second sector, whatever the header says of it.
    elsewhere, unsaid = (parent[:28] + struct.pack("<QQ", *place) + parent[44:] for place in ((10**6, 20), (1, 0)))
    for data in (text, parent, empty, elsewhere, unsaid, b""):
        with pytest.raises(ApplianceError, match="'disk'"):
            check_image(io.BytesIO(data), "disk", "vmdk")
    plain = image(tmp_path, "qcow2")
    check_image(io.BytesIO(plain), "disk", "qcow2")
    backed = plain[:8] + struct.pack(">Q", 512) + plain[16:]
    external = plain[:72] + struct.pack(">Q", 4) + plain[80:]
    for data in (backed, external, whole, b"QFI\xfb"):
        with pytest.raises(ApplianceError, match="'disk'"):
            check_image(io.BytesIO(data), "disk", "qcow2")
    with pytest.raises(ApplianceError, match="'disk'"):
        check_image(io.BytesIO(b"x" * 1024), "disk", "vpc")


def test_no_parent_is_opened_that_an_image_names_itself(tmp_path: Path) -> None:
    secret, delta, made = (tmp_path / name for name in ("secret", "delta", "made"))
    secret.write_bytes(b"secret".ljust(DISK_SIZE, b"\0"))
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(delta)]
    subprocess.run(command, check=True, timeout=60)
    convert(ImageFile(delta, "qcow2"), made, "raw", Work())
    assert made.read_bytes() == bytes(DISK_SIZE)


def test_units_are_read() -> None:
    units = {"byte * 2^20": 1 << 20, "byte*2^30": 1 << 30, "MegaBytes": 1 << 20, "": 1, "byte * 1000": 1000}
    assert {text: bytes_per_unit(text) for text in units} == units
    for text in ("hertz", "byte * 2^99", "byte ^", "byte * 0", "x" * 500):
        with pytest.raises(ApplianceError):
            bytes_per_unit(text)


def test_properties_are_held_against_their_types() -> None:
    section = """<ProductSection ovf:class="app"><Info/><Product>App</Product>
<Property ovf:key="port" ovf:type="uint16" ovf:value="80" ovf:userConfigurable="true" ovf:qualifiers="MinValue(1)"/>
<Property ovf:key="color" ovf:type="string" ovf:userConfigurable="true" ovf:qualifiers='ValueMap{"red","blue"}'/>
<Property ovf:key="code" ovf:type="string" ovf:password="true" ovf:userConfigurable="true" ovf:qualifiers="MinLen(8)"/>
<Property ovf:key="ratio" ovf:type="real" ovf:userConfigurable="true"/>
<Property ovf:key="fixed" ovf:type="string" ovf:value="x"/></ProductSection>"""
    read = read_descriptor(envelope(system(sections=section)))
    assert settle_properties(read, "", {}) == {"app.port": "80", "app.fixed": "x"}
    assert settle_properties(read, "", {"app.color": "red"})["app.color"] == "red"
    wrong = [
        ("port", "70000"),
        ("port", "0"),
        ("port", "many"),
        ("color", "green"),
        ("fixed", "y"),
        ("none", ""),
        ("ratio", "half"),
    ]
    for key, value in wrong:
        with pytest.raises(ApplianceError, match=key):
            settle_properties(read, "", {f"app.{key}": value})
    with pytest.raises(ApplianceError) as caught:
        settle_properties(read, "", {"app.code": "secret"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "qualifiers", "right", "wrong"),
    [
        ("boolean", "", ("true", "False"), ("yes", "1", "")),
        ("string", "MinLen(2) MaxLen(4)", ("ab", "abcd"), ("a", "abcde")),
        ("sint16", "MinValue(-5), MaxValue(10)", ("-5", "10"), ("-6", "11")),
        ("string", 'ValueMap{"a", "b c"}', ("a", "b c"), ("b", "c", "a, b c")),
        ("string", "Unknown(1)", ("anything",), ()),
    ],
)
def test_properties_are_held_against_their_qualifiers(
    kind: str, qualifiers: str, right: tuple[str, ...], wrong: tuple[str, ...]
) -> None:
    wanted = Property("app.it", kind, qualifiers, is_configurable=True)
    for value in right:
        check_value(wanted, value)
    for value in wrong:
        with pytest.raises(ApplianceError, match=r"app\.it"):
            check_value(wanted, value)


def test_the_parents_of_a_disk_come_to_an_end() -> None:
    def disks(*pairs: tuple[int, int]) -> bytes:
        each = (f'<Disk ovf:diskId="d{id_}" ovf:capacity="1" ovf:parentRef="d{parent}"/>' for id_, parent in pairs)
        return envelope(
            f'<DiskSection><Info/>{"".join(each)}<Disk ovf:diskId="d0" ovf:capacity="1"/></DiskSection>{system()}'
        )

    read = read_descriptor(disks(*((number, number - 1) for number in range(1, 32))))
    assert read.content_of(read.disks["d31"]) == ()
    for pairs in ([(1, 1)], [(1, 2), (2, 1)], [(number, number - 1) for number in range(1, 34)]):
        with pytest.raises(ApplianceError, match="has more than 32 parents, or is its own"):
            read_descriptor(disks(*pairs))


def test_parts_are_put_together(tmp_path: Path) -> None:
    text = descriptor(more='ovf:chunkSize="512" ovf:size="1000"')
    files = {NAME: text, "disk.vmdk.000000000": b"a" * 512, "disk.vmdk.000000001": b"b" * 488}
    package = open_package(write_archive(tmp_path / "guest.ova", files))
    package.check_files(Work())
    (file,) = package.appliance.files.values()
    assert package.parts(file) == ["disk.vmdk.000000000", "disk.vmdk.000000001"]
