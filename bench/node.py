"""The node of libvirt's test driver that is measured."""

from __future__ import annotations

TEST_DOMAIN = """\
<domain type='test'>
  <name>{name}</name>
  <uuid>00000000-0000-4000-8000-{number:012}</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='/images/{name}.qcow2'/><target dev='vda' bus='virtio'/>
    </disk>
    <controller type='usb' index='0'/>
    <controller type='pci' index='0' model='pci-root'/>
    <interface type='user'/>
    <input type='mouse' bus='ps2'/>
    <input type='keyboard' bus='ps2'/>
    <graphics type='vnc' port='-1' autoport='yes'/>
    <video><model type='cirrus'/></video>
  </devices>
</domain>
"""


def guest_name(number: int) -> str:
    return f"guest{number:05}"


def test_node(size: int) -> str:
    """Write the XML of a node with so many guests."""
    domains = "".join(TEST_DOMAIN.format(name=guest_name(number), number=number) for number in range(size))
    return f"<node>{domains}</node>"
