"""Writes the figures of a server for whoever looks at them.

Its library takes a MiB, and is loaded when somebody does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from virtcim.frontends.http.metrics import SECONDS, Count, Metrics, Times

__all__ = ["write_figures"]

_END = b"# EOF\n"


def write_figures(metrics: Metrics, accept: str = "") -> tuple[bytes, str]:
    """Write all figures, in the OpenMetrics format, or in Prometheus' older one for who asks for that alone.

    Parameters:
        metrics: the figures.
        accept: the Accept header of who asks.

    Returns:
        the text, and its media type.
    """
    modern = "openmetrics" in accept or "text/plain" not in accept
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Own(metrics))
    own: bytes = (openmetrics if modern else exposition).generate_latest(registry)
    text = own.removesuffix(_END) + b"".join(each(modern) for each in metrics.further) + (_END if modern else b"")
    return text, openmetrics.CONTENT_TYPE_LATEST if modern else exposition.CONTENT_TYPE_LATEST


class _Own(Collector):
    """The figures of the server itself, for the library."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Give the figures."""
        metrics = self._metrics
        yield _histogram(
            "virtcim_operation_seconds", "Time from a request's arrival until its answer is ready", metrics.times
        )
        yield _counter(
            "virtcim_operations", "Operations by CIM status code", ("operation", "status"), metrics.operations
        )
        yield _counter(
            "virtcim_refused_requests",
            "Requests that never became an operation, by HTTP status",
            ("status",),
            metrics.refusals,
        )
        for name, (text, value) in list(metrics.watched.items()):
            yield GaugeMetricFamily(f"virtcim_{name}", text, value())


def _counter(name: str, text: str, labels: tuple[str, ...], counts: Mapping[tuple[str, ...], Count]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in list(counts.items()):
        family.add_metric(values, count.number, created=count.since)
    return family


def _histogram(name: str, text: str, times: Mapping[str, Times]) -> Metric:
    """Write how long operations took: each bound counts all that took no longer."""
    family = HistogramMetricFamily(name, text, labels=("operation",))
    bounds = [*map(floatToGoString, (*SECONDS, float("inf")))]
    for operation, each in list(times.items()):
        family.add_metric((operation,), list(zip(bounds, accumulate(each.counts), strict=True)), each.total)
        family.add_sample(f"{name}_created", {"operation": operation}, each.since)
    return family
