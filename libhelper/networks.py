"""Operations on virtual networks, each on a connection of its own.

Layer rule: imports libvirt, connections, errors, work; knows nothing of CIM.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import libvirt

from libhelper.errors import translated
from libhelper.work import Work

if TYPE_CHECKING:
    from libhelper.hypervisor import Hypervisor

__all__ = ["Networks"]

_log = logging.getLogger(__name__)


class Networks:
    """The operations on the virtual networks of one hypervisor.

    Each raises `LibvirtError` when libvirt refuses, and leaves nothing half done.
    """

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor

    @contextlib.contextmanager
    def network(self, uuid: str) -> Iterator[libvirt.virNetwork]:
        """libvirt's own network object on a fresh connection, for the length of a block.

        Raises:
            LibvirtError: no connection, no such network, and for every libvirt error in the block.
        """
        with self._hypervisor.connections.connection() as connection, translated():
            yield connection.networkLookupByUUIDString(uuid)

    def create(self, xml: str, *, autostart: bool, work: Work) -> str:
        """Define a network and start it; nothing of it stays when a step fails.

        Returns:
            its UUID.
        """
        with self._hypervisor.connections.connection() as connection, translated():
            network = connection.networkDefineXML(xml)
            work.leaves(f"network {network.name()!r}")
            try:
                network.create()
                if autostart:
                    network.setAutostart(1)
            except libvirt.libvirtError:
                self._undo(network)
                raise
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
            except libvirt.libvirtError:
                if was_active:
                    with contextlib.suppress(libvirt.libvirtError):
                        network.create()
                raise

    @staticmethod
    def _undo(network: libvirt.virNetwork) -> None:
        try:
            if network.isActive():
                network.destroy()
            network.undefine()
        except libvirt.libvirtError as error:
            _log.warning("could not take back a network that did not start: %s", error)
