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

__all__ = ["differing_fields", "is_kept"]

_SETS = frozenset({"cpuset", "cpus", "nodeset", "vcpu_cpuset", "vcpus"})
_MACHINE = "os_type_machine"
_FAMILIES = {"pc": "pc-i440fx-", "q35": "pc-q35-"}
"""How the machines begin of which a short name means the newest."""
_SET = re.compile(r"[0-9,^ -]+")
_LARGEST_SET = 65_536
_EMPTY: tuple[Any, ...] = (None, "", 0, (), {})


def differing_fields(names: Iterable[str], before: Mapped, asked: Mapped, kept: Mapped) -> list[str]:
    """The fields, of those that were written, in which libvirt kept something else than was asked.

    Parameters:
        names: the fields that were written.
        before: the object as it was.
        asked: as it was written.
        kept: as libvirt has it.
    """
    readable = [name for name in names if asked.declared()[name].readable]
    return [
        name for name in readable if not is_kept(name, getattr(before, name), getattr(asked, name), getattr(kept, name))
    ]


def is_kept(name: str, before: Any, asked: Any, kept: Any) -> bool:
    """Whether a value that libvirt has is the one that was asked for.

    A value that was to be removed is not kept where the old one is there again; where libvirt has another one, it
    chose it, as it was free to.

    Parameters:
        name: of the field.
    """
    if asked in _EMPTY:
        return kept in _EMPTY or not _is_same(name, kept, before)
    if isinstance(asked, tuple):
        return _is_list_kept(name, before or (), asked, kept or ())
    return _is_same(name, asked, kept)


def _is_list_kept(name: str, before: Sequence[Any], asked: Sequence[Any], kept: Sequence[Any]) -> bool:
    """Whether all that was asked for is in a list, and nothing that was taken out of it."""
    if any(not any(_is_same(name, each, other) for other in kept) for each in asked):
        return False
    extra = [other for other in kept if not any(_is_same(name, each, other) for each in asked)]
    return not any(_is_same(name, other, each) for other in extra for each in before)


def _is_same(name: str, asked: Any, kept: Any) -> bool:
    if isinstance(asked, Mapped):
        if not isinstance(kept, Mapped):
            return False
        return all(_is_same(field, value, getattr(kept, field)) for field, value in asked.as_dict().items())
    if isinstance(asked, Mapping):
        return isinstance(kept, Mapping) and all(
            key in kept and _number(value) == _number(kept[key]) for key, value in asked.items()
        )
    if isinstance(asked, tuple):
        return isinstance(kept, tuple) and _is_list_kept(name, (), asked, kept)
    if isinstance(asked, str) and isinstance(kept, str):
        return _is_same_text(name, asked, kept)
    return bool(asked == kept)


def _is_same_text(name: str, asked: str, kept: str) -> bool:
    if asked.casefold() == kept.casefold():
        return True
    if name == _MACHINE:
        return kept.startswith(_FAMILIES.get(asked, f"{asked}-"))
    if name.rpartition("_")[2] in _SETS or name in _SETS:
        members = _members(asked)
        return members is not None and members == _members(kept)
    return False


def _number(text: str) -> Any:
    """The number that a part of an address is, else its text."""
    try:
        return int(text, 0)
    except ValueError:
        return text.casefold()


def _members(text: str) -> frozenset[int] | None:
    """What a set such as `0-3,^2` holds; None where it is not one."""
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
