"""libvirt's own object of a domain.

Layer rule: imports libvirt, context, errors, names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import libvirt

from virtcim.libhelper.context import Context
from virtcim.libhelper.errors import LibvirtError, translated
from virtcim.libhelper.names import DIRECTORIES

__all__ = ["domain_handle", "kept_open", "refuse_directory", "run_of"]


@contextlib.contextmanager
def domain_handle(context: Context, name_or_uuid: str) -> Iterator[libvirt.virDomain]:
    """libvirt's object of a domain, on a fresh connection, for the length of a block.

    Raises:
        LibvirtError: it manages its host, so that nothing is changed; no connection, no such domain, and for every
            libvirt error in the block.
    """
    record = context.inventory.domain(name_or_uuid) or context.inventory.domain_by_uuid(name_or_uuid)
    if record is not None and record.manages_host:
        text = f"{record.name}: manages all guests of its host; nothing of it can be changed"
        raise LibvirtError(text, libvirt.VIR_ERR_OPERATION_DENIED)
    uuid = record.uuid if record is not None else name_or_uuid
    with context.connections.connection() as connection, translated():
        try:
            domain = connection.lookupByUUIDString(uuid)
        except libvirt.libvirtError:
            domain = connection.lookupByName(name_or_uuid)
        yield domain


@contextlib.contextmanager
def kept_open(domain: libvirt.virDomain) -> Iterator[None]:
    """Have QEMU hold the disks of a domain for the length of a block: one that is off is started for that, stands still
    meanwhile, and is off again then, or when this process ends before."""
    was_active = bool(domain.isActive())
    if not was_active:
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY)
    try:
        yield
    finally:
        if not was_active:
            domain.destroy()


def refuse_directory(name: str | None) -> None:
    """Refuse to have a domain called like a directory.

    Raises:
        LibvirtError: it would be.
    """
    if name in DIRECTORIES:
        raise LibvirtError(f"domain {name!r}: is the name of a directory; expected another")


def run_of(domain: libvirt.virDomain) -> int:
    """libvirt's number of a domain's run, from libvirt itself: its object holds the one of when it was looked up."""
    return int(domain.connect().lookupByUUIDString(domain.UUIDString()).ID())
