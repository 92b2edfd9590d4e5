"""What the agents inside of guests tell: names, addresses, operating systems, file systems.

An agent is a program of the guest.  It may be slow, hang or lie; so few are asked at a time, each seldom, and nobody
waits for long.

Layer rule: imports libvirt and the inventory's records.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import Channel, DomainConfig
from virtcim.libhelper.inventory.records import Domain

__all__ = [
    "CHANNEL",
    "AgentAddress",
    "AgentFacts",
    "AgentFileSystem",
    "AgentInterface",
    "AgentSystem",
    "Agents",
    "facts_of",
    "has_agent",
    "is_agent_connected",
]

CHANNEL = "org.qemu.guest_agent.0"
"""The name by which an agent finds its channel."""
_CONNECTED = "connected"

_FRESH = 30.0
"""Seconds for which an answer will do: what an agent tells changes seldom."""
_PAUSE = 60.0
"""Seconds after which an agent that did not answer is asked again."""
_AT_ONCE = 2
"""Agents that are asked at a time: each that hangs keeps a reader, for five seconds and more."""
_FORGET = 900.0
"""Seconds after which what nobody asks for any more is forgotten."""
_MANY = 256
"""Interfaces, addresses of each, file systems and disks of each that are taken from a guest at most."""
_MOST_WITHOUT = 1 << 16
"""Guests without an agent that are remembered."""
_LONG = 256
"""Characters of a text that a guest tells."""
_DAY = 86400


@immutable
class AgentAddress:
    """An IP address that a guest has.

    Attributes:
        address: as text.
        prefix: bits of its network; None where the agent does not say.
        is_ipv6: whether it is one of IPv6.
    """

    address: str
    prefix: int | None
    is_ipv6: bool

    @property
    def is_loopback(self) -> bool:
        """Whether it is for the inside of the guest only."""
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False

    @property
    def is_for_others(self) -> bool:
        """Whether other machines than its neighbours may reach the guest at it."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            return False
        return not (address.is_loopback or address.is_link_local or address.is_unspecified)


@immutable
class AgentInterface:
    """A network interface as the guest sees it.

    Attributes:
        name: in the guest (`eth0`).
        mac_address: in lower case; "" for one that has none.
        addresses: that it has.
    """

    name: str
    mac_address: str
    addresses: tuple[AgentAddress, ...]


@immutable
class AgentFileSystem:
    """A file system that is mounted in the guest.

    Attributes:
        mount_point: where (`/`, `C:\\`).
        kind: of it (`ext4`); None where the agent does not say.
        size, used: bytes; None likewise.
        disks: the disks of the guest that it lies on, by their targets (`vda`).
    """

    mount_point: str
    kind: str | None
    size: int | None
    used: int | None
    disks: tuple[str, ...]


@immutable
class AgentSystem:
    """The operating system, as it names itself; None for what it does not say.

    Attributes:
        identity: the word for it in os-release (`debian`), `mswindows` or `freebsd`.
        version: of it (`12`).
        kernel: the release of its kernel (`6.1.0-18-amd64`).
        machine: the architecture that it was made for (`x86_64`).
        utc_offset: seconds by which its clock is ahead of UTC.
        users: how many are logged in.
    """

    identity: str | None = None
    version: str | None = None
    kernel: str | None = None
    machine: str | None = None
    utc_offset: int | None = None
    users: int | None = None


@immutable
class AgentFacts:
    """What an agent tells of its guest; None for what it does not.

    Attributes:
        host_name: that the guest calls itself.
        operating_system: for people, as the guest names it (`Debian GNU/Linux 12 (bookworm)`).
        interfaces: its network interfaces, those of the inside only (`lo`) among them.
        system: more of the operating system; None where nothing was told of it.
        file_systems: that are mounted, each mount point once.
    """

    host_name: str | None = None
    operating_system: str | None = None
    interfaces: tuple[AgentInterface, ...] = ()
    system: AgentSystem | None = None
    file_systems: tuple[AgentFileSystem, ...] = ()


def is_agent_connected(config: DomainConfig | None) -> bool:
    """Whether an agent is there, as a running guest is described; not where it does not run (None)."""
    return config is not None and any(
        isinstance(each, Channel) and each.target_name == CHANNEL and each.target_state == _CONNECTED
        for each in config.devices
    )


def has_agent(domain: Domain) -> bool:
    """Whether a guest runs with an agent that is there."""
    return domain.active and domain.contact and is_agent_connected(domain.live)


def facts_of(told: Mapping[str, Any]) -> AgentFacts:
    """Read what virDomainGetGuestInfo gives."""
    interfaces = []
    for number in range(_count(told, "if.count")):
        part = f"if.{number}."
        addresses = []
        for place in range(_count(told, f"{part}addr.count")):
            address = _text(told, f"{part}addr.{place}.addr")
            prefix = told.get(f"{part}addr.{place}.prefix")
            if address is not None:
                is_ipv6 = told.get(f"{part}addr.{place}.type") == "ipv6"
                addresses.append(AgentAddress(address, prefix if isinstance(prefix, int) else None, is_ipv6))
        name = _text(told, f"{part}name")
        if name is not None:
            mac_address = (_text(told, f"{part}hwaddr") or "").lower()
            interfaces.append(AgentInterface(name, mac_address, tuple(addresses)))
    named = _text(told, "os.pretty-name") or _text(told, "os.name")
    return AgentFacts(_text(told, "hostname"), named, tuple(interfaces), _system(told), _file_systems(told))


def _system(told: Mapping[str, Any]) -> AgentSystem | None:
    if not any(name.startswith("os.") for name in told):
        return None
    offset = told.get("timezone.offset")
    return AgentSystem(
        identity=_text(told, "os.id"),
        version=_text(told, "os.version-id") or _text(told, "os.version"),
        kernel=_text(told, "os.kernel-release"),
        machine=_text(told, "os.machine"),
        utc_offset=offset if isinstance(offset, int) and abs(offset) <= _DAY else None,
        users=_number(told, "user.count"),
    )


def _file_systems(told: Mapping[str, Any]) -> tuple[AgentFileSystem, ...]:
    found: dict[str, AgentFileSystem] = {}
    for number in range(_count(told, "fs.count")):
        part = f"fs.{number}."
        mount_point = _text(told, f"{part}mountpoint")
        if mount_point is not None:
            disks = (_text(told, f"{part}disk.{place}.alias") for place in range(_count(told, f"{part}disk.count")))
            size, used = _number(told, f"{part}total-bytes"), _number(told, f"{part}used-bytes")
            kind = _text(told, f"{part}fstype")
            each = AgentFileSystem(mount_point, kind, size, used, tuple(dict.fromkeys(filter(None, disks))))
            found.setdefault(mount_point, each)
    return tuple(found.values())


def _number(told: Mapping[str, Any], name: str) -> int | None:
    number = told.get(name)
    return number if isinstance(number, int) and 0 <= number < 1 << 64 else None


def _count(told: Mapping[str, Any], name: str) -> int:
    count = told.get(name, 0)
    return min(count, _MANY) if isinstance(count, int) else 0


def _text(told: Mapping[str, Any], name: str) -> str | None:
    text = told.get(name)
    if not isinstance(text, str):
        return None
    shown = "".join(character for character in text[:_LONG] if character.isprintable()).strip()
    return shown or None


def _ask(uuid: str, connection: libvirt.virConnect) -> Mapping[str, Any]:
    told: Mapping[str, Any] = connection.lookupByUUIDString(uuid).guestInfo(0, 0)
    return told


@dataclass(slots=True, eq=False)
class _Known:
    """What is known of a guest's agent.

    Attributes:
        run: libvirt's number of the running guest that told it.
        due: when it may be asked again, a monotonic time.
        facts: what it told; None where it did not answer.
    """

    run: int | None
    due: float
    facts: AgentFacts | None = None


class Agents:
    """Asks the agents of the guests of one hypervisor, and keeps what they tell.

    Parameters:
        submit: has a question asked over a connection of its own, and gives the future of its answer.
        read_only: whether the connection is: then libvirt asks no agent.
    """

    def __init__(
        self,
        submit: Callable[[str, Callable[[libvirt.virConnect], Mapping[str, Any]]], Future[Mapping[str, Any]]],
        read_only: bool,
    ) -> None:
        self._submit = submit
        self._read_only = read_only
        self._changed = threading.Condition()
        self._known: dict[str, _Known] = {}
        # Guests whose records tell of no agent, with the revisions of these.
        self._without: dict[str, int] = {}
        self._waiting: deque[Domain] = deque()
        self._asked: set[str] = set()
        self._under_way: dict[object, float] = {}

    def facts(self, domain: Domain) -> AgentFacts | None:
        """Give what the agent of a guest told last; None where it has none, or none that answers."""
        known = self._known.get(domain.uuid)
        return known.facts if known is not None and known.run == domain.id and has_agent(domain) else None

    def look(self, domains: Iterable[Domain], patience: float = 0.0) -> None:
        """Have those agents asked that have not told anything of late.

        Parameters:
            domains: whose agents.
            patience: seconds to wait for the answers.
        """
        if self._read_only:
            return
        now = time.monotonic()
        asked = [domain for domain in domains if self._is_due(domain, now)]
        if not asked:
            return
        uuids = {domain.uuid for domain in asked}
        with self._changed:
            self._waiting.extend(domain for domain in asked if domain.uuid not in self._asked)
            self._asked |= uuids
        self._go_on()
        with self._changed:
            if not self._is_blocked(patience):
                self._changed.wait_for(lambda: not uuids & self._asked, patience)

    def reset(self) -> None:
        """Forget everything: the connection is lost."""
        with self._changed:
            self._known.clear()
            self._without.clear()
            self._waiting.clear()
            self._asked.clear()
            self._changed.notify_all()

    def _is_blocked(self, patience: float) -> bool:
        """Whether all that may be asked at a time have been waited for already: who comes next has no better luck."""
        now = time.monotonic()
        return len(self._under_way) >= _AT_ONCE and all(now - since >= patience for since in self._under_way.values())

    def _is_due(self, domain: Domain, now: float) -> bool:
        if self._without.get(domain.uuid) == domain.revision:
            return False
        if not has_agent(domain):
            if len(self._without) >= _MOST_WITHOUT:
                self._without.clear()  # most of them are gone for long
            self._without[domain.uuid] = domain.revision
            return False
        known = self._known.get(domain.uuid)
        return known is None or known.run != domain.id or now >= known.due

    def _go_on(self) -> None:
        """Ask as many as may be asked at a time.  Nothing is held meanwhile: whoever submits has locks of his own."""
        while True:
            with self._changed:
                if not self._waiting or len(self._under_way) >= _AT_ONCE:
                    return
                domain, question = self._waiting.popleft(), object()
                self._under_way[question] = time.monotonic()
            future = self._submit(f"agent of {domain.name}", partial(_ask, domain.uuid))
            future.add_done_callback(partial(self._take, domain, question))

    def _take(self, domain: Domain, question: object, future: Future[Mapping[str, Any]]) -> None:
        now = time.monotonic()
        failed = future.cancelled() or future.exception() is not None
        facts = None if failed else facts_of(future.result())
        known = _Known(domain.id, now + (_PAUSE if failed else _FRESH), facts)
        with self._changed:
            del self._under_way[question]
            if domain.uuid in self._asked:
                self._asked.discard(domain.uuid)
                self._known[domain.uuid] = known
            for uuid in [uuid for uuid, each in self._known.items() if now - each.due > _FORGET]:
                del self._known[uuid]
            self._changed.notify_all()
        self._go_on()
