"""What would hold up the event loop, in threads of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from virtcim.starter import start_elsewhere

__all__ = ["in_thread"]

Result = TypeVar("Result")


def in_thread(work: Callable[[], Result]) -> asyncio.Future[Result]:
    """Run `work` in a thread that does not keep the process from ending."""
    future: Future[Result] = Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    start_elsewhere(threading.Thread(target=run, daemon=True))
    return asyncio.wrap_future(future)
