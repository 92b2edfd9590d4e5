"""What the inventory holds: immutable records, one for each libvirt object, replaced when the object changes.

A record never calls libvirt.  It keeps the object's XML compressed, with a digest to compare by; the XML is parsed
when somebody first asks, and the parsed form stays as long as the XML does, over any number of records.

Layer rule: imports nothing of this project at run time, and no libvirt.
"""

from __future__ import annotations

import enum
import hashlib
import logging
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import DomainConfig
    from virtcim.libhelper.documents.network import NetworkConfig
    from virtcim.libhelper.documents.nodedevice import NodeDeviceConfig
    from virtcim.libhelper.documents.nwfilter import FilterConfig
    from virtcim.libhelper.documents.storage import PoolConfig, VolumeConfig
    from virtcim.libhelper.events import Event

__all__ = [
    "Change",
    "Document",
    "Domain",
    "DomainState",
    "Interface",
    "NWFilter",
    "Network",
    "NodeDevice",
    "Pool",
    "Volume",
]

_log = logging.getLogger(__name__)

_GRAPHICS = re.compile(r"""<graphics(?:\s+[\w:.-]+=(?:'[^']*'|"[^"]*"))+""")
_ATTRIBUTE = re.compile(r"""(\s)([\w:.-]+)=('[^']*'|"[^"]*")""")


Parsed = TypeVar("Parsed")


class DomainState(enum.IntEnum):
    """The state of a domain, in libvirt's numbers (`virDomainState`)."""

    NOSTATE = 0
    RUNNING = 1
    BLOCKED = 2
    PAUSED = 3
    SHUTDOWN = 4
    SHUTOFF = 5
    CRASHED = 6
    PMSUSPENDED = 7

    @classmethod
    def _missing_(cls, value: object) -> DomainState:
        """A state of a later libvirt is shown as no state."""
        return cls.NOSTATE


class Document(Generic[Parsed]):
    """One XML text, kept small, and what it parses to.

    The password of a graphics device is cut from the text before it is kept; that there is one stays visible.

    Parameters:
        text: the XML.
        parser: makes the parsed form; called once, at first use.
    """

    __slots__ = ("_data", "_parsed", "_parser", "digest")

    def __init__(self, text: str, parser: Callable[[str], Parsed]) -> None:
        data = self._clean(text)
        self.digest = hashlib.blake2b(data, digest_size=16).digest()
        self._data = zlib.compress(data, 1)
        self._parser: Callable[[str], Parsed] | None = parser
        self._parsed: Parsed | None = None

    @staticmethod
    def _clean(text: str) -> bytes:
        if "passwd=" in text:
            text = _GRAPHICS.sub(_without_password, text)
        return text.encode("utf-8", "surrogatepass")

    @classmethod
    def digest_of(cls, text: str) -> bytes:
        """The digest that a document of this text would have."""
        return hashlib.blake2b(cls._clean(text), digest_size=16).digest()

    @property
    def text(self) -> str:
        """The XML, without passwords."""
        return zlib.decompress(self._data).decode("utf-8", "surrogatepass")

    def parsed(self) -> Parsed | None:
        """The parsed form; None, with one line in the log, for XML that cannot be parsed."""
        parser = self._parser
        if parser is not None:
            try:
                self._parsed = parser(self.text)
            except Exception as error:
                _log.warning("XML that cannot be parsed (%s): %.120r", error, self.text)
            self._parser = None
        return self._parsed


def _without_password(tag: re.Match[str]) -> str:
    """The start tag of a graphics device with `*` for its password.  Other attributes may hold what looks like one."""
    return _ATTRIBUTE.sub(lambda found: f"{found[1]}passwd='*'" if found[2] == "passwd" else found[0], tag[0])


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What every kind of object has.

    Attributes:
        uri: of the hypervisor where it lives.
        name: its name, unique among its kind on a hypervisor.
        uuid: its UUID; "" for kinds that have none (node devices, interfaces).
        active: whether it runs.
        persistent: whether it stays when it stops.
        autostart: whether libvirt starts it with the host.
        contact: whether the connection stands; False while all this is only what was last known.
        revision: a number that grows with every replacement and is never used twice in a process.
        live_document: the XML of the object as it runs; None when it does not run.
        defined_document: the XML it will start from; None for an object that is not persistent, and for kinds whose
            XML is the same in both cases.
    """

    uri: str
    name: str
    uuid: str
    active: bool
    persistent: bool
    autostart: bool
    contact: bool
    revision: int
    live_document: Document[Any] | None
    defined_document: Document[Any] | None

    @property
    def key(self) -> str:
        """What the inventory finds it by: the UUID, or the name of what has no UUID."""
        return self.uuid or self.name

    @property
    def xml(self) -> str:
        """Its XML as it is now, for showing: passwords are cut, so it is not for defining again."""
        document = self.live_document or self.defined_document
        return document.text if document else ""

    def _parsed(self) -> Any:
        """The parsed form of its XML as it is now; None when it cannot be parsed."""
        document = self.live_document or self.defined_document
        return document.parsed() if document else None


@dataclass(frozen=True, slots=True, eq=False)
class Domain(Record):
    """A domain.

    Attributes:
        id: libvirt's number of a running domain; None when it does not run.
        state, reason: libvirt's state, and its reason number, which means something only together with the state.
        has_managed_save: whether the next start resumes a saved state.
        has_snapshots: whether libvirt keeps snapshots of it.
        state_changed: when its state was last seen to change, in UTC; None when that was never seen.
        capacities: bytes of those disks that libvirt could measure, by target name (`vda`); they are measured in the
            background, so they come a little later than the rest.
    """

    id: int | None
    state: DomainState
    reason: int
    has_managed_save: bool
    has_snapshots: bool
    state_changed: datetime | None
    capacities: Mapping[str, int] = field(default_factory=dict)

    @property
    def live(self) -> DomainConfig | None:
        """The configuration that runs now; None when the domain does not run or its XML cannot be parsed."""
        return self.live_document.parsed() if self.live_document else None

    @property
    def defined(self) -> DomainConfig | None:
        """The configuration of the next start; None for a transient domain or XML that cannot be parsed."""
        return self.defined_document.parsed() if self.defined_document else None

    @property
    def config(self) -> DomainConfig | None:
        """What describes the domain now: `live`, else `defined`."""
        return self.live or self.defined


@dataclass(frozen=True, slots=True, eq=False)
class Network(Record):
    """A virtual network."""

    @property
    def config(self) -> NetworkConfig | None:
        """What describes it now; None for XML that cannot be parsed."""
        return cast("NetworkConfig | None", self._parsed())


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A storage volume.

    Attributes:
        name: unique in its pool.
        key: unique everywhere; the path of most volumes.
        document: its XML.
    """

    name: str
    key: str
    document: Document[VolumeConfig]

    @property
    def xml(self) -> str:
        """Its XML."""
        return self.document.text

    @property
    def config(self) -> VolumeConfig | None:
        """What describes it; None for XML that cannot be parsed."""
        return self.document.parsed()


@dataclass(frozen=True, slots=True, eq=False)
class Pool(Record):
    """A storage pool.

    Attributes:
        volumes: its volumes, sorted by name; None while they were not listed yet, empty for a pool that is inactive.
    """

    volumes: tuple[Volume, ...] | None = None

    @property
    def config(self) -> PoolConfig | None:
        """What describes it now; None for XML that cannot be parsed."""
        return cast("PoolConfig | None", self._parsed())


@dataclass(frozen=True, slots=True, eq=False)
class NodeDevice(Record):
    """A device of the host."""

    @property
    def config(self) -> NodeDeviceConfig | None:
        """What describes it now; None for XML that cannot be parsed."""
        return cast("NodeDeviceConfig | None", self._parsed())


@dataclass(frozen=True, slots=True, eq=False)
class NWFilter(Record):
    """A network filter."""

    @property
    def config(self) -> FilterConfig | None:
        """What describes it now; None for XML that cannot be parsed."""
        return cast("FilterConfig | None", self._parsed())


@dataclass(frozen=True, slots=True, eq=False)
class Interface(Record):
    """A network interface of the host."""


@dataclass(frozen=True, slots=True)
class Change:
    """What listeners of an inventory are told.

    Attributes:
        kind: `added`, `changed` or `removed`; `connected` or `disconnected` when it concerns the hypervisor, and then
            there is no record.
        old, new: the record before and after; None where there was or is none.
        events: the events that led to it, oldest first; empty when it was found by comparing.
    """

    kind: str
    old: Record | None = None
    new: Record | None = None
    events: tuple[Event, ...] = ()

    @property
    def event(self) -> Event | None:
        """The last of the events."""
        return self.events[-1] if self.events else None
