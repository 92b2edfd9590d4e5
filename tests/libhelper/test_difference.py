"""Whether a running domain is as it was defined, on XML that libvirt 9.0 wrote of one guest at one time."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtcim.libhelper.documents.domain.difference import is_as_defined

DIRECTORY = Path(__file__).parent.parent / "data" / "definitions"
LIVE = (DIRECTORY / "rich-live.xml").read_text()
DEFINED = (DIRECTORY / "rich-defined.xml").read_text()

NETWORK = """<interface type='network'><mac address='52:54:00:00:00:09'/><source network='default'/>
<model type='virtio'/></interface>"""
ON_BRIDGE = """<interface type='bridge'><mac address='52:54:00:00:00:09'/>
<source network='default' portid='6f1ad9b1' bridge='virbr0'/><target dev='vnet3'/><bandwidth><inbound average='1'/>
</bandwidth><model type='virtio'/><alias name='net2'/></interface>"""


ROOT = """<filesystem type='mount' accessmode='passthrough'><source dir='/'/><target dir='/'/></filesystem>"""
SHARED = """<filesystem type='mount' accessmode='passthrough'><source dir='/srv'/><target dir='/srv'/></filesystem>"""


def domain(devices: str = "", rest: str = "") -> str:
    return f"<domain type='kvm'><name>g</name>{rest}<devices>{devices}</devices></domain>"


def test_what_libvirt_adds_is_no_difference() -> None:
    assert LIVE != DEFINED
    assert is_as_defined(LIVE, DEFINED)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("current='1'>4</vcpu>", "current='2'>4</vcpu>"),
        ("<title>t</title>", "<title>u</title>"),
        ("<title>t</title>", ""),
        ("<model type='virtio'/>", "<model type='e1000'/>"),
        ("autoport='yes'", "autoport='yes' keymap='de'"),
        ("type='qcow2'/>", "type='qcow2' cache='none'/>"),
        ("</devices>", "<hub type='usb'/></devices>"),
        ("</devices>", "</devices><memtune><hard_limit unit='KiB'>100000</hard_limit></memtune>"),
        ("<watchdog model='i6300esb'", "<watchdog model='ib700'"),
        ("org.qemu.guest_agent.0", "org.example.other"),
        ("<numa>", "<topology sockets='4' dies='1' cores='1' threads='1'/><numa>"),
        ("</devices>", "</devices><new:thing xmlns:new='urn:new'/>"),
    ],
)
def test_what_was_changed_is_a_difference(now: str, then: str) -> None:
    assert now in DEFINED
    assert not is_as_defined(LIVE, DEFINED.replace(now, then, 1))


@pytest.mark.parametrize(
    ("live", "defined", "same"),
    [
        (domain(ON_BRIDGE), domain(NETWORK), True),
        (domain(ON_BRIDGE), domain(NETWORK.replace("default", "other")), False),
        (domain(ON_BRIDGE), domain(NETWORK.replace("virtio", "e1000")), False),
        (domain(rest="<memory unit='KiB'>66560</memory>"), domain(rest="<memory unit='KiB'>66000</memory>"), True),
        (domain(rest="<memory unit='KiB'>67000</memory>"), domain(rest="<memory unit='KiB'>66000</memory>"), False),
        (domain(rest="<memory unit='KiB'>much</memory>"), domain(rest="<memory unit='KiB'>more</memory>"), False),
        (domain("<vsock><cid auto='yes' address='3'/></vsock>"), domain("<vsock><cid auto='yes'/></vsock>"), True),
        (
            domain("<vsock><cid auto='yes' address='3'/></vsock>"),
            domain("<vsock><cid auto='no' address='3'/></vsock>"),
            False,
        ),
        (domain("<graphics type='vnc' port='5901'/>"), domain("<graphics type='vnc' port='5902'/>"), False),
        (domain("<sound model='a'/><sound model='b'/>"), domain("<sound model='b'/><sound model='a'/>"), True),
        (domain("<sound model='a'/><sound model='a'/>"), domain("<sound model='b'/><sound model='a'/>"), False),
        (
            domain(rest="<os firmware='efi'><loader>/x</loader><nvram template='/y'>/z</nvram></os>"),
            domain(rest="<os firmware='efi'/>"),
            True,
        ),
        (domain(rest="<os><loader>/x</loader></os>"), domain(rest="<os/>"), False),
        (
            domain(
                rest="<cpu mode='custom'><model>EPYC</model><feature policy='require' name='a'/>"
                "<feature policy='disable' name='b'/></cpu>"
            ),
            domain(rest="<cpu mode='custom'><model>EPYC</model><feature policy='require' name='a'/></cpu>"),
            True,
        ),
        (
            domain(rest="<cpu mode='custom'><model>EPYC</model><feature policy='require' name='a'/></cpu>"),
            domain(rest="<cpu mode='custom'><model>EPYC</model><feature policy='disable' name='a'/></cpu>"),
            False,
        ),
        (
            domain(rest="<cpu mode='custom'><model>EPYC</model></cpu>"),
            domain(rest="<cpu mode='custom'><model>Skylake</model></cpu>"),
            False,
        ),
        (
            domain("<disk device='cdrom'><source index='3'/><target dev='hdc' tray='open'/></disk>"),
            domain("<disk device='cdrom'><target dev='hdc'/></disk>"),
            True,
        ),
        (
            domain("<memory model='dimm'><address type='dimm' slot='0' base='0x100000000'/></memory>"),
            domain("<memory model='dimm'><address type='dimm' slot='0'/></memory>"),
            True,
        ),
        (
            domain("<graphics type='rdp' port='3389' autoport='yes'/>"),
            domain("<graphics type='rdp' port='0' autoport='yes'/>"),
            True,
        ),
        (domain("<graphics type='rdp' port='3389'/>"), domain("<graphics type='rdp' port='3390'/>"), False),
        (
            domain("<interface><mac address='52:54:00:00:00:01' currentAddress='52:54:00:00:00:02'/></interface>"),
            domain("<interface><mac address='52:54:00:00:00:01'/></interface>"),
            True,
        ),
        (
            domain("<memory model='virtio-mem'><target><node>0</node><address base='0x140000000'/></target></memory>"),
            domain("<memory model='virtio-mem'><target><node>0</node></target></memory>"),
            True,
        ),
        (
            domain("<tpm><backend type='emulator'><profile source='s' name='chosen'/></backend></tpm>"),
            domain("<tpm><backend type='emulator'><profile source='s'/></backend></tpm>"),
            True,
        ),
        (domain(ROOT), domain(), True),
        (domain(ROOT + SHARED), domain(SHARED), True),
        (domain(SHARED), domain(), False),
        (domain(), domain(ROOT), False),
        (domain(ROOT), domain(ROOT.replace("source dir='/'", "source dir='/x'")), False),
        (
            domain(
                "<filesystem type='mount'><driver type='virtiofs'/><binary path='/usr/libexec/virtiofsd'/></filesystem>"
            ),
            domain("<filesystem type='mount'><driver type='virtiofs'/></filesystem>"),
            True,
        ),
        (
            domain("<hostdev mode='subsystem' type='pci'><driver name='vfio'/></hostdev>"),
            domain("<hostdev mode='subsystem' type='pci'/>"),
            True,
        ),
        (
            domain("<hostdev mode='subsystem' type='pci'><driver name='vfio'/></hostdev>"),
            domain("<hostdev mode='subsystem' type='pci'><driver name='xen'/></hostdev>"),
            False,
        ),
        (
            domain("<shmem name='s'><server path='/var/lib/libvirt/shmem-s-sock'/></shmem>"),
            domain("<shmem name='s'/>"),
            True,
        ),
        (domain(), "no XML", True),
        (domain("<!-- seen --><sound model='a'/>"), domain("<sound model='a'/>"), True),
    ],
)
def test_one_thing_at_a_time(live: str, defined: str, same: bool) -> None:
    assert is_as_defined(live, defined) is same
