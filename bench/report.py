"""The table and the plot."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path

import libvirt

from bench.measure import Timing

RESULTS = Path(__file__).with_name("results")

#: Shades of grey for what is not the server.
FLOOR_COLOURS = ("0.15", "0.45", "0.7")


@dataclass(slots=True)
class Run:
    """All figures for one number of guests on one driver.

    Attributes:
        timings: of the server.
        floor: of libvirt-python alone.
        foreign: of another CIMOM.
        rates: scheme and number of clients -> what bench.load says.
        figures: name -> value with unit, for everything else.
    """

    driver: str
    guests: int
    timings: list[Timing] = field(default_factory=list)
    floor: list[Timing] = field(default_factory=list)
    foreign: list[Timing] = field(default_factory=list)
    rates: dict[str, dict[str, float]] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.guests} guests, {self.driver}"


def table(run: Run) -> str:
    """One run as text."""
    titles = ("median", "min", "CPU", "objects", "kB", "first", "bare", "times")
    lines = [run.title, f"  {'ms':<52}" + "".join(f"{title:>9}" for title in titles)]

    def row(timing: Timing, name: str) -> str:
        cpu = f"{timing.cpu:9.2f}" if timing.cpu is not None else f"{'':9}"
        size = f"{timing.size / 1000:9.0f}" if timing.size else ""
        text = f"  {name:<52}{timing.median:9.2f}{timing.least:9.2f}{cpu}{timing.objects:9}{size}"
        if timing.cpu is None or timing.first is None or not timing.bare:
            return text
        return f"{text}{timing.first:9.1f}{timing.bare:9.2f}{timing.cpu / timing.bare:9.1f}"

    lines += [row(timing, timing.name) for timing in run.timings]
    lines += [row(timing, f"other CIMOM: {timing.name}") for timing in run.foreign]
    lines += [row(timing, timing.name) for timing in run.floor]
    lines += [
        f"  GetInstance, {clients} keep-alive clients: {rate['rate']:7.0f} requests/s, "
        f"median {rate['median']:.2f} ms, p95 {rate['p95']:.2f} ms, server CPU {rate['cpu']:.3f} ms each"
        for clients, rate in run.rates.items()
    ]
    lines += [f"  {name}: {value}" for name, value in run.figures.items()]
    return "\n".join(lines)


def machine() -> str:
    """What the figures were measured on."""
    library = libvirt.getVersion()
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    load = Path("/proc/loadavg").read_text().split()[0]
    return (
        f"{model}, Python {platform.python_version()}, "
        f"libvirt {library // 1_000_000}.{library // 1000 % 1000}.{library % 1000}, load before {load}"
    )


def write(runs: list[Run], text: str) -> Path:
    """Write table, figures and plot into bench/results; returns the plot's path."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "bench.txt").write_text(text + "\n")
    (RESULTS / "bench.json").write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n")
    return plot(runs)


def plot(runs: list[Run]) -> Path:
    """Time against the number of guests, one line for each operation."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 7))
    series: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for run in runs:
        for timing in [*run.timings, *run.floor]:
            series.setdefault((run.driver, timing.name), []).append((run.guests, timing.median))
    colours = dict(zip((timing.name for timing in runs[0].floor), FLOOR_COLOURS, strict=True))
    labelled: set[str] = set()
    for (driver, name), points in series.items():
        points.sort()
        first = name not in labelled
        labelled.add(name)
        colour = colours.setdefault(name, f"C{len(colours) - len(FLOOR_COLOURS)}")
        axes.plot(
            *zip(*points, strict=True),
            color=colour,
            marker="o" if driver == "test" else "s",
            markerfacecolor=colour if driver == "test" else "none",
            linestyle=":" if name.startswith("libvirt:") else "-",
            label=name if first else None,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("guests (filled: test driver; hollow squares: QEMU)")
    axes.set_ylabel("ms, median, warm")
    axes.set_title("virtcim: time against number of guests")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize=8)
    target = RESULTS / "bench.png"
    figure.tight_layout()
    figure.savefig(target, dpi=120)
    pyplot.close(figure)
    return target
