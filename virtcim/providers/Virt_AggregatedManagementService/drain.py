"""Emptying nodes: each guest is moved to another node that can have it, or what keeps it is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from virtcim.providers.guests import all_guests
from virtcim.providers.interface import CIMError, CIMValue, EmbeddedInstance, InstancePath, MethodResult, Status
from virtcim.providers.jobs import JobState
from virtcim.providers.methods import MethodFailedError
from virtcim.providers.nodes.placement import Wish, candidates
from virtcim.providers.Virt_ComputerSystem import system_of
from virtcim.providers.Virt_HostSystem import HostSystem, host_name
from virtcim.providers.Virt_VSMigrationService import MigrationService

if TYPE_CHECKING:
    from virtcim.libhelper.work import Work
    from virtcim.providers.guest import Guest
    from virtcim.providers.interface import RequestContext
    from virtcim.providers.jobs import Job, Jobs
    from virtcim.providers.nodes.node import Node
    from virtcim.providers.nodes.placement import Candidate

__all__ = ["Drain"]

_OFFLINE, _LIVE = 1, 2
"""MigrationType."""
_VALID = 2
"""Verdict of ValidateMigration."""
_FAILED = 2
_WAIT = 0.1
"""Seconds between two looks at the migrations that go on."""
_ONLY_RUNNING = frozenset({"CopyStorage", "IncrementalCopy", "CopyDisks", "PostCopy", "AutoConverge", "Compressed"})
"""What means nothing to a guest that is off."""


@dataclass(slots=True)
class _Move:
    """One guest on its way.

    Attributes:
        guest: the guest.
        target: the node that it goes to; None where none can have it.
        parameters: of the methods of the migration service.
        result: what became of it, for people; "" while that is not known.
        job: its migration, once that has begun.
    """

    guest: Guest
    target: Node | None = None
    parameters: dict[str, CIMValue] | None = None
    result: str = ""
    job: Job | None = None

    @property
    def name(self) -> str:
        """What the result is told under."""
        return f"{self.guest.site.namespace}: {self.guest.name}"

    @property
    def text(self) -> str:
        """The result with what it is about."""
        return f"{self.name}: {self.result}"


class Drain:
    """The emptying of some nodes.

    Parameters:
        sources: the nodes that are to be empty.
        targets: those that may have the guests.
        setting: MigrationSettingData for each; None for the usual.
        with_inactive: whether guests that are off move too.
        at_once: migrations that go on at a time.
        context: of who asks.
        jobs: where the migrations are found.
    """

    def __init__(
        self,
        sources: Sequence[Node],
        targets: Sequence[Node],
        setting: EmbeddedInstance | None,
        with_inactive: bool,
        at_once: int,
        context: RequestContext,
        jobs: Jobs,
    ) -> None:
        self._targets = targets
        self._setting = setting
        self._with_inactive = with_inactive
        self._at_once = at_once
        self._context = context
        self._jobs = jobs
        self._promised: dict[str, int] = {}
        self._moves = [_Move(guest) for node in sources for guest in _guests(node)]

    @property
    def guests(self) -> Sequence[Guest]:
        """The guests of the nodes."""
        return [move.guest for move in self._moves]

    def plan(self, work: Work) -> MethodResult:
        """Look which guests can go where, and tell it; nothing is moved."""
        self._check_all(work)
        for move in self._moves:
            if move.target is not None:
                move.result = f"can go to {move.target.name}"
        return self._answer()

    def carry_out(self, work: Work) -> MethodResult:
        """Look which guests can go where, then move them, some at a time."""
        self._check_all(work)
        waiting = [move for move in self._moves if move.target is not None]
        going: list[_Move] = []
        try:
            with work.stoppable():
                while waiting or going:
                    work.checkpoint()
                    while waiting and len(going) < self._at_once:
                        move = waiting.pop(0)
                        self._begin(move)
                        going.append(move)
                    going = [move for move in going if not self._is_over(move)]
                    work.report(len(self._moves) + self._over(), 2 * len(self._moves))
                    if going and going[0].job is not None:
                        going[0].job.over.wait(_WAIT)
        finally:
            for move in going:
                if move.job is not None:
                    self._jobs.end(move.job, JobState.TERMINATED)
        return self._answer()

    def _over(self) -> int:
        return sum(bool(move.result) for move in self._moves)

    def _answer(self) -> MethodResult:
        failed = any(move.result.startswith(("failed", "stays")) for move in self._moves)
        out: dict[str, CIMValue] = {"Results": [move.text for move in self._moves]}
        jobs = [move.job.path for move in self._moves if move.job is not None]
        return MethodResult(_FAILED if failed else 0, {**out, **({"Jobs": jobs} if jobs else {})})

    def _check_all(self, work: Work) -> None:
        """Find a node for each guest, before the first one is moved."""
        for number, move in enumerate(self._moves):
            with work.stoppable():
                work.checkpoint()
            if not move.guest.domain.active and not self._with_inactive:
                move.result = "stays: it is off, and only those that run are moved"
            else:
                self._choose(move)
            work.report(number + 1, 2 * len(self._moves))

    def _choose(self, move: _Move) -> None:
        """Choose the node with the least to do among those that nothing speaks against."""
        guest = move.guest
        config = guest.domain.config
        memory = (config.current_memory or config.memory or 0) if config is not None and guest.domain.active else 0
        reasons: list[str] = []
        for candidate in self._candidates(guest, memory):
            against: Sequence[str] = candidate.reasons
            if candidate.accepted:
                parameters = self._parameters(guest, candidate)
                against = self._reasons_against(guest, parameters)
                if not against:
                    move.target, move.parameters = candidate.node, parameters
                    self._promised[candidate.node.name] = self._promised.get(candidate.node.name, 0) + memory
                    return
            reasons.append(f"{candidate.node.name}: {', '.join(against)}")
        move.result = f"stays: {'; '.join(reasons) or 'there is no other node'}"

    def _candidates(self, guest: Guest, memory: int) -> list[Candidate]:
        """The nodes that there are for a guest; those that can have it first, and among them those with less to do."""
        looked_at = [
            candidate
            for node in self._targets
            for candidate in candidates(
                [node], Wish(prefix=guest.platform.prefix, memory=memory + self._promised.get(node.name, 0))
            )
        ]
        promised = self._promised
        return sorted(
            looked_at,
            key=lambda each: (not each.accepted, promised.get(each.node.name, 0), each.load, each.node.name),
        )

    def _parameters(self, guest: Guest, candidate: Candidate) -> dict[str, CIMValue]:
        """The parameters of the methods of the migration service, for a guest and a node."""
        assert candidate.platform is not None, candidate
        assert candidate.hypervisor is not None, candidate
        name = host_name(candidate.hypervisor)
        host = next(each for each in HostSystem.all_of(candidate.node.site, candidate.platform) if each.name == name)
        own = {} if self._setting is None else dict(self._setting.properties)
        kind = _LIVE if guest.domain.active else _OFFLINE
        if kind == _OFFLINE:
            own = {key: value for key, value in own.items() if key not in _ONLY_RUNNING}
        own.setdefault("MigrationType", kind)
        if kind == _OFFLINE:
            own["MigrationType"] = kind
        setting = EmbeddedInstance(f"{guest.platform.prefix}_VirtualSystemMigrationSettingData", own)
        system = system_of(guest).path()
        return {"ComputerSystem": system, "DestinationSystem": host.path(), "MigrationSettingData": setting}

    def _reasons_against(self, guest: Guest, parameters: dict[str, CIMValue]) -> Sequence[str]:
        try:
            answer = self._invoke(guest, "ValidateMigration", parameters)
        except (CIMError, MethodFailedError) as error:
            return [_reason(error)]
        if answer.out.get("Verdict") == _VALID:
            return ()
        reasons = answer.out.get("Reasons")
        return [str(each) for each in reasons] if isinstance(reasons, list | tuple) and reasons else ["it cannot"]

    def _begin(self, move: _Move) -> None:
        assert move.parameters is not None, move
        assert move.target is not None, move
        try:
            answer = self._invoke(move.guest, "MigrateVirtualSystemToSystem", move.parameters)
        except (CIMError, MethodFailedError) as error:
            move.result = f"failed: {_reason(error)}"
            return
        path = answer.out.get("Job")
        move.job = self._jobs.find(str(path.keys.get("InstanceID"))) if isinstance(path, InstancePath) else None
        if move.job is None:
            code = answer.return_value
            move.result = f"moved to {move.target.name}" if code == 0 else f"failed: {code}"

    def _is_over(self, move: _Move) -> bool:
        """Whether a migration is over; its result is told then."""
        if move.job is not None and not move.job.over.is_set():
            return False
        if not move.result and move.job is not None:
            record = move.job.record
            where = "" if move.target is None else move.target.name
            done = record.state is JobState.COMPLETED
            failure = record.errors[0].message if record.errors else "it was ended by a client"
            move.result = f"moved to {where}" if done else f"failed: {failure}"
        return True

    def _invoke(self, guest: Guest, name: str, parameters: dict[str, CIMValue]) -> MethodResult:
        services = MigrationService.all_of(guest.site, guest.platform)
        service = next((each for each in services if each.hypervisor is guest.hypervisor), None)
        if service is None:
            raise CIMError(Status.FAILED, f"guest {guest.name!r}: its node was lost")
        method = next(each for each in service.methods if each.name == name)
        return method.run(service, parameters, replace(self._context, namespace=service.namespace))


def _guests(node: Node) -> Iterable[Guest]:
    for platform in node.site.platforms:
        yield from all_guests(node.site, platform)


def _reason(error: CIMError | MethodFailedError) -> str:
    return error.description if isinstance(error, CIMError) else error.text
