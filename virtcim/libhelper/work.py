"""Long work under way: how far it is, and asking it to stop.

Whoever does the work reports to it and asks it, at points where stopping is safe, whether to go on; whoever waits for
it looks at it and asks it to stop.

Layer rule: imports nothing of this project, and no libvirt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

__all__ = ["Work", "WorkCancelledError"]


class WorkCancelledError(Exception):
    """The work was asked to stop, and did; what it had begun is undone."""


class Work:
    """One piece of work.

    Parameters:
        changed: called, without arguments, when the work has come on by a percent, was asked to stand still or to go
            on, and when something else stands if it ends.
        keep: called, without arguments, after `changed` where something else stands if it ends: comes back when that
            is known even if the process is killed.
        stoppable: whether it can be stopped before it has begun: it has to begin with a block that can be.
    """

    def __init__(
        self,
        changed: Callable[[], None] = lambda: None,
        keep: Callable[[], None] = lambda: None,
        *,
        stoppable: bool = False,
    ) -> None:
        self._changed = changed
        self._keep = keep
        self._state = threading.Condition()
        self._done = 0
        self._total = 0
        self._cancelled = False
        self._suspended = False
        self._stoppable = stoppable
        self._interrupt: Callable[[], object] | None = None
        self._pause: Callable[[], object] | None = None
        self._left = ""
        self._figures: Mapping[str, int | str] = {}
        self._asked: list[object] | None = []
        self._heard: Callable[[], object] = lambda: None

    def release(self) -> None:
        """Tell nobody any more, as it is over: who is told holds the work, and both would stay until a collection."""
        self._changed = self._keep = lambda: None
        self._heed_nothing()

    @property
    def percent(self) -> int:
        """How far it is, from 0 to 100; 0 while nobody knows."""
        with self._state:
            return min(100, self._done * 100 // self._total) if self._total > 0 else 0

    @property
    def suspended(self) -> bool:
        """Whether it was asked to stand still."""
        return self._suspended

    @property
    def left(self) -> str:
        """What stands if the work ends now, in words: what it has made and not undone; "" for nothing."""
        return self._left

    def report(self, done: int, total: int) -> None:
        """Say how far it is, in units of its own; it never goes back."""
        before = self.percent
        with self._state:
            if total > 0 and (self._total <= 0 or done * self._total >= self._done * total):
                self._done, self._total = done, total
        if self.percent != before:
            self._changed()

    @property
    def figures(self) -> Mapping[str, int | str]:
        """What else is known of how it goes on, by name."""
        return self._figures

    def tell(self, figures: Mapping[str, int | str]) -> None:
        """Say more of how it goes on; what was said under other names stays."""
        with self._state:
            self._figures = {**self._figures, **figures}

    @property
    def asked(self) -> Sequence[object]:
        """What it was asked for, and has not been taken yet."""
        with self._state:
            return tuple(self._asked or ())

    def ask(self, wish: object) -> bool:
        """Ask it to go on in another way, also before it has begun; whether that is not too late.

        Parameters:
            wish: of a type that whoever does the work knows.
        """
        with self._state:
            if self._asked is None:
                return False
            self._asked.append(wish)
            heard = self._heard
        heard()
        return True

    def take_asked(self) -> Sequence[object]:
        """Take what it was asked for: whoever does so sees to it."""
        with self._state:
            asked = tuple(self._asked or ())
            if asked:
                self._asked = []
        return asked

    @contextmanager
    def heeding(self, heard: Callable[[], object]) -> Iterator[None]:
        """The block in which it can be done in another way: after it, that is too late.

        Parameters:
            heard: called, in another thread, when something is asked for.
        """
        with self._state:
            self._heard = heard
        try:
            yield
        finally:
            self._heed_nothing()

    def _heed_nothing(self) -> None:
        with self._state:
            self._asked, self._heard = None, lambda: None

    def adopt(self, figures: Mapping[str, object], percent: int, left: str) -> None:
        """Take over what was known of it when its first process ended.

        Parameters:
            figures: as `figures` gave them.
            percent: how far it was.
            left: what stands.
        """
        self._figures, self._left = {name: each for name, each in figures.items() if isinstance(each, int | str)}, left
        with self._state:
            self._done, self._total = percent, 100

    def set_leftover(self, what: str) -> None:
        """Say what stands if the work ends now.

        What outlives this process is begun after it has been said: with it goes on disk what was told so far.
        """
        self._left = what
        self._changed()
        self._keep()

    def cancel(self) -> bool:
        """Ask it to stop; whether it will: not in the middle of something that cannot be stopped."""
        with self._state:
            if not self._stoppable:
                return False
            self._cancelled = True
            self._state.notify_all()
            interrupt = self._interrupt
        if interrupt is not None and interrupt() is False:
            with self._state:
                self._cancelled = False
            return False
        return True

    def suspend(self) -> bool:
        """Ask it to stand still; whether it will."""
        with self._state:
            pause = self._pause
            if not self._stoppable or self._cancelled or (self._interrupt is not None and pause is None):
                return False
            self._suspended = True
        if pause is not None and pause() is False:
            with self._state:
                self._suspended = False
                self._state.notify_all()
            return False
        self._changed()
        return True

    def resume(self) -> bool:
        """Let it go on; whether it stood still."""
        with self._state:
            if not self._suspended:
                return False
            self._suspended = False
            self._state.notify_all()
        self._changed()
        return True

    def checkpoint(self) -> None:
        """A point where the work may be stopped: returns when it may go on.

        Raises:
            WorkCancelledError: it has been asked to stop.
        """
        with self._state:
            while self._suspended and not self._cancelled:
                self._state.wait()
            if self._cancelled:
                raise WorkCancelledError

    @contextmanager
    def stoppable(
        self, interrupt: Callable[[], object] | None = None, pause: Callable[[], object] | None = None
    ) -> Iterator[None]:
        """A block that can be stopped: whoever is in it undoes what it did when `WorkCancelledError` comes.

        It may stand in another one, up to which the work can be stopped: what was asked for before it counts, and after
        it the other one cannot be stopped any more.

        Parameters:
            interrupt: called, in another thread, to end a call that blocks: that fails then, or was done already, and
                then it counts.  Where it gives False, the call cannot be ended any more.  Without it the block calls
                `checkpoint` often enough.
            pause: called likewise, to have such a call fail so that it can be made again: whoever made it finds that
                the work is `suspended`, waits at a `checkpoint`, and makes it again.  Where it gives False, the call
                goes on.  Without it a call that blocks cannot be made to stand still.

        Raises:
            WorkCancelledError: the work was asked to stop in the block, or in the one around it.
        """
        with self._state:
            self.checkpoint()
            self._stoppable, self._interrupt, self._pause = True, interrupt, pause
        try:
            yield
        except Exception:
            # A call that was interrupted fails with an error of its own.
            if self._cancelled:
                raise WorkCancelledError from None
            raise
        finally:
            with self._state:
                while self._suspended and not self._cancelled:
                    self._state.wait()
                self._stoppable, self._interrupt, self._pause = False, None, None
                cancelled, self._cancelled = self._cancelled, False
        if cancelled and interrupt is None:
            raise WorkCancelledError
