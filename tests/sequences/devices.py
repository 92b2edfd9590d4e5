"""Devices of all kinds with which QEMU starts a guest on any machine."""

from __future__ import annotations

DEVICES = (
    "<interface type='user'><model type='virtio'/></interface>",
    "<interface type='user'><model type='e1000'/><link state='down'/></interface>",
    "<controller type='scsi' model='virtio-scsi'><driver queues='2' cmd_per_lun='8' max_sectors='64'/></controller>",
    "<controller type='virtio-serial' ports='8' vectors='4'/>",
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
    "<channel type='pty'><target type='virtio' name='org.example.one'/></channel>",
    "<console type='pty'><target type='virtio' port='1'/></console>",
    "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='0'/><protocol type='telnet'/></serial>",
    "<serial type='file'><source path='/dev/null' append='on'/><log file='/dev/null' append='on'/></serial>",
    "<parallel type='null'/>",
    "<sound model='ich6'><codec type='micro'/></sound>",
    "<sound model='ac97'/><audio id='1' type='none'/>",
    "<video><model type='vga' vram='16384' heads='1' primary='yes'/></video>",
    "<video><model type='virtio' heads='1'><resolution x='800' y='600'/></model></video>",
    "<input type='tablet' bus='virtio'/>",
    "<rng model='virtio'><rate bytes='1024' period='1000'/><backend model='random'>/dev/urandom</backend></rng>",
    "<rng model='virtio'><backend model='builtin'/></rng>",
    "<watchdog model='i6300esb' action='none'/>",
    "<shmem name='shared'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
    "<filesystem type='mount' accessmode='squash'><source dir='/srv'/><target dir='share'/><readonly/></filesystem>",
    "<controller type='usb' model='qemu-xhci' ports='8'/><redirdev bus='usb' type='tcp'>"
    "<source mode='bind' host='127.0.0.1' service='0'/></redirdev>",
    "<panic model='isa'/>",
)
