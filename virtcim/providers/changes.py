"""What the change of a record means for instances: which are created, modified or deleted by it.

Layer rule: knows element types by their declarations only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from virtcim.providers.base import class_of
from virtcim.providers.interface import InstanceChange, Lifecycle
from virtcim.providers.seen import SeenInstance

if TYPE_CHECKING:
    from collections.abc import Hashable

    from virtcim.libhelper.inventory.records import Record
    from virtcim.platforms.base import Platform
    from virtcim.providers.base import Element
    from virtcim.providers.site import Site

__all__ = ["compared", "instance_changes", "platforms_of"]

OWN_INDICATIONS = {
    Lifecycle.CREATED: "CreatedIndication",
    Lifecycle.MODIFIED: "ModifiedIndication",
    Lifecycle.DELETED: "DeletedIndication",
}
"""How libvirt-cim's names of indication classes end."""


def wants_everything(_class_name: str) -> bool:
    """Want the changes of every class."""
    return True


def platforms_of(site: Site, record: Record) -> list[Platform]:
    """The platforms of a site that a record is shown on."""
    return [
        platform
        for platform in site.platforms
        if any(hypervisor.uri == record.uri for hypervisor in site.hypervisors(platform))
    ]


def instance_changes(
    site: Site,
    types: Iterable[type[Element]],
    before: Record | None,
    after: Record | None,
    wants: Callable[[str], bool] = wants_everything,
) -> Iterator[InstanceChange]:
    """Tell what the change of one record does to the instances of some element types.

    Parameters:
        site: where the record's hypervisor is served.
        types: the element types; those that the record is not a source of have no changes.
        before, after: the record; None where there was or is none.
        wants: tells of a creation class whether its changes are wanted; nothing is computed for the others.

    Returns:
        the changes, in the order of the types; an instance all of whose properties are as before has none.
    """
    record = after or before
    if record is None:
        return
    platforms = platforms_of(site, record)
    for element in types:
        if isinstance(record, element.source.records):
            for platform in platforms:
                if wants(class_of(platform.prefix, element.base)):
                    old = _instances(site, platform, element, before)
                    yield from compared(old, _instances(site, platform, element, after))


def _instances(
    site: Site, platform: Platform, element: type[Element], record: Record | None
) -> dict[Hashable, Element]:
    if record is None:
        return {}
    return {each.identity: each for each in element.source.instances_of(site, platform, record, element)}


def compared(old: dict[Hashable, Element], new: dict[Hashable, Element]) -> Iterator[InstanceChange]:
    """Tell what has become of the instances of one element type.

    Parameters:
        old, new: the instances by identity, before and after.
    """
    for identity, before in old.items():
        after = new.get(identity)
        if after is None:
            yield InstanceChange(Lifecycle.DELETED, before, None, _own_indication(Lifecycle.DELETED, before))
        else:
            was, now = before.properties(), after.properties()
            if was != now:
                # Whoever is told asks for what has been computed already.
                yield InstanceChange(
                    Lifecycle.MODIFIED,
                    SeenInstance(before, before.namespace, was),
                    SeenInstance(after, after.namespace, now),
                    _own_indication(Lifecycle.MODIFIED, after),
                )
    for identity, after in new.items():
        if identity not in old:
            yield InstanceChange(Lifecycle.CREATED, None, after, _own_indication(Lifecycle.CREATED, after))


def _own_indication(kind: Lifecycle, element: Element) -> str:
    """The class of libvirt-cim's that tells of a change of an element; "" where it had none."""
    family = element.indicated_as
    return class_of(element.platform.prefix, f"{family}{OWN_INDICATIONS[kind]}") if family else ""
