"""What systemd hands over and is told: sockets (sd_listen_fds(3)) and states (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket

from virtcim.frontends.http.listener import Endpoint

__all__ = ["inherited_endpoints", "notify"]

FIRST_DESCRIPTOR = 3


def inherited_endpoints() -> list[Endpoint]:
    """The sockets that systemd listens on for this process.

    A TCP socket speaks HTTPS when its `FileDescriptorName=` is `https`, else HTTP.

    Raises:
        OSError: what was handed over is no listening stream socket.
    """
    count, owner = os.environ.pop("LISTEN_FDS", ""), os.environ.pop("LISTEN_PID", "")
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    if owner != str(os.getpid()) or not count.isascii() or not count.isdigit():
        return []
    endpoints = []
    for index in range(int(count)):
        descriptor = FIRST_DESCRIPTOR + index
        os.set_inheritable(descriptor, False)
        handed = socket.socket(fileno=descriptor)
        if handed.type != socket.SOCK_STREAM:
            raise OSError(f"socket {descriptor} from systemd: is not a stream socket; expected ListenStream=")
        if handed.family == socket.AF_UNIX:
            scheme = "unix"
        else:
            scheme = "https" if index < len(names) and names[index] == "https" else "http"
        endpoints.append(Endpoint(scheme, handed))
    return endpoints


def notify(state: str) -> None:
    """Tell systemd a state, such as `READY=1`; nothing happens where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(address)
        channel.send(state.encode())
