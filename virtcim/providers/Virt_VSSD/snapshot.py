"""What the settings of a guest have that are those of a snapshot: when, how and on what it was taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from virtcim.libhelper.documents.snapshot import SnapshotConfig
from virtcim.providers.interface import CIMValue
from virtcim.providers.properties import MappedField, Property, PropertyTable
from virtcim.providers.snapshots import SnapshotType
from virtcim.providers.states import EnabledState

if TYPE_CHECKING:
    from virtcim.providers.guest import Configuration

__all__ = ["SNAPSHOT"]


class _Setting(Protocol):
    """Settings, as far as this needs them."""

    @property
    def configuration(self) -> Configuration: ...


_STATES = {
    "running": EnabledState.ENABLED,
    "blocked": EnabledState.ENABLED,
    "paused": EnabledState.QUIESCE,
    "pmsuspended": EnabledState.ENABLED_BUT_OFFLINE,
    "shutdown": EnabledState.SHUTTING_DOWN,
    "shutoff": EnabledState.DISABLED,
    "crashed": EnabledState.DISABLED,
    "disk-snapshot": EnabledState.NOT_APPLICABLE,
}
"""libvirt's words for the state of a guest when a snapshot was taken.  One of disks alone is of no state."""


def _of_snapshot(name: str, get: Callable[[SnapshotConfig], CIMValue], *fields: MappedField) -> Property[_Setting]:
    """A property that only the settings of a snapshot have."""

    def value(setting: _Setting) -> CIMValue:
        snapshot = setting.configuration.snapshot
        config = None if snapshot is None else snapshot.config
        return None if config is None else get(config)

    source = "snapshot XML " + ", ".join(SnapshotConfig.field_path(field.name) for field in fields)
    return Property(name, value, f"{source}; only of a snapshot")


def _type_of(config: SnapshotConfig) -> int:
    if not config.is_external:
        return int(SnapshotType.FULL)
    return int(SnapshotType.MEMORY if config.has_memory else SnapshotType.DISK)


SNAPSHOT = PropertyTable[_Setting](
    _of_snapshot("ConfigurationName", lambda config: config.name, SnapshotConfig.name),
    _of_snapshot("CreationTime", lambda config: config.created, SnapshotConfig.creation_time),
    _of_snapshot("SnapshotType", _type_of, SnapshotConfig.memory_snapshot, SnapshotConfig.disks),
    _of_snapshot(
        "SnapshotState",
        lambda config: int(_STATES.get(config.state or "", EnabledState.UNKNOWN)),
        SnapshotConfig.state,
    ),
    _of_snapshot("MemoryFile", lambda config: config.memory_file, SnapshotConfig.memory_file),
    _of_snapshot(
        "SnapshotDisks",
        lambda config: [disk.name for disk in config.disks if disk.snapshot != "no" and disk.name] or None,
        SnapshotConfig.disks,
    ),
    _of_snapshot(
        "Overlays",
        lambda config: (
            [disk.source_file or disk.source_dev or "" for disk in config.disks if disk.snapshot != "no" and disk.name]
            if config.is_external
            else None
        ),
        SnapshotConfig.disks,
    ),
)
