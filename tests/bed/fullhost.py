"""A host with guests that use every kind of device, a storage pool with volumes, a NAT network and a filter.

What libvirt can start here is in the guests that run; what needs hardware or programs that this machine may lack is in
guests that are only defined.  All have UUIDs and MAC addresses of their own, so that two such hosts are alike.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import libvirt

from tests.bed.daemon import Libvirtd, remove_domain
from tests.bed.guests import container_root, container_xml

__all__ = ["full_host", "start_container"]

_log = logging.getLogger(__name__)

_STARTS = 3


def _uuid_of(name: str) -> str:
    """Make the UUID of what has this name, always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.walk.example.org"))


NETWORK = f"""\
<network>
  <name>vcwalk</name>
  <uuid>{_uuid_of("network")}</uuid>
  <forward mode='nat'/>
  <bridge name='vcbr8' stp='on' delay='0'/>
  <mac address='52:54:00:00:08:00'/>
  <domain name='walk.example.org'/>
  <ip address='192.168.248.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.248.10' end='192.168.248.99'/></dhcp>
  </ip>
</network>
"""

FILTERS = (
    f"""\
<filter name='vcwalk-base' chain='root'>
  <uuid>{_uuid_of("vcwalk-base")}</uuid>
  <rule action='drop' direction='in' priority='600'>
    <tcp srcipaddr='10.1.2.0' srcipmask='24' dstportstart='22' dstportend='23'/>
  </rule>
  <rule action='accept' direction='inout' priority='700'><mac srcmacaddr='52:54:00:00:00:01'/></rule>
</filter>
""",
    f"""\
<filter name='vcwalk' chain='root'>
  <uuid>{_uuid_of("vcwalk")}</uuid>
  <filterref filter='vcwalk-base'/>
  <rule action='accept' direction='out' priority='500'><udp dstportstart='53' dstportend='53'/></rule>
  <rule action='drop' direction='inout' priority='1000'><all/></rule>
</filter>
""",
)

POOL = """\
<pool type='dir'>
  <name>vcwalk</name>
  <uuid>{uuid}</uuid>
  <target><path>{target}</path></target>
</pool>
"""

_HEAD = """\
  <vcpu current='1'>4</vcpu>
  <os><type arch='x86_64' machine='{machine}'>hvm</type>{boot}</os>
  <features><acpi/><apic/></features>
  <cpu mode='custom' match='exact' check='none'>
    <model fallback='allow'>qemu64</model>
    <numa><cell id='0' cpus='0-3' memory='32' unit='MiB'/></numa>
  </cpu>
"""

RUNNING = """\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <title>A guest with what can run</title>
  <description>All devices that need nothing of the host</description>
  <maxMemory slots='4' unit='MiB'>512</maxMemory>
  <memory unit='MiB'>64</memory>
{head}
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='{image}'/>
      <target dev='vda' bus='virtio'/>
      <iotune><total_bytes_sec>1048576</total_bytes_sec></iotune>
    </disk>
    <disk type='volume' device='disk'><source pool='vcwalk' volume='raw'/><target dev='sdb' bus='scsi'/></disk>
    <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
    <disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <controller type='usb' index='0' model='piix3-uhci'/>
    <controller type='virtio-serial' index='0'/>
    <interface type='user'><mac address='52:54:00:00:08:01'/><model type='virtio'/></interface>
    <serial type='pty'/>
    <serial type='file'><source path='{directory}/{name}.log'/></serial>
    <parallel type='pty'/>
    <console type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>
    <input type='tablet' bus='usb'/>
    <input type='keyboard' bus='virtio'/>
    <graphics type='vnc' port='-1' autoport='yes' keymap='en-us' passwd='walk'/>
    <graphics type='spice' autoport='yes'/>
    <video><model type='vga'/></video>
    <video><model type='virtio' heads='1'/></video>
    <sound model='ich6'><codec type='micro'/></sound>
    <redirdev bus='usb' type='spicevmc'/>
    <hub type='usb'/>
    <smartcard mode='passthrough' type='spicevmc'/>
    <watchdog model='i6300esb' action='reset'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <memory model='dimm'><target><size unit='MiB'>32</size><node>0</node></target></memory>
    <memballoon model='virtio'/>
    <filesystem type='mount'><source dir='{directory}'/><target dir='share'/></filesystem>
    <panic model='isa'/>
  </devices>
</domain>
"""

PLAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='{image}'/><target dev='sda' bus='sata'/>
    </disk>
    {interface}
    <graphics type='spice' autoport='yes'/>
    <iommu model='intel'/>
  </devices>
</domain>
"""

NAT_INTERFACE = """\
<interface type='network'>
  <mac address='52:54:00:00:08:02'/><source network='vcwalk'/><model type='e1000'/><filterref filter='vcwalk'/>
</interface>"""
USER_INTERFACE = "<interface type='user'><mac address='52:54:00:00:08:02'/></interface>"

DEFINED = """\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <maxMemory slots='4' unit='MiB'>512</maxMemory>
  <memory unit='MiB'>64</memory>
{head}
  <devices>
    {devices}
  </devices>
</domain>
"""

DISKS = (
    "<disk type='file' device='disk'><source file='{image}'/><target dev='vda' bus='virtio'/></disk>",
    "<disk type='volume' device='disk'><source pool='vcwalk' volume='thin'/><target dev='vdb' bus='virtio'/></disk>",
    "<disk type='file' device='cdrom'><source file='{directory}/cd.iso'/><target dev='hda' bus='ide'/></disk>",
    "<disk type='block' device='lun'><source dev='/dev/sdz'/><target dev='sda' bus='scsi'/></disk>",
    "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='rbd' name='pool/image'>"
    "<host name='mon.example.org' port='6789'/></source><target dev='vdc' bus='virtio'/></disk>",
    "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='nbd' name='export'>"
    "<host name='nbd.example.org' port='10809'/></source><target dev='vdd' bus='virtio'/></disk>",
    "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='iscsi' "
    "name='iqn.2026-01.org.example:one/1'><host name='san.example.org' port='3260'/></source>"
    "<target dev='vde' bus='virtio'/></disk>",
    "<disk type='network' device='cdrom'><source protocol='https' name='/cd.iso'><host name='www.example.org' "
    "port='443'/></source><target dev='hdb' bus='ide'/></disk>",
)
HOST_DEVICES = (
    "<hostdev mode='subsystem' type='pci' managed='yes'>"
    "<source><address domain='0' bus='6' slot='2' function='0'/></source></hostdev>",
    "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>",
    "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='3'/></source></hostdev>",
    "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>"
    "<address bus='0' target='0' unit='0'/></source></hostdev>",
    "<hostdev mode='subsystem' type='mdev' model='vfio-pci'>"
    "<source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>",
    "<interface type='hostdev' managed='yes'><mac address='52:54:00:00:08:03'/>"
    "<source><address type='pci' domain='0' bus='6' slot='3' function='0'/></source></interface>",
    "<interface type='bridge'><mac address='52:54:00:00:08:04'/><source bridge='br0'/></interface>",
    "<interface type='direct'><mac address='52:54:00:00:08:05'/><source dev='eth0' mode='bridge'/></interface>",
    "<interface type='network'><mac address='52:54:00:00:08:06'/><source network='vcwalk'/>"
    "<filterref filter='vcwalk'/></interface>",
    "<interface type='ethernet'><mac address='52:54:00:00:08:07'/></interface>",
)
OTHERS = (
    "<graphics type='sdl' display=':0.0'/>",
    "<graphics type='vnc' port='5999' listen='127.0.0.1'/>",
    "<video><model type='qxl'/></video>",
    "<sound model='ac97'/>",
    "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>",
    "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
    "<vsock model='virtio'><cid auto='no' address='7'/></vsock>",
    "<redirdev bus='usb' type='tcp'><source mode='connect' host='127.0.0.1' service='4000'/></redirdev>",
    "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='4001'/><protocol type='telnet'/></serial>",
    "<parallel type='dev'><source path='/dev/parport0'/></parallel>",
    "<channel type='pty'><target type='virtio' name='org.example.port'/></channel>",
    "<console type='pty'><target type='virtio'/></console>",
    "<rng model='virtio'><backend model='egd' type='udp'><source mode='connect' host='127.0.0.1' service='4002'/>"
    "</backend></rng>",
    "<watchdog model='ib700' action='poweroff'/>",
    "<memballoon model='none'/>",
    "<shmem name='shared'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
    "<filesystem type='mount' accessmode='mapped'><source dir='/srv'/><target dir='data'/><readonly/></filesystem>",
    "<panic model='hyperv'/>",
    "<input type='mouse' bus='usb'/>",
    "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event1'/></input>",
    "<smartcard mode='host'/>",
    "<audio id='1' type='none'/>",
)


@contextmanager
def full_host(daemon: Libvirtd) -> Iterator[Libvirtd]:
    """The daemon with all of it; afterwards it is gone again.

    Two guests run, one of which is defined otherwise than it runs; two are stopped.  A device that this libvirt does
    not take is left out with a log line.
    """
    connection = daemon.connect()
    try:
        _add_pool(daemon, connection)
        network = connection.networkDefineXML(NETWORK)
        for xml in FILTERS:
            connection.nwfilterDefineXML(xml)
        _add_running(daemon, connection, _started(network))
        for name, devices in {"stopped": (*DISKS, *OTHERS), "given": (DISKS[0], *HOST_DEVICES)}.items():
            _define_with(daemon, connection, name, devices)
        yield daemon
    finally:
        _clear(connection)
        connection.close()


def start_container(daemon: Libvirtd, name: str = "box") -> bool:
    """A container beside the guests; whether this machine can start it."""
    connection = daemon.connect("lxc")
    try:
        root = container_root(daemon.directory / "root")
        domain = connection.defineXML(container_xml(name, root, uuid=_uuid_of(name)))
        try:
            domain.create()
        except libvirt.libvirtError as error:
            _log.warning("no container runs here: %s", error)
            return False
        return True
    finally:
        connection.close()


def _add_pool(daemon: Libvirtd, connection: Any) -> None:
    target = daemon.directory / "walk-pool"
    target.mkdir(exist_ok=True)
    connection.storagePoolDefineXML(POOL.format(uuid=_uuid_of("pool"), target=target))
    daemon.virsh("pool-start", "vcwalk")
    daemon.virsh("vol-create-as", "vcwalk", "raw", "1MiB", "--format", "raw")
    daemon.virsh("vol-create-as", "vcwalk", "thin", "1GiB", "--format", "qcow2")


def _started(network: Any) -> bool:
    try:
        network.create()
    except libvirt.libvirtError as error:
        _log.warning("no NAT network runs here: %s", error)
        return False
    return True


def _add_running(daemon: Libvirtd, connection: Any, with_network: bool) -> None:
    head = _HEAD.format(machine="pc", boot="<boot dev='hd'/>")
    names = {"name": "running", "uuid": _uuid_of("running")}
    full = RUNNING.format(**names, head=head, image=daemon.new_image(), directory=daemon.directory)
    _run(connection.defineXML(full))
    names = {"name": "different", "uuid": _uuid_of("different")}
    interface = NAT_INTERFACE if with_network else USER_INTERFACE
    _run(connection.defineXML(PLAIN.format(**names, image=daemon.new_image(), interface=interface)))
    changed = PLAIN.format(**names, image=daemon.new_image(), interface=interface)
    sound = "<sound model='ich9'/><serial type='pty'/>"
    connection.defineXML(
        changed.replace("</devices>", f"{sound}</devices>")
        .replace("<vcpu>1</vcpu>", "<vcpu>2</vcpu>")
        .replace("unit='MiB'>32<", "unit='MiB'>48<")
    )


def _run(domain: Any) -> None:
    """Start a guest, once more where another program of the machine has taken its port for VNC or SPICE just before."""
    for _ in range(_STARTS):
        try:
            domain.create()
        except libvirt.libvirtError as error:
            if "Address already in use" not in str(error):
                raise
        else:
            return
    domain.create()


def _define_with(daemon: Libvirtd, connection: Any, name: str, devices: tuple[str, ...]) -> None:
    """Define a guest with as many of the devices as libvirt takes together, tried one after the other."""
    head = _HEAD.format(machine="q35", boot="").replace("current='1'", "")
    image = daemon.new_image()
    names = {"name": name, "uuid": _uuid_of(name)}
    taken: list[str] = []
    for device in devices:
        tried = [*taken, device.format(image=image, directory=daemon.directory).replace("bus='ide'", "bus='sata'")]
        xml = DEFINED.format(**names, head=head, devices="\n    ".join(tried))
        try:
            connection.defineXML(xml).undefine()
        except libvirt.libvirtError as error:
            _log.warning("%s has no %s: %s", name, device[:40], error)
        else:
            taken = tried
    connection.defineXML(DEFINED.format(**names, head=head, devices="\n    ".join(taken)))


def _clear(connection: Any) -> None:
    for domain in connection.listAllDomains():
        remove_domain(domain)
    for each in connection.listAllNetworks():
        if each.name() == "vcwalk":
            _remove(each)
    for name in ("vcwalk", "vcwalk-base"):
        for each in connection.listAllNWFilters():
            if each.name() == name:
                each.undefine()
    for each in connection.listAllStoragePools():
        if each.name() == "vcwalk":
            for volume in each.listAllVolumes() if each.isActive() else ():
                volume.delete()
            _remove(each)


def _remove(each: Any) -> None:
    """A network or a storage pool."""
    if each.isActive():
        each.destroy()
    each.undefine()
