"""What is to be done when a domain is moved, and how libvirt is told.

Layer rule: imports libvirt and connections.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import libvirt

from virtcim.immutable import immutable

if TYPE_CHECKING:
    from virtcim.libhelper.connections import Connections
    from virtcim.libhelper.inventory.inventory import Inventory

__all__ = ["MigrationKind", "MigrationOrder", "Place", "flags_of", "parameters_of"]


class MigrationKind(enum.Enum):
    """How a domain is moved."""

    OFFLINE = enum.auto()
    """It does not run; its definition moves."""
    LIVE = enum.auto()
    """It goes on running."""
    RESUME = enum.auto()
    """It is halted while its memory moves, and goes on over there."""
    RESTART = enum.auto()
    """It is shut down here, and started over there."""


@immutable(eq=False)
class Place:
    """Where a domain is moved to.

    Attributes:
        name: of the host, for people.
        connections: from here.
        uri: by which the daemon of the source reaches it, where the two daemons talk to each other.
        inventory: what exists there; None for a host that is not served.
        host_uuid: of the host, where it is known already.
    """

    name: str
    connections: Connections
    uri: str
    inventory: Inventory | None = None
    host_uuid: str | None = None


@immutable
class MigrationOrder:
    """How a domain is to be moved.

    Attributes:
        kind: whether it runs meanwhile.
        peer_to_peer: let the daemon of the source do it, rather than this process over two connections.
        tunnelled: send the memory through the connection of the two daemons.
        tls: send memory and disks under TLS.
        data_uri: where QEMU listens for the memory; "" leaves it to libvirt.
        disks_uri: where QEMU listens for the disks; "" as above.
        bandwidth: MiB/s at most; 0 for no limit.
        postcopy_bandwidth: the same for what is fetched once the domain runs at its new place.
        downtime: milliseconds that the domain may stand still at the end; 0 leaves it to QEMU.
        compressed: send what changed again compressed.
        auto_converge: slow the domain down where it writes faster than can be sent.
        postcopy: let it go on at its new place before all memory is there, after `postcopy_after` passes.
        postcopy_after: passes over the memory before that.
        parallel: connections for the memory; 0 for one, in the old way.
        copy_storage: copy its disks.
        incremental: copy only the topmost image of each.
        disks: by target (`vda`), those to be copied; all that are not shared where none is named.
        persistent: whether it is to be defined at its new place; None: if it is at its old one.
        keep_source: leave its definition at the old place.
        paused: leave it paused at its new place.
        unsafe: do it though libvirt holds that it could damage the disks.
        name: at its new place; "" keeps the name.
        live_xml: of the domain as it is to run over there; "" as it is.
        defined_xml: of the domain as it is to be defined over there; "" as it is.
        shutdown_timeout: seconds that a domain gets to shut down, to be started anew over there.
    """

    kind: MigrationKind = MigrationKind.LIVE
    peer_to_peer: bool = False
    tunnelled: bool = False
    tls: bool = False
    data_uri: str = ""
    disks_uri: str = ""
    bandwidth: int = 0
    postcopy_bandwidth: int = 0
    downtime: int = 0
    compressed: bool = False
    auto_converge: bool = False
    postcopy: bool = False
    postcopy_after: int = 1
    parallel: int = 0
    copy_storage: bool = False
    incremental: bool = False
    disks: tuple[str, ...] = ()
    persistent: bool | None = None
    keep_source: bool = False
    paused: bool = False
    unsafe: bool = False
    name: str = ""
    live_xml: str = ""
    defined_xml: str = ""
    shutdown_timeout: float = 60.0

    @property
    def moves_definition_only(self) -> bool:
        """Whether libvirt moves a domain that does not run."""
        return self.kind in (MigrationKind.OFFLINE, MigrationKind.RESTART)


_FLAGS = {
    "tunnelled": libvirt.VIR_MIGRATE_TUNNELLED,
    "tls": libvirt.VIR_MIGRATE_TLS,
    "compressed": libvirt.VIR_MIGRATE_COMPRESSED,
    "auto_converge": libvirt.VIR_MIGRATE_AUTO_CONVERGE,
    "postcopy": libvirt.VIR_MIGRATE_POSTCOPY,
    "parallel": libvirt.VIR_MIGRATE_PARALLEL,
    "paused": libvirt.VIR_MIGRATE_PAUSED,
    "unsafe": libvirt.VIR_MIGRATE_UNSAFE,
}
"""What each field asks of libvirt, for a domain that runs."""


def flags_of(order: MigrationOrder, persistent: bool) -> int:
    """Give libvirt's flags (VIR_MIGRATE_*) for an order.

    Parameters:
        order: what is to be done.
        persistent: whether the domain is defined at its old place.
    """
    flags = libvirt.VIR_MIGRATE_PEER2PEER if order.peer_to_peer or order.tunnelled else 0
    if persistent if order.persistent is None else order.persistent:
        flags |= libvirt.VIR_MIGRATE_PERSIST_DEST
    if persistent and not order.keep_source:
        flags |= libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    if order.moves_definition_only:
        return int(flags | libvirt.VIR_MIGRATE_OFFLINE)
    if order.kind is MigrationKind.LIVE:
        flags |= libvirt.VIR_MIGRATE_LIVE
    for field, flag in _FLAGS.items():
        if getattr(order, field):
            flags |= flag
    if order.copy_storage:
        flags |= libvirt.VIR_MIGRATE_NON_SHARED_INC if order.incremental else libvirt.VIR_MIGRATE_NON_SHARED_DISK
    return int(flags)


def parameters_of(order: MigrationOrder) -> dict[str, Any]:
    """Give libvirt's typed parameters (VIR_MIGRATE_PARAM_*) for an order."""
    given: dict[str, Any] = {
        libvirt.VIR_MIGRATE_PARAM_DEST_NAME: order.name,
        # Of a domain that does not run libvirt heeds the first of the two alone.
        libvirt.VIR_MIGRATE_PARAM_DEST_XML: order.defined_xml if order.moves_definition_only else order.live_xml,
        libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: order.defined_xml,
    }
    if not order.moves_definition_only:
        given |= {
            libvirt.VIR_MIGRATE_PARAM_URI: order.data_uri,
            libvirt.VIR_MIGRATE_PARAM_DISKS_URI: order.disks_uri if order.copy_storage else "",
            libvirt.VIR_MIGRATE_PARAM_BANDWIDTH: order.bandwidth,
            libvirt.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY: order.postcopy_bandwidth if order.postcopy else 0,
            libvirt.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS: order.parallel,
            libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS: list(order.disks) if order.copy_storage else [],
        }
    return {name: value for name, value in given.items() if value}
