"""The settings of the embedded CIMOM: every limit has a name, a unit and a reason."""

from __future__ import annotations

import socket
from dataclasses import field

from virtcim.immutable import immutable

__all__ = ["ServerSettings"]

KIB = 1024
MIB = 1024 * KIB


@immutable
class ServerSettings:
    """Where the server listens, and what it allows.

    Attributes:
        host, port: the TCP address to listen on; port 0 takes a free one.
        host_name: the host in INSTANCEPATH elements, the same in every answer.
        hosts: further names by which clients call the server (`virt.example.com`, `*.example.com`, `*` for any).  Known
            without them are `host_name`, the full name of the host, the names in `listen`, addresses, and names
            without a dot.  Requests for others are refused: a page could have made its own name lead here.
        max_body: bytes of a request body; the largest sensible request, DefineSystem of a big guest, has 100 KiB.
        max_elements: XML elements in a request, which may have twice as many attributes, or values in JSON: bounds the
            memory of what is parsed, and the time to free it, for which everybody waits.
        max_header: bytes of one header line; CIMObject holds a whole object path.
        max_in_flight: bytes of requests that are read and answers that are sent, all together; what does not fit is
            answered by 503.  The largest answers known, 30 000 instances at once, have 75 MB.
        room_timeout: seconds that a request waits for room where answers to the same were large; then it is answered by
            503.
        max_connections: open connections; beyond it idle ones are closed, those without a login first.
        user_share: the part of max_in_flight that one user, and one address, may take, and the part of max_connections
            that an address keeps when others want in.
        idle_timeout: seconds that a connection may stay open without a request, and a request's header may take.
        body_timeout: seconds that a request body may take.
        send_timeout: seconds that a client may take to read 256 KiB of its answer; then it is cut off.
        handshake_timeout: seconds that a TLS handshake may take.
        max_handshakes: TLS handshakes at one time; beyond it the oldest is ended.
        login_lifetime: seconds for which a verified password is remembered, so that PAM is not asked per request.
        login_delay: seconds before a wrong password is refused; further ones from one address wait longer and longer.
        session_idle: seconds for which a browser stays logged in without asking anything.
        session_lifetime: seconds after which somebody has to log in again, whatever was asked meanwhile.
        max_sessions: open sessions of browsers, all together; of who has most of them, the one that rested longest
            gives way.
        stop_timeout: seconds that answers in flight get when the server stops.
        read_threads: worker threads for enumerations and associations: they compute, so few are enough, and each more
            makes the event loop wait longer for the interpreter.
        method_threads: worker threads for methods and changes: they wait for the hypervisor.
        max_waiting: operations in the worker threads of a kind, and waiting for one; beyond it the answer is 503 for
            those who have most there.
        cache_bytes: memory for encoded instances; 3000 guests, all their classes read in one form, take 23 MB.
        cache_seconds: encoded instances that nobody asked for in this time are forgotten.
        pull_timeout: seconds that an open enumeration waits for its next pull, unless the client says otherwise: no
            client known takes longer to digest 10 000 instances.
        pull_min_timeout, pull_max_timeout: seconds that a client may ask for; what is open holds memory.
        pull_unlimited: whether a client may ask for no time-out; such an enumeration stays when its client is gone.
        pull_max_objects: objects of one pull; who asks for more gets this many, as the standard allows.
        pull_max_open: open enumerations.
        pull_max_open_per_user: of one user, so that nobody takes them all.
        pull_max_held: instances that wait in all open enumerations: at 100 bytes each, 100 MB.
        pull_max_empty: pulls of no object in a row, by which a client keeps an enumeration open; then it is closed.
        slow_seconds: operations that take longer are logged.
        metrics: serve `/metrics`.
        metrics_public: serve it to everybody, not only to those who may use the server.
        dns_sd: announce the server on the local network by DNS-SD; needs the extra `dnssd`.
    """

    host: str = "127.0.0.1"
    port: int = 5988
    host_name: str = field(default_factory=socket.gethostname)
    hosts: tuple[str, ...] = ()
    max_body: int = 8 * MIB
    max_elements: int = 50_000
    max_header: int = 16 * KIB
    max_in_flight: int = 512 * MIB
    room_timeout: float = 30.0
    max_connections: int = 2000
    user_share: float = 0.5
    idle_timeout: float = 60.0
    body_timeout: float = 60.0
    send_timeout: float = 60.0
    handshake_timeout: float = 10.0
    max_handshakes: int = 256
    login_lifetime: float = 300.0
    login_delay: float = 1.0
    session_idle: float = 3600.0
    session_lifetime: float = 43200.0
    max_sessions: int = 1000
    stop_timeout: float = 1.5
    read_threads: int = 3
    method_threads: int = 16
    max_waiting: int = 256
    cache_bytes: int = 96 * MIB
    cache_seconds: float = 600.0
    pull_timeout: int = 30
    pull_min_timeout: int = 1
    pull_max_timeout: int = 600
    pull_unlimited: bool = False
    pull_max_objects: int = 10_000
    pull_max_open: int = 1000
    pull_max_open_per_user: int = 200
    pull_max_held: int = 1_000_000
    pull_max_empty: int = 1000
    slow_seconds: float = 2.0
    metrics: bool = True
    metrics_public: bool = False
    dns_sd: bool = False

    def __post_init__(self) -> None:
        if not self.pull_min_timeout <= self.pull_timeout <= self.pull_max_timeout:
            raise ValueError(
                f"pull_timeout is {self.pull_timeout}; expected {self.pull_min_timeout} (pull_min_timeout) to "
                f"{self.pull_max_timeout} (pull_max_timeout)"
            )
