"""Guests: domain XML, disk images and container roots that are small enough to make in a test."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

BOOT_SECTOR = Path(__file__).with_name("bootsector.S")

BUSYBOX = Path("/bin/busybox")

#: What the boot-sector guest writes to its serial port.
READY, OFF, EJECT = "READY", "OFF", "EJECT"

CONTAINER_INIT = """\
#!/bin/sh
trap 'exit 0' TERM
while :; do sleep 1 & wait $!; done
"""


def _text_element(tag: str, text: str | None) -> str:
    return f"<{tag}>{escape(text)}</{tag}>" if text is not None else ""


def _attribute(value: object) -> str:
    return escape(str(value), {"'": "&apos;", '"': "&quot;"})


def baseline_xml(
    name: str,
    disk: Path | str = "/var/lib/libvirt/images/baseline.qcow2",
    *,
    uuid: str | None = None,
    title: str | None = None,
    description: str | None = None,
    vcpus: int = 1,
    memory: int = 64,
) -> str:
    """The inactive guest of the baseline measurements: one qcow2 disk, one user NIC, VNC; `memory` in MiB.

    libvirt adds a USB and a PCI controller, a mouse and a keyboard, so that the guest has nine resource allocations:
    processor, memory, disk, network port, graphics, two inputs, two controllers.
    """
    return f"""\
<domain type='qemu'>
  <name>{escape(name)}</name>
  {_text_element("uuid", uuid)}
  {_text_element("title", title)}
  {_text_element("description", description)}
  <memory unit='MiB'>{memory}</memory>
  <vcpu>{vcpus}</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/><apic/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{_attribute(disk)}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='user'><model type='virtio'/></interface>
    <graphics type='vnc' port='-1' autoport='yes'/>
  </devices>
</domain>
"""


def boot_sector_xml(
    name: str,
    disk: Path | str,
    *,
    machine: str = "pc",
    console_log: Path | str | None = None,
    uuid: str | None = None,
    domain_type: str = "qemu",
) -> str:
    """A guest that runs the boot sector: answers the power button, lets go of PCI devices and memory modules.

    Parameters:
        disk: an image from `Libvirtd.new_image`.
        machine: pc or q35.
        console_log: where the serial port writes; a pseudo-terminal when left out.
    """
    spare_ports = range(1, 9) if machine == "q35" else ()
    ports = "".join(f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in spare_ports)
    serial = (
        "<serial type='pty'/>"
        if console_log is None
        else f"<serial type='file'><source path='{_attribute(console_log)}'/></serial>"
    )
    return f"""\
<domain type='{domain_type}'>
  <name>{escape(name)}</name>
  {_text_element("uuid", uuid)}
  <maxMemory slots='4' unit='MiB'>512</maxMemory>
  <memory unit='MiB'>32</memory>
  <vcpu current='1'>4</vcpu>
  <os><type arch='x86_64' machine='{machine}'>hvm</type></os>
  <features><acpi/><apic/></features>
  <cpu mode='custom' match='exact' check='none'>
    <model fallback='allow'>qemu64</model>
    <numa><cell id='0' cpus='0-3' memory='32' unit='MiB'/></numa>
  </cpu>
  <on_reboot>restart</on_reboot>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{_attribute(disk)}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    {ports}
    <controller type='usb' model='none'/>
    {serial}
    <graphics type='vnc' port='-1' autoport='yes'/>
    <memballoon model='virtio'/>
  </devices>
</domain>
"""


def container_xml(name: str, root: Path | str, *, uuid: str | None = None) -> str:
    """An LXC container on a root made by `container_root`.  Stop it in a friendly way with shutdown by signal."""
    return f"""\
<domain type='lxc'>
  <name>{escape(name)}</name>
  {_text_element("uuid", uuid)}
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64'>exe</type><init>/sbin/init</init></os>
  <devices>
    <filesystem type='mount'><source dir='{_attribute(root)}'/><target dir='/'/></filesystem>
    <console type='pty'/>
  </devices>
</domain>
"""


def disk_image(target: Path) -> None:
    """Assemble the boot sector and write it to `target` as a qcow2 image of 1 MiB."""
    with tempfile.TemporaryDirectory() as scratch:
        assembled, raw = f"{scratch}/boot.o", Path(scratch, "boot.img")
        subprocess.run(["as", "--32", "-o", assembled, str(BOOT_SECTOR)], check=True)
        subprocess.run(
            ["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", str(raw), assembled], check=True
        )
        with raw.open("r+b") as image:
            image.truncate(1 << 20)
        subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", str(raw), str(target)], check=True)


def container_root(directory: Path) -> Path:
    """Make a root file system of busybox in `directory`; a container needs nothing more."""
    for name in ("bin", "sbin", "dev", "proc", "sys", "tmp", "etc", "run"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    busybox = directory / "bin/busybox"
    busybox.write_bytes(BUSYBOX.read_bytes())
    busybox.chmod(0o755)
    for applet in ("sh", "sleep", "cat", "ls", "ps"):
        link = directory / "bin" / applet
        if not link.is_symlink():
            link.symlink_to("busybox")
    init = directory / "sbin/init"
    init.write_text(CONTAINER_INIT)
    init.chmod(0o755)
    return directory
