"""What the agent of a guest tells, as libvirt 9.0 gives it."""

from __future__ import annotations

from typing import Any

__all__ = ["told"]


def told(mac_address: str) -> dict[str, Any]:
    """Write what virDomainGetGuestInfo gives of a guest with one network card.

    Parameters:
        mac_address: of the card.
    """
    return {
        "hostname": "inside",
        "os.id": "debian",
        "os.name": "Debian GNU/Linux",
        "os.pretty-name": "Debian GNU/Linux 12 (bookworm)",
        "os.version-id": "12",
        "os.kernel-release": "6.1.0-18-amd64",
        "os.machine": "x86_64",
        "timezone.name": "CEST",
        "timezone.offset": 7200,
        "user.count": 1,
        "user.0.name": "root",
        "fs.count": 3,
        "fs.0.name": "vda1",
        "fs.0.mountpoint": "/",
        "fs.0.fstype": "ext4",
        "fs.0.total-bytes": 21_474_836_480,
        "fs.0.used-bytes": 4_294_967_296,
        "fs.0.disk.count": 1,
        "fs.0.disk.0.alias": "vda",
        "fs.0.disk.0.device": "/dev/vda1",
        "fs.1.name": "dm-0",
        "fs.1.mountpoint": "/srv/data",
        "fs.1.fstype": "xfs",
        "fs.1.disk.count": 2,
        "fs.1.disk.0.alias": "vda",
        "fs.1.disk.1.alias": "vdb",
        "fs.2.mountpoint": "/",
        "fs.2.fstype": "overlay",
        "if.count": 3,
        "if.0.name": "lo",
        "if.0.hwaddr": "00:00:00:00:00:00",
        "if.0.addr.count": 1,
        "if.0.addr.0.type": "ipv4",
        "if.0.addr.0.addr": "127.0.0.1",
        "if.0.addr.0.prefix": 8,
        "if.1.name": "eth0",
        "if.1.hwaddr": mac_address.upper(),
        "if.1.addr.count": 2,
        "if.1.addr.0.type": "ipv4",
        "if.1.addr.0.addr": "192.0.2.7",
        "if.1.addr.0.prefix": 22,
        "if.1.addr.1.type": "ipv6",
        "if.1.addr.1.addr": "2001:db8::7",
        "if.1.addr.1.prefix": 64,
        "if.2.name": "wg0",
    }
