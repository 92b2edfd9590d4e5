"""A Debian with cloud-init, as its own packages make it: the mirror is the one that apt has on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bed.linux import UnavailableError

__all__ = ["DebianGuest", "debian_guest"]

#: What is in it beside what Debian cannot do without.
PACKAGES = (
    "systemd-sysv",
    "udev",
    "iproute2",
    "cloud-init",
    "openssh-server",
    "linux-image-cloud-amd64",
    "initramfs-tools",
)

#: Quick under emulation: what the boot needs is said, and the rest of the disk is found by its label.
COMMAND_LINE = (
    "root=LABEL=root rw console=ttyS0 quiet nokaslr mitigations=off cryptomgr.notests audit=0 apparmor=0 "
    "tsc=reliable no_timer_check systemd.show_status=0"
)

_SIZE = 1 << 30
_SOURCES = Path("/etc/apt")
_RELEASE = Path("/etc/os-release")


@dataclass(frozen=True)
class DebianGuest:
    """What a guest is booted from.

    Attributes:
        kernel, ramdisk: paths on the host.
        image: a qcow2 image whose first byte is that of a file system.
    """

    kernel: Path
    ramdisk: Path
    image: Path


def debian_guest(directory: Path) -> DebianGuest:
    """Make one in `directory`, or take the one that was made there before.

    Raises:
        UnavailableError: this is no Debian, or one without mmdebstrap or mirror; the text says why.
    """
    guest = DebianGuest(directory / "vmlinuz", directory / "initrd", directory / "debian.qcow2")
    if not guest.image.exists():
        _make(guest, directory)
    return guest


def _make(guest: DebianGuest, directory: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        raise UnavailableError("mmdebstrap is not installed")
    if os.geteuid() != 0:
        raise UnavailableError("only root makes a Debian with the owners that its files have")
    release = dict(line.split("=", 1) for line in _RELEASE.read_text().splitlines() if "=" in line)
    if release.get("ID") != "debian":
        raise UnavailableError("the sources of apt are not Debian's")
    lists = _SOURCES / "sources.list.d"
    sources = [_SOURCES / "sources.list", *sorted(lists.glob("*.list")), *sorted(lists.glob("*.sources"))]
    root, raw = directory / "root", directory / "debian.raw"
    shutil.rmtree(root, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    try:
        _run(
            [
                *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"),
                *("--aptopt=APT::Install-Recommends false", "--dpkgopt=path-exclude=/usr/share/doc/*"),
                # Work that no test waits for, and a search for data sources that are not there.
                '--customize-hook=chroot "$1" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer '
                "dpkg-db-backup.timer systemd-networkd-wait-online.service",
                "--customize-hook=printf 'datasource_list: [NoCloud]\\nlocale: C.UTF-8\\n' "
                '> "$1/etc/cloud/cloud.cfg.d/95_source.cfg"',
                *(release["VERSION_CODENAME"].strip('"'), str(root)),
                *(str(each) for each in sources if each.exists()),
            ],
            1500,
        )
        (kernel,) = (root / "boot").glob("vmlinuz-*")
        (ramdisk,) = (root / "boot").glob("initrd.img-*")
        shutil.copy(kernel, guest.kernel)
        shutil.copy(ramdisk, guest.ramdisk)
        with raw.open("wb") as file:
            file.truncate(_SIZE)
        _run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", str(root), str(raw)], 300)
        made = guest.image.with_suffix(".new")
        _run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(made)], 300)
        made.rename(guest.image)
    finally:
        shutil.rmtree(root, ignore_errors=True)
        raw.unlink(missing_ok=True)


def _run(command: list[str], seconds: float) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds)
    except (OSError, subprocess.SubprocessError) as error:
        output = str(getattr(error, "stderr", None) or "").strip()
        raise UnavailableError(f"{command[0]} does not work here: {error} {output[-300:]}") from error
