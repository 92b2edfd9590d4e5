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
