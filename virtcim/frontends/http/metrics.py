"""Figures for monitoring, in the OpenMetrics format."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

__all__ = ["Metrics"]

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram: from an instance out of the cache to a guest that takes its time to start."""


class Metrics:
    """The figures of one server."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._seconds = Histogram(
            "virtcim_operation_seconds",
            "Time from a request's arrival until its answer is ready",
            ["operation"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._operations = Counter(
            "virtcim_operations", "Operations by CIM status code", ["operation", "status"], registry=self._registry
        )
        self._of_operation: dict[tuple[str, int], tuple[Histogram, Counter]] = {}
        self._refused = Counter(
            "virtcim_refused_requests",
            "Requests that never became an operation, by HTTP status",
            ["status"],
            registry=self._registry,
        )

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count an operation.  `operation` is one of few labels, `status` the CIM status code."""
        figures = self._of_operation.get((operation, status))
        if figures is None:
            figures = self._seconds.labels(operation), self._operations.labels(operation, str(status))
            self._of_operation[operation, status] = figures
        figures[0].observe(seconds)
        figures[1].inc()

    def refused(self, status: int) -> None:
        """Count a request that was refused.  `status` is the HTTP status."""
        self._refused.labels(str(status)).inc()

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a figure that is asked for when somebody looks.

        Parameters:
            name: without the prefix `virtcim_`.
            text: what it is.
        """
        Gauge(f"virtcim_{name}", text, registry=self._registry).set_function(value)

    def exposition(self) -> bytes:
        """All figures as text."""
        text: bytes = generate_latest(self._registry)  # type: ignore[no-untyped-call]
        return text
