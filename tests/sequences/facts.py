"""What libvirt has at a moment, as libvirt-python tells it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt
from lxml import etree

from tests.bed import Libvirtd
from virtcim.libhelper.states import DomainState, PausedReason

SECURE = libvirt.VIR_DOMAIN_XML_SECURE
ENABLED, DISABLED, OFFLINE, QUIESCE, STARTING = 2, 3, 6, 9, 10


@dataclass(frozen=True)
class Guest:
    """A guest.

    Attributes:
        defined: the XML of its next start.
        running: the XML of the one that runs; "" of one that does not.
        parents: of each snapshot the one before it.
        current: the snapshot that it goes on from.
        checkpoints: their names.
        pulled: where its disks are read that are backed up; "" of one that is not.
    """

    uuid: str
    state: int
    reason: int
    autostart: bool
    saved: bool
    defined: str
    running: str
    parents: Mapping[str, str | None]
    current: str | None
    checkpoints: frozenset[str]
    pulled: str = ""

    @property
    def enabled(self) -> int:
        """EnabledState."""
        if self.running:
            if self.state == DomainState.PAUSED:
                return STARTING if self.reason == PausedReason.STARTING_UP else QUIESCE
            return ENABLED
        return OFFLINE if self.saved else DISABLED

    def find(self, path: str) -> list[str]:
        """What an XPath gives in the XML of the next start."""
        return found_in(self.defined, path)

    def find_running(self, path: str) -> list[str]:
        """What an XPath gives in the XML that is in force."""
        return found_in(self.running or self.defined, path)


def found_in(xml: str, path: str) -> list[str]:
    """What an XPath gives in some XML."""
    found = etree.fromstring(xml.encode()).xpath(path)
    assert isinstance(found, list)
    return [str(each) for each in found]


@dataclass(frozen=True)
class Pool:
    """A storage pool; `volumes` has the capacity of each path."""

    active: bool
    directory: str
    volumes: Mapping[str, int]


@dataclass(frozen=True)
class Facts:
    """All that libvirt has.

    Attributes:
        away: the guests of the other host.
        bases: the checksum of each image that guests are laid over.
    """

    guests: Mapping[str, Guest]
    away: Mapping[str, Guest]
    pools: Mapping[str, Pool]
    networks: Mapping[str, bool]
    filters: frozenset[str]
    bases: Mapping[str, str]


@contextlib.contextmanager
def connected(daemon: Libvirtd) -> Iterator[Any]:
    """A connection of libvirt-python for as long as the block goes on."""
    connection = daemon.connect()
    try:
        yield connection
    finally:
        connection.close()


def read_facts(daemon: Libvirtd, there: Libvirtd) -> Facts:
    """Ask libvirt for everything, again where something was gone before it could be asked for."""
    while True:
        with (
            contextlib.suppress(libvirt.libvirtError),
            connected(daemon) as connection,
            connected(there) as other,
        ):
            return Facts(
                guests=_guests(connection),
                away=_guests(other),
                pools={each.name(): _pool(each) for each in connection.listAllStoragePools()},
                networks={each.name(): bool(each.isActive()) for each in connection.listAllNetworks()},
                filters=frozenset(each.name() for each in connection.listAllNWFilters()),
                bases={
                    str(path): hashlib.sha256(path.read_bytes()).hexdigest()
                    for path in daemon.directory.glob("pool-images/virtcim-*")
                },
            )


def _guests(connection: Any) -> dict[str, Guest]:
    return {each.name(): _guest(each) for each in connection.listAllDomains()}


def _guest(domain: Any) -> Guest:
    snapshots = {each.getName(): each for each in domain.listAllSnapshots()}
    state, reason = domain.state()
    active = bool(domain.isActive())
    return Guest(
        uuid=domain.UUIDString(),
        state=state,
        reason=reason,
        autostart=bool(domain.autostart()),
        saved=bool(domain.hasManagedSaveImage()),
        defined=domain.XMLDesc(SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE),
        running=domain.XMLDesc(SECURE) if active else "",
        parents={name: _parent(each) for name, each in snapshots.items()},
        current=domain.snapshotCurrent().getName() if domain.hasCurrentSnapshot() else None,
        checkpoints=frozenset(each.getName() for each in domain.listAllCheckpoints()),
        pulled=_socket(domain) if active else "",
    )


def _socket(domain: Any) -> str:
    try:
        return "".join(found_in(domain.backupGetXMLDesc(), "server/@socket"))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN_BACKUP:
            raise
        return ""


def _parent(snapshot: Any) -> str | None:
    found = etree.fromstring(snapshot.getXMLDesc().encode()).findtext("parent/name")
    return None if found is None else str(found)


def _pool(pool: Any) -> Pool:
    active = bool(pool.isActive())
    volumes = pool.listAllVolumes() if active else []
    target = etree.fromstring(pool.XMLDesc().encode()).findtext("target/path")
    return Pool(active, str(target), {each.path(): each.info()[1] for each in volumes})


def leftovers(daemon: Libvirtd, guests: Mapping[str, Guest]) -> list[str]:
    """The files of libvirt's own that belong to guests that are not there (any more)."""
    library, run = daemon.directory / "lib/qemu", daemon.directory / "run/libvirt/qemu"
    running = {name for name, guest in guests.items() if guest.running}
    saved = {name for name, guest in guests.items() if guest.saved}
    expected: dict[Path, set[str]] = {
        daemon.xml_directory: set(guests),
        daemon.xml_directory / "autostart": {name for name, guest in guests.items() if guest.autostart},
        library / "save": saved,
        library / "snapshot": {name for name, guest in guests.items() if guest.parents},
        library / "checkpoint": set(guests),  # some are not read again by a libvirtd that is started anew
        library / "nvram": set(),
        run: running,
    }
    strange = []
    for directory, names in expected.items():
        for path in directory.glob("*"):
            is_kept = path.suffix in {".xml", ".save"} or path.parent.name in {"snapshot", "checkpoint", "nvram"}
            if is_kept and path.stem not in names and not (path.is_dir() and not any(path.iterdir())):
                inside = [each.name for each in path.iterdir()] if path.is_dir() else []
                strange.append(f"{path.relative_to(daemon.directory)} {inside or ''}".strip())
    sockets = {guest.pulled for guest in guests.values()}
    strange += [str(path) for path in daemon.directory.glob("sockets/*") if str(path) not in sockets]
    if not any(sockets):
        strange += [str(path) for path in daemon.directory.rglob("*.scratch")]
    return strange
