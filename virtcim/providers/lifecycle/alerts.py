"""From libvirt's events to alerts (CIM_AlertIndication): severity, cause, and what the alert is about."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from virtcim.libhelper.events import Event
from virtcim.libhelper.inventory.records import Pool
from virtcim.libhelper.troubles import Trouble, TroubleKind
from virtcim.libhelper.uris import shorten_uri
from virtcim.providers.guests import guest_as
from virtcim.providers.interface import Alert, CIMValue, Instance
from virtcim.providers.Virt_ComputerSystem import system_of
from virtcim.providers.Virt_HostSystem import host_name, hosts_of

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.platforms.base import Platform
    from virtcim.providers.guest import Guest
    from virtcim.providers.site import Site

__all__ = ["gap_alert", "hypervisor_alert", "is_full", "pool_alert", "trouble_alert"]


class AlertType(enum.IntEnum):
    """CIM_AlertIndication.AlertType."""

    OTHER = 1
    COMMUNICATIONS = 2
    QUALITY_OF_SERVICE = 3
    PROCESSING_ERROR = 4
    DEVICE = 5


class Severity(enum.IntEnum):
    """CIM_AlertIndication.PerceivedSeverity."""

    INFORMATION = 2
    WARNING = 3
    MINOR = 4
    MAJOR = 5
    CRITICAL = 6


class Cause(enum.IntEnum):
    """CIM_AlertIndication.ProbableCause, as far as it is used here."""

    UNKNOWN = 0
    CONNECTION_ESTABLISHMENT = 5
    IO_DEVICE = 24
    SOFTWARE_ERROR = 47
    PROGRAM_ENDED = 48
    STORAGE_CAPACITY = 50
    THRESHOLD_CROSSED = 52
    PREVIOUS_CLEARED = 59
    MEMORY_MISMATCH = 106
    TIMEOUT = 111
    INFORMATION_MISSING = 122
    PROCEDURAL_ERROR = 129


class Meaning(NamedTuple):
    """What an alert is to whoever gets it.

    Attributes:
        message: MessageID; the same for all alerts of a kind.
    """

    message: str
    type: AlertType
    severity: Severity
    cause: Cause


MEANINGS: Mapping[TroubleKind, Meaning] = {
    TroubleKind.IO_ERROR: Meaning("VIRT0001", AlertType.DEVICE, Severity.MAJOR, Cause.IO_DEVICE),
    TroubleKind.WATCHDOG: Meaning("VIRT0002", AlertType.PROCESSING_ERROR, Severity.MAJOR, Cause.TIMEOUT),
    TroubleKind.THRESHOLD: Meaning("VIRT0003", AlertType.QUALITY_OF_SERVICE, Severity.WARNING, Cause.THRESHOLD_CROSSED),
    TroubleKind.PANIC: Meaning("VIRT0004", AlertType.PROCESSING_ERROR, Severity.CRITICAL, Cause.SOFTWARE_ERROR),
    TroubleKind.CRASH: Meaning("VIRT0005", AlertType.PROCESSING_ERROR, Severity.CRITICAL, Cause.PROGRAM_ENDED),
    TroubleKind.FAILURE: Meaning("VIRT0006", AlertType.PROCESSING_ERROR, Severity.CRITICAL, Cause.PROGRAM_ENDED),
    TroubleKind.MEMORY_FAILURE: Meaning("VIRT0007", AlertType.DEVICE, Severity.CRITICAL, Cause.MEMORY_MISMATCH),
    TroubleKind.REMOVAL_FAILED: Meaning("VIRT0008", AlertType.DEVICE, Severity.WARNING, Cause.PROCEDURAL_ERROR),
    TroubleKind.CONTROL_ERROR: Meaning("VIRT0009", AlertType.COMMUNICATIONS, Severity.MAJOR, Cause.UNKNOWN),
}
LOST = Meaning("VIRT0010", AlertType.COMMUNICATIONS, Severity.MAJOR, Cause.CONNECTION_ESTABLISHMENT)
FOUND = Meaning("VIRT0011", AlertType.COMMUNICATIONS, Severity.INFORMATION, Cause.PREVIOUS_CLEARED)
GAP = Meaning("VIRT0012", AlertType.OTHER, Severity.WARNING, Cause.INFORMATION_MISSING)
FULL = Meaning("VIRT0013", AlertType.QUALITY_OF_SERVICE, Severity.MAJOR, Cause.STORAGE_CAPACITY)

FULL_SHARE = 0.05
"""The part of a pool that is left when it counts as full."""


def trouble_alert(site: Site, hypervisor: Hypervisor, event: Event, trouble: Trouble) -> Alert:
    """The alert about trouble of a guest."""
    guest = _guest(site, hypervisor, event)
    element = None if guest is None else system_of(guest)
    meaning = MEANINGS[trouble.kind]
    return _alert(site, meaning, element, event.object_name, f"guest {event.object_name}: {trouble.text}", event.time)


def hypervisor_alert(site: Site, hypervisor: Hypervisor, found: bool, time: datetime) -> Alert:
    """The alert that a hypervisor was lost, or is found again."""
    text = "it answers again" if found else "it does not answer any more"
    meaning = FOUND if found else LOST
    name = shorten_uri(hypervisor.uri)
    return _alert(site, meaning, _host(site, hypervisor), name, f"{name}: {text}", time)


def gap_alert(site: Site, hypervisor: Hypervisor, time: datetime) -> Alert:
    """The alert that some time was not followed: what changed then is told as one difference."""
    name = shorten_uri(hypervisor.uri)
    text = f"{name}: it was not followed for a time; what changed meanwhile is told as one difference"
    return _alert(site, GAP, _host(site, hypervisor), name, text, time)


def pool_alert(site: Site, pool: Pool, element: Instance | None, time: datetime) -> Alert:
    """The alert that a storage pool ran full."""
    config = pool.config
    left = 0 if config is None else config.available or 0
    return _alert(site, FULL, element, pool.name, f"storage pool {pool.name}: {left} bytes are left", time)


def is_full(pool: Pool) -> bool:
    """Whether a storage pool has hardly any room left."""
    config = pool.config
    if config is None or not config.capacity or config.available is None:
        return False
    return config.available < config.capacity * FULL_SHARE


def _alert(site: Site, meaning: Meaning, element: Instance | None, name: str, text: str, time: datetime) -> Alert:
    properties: dict[str, CIMValue] = {
        "AlertType": int(meaning.type),
        "PerceivedSeverity": int(meaning.severity),
        "ProbableCause": int(meaning.cause),
        "OwningEntity": "virtcim",
        "MessageID": meaning.message,
        "Message": text,
        "Description": text,
        "MessageArguments": (name,),
    }
    if meaning.type is AlertType.OTHER:
        properties["OtherAlertType"] = "Gap"
    return Alert(site.namespace, element, name, properties, time)


def _platforms(site: Site, hypervisor: Hypervisor) -> list[Platform]:
    return [each for each in site.platforms if hypervisor in site.hypervisors(each)]


def _guest(site: Site, hypervisor: Hypervisor, event: Event) -> Guest | None:
    domain = hypervisor.inventory.domain_by_uuid(event.key)
    for platform in _platforms(site, hypervisor):
        if domain is not None:
            return guest_as(site, platform, domain)
    return None


def _host(site: Site, hypervisor: Hypervisor) -> Instance | None:
    for platform in _platforms(site, hypervisor):
        for host in hosts_of(site, platform):
            if host.name == host_name(hypervisor):
                return host
    return None
