"""How each kind of libvirt object is listed, found and read: the one place that knows their different calls.

Bulk calls tell as much as they can for all objects at once (the flags of `listAllDomains` and its kin are filters on
exactly the facts we want), so that a round over thousands of objects costs a handful of calls.

Layer rule: imports libvirt, documents, errors, events, parts and records.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import libvirt

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.documents.network import NetworkConfig
from virtcim.libhelper.documents.nodedevice import NodeDeviceConfig
from virtcim.libhelper.documents.nwfilter import FilterConfig
from virtcim.libhelper.documents.storage import PoolConfig
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.events import Event
from virtcim.libhelper.inventory.parts import DOMAIN_CHECKPOINTS, DOMAIN_SNAPSHOTS, STORAGE_VOLUMES, PartKind
from virtcim.libhelper.inventory.records import (
    Document,
    Domain,
    Interface,
    Network,
    NodeDevice,
    NWFilter,
    Pool,
    Record,
    domain_number,
)
from virtcim.libhelper.states import DomainState, PausedReason, reason_of

__all__ = ["DOMAIN", "KINDS", "NO_TEXTS", "DomainFacts", "Facts", "Kind", "Text", "Texts"]

Listing = dict[str, tuple[Any, tuple[Any, ...]]]
"""Key to (libvirt's object, facts)."""


Brief = dict[str, set[str]]
"""Name of a fact to the keys of the objects of which it holds."""

Text = str | Document[Any] | None
"""XML of an object, or a document that holds it already; None where there is none."""

Texts = tuple[Text, Text]
"""The XML of an object as it runs and as it is defined."""

NO_TEXTS: Texts = (None, None)


class Facts(NamedTuple):
    """What bulk calls tell of an object; the names are those of the record."""

    name: str
    uuid: str
    active: bool
    persistent: bool
    autostart: bool


class DomainFacts(NamedTuple):
    """What bulk calls tell of a domain; the names are those of the record."""

    name: str
    uuid: str
    active: bool
    persistent: bool
    autostart: bool
    id: int | None
    state: DomainState
    reason: int
    has_managed_save: bool
    has_snapshots: bool
    has_checkpoints: bool = False


_FACTS_IN = {each: attrgetter(*each._fields) for each in (Facts, DomainFacts)}
"""Takes the facts out of a record, by their class: in one go, as each round does it for all that there is."""


class Kind(ABC):
    """One kind of libvirt object.

    Attributes:
        name: the word for it in events and logs.
        record: the class of its records.
        facts_class: the named tuple of its facts.
        parts: what its objects have parts of.
    """

    name: str
    record: type[Record]
    facts_class: type[Facts] | type[DomainFacts]
    parts: tuple[PartKind, ...] = ()

    @abstractmethod
    def handles(self, connection: libvirt.virConnect) -> dict[str, Any]:
        """libvirt's objects by key, in one call."""

    @abstractmethod
    def listing(self, connection: libvirt.virConnect) -> Listing:
        """All objects with their facts, in a few calls."""

    @abstractmethod
    def lookup(self, connection: libvirt.virConnect, key: str) -> Any:
        """libvirt's object; raises libvirt.libvirtError when it is gone."""

    @abstractmethod
    def facts(self, handle: Any) -> tuple[Any, ...]:
        """The facts of one object."""

    def facts_after(self, handle: Any, known: tuple[Any, ...] | None, events: tuple[Event, ...]) -> tuple[Any, ...]:
        """The facts of one object after events, of which only those are asked for that the events can have changed.

        Parameters:
            known: the facts before the events; None for an object that was not there.
        """
        return self.facts(handle)

    def kept_texts(self, record: Record, facts: tuple[Any, ...], events: tuple[Event, ...]) -> Texts:
        """The XML of an object that is what it was before events, and need not be asked for; None in place of the rest.

        Parameters:
            record: what is known from before them.
            facts: those after them.
        """
        return NO_TEXTS

    @abstractmethod
    def texts(
        self, handle: Any, facts: tuple[Any, ...], read_only: bool, kept: Texts = NO_TEXTS
    ) -> tuple[str | None, str | None]:
        """The XML as the object runs and as it is defined.

        Parameters:
            kept: what is known to be the same still, and can be left out.
        """

    def agree(self, facts: tuple[Any, ...], texts: tuple[str | None, str | None]) -> bool:
        """Whether facts and XML, which are asked for one after the other, can be of one moment."""
        return True

    def shown(
        self, known: tuple[Any, ...] | None, facts: tuple[Any, ...], texts: Texts
    ) -> tuple[tuple[Any, ...], Texts]:
        """What a record is made of: leaves out what is half made.

        Parameters:
            known: the facts of the record that there is; None where there is none.
            facts, texts: as they were read.
        """
        return facts, texts

    def parse(self, text: str) -> Any:
        """What its XML is parsed to: nothing, unless the kind has a mapping."""
        return None

    def lives_in_files(self, record: Record) -> bool:
        """Whether libvirt writes a file, or tells of an event, whenever the XML of an object changes in QEMU or LXC."""
        return False

    def brief(self, connection: libvirt.virConnect) -> Brief | None:
        """What changes without an event and without a file, of all objects, at little cost; None for what cannot be
        asked so.

        Returns:
            for each fact of that sort, the keys of those objects of which it holds.
        """
        return None

    def facts_of(self, record: Record) -> tuple[Any, ...]:
        """The facts that a record holds."""
        facts: tuple[Any, ...] = _FACTS_IN[self.facts_class](record)
        return facts


def _uuids(call: Callable[[int], list[Any]], flags: int) -> set[str] | None:
    """The UUIDs of a filtered list; None when the driver does not have the filter."""
    try:
        return {handle.UUIDString() for handle in call(flags)}
    except libvirt.libvirtError:
        return None


def _list(call: Callable[[int], list[Any]]) -> list[Any]:
    """All objects of a kind: none where the driver does not have the kind.  Any other error is raised."""
    try:
        return call(0)
    except libvirt.libvirtError as error:
        if LibvirtError.of(error).is_unsupported:
            return []
        raise


def _ask(call: Callable[[], Any], default: Any = 0) -> Any:
    """What `call` answers, or `default` where the driver does not know.

    A broken connection is not told apart here: the XML is fetched last, and that raises.
    """
    try:
        return call()
    except libvirt.libvirtError as error:
        if LibvirtError.of(error).is_gone:
            raise
        return default


def _described(handle: Any, flags: int, instead: int | None) -> str | None:
    """The XML with these flags; with the flags `instead` (None: no XML at all) where the driver has not these."""
    try:
        text: str = handle.XMLDesc(flags)
    except libvirt.libvirtError as error:
        if not LibvirtError.of(error).is_unsupported:
            raise
        return None if instead is None else _described(handle, instead, None)
    return text


def _words(state: int, reason: int) -> tuple[DomainState, int]:
    """libvirt's numbers of a state and its reason, as members of the enumerations."""
    known = DomainState(state)
    return known, reason_of(known, reason)


def _state(domain: libvirt.virDomain) -> tuple[DomainState, int]:
    """The state of a domain, and the reason for it."""
    state, reason = domain.state()
    return _words(state, reason)


def _lifecycle(events: tuple[Event, ...]) -> set[tuple[int, int]]:
    """What the lifecycle events among some tell, each with its detail."""
    return {(event.detail[0], event.detail[1]) for event in events if event.name == "lifecycle"}


_ADDED = (libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_DEFINED_ADDED)
_BOOTED = (libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED)
"""The lifecycle events, with their details, of a domain that is there from now on, and of one that starts afresh."""
_PAUSES = frozenset(
    {
        (libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED),
        (libvirt.VIR_DOMAIN_EVENT_RESUMED, libvirt.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED),
    }
)
"""Those of domains that only stop for a while or go on."""
_RUNS = frozenset(
    {
        *_PAUSES,
        _BOOTED,
        (libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED),
        (libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST),
        (libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_HOST),
        (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN),
        (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED),
    }
)
"""Those of domains that begin to run, run and stop, and stay what they are defined as."""


class DomainKind(Kind):
    """Domains."""

    name = "domain"
    record = Domain
    facts_class = DomainFacts
    parts = (DOMAIN_SNAPSHOTS, DOMAIN_CHECKPOINTS)

    def handles(self, connection: libvirt.virConnect) -> dict[str, Any]:
        return {domain.UUIDString(): domain for domain in _list(connection.listAllDomains)}

    def listing(self, connection: libvirt.virConnect) -> Listing:
        handles = self.handles(connection)
        call = connection.listAllDomains
        transient = _uuids(call, libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT)
        autostart = _uuids(call, libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)
        saved = _uuids(call, libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)
        snapshots = _uuids(call, libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT)
        checkpoints = _uuids(call, libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT) or ()
        states = self._states(connection)
        listing: Listing = {}
        for uuid, domain in handles.items():
            with contextlib.suppress(libvirt.libvirtError):
                number = domain.ID()
                state, reason = states.get(uuid) or _state(domain)
                listing[uuid] = (
                    domain,
                    DomainFacts(
                        name=domain.name(),
                        uuid=uuid,
                        active=number != -1,
                        persistent=uuid not in transient if transient is not None else bool(domain.isPersistent()),
                        autostart=uuid in autostart if autostart is not None else bool(_ask(domain.autostart)),
                        id=number if number != -1 else None,
                        state=state,
                        reason=reason,
                        has_managed_save=uuid in saved if saved is not None else bool(_ask(domain.hasManagedSaveImage)),
                        has_snapshots=uuid in snapshots if snapshots is not None else bool(_ask(domain.snapshotNum)),
                        has_checkpoints=uuid in checkpoints,
                    ),
                )
        return listing

    @staticmethod
    def _states(connection: libvirt.virConnect) -> dict[str, tuple[DomainState, int]]:
        """State and reason by UUID; empty where the driver has no bulk statistics."""
        try:
            statistics = connection.getAllDomainStats(
                libvirt.VIR_DOMAIN_STATS_STATE, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
            )
        except libvirt.libvirtError:
            return {}
        return {
            domain.UUIDString(): _words(values["state.state"], values.get("state.reason", 0))
            for domain, values in statistics
            if "state.state" in values
        }

    def lookup(self, connection: libvirt.virConnect, key: str) -> libvirt.virDomain:
        return connection.lookupByUUIDString(key)

    def facts(self, handle: libvirt.virDomain) -> DomainFacts:
        number = handle.ID()
        state, reason = _state(handle)
        persistent = bool(handle.isPersistent())
        return DomainFacts(
            name=handle.name(),
            uuid=handle.UUIDString(),
            active=number != -1,
            persistent=persistent,
            autostart=persistent and bool(_ask(handle.autostart)),
            id=number if number != -1 else None,
            state=state,
            reason=reason,
            has_managed_save=persistent and number == -1 and bool(_ask(handle.hasManagedSaveImage)),
            has_snapshots=bool(_ask(handle.snapshotNum)),
            has_checkpoints=bool(_ask(handle.listAllCheckpoints)),
        )

    def facts_after(
        self, handle: libvirt.virDomain, known: tuple[Any, ...] | None, events: tuple[Event, ...]
    ) -> DomainFacts:
        told = _lifecycle(events)
        if known is None:
            return self._facts_when_added(handle) if told == {_ADDED} and handle.ID() == -1 else self.facts(handle)
        before = DomainFacts._make(known)
        if not told:
            return before
        number = handle.ID()
        state, reason = _state(handle)
        persistent = before.persistent if told <= _RUNS else bool(handle.isPersistent())
        is_saved = persistent and number == -1 and before.has_managed_save
        if persistent and number == -1 and not told <= _RUNS - {_BOOTED}:
            # One that was saved may have gone on from that, and one that stopped may have been saved.
            is_saved = bool(_ask(handle.hasManagedSaveImage))
        return before._replace(
            name=handle.name(),
            active=number != -1,
            persistent=persistent,
            autostart=persistent and before.autostart,
            id=number if number != -1 else None,
            state=state,
            reason=reason,
            has_managed_save=is_saved,
        )

    @staticmethod
    def _facts_when_added(handle: libvirt.virDomain) -> DomainFacts:
        """The facts of a domain that was not there before it was defined: libvirt keeps nothing of it yet but that."""
        state, reason = _state(handle)
        return DomainFacts(
            name=handle.name(),
            uuid=handle.UUIDString(),
            active=False,
            persistent=True,
            autostart=False,
            id=None,
            state=state,
            reason=reason,
            has_managed_save=False,
            has_snapshots=False,
        )

    def kept_texts(self, record: Record, facts: tuple[Any, ...], events: tuple[Event, ...]) -> Texts:
        # To tell of a change is a matter of milliseconds, and most of them would go into reading what stays.
        told = _lifecycle(events)
        if not told or not told <= _RUNS or any(event.name != "lifecycle" for event in events):
            return NO_TEXTS
        before, now = DomainFacts._make(self.facts_of(record)), DomainFacts._make(facts)
        has_paused = told <= _PAUSES and before == now._replace(state=before.state, reason=before.reason)
        return record.live_document if has_paused else None, record.defined_document

    def texts(
        self, handle: libvirt.virDomain, facts: tuple[Any, ...], read_only: bool, kept: Texts = NO_TEXTS
    ) -> tuple[str | None, str | None]:
        secure = 0 if read_only else libvirt.VIR_DOMAIN_XML_SECURE
        active, persistent = facts[2], facts[3]
        inactive = libvirt.VIR_DOMAIN_XML_INACTIVE
        live = _described(handle, secure, 0) if active and kept[0] is None else None
        has_definition = (persistent or not active) and kept[1] is None
        defined = _described(handle, secure | inactive, inactive) if has_definition else None
        return live, defined

    def agree(self, facts: tuple[Any, ...], texts: tuple[str | None, str | None]) -> bool:
        # libvirt answers with the definition once a domain has stopped, whichever XML is asked for.
        now = DomainFacts._make(facts)
        if now.active and now.state is DomainState.SHUTOFF:
            return False
        return texts[0] is None or now.id is None or domain_number(texts[0]) == now.id

    def shown(
        self, known: tuple[Any, ...] | None, facts: tuple[Any, ...], texts: Texts
    ) -> tuple[tuple[Any, ...], Texts]:
        now = DomainFacts._make(facts)
        before = None if known is None else DomainFacts._make(known)
        is_starting = now.state is DomainState.PAUSED and now.reason == PausedReason.STARTING_UP
        if not is_starting or before is None or before.active or texts[1] is None:
            return facts, texts
        # Addresses, ports and processor are filled in one after the other until it runs.
        return before._replace(state=now.state, reason=now.reason), (None, texts[1])

    def parse(self, text: str) -> DomainConfig:
        return DomainConfig.parse(text)

    def lives_in_files(self, record: Record) -> bool:
        # Of a running domain libvirt changes some things, as by `memtune --live`, and keeps them in its memory only.
        return record.persistent and not record.active

    def brief(self, connection: libvirt.virConnect) -> Brief | None:
        saved = _uuids(connection.listAllDomains, libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)
        snapshots = _uuids(connection.listAllDomains, libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT)
        if saved is None or snapshots is None:
            return None
        checkpoints = _uuids(connection.listAllDomains, libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT) or set()
        return {"has_managed_save": saved, "has_snapshots": snapshots, "has_checkpoints": checkpoints}


class PlainKind(Kind):
    """A kind whose calls differ from those of the others in their names only.

    Parameters:
        name: the word for it.
        record: the class of its records.
        list_all: lists all over a connection, with flags.
        lookup: finds one over a connection, by its key.
        filters: the flags of `list_all` that tell what is inactive, transient and started automatically; None where
            the kind does not have this.
        inactive_flag: the flag of XMLDesc for the definition; None where there is one XML only.
        has_uuid: whether its key is a UUID.
        parser: makes the parsed form of its XML; None for a kind without a mapping.
        parts: what its objects have parts of.
        in_files: whether libvirt writes a file, or tells of an event, whenever the XML of one changes.
    """

    facts_class = Facts

    def __init__(
        self,
        name: str,
        record: type[Record],
        list_all: Callable[[libvirt.virConnect, int], list[Any]],
        lookup: Callable[[libvirt.virConnect, str], Any],
        filters: tuple[int | None, int | None, int | None],
        inactive_flag: int | None,
        has_uuid: bool,
        parser: Callable[[str], Any] | None = None,
        parts: tuple[PartKind, ...] = (),
        in_files: bool = False,
    ) -> None:
        self.parts = parts
        self._in_files = in_files
        self.name = name
        self.record = record
        self._list_all = list_all
        self._lookup = lookup
        self._filters = filters
        self._inactive_flag = inactive_flag
        self._has_uuid = has_uuid
        self._parser = parser

    def parse(self, text: str) -> Any:
        return None if self._parser is None else self._parser(text)

    def lives_in_files(self, record: Record) -> bool:
        return self._in_files

    def _key(self, handle: Any) -> str:
        key: str = handle.UUIDString() if self._has_uuid else handle.name()
        return key

    def _keys(self, connection: libvirt.virConnect, flags: int | None) -> set[str]:
        if flags is None:
            return set()
        handles = _ask(lambda: self._list_all(connection, flags), [])
        return {self._key(handle) for handle in handles}

    def handles(self, connection: libvirt.virConnect) -> dict[str, Any]:
        return {self._key(handle): handle for handle in _list(partial(self._list_all, connection))}

    def listing(self, connection: libvirt.virConnect) -> Listing:
        inactive, transient, autostart = (self._keys(connection, flags) for flags in self._filters)
        return {
            key: (
                handle,
                Facts(
                    name=handle.name(),
                    uuid=key if self._has_uuid else "",
                    active=key not in inactive,
                    persistent=key not in transient,
                    autostart=key in autostart,
                ),
            )
            for key, handle in self.handles(connection).items()
        }

    def lookup(self, connection: libvirt.virConnect, key: str) -> Any:
        return self._lookup(connection, key)

    def facts(self, handle: Any) -> Facts:
        inactive, transient, autostart = self._filters
        return Facts(
            name=handle.name(),
            uuid=handle.UUIDString() if self._has_uuid else "",
            active=inactive is None or bool(_ask(handle.isActive, 1)),
            persistent=transient is None or bool(_ask(handle.isPersistent, 1)),
            autostart=autostart is not None and bool(_ask(handle.autostart)),
        )

    def texts(
        self, handle: Any, facts: tuple[Any, ...], read_only: bool, kept: Texts = NO_TEXTS
    ) -> tuple[str | None, str | None]:
        active, persistent = facts[2], facts[3]
        live = handle.XMLDesc(0) if active or self._inactive_flag is None else None
        defined = None
        if self._inactive_flag is not None and (persistent or not active):
            flags = self._inactive_flag
            defined = _described(handle, flags, None if active else 0)
        return live, defined


DOMAIN = DomainKind()

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        DOMAIN,
        PlainKind(
            "network",
            Network,
            lambda connection, flags: connection.listAllNetworks(flags),
            lambda connection, key: connection.networkLookupByUUIDString(key),
            (
                libvirt.VIR_CONNECT_LIST_NETWORKS_INACTIVE,
                libvirt.VIR_CONNECT_LIST_NETWORKS_TRANSIENT,
                libvirt.VIR_CONNECT_LIST_NETWORKS_AUTOSTART,
            ),
            libvirt.VIR_NETWORK_XML_INACTIVE,
            True,
            NetworkConfig.parse,
        ),
        PlainKind(
            "pool",
            Pool,
            lambda connection, flags: connection.listAllStoragePools(flags),
            lambda connection, key: connection.storagePoolLookupByUUIDString(key),
            (
                libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE,
                libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT,
                libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART,
            ),
            libvirt.VIR_STORAGE_XML_INACTIVE,
            True,
            PoolConfig.parse,
            (STORAGE_VOLUMES,),
        ),
        PlainKind(
            "nodedev",
            NodeDevice,
            lambda connection, flags: connection.listAllDevices(flags),
            lambda connection, key: connection.nodeDeviceLookupByName(key),
            (None, None, None),
            None,
            False,
            NodeDeviceConfig.parse,
        ),
        PlainKind(
            "nwfilter",
            NWFilter,
            lambda connection, flags: connection.listAllNWFilters(flags),
            lambda connection, key: connection.nwfilterLookupByUUIDString(key),
            (None, None, None),
            None,
            True,
            FilterConfig.parse,
            in_files=True,
        ),
        PlainKind(
            "interface",
            Interface,
            lambda connection, flags: connection.listAllInterfaces(flags),
            lambda connection, key: connection.interfaceLookupByName(key),
            (libvirt.VIR_CONNECT_LIST_INTERFACES_INACTIVE, None, None),
            libvirt.VIR_INTERFACE_XML_INACTIVE,
            False,
        ),
    )
}
