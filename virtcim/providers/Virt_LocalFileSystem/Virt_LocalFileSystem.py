"""The file systems that are mounted in guests: <prefix>_LocalFileSystem (CIM_LocalFileSystem).

The agent of a guest tells them, so there are none of a guest without one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Self

from virtcim.libhelper.agent import AgentFileSystem
from virtcim.providers.agents import AGENTS, TOLD, ask_agent
from virtcim.providers.base import Element, ElementProvider, MainKey, class_of
from virtcim.providers.guest import Guest
from virtcim.providers.interface import Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.states import EnabledState, RequestedState

__all__ = ["LocalFileSystem", "LocalFileSystemProvider", "file_systems_of"]


class LocalFileSystem(Element):
    """A file system that a guest has mounted (Virt_LocalFileSystem).

    Attributes:
        guest: whose.
        told: what its agent says of it.
        name: the key: guest and mount point.
    """

    __slots__ = ("guest", "name", "told")

    base = "LocalFileSystem"
    key_names = ("CSCreationClassName", "CSName", "CreationClassName", "Name")
    main_key = MainKey("Name", "No such instance (Name)", Status.NOT_FOUND)
    source = AGENTS

    def __init__(self, guest: Guest, told: AgentFileSystem) -> None:
        self.guest = guest
        self.told = told
        self.name = f"{guest.name}/{told.mount_point}"
        super().__init__(guest.site, guest.platform, self.name)

    @classmethod
    def made_from(cls, owner: Guest) -> Iterator[Self]:
        facts = owner.hypervisor.agents.facts(owner.domain)
        for told in facts.file_systems if facts is not None else ():
            yield cls(owner, told)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.told


def file_systems_of(guest: Guest) -> Iterable[LocalFileSystem]:
    """The file systems of a guest, as its agent tells them."""
    ask_agent(guest)
    return LocalFileSystem.made_from(guest)


def _available(each: LocalFileSystem) -> int | None:
    size, used = each.told.size, each.told.used
    return None if size is None or used is None else max(0, size - used)


LocalFileSystem.table = PropertyTable(
    Property(
        "CSCreationClassName", lambda each: class_of(each.platform.prefix, "ComputerSystem"), "class name of the guest"
    ),
    attribute("CSName", lambda each: each.guest.name, source="domain XML name"),
    attribute("CreationClassName", lambda each: each.class_name, source="class name"),
    attribute("Name", lambda each: each.name, source="domain XML name, and the mount point"),
    Property("ElementName", lambda each: each.told.mount_point, f"the mount point: {TOLD}"),
    constant("Caption", "File system of a virtual system", "a fixed text"),
    Property("Root", lambda each: each.told.mount_point, f"the mount point: {TOLD}"),
    Property("FileSystemType", lambda each: each.told.kind, TOLD),
    Property("FileSystemSize", lambda each: each.told.size, TOLD),
    Property("AvailableSpace", _available, f"what is not in use: {TOLD}"),
    constant("EnabledState", int(EnabledState.ENABLED), "always Enabled: it is mounted"),
    constant("RequestedState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable: it is the guest's"),
)


class LocalFileSystemProvider(ElementProvider):
    """Serves <prefix>_LocalFileSystem."""

    name = "Virt_LocalFileSystem"
    types = (LocalFileSystem,)
