"""What new guests are and have where nobody said anything, by platform and by what the host can do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.providers.recorded import platform
from virtcim.libhelper.documents.capabilities import HostCapabilities
from virtcim.libhelper.documents.domain import Console, Device, DomainDocument, Graphics, Input
from virtcim.platforms.newguest import NewGuest, SystemChoice, UnavailableError

QEMU = """<capabilities><host><cpu><arch>x86_64</arch></cpu></host>
<guest><os_type>hvm</os_type><arch name='x86_64'><machine canonical='pc-q35-7.2'>q35</machine><domain type='qemu'/>
<domain type='kvm'/></arch></guest>
<guest><os_type>hvm</os_type><arch name='s390x'><machine>s390-ccw-virtio</machine><domain type='qemu'/></arch></guest>
<guest><os_type>hvm</os_type><arch name='aarch64'><domain type='qemu'/></arch></guest></capabilities>"""


def new_guest(prefix: str, choice: SystemChoice, xml: str = "<domain/>", host: str = QEMU) -> NewGuest:
    guest = NewGuest(platform(prefix), HostCapabilities.parse(host), DomainDocument(xml))
    guest.choose_system(choice)
    guest.check_machine()
    guest.complete(with_devices=True)
    return guest


def devices(guest: NewGuest) -> list[tuple[type[Device], dict[str, Any]]]:
    return [(type(device), device.as_dict()) for device in guest.document.devices]


VNC = (Graphics, {"type": "vnc", "port": -1, "autoport": True, "listen": "127.0.0.1", "keymap": "en-us"})


def test_a_kvm_guest() -> None:
    guest = new_guest("KVM", SystemChoice())
    config = guest.document.config
    assert (config.type, config.os_type, config.os_type_arch) == ("kvm", "hvm", "x86_64")
    assert (config.memory, config.vcpu, config.os_boot_devs, config.clock_offset) == (262144, 1, ("hd",), "utc")
    assert (config.features_acpi, config.features_apic) == (True, True)
    assert config.uuid is not None
    assert devices(guest) == [(Input, {"type": "mouse", "bus": "ps2"}), VNC]


@pytest.mark.parametrize(
    ("prefix", "choice", "xml", "expected"),
    [
        (
            "KVM",
            SystemChoice(arch="s390x"),
            "<domain><os><type machine='s390-ccw-virtio'/></os></domain>",
            [(Console, {"type": "pty", "target_type": "sclp"})],
        ),
        ("KVM", SystemChoice(arch="s390x"), "<domain/>", [(Console, {"type": "pty", "target_type": "virtio"})]),
        ("KVM", SystemChoice(arch="aarch64"), "<domain/>", [VNC]),
        ("KVM", SystemChoice(), "<domain><devices><console type='pty'/></devices></domain>", [
            (Console, {"type": "pty"}), (Input, {"type": "mouse", "bus": "ps2"})]),
        ("Xen", SystemChoice(), "<domain/>", [(Input, {"type": "mouse", "bus": "xen"}), VNC]),
        ("LXC", SystemChoice(), "<domain/>", [(Console, {"type": "pty"})]),
    ],
)  # fmt: skip
def test_usual_devices(
    prefix: str, choice: SystemChoice, xml: str, expected: list[tuple[type[Device], dict[str, Any]]]
) -> None:
    host = QEMU if prefix == "KVM" else "<capabilities/>"
    assert devices(new_guest(prefix, choice, xml, host)) == expected


def test_a_container_that_is_not_told_what_to_run_runs_nothing() -> None:
    told = "<domain><os><init>/sbin/init</init></os></domain>"
    runs = [
        new_guest("LXC", SystemChoice(), xml, "<capabilities/>").document.config.os_init for xml in ("<domain/>", told)
    ]
    assert runs == ["/bin/false", "/sbin/init"]


def test_a_mouse_at_usb_needs_a_controller() -> None:
    traits = new_guest("KVM", SystemChoice(), "<domain><devices><controller type='usb'/></devices></domain>").traits
    assert traits.has_usb
    assert not new_guest("KVM", SystemChoice()).traits.has_usb
    assert Input.default_values(replace(traits, mouse_bus="usb")) == {"type": "mouse", "bus": "usb"}
    assert Input.default_values(replace(traits, mouse_bus="usb", has_usb=False)) is None


def test_a_guest_made_after_another_one_gets_no_devices() -> None:
    guest = NewGuest(platform("KVM"), HostCapabilities(), DomainDocument("<domain><memory>1024</memory></domain>"))
    guest.complete(with_devices=False)
    assert guest.document.config.memory == 1024
    assert devices(guest) == []


@pytest.mark.parametrize(
    ("choice", "xml", "text"),
    [
        (SystemChoice(arch="ppc"), "<domain/>", "Arch: the host has no guests of type hvm and architecture ppc"),
        (SystemChoice("hvf", is_definite=True), "<domain/>", "DomainType: the host has no hvf for that architecture"),
        (
            SystemChoice(),
            "<domain><os><type machine='none'/></os></domain>",
            "Machine: the host has no machine none for the architecture x86_64",
        ),
    ],
)
def test_what_the_host_does_not_have(choice: SystemChoice, xml: str, text: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        new_guest("KVM", choice, xml)
    assert str(caught.value) == text


def test_a_type_that_is_not_definite_gives_way() -> None:
    assert new_guest("KVM", SystemChoice("hvf")).document.config.type == "kvm"
    assert new_guest("KVM", SystemChoice("QEMU")).document.config.type == "qemu"


def test_full_and_paravirtual_guests_of_xen() -> None:
    full = new_guest("Xen", SystemChoice(is_full=True), host="<capabilities/>").document.config
    assert (full.os_type, full.features_pae, full.os_boot_devs) == ("hvm", True, ("hd",))
    assert new_guest("Xen", SystemChoice(), host="<capabilities/>").document.config.os_type == "linux"
    assert new_guest("Xen", SystemChoice(is_full=True, has_kernel=True), host="<x/>").document.config.os_boot_devs == ()
