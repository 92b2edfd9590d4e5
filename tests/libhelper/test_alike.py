"""Parts that many guests have alike are read once, and to what they would be read to where they stand."""

from __future__ import annotations

import re
from pathlib import Path
from zlib import crc32

import pytest
from lxml import etree

from virtcim.libhelper.documents.domain import Disk, DomainConfig, device_class, forms
from virtcim.libhelper.documents.domain.alike import MAX_PARTS, AlikeParts, outline_of
from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.documents.domain.difference import is_as_defined
from virtcim.libhelper.documents.domain.forms import DeviceForms
from virtcim.libhelper.xml.mapping import Attributes, Text
from virtcim.libhelper.xml.text import parse_xml

DATA = Path(__file__).parent.parent / "data"
TEXTS = {path.stem: path.read_text() for path in sorted(DATA.glob("d*/*.xml"))}

GUEST = """\
<domain type='kvm'>
  <name>{name}</name>
  <uuid>00000000-0000-4000-8000-{number:012}</uuid>
  <metadata>
    <note xmlns='urn:note'>  <memory>1</memory></note>
  </metadata>
  <memory unit='KiB'>{memory}</memory>
  <cpu mode='custom'>
    <feature policy='require' name='vmx'/>
  </cpu>
  <devices>
    <emulator>/usr/bin/qemu</emulator>
    <disk type='file' device='disk'>
      <source file='/images/{name}.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <controller type='pci' index='0' model='pcie-root'/>
    <input type='mouse' bus='ps2'/>
{more}  </devices>
  <seclabel type='none'/>
</domain>
"""


def guest(name: str, memory: int = 1024, more: str = "") -> str:
    """The XML of a guest as libvirt lays it out."""
    return GUEST.format(name=name, number=crc32(name.encode()), memory=memory, more=more)


def read_whole(xml: str) -> DomainConfig:
    """What a domain is read to in one piece."""
    return DomainConfig.from_element(parse_xml(xml))


def assert_read_alike(xml: str) -> None:
    """However many guests have it, it is read to the same values, in the same order."""
    for number in range(3):
        own = re.sub("<uuid>.*</uuid>", f"<uuid>00000000-0000-4000-8000-{number:012}</uuid>", xml)
        whole, found = read_whole(own), DomainConfig.parse(own)
        assert found == whole
        assert list(found.held_fields()) == list(whole.held_fields())


@pytest.mark.parametrize("name", TEXTS)
def test_a_domain_is_read_in_parts_as_it_is_as_a_whole(name: str) -> None:
    assert_read_alike(TEXTS[name])


def test_guests_share_what_they_have_alike() -> None:
    DomainConfig.parse(guest("one"))
    two, three = (DomainConfig.parse(guest(name)) for name in ("two", "three"))
    assert [two.devices[place] is three.devices[place] for place in range(3)] == [False, True, True]
    assert two.cpu_features is three.cpu_features
    assert [each.name for each in (two, three)] == ["two", "three"]
    disks = [each.devices[0] for each in (two, three)]
    assert [isinstance(disk, Disk) and disk.source_file for disk in disks] == [
        "/images/two.qcow2",
        "/images/three.qcow2",
    ]


def test_two_devices_of_one_guest_are_two() -> None:
    for name in ("one", "two", "three"):
        found = DomainConfig.parse(guest(name, more="    <input type='mouse' bus='ps2'/>\n")).devices
        assert found[-1] == found[-2]
        assert found[-1] is not found[-2]


def test_an_emulator_that_stands_elsewhere_is_no_device() -> None:
    """As in XML that somebody wrote by hand."""
    devices = re.compile("    <emulator>.*?(?=  </devices>)", re.DOTALL)
    assert_read_alike(devices.sub("      <emulator>/usr/bin/qemu</emulator>\n", guest("one")))


@pytest.mark.parametrize("memory", [2048, 1024])
def test_guests_that_have_devices_alike_only_are_read_in_parts(memory: int) -> None:
    DomainConfig.parse(guest("one"))
    assert_read_alike(guest("two", memory, "    <input type='tablet' bus='usb'/>\n"))


@pytest.mark.parametrize(
    "more",
    [
        "    <!--\n    <input type='mouse' bus='ps2'/>\n    <input type='mouse' bus='ps2'/>\n    -->\n",
        "    <input type='mouse' bus='ps2'/><input type='tablet' bus='usb'/>\n",
        "    <rng model='virtio'>\n    <input type='mouse' bus='ps2'/>\n    </rng>\n",
        "    <rng model='virtio'>\n    <backend model='random'>/dev/urandom</backend>\n    </rng>\n",
        "    <input type='mouse' bus='ps2'/>\n    <emulator>/usr/bin/other</emulator>\n",
        "    <input type='mouse'\n    bus='ps2'/>\n",
    ],
)
def test_a_text_that_is_laid_out_otherwise_is_read_as_a_whole(more: str) -> None:
    DomainConfig.parse(guest("one"))
    assert_read_alike(guest("two", more=more))


def test_elements_of_another_namespace_are_no_devices() -> None:
    texts = [guest(name).replace("<domain", "<domain xmlns='urn:other'") for name in ("two", "three", "four")]
    assert list(map(DomainConfig.parse, texts)) == [DomainConfig()] * 3


def test_a_text_without_devices_has_no_outline() -> None:
    assert outline_of("<domain>\n  <memory>1</memory>\n  <devices/>\n</domain>\n") is None
    assert_read_alike(guest("none").replace("  <devices>\n", "  <devices>\n\n"))


def test_a_part_with_a_password_is_not_kept() -> None:
    parts = AlikeParts(str)
    assert [parts.get("<graphics passwd='x'/>", owner) for owner in range(3)] == [None, None, None]


def test_what_one_guest_has_is_not_kept() -> None:
    parts = AlikeParts(str)
    assert [parts.get("<input/>", owner) for owner in (1, 1, 1, 2, 1)] == [None, None, None, "<input/>", "<input/>"]
    first = DomainConfig.parse(guest("alone", more=TABLET))
    later = DomainConfig.parse(guest("alone", more=TABLET).replace("'kvm'", "'kvm' id='1'"))
    assert first.devices[0] == later.devices[0]
    assert first.devices[0] is not later.devices[0]
    assert later.devices[0].kept is None


def test_parts_are_kept_within_a_bound() -> None:
    parts = AlikeParts(str)
    for number in range(2 * MAX_PARTS):
        text = f"<input number='{number}'/>"
        assert [parts.get(text, owner) for owner in range(2)] == [None, text]
    assert [parts.get("<input number='0'/>", owner) for owner in (3, 4)][1] == "<input number='0'/>"
    assert len(parts) == MAX_PARTS


RUNNING = {
    "<domain type='kvm'>": "<domain type='kvm' id='7'>",
    "model='pcie-root'/>": "model='pcie-root'>\n      <alias name='pcie.0'/>\n    </controller>",
    "<target dev='vda' bus='virtio'/>": "<target dev='vda' bus='virtio'/>\n      <alias name='virtio-disk0'/>",
    "<seclabel type='none'/>": "<seclabel type='dynamic'><label>x</label></seclabel>",
}
MOUSE, TABLET = "    <input type='mouse' bus='ps2'/>\n", "    <input type='tablet' bus='usb'/>\n"


def as_it_runs(xml: str) -> str:
    """The XML of a guest with what libvirt adds while it runs."""
    for defined, running in RUNNING.items():
        assert defined in xml
        xml = xml.replace(defined, running)
    return xml


@pytest.mark.parametrize(
    ("now", "then", "same"),
    [
        ("", "", True),
        (MOUSE + TABLET, TABLET + MOUSE, True),
        ("/images/", "/other/", False),
        ("pcie-root", "pci-root", False),
        ("name='vmx'", "name='svm'", False),
        (TABLET, "", False),
        ("<metadata>", "<title>t</title><metadata>", False),
        (TABLET, "    <input type='keyboard' bus='usb'/>\n", False),
    ],
)
def test_guests_are_compared_in_parts_as_they_are_as_a_whole(now: str, then: str, same: bool) -> None:
    """As often as it comes to be known which parts are the same, of another guest each time."""
    for number in range(4):
        xml = guest(f"guest{number}", more=TABLET)
        changed = xml.replace(now, then) if now else xml
        assert (changed != xml) == bool(now)
        assert is_as_defined(as_it_runs(xml), changed) == same


VALUE = re.compile(r"(?<==')[^'&]*(?=')")


def with_another_value(device: str, place: int, number: int) -> str:
    """The text of a device with something added to one of its values, another thing for each number."""
    found = list(VALUE.finditer(device))[place]
    return f"{device[: found.end()]}{number}{device[found.end() :]}"


@pytest.mark.parametrize("name", TEXTS)
def test_devices_that_differ_in_one_value_are_read_each_to_its_own(name: str) -> None:
    """Whichever value it is, and however many guests have what is left."""
    xml = TEXTS[name]
    outline = outline_of(xml)
    if outline is None:
        return
    for device in outline.devices:
        alone = outline.text([device], has_middle=True)
        for place in range(len(VALUE.findall(device))):
            for number in range(3):
                owner = f"<uuid>00000000-0000-4000-8000-{number:012}</uuid>"
                changed = alone.replace(device, with_another_value(device, place, number))
                own = re.sub("<uuid>.*</uuid>", owner, changed)
                whole, found = read_whole(own), DomainConfig.parse(own)
                assert found == whole
                assert [list(each.held_fields()) for each in found.devices] == [
                    list(each.held_fields()) for each in whole.devices
                ]


def disk(source: str, inside: str = "", **more: str) -> str:
    """The XML of a disk as libvirt lays it out."""
    options = "".join(f" {name}='{value}'" for name, value in more.items())
    return f"    <disk type='file' device='disk'>\n      <source file={source}{options}/>\n{inside}    </disk>\n"


@pytest.mark.parametrize(
    "text",
    [
        disk("'/images/a&amp;b&apos;{}'"),
        disk("'/images/a\tb{}'"),
        disk('"/images/{}\'s"'),
        disk("'/images/ü{}'"),
        disk("'/images/{}'", startupPolicy=""),
        disk("'/images/{}'", index="x"),
        disk("'/images/{}'", "      <source file='/images/other{}'/>\n"),
        disk("'/images/{}'", "      <serial>it's {}</serial>\n"),
        disk("'/images/{}'", "      <serial>it's {}, isn't it</serial>\n"),
        disk('"/images/a"', "      <serial>a '{}' b</serial>\n"),
        disk("'/images/{}'", "      <other xmlns='urn:{}'/>\n"),
        disk("'/images/{}'", "      <address type='drive' unit='{}'/>\n"),
        disk("'/images/{}'", "      <boot order='{}'/>\n"),
        disk("'/images/{}'", "      <boot order='x{}'/>\n"),
    ],
)
def test_a_device_is_read_by_its_form_as_it_would_be_parsed(text: str) -> None:
    for number in range(4):
        xml = guest(f"disk{number}", more=text.replace("{}", str(number)))
        assert DomainConfig.parse(xml) == read_whole(xml)


class Twofold(Device):
    """A device of which an attribute is read twice."""

    tag = "twofold"
    everything = Attributes("source")
    file = Text("source/@file")
    target = Text("target/@dev")


def test_what_is_read_from_a_value_twice_is_right_both_times() -> None:
    read = DeviceForms(lambda _tag: Twofold)
    for number in range(4):
        text = f"<twofold><source file='/images/{number}'/><target dev='vd{number}'/></twofold>"
        found = read.get(text, number)
        assert (found is None) is (number == 0)
        assert found in (None, Twofold.from_element(parse_xml(text)))


def test_the_second_guest_with_a_form_has_it_parsed_for_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device of a third guest is the one of the second, with another file."""
    parsed: list[str] = []

    def noting(text: str) -> etree._Element:
        parsed.append(text)
        return parse_xml(text)

    monkeypatch.setattr(forms, "parse_xml", noting)
    texts = [disk(f"'/images/form{number}'", index="7").strip("\n") for number in range(4)]
    read = DeviceForms(device_class)
    first, second, *others = [read.get(text, owner) for owner, text in enumerate(texts)]
    assert first is None
    assert len(parsed) == 2  # the form, and the first device that has it
    assert isinstance(second, Disk)
    assert [isinstance(other, Disk) and other.source_file for other in others] == ["/images/form2", "/images/form3"]
    assert all(other == second.replace(source_file=f"/images/form{place}") for place, other in enumerate(others, 2))


def test_patterns_are_kept_within_a_bound() -> None:
    """What is beyond that is parsed, as all that have an address of their own."""
    read = DeviceForms(device_class)
    for number in range(2 * forms.MAX_PATTERNS):
        text = disk(f"'/images/{number}'", f"      <address type='drive' unit='{number}'/>\n").strip("\n")
        found = read.get(text, number)
        assert (found is None) is (number == 0)
        assert found in (None, Disk.from_element(parse_xml(text)))
    form = read._forms.get(re.sub("'[^']*'", "''", text), 0)
    assert form is not None
    assert len(form._patterns) == forms.MAX_PATTERNS


def test_a_form_with_a_password_is_not_kept() -> None:
    read = DeviceForms(device_class)
    assert [read.get(f"<graphics type='vnc' passwd='x{owner}'/>", owner) for owner in range(3)] == [None, None, None]
