"""What the inventory holds: immutable records, one for each libvirt object, replaced when the object changes.

A record never calls libvirt.  It keeps the object's XML, with a digest to compare by; the XML is parsed when somebody
first asks, and the parsed form stays as long as the XML does, over any number of records.

Layer rule: imports documents, events and states of this project, and no libvirt.
"""

from __future__ import annotations

import enum
import hashlib
import logging
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from virtcim.immutable import immutable
from virtcim.libhelper.documents.snapshot import CheckpointConfig, SnapshotConfig
from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.libhelper.states import DomainState

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import DomainConfig
    from virtcim.libhelper.documents.network import NetworkConfig
    from virtcim.libhelper.documents.nodedevice import NodeDeviceConfig
    from virtcim.libhelper.documents.nwfilter import FilterConfig
    from virtcim.libhelper.documents.storage import PoolConfig
    from virtcim.libhelper.events import Event

__all__ = [
    "CAPABILITIES",
    "CHECKPOINTS",
    "NO_PARTS",
    "OWN_NAMESPACE",
    "SNAPSHOTS",
    "VOLUMES",
    "Change",
    "ChangeKind",
    "Checkpoint",
    "Document",
    "Domain",
    "Host",
    "Interface",
    "NWFilter",
    "Network",
    "NodeDevice",
    "Part",
    "Parts",
    "Pool",
    "Record",
    "Snapshot",
    "Volume",
    "domain_number",
]

_log = logging.getLogger(__name__)

_GRAPHICS = re.compile(r"""<graphics(?:\s+[\w:.-]+=(?:'[^']*'|"[^"]*"))+""")
_ATTRIBUTE = re.compile(r"""(\s)([\w:.-]+)=('[^']*'|"[^"]*")""")
_NUMBER = re.compile(rb"<domain type='[^'<>]{1,32}'( id='([0-9]{1,12})')")

_HEAD = 128
"""Characters of a domain XML among which the number is."""

_DIGITS = re.compile(rb"[0-9]+")
_TAG = 64
"""Bytes of an XML of which those that are alike have the same, but for numbers, as far as the first tag goes."""
_MOST_PATTERNS = 32
"""Texts by which others are compressed, at most."""
_LONGEST_PATTERN = 1 << 14
"""Bytes of such a text that are used."""
_RAW = -15
"""For zlib: neither header nor checksum, as none of it leaves the process."""

_patterns: dict[bytes, bytes] = {}
"""By the first tag, the first text that was compressed."""

Parsed = TypeVar("Parsed")

OWN_NAMESPACE = "urn:virtcim:"
"""What the namespaces begin with of all that virtcim keeps in the metadata of a domain."""
_OWN = OWN_NAMESPACE.encode()

VOLUMES = "volumes"
"""Under which a pool has its volumes."""
SNAPSHOTS = "snapshots"
"""Under which a domain has its snapshots."""
CHECKPOINTS = "checkpoints"
"""Under which a domain has its checkpoints."""


class ChangeKind(enum.Enum):
    """What can happen to an object."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class Document(Generic[Parsed]):
    """One XML text, and what it parses to.

    The password of a graphics device is cut from the text before it is kept; that there is one stays visible.  It is
    kept as it came until `compact` is called.

    Parameters:
        text: the XML.
        parser: makes the parsed form; called once, at first use.

    Attributes:
        digest: of the text.
        digest_at_rest: of the text without the number that libvirt gives a domain while it runs.
        names_our_own: whether `OWN_NAMESPACE` stands in the text, as it does in that of few: whoever looks for what
            virtcim keeps there need not read the others.
    """

    __slots__ = ("_data", "_parsed", "_parser", "_pattern", "_plain", "digest", "digest_at_rest", "names_our_own")

    def __init__(self, text: str, parser: Callable[[str], Parsed]) -> None:
        data = self._clean(text)
        self.digest = self.digest_at_rest = hashlib.blake2b(data, digest_size=16).digest()
        if number := _NUMBER.match(data):
            at_rest = data[: number.start(1)] + data[number.end(1) :]
            self.digest_at_rest = hashlib.blake2b(at_rest, digest_size=16).digest()
        self.names_our_own = _OWN in data
        self._plain: bytes | None = data
        self._data = self._pattern = b""
        self._parser: Callable[[str], Parsed] | None = parser
        self._parsed: Parsed | None = None

    @classmethod
    def decompressed(cls, data: bytes, parser: Callable[[str], Parsed]) -> Document[Parsed]:
        """Make a document of what `compressed` gave.

        Raises:
            ValueError: it is nothing of the kind.
        """
        try:
            text = zlib.decompress(data).decode("utf-8", "surrogatepass")
        except zlib.error as error:
            raise ValueError(f"a document that cannot be decompressed: {error}") from error
        return cls(text, parser).compact()

    def compact(self) -> Self:
        """Keep the text compressed from now on, to a fifteenth of its size where others are like it.

        That takes a tenth of all else about reading an object, so whoever reads many at once does it afterwards.
        """
        plain = self._plain
        if plain is not None:
            self._pattern = _pattern_of(plain)
            packer = zlib.compressobj(1, wbits=_RAW, zdict=self._pattern)
            self._data = packer.compress(plain) + packer.flush()
            self._plain = None
        return self

    @property
    def compressed(self) -> bytes:
        """The XML, without passwords, compressed by itself: what `decompressed` takes in any process."""
        return zlib.compress(self._bytes(), 1)

    def _bytes(self) -> bytes:
        plain = self._plain
        if plain is not None:
            return plain
        return zlib.decompressobj(wbits=_RAW, zdict=self._pattern).decompress(self._data)

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
        return self._bytes().decode("utf-8", "surrogatepass")

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


def _pattern_of(data: bytes) -> bytes:
    """Give the text by which another one is compressed, from which it differs in little: the first that began as it
    does.  Where there are too many of these, it is compressed by nothing."""
    tag = _DIGITS.sub(b"", data[:_TAG].partition(b">")[0])
    pattern = _patterns.get(tag)
    if pattern is None:
        if len(_patterns) >= _MOST_PATTERNS:
            return b""
        pattern = _patterns.setdefault(tag, data[:_LONGEST_PATTERN])
    return pattern


def domain_number(text: str) -> int | None:
    """Read libvirt's number of a running domain out of its XML; None where there is none."""
    number = _NUMBER.match(text[:_HEAD].encode("utf-8", "replace"))
    return None if number is None else int(number[2])


def _without_password(tag: re.Match[str]) -> str:
    """The start tag of a graphics device with `*` for its password.  Other attributes may hold what looks like one."""
    return _ATTRIBUTE.sub(lambda found: f"{found[1]}passwd='*'" if found[2] == "passwd" else found[0], tag[0])


@immutable(eq=False)
class Part(Generic[Parsed]):
    """A thing that belongs to another one, and that libvirt lists with it.

    Attributes:
        name: unique in its owner.
        key: unique everywhere.
        document: its XML.
    """

    name: str
    key: str
    document: Document[Parsed]

    @property
    def xml(self) -> str:
        """Its XML."""
        return self.document.text

    @property
    def config(self) -> Parsed | None:
        """What describes it; None for XML that cannot be parsed."""
        return self.document.parsed()

    @property
    def traits(self) -> Mapping[str, bool]:
        """What libvirt tells of it beside its XML, by the name of the field that holds it."""
        return {}


Parts = Mapping[str, tuple[Part[Any], ...]]
NO_PARTS: Parts = MappingProxyType({})


@immutable(eq=False)
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
        parts: what it has of each kind of parts (`parts.PartKind`), sorted by name; a kind that was not listed yet is
            not there.
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
    parts: Parts = field(default_factory=lambda: NO_PARTS, kw_only=True)

    @property
    def key(self) -> str:
        """What the inventory finds it by: the UUID, or the name of what has no UUID."""
        return self.uuid or self.name

    def compact(self) -> None:
        """Keep its XML compressed from now on."""
        for document in (self.live_document, self.defined_document):
            if document is not None:
                document.compact()

    @property
    def xml(self) -> str:
        """Its XML as it is now, for showing: passwords are cut, so it is not for defining again."""
        document = self.live_document or self.defined_document
        return document.text if document else ""

    def _parsed(self) -> Any:
        """The parsed form of its XML as it is now; None when it cannot be parsed."""
        document = self.live_document or self.defined_document
        return document.parsed() if document else None


@immutable(eq=False)
class Snapshot(Part[SnapshotConfig]):
    """A snapshot of a domain.

    Attributes:
        is_current: whether it is the one that the domain goes on from: the next one becomes its child.
    """

    is_current: bool = False

    @property
    def traits(self) -> Mapping[str, bool]:
        return {"is_current": self.is_current}


@immutable(eq=False)
class Checkpoint(Part[CheckpointConfig]):
    """A checkpoint of a domain: since when what is written to its disks is taken down."""


@immutable(eq=False)
class Domain(Record):
    """A domain.

    Attributes:
        id: libvirt's number of a running domain; None when it does not run.
        state, reason: libvirt's state, and the reason for it: a member of the enumeration of `states` that belongs to
            the state, a number where libvirt has a reason that is not known here.
        has_managed_save: whether the next start resumes a saved state.
        has_snapshots: whether libvirt keeps snapshots of it.
        state_changed: when its state was last seen to change, in UTC; None when that was never seen.
        capacities: bytes of those disks that libvirt could measure, by target name (`vda`); they are measured in the
            background, so they come a little later than the rest.
        relocating: whether this process is moving it to another hypervisor.
        has_checkpoints: whether libvirt keeps checkpoints of it.
    """

    id: int | None
    state: DomainState
    reason: int
    has_managed_save: bool
    has_snapshots: bool
    state_changed: datetime | None
    capacities: Mapping[str, int] = field(default_factory=dict)
    relocating: bool = False
    has_checkpoints: bool = False

    @property
    def manages_host(self) -> bool:
        """Whether it is the one that manages all others, as Xen's Domain-0 does: it is shown, and never changed."""
        return self.id == 0

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

    @property
    def snapshots(self) -> tuple[Snapshot, ...] | None:
        """Its snapshots, sorted by name; None while they were not listed yet."""
        return cast("tuple[Snapshot, ...] | None", self.parts.get(SNAPSHOTS))

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...] | None:
        """Its checkpoints, sorted by name; None while they were not listed yet."""
        return cast("tuple[Checkpoint, ...] | None", self.parts.get(CHECKPOINTS))


@immutable(eq=False)
class Network(Record):
    """A virtual network."""

    @property
    def config(self) -> NetworkConfig | None:
        """What describes it now; None for XML that cannot be parsed."""
        return cast("NetworkConfig | None", self._parsed())


@immutable(eq=False)
class Volume(Part[VolumeConfig]):
    """A storage volume.  Its key is the path of most volumes."""


@immutable(eq=False)
class Pool(Record):
    """A storage pool."""

    @property
    def volumes(self) -> tuple[Volume, ...] | None:
        """Its volumes, sorted by name; None while they were not listed yet, empty for a pool that is inactive."""
        return cast("tuple[Volume, ...] | None", self.parts.get(VOLUMES))

    @property
    def config(self) -> PoolConfig | None:
        """What describes it now; None for XML that cannot be parsed."""
        return cast("PoolConfig | None", self._parsed())


@immutable(eq=False)
class NodeDevice(Record):
    """A device of the host."""

    @property
    def config(self) -> NodeDeviceConfig | None:
        """What describes it now; None for XML that cannot be parsed."""
        return cast("NodeDeviceConfig | None", self._parsed())


@immutable(eq=False)
class NWFilter(Record):
    """A network filter."""

    @property
    def config(self) -> FilterConfig | None:
        """What describes it now; None for XML that cannot be parsed."""
        return cast("FilterConfig | None", self._parsed())


@immutable(eq=False)
class Interface(Record):
    """A network interface of the host."""


CAPABILITIES = "capabilities"


@immutable
class Host:
    """The hypervisor itself, as far as its inventory knows it.

    Attributes:
        uri: of the hypervisor.
        contact: whether the connection stands, and all domains have been read.
        loaded: the kinds of objects that were read whole since the connection stands; `CAPABILITIES` among them once
            the host's are known, and with them its UUID.
    """

    uri: str
    contact: bool
    loaded: frozenset[str] = frozenset()


@immutable
class Change:
    """What listeners of an inventory are told: that a record took the place of another one.

    The changes of one object follow each other: each begins with the record that the one before it ended with.

    Attributes:
        before, after: the record before and after; None where there was or is none.
        events: libvirt's events that led to it, oldest first; empty when it was found by comparing.
    """

    before: Record | Host | None
    after: Record | Host | None
    events: tuple[Event, ...] = ()

    @property
    def kind(self) -> ChangeKind:
        """What happened to the object."""
        if self.before is None:
            return ChangeKind.ADDED
        return ChangeKind.REMOVED if self.after is None else ChangeKind.CHANGED

    @property
    def event(self) -> Event | None:
        """The last of the events."""
        return self.events[-1] if self.events else None

    def parts(self, name: str) -> Iterator[tuple[Part[Any] | None, Part[Any] | None]]:
        """Those parts of one kind that came, went or changed, each before and after; None where there is none.

        Parts that are listed for the first time were there before: they did not come.
        """
        if not isinstance(self.before, Record) or name not in self.before.parts:
            return
        old = {part.name: part for part in self.before.parts[name]}
        new = {part.name: part for part in self.after.parts.get(name, ())} if isinstance(self.after, Record) else {}
        for each in sorted(old.keys() | new.keys()):
            if old.get(each) is not new.get(each):
                yield old.get(each), new.get(each)
