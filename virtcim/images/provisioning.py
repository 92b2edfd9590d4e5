"""Steps, each with its undo: what makes a guest, or leaves nothing of it behind.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from virtcim.immutable import immutable
from virtcim.libhelper.work import Work, WorkCancelledError

__all__ = ["Step", "carry_out"]

_log = logging.getLogger(__name__)


@immutable
class Step:
    """One step.

    Attributes:
        name: for people.
        run: does it, given its part of the work.
        undo: takes it back; called too where `run` broke off in the middle, and does nothing where there is nothing.
        makes: what stands if the server ends during the step or after it, in words; "" for nothing.
        weight: how much of the whole it is.
    """

    name: str
    run: Callable[[Work], None]
    undo: Callable[[], None] = lambda: None
    makes: str = ""
    weight: int = 1


def carry_out(steps: Sequence[Step], work: Work, saved: Callable[[], object] = lambda: None) -> None:
    """Carry out steps; when one fails, those that were begun are taken back, the last one first.

    Parameters:
        steps: in order.
        work: told how far it is and which step it is at, and asked whether to stop: it can be at any time, and ends
            before the next step where the one under way cannot be broken off.
        saved: called after it was said what stands if the server ends now: returns when that is on disk.

    Raises:
        WorkCancelledError: it was asked to stop, and nothing is left.
        whatever a step raises; a note tells of what could not be taken back.
    """
    total = sum(step.weight for step in steps)
    done = 0
    made: list[str] = []
    ending = _Ending()
    with work.stoppable(ending.ask):
        for number, step in enumerate(steps):
            try:
                ending.part = part = _Part(work, ending, done, step.weight, total)
                part.checkpoint()
                work.tell({"step": step.name, "step_number": number + 1, "steps": len(steps)})
                if step.makes:
                    made.append(step.makes)
                    work.set_leftover("; ".join(made))
                    saved()
                step.run(part)
            except BaseException as error:
                _undo(steps[: number + 1], work, error)
                raise
            done += step.weight
            work.report(done, total)


def _undo(begun: Sequence[Step], work: Work, error: BaseException) -> None:
    left = []
    for step in reversed(begun):
        try:
            step.undo()
        except Exception as failure:  # what is left must not keep the others from being taken back
            _log.exception("step %r cannot be taken back", step.name)
            left.append(f"{step.makes or step.name} ({failure})")
    work.set_leftover("; ".join(left))
    if left:
        error.add_note(f"this stands: {'; '.join(left)}")


class _Ending:
    """Whether the work is to end.

    Attributes:
        asked: whether it is.
        part: the work of the step under way.
    """

    def __init__(self) -> None:
        self.asked = False
        self.part: Work | None = None

    def ask(self) -> None:
        """End the step under way, where that can be; else what follows does not begin."""
        self.asked = True
        if self.part is not None:
            self.part.cancel()


class _Part(Work):
    """The work of one step, as a part of the whole.

    Parameters:
        whole: the work.
        ending: whether it is to end.
        begin, weight, total: which part of it this is.
    """

    def __init__(self, whole: Work, ending: _Ending, begin: int, weight: int, total: int) -> None:
        super().__init__()
        self._whole = whole
        self._ending = ending
        self._begin = begin
        self._weight = weight
        self._all = total

    def report(self, done: int, total: int) -> None:
        """Say how far the step is, in bytes; the whole is told in thousandths of a unit of weight."""
        if total > 0:
            inside = min(1000, done * 1000 // total)
            self._whole.tell({"data_total": total, "data_processed": done})
            self._whole.report(self._begin * 1000 + inside * self._weight, self._all * 1000)

    def checkpoint(self) -> None:
        """As of every work; what was asked of the whole counts too."""
        if self._ending.asked:
            raise WorkCancelledError
        super().checkpoint()

    @contextmanager
    def stoppable(
        self, interrupt: Callable[[], object] | None = None, pause: Callable[[], object] | None = None
    ) -> Iterator[None]:
        """As of every work; what was asked for before the block counts too."""
        with super().stoppable(interrupt, pause):
            self.checkpoint()
            yield
