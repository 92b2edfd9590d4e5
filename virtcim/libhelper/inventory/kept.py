"""Records as plain values, for what outlives the process: the last known state of each object.

Layer rule: imports kinds and records.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from virtcim.immutable import immutable
from virtcim.libhelper.inventory.kinds import DOMAIN, KINDS
from virtcim.libhelper.inventory.parts import PartKind
from virtcim.libhelper.inventory.records import Document, Domain, Part, Record
from virtcim.libhelper.states import DomainState

__all__ = ["KIND_NAMES", "KeptPart", "KeptRecord", "are_listed", "pack", "unpack"]

KIND_NAMES: Mapping[type[Record], str] = {kind.record: kind.name for kind in KINDS.values()}
"""What the inventory calls a kind of records."""


@immutable
class KeptPart:
    """A part of an object, such as a volume.

    Attributes:
        name, key: as `records.Part` has them.
        text: its XML, compressed, in Base64.
        traits: as `records.Part` has them.
    """

    name: str
    key: str
    text: str
    traits: Mapping[str, bool] = field(default_factory=dict)


@immutable
class KeptRecord:
    """A record.

    Attributes:
        uri: of the hypervisor.
        kind: what the inventory calls its kind.
        name, uuid, active, persistent, autostart: as `records.Record` has them.
        live, defined: the XML, compressed, in Base64; None where there is none.
        parts: by kind.
        domain_id, state, reason, has_managed_save, has_snapshots, has_checkpoints, state_changed, capacities,
            relocating: of a domain, as `records.Domain` has them.
    """

    uri: str
    kind: str
    name: str
    uuid: str
    active: bool
    persistent: bool
    autostart: bool
    live: str | None
    defined: str | None
    parts: Mapping[str, tuple[KeptPart, ...]] = field(default_factory=dict)
    domain_id: int | None = None
    state: int = 0
    reason: int = 0
    has_managed_save: bool = False
    has_snapshots: bool = False
    state_changed: datetime | None = None
    has_checkpoints: bool = False
    capacities: Mapping[str, int] = field(default_factory=dict)
    relocating: bool = False


def pack(record: Record) -> KeptRecord:
    """Make plain values of a record."""
    of_domain: dict[str, Any] = {}
    if isinstance(record, Domain):
        of_domain = {
            "domain_id": record.id,
            "state": int(record.state),
            "reason": int(record.reason),
            "has_managed_save": record.has_managed_save,
            "has_snapshots": record.has_snapshots,
            "has_checkpoints": record.has_checkpoints,
            "state_changed": record.state_changed,
            "capacities": dict(record.capacities),
            "relocating": record.relocating,
        }
    return KeptRecord(
        uri=record.uri,
        kind=KIND_NAMES[type(record)],
        name=record.name,
        uuid=record.uuid,
        active=record.active,
        persistent=record.persistent,
        autostart=record.autostart,
        live=_packed(record.live_document),
        defined=_packed(record.defined_document),
        parts={name: tuple(_kept_part(part) for part in parts) for name, parts in record.parts.items()},
        **of_domain,
    )


def are_listed(record: Record) -> bool:
    """Whether all parts of a record have been listed."""
    return all(part.name in record.parts for part in KINDS[KIND_NAMES[type(record)]].parts)


def unpack(kept: KeptRecord) -> Record:
    """Make a record of plain values.

    Raises:
        ValueError: they are none of a record.
    """
    kind = KINDS.get(kept.kind)
    if kind is None:
        raise ValueError(f"no kind of objects is called {kept.kind!r}")
    values: dict[str, Any] = {}
    if kind is DOMAIN:
        state = DomainState(kept.state)
        values = {
            "id": kept.domain_id,
            "state": state,
            "reason": kept.reason,
            "has_managed_save": kept.has_managed_save,
            "has_snapshots": kept.has_snapshots,
            "has_checkpoints": kept.has_checkpoints,
            "state_changed": kept.state_changed,
            "capacities": dict(kept.capacities),
            "relocating": kept.relocating,
        }
    known_parts = {part.name: part for part in kind.parts}
    return kind.record(
        uri=kept.uri,
        name=kept.name,
        uuid=kept.uuid,
        active=kept.active,
        persistent=kept.persistent,
        autostart=kept.autostart,
        contact=True,
        revision=0,
        live_document=_document(kept.live, kind.parse),
        defined_document=_document(kept.defined, kind.parse),
        parts={
            name: tuple(_part(known_parts[name], each) for each in parts)
            for name, parts in kept.parts.items()
            if name in known_parts
        },
        **values,
    )


def _packed(document: Document[Any] | None) -> str | None:
    return None if document is None else base64.b64encode(document.compressed).decode()


def _document(packed: str | None, parse: Any) -> Document[Any] | None:
    return None if packed is None else Document.decompressed(base64.b64decode(packed, validate=True), parse)


def _kept_part(part: Part[Any]) -> KeptPart:
    text = base64.b64encode(part.document.compressed).decode()
    return KeptPart(part.name, part.key, text, dict(part.traits))


def _part(kind: PartKind, kept: KeptPart) -> Part[Any]:
    document = Document.decompressed(base64.b64decode(kept.text, validate=True), kind.parse)
    return kind.record(kept.name, kept.key, document, **kept.traits)
