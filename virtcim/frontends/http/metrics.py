"""Figures for monitoring, as they are counted; `exposition` writes them."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable

__all__ = ["SECONDS", "Count", "Metrics", "Times"]

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram: from an instance out of the cache to a guest that takes its time to start."""


class Count:
    """A number that grows.

    Attributes:
        since: when it began to, in seconds since 1970.
    """

    __slots__ = ("number", "since")

    def __init__(self) -> None:
        self.number = 0
        self.since = time.time()


class Times:
    """How long operations of one name took.

    Attributes:
        counts: how many took up to each of `SECONDS` and more than the one before it, and how many more than the last.
        total: seconds of all of them.
        since: when the first one was counted, in seconds since 1970.
    """

    __slots__ = ("counts", "since", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0
        self.since = time.time()

    def add(self, seconds: float) -> None:
        """Count an operation that took so long."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds


class Metrics:
    """The figures of one server.  To be changed in the thread of the event loop, and read in any.

    Attributes:
        times: by operation.
        operations: by operation and CIM status code.
        refusals: of requests that never became an operation, by HTTP status.
        watched: what is asked for when somebody looks: what it is, and a function that gives it, by name.
        further: see `add`.
    """

    def __init__(self) -> None:
        self.times: dict[str, Times] = {}
        self.operations: dict[tuple[str, ...], Count] = {}
        self.refusals: dict[tuple[str, ...], Count] = {}
        self.watched: dict[str, tuple[str, Callable[[], float]]] = {}
        self.further: list[Callable[[bool], bytes]] = []
        self._of_operation: dict[tuple[str, int], tuple[Times, Count]] = {}

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count an operation.  `operation` is one of few labels, `status` the CIM status code."""
        figures = self._of_operation.get((operation, status))
        if figures is None:
            figures = (
                self.times.setdefault(operation, Times()),
                self.operations.setdefault((operation, str(status)), Count()),
            )
            self._of_operation[operation, status] = figures
        times, count = figures
        times.add(seconds)
        count.number += 1

    def refused(self, status: int) -> None:
        """Count a request that was refused.  `status` is the HTTP status."""
        self.refusals.setdefault((str(status),), Count()).number += 1

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a figure that is asked for when somebody looks.

        Parameters:
            name: without the prefix `virtcim_`.
            text: what it is.
        """
        self.watched[name] = text, value

    def add(self, further: Callable[[bool], bytes]) -> None:
        """Show further figures.

        Parameters:
            further: writes whole families of figures, in the OpenMetrics format where it is given True, else in the
                older one; may take its time.
        """
        self.further.append(further)
