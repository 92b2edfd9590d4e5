"""Whether libvirt kept what was asked of it, whatever it made of the spelling.

libvirt takes a definition and writes it again: it sorts lists, shortens sets of processors, names a machine in full,
leaves out what is the default.  That is the same to who asked.  A value that is gone, or is the old one again, is not.

Layer rule: imports `xml.mapping` of this project and nothing else; knows nothing of CIM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from virtcim.libhelper.xml.mapping import Mapped

__all__ = ["differing_fields", "is_kept", "members_of"]

_SETS = frozenset({"cpuset", "cpus", "iothreads", "nodeset", "vcpu_cpuset", "vcpus"})
_MACHINE = "os_type_machine"
_FAMILIES = {"pc": "pc-i440fx-", "q35": "pc-q35-"}
"""How the machines begin of which a short name means the newest."""
_CHOSEN_AT_START = {"port": -1}
"""By field, what is said where libvirt is to choose; it leaves that out where it is said otherwise, too."""
_SET = re.compile(r"[0-9,^ -]+")
_LARGEST_SET = 65_536
_EMPTY: tuple[Any, ...] = (None, "", 0, (), {})


def differing_fields(names: Iterable[str], before: Mapped, requested: Mapped, actual: Mapped) -> list[str]:
    """The fields, of those that were written, in which libvirt kept something else than was asked.

    Parameters:
        names: the fields that were written.
        before: the object as it was.
        requested: as it was written.
        actual: as libvirt has it.
    """
    readable = [name for name in names if requested.declared()[name].readable]
    return [
        name
        for name in readable
        if not is_kept(name, getattr(before, name), getattr(requested, name), getattr(actual, name))
    ]


def is_kept(name: str, before: Any, requested: Any, actual: Any) -> bool:
    """Whether a value that libvirt has is the one that was asked for.

    A value that was to be removed is not kept where the old one is there again; where libvirt has another one, it
    chose it, as it was free to.

    Parameters:
        name: of the field.
    """
    if requested == _CHOSEN_AT_START.get(name, ...):
        return actual in (None, requested)
    if requested in _EMPTY:
        return actual in _EMPTY or not _is_same(name, actual, before)
    if isinstance(requested, tuple):
        return _is_list_kept(name, before or (), requested, actual or ())
    return _is_same(name, requested, actual)


def _is_list_kept(name: str, before: Sequence[Any], requested: Sequence[Any], actual: Sequence[Any]) -> bool:
    """Whether all that was asked for is in a list, and nothing that was taken out of it."""
    if any(not any(_is_same(name, each, other) for other in actual) for each in requested):
        return False
    extra = [other for other in actual if not any(_is_same(name, each, other) for each in requested)]
    return not any(_is_same(name, other, each) for other in extra for each in before)


def _is_same(name: str, requested: Any, actual: Any) -> bool:
    if isinstance(requested, Mapped):
        if not isinstance(actual, Mapped):
            return False
        return all(_is_same(field, value, getattr(actual, field)) for field, value in requested.as_dict().items())
    if isinstance(requested, Mapping):
        return isinstance(actual, Mapping) and all(
            key in actual and _number(value) == _number(actual[key]) for key, value in requested.items()
        )
    if isinstance(requested, tuple):
        return isinstance(actual, tuple) and _is_list_kept(name, (), requested, actual)
    if isinstance(requested, str) and isinstance(actual, str):
        return _is_same_text(name, requested, actual)
    return bool(requested == actual)


def _is_same_text(name: str, requested: str, actual: str) -> bool:
    if requested.casefold() == actual.casefold():
        return True
    if name == _MACHINE:
        return actual.startswith(_FAMILIES.get(requested, f"{requested}-"))
    if name.rpartition("_")[2] in _SETS or name in _SETS:
        members = members_of(requested)
        return members is not None and members == members_of(actual)
    return False


def _number(text: str) -> Any:
    """The number that a part of an address is, else its text."""
    try:
        return int(text, 0)
    except ValueError:
        return text.casefold()


def members_of(text: str) -> frozenset[int] | None:
    """Tell what a set such as `0-3,^2` holds; None where it is not one."""
    if _SET.fullmatch(text) is None:
        return None
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.removeprefix("^").partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            return None
        numbers = range(int(first), int(last or first) + 1)
        if len(numbers) > _LARGEST_SET:
            return None
        found = found.difference(numbers) if part.startswith("^") else found.union(numbers)
    return frozenset(found)
