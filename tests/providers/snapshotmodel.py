"""What the tree of a guest's snapshots is to be: a model, and what virsh draws of the real one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NODE = re.compile(r"[ |]*(?:\+- )?(?P<name>\S+)$")


@dataclass
class SnapshotModel:
    """The tree as libvirt is to keep it.

    Attributes:
        parents: of each snapshot; None of a root.
        current: that the guest goes on from.
        applied: that the guest was put back to last.
    """

    parents: dict[str, str | None] = field(default_factory=dict)
    current: str | None = None
    applied: str | None = None

    def create(self, name: str) -> None:
        """Have a snapshot taken."""
        self.parents[name] = self.current
        self.current = name

    def apply(self, name: str) -> None:
        """Put the guest back to one."""
        self.current = self.applied = name

    def destroy(self, name: str) -> None:
        """Remove one; its children follow its parent."""
        parent = self.parents.pop(name)
        self.parents = {each: parent if of == name else of for each, of in self.parents.items()}
        self._forget({name}, parent)

    def destroy_tree(self, name: str) -> None:
        """Remove one with all that follow it."""
        gone = {each for each in self.parents if name in self._line(each)}
        parent = self.parents[name]
        self.parents = {each: of for each, of in self.parents.items() if each not in gone}
        self._forget(gone, parent)

    def _line(self, name: str) -> list[str]:
        line = [name]
        while (parent := self.parents[line[-1]]) is not None:
            line.append(parent)
        return line

    def _forget(self, gone: set[str], parent: str | None) -> None:
        if self.current in gone:
            self.current = parent
        if self.applied in gone:
            self.applied = None


def read_tree(text: str) -> dict[str, str | None]:
    """Read what `virsh snapshot-list --tree` draws: name to that of the parent."""
    parents: dict[str, str | None] = {}
    line: list[tuple[int, str]] = []
    for found in filter(None, map(_NODE.fullmatch, text.splitlines())):
        name, column = found["name"], found.start("name")
        if name == "|":
            continue
        line = [each for each in line if each[0] < column]
        parents[name] = line[-1][1] if line else None
        line.append((column, name))
    return parents
