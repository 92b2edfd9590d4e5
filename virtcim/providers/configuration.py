"""Configurations of guests: what a guest is, and what it is going to be at its next start.

Layer rule: imports `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING

from virtcim.providers.deviceids import DeviceEntry, device_entries
from virtcim.providers.memo import Memo

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import DomainConfig
    from virtcim.libhelper.inventory.records import Snapshot
    from virtcim.providers.guest import Guest

__all__ = ["CHANGEABLE_TYPE", "Configuration", "ConfigurationKind"]

_NOT_CHANGEABLE, _CHANGEABLE_TRANSIENT, _CHANGEABLE_PERSISTENT = 0, 1, 2

CHANGEABLE_TYPE = "domain state: what is changed in a running domain does not last; a snapshot cannot be changed"
"""Where `Configuration.changeable_type` comes from, for people."""


class ConfigurationKind(enum.Enum):
    """What a configuration is of (DSP1057): of the guest as it is now, of its next start where that is another one, or
    of the guest as it was when a snapshot was taken."""

    STATE = enum.auto()
    DEFINED = enum.auto()
    SNAPSHOT = enum.auto()


class Configuration(Memo):
    """One configuration of a guest: what a VirtualSystemSettingData and its ResourceAllocationSettingData show.

    Attributes:
        guest: the guest.
        config: the domain XML.
        kind: what it is the configuration of.
        instance_id: of the setting data.
        snapshot: of which it is the configuration; None where it is of none.
    """

    __slots__ = ("_entries", "_start", "config", "guest", "instance_id", "kind", "snapshot")

    def __init__(
        self, guest: Guest, config: DomainConfig, kind: ConfigurationKind, snapshot: Snapshot | None = None
    ) -> None:
        super().__init__()
        self.guest = guest
        self.config = config
        self.kind = kind
        self.snapshot = snapshot
        if snapshot is not None:
            name = f"{guest.name}/{guest.snapshot_word}/{snapshot.name}"
        elif self.is_present:
            name = guest.name
        else:
            name = f"{guest.name}/{guest.defined_word}"
        self.instance_id = f"{guest.platform.prefix}:{name}"
        self._start = f"{name}/"
        self._entries: dict[str, DeviceEntry] | None = None

    @property
    def is_present(self) -> bool:
        """Whether the guest is in this configuration now: the "state" configuration of DSP1057."""
        return self.kind is ConfigurationKind.STATE

    @property
    def is_running(self) -> bool:
        """Whether the guest runs in this configuration now."""
        return self.is_present and self.guest.domain.active

    @property
    def changeable_type(self) -> int:
        """CIM_SettingData.ChangeableType: what is changed in a running domain does not last, and a snapshot stays."""
        if self.snapshot is not None:
            return _NOT_CHANGEABLE
        return _CHANGEABLE_TRANSIENT if self.is_running else _CHANGEABLE_PERSISTENT

    @property
    def asked_memory(self) -> int | None:
        """The KiB of memory that the running guest is on its way to; None when it is there, or nothing is known."""
        if not self.is_running:
            return None
        domain, requests = self.guest.domain, self.guest.hypervisor.inventory.memory_requests
        return requests.pending(domain.uuid, domain.id, self.config.current_memory)

    def resource_id(self, identifier: str) -> str:
        """The InstanceID of the setting data of one resource."""
        return f"{self._start}{identifier}"

    def holds(self, resource_id: str) -> bool:
        """Whether this is the InstanceID of the setting data of one of the resources."""
        return resource_id.startswith(self._start) and resource_id[len(self._start) :] in self.entries

    @property
    def entries(self) -> Mapping[str, DeviceEntry]:
        """The resources by their identifiers, which are unique in the configuration."""
        if self._entries is None:
            self._entries = device_entries(self.config, self.guest.site.kinds, self._is_taken)
        return self._entries

    def _is_taken(self, identifier: str) -> bool:
        """Whether the InstanceID that a resource would have is that of another one: of the guest as it is now, or of
        a guest whose name is a part of this one's."""
        guest = self.guest
        if self.is_present and not guest.namesakes:
            return False
        resource_id = self.resource_id(identifier)
        others = [other for namesake in guest.namesakes for other in namesake.configurations]
        if not self.is_present:
            others.extend(other for other in guest.configurations if other.is_present)
        return any(other.holds(resource_id) for other in others)
