"""What the change of a record means for instances: which are created, modified or deleted by it.

Layer rule: knows element types by their declarations only.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from virtcim.libhelper.inventory.records import Record
    from virtcim.platforms.base import Platform
    from virtcim.providers.base import Element
    from virtcim.providers.site import Site

__all__ = ["InstanceChange", "Lifecycle", "instance_changes"]


class Lifecycle(enum.Enum):
    """What has become of an instance (CIM_InstIndication)."""

    CREATED = enum.auto()
    MODIFIED = enum.auto()
    DELETED = enum.auto()


@dataclass(frozen=True, slots=True)
class InstanceChange:
    """One instance before and after a change.

    Attributes:
        kind: what has become of it.
        before, after: the instance; None where there was or is none.
    """

    kind: Lifecycle
    before: Element | None
    after: Element | None


def instance_changes(
    site: Site, types: Iterable[type[Element]], before: Record | None, after: Record | None
) -> Iterator[InstanceChange]:
    """Tell what the change of one record does to the instances of some element types.

    Parameters:
        site: where the record's hypervisor is served.
        types: the element types; those that the record is not a source of have no changes.
        before, after: the record; None where there was or is none.

    Returns:
        the changes, in the order of the types; an instance all of whose properties are as before has none.
    """
    record = after or before
    if record is None:
        return
    for element in types:
        if isinstance(record, element.source.records):
            for platform in site.platforms:
                if any(hypervisor.uri == record.uri for hypervisor in site.hypervisors(platform)):
                    old = _instances(site, platform, element, before)
                    yield from _compared(old, _instances(site, platform, element, after))


def _instances(
    site: Site, platform: Platform, element: type[Element], record: Record | None
) -> dict[Hashable, Element]:
    if record is None:
        return {}
    return {each.identity: each for each in element.source.instances_of(site, platform, record, element)}


def _compared(old: dict[Hashable, Element], new: dict[Hashable, Element]) -> Iterator[InstanceChange]:
    for identity, before in old.items():
        after = new.get(identity)
        if after is None:
            yield InstanceChange(Lifecycle.DELETED, before, None)
        elif before.properties() != after.properties():
            yield InstanceChange(Lifecycle.MODIFIED, before, after)
    for identity, after in new.items():
        if identity not in old:
            yield InstanceChange(Lifecycle.CREATED, None, after)
