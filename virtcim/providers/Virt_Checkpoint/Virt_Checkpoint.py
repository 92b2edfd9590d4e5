"""Checkpoints of guests: since when what is written to their disks is taken down, as <prefix>_Checkpoint."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Self

from virtcim.libhelper.documents.snapshot import CheckpointConfig
from virtcim.providers.base import Element, ElementProvider, MainKey, trimmed
from virtcim.providers.guest import Guest
from virtcim.providers.interface import Status
from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.sources import GuestSource

if TYPE_CHECKING:
    from virtcim.libhelper.inventory.records import Checkpoint as CheckpointRecord
    from virtcim.platforms.base import Platform
    from virtcim.providers.site import Site

__all__ = ["Checkpoint", "CheckpointProvider", "checkpoints_of"]

_WORD = "/checkpoint/"
"""Between the name of a guest and that of a checkpoint, which has no slash."""


class _Checkpoints(GuestSource):
    """Guests, by InstanceIDs of their checkpoints."""

    def owners_near(self, site: Site, platform: Platform, key: str) -> Iterable[Guest]:
        prefix, _, name = key.partition(":")
        if prefix.casefold() != platform.prefix.casefold():
            return ()
        return super().owners_near(site, platform, name.rpartition(_WORD)[0])


class Checkpoint(Element):
    """A checkpoint of a guest (Virt_Checkpoint).

    Attributes:
        guest: of which it is.
        record: what the inventory knows of it.
        config: what describes it.
    """

    __slots__ = ("config", "guest", "record")

    base = "Checkpoint"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No such instance (InstanceID)", Status.NOT_FOUND)
    source = _Checkpoints()

    def __init__(self, guest: Guest, record: CheckpointRecord, config: CheckpointConfig) -> None:
        self.guest = guest
        self.record = record
        self.config = config
        super().__init__(guest.site, guest.platform, f"{guest.platform.prefix}:{guest.name}{_WORD}{record.name}")

    @classmethod
    def made_from(cls, owner: Guest) -> Iterable[Self]:
        return owner.memo(cls, cls._of)

    @classmethod
    def _of(cls, guest: Guest) -> tuple[Self, ...]:
        found = ((each, each.config) for each in guest.domain.checkpoints or ())
        return tuple(cls(guest, record, config) for record, config in found if config is not None)

    @property
    def name(self) -> str:
        """Its name, unique among the checkpoints of the guest."""
        return self.record.name

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision


def checkpoints_of(guest: Guest) -> Sequence[Checkpoint]:
    """The checkpoints of a guest, sorted by name."""
    return tuple(Checkpoint.made_from(guest))


def _disks(checkpoint: Checkpoint) -> list[str] | None:
    return [each.name for each in checkpoint.config.disks if each.name and each.checkpoint != "no"] or None


Checkpoint.table = PropertyTable(
    Property("InstanceID", lambda checkpoint: str(checkpoint.identity), "names of the guest and of the checkpoint"),
    Property("ElementName", lambda checkpoint: checkpoint.name, "checkpoint XML name"),
    Property("ConfigurationName", lambda checkpoint: checkpoint.name, "checkpoint XML name"),
    Property(
        "Caption", lambda checkpoint: trimmed(f"Checkpoint {checkpoint.name} of {checkpoint.guest.name}"), "its name"
    ),
    Property("Description", lambda checkpoint: checkpoint.config.description, "checkpoint XML description"),
    Property("CreationTime", lambda checkpoint: checkpoint.config.created, "checkpoint XML creationTime"),
    Property("Disks", _disks, "checkpoint XML disks/disk/@name of those that are taken in"),
    constant("ChangeableType", 0, "always Not Changeable"),
)


class CheckpointProvider(ElementProvider):
    """Serves <prefix>_Checkpoint."""

    name = "Virt_Checkpoint"
    types = (Checkpoint,)
