"""In which order an event loop turns to its connections: to those that leave when there is time."""

from __future__ import annotations

import math
import select
import selectors

__all__ = ["LEAVING_AT_ONCE", "LeavingLast"]

LEAVING_AT_ONCE = 32
"""Connections of which leave is taken in one turn of the event loop: for 2,000 it takes 50 ms, in which nobody is
answered, for 32 less than one."""

LEAVING = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
"""What epoll tells of a connection whose client sends nothing any more."""


class LeavingLast(selectors.EpollSelector):
    """Tells of everything that is ready, but of connections that their clients have ended only of a few at a time:
    those that are left out are ready the next time."""

    _EVENT_READ = select.EPOLLIN | select.EPOLLRDHUP

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # As its base class does, which gives away only what can be read and written.
        poller: select.epoll = self._selector  # type: ignore[attr-defined]
        patience = -1.0 if timeout is None else max(0.0, math.ceil(timeout * 1e3) * 1e-3)
        keys = self.get_map()
        try:
            found = poller.poll(patience, max(1, len(keys)))
        except InterruptedError:
            return []
        ready, left = [], LEAVING_AT_ONCE
        for descriptor, event in found:
            if event & LEAVING:
                left -= 1
                if left < 0:
                    continue
            key = keys.get(descriptor)
            if key is not None:
                can = (event & ~select.EPOLLOUT and selectors.EVENT_READ) | (
                    event & ~select.EPOLLIN and selectors.EVENT_WRITE
                )
                ready.append((key, can & key.events))
        return ready
