"""What libvirt has at a moment, as libvirt-python tells it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt
from lxml import etree

from tests.bed import Libvirtd
from virtcim.libhelper.states import DomainState

SECURE = libvirt.VIR_DOMAIN_XML_SECURE
ENABLED, DISABLED, OFFLINE, QUIESCE = 2, 3, 6, 9


@dataclass(frozen=True)
class Guest:
    """A guest.

    Attributes:
        defined: the XML of its next start.
        running: the XML of the one that runs; "" of one that does not.
        parents: of each snapshot the one before it.
        current: the snapshot that it goes on from.
        checkpoints: their names.
    """

    uuid: str
    state: int
    autostart: bool
    saved: bool
    defined: str
    running: str
    parents: Mapping[str, str | None]
    current: str | None
    checkpoints: frozenset[str]

    @property
    def enabled(self) -> int:
        """EnabledState."""
        if self.running:
            return QUIESCE if self.state == DomainState.PAUSED else ENABLED
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
    """All that libvirt has."""

    guests: Mapping[str, Guest]
    pools: Mapping[str, Pool]
    networks: Mapping[str, bool]
    filters: frozenset[str]


@contextlib.contextmanager
def connected(daemon: Libvirtd) -> Iterator[Any]:
    """A connection of libvirt-python for as long as the block goes on."""
    connection = daemon.connect()
    try:
        yield connection
    finally:
        connection.close()


def read_facts(daemon: Libvirtd) -> Facts:
    """Ask libvirt for everything, again where something was gone before it could be asked for."""
    while True:
        with contextlib.suppress(libvirt.libvirtError), connected(daemon) as connection:
            return Facts(
                guests={each.name(): _guest(each) for each in connection.listAllDomains()},
                pools={each.name(): _pool(each) for each in connection.listAllStoragePools()},
                networks={each.name(): bool(each.isActive()) for each in connection.listAllNetworks()},
                filters=frozenset(each.name() for each in connection.listAllNWFilters()),
            )


def _guest(domain: Any) -> Guest:
    snapshots = {each.getName(): each for each in domain.listAllSnapshots()}
    state, _ = domain.state()
    active = bool(domain.isActive())
    return Guest(
        uuid=domain.UUIDString(),
        state=state,
        autostart=bool(domain.autostart()),
        saved=bool(domain.hasManagedSaveImage()),
        defined=domain.XMLDesc(SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE),
        running=domain.XMLDesc(SECURE) if active else "",
        parents={name: _parent(each) for name, each in snapshots.items()},
        current=domain.snapshotCurrent().getName() if domain.hasCurrentSnapshot() else None,
        checkpoints=frozenset(each.getName() for each in domain.listAllCheckpoints()),
    )


def _parent(snapshot: Any) -> str | None:
    found = etree.fromstring(snapshot.getXMLDesc().encode()).findtext("parent/name")
    return None if found is None else str(found)


def _pool(pool: Any) -> Pool:
    active = bool(pool.isActive())
    volumes = pool.listAllVolumes() if active else []
    target = etree.fromstring(pool.XMLDesc().encode()).findtext("target/path")
    return Pool(active, str(target), {each.path(): each.info()[1] for each in volumes})


def leftovers(daemon: Libvirtd, facts: Facts) -> list[str]:
    """The files of libvirt's own that belong to guests that are not there (any more)."""
    library, run = daemon.directory / "lib/qemu", daemon.directory / "run/libvirt/qemu"
    running = {name for name, guest in facts.guests.items() if guest.running}
    saved = {name for name, guest in facts.guests.items() if guest.saved}
    expected: dict[Path, set[str]] = {
        daemon.xml_directory: set(facts.guests),
        daemon.xml_directory / "autostart": {name for name, guest in facts.guests.items() if guest.autostart},
        library / "save": saved,
        library / "snapshot": {name for name, guest in facts.guests.items() if guest.parents},
        library / "checkpoint": set(facts.guests),  # some are not read again by a libvirtd that is started anew
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
    return strange
