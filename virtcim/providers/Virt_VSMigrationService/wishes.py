"""What a client wants of a migration: from <prefix>_VirtualSystemMigrationSettingData to an order for libvirt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from virtcim.immutable import immutable
from virtcim.libhelper.migrations import MigrationKind, MigrationOrder
from virtcim.providers.interface import CIMError, CIMValue, EmbeddedInstance, Status
from virtcim.providers.units import rate_in
from virtcim.providers.values import number_of, text_of
from virtcim.providers.Virt_VSMigrationService.transport import Transport

if TYPE_CHECKING:
    from virtcim.providers.migrationsettings import MigrationSettings
    from virtcim.providers.Virt_VSMigrationService.destination import Destination

__all__ = ["Wish", "wish_of", "with_addresses"]

_MIB = 1 << 20


KINDS: Mapping[int, MigrationKind] = {
    1: MigrationKind.OFFLINE,
    2: MigrationKind.LIVE,
    3: MigrationKind.RESUME,
    4: MigrationKind.RESTART,
}
"""CIM_VirtualSystemMigrationSettingData.MigrationType."""

_UNIX_TRANSPORT = 32768
"""What libvirt-cim called a Unix socket."""

_FLAGS = {
    "PeerToPeer": "peer_to_peer",
    "Tunnelled": "tunnelled",
    "EncryptData": "tls",
    "Compressed": "compressed",
    "AutoConverge": "auto_converge",
    "PostCopy": "postcopy",
    "CopyStorage": "copy_storage",
    "IncrementalCopy": "incremental",
    "KeepSource": "keep_source",
    "StayPaused": "paused",
}
"""Booleans, and the fields of an order that they are."""

_NUMBERS = {
    "DowntimeLimit": "downtime",
    "PostCopyBandwidth": "postcopy_bandwidth",
    "PostCopyAfter": "postcopy_after",
    "ParallelConnections": "parallel",
}
"""Numbers, and the fields of an order that they are."""

_LARGEST = 0x7FFFFFFF


@immutable
class Wish:
    """What a client wants of a migration.

    Attributes:
        order: for libvirt; its URIs are still to be settled.
        transport: how the hosts are to talk; None where the client says nothing.
        priority: which of several that wait goes first: the lower, the sooner.
        force: whether to begin it though a check forbids it.
        check_parameters: lines for the administrator's checks.
        data_uri, disks_uri: where the client wants QEMU to listen; "" where it says nothing.
    """

    order: MigrationOrder
    transport: Transport | None = None
    priority: int = 0
    force: bool = False
    check_parameters: tuple[str, ...] = ()
    data_uri: str = ""
    disks_uri: str = ""


def wish_of(setting: EmbeddedInstance | None, shutdown_timeout: float) -> Wish:
    """Read MigrationSettingData; live and with libvirt's defaults where it is not given.

    Parameters:
        setting: as the client sent it.
        shutdown_timeout: seconds that a guest gets that is to be started anew.

    Raises:
        CIMError: FAILED as libvirt-cim has it for an unknown type; INVALID_PARAMETER for a value that cannot be.
    """
    given = {} if setting is None else {name: each for name, each in setting.properties.items() if each is not None}
    number = number_of(given.get("MigrationType"), "MigrationType")
    kind = KINDS.get(2 if number is None else number)
    if kind is None:
        raise CIMError(Status.FAILED, f"Unsupported migration type {number}")
    fields: dict[str, object] = {field: _flag(given.get(name), name) for name, field in _FLAGS.items()}
    for name, field in _NUMBERS.items():
        if (value := _amount(given.get(name), name)) is not None:
            fields[field] = value
    persistent = given.get("Persistent")
    order = replace(
        MigrationOrder(kind=kind, bandwidth=_bandwidth(given), shutdown_timeout=shutdown_timeout),
        persistent=None if persistent is None else _flag(persistent, "Persistent"),
        disks=_texts(given.get("CopyDisks"), "CopyDisks"),
        **fields,  # type: ignore[arg-type]
    )
    if order.disks:
        order = replace(order, copy_storage=True)
    if order.postcopy and given.get("PeerToPeer") is None:
        # Over the server's connections the daemon at the new place would end the guest together with the server.
        order = replace(order, peer_to_peer=True)
    return Wish(
        order,
        _transport(given),
        number_of(given.get("Priority"), "Priority") or 0,
        _flag(given.get("Force"), "Force"),
        _texts(given.get("CheckParameters"), "CheckParameters"),
        text_of(given.get("MigrateURI"), "MigrateURI") or "",
        text_of(given.get("DisksURI"), "DisksURI") or "",
    )


def with_addresses(wish: Wish, destination: Destination, uuid: str, settings: MigrationSettings) -> MigrationOrder:
    """Settle where QEMU listens for memory and disks.

    Parameters:
        wish: of the client.
        destination: where the guest goes; where its node says where guests migrate to, that is used unless the client
            says something else.
        uuid: of the guest.
        settings: of migrations.

    Raises:
        CIMError: INVALID_PARAMETER for an address that is not the destination's, or is a file; NOT_SUPPORTED for
            sockets without a directory for them.
    """
    order = wish.order
    if wish.transport is Transport.SSH and destination.hypervisor is None:
        order = replace(order, tunnelled=order.tunnelled or _may_tunnel(order))
    if wish.transport in (Transport.TLS, Transport.TLS_STRICT):
        order = replace(order, tls=not order.tunnelled)
    if wish.transport is Transport.IPC and not order.tunnelled:
        directory = settings.socket_directory
        if directory is None:
            raise CIMError(
                Status.NOT_SUPPORTED,
                "TransportType: 6 (IPC) is not available; expected the setting providers.migration.socket_directory",
            )
        order = replace(order, data_uri=f"unix:{directory}/{uuid}.memory", disks_uri=f"unix://{directory}/{uuid}.disks")
    for name, uri in (("MigrateURI", wish.data_uri), ("DisksURI", wish.disks_uri)):
        if uri:
            _check_address(uri, name, destination)
    usual = "" if destination.site is None or order.tunnelled else destination.site.migrate_uri
    return replace(
        order, data_uri=wish.data_uri or order.data_uri or usual, disks_uri=wish.disks_uri or order.disks_uri
    )


def _may_tunnel(order: MigrationOrder) -> bool:
    """Whether libvirt can send all of it through one connection."""
    return not (order.copy_storage or order.tls or order.parallel or order.postcopy or order.moves_definition_only)


_ADDRESS = re.compile(
    r"(tcp|tcps)://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?/?|tcp:[A-Za-z0-9._-]+(?::[0-9]{1,5})?"
)


def _check_address(uri: str, name: str, destination: Destination) -> None:
    """Refuse an address that is a file, or on another host than the destination."""
    if not _ADDRESS.fullmatch(uri):
        raise CIMError(Status.INVALID_PARAMETER, f"{name}: {uri!r} cannot be; expected tcp://HOST or tcp://HOST:PORT")
    host = urlsplit(uri).hostname or uri.removeprefix("tcp:").partition(":")[0]
    own = {destination.place.name, urlsplit(destination.place.uri).hostname or ""}
    if destination.hypervisor is not None:
        own.add(destination.hypervisor.hostname)
    if host.casefold() not in {each.casefold() for each in own if each}:
        raise CIMError(Status.INVALID_PARAMETER, f"{name}: {host!r} is another host; expected {destination.place.name}")


def _transport(given: Mapping[str, CIMValue]) -> Transport | None:
    number = number_of(given.get("TransportType"), "TransportType")
    if number in (None, 0):
        return None
    if number == _UNIX_TRANSPORT:
        return Transport.IPC
    try:
        return Transport(number or 0)
    except ValueError:
        raise CIMError(Status.FAILED, "Failed to construct a valid libvirt URI") from None


def _bandwidth(given: Mapping[str, CIMValue]) -> int:
    """MiB/s; 0 for no limit."""
    number = _amount(given.get("Bandwidth"), "Bandwidth")
    unit = text_of(given.get("BandwidthUnit"), "BandwidthUnit")
    if not number:
        return 0
    if unit is None or not unit.strip():
        return number
    if unit.strip().casefold() == "percent":
        if number == 100:
            return 0
        raise CIMError(
            Status.INVALID_PARAMETER,
            "BandwidthUnit: percent means nothing where the capacity of the network is not known; expected a rate, "
            "such as byte / second * 10^6",
        )
    rate = rate_in(unit)
    if rate is None:
        raise CIMError(Status.INVALID_PARAMETER, f"BandwidthUnit: {unit!r} is not the unit of a rate")
    return max(1, int(number * rate / _MIB))


def _flag(value: CIMValue, name: str) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise CIMError(Status.INVALID_PARAMETER, f"`{name}': is {type(value).__name__}; expected a boolean")


def _amount(value: CIMValue, name: str) -> int | None:
    number = number_of(value, name)
    if number is not None and not 0 <= number <= _LARGEST:
        raise CIMError(Status.INVALID_PARAMETER, f"{name}: {number} cannot be; expected at most {_LARGEST}")
    return number


def _texts(value: CIMValue, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise CIMError(Status.INVALID_PARAMETER, f"`{name}': expected an array of strings")
    return tuple(str(each) for each in value)
