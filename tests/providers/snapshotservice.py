"""A site on a real hypervisor, and short ways to ask its service for snapshots."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.providers.outcome import Outcome, outcome
from tests.providers.poolservice import PoolService
from tests.providers.recorded import CONTEXT
from virtcim.providers.associations.relation import Relation
from virtcim.providers.interface import EmbeddedInstance, InstancePath

FULL, DISK, MEMORY, MEMORY_AND_STOP = 2, 3, 32768, 32769
COMPLETED, NOT_SUPPORTED, FAILED, TIMEOUT, INVALID_PARAMETER, INVALID_STATE, INVALID_TYPE = range(7)


class SnapshotService(PoolService):
    """A site with one hypervisor."""

    def call(self, method: str, **parameters: Any) -> Outcome:
        """Invoke a method of the service."""
        name = self.name_of("VirtualSystemSnapshotService")
        (service,) = self.instances(name)
        given = {key: value for key, value in parameters.items() if value is not None}
        return outcome(self.providers[name].invoke_method(name, service.keys(), method, given, CONTEXT))

    def system(self, guest: str) -> InstancePath:
        """The path of a guest."""
        name = self.name_of("ComputerSystem")
        return InstancePath(name, {"CreationClassName": name, "Name": guest}, "root/virt")

    def vssd_path(self, identifier: str) -> InstancePath:
        """The path of the settings with this identifier behind the prefix: `guest`, `guest/snapshot/name`."""
        keys = {"InstanceID": f"{self.prefix}:{identifier}"}
        return InstancePath(self.name_of("VirtualSystemSettingData"), keys, "root/virt")

    def snapshot(self, guest: str, name: str) -> InstancePath:
        """The path of a snapshot."""
        return self.vssd_path(f"{guest}/snapshot/{name}")

    def wishes(self, **properties: Any) -> EmbeddedInstance:
        """SnapshotSettings."""
        return EmbeddedInstance(self.name_of("VirtualSystemSnapshotSettingData"), properties)

    def take(self, guest: str, kind: int = FULL, **properties: Any) -> Outcome:
        """Have a snapshot taken."""
        return self.call(
            "CreateSnapshot",
            AffectedSystem=self.system(guest),
            SnapshotType=kind,
            SnapshotSettings=self.wishes(**properties) if properties else None,
        )

    def linked(self, base: str, left: InstancePath) -> list[str]:
        """What an association leads to from its left end, as identities."""
        return [str(right.identity) for right in self._across(base, left)]

    def tree(self, guest: str) -> dict[str, str | None]:
        """The snapshots of a guest as the associations have them: name to that of the parent."""
        names = [str(each) for each in self.linked("SnapshotOfVirtualSystem", self.system(guest))]
        parents: dict[str, str | None] = dict.fromkeys((name.rpartition("/")[2] for name in names), None)
        for name in parents:
            for child in self.linked("SnapshotDependency", self.snapshot(guest, name)):
                parents[child.rpartition("/")[2]] = name
        return parents

    def current(self, guest: str) -> str | None:
        """The snapshot that a guest goes on from."""
        return self._only("MostCurrentSnapshotInBranch", guest)

    def applied(self, guest: str) -> str | None:
        """The snapshot that a guest was put back to last."""
        paths = {name: self.snapshot(guest, name) for name in self.tree(guest)}
        found = [name for name, path in paths.items() if self.linked("LastAppliedSnapshot", path) == [guest]]
        assert len(found) <= 1
        return found[0] if found else None

    def _only(self, base: str, guest: str) -> str | None:
        found = self.linked(base, self.system(guest))
        assert len(found) <= 1
        return found[0].rpartition("/")[2] if found else None

    def _across(self, base: str, left: InstancePath) -> Iterable[Any]:
        element = self.get(left.class_name, **left.keys)
        for association in self.catalog.associations["root/virt"]:
            if isinstance(association, Relation) and association.base == base:
                yield from association.to_right(element, CONTEXT)
