"""The operating systems that run in guests: <prefix>_OperatingSystem (CIM_OperatingSystem).

The agent of a guest tells of it, so there is none of a guest without one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Self

from virtcim.libhelper.agent import AgentFacts, AgentSystem
from virtcim.providers.agents import AGENTS, TOLD, ask_agent
from virtcim.providers.base import Element, ElementProvider, MainKey, class_of
from virtcim.providers.guest import Guest
from virtcim.providers.interface import Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.states import EnabledState, RequestedState

__all__ = ["OperatingSystem", "OperatingSystemProvider", "operating_systems_of"]

_UNKNOWN, _OTHER = 0, 1
_LINUX, _LINUX_64 = 36, 101
_TYPES = {
    "debian": (95, 96),
    "ubuntu": (93, 94),
    "rhel": (79, 80),
    "centos": (106, 107),
    "ol": (108, 109),
    "sles": (84, 85),
    "opensuse-leap": (82, 83),
    "opensuse-tumbleweed": (82, 83),
    "freebsd": (42, 78),
    "openbsd": (65, 65),
    "netbsd": (43, 43),
    **dict.fromkeys(
        ("almalinux", "alpine", "amzn", "arch", "fedora", "gentoo", "linuxmint", "nixos", "rocky"), (_LINUX, _LINUX_64)
    ),
}
"""The values of OSType by the word of os-release: for 32 bits and for 64."""
_WINDOWS = "mswindows"
_WINDOWS_TYPES = {
    "vista": (73, 74),
    "7": (105, 105),
    "8": (114, 115),
    "8.1": (118, 119),
    "10": (120, 121),
    "2008": (76, 77),
    "2008r2": (103, 103),
    "2012": (113, 113),
    "2012r2": (116, 116),
    "2016": (117, 117),
}
"""The same for Windows, by its version."""
_LONG = 64
"""Characters of OtherTypeDescription at most."""


class OperatingSystem(Element):
    """The operating system of a guest (Virt_OperatingSystem).

    Attributes:
        guest: whose.
        title: as it names itself, for people.
        told: what its agent says of it.
        name: the key.
    """

    __slots__ = ("guest", "name", "title", "told")

    base = "OperatingSystem"
    key_names = ("CSCreationClassName", "CSName", "CreationClassName", "Name")
    main_key = MainKey("Name", "No such instance (Name)", Status.NOT_FOUND)
    source = AGENTS

    def __init__(self, guest: Guest, facts: AgentFacts, told: AgentSystem) -> None:
        self.guest = guest
        self.title = facts.operating_system
        self.told = told
        self.name = f"{guest.name}/os"
        super().__init__(guest.site, guest.platform, self.name)

    @classmethod
    def made_from(cls, owner: Guest) -> Iterator[Self]:
        facts = owner.hypervisor.agents.facts(owner.domain)
        if facts is not None and facts.system is not None:
            yield cls(owner, facts, facts.system)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.title, self.told


def operating_systems_of(guest: Guest) -> Iterable[OperatingSystem]:
    """The operating system of a guest, where its agent tells of one."""
    ask_agent(guest)
    return OperatingSystem.made_from(guest)


def _type(system: OperatingSystem) -> int:
    told = system.told
    if told.identity is None:
        return _UNKNOWN if system.title is None else _OTHER
    if told.identity == _WINDOWS:
        version = (told.version or "").lower().replace(" ", "")
        types = _WINDOWS_TYPES.get(version, (_OTHER, _OTHER))
    else:
        types = _TYPES.get(told.identity.lower(), (_OTHER, _OTHER))
    machine = told.machine or ""
    return types["64" in machine or machine == "s390x"]


def _other_type(system: OperatingSystem) -> str | None:
    if _type(system) != _OTHER:
        return None
    return (system.title or system.told.identity or "")[:_LONG] or None


def _time_zone(system: OperatingSystem) -> int | None:
    offset = system.told.utc_offset
    return None if offset is None else round(offset / 60)


OperatingSystem.table = PropertyTable(
    Property(
        "CSCreationClassName",
        lambda system: class_of(system.platform.prefix, "ComputerSystem"),
        "class name of the guest",
    ),
    attribute("CSName", lambda system: system.guest.name, source="domain XML name"),
    attribute("CreationClassName", lambda system: system.class_name, source="class name"),
    attribute("Name", lambda system: system.name, source="domain XML name"),
    Property("ElementName", lambda system: system.title, f"as it names itself: {TOLD}"),
    constant("Caption", "Operating system of a virtual system", "a fixed text"),
    Property("Description", lambda system: system.told.kernel, f"the release of its kernel: {TOLD}"),
    Property("OSType", _type, TOLD),
    Property("OtherTypeDescription", _other_type, f"as it names itself, where OSType is Other: {TOLD}"),
    Property("Version", lambda system: system.told.version, TOLD),
    Property("CurrentTimeZone", _time_zone, TOLD),
    Property("NumberOfUsers", lambda system: system.told.users, TOLD),
    constant("EnabledState", int(EnabledState.ENABLED), "always Enabled: its agent has told of it"),
    constant("RequestedState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable: it is the guest's"),
)


class OperatingSystemProvider(ElementProvider):
    """Serves <prefix>_OperatingSystem."""

    name = "Virt_OperatingSystem"
    types = (OperatingSystem,)
