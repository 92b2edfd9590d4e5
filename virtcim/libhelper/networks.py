"""Operations on virtual networks, each on a connection of its own.

Layer rule: imports libvirt, context, errors, undoing, work; knows nothing of CIM.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import libvirt

from virtcim.libhelper.context import Context
from virtcim.libhelper.errors import translated
from virtcim.libhelper.undoing import undone
from virtcim.libhelper.work import Work

__all__ = ["Networks"]


class Networks:
    """The operations on the virtual networks of one hypervisor.

    Each raises `LibvirtError` when libvirt refuses, and leaves nothing half done.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @contextlib.contextmanager
    def network(self, uuid: str) -> Iterator[libvirt.virNetwork]:
        """libvirt's own network object on a fresh connection, for the length of a block.

        Raises:
            LibvirtError: no connection, no such network, and for every libvirt error in the block.
        """
        with self._context.connections.connection() as connection, translated():
            yield connection.networkLookupByUUIDString(uuid)

    def create(self, xml: str, *, autostart: bool, work: Work) -> str:
        """Define a network and start it; nothing of it stays when a step fails.

        Returns:
            its UUID.
        """
        with self._context.connections.connection() as connection, translated():
            network = connection.networkDefineXML(xml)
            work.set_leftover(f"network {network.name()!r}")
            try:
                network.create()
                if autostart:
                    network.setAutostart(1)
            except libvirt.libvirtError as error:
                steps = (lambda: network.isActive() and network.destroy(), network.undefine)
                raise undone(error, f"network {network.name()!r}", *steps) from error
            uuid: str = network.UUIDString()
            return uuid

    def delete(self, uuid: str) -> None:
        """Stop a network and undefine it."""
        with self.network(uuid) as network:
            was_active, persistent = network.isActive(), network.isPersistent()
            if was_active:
                network.destroy()
            try:
                if persistent:
                    network.undefine()
            except libvirt.libvirtError as error:
                if not was_active:
                    raise
                raise undone(error, f"network {network.name()!r}, stopped", network.create) from error
