"""Steps, each with its undo: when a later one fails, those before it are taken back, the last first.

Layer rule: imports `libhelper.errors` and `libhelper.work`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work

__all__ = ["PartOfWork", "Steps", "undoing"]

_log = logging.getLogger(__name__)


class Steps:
    """What was done so far, with what takes it back.

    Parameters:
        work: told what stands if it ends now.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._done: list[tuple[str, Callable[[], object]]] = []

    def add(self, what: str, undo: Callable[[], object]) -> None:
        """Note a step, before it is begun: taking back what was not done yet must do no harm.

        Parameters:
            what: stands after it, in words.
            undo: takes it back; raises LibvirtError or OSError where it cannot.
        """
        self._done.append((what, undo))
        self._work.set_leftover(", ".join(each for each, _ in self._done))

    def take_back(self) -> list[str]:
        """Take all steps back, the last first.

        Returns:
            what could not be, in words.
        """
        left = []
        for what, undo in reversed(self._done):
            try:
                undo()
            except (LibvirtError, OSError) as error:
                if not (isinstance(error, FileNotFoundError) or (isinstance(error, LibvirtError) and error.is_gone)):
                    _log.warning("%s stands: %s", what, error)
                    left.append(f"{what} ({error})")
        self._done.clear()
        self._work.set_leftover(", ".join(left))
        return left


@contextmanager
def undoing(work: Work) -> Iterator[Steps]:
    """A block whose steps are taken back when it raises, whatever that is.

    Raises:
        LibvirtError: in place of what was raised, where something could not be taken back; the text names it.
    """
    steps = Steps(work)
    try:
        yield steps
    except BaseException as error:
        left = steps.take_back()
        if left:
            text = error.message if isinstance(error, LibvirtError) else str(error) or "ended by a client"
            raise LibvirtError(f"{text}; this stands: {'; '.join(left)}") from error
        raise


class PartOfWork(Work):
    """A part of a greater work: what it reports counts as its share of that.

    Parameters:
        whole: the work that it is part of, which is asked to stop.
        begin, end: where in the whole it lies, in percent.
    """

    def __init__(self, whole: Work, begin: int, end: int) -> None:
        super().__init__()
        self._whole, self._begin, self._length = whole, begin, end - begin

    def report(self, done: int, total: int) -> None:
        """See `Work`."""
        if total > 0:
            self._whole.report(self._begin * total + self._length * min(done, total), 100 * total)

    def checkpoint(self) -> None:
        """See `Work`."""
        self._whole.checkpoint()

    @contextmanager
    def stoppable(
        self, interrupt: Callable[[], object] | None = None, pause: Callable[[], object] | None = None
    ) -> Iterator[None]:
        """See `Work`."""
        with self._whole.stoppable(interrupt, pause):
            yield

    def set_leftover(self, what: str) -> None:
        """See `Work`: the steps of the whole tell it."""
