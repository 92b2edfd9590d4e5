"""The systems of a descriptor, and the collections that hold them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from lxml import etree

from virtcim.images.appliances.description import (
    Collection,
    Hardware,
    OperatingSystem,
    StartupItem,
    System,
    numbered,
    parts_of,
)
from virtcim.images.appliances.descriptor.envelope import (
    COLLECTION,
    INFO,
    INSTANCE_COUNT,
    MOST,
    SCALE_OUT,
    SYSTEM,
    Envelope,
    is_number,
)
from virtcim.images.appliances.descriptor.hardware import read_hardware
from virtcim.images.appliances.descriptor.products import (
    DESCRIPTIVE_SECTIONS,
    read_annotation,
    read_licences,
    read_products,
)
from virtcim.images.appliances.descriptor.references import References
from virtcim.images.appliances.errors import ApplianceError

__all__ = ["SystemReader"]

_LEFT_OUT = {COLLECTION: frozenset({"ResourceAllocationSection"}), SYSTEM: frozenset({"InstallSection"})}
"""Sections that are understood, and of which nothing can be taken over, by where they stand."""
_MOST_PARTS = 1000
"""Systems and collections of an appliance, replicas among them."""


class SystemReader:
    """Reads systems and collections.

    Parameters:
        envelope: the descriptor.
        references: what they may refer to.
    """

    def __init__(self, envelope: Envelope, references: References) -> None:
        self._envelope, self._references = envelope, references
        self._ids: set[str] = set()
        self._part_count = 0

    def read(self, element: etree._Element, name: str) -> System | Collection:
        """Read a system or collection.

        Parameters:
            name: which of the two it is.

        Raises:
            ApplianceError: it contradicts itself, or needs what is not understood.
        """
        return self._read_collection(element) if name == COLLECTION else self._read_system(element)

    def _read_collection(self, element: etree._Element) -> Collection:
        id_ = self._id_of(element)
        members: list[System | Collection] = []
        startup: list[StartupItem] = []
        scales: list[etree._Element] = []
        sections: dict[str, list[etree._Element]] = {}
        for child, name in self._envelope.children(element):
            if name in (SYSTEM, COLLECTION):
                members.append(self.read(child, name))
            elif name == SCALE_OUT:
                scales.append(child)
            elif name == "StartupSection":
                startup += [self._startup_item(item) for item in self._envelope.all_named([child], "Item")]
            else:
                self._sort(sections, child, name, f"collection {id_!r}", _LEFT_OUT[COLLECTION])
        ids = {member.id for member in members}
        twice = [id_ for id_, count in Counter(item.id for item in startup).items() if count > 1]
        if twice:
            raise ApplianceError(f"collection {id_!r}: starts {twice[0]!r} twice; expected each member once")
        for item in startup:
            if item.id not in ids:
                raise ApplianceError(f"collection {id_!r}: starts {item.id!r}; expected the id of a member")
        for scale in scales:
            self._scale_out(scale, members, startup, f"collection {id_!r}")
        return Collection(
            id=id_,
            name=self._envelope.text(element, "Name"),
            info=self._envelope.text(element, INFO),
            annotation=read_annotation(self._envelope, sections),
            products=read_products(self._envelope, self._references.options, sections),
            licences=read_licences(self._envelope, sections),
            startup=tuple(startup),
            members=tuple(members),
        )

    def _scale_out(
        self, section: etree._Element, members: list[System | Collection], startup: list[StartupItem], context: str
    ) -> None:
        """Put as many replicas in the place of a member as its section says by default (DSP0243 2.1, ScaleOutSection).

        Raises:
            ApplianceError: it names no member, or says no number of replicas that can be.
        """
        id_ = self._envelope.needed(section, "id", SCALE_OUT)
        place = next((place for place, member in enumerate(members) if member.id == id_), None)
        count = next(self._envelope.all_named([section], INSTANCE_COUNT), None)
        if place is None or count is None:
            raise ApplianceError(f"{context}: replicates {id_!r}; expected the id of a member and an {INSTANCE_COUNT}")
        least, most = self._envelope.size(count, "minimum"), self._envelope.size(count, "maximum")
        wanted = self._envelope.size(count, "default")
        wanted = max(1, least or 0) if wanted is None else wanted
        least, most = least or 0, MOST if most is None else most
        if not least <= wanted <= most:
            raise ApplianceError(f"{context}: has {wanted} replicas of {id_!r}; expected {least} to {most}")
        prototype = members[place]
        self._count_parts(
            (wanted - 1) * len(list(parts_of(prototype))), f"{context}: with {wanted} replicas of {id_!r}"
        )
        numbers = range(1, wanted + 1)
        members[place : place + 1] = [numbered(prototype, number) for number in numbers]
        for item in [item for item in startup if item.id == id_]:
            index = startup.index(item)
            startup[index : index + 1] = [replace(item, id=f"{id_}-{number}") for number in numbers]
        self._envelope.warn(f"{context}: has {wanted} replicas of {id_!r}, as it says by default")

    def _startup_item(self, element: etree._Element) -> StartupItem:
        return StartupItem(
            id=self._envelope.needed(element, "id", "startup item"),
            order=self._envelope.size(element, "order") or 0,
            delay=self._envelope.size(element, "startDelay") or 0,
            action=self._envelope.attribute(element, "startAction") or "powerOn",
            waits=self._envelope.flag(element, "waitingForGuest", otherwise=False),
        )

    def _read_system(self, element: etree._Element) -> System:
        id_ = self._id_of(element)
        context = f"system {id_!r}"
        hardware: list[Hardware] = []
        systems: list[OperatingSystem] = []
        sections: dict[str, list[etree._Element]] = {}
        for child, name in self._envelope.children(element):
            if name == "VirtualHardwareSection":
                hardware.append(read_hardware(self._envelope, self._references, child, context))
            elif name == "OperatingSystemSection":
                systems.append(self._operating_system(child))
            else:
                self._sort(sections, child, name, context, _LEFT_OUT[SYSTEM])
        if len(systems) > 1:
            raise ApplianceError(f"{context}: has {len(systems)} operating systems; expected one")
        return System(
            id=id_,
            name=self._envelope.text(element, "Name"),
            info=self._envelope.text(element, INFO),
            annotation=read_annotation(self._envelope, sections),
            system=next(iter(systems), OperatingSystem()),
            hardware=tuple(hardware),
            products=read_products(self._envelope, self._references.options, sections),
            licences=read_licences(self._envelope, sections),
        )

    def _operating_system(self, element: etree._Element) -> OperatingSystem:
        vendor = (value for key, value in element.attrib.items() if etree.QName(key).localname == "osType")
        return OperatingSystem(
            id=self._os_type(element),
            version=self._envelope.attribute(element, "version") or "",
            description=self._envelope.text(element, "Description"),
            word=str(next(vendor, "")),
        )

    def _os_type(self, element: etree._Element) -> int:
        """The number of an operating system; 0, unknown, for what is none, as appliances that are in use have."""
        text = self._envelope.attribute(element, "id") or "0"
        if is_number(text):
            return int(text)
        self._envelope.warn(f"operating system {text[:80]!r}: is not known")
        return 0

    def _sort(
        self,
        sections: dict[str, list[etree._Element]],
        child: etree._Element,
        name: str,
        context: str,
        left_out: frozenset[str],
    ) -> None:
        if name in DESCRIPTIVE_SECTIONS:
            sections.setdefault(name, []).append(child)
        elif name in left_out:
            self._envelope.warn(f"{context}: {name} is left out")
        elif name not in (INFO, "Name"):
            self._envelope.leave_out(child, name, context)

    def _count_parts(self, more: int, context: str) -> None:
        """Count further systems and collections: what is made of each takes time and memory.

        Raises:
            ApplianceError: there are too many.
        """
        self._part_count += more
        if self._part_count > _MOST_PARTS:
            raise ApplianceError(
                f"{context}: has {self._part_count} systems and collections; expected no more than {_MOST_PARTS}"
            )

    def _id_of(self, element: etree._Element) -> str:
        """The id of a system or collection, which nothing else in the descriptor has."""
        self._count_parts(1, "descriptor")
        id_ = self._envelope.needed(element, "id", "system")
        if id_ in self._ids:
            raise ApplianceError(f"system {id_!r}: is there twice; expected ids of their own")
        self._ids.add(id_)
        return id_
