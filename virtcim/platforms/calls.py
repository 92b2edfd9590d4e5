"""Calls of what others have written: bounded in time, and not able to take us with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Call", "CallError", "call_within"]

Answer = TypeVar("Answer")


class CallError(Exception):
    """A function of a plugin gave no answer; the text says why."""


class Call(Generic[Answer]):
    """A function that runs in a thread of its own from now on.

    One that never returns keeps its thread, which does not keep the process from ending.

    Parameters:
        function: what is called, without arguments.
    """

    def __init__(self, function: Callable[[], Answer]) -> None:
        self._function = function
        self._answers: list[Answer] = []
        self._error: BaseException | None = None
        self._begun = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="plugin", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answers.append(self._function())
        except BaseException as error:  # SystemExit among them: it is the plugin's end and not ours
            self._error = error

    def result(self, seconds: float) -> Answer:
        """Give the answer, at the latest so many seconds after the call.

        Raises:
            CallError: the function raised, or has not returned by then.
        """
        self._thread.join(max(0.0, self._begun + seconds - time.monotonic()))
        if self._error is not None:
            raise CallError(f"{type(self._error).__name__}: {self._error}") from self._error
        if not self._answers:
            raise CallError(f"no answer in {seconds:g} s")
        return self._answers[0]


def call_within(seconds: float, function: Callable[[], Answer]) -> Answer:
    """Call a function, and give its answer.

    Parameters:
        seconds: that it gets.

    Raises:
        CallError: it raised, or has not returned by then.
    """
    return Call(function).result(seconds)
