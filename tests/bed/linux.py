"""A Linux guest that says on its console what it sees of its hardware: Debian's cloud kernel and the host's busybox."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bed.guests import BUSYBOX

#: The modules that the guest loads, with what they need.
MODULES = (
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_balloon",
    "ata_piix",
    "sr_mod",
    "isofs",
    "ext4",
    "virtio_console",
)

#: Fast under emulation; the console is the first serial port.
COMMAND_LINE = "console=ttyS0 quiet nokaslr mitigations=off cryptomgr.notests audit=0 tsc=reliable no_timer_check"

#: A word of the command line with which the guest counts, rather than say what is there.
COUNTS = "bed.counts"

#: Another one, with which it has an agent that tells its name, address and file system and the key of its seed, freezes
#: that disk and thaws it, as QEMU's does, and behind which stand the seconds that pass before it freezes anything.
AGENT = "bed.agent="

#: Another one, with which it does not take the host name of its seed.
KEEPS_NAME = "bed.keeps-name"

#: Another one, with which it asks for an address once it has its host name, and tells that.
LEASES = "bed.leases"

#: Another one, with which it asks on its console who wants to log in, and does nothing else.
LOGS_IN = "bed.logs-in"

#: Says what is there each time that it changes.  A processor that is plugged in has to be put to work.
#: Where it counts, each number is in a file on the first disk, of that name, before it is on the console.
INIT = """\
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
export PATH=/bin
agent() {
  delay=$(sed 's/.*AGENT\\([0-9]*\\).*/\\1/' /proc/cmdline)
  exec 3<>/dev/$(basename $(dirname $(grep -l guest_agent /sys/class/virtio-ports/*/name)))
  while :; do
    read -r line <&3 || { sleep 0.2; continue; }
    case $line in
      *guest-sync*) answer=$(echo "$line" | sed 's/.*"id": *\\([0-9]*\\).*/\\1/') ;;
      *fsfreeze-freeze*)
        if [ -n "$frozen" ]; then
          answer="Command guest-fsfreeze-freeze has been disabled: the agent is in frozen state"
          echo "{\\"error\\": {\\"class\\": \\"CommandNotFound\\", \\"desc\\": \\"$answer\\"}}" >&3
          continue
        fi
        echo asked to freeze; sleep $delay; frozen=yes; fsfreeze --freeze /disk; echo FROZEN; answer=1 ;;
      *guest-get-host-name*) answer="{\\"host-name\\": \\"$(hostname)\\"}" ;;
      *fsfreeze-thaw*) frozen=; fsfreeze --unfreeze /disk; echo THAWED; answer=1 ;;
      *guest-get-osinfo*) answer='{"pretty-name": "BusyBox of the bed", "machine": "'$(uname -m)'"}' ;;
      *guest-ssh-get-authorized-keys*) answer="{\\"keys\\": [\\"$(cat /key)\\"]}" ;;
      *guest-network-get-interfaces*)
        answer='[{"name": "eth0", "hardware-address": "'$(cat /sys/class/net/eth0/address)'", "ip-addresses": '
        answer=$answer'[{"ip-address-type": "ipv4", "ip-address": "192.0.2.77", "prefix": 24}]}]'
        ;;
      *guest-get-fsinfo*)
        set -- $(df -kP /disk | tail -1)
        place=$(readlink -f /sys/block/vda/device/..)
        bus=$((0x$(echo ${place##*/} | cut -d: -f2))) slot=$((0x$(echo ${place##*/} | cut -d: -f3 | cut -d. -f1)))
        answer='[{"name": "vda", "mountpoint": "/disk", "type": "ext4", "total-bytes": '$(($2 * 1024))
        answer=$answer', "used-bytes": '$(($3 * 1024))', "disk": [{"bus-type": "virtio", "bus": 0, "target": 0,'
        answer=$answer' "unit": 0, "pci-controller": {"domain": 0, "bus": '$bus', "slot": '$slot', "function": 0}}]}]'
        ;;
      *guest-get-*) echo '{"error": {"class": "CommandNotFound", "desc": "not here"}}' >&3; continue ;;
      *) answer='{}' ;;
    esac
    echo "{\\"return\\": $answer}" >&3
  done
}
for module in MODULES; do modprobe $module; done
grep -q LOGS_IN /proc/cmdline && exec getty -L 115200 ttyS0 vt100
grep -q AGENT /proc/cmdline && agent &
if grep -q COUNTS /proc/cmdline; then
  mkdir /disk && mke2fs -F /dev/vda >/dev/null 2>&1 && mount -t ext4 /dev/vda /disk || echo "no file system"
  number=0
  while :; do
    number=$((number + 1))
    echo "FILE $number END" > /disk/$number && sync && echo "COUNT $number END"
    sleep 0.2
  done
fi
before=
while :; do
  for processor in /sys/devices/system/cpu/cpu*/online; do
    [ -e $processor ] && [ "$(cat $processor)" = 0 ] && echo 1 > $processor
  done
  disks=; interfaces=
  for disk in /sys/block/vd*; do [ -e $disk ] && disks=$disks${disk##*/}:$(cat $disk/size),; done
  for interface in /sys/class/net/eth*; do [ -e $interface ] && interfaces=$interfaces$(cat $interface/address),; done
  cd=$(blockdev --getsize64 /dev/sr0 2>/dev/null || echo none)
  now="cpus=$(grep -c ^processor /proc/cpuinfo) disks=$disks interfaces=$interfaces cd=$cd"
  now="$now memory=$(awk '/MemTotal/ { print $2 }' /proc/meminfo)"
  [ "$now" = "$before" ] || echo "SEES $now END"
  before=$now
  if [ -z "$seeded" ] && mkdir -p /mnt && mount -t iso9660 -o ro /dev/sr0 /mnt 2>/dev/null; then
    [ -e /mnt/meta-data ] && ! grep -q KEEPS_NAME /proc/cmdline &&
      hostname $(sed 's/.*"local-hostname": *"\\([^"]*\\)".*/\\1/' /mnt/meta-data)
    [ -e /mnt/meta-data ] && seeded=yes && echo "SEED $(cat /mnt/meta-data /mnt/user-data | tr -d '\\n') END"
    tr -d '\\n' </mnt/user-data | sed -n 's/.*"ssh_authorized_keys": *\\[ *"\\([^"]*\\)".*/\\1/p' >/key
    umount /mnt
    grep -q LEASES /proc/cmdline && ip link set eth0 up &&
      udhcpc -i eth0 -n -q -t 20 -T 1 -x hostname:$(hostname) -s /bin/true
  fi
  sleep 0.3
done
"""


class UnavailableError(Exception):
    """The packages are not available here; the text says why."""


@dataclass(frozen=True)
class LinuxGuest:
    """What a guest is booted from.

    Attributes:
        kernel, ramdisk: paths on the host.
    """

    kernel: Path
    ramdisk: Path

    def domain_xml(self, name: str, words: str, image: Path | str, console: Path, devices: str = "") -> str:
        """The XML of a guest of QEMU.

        Parameters:
            name: of the guest.
            words: of its kernel's command line, beside `COMMAND_LINE`.
            image: of its disk, as its host finds it.
            console: what it says is added to that file.
            devices: the XML of further ones.
        """
        return f"""\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{self.kernel}</kernel>
    <initrd>{self.ramdisk}</initrd>
    <cmdline>{COMMAND_LINE} {words}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>
      <target dev='vda' bus='virtio'/></disk>
    <serial type='file'><source path='{console}' append='on'/><target port='0'/></serial>
    {devices}<memballoon model='none'/>
  </devices>
</domain>
"""


def linux_guest(directory: Path) -> LinuxGuest:
    """Make one in `directory`.

    Raises:
        UnavailableError: no Debian packages here, or no busybox.
    """
    if not BUSYBOX.exists():
        raise UnavailableError(f"{BUSYBOX} is not there")
    depends = _run(["apt-cache", "depends", "linux-image-cloud-amd64"], directory)
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if found is None:
        raise UnavailableError("apt knows no kernel of the cloud kind")
    tree = directory / "tree"
    fetch_package(found[1], directory, tree)
    (kernel,) = (tree / "boot").glob("vmlinuz-*")
    (modules,) = (tree / "lib/modules").iterdir()
    root = directory / "root"
    ours = root / "lib/modules" / modules.name
    ours.mkdir(parents=True)
    (root / "bin").mkdir()
    shutil.copy(BUSYBOX, root / "bin/busybox")
    _run([str(BUSYBOX), "depmod", "-b", str(tree), modules.name], directory)
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[Path(path).stem] = [path, *others.split()]
    for path in {path for name in MODULES for path in needs.get(name, [])}:
        (ours / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(modules / path, ours / path)
    _run([str(BUSYBOX), "depmod", "-b", str(root), modules.name], directory)
    (root / "init").write_text(
        INIT.replace("MODULES", " ".join(MODULES))
        .replace("COUNTS", COUNTS)
        .replace("AGENT", AGENT)
        .replace("KEEPS_NAME", KEEPS_NAME)
        .replace("LEASES", LEASES)
        .replace("LOGS_IN", LOGS_IN)
    )
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in [root, *sorted(root.rglob("*"))])
    archive = subprocess.run(
        [str(BUSYBOX), "cpio", "-o", "-H", "newc"], cwd=root, input=names.encode(), capture_output=True, check=True
    ).stdout
    ramdisk = directory / "ramdisk"
    ramdisk.write_bytes(gzip.compress(archive, 1))
    return LinuxGuest(kernel, ramdisk)


def fetch_package(name: str, directory: Path, tree: Path) -> None:
    """Ask apt for a package, and put its files below `tree`; nothing is installed.

    Raises:
        UnavailableError: apt does not give it.
    """
    _run(["apt-get", "download", "-q", name], directory)
    (package,) = directory.glob(f"{name}_*.deb")
    _run(["dpkg", "-x", str(package), str(tree)], directory)


def seen(console: Path) -> dict[str, str]:
    """What a guest said last, by word; {} before it has said anything."""
    lines = re.findall(r"SEES (.*) END", console.read_text(errors="replace")) if console.exists() else []
    return dict(word.split("=", 1) for word in lines[-1].split()) if lines else {}


def counted(console: Path) -> list[int]:
    """The numbers that a guest has said, in their order."""
    said = re.findall(r"COUNT (\d+) END", console.read_text(errors="replace")) if console.exists() else []
    return [int(each) for each in said]


def seed_seen(console: Path) -> str:
    """The meta data and user data of the seed in its CD drive, as a guest has read them; "" before it has."""
    found = re.search(r"SEED (.*) END", console.read_text(errors="replace")) if console.exists() else None
    return found[1] if found else ""


def _run(command: list[str], directory: Path) -> str:
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or ""
        raise UnavailableError(f"{command[0]} does not work here: {error} {output.strip()}") from error
    return done.stdout
