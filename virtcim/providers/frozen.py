"""Guests that are frozen, kept on disk: one that was so when the server was killed is thawed at its next start.

Layer rule: imports `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from virtcim.immutable import immutable

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.interface import Store
    from virtcim.providers.site import Site

__all__ = ["FrozenRecords"]

_DISK_PATIENCE = 5.0
"""Seconds that a guest waits to be frozen until that is on disk: a disk that is slower than that stops nobody."""


@immutable
class FrozenGuest:
    """A guest whose file systems may be frozen.

    Attributes:
        uri: of its hypervisor.
        uuid: of the guest.
        since: when it was to be frozen, in UTC.
    """

    uri: str
    uuid: str
    since: datetime


class FrozenRecords:
    """The guests of all hypervisors that may be frozen.

    Parameters:
        store: keeps them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table = store.table("frozen guest", FrozenGuest)

    def follow(self, site: Site) -> None:
        """Keep which guests of a site are frozen, and thaw those that an earlier run of the server has left so."""
        site.follow(self._watch)

    def _watch(self, hypervisor: Hypervisor) -> None:
        def keep(uuid: str, is_frozen: bool) -> None:
            key = f"{hypervisor.uri}\n{uuid}"
            if is_frozen:
                self._table.put(key, FrozenGuest(hypervisor.uri, uuid, datetime.now(UTC)))
                self._store.flush(_DISK_PATIENCE)
            else:
                self._table.remove(key)

        if not hypervisor.read_only:
            left = [record.uuid for _, record in self._table.items() if record.uri == hypervisor.uri]
            hypervisor.keep_frozen(keep, left)
