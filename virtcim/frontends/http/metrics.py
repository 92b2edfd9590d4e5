"""Figures for monitoring, in the OpenMetrics format, or in Prometheus' older one for who asks for that alone."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, exposition
from prometheus_client.openmetrics import exposition as openmetrics

__all__ = ["Metrics"]

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram: from an instance out of the cache to a guest that takes its time to start."""

_END = b"# EOF\n"


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self._further: list[Callable[[bool], bytes]] = []
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

    def add(self, further: Callable[[bool], bytes]) -> None:
        """Show further figures.

        Parameters:
            further: writes whole families of figures, in the OpenMetrics format where it is given True, else in the
                older one; may take its time.
        """
        self._further.append(further)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Write all figures.

        Parameters:
            accept: the Accept header of who asks.

        Returns:
            the text, and its media type.
        """
        modern = "openmetrics" in accept or "text/plain" not in accept
        own: bytes = (openmetrics if modern else exposition).generate_latest(self._registry)
        further = b"".join(each(modern) for each in self._further)
        text = own.removesuffix(_END) + further + (_END if modern else b"")
        return text, openmetrics.CONTENT_TYPE_LATEST if modern else exposition.CONTENT_TYPE_LATEST
