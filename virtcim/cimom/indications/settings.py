"""The settings of indications: every limit has a name, a unit and a reason."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from virtcim.immutable import immutable

__all__ = ["DestinationSettings", "IndicationSettings", "check_pair"]

KIB = 1024
MIB = 1024 * KIB

REMOVAL_ACTIONS = {"remove": 2, "disable": 3, "ignore": 4}
"""CIM_IndicationService.SubscriptionRemovalAction."""

ROLES = ("read", "operate", "administer")


def check_pair(certificate: Path | None, key: Path | None) -> None:
    """Refuse a certificate without its key, and a key without its certificate.

    Raises:
        ValueError: one of them is missing; the text names it.
    """
    if (certificate is None) != (key is None):
        absent, present = ("key", "certificate") if key is None else ("certificate", "key")
        raise ValueError(f"{absent}: is missing; expected its path beside that of {present} (one file may hold both)")


@immutable
class DestinationSettings:
    """How the server speaks to one listener by HTTPS, an entry of `[indications.tls]`.

    Attributes:
        ca: PEM file with the authorities that its certificate may be from; without it, those of the system.
        certificate, key: PEM files with the certificate that the server shows, and its key; without them, none.
        verify: whether its certificate is looked at; without that, whoever answers gets the indications.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    verify: bool = True

    def __post_init__(self) -> None:
        check_pair(self.certificate, self.key)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that a context is made from."""
        return tuple(each for each in (self.ca, self.certificate, self.key) if each is not None)


@immutable
class IndicationSettings:
    """The table `[indications]`.

    Attributes:
        subscribers: the role that whoever subscribes needs: `read`, `operate` or `administer`.  A subscription makes
            the server speak to an address that the client chooses.
        destinations: where indications may be sent: names (`console.example.com`, `*.example.com`), addresses and
            networks (`10.1.0.0/16`), each with a port behind a colon or for all ports; empty: everywhere.
        max_subscriptions: subscriptions, and as many filters and destinations.
        max_per_user: of one user, so that nobody takes them all.
        max_query_characters: of the queries of all filters of one user: each is held against each change, and read at
            each start.
        retry_attempts, retry_interval: attempts to deliver an indication after the first, and seconds between two at
            most: the pause begins with `retry_first` and doubles.  For ten times their product an indication is tried,
            then it is given up (DSP1054 1.2: 3 and 30 s).
        retry_first: seconds before the first attempt is repeated: a listener that is restarted is soon back.
        removal_action: what becomes of a subscription whose destination cannot be reached for `removal_seconds`:
            `remove`, `disable` or `ignore`.
        removal_seconds: seconds that a destination may fail before that: 30 days.
        timeout: seconds that a listener may take to take a connection, and to answer.
        idle_timeout: seconds that a connection without anything to send stays open.
        max_answer: bytes of a listener's answer; a sensible one has 300.
        queue_length: indications that wait for one destination; beyond it the oldest are dropped.
        queue_bytes: memory of these, likewise.
        max_queued_bytes: memory of those of all destinations, and of CIM servers with the bridge; beyond it the oldest
            of the user, or CIM server, that has most are dropped.
        away_seconds: seconds that indications wait for a CIM server with the bridge in it that has gone; then it counts
            as removed.
        max_streams: streams of events to consoles and other clients of REST, those that may come back too.
        max_streams_per_user: of one user, so that nobody takes them all.
        stream_seconds: seconds for which a client whose connection broke can go on where it was.
        stream_bytes: memory of what is kept for that, for all of them together.
        tls: by `HOST:PORT`, `HOST`, or `*` for all others.
        check_seconds: seconds between two looks at whether the files of `tls` have changed.
    """

    subscribers: str = "administer"
    destinations: tuple[str, ...] = ()
    max_subscriptions: int = 2000
    max_per_user: int = 1000
    max_query_characters: int = 256 * KIB
    retry_attempts: int = 3
    retry_interval: float = 30.0
    retry_first: float = 0.5
    removal_action: str = "remove"
    removal_seconds: int = 30 * 24 * 3600
    timeout: float = 10.0
    idle_timeout: float = 30.0
    max_answer: int = 64 * KIB
    queue_length: int = 10_000
    queue_bytes: int = 64 * MIB
    max_queued_bytes: int = 512 * MIB
    away_seconds: float = 3600.0
    max_streams: int = 100
    max_streams_per_user: int = 50
    stream_seconds: float = 300.0
    stream_bytes: int = 32 * MIB
    tls: Mapping[str, DestinationSettings] = field(default_factory=dict)
    check_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.subscribers not in ROLES:
            raise ValueError(f"subscribers: {self.subscribers!r} is unknown; expected one of {', '.join(ROLES)}")
        if self.removal_action not in REMOVAL_ACTIONS:
            raise ValueError(
                f"removal_action: {self.removal_action!r} is unknown; expected one of {', '.join(REMOVAL_ACTIONS)}"
            )

    @property
    def lifetime(self) -> float:
        """Seconds for which the delivery of an indication is tried (DSP1054 1.2: the sequence identifier lifetime)."""
        return self.retry_attempts * self.retry_interval * 10

    def allows(self, host: str, port: int) -> bool:
        """Whether indications may be sent to a host, as its URL names it."""
        return not self.destinations or any(_covers(rule, host.lower(), port) for rule in self.destinations)

    def tls_of(self, host: str, port: int) -> DestinationSettings:
        """What is set for a listener; the nearest entry counts."""
        for name in (f"{host}:{port}", host, "*"):
            if name in self.tls:
                return self.tls[name]
        return DestinationSettings()


def _covers(rule: str, host: str, port: int) -> bool:
    """Whether an entry of `destinations` covers a host and a port."""
    name, colon, number = rule.lower().rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.startswith("[")):
        if int(number) != port:
            return False
    else:
        name = rule.lower()
    name = name.strip("[]")
    if name.startswith("*."):
        return host.endswith(name[1:])
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name)
    except ValueError:
        return host == name
