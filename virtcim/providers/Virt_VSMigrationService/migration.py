"""One migration that a client asks for: which guest goes where, and how it is to be over there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from virtcim.immutable import immutable
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.migrations import MigrationKind, MigrationOrder
from virtcim.providers.errors import libvirt_failure
from virtcim.providers.Virt_VSMigrationService.newplace import edited, new_name
from virtcim.providers.Virt_VSMigrationService.sharing import is_vouched_for, with_copies
from virtcim.providers.Virt_VSMigrationService.wishes import Wish, with_addresses

if TYPE_CHECKING:
    from virtcim.providers.guest import Guest
    from virtcim.providers.interface import EmbeddedInstance
    from virtcim.providers.Virt_VSMigrationService.destination import Destination

__all__ = ["Migration"]


@immutable
class Migration:
    """What a client asks for.

    Attributes:
        guest: that is to go.
        destination: where to.
        wish: how.
        new_system: what is to be different of the guest as a whole; None for nothing.
        new_resources: what is to be different of its resources.
    """

    guest: Guest
    destination: Destination
    wish: Wish
    new_system: EmbeddedInstance | None = None
    new_resources: Sequence[EmbeddedInstance | None] = ()

    @property
    def name(self) -> str:
        """The guest's name over there."""
        return new_name(self.guest, self.new_system) or self.guest.name

    @property
    def wrong_state(self) -> str:
        """Why the guest's state does not allow it; "" where it does."""
        kind, active = self.wish.order.kind, self.guest.domain.active
        if kind is MigrationKind.OFFLINE and active:
            return "Domain must be shut off for offline migration"
        if kind is not MigrationKind.OFFLINE and not active:
            return "Domain must be running for live or resume migration"
        return ""

    def order(self) -> MigrationOrder:
        """What libvirt is to do.

        Raises:
            CIMError: INVALID_PARAMETER, NOT_SUPPORTED for what is not possible; FAILED where libvirt does not answer.
        """
        settings = self.guest.site.settings.migration
        order = with_addresses(self.wish, self.destination, self.guest.domain.uuid, settings)
        order = with_copies(order, self.guest)
        live, defined = self._documents()
        return replace(
            order,
            unsafe=self.wish.force or is_vouched_for(order, self.guest),
            name=new_name(self.guest, self.new_system),
            live_xml=live,
            defined_xml=defined,
        )

    def _documents(self) -> tuple[str, str]:
        """The XML of the guest at its new place, as it runs and as it is defined; "" where that is as it was."""
        if self.new_system is None and not any(self.new_resources):
            return "", ""
        guest = self.guest
        try:
            live, defined = guest.hypervisor.migrations.documents(guest.domain.uuid)
        except LibvirtError as error:
            raise libvirt_failure(f"{guest.name} cannot be read", error) from error
        return self._edited(live), self._edited(defined)

    def _edited(self, xml: str) -> str:
        return xml and edited(self.guest, self.destination, xml, self.new_system, self.new_resources)
