"""How much memory running guests were asked to have, kept on disk.

Without it, a guest that does not give its memory back would run otherwise than it is defined from the next start of
the server on.

Layer rule: imports `libhelper` and modules of `providers` that know no classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.immutable import immutable
from virtcim.libhelper.inventory.kept import KIND_NAMES
from virtcim.libhelper.inventory.records import Change, Domain

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.providers.interface import Store
    from virtcim.providers.site import Site

__all__ = ["MemoryRecords"]


@immutable
class AskedMemory:
    """What a guest was asked to have.

    Attributes:
        uri: of its hypervisor.
        uuid: of the guest.
        number: libvirt's number of its run.
        size: in KiB.
    """

    uri: str
    uuid: str
    number: int
    size: int


class MemoryRecords:
    """What the guests of all hypervisors were asked to have, and do not have yet.

    Parameters:
        store: keeps it.
    """

    def __init__(self, store: Store) -> None:
        self._table = store.table("asked memory", AskedMemory)

    def follow(self, site: Site) -> None:
        """Keep what the guests of a site are asked to have, from what an earlier run of the server has kept on."""
        site.follow(self._watch)

    def _watch(self, hypervisor: Hypervisor) -> None:
        requests, inventory = hypervisor.inventory.memory_requests, hypervisor.inventory
        earlier = [record for _, record in self._table.items() if record.uri == hypervisor.uri]
        for record in earlier:
            requests.restore(record.uuid, record.number, record.size)

        def keep(uuid: str, number: int, size: int | None) -> None:
            key = f"{hypervisor.uri}\n{uuid}"
            if size is None:
                self._table.remove(key)
            else:
                self._table.put(key, AskedMemory(hypervisor.uri, uuid, number, size))

        def forget_those_that_have_gone(_change: Change | None = None) -> None:
            while earlier and KIND_NAMES[Domain] in inventory.host.loaded:
                uuid = earlier.pop().uuid
                if inventory.domain_by_uuid(uuid) is None:
                    requests.forget(uuid)

        requests.keep = keep
        forget_those_that_have_gone()
        # In one thread at a time; what was read in between is seen with the next change.
        inventory.listeners.append(forget_those_that_have_gone)
