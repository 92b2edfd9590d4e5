"""What an administrator may set for clients of libvirt-cim."""

from __future__ import annotations

import ipaddress

from virtcim.immutable import immutable

__all__ = ["CompatibilitySettings"]


@immutable
class CompatibilitySettings:
    """The table `[compatibility]`.

    Attributes:
        libvirt_cim: the drop-in mode: show what libvirt-cim's clients compare as libvirt-cim showed it; see
            [compatibility.md](compatibility.md).
        listeners: only for who comes in there: `ADDRESS:PORT` of the server (0.0.0.0 and [::] stand for all addresses
            of their kind), or the path of a Unix socket, that of `[cmpi]` among them; empty: for everybody.
        namespaces: only in these namespaces (`root/virt`); empty: in all.
    """

    libvirt_cim: bool = False
    listeners: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for each in self.listeners:
            if not each.startswith("/"):
                split_listener(each)

    def includes(self, listener: str) -> bool:
        """Tell whether the mode holds for a client.

        Parameters:
            listener: where the client came in, as `cimom.requests.Caller` has it.
        """
        if not self.listeners or listener in self.listeners:
            return True
        if not listener or listener.startswith("/"):
            return False
        address, port = split_listener(listener)
        return any(_stands_for(each, address, port) for each in self.listeners if not each.startswith("/"))


def split_listener(text: str) -> tuple[str, int]:
    """Split `ADDRESS:PORT`, brackets around an IPv6 address.

    Raises:
        ValueError: it is no address with a port.
    """
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
        if port.isascii() and port.isdigit() and (address.version == 4) == (bare == host):
            return str(address), int(port)
    except ValueError:
        pass
    raise ValueError(f"listeners: {text!r} is no listener; expected ADDRESS:PORT or the path of a Unix socket")


def _stands_for(setting: str, address: str, port: int) -> bool:
    own, own_port = split_listener(setting)
    is_same = own == address or own == ("::" if ":" in address else "0.0.0.0")
    return own_port == port and is_same
