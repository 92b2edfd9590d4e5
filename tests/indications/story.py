"""What is told of one guest or other object, step by step, and what should have been."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bed.listener import PATIENCE, Listener

__all__ = [
    "CREATED",
    "DELETED",
    "EVERYTHING",
    "MODIFIED",
    "Moment",
    "Story",
    "check_changes",
    "created",
    "deleted",
    "kind",
    "modified",
    "thing",
]

#: Queries for all that happens.
EVERYTHING = (
    "SELECT * FROM CIM_InstCreation",
    "SELECT * FROM CIM_InstModification",
    "SELECT * FROM CIM_InstDeletion",
)

CREATED, MODIFIED, DELETED = "+", "~", "-"

#: What the names of classes of indications have in them.
_SIGNS = {"Creat": CREATED, "Modif": MODIFIED, "Delet": DELETED}

#: Seconds after which nothing more comes of what was done.
QUIET = 2.0

#: In which property the size of a disk stands.
SIZES = {"LogicalDisk": "NumberOfBlocks", "DiskRASD": "VirtualQuantity"}

#: What goes on by itself, or follows from another object (a disk is in the pool that has its image), told or not:
#: docs/indications.md says so.
UNTOLD = {"ElapsedTime", "PoolID"}

#: Modifications of a pool that come from others who use its file system.
ROOM = {"Reserved", "Capacity"}


def kind(indication: Any) -> str:
    """CREATED, MODIFIED or DELETED."""
    return next(sign for part, sign in _SIGNS.items() if part in indication.classname)


def created(*things: str) -> list[str]:
    """Lines for things that are created."""
    return [f"{CREATED} {thing}" for thing in things]


def modified(*things: str) -> list[str]:
    """Lines for things that are modified."""
    return [f"{MODIFIED} {thing}" for thing in things]


def deleted(*things: str) -> list[str]:
    """Lines for things that are deleted."""
    return [f"{DELETED} {thing}" for thing in things]


@dataclass(frozen=True, slots=True)
class Moment:
    """What belongs to one moment of a step.

    Attributes:
        lines: of everything but the guest itself, in order.
        enabled: the EnabledState that the guest has come to.
        requested: its RequestedState that is kept now.
        system: whether the guest itself is told of, though of these two neither has changed.
    """

    lines: list[str] = field(default_factory=list)
    enabled: int | None = None
    requested: int | None = None
    system: bool = False

    def merged(self, later: Moment) -> Moment:
        """This moment and the next one, told as one."""
        return Moment(
            _merged(self.lines, later.lines),
            self.enabled if later.enabled is None else later.enabled,
            self.requested if later.requested is None else later.requested,
            self.system or later.system,
        )


def _merged(first: Sequence[str], then: Sequence[str]) -> list[str]:
    """The lines of two moments as one: what comes and goes is not told of, what is new stays so."""
    before = {line[2:]: line[0] for line in first}
    after = {line[2:]: line[0] for line in then}
    signs = {each: before.get(each, "") + after.get(each, "") for each in {**before, **after}}
    # Where the later moment has all of the earlier, its order is the order.
    order = after if before.keys() <= after.keys() else {**before, **after}
    short = {CREATED + MODIFIED: CREATED, MODIFIED + MODIFIED: MODIFIED, MODIFIED + DELETED: DELETED}
    return [f"{short.get(signs[each], signs[each])} {each}" for each in order if signs[each] != CREATED + DELETED]


def ways(moments: Sequence[Moment]) -> Iterator[list[Moment]]:
    """All ways in which moments that follow each other may be told: neighbours as one, or each for itself."""
    for cuts in itertools.product((False, True), repeat=len(moments) - 1):
        way = [moments[0]]
        for cut, moment in zip(cuts, moments[1:], strict=True):
            if cut:
                way.append(moment)
            else:
                way[-1] = way[-1].merged(moment)
        yield way


class Story:
    """Follows what is told of one object.

    Parameters:
        listener: is told of everything.
        name: stands in the paths of everything that belongs to the object, and in no other one.
    """

    def __init__(self, listener: Listener, name: str) -> None:
        self._listener = listener
        self._name = name
        self._seen = 0
        self._enabled: int | None = None

    def expect(self, what: str, *moments: Moment) -> None:
        """Wait until a step was told in one of its ways, and nothing else.

        Parameters:
            what: was done.
            moments: that it consists of, one after the other.
        """
        wanted = {tuple(self._lines(way)) for way in ways(moments)}
        deadline = time.monotonic() + PATIENCE
        told: list[Any] = []
        lines: tuple[str, ...] = ()
        while True:
            told = self._told()
            lines = tuple(map(self._line, told))
            if done := max((way for way in wanted if lines[: len(way)] == way), key=len, default=None):
                told = told[: len(done)]
                break
            assert any(way[: len(lines)] == lines for way in wanted), f"{what}: {_shown(lines, wanted)}"
            assert time.monotonic() < deadline, f"{what}: {_shown(lines, wanted)}"
            time.sleep(0.05)
        self._seen += len(told)
        states = [each["SourceInstance"]["EnabledState"] for each in told if _is_system(each)]
        self._enabled = states[-1] if states else self._enabled

    def begins(self, things: set[str]) -> list[str]:
        """Wait until the creation of all these was told, each once and in any order, and nothing else; in its order."""
        deadline = time.monotonic() + PATIENCE
        lines: list[str] = []
        while len(lines) < len(things):
            assert time.monotonic() < deadline, f"not told: {things - {line[2:] for line in lines}}"
            lines = list(map(self._line, self._told()[: len(things)]))
            time.sleep(0.05)
        assert sorted(lines) == sorted(created(*things))
        self._seen += len(things)
        return [line[2:] for line in lines]

    def expect_sizes(self, *things: str) -> None:
        """Wait until the sizes of a new disk and its settings were told, in the creation of these or after it."""
        known = {line: each for each in self.everything() if (line := self._line(each)) in created(*things)}
        if any(each["SourceInstance"].get(SIZES[line.split()[1]]) is None for line, each in known.items()):
            self.expect("sizes", Moment(modified(*things)))

    def knows(self, enabled: int) -> None:
        """Take the guest for one in this EnabledState."""
        self._enabled = enabled

    def check(self, *others: Story) -> None:
        """Make sure that nothing more is told, and that each change began where the one before it ended.

        Parameters:
            others: stories to be checked with this one.
        """
        time.sleep(QUIET)
        for story in (self, *others):
            assert list(map(story._line, story._told())) == []
            check_changes(each for each in tuple(story._listener.received) if story._is_of_it(each))

    def everything(self) -> list[Any]:
        """All indications of the object that come of what was done to it."""
        return [each for each in tuple(self._listener.received) if self._concerns(each)]

    def _told(self) -> list[Any]:
        return self.everything()[self._seen :]

    def _concerns(self, indication: Any) -> bool:
        if not self._is_of_it(indication):
            return False
        changed = set(indication.get("ChangedPropertyNames") or ())
        return not (changed and changed <= ROOM)

    def _is_of_it(self, indication: Any) -> bool:
        return self._name in indication["SourceInstanceModelPath"]

    def _lines(self, way: Iterable[Moment]) -> list[str]:
        """The lines of moments that follow each other."""
        lines: list[str] = []
        enabled = self._enabled
        for moment in way:
            if moment.enabled is not None or moment.requested is not None or moment.system:
                after = enabled if moment.enabled is None else moment.enabled
                lines.append(_system_line(enabled, after, moment.requested))
                enabled = after
            lines += moment.lines
        return lines

    def _line(self, indication: Any) -> str:
        sign = kind(indication)
        source = indication["SourceInstance"]
        if _is_system(indication) and sign is MODIFIED:
            before = indication["PreviousInstance"]
            requested = source["RequestedState"] if source["RequestedState"] != before["RequestedState"] else None
            return _system_line(before["EnabledState"], source["EnabledState"], requested)
        return f"{sign} {thing(self._name, source)}"


def _is_system(indication: Any) -> bool:
    return bool(indication["SourceInstance"].classname.endswith("_ComputerSystem"))


def _system_line(before: int | None, after: int | None, requested: int | None) -> str:
    moved = "" if before == after else f" {before}>{after}"
    return f"{MODIFIED} ComputerSystem{moved}{'' if requested is None else f' requested {requested}'}"


def thing(name: str, instance: Any) -> str:
    """An instance in a word or two: its class, and its key without the name of what it belongs to."""
    word = instance.classname.partition("_")[2]
    word = word.replace("ResourceAllocationSettingData", "RASD").replace("VirtualSystemSettingData", "VSSD")
    key = str(instance.get("DeviceID") or instance.get("InstanceID") or instance.get("Name"))
    if key.endswith(":0") and key[:-2].isdecimal():
        key = "PORT:0"  # that libvirt has chosen
    for start in (f"{name}/", f"KVM:{name}/", f"KVM:{name}", f"DiskPool/{name}", f"NetworkPool/{name}", name):
        if key.startswith(start):
            key = key[len(start) :]
            break
    return f"{word} {key}".rstrip()


def _shown(lines: Sequence[str], wanted: Iterable[Sequence[str]]) -> str:
    """Say where what was told leaves the way that it went longest."""

    def common(way: Sequence[str]) -> int:
        return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(way, lines, strict=False))))

    nearest = max(wanted, key=common)
    return f"after {common(nearest)} lines told {lines[common(nearest) :]}; expected {nearest[common(nearest) :]}"


def check_changes(indications: Iterable[Any]) -> None:
    """Nothing is told twice, and each change of a thing begins where the one before ended."""
    last: dict[str, Any] = {}
    for each in indications:
        path, source = each["SourceInstanceModelPath"], each["SourceInstance"]
        if kind(each) == CREATED:
            assert last.get(path) is None, f"{path} created twice"
        elif kind(each) == MODIFIED:
            previous = each["PreviousInstance"]
            changed = _differing(source, previous)
            assert changed, f"{path} is told of though nothing changed"
            assert set(each["ChangedPropertyNames"]) == changed
            if path in last:
                assert last[path] is not None, f"{path} modified after it was deleted"
                unlike = _differing(previous, last[path]) - UNTOLD
                assert not unlike, (
                    f"{path}: its last change did not end with these, where this begins: {sorted(unlike)}"
                )
        last[path] = None if kind(each) == DELETED else source


def _differing(one: Any, other: Any) -> set[str]:
    """The properties whose values are not alike; pywbem compares an embedded instance with nothing but another one."""

    def are_alike(mine: Any, others: Any) -> bool:
        return mine is others if mine is None or others is None else bool(mine == others)

    return {name for name in {*one, *other} if not are_alike(one.get(name), other.get(name))}
