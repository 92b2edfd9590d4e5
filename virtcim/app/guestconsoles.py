"""Opens the consoles of guests for browsers: finds the guest, and has libvirt connect its console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.libhelper.connections import is_local
from virtcim.libhelper.console import SerialConsole
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.screen import GraphicalConsole
from virtcim.libhelper.uris import shorten_uri
from virtcim.providers.errors import access_denied, libvirt_failure
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import CIMError, Status

if TYPE_CHECKING:
    from virtcim.frontends.rest.consoles import Console
    from virtcim.providers.guest import Guest
    from virtcim.providers.nodes.registry import NodeRegistry

__all__ = ["GuestConsoles"]


class GuestConsoles:
    """Opens consoles (`frontends.rest.consoles.Opener`).

    Parameters:
        nodes: whose guests there are.
    """

    def __init__(self, nodes: NodeRegistry) -> None:
        self._nodes = nodes

    def check(self, namespace: str, name: str, kind: str) -> None:
        """Refuse a console that cannot be opened.

        Parameters:
            namespace: where the guest is.
            name: of the guest.
            kind: `serial`, or `vnc` for the screen.

        Raises:
            CIMError: NOT_FOUND for a guest that there is not; FAILED where it does not run; ACCESS_DENIED over a
                connection that only reads; NOT_SUPPORTED for the screen of a remote node.
        """
        self._checked(namespace, name, kind)

    def open(self, namespace: str, name: str, kind: str) -> Console:
        """Open a console, as `check` takes them.  May wait for the hypervisor.

        Raises:
            CIMError: as `check`; FAILED where libvirt refuses.
        """
        guest = self._checked(namespace, name, kind)
        try:
            if kind == "vnc":
                return GraphicalConsole(guest.hypervisor.uri, guest.domain.uuid)
            return SerialConsole(guest.hypervisor.uri, guest.domain.uuid)
        except LibvirtError as error:
            raise libvirt_failure(f"{name}: its console cannot be opened", error) from error

    def _checked(self, namespace: str, name: str, kind: str) -> Guest:
        guest = self._find(namespace, name)
        hypervisor = guest.hypervisor
        if hypervisor.read_only:
            raise access_denied(hypervisor)
        if not guest.domain.active:
            raise CIMError(Status.FAILED, f"{name}: does not run, and so has no console")
        if kind == "vnc" and not is_local(hypervisor.uri):
            place = shorten_uri(hypervisor.uri)
            text = f"{name}: {place} is another host, whose libvirt hands over no screens"
            raise CIMError(Status.NOT_SUPPORTED, f"{text}; expected a viewer such as virt-viewer there")
        return guest

    def _find(self, namespace: str, name: str) -> Guest:
        wanted = namespace.strip("/").lower()
        for site in self._nodes.sites():
            if site.namespace.lower() != wanted:
                continue
            for platform in site.platforms:
                for guest in all_guests(site, platform):
                    if guest.name == name:
                        return guest
        raise CIMError(Status.NOT_FOUND, f"No guest {name} in {namespace}")
