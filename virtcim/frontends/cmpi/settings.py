"""What an administrator may set for the bridge."""

from __future__ import annotations

from pathlib import Path

from virtcim.immutable import immutable

__all__ = ["CmpiSettings"]


@immutable
class CmpiSettings:
    """The table `[cmpi]`.

    Attributes:
        enabled: whether the daemon opens the socket for CIM servers.
        socket: path of the Unix socket; `libvirtcim.so` looks for /run/virtcim/cmpi.sock unless it was built or
            started (VIRTCIM_CMPI_SOCKET) with another.
        users: numeric user ids of CIM servers that may connect, beside root and the daemon's own user.
        group: numeric id of a group that may open the socket, for a CIM server that does not run as root; -1: none.
        max_connections: connections at one time; more are told so and refused.  OpenPegasus asks for all association
            classes of all platforms at once.
        send_timeout: seconds that a CIM server may take to read an answer before its connection is closed.
    """

    enabled: bool = False
    socket: Path = Path("/run/virtcim/cmpi.sock")
    users: tuple[int, ...] = ()
    group: int = -1
    max_connections: int = 256
    send_timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.max_connections < 1:
            raise ValueError(f"max_connections is {self.max_connections}; expected at least 1")
        if self.send_timeout <= 0:
            raise ValueError(f"send_timeout is {self.send_timeout}; expected more than 0 s")
