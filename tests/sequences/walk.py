"""The walk: one random step after the other on a host of its own, with a look at everything after each."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from random import Random
from types import TracebackType
from typing import Any, Self

from lxml import etree

from tests.bed import Libvirtd, Server
from tests.bed.listener import Listener, new_manager, subscribe
from tests.images.imagehost import ImageHost
from tests.indications.story import DELETED, EVERYTHING, check_changes, kind
from tests.sequences import contests, moves, outside, pulls, rules, templates
from tests.sequences.client import Answer, Client
from tests.sequences.facts import Facts, leftovers, read_facts
from tests.sequences.invariants import by_path, difference, doubles, expected, listed, unlike
from tests.sequences.rules import Rule, Step, World

CONFIG = """\
[inventory]
interval = 1
volume_interval = 1
[providers.backup]
socket_directory = "{sockets}"
[providers.migration]
socket_directory = "{sockets}"
shared_directories = ["{images}"]
[images]
pool = "images"
hosts = ["127.0.0.1"]
attempts = 1
timeout = 20
[node.there]
uris = ["{there}"]
[providers.jobs]
grace = 0.2
retention = 4
[server]
slow_seconds = 600
[loop]
longest_pause = 600
"""
OURS: dict[Rule, int] = {**rules.WEIGHTS, **pulls.WEIGHTS, **contests.WEIGHTS, **moves.WEIGHTS, **templates.WEIGHTS}
"""What clients ask for."""

VERBOSE = bool(os.environ.get("VIRTCIM_SEQUENCES_SHOW"))
URI = "qemu:///system"
PATIENCE = 60.0
"""Seconds until a server has to have seen what it is not told of, on a loaded machine."""

OTHER_EYES = 12
"""Every so many steps the server is compared with one that has just been started."""

CHANCE_OF_OTHERS, CHANCE_OF_ACCIDENTS = 0.12, 0.03
"""That a client's request meets another one's, and that libvirtd or the server ends meanwhile."""

OF_GUESTS = ("guests", "settings", "disks", "ports", "checkpoints")
"""What is compared of the other host."""

LONGEST_PAUSE = 0.6
"""Seconds after the beginning of a request until something else happens."""

EXPLAINED = re.compile(
    "|".join(
        [
            r"virtcim.libhelper.hypervisor: qemu\S*: no connection",
            r"client socket is closed|[Ee]nd of file|Cannot recv data|Broken pipe|no answer for 5 s",
            r"cause is unknown",
            r"step '.*' cannot be taken back",
        ]
    )
)
"""Lines of the log that the steps account for: the daemon is ended; and what libvirt says of an interface of the host
that another test takes away."""


class WalkError(AssertionError):
    """Something did not hold after a step."""


@dataclass
class Tally:
    """What was done."""

    steps: int = 0
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unknown: int = 0

    def text(self) -> str:
        """All of it, in lines."""
        lines = [
            f"{self.steps} steps: {self.done.total()} done, {self.refused.total()} refused, {self.unknown} unknown"
        ]
        lines += [f"{count:6} {what}" for what, count in sorted(self.done.items())]
        lines += [f"{count:6} {what}" for what, count in self.refused.most_common(60)]
        return "\n".join(lines)


class Walk:
    """A host and a server on it, and what is done to both.

    Parameters:
        seed: of everything that is chosen.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.tally = Tally()
        self.history: list[str] = []
        self.daemon, self.there = Libvirtd(), Libvirtd()
        self.listener, self.images = Listener(), ImageHost()
        self._numbers = itertools.count()
        self._logged = 0
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            for each in (self.daemon, self.there):
                ends.callback(each.close)
                each.start()
            ends.enter_context(self.images)
            self.images.files[templates.IMAGE] = self.daemon.new_image().read_bytes()
            directory = self.daemon.directory / f"pool-{templates.IMAGE_POOL}"
            for command in (
                ("pool-define-as", templates.IMAGE_POOL, "dir", "--target", str(directory)),
                ("pool-build", templates.IMAGE_POOL),
                ("pool-start", templates.IMAGE_POOL),
                ("pool-autostart", templates.IMAGE_POOL),
            ):
                self.daemon.virsh(*command)
            (self.daemon.directory / "sockets").mkdir()
            self.server = ends.enter_context(self._new_server())
            ends.enter_context(self.listener)
            # Its subscriptions end with the server.
            subscribe(new_manager(), self.server, self.listener.url, EVERYTHING)
            self.client = Client(self.server)
            self._at_first = {str(each["path"]) for each in self.client.everything()}
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"seed {self.seed}, after {self.tally.steps} steps:\n" + "\n".join(self.history[-25:]))
            error.add_note(self.tally.text())
            warnings = [line for line in self.server.errors.splitlines() if " INFO " not in line]
            error.add_note("\n".join(warnings[-30:]))
        self._ends.close()

    def _new_server(self) -> Server:
        config = CONFIG.format(
            sockets=self.daemon.directory / "sockets", images=self.daemon.directory, there=self.there.uri()
        )
        return Server(URI, within=self.daemon.namespace, config=config)

    def go(self, numbers: Iterable[int]) -> None:
        """Make the steps with these numbers: some of those of a longer walk, where its failure is to be made small."""
        weights = {**OURS, **outside.WEIGHTS, **self._accidents()}
        for number in numbers:
            dice = Random(f"{self.seed}.{number}")
            self.tally.steps += 1
            self.history.append(f"{number}:")
            while not self.step(dice.choices(list(weights), list(weights.values()))[0], dice):
                pass

    def step(self, rule: Rule, dice: Random) -> bool:
        """Make a step, and look; False where there is nothing for it."""
        before = read_facts(self.daemon, self.there)
        world = World(self.daemon, self.there, self.client, self.images, before, dice, self._numbers)
        if (step := rule(world)) is None:
            return False
        self._note(step.what)
        ours = rule in OURS
        beside = self._beside(dice, before) if ours else None
        answer, other = (step.act(), None) if beside is None else self._act_beside(step, beside)
        self._record(rule, answer)
        after = read_facts(self.daemon, self.there)
        if other is None:
            judge(step, answer, before, after, ours)
        elif beside is not None and answer.done and other.done:
            judge_last((step, beside), after)
        self.look(after, at_once=ours and answer.done is not None and beside is None)
        if self.tally.steps % OTHER_EYES == 0:
            self.compare_with_another()
        return True

    def _beside(self, dice: Random, facts: Facts) -> Step | None:
        """What happens at the same time: mostly nothing, else another client's request, or an accident."""
        chance = dice.random()
        if chance > CHANCE_OF_OTHERS + CHANCE_OF_ACCIDENTS:
            return None
        weights = OURS if chance < CHANCE_OF_OTHERS else self._accidents()
        (rule,) = dice.choices(list(weights), list(weights.values()))
        step, pause = (
            rule(World(self.daemon, self.there, self.client, self.images, facts, dice, self._numbers)),
            dice.random() * LONGEST_PAUSE,
        )

        def act_later() -> Answer:
            assert step is not None
            time.sleep(pause)
            return step.act()

        return None if step is None else replace(step, act=act_later)

    def _act_beside(self, step: Step, beside: Step) -> tuple[Answer, Answer]:
        """Do two things at once; what is in the way of an accident may have no answer."""
        with ThreadPoolExecutor(1) as threads:
            self._note(f"beside it {beside.what}")
            other = threads.submit(beside.act)
            try:
                answer = step.act()
            except (AssertionError, OSError, ValueError) as error:
                answer = Answer(None, repr(error))
            self._note(f"beside it -> {other.result().done} {other.result().reason[:200]}")
        return answer, other.result()

    def _note(self, line: str) -> None:
        self.history.append(f"   {line}")
        if VERBOSE:
            print(self.history[-1], flush=True)

    def _record(self, rule: Rule, answer: Answer) -> None:
        name = rule.__name__
        self._note(f"-> {answer.done} {answer.reason[:300]}")
        if answer.done:
            self.tally.done[name] += 1
        elif answer.done is None:
            self.tally.unknown += 1
        else:
            self.tally.refused[f"{name}: {re.sub(r'[0-9]+', 'N', answer.reason)[:150]}"] += 1

    def look(self, facts: Facts, at_once: bool) -> None:
        """See that the server shows what libvirt has, and that nothing is left of what is gone."""
        if at_once:
            instances = self.client.everything()
            fault = difference(listed(instances), expected(facts))
            if fault and not difference(expected(read_facts(self.daemon, self.there)), expected(facts)):
                raise WalkError(f"not shown at once: {fault}")
        await_no_faults(lambda: self._differences(self.client), "never shown")
        if strange := self._left():
            raise WalkError(f"left behind: {strange}")
        if doubled := doubles(self.client.everything()):
            raise WalkError(f"listed twice: {doubled}")
        self._check_log()

    def _differences(self, client: Client) -> list[str]:
        """Where what a server shows is not what libvirt has; it knows of its own jobs alone."""
        facts = read_facts(self.daemon, self.there)
        here, away = expected(facts), expected(replace(facts, guests=facts.away))
        if client is not self.client:
            del here["pulled"]
        faults = [
            difference(listed(client.everything()), here),
            difference(listed(client.at(moves.THERE).everything()), {each: away[each] for each in OF_GUESTS}),
        ]
        return [each for each in faults if each]

    def _left(self) -> list[str]:
        facts = read_facts(self.daemon, self.there)
        return leftovers(self.daemon, facts.guests) + leftovers(self.there, facts.away)

    def _check_log(self) -> None:
        lines = self.server.errors.splitlines()
        for line in lines[self._logged :]:
            if (" INFO " not in line and " DEBUG " not in line) and not EXPLAINED.search(line):
                raise WalkError(f"in the log: {line}")
        self._logged = len(lines)

    def compare_with_another(self) -> None:
        """Compare the server with one that sees the host for the first time."""
        self.check_told()
        with self._new_server() as server:
            other = Client(server)
            await_no_faults(lambda: self._differences(other), "never shown by another server")
            await_no_faults(
                lambda: unlike(by_path(self.client.everything()), by_path(other.everything())),
                "another server shows another host",
            )

    def check_told(self) -> None:
        """What was told is what there is now, each change once and in order."""
        await_no_faults(self._untold, "not as it was told")
        check_changes_by_run(list(self.listener.received))

    def _untold(self) -> list[str]:
        received = list(self.listener.received)
        there = self._by_telling(received)
        shown = {each["path"]: each["class"] for each in self.client.everything()}
        told = {each["SourceInstance"].classname for each in received}
        return [
            *(f"told of, and not there: {path}" for path in there if there[path] and path not in shown),
            *(f"there, and not told of: {path}" for path in shown if shown[path] in told and not there.get(path)),
        ]

    def _by_telling(self, received: Sequence[Any]) -> dict[str, bool]:
        there = dict.fromkeys(self._at_first, True)
        for each in received:
            there[str(each["SourceInstanceModelPath"])] = kind(each) != DELETED
        return there

    def _accidents(self) -> dict[Rule, int]:
        def restart_daemon(_: World) -> Step:
            return Step("restart libvirtd", self._done(self.daemon.restart))

        def kill_daemon(_: World) -> Step:
            return Step("kill libvirtd", self._done(self.kill_daemon))

        def restart_there(_: World) -> Step:
            return Step("restart the other libvirtd", self._done(self.there.restart))

        def restart_server(_: World) -> Step:
            return Step("restart the server", self._done(self.restart_server))

        def kill_server(_: World) -> Step:
            return Step("kill the server", self._done(self.kill_server))

        return {restart_daemon: 1, kill_daemon: 1, restart_there: 1, restart_server: 1, kill_server: 1}

    @staticmethod
    def _done(act: Callable[[], Any]) -> Callable[[], Answer]:
        def done() -> Answer:
            act()
            return Answer(True)

        return done

    def kill_daemon(self) -> None:
        """End libvirtd by SIGKILL, and start it."""
        self.daemon.kill()
        self.daemon.start()

    def restart_server(self) -> None:
        """Stop the server as a service manager would, and start it."""
        self.server.stop()
        self.server.start()

    def kill_server(self) -> None:
        """End the server by SIGKILL, and start it."""
        self.server.stop(signal.SIGKILL)
        self.server.start()


def judge(step: Step, answer: Answer, before: Facts, after: Facts, is_ours: bool) -> None:
    """Hold what libvirt has after a step against the answer."""
    fault = ""
    if answer.done:
        fault = step.holds(after)
    elif is_ours and answer.done is None:
        fault = "nobody knows whether it was done"
    elif is_ours and step.stays is not None:
        fault = step.stays(after)
    elif is_ours and "job" not in answer.reason:
        fault = changed(before, after)
    if is_ours:
        fault = fault or templates.spoiled(before, after)
    if fault:
        raise WalkError(f"{step.what} was {'done' if answer.done else 'not done'} ({answer.reason}), but {fault}")


def judge_last(steps: Sequence[Step], after: Facts) -> None:
    """Hold what libvirt has against the answers to two clients at once: what was done last has to be true."""
    faults = []
    for each in steps:
        try:
            faults.append(each.holds(after))
        except KeyError as error:  # what it speaks of has gone by the other one
            faults.append(f"{error} is gone")
    if all(faults):
        raise WalkError(
            "; and ".join(f"{each.what} was done, but {fault}" for each, fault in zip(steps, faults, strict=True))
        )


def await_no_faults(find: Callable[[], Sequence[str]], what: str) -> None:
    """Wait until nothing is found to be wrong."""
    deadline = time.monotonic() + PATIENCE
    while faults := find():
        if time.monotonic() > deadline:
            raise WalkError(f"{what}:\n" + "\n".join(faults[:20]))
        time.sleep(0.1)


def check_changes_by_run(received: Iterable[Any]) -> None:
    """Each run of a server tells each change once and in order; one after a kill may tell the last ones again."""
    runs: dict[str, dict[int, Any]] = {}
    for each in received:
        runs.setdefault(each["SequenceContext"], {})[each["SequenceNumber"]] = each
    for told in runs.values():
        check_changes(told.values())


def parts_of(xml: str) -> list[bytes]:
    """What a guest is made of, in whatever order libvirt has its devices: a start that fails may order them anew."""
    root = etree.fromstring(xml.encode(), etree.XMLParser(remove_blank_text=True))
    devices = list(root.iterfind("devices/*"))
    parts = sorted(etree.tostring(each) for each in devices)
    for each in devices:
        each.getparent().remove(each)
    return [etree.tostring(root), *parts]


def changed(before: Facts, after: Facts) -> str:
    """What a refused request changed; "" where nothing."""
    lines = []
    for name in before.guests.keys() | after.guests.keys():
        one, other = before.guests.get(name), after.guests.get(name)
        if one is None or other is None:
            lines.append(f"{name} is {'there' if one is None else 'gone'}")
        elif parts_of(one.defined) != parts_of(other.defined):
            lines.append(f"{name} is defined as\n{other.defined}\nand was\n{one.defined}")
        elif (one.parents, one.current, one.saved, one.autostart) != (
            other.parents,
            other.current,
            other.saved,
            other.autostart,
        ):
            lines.append(f"{name} has other snapshots or flags: {other.parents} {other.saved} {other.autostart}")
    lines += [
        f"{what} are {getattr(after, what)}, and were {getattr(before, what)}"
        for what in ("pools", "networks", "filters")
        if getattr(before, what) != getattr(after, what)
    ]
    return "; ".join(lines)
