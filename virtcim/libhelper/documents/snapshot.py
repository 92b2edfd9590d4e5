"""Snapshots and checkpoints: what `<domainsnapshot>` and `<domaincheckpoint>` hold.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.xml.editing import MappedDocument
from virtcim.libhelper.xml.mapping import Int, Items, Mapped, Text

__all__ = [
    "CheckpointConfig",
    "CheckpointDisk",
    "CheckpointDocument",
    "SnapshotConfig",
    "SnapshotDisk",
    "SnapshotDocument",
]


class SnapshotDisk(Mapped):
    """A `<disk>` of a snapshot: how a disk of the guest is taken in, and where the guest goes on writing.

    The fields of the source are those of the overlay that an external snapshot makes.
    """

    tag = "disk"
    name = Text("@name")
    snapshot = Text("@snapshot")
    type = Text("@type")
    driver_type = Text("driver/@type")
    source_file = Text("source/@file")
    source_dev = Text("source/@dev")


class CheckpointDisk(Mapped):
    """A `<disk>` of a checkpoint: whether what is written to it from then on is taken down, and in which bitmap."""

    tag = "disk"
    name = Text("@name")
    checkpoint = Text("@checkpoint")
    bitmap = Text("@bitmap")
    size = Int("@size", writable=False)


class _Moment(Mapped):
    """What a snapshot and a checkpoint have in common."""

    name = Text("name")
    description = Text("description")
    creation_time = Int("creationTime", writable=False)
    parent_name = Text("parent/name", writable=False)
    domains = Items("domain", DomainConfig, writable=False)

    @property
    def domain(self) -> DomainConfig | None:
        """The guest as it was; None where libvirt keeps nothing of it."""
        return self.domains[0] if self.domains else None

    @property
    def created(self) -> datetime | None:
        """When it was made, in UTC; None where that is not known."""
        if self.creation_time is None:
            return None
        try:
            return datetime.fromtimestamp(self.creation_time, UTC)
        except (OverflowError, ValueError, OSError):
            return None


class SnapshotConfig(_Moment):
    """A snapshot of a domain."""

    tag = "domainsnapshot"
    state = Text("state", writable=False)
    memory_snapshot = Text("memory/@snapshot")
    memory_file = Text("memory/@file")
    disks = Items("disks/disk", SnapshotDisk)

    @property
    def is_external(self) -> bool:
        """Whether anything of it lies outside the images that the guest had."""
        return self.memory_snapshot == "external" or any(disk.snapshot == "external" for disk in self.disks)

    @property
    def has_memory(self) -> bool:
        """Whether it holds the memory of the guest."""
        return self.memory_snapshot in ("internal", "external")


class CheckpointConfig(_Moment):
    """A checkpoint of a domain."""

    tag = "domaincheckpoint"
    disks = Items("disks/disk", CheckpointDisk)


Config = TypeVar("Config", bound=_Moment)


class _MomentDocument(MappedDocument[Config]):
    """The XML of one snapshot or checkpoint, for editing: what is not asked for stays as it is, the guest and what only
    libvirt understands (`<cookie>`) among it."""

    def set(self, values: Mapping[str, Any]) -> Config:
        """Set fields of the root element; None removes one.

        Parameters:
            values: by name of the field.

        Returns:
            the object as it is now.

        Raises:
            ValueRejectedError: an unknown or read-only field, or a value that cannot be written.
        """
        self._write(self._root, self.config_class, values)
        return self.config


class SnapshotDocument(_MomentDocument[SnapshotConfig]):
    """The XML of one snapshot, for editing."""

    config_class = SnapshotConfig


class CheckpointDocument(_MomentDocument[CheckpointConfig]):
    """The XML of one checkpoint, for editing."""

    config_class = CheckpointConfig
