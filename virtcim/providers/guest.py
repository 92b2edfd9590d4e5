"""Guests: domains of a platform, with their configurations: what a guest is, and what it is going to be at its next
start.

Everything here stays as long as the record it was made from, so that enumerating a quiet host makes no new objects.

Layer rule: imports `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.documents.domain.difference import is_as_defined
from virtcim.providers.deviceids import DeviceEntry, device_entries
from virtcim.providers.memo import Memo
from virtcim.providers.states import system_state

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.inventory.records import Document, Domain, Snapshot
    from virtcim.platforms.base import Platform
    from virtcim.providers.site import Site

__all__ = ["CHANGEABLE_TYPE", "DEFINED_WORD", "SNAPSHOT_WORD", "Configuration", "ConfigurationKind", "Guest"]

DEFINED_WORD = "defined"
"""Follows the name of a guest in the identifiers of the configuration of its next start."""
SNAPSHOT_WORD = "snapshot"
"""Follows the name of a guest in the identifiers of its snapshots, and is followed by their names."""

MAX_VERDICTS = 10_000
"""Pairs of texts that are remembered: some hundred bytes each, and two for each guest that changed while it ran."""

_VERDICTS: dict[tuple[bytes, bytes, int | None], bool] = {}
"""Whether what runs is as it is defined, by the digests of both texts and the memory that was asked for."""


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
        is_present: whether the guest is in this configuration now: the "state" configuration of DSP1057.
        is_running: whether the guest runs in this configuration now.
        changeable_type: CIM_SettingData.ChangeableType: what is changed in a running domain does not last, and a
            snapshot stays.
    """

    __slots__ = (
        "_entries",
        "_start",
        "changeable_type",
        "config",
        "guest",
        "instance_id",
        "is_present",
        "is_running",
        "kind",
        "snapshot",
    )

    def __init__(
        self, guest: Guest, config: DomainConfig, kind: ConfigurationKind, snapshot: Snapshot | None = None
    ) -> None:
        super().__init__()
        self.guest = guest
        self.config = config
        self.kind = kind
        self.snapshot = snapshot
        self.is_present = kind is ConfigurationKind.STATE
        self.is_running = self.is_present and guest.domain.active
        self.changeable_type = _CHANGEABLE_TRANSIENT if self.is_running else _CHANGEABLE_PERSISTENT
        if snapshot is not None:
            self.changeable_type = _NOT_CHANGEABLE
            name = f"{guest.name}/{guest.snapshot_word}/{snapshot.name}"
        elif self.is_present:
            name = guest.name
        else:
            name = f"{guest.name}/{guest.defined_word}"
        self.instance_id = f"{guest.platform.prefix}:{name}"
        self._start = f"{name}/"
        self._entries: dict[str, DeviceEntry] | None = None

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


class Guest(Memo):
    """One domain as a guest of a platform.

    Attributes:
        site, platform, hypervisor: where it lives.
        domain: the record of the inventory.
        name: of the domain.
        condition: its state, in the words of the DMTF.
        namesakes: guests of the platform whose names, followed by a slash, begin this one's name.
        defined_word: what tells the identifiers of the defined configuration from those of the present one.
        snapshot_word: what tells the identifiers of snapshots from those of the present configuration.
        as_recorded: whether it is just what the record says, without what is remembered beside it: a change is told
            from one record to the next.
    """

    __slots__ = (
        "as_recorded",
        "condition",
        "defined_word",
        "domain",
        "hypervisor",
        "name",
        "namesakes",
        "platform",
        "site",
        "snapshot_word",
    )

    def __init__(
        self,
        site: Site,
        platform: Platform,
        hypervisor: Hypervisor,
        domain: Domain,
        namesakes: tuple[Guest, ...] = (),
        defined_word: str = DEFINED_WORD,
        as_recorded: bool = False,
        snapshot_word: str = SNAPSHOT_WORD,
    ) -> None:
        super().__init__()
        self.site = site
        self.platform = platform
        self.hypervisor = hypervisor
        self.domain = domain
        self.name = domain.name
        self.condition = system_state(domain, platform)
        self.namesakes = namesakes
        self.defined_word = defined_word
        self.as_recorded = as_recorded
        self.snapshot_word = snapshot_word

    def __repr__(self) -> str:
        return f"<guest {self.name!r} of {self.hypervisor.uri}>"

    def forget(self) -> None:
        """Let go of what was made of it, and of its configurations, which is in circles with them."""
        for key in (Configuration, SNAPSHOT_WORD):
            for configuration in cast("Sequence[Configuration]", self._values.get(key, ())):
                configuration.forget()
        super().forget()

    @property
    def is_read_only(self) -> bool:
        """Whether nothing of it can be changed: over this connection, or because it manages its host."""
        return self.hypervisor.read_only or self.domain.manages_host

    @property
    def state(self) -> Configuration | None:
        """The configuration in which the guest is now; None when its XML could not be read."""
        configurations = self.configurations
        return configurations[0] if configurations else None

    @property
    def configurations(self) -> Sequence[Configuration]:
        """The one in which the guest is now first, then that of its next start where that is another one; none when
        its XML could not be read."""
        return self.memo(Configuration, _configurations)

    @property
    def snapshots(self) -> Sequence[Configuration]:
        """The configurations of its snapshots, sorted by their names."""
        return self.memo(SNAPSHOT_WORD, _snapshots)

    @property
    def all_configurations(self) -> Sequence[Configuration]:
        """Those in which the guest is or is going to be, and those of its snapshots."""
        return [*self.configurations, *self.snapshots]


def _configurations(guest: Guest) -> tuple[Configuration, ...]:
    """The present configuration and, of a running guest that is defined otherwise, that of its next start."""
    domain = guest.domain
    config = domain.config
    if config is None:
        return ()
    state = Configuration(guest, config, ConfigurationKind.STATE)
    live, defined, asked = domain.live_document, domain.defined_document, state.asked_memory
    if live is None or defined is None or (asked is None and live.digest_at_rest == defined.digest_at_rest):
        return (state,)
    if _agree(live, defined, asked):
        return (state,)
    next_config = domain.defined
    return (state,) if next_config is None else (state, Configuration(guest, next_config, ConfigurationKind.DEFINED))


def _agree(live: Document[DomainConfig], defined: Document[DomainConfig], asked: int | None) -> bool:
    """Whether a guest runs as it is defined.

    Most changes of a guest are none of its XML: two texts that were compared are not compared anew for each of them.
    """
    texts = live.digest, defined.digest, asked
    known = _VERDICTS.get(texts)
    if known is None:
        if len(_VERDICTS) >= MAX_VERDICTS:
            _VERDICTS.clear()
        known = _VERDICTS[texts] = is_as_defined(live.text, defined.text, asked)
    return known


def _snapshots(guest: Guest) -> tuple[Configuration, ...]:
    """The configuration of each snapshot; without any resources where libvirt does not tell what the guest was."""
    found = []
    for snapshot in guest.domain.snapshots or ():
        config = snapshot.config
        if config is not None:
            was = config.domain or DomainConfig()
            found.append(Configuration(guest, was, ConfigurationKind.SNAPSHOT, snapshot))
    return tuple(found)
