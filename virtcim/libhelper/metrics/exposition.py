"""Figures of guests as text for Prometheus, under the names and labels that prometheus-libvirt-exporter gave them.

State and definition of a guest come from the inventory, and so are there for every guest, whatever libvirt can or
cannot tell of it; its figures come from the newest sample.

Layer rule: imports documents, inventory, sample and sampler; knows nothing of HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from virtcim.libhelper.documents.domain import Disk, DomainConfig, Interface
from virtcim.libhelper.inventory.records import Domain, Pool
from virtcim.libhelper.metrics.sample import Sample
from virtcim.libhelper.metrics.sampler import SampleRequest

__all__ = ["FAMILIES", "Sources", "expose", "figures_text"]

_STATES = (
    "the domain has no state",
    "the domain is running",
    "the domain is blocked on resource",
    "the domain is paused by user",
    "the domain is being shut down",
    "the domain is shut off",
    "the domain is crashed",
    "the domain is suspended by guest power management",
)
"""The exporter's words for libvirt's states, by number."""

_KIB = 1024
_STALE_SECONDS = 90.0
"""Seconds after which a sample is none any more: more than sampling a thousand busy guests takes."""
_NANO = 1e-9


class _Inventory(Protocol):
    def domains(self) -> list[Domain]: ...
    def pools(self) -> list[Pool]: ...


class _Sampler(Protocol):
    def ask(self) -> SampleRequest: ...
    def take(self, asked: SampleRequest, until: float) -> Sample | None: ...


class Source(Protocol):
    """A hypervisor, as far as its figures are shown."""

    @property
    def uri(self) -> str: ...
    @property
    def connected(self) -> bool: ...
    @property
    def inventory(self) -> _Inventory: ...


class SampledSource(Source, Protocol):
    """A hypervisor whose figures are sampled."""

    @property
    def metrics(self) -> _Sampler: ...


class Sources(NamedTuple):
    """The hypervisors of a node.

    Attributes:
        hypervisors: of it.
        node: its name; "" where there is one node only.
        groups: that it is in.
    """

    hypervisors: Sequence[SampledSource]
    node: str = ""
    groups: Sequence[str] = ()


class _Figure(NamedTuple):
    """A figure that libvirt tells of a guest or of a part of one.

    Attributes:
        name: of the family; a counter's ends in `_total`.
        field: libvirt's name behind that of the part.
        factor: from libvirt's unit to the base unit; 1 leaves whole numbers whole.
        text: what it is.
    """

    name: str
    field: str
    text: str
    factor: float = 1


_GUEST = (
    _Figure("libvirt_domain_info_maximum_memory_bytes", "balloon.maximum", "Memory that the domain can have", _KIB),
    _Figure("libvirt_domain_info_memory_usage_bytes", "balloon.current", "Memory that the domain has", _KIB),
    _Figure("libvirt_domain_info_virtual_cpus", "vcpu.current", "Virtual CPUs of the domain"),
    _Figure("libvirt_domain_info_cpu_time_seconds_total", "cpu.time", "CPU time that the domain has used", _NANO),
    _Figure("libvirt_domain_vcpu_current", "vcpu.current", "Virtual CPUs that are online"),
    _Figure("libvirt_domain_vcpu_maximum", "vcpu.maximum", "Virtual CPUs that the domain can have"),
    _Figure("libvirt_domain_memory_stats_unused_bytes", "balloon.unused", "Memory that the guest leaves empty", _KIB),
    _Figure("libvirt_domain_memory_stats_available_bytes", "balloon.available", "Memory that the guest sees", _KIB),
    _Figure("libvirt_domain_memory_stats_usable_bytes", "balloon.usable", "Memory usable without swapping", _KIB),
    _Figure("libvirt_domain_memory_stats_rss_bytes", "balloon.rss", "Memory of the host that the domain has", _KIB),
    _Figure("libvirt_domain_memory_stats_actual_balloon_bytes", "balloon.current", "Size of the balloon", _KIB),
    _Figure("libvirt_domain_memory_stats_disk_cache_bytes", "balloon.disk_caches", "Caches of disks in it", _KIB),
    _Figure("libvirt_domain_memory_stats_swap_in_bytes", "balloon.swap_in", "Read from swap space", _KIB),
    _Figure("libvirt_domain_memory_stats_swap_out_bytes", "balloon.swap_out", "Written to swap space", _KIB),
    _Figure("libvirt_domain_memory_stats_major_fault_total", "balloon.major_fault", "Page faults with a disk read"),
    _Figure("libvirt_domain_memory_stats_minor_fault_total", "balloon.minor_fault", "Page faults without one"),
)
_VCPU = (
    _Figure("libvirt_domain_vcpu_state", "state", "State of the virtual CPU: 0 offline, 1 running, 2 blocked"),
    _Figure("libvirt_domain_vcpu_time_seconds_total", "time", "Time that the virtual CPU ran", _NANO),
    _Figure("libvirt_domain_vcpu_wait_seconds_total", "wait", "Time that it waited for input or output", _NANO),
    _Figure("libvirt_domain_vcpu_delay_seconds_total", "delay", "Time that it waited for the host", _NANO),
)
_BLOCK_NAME = "libvirt_domain_block_stats_"
_BLOCK = (
    _Figure(f"{_BLOCK_NAME}read_bytes_total", "rd.bytes", "Bytes read"),
    _Figure(f"{_BLOCK_NAME}read_requests_total", "rd.reqs", "Requests to read"),
    _Figure(f"{_BLOCK_NAME}read_time_seconds_total", "rd.times", "Time that reading took", _NANO),
    _Figure(f"{_BLOCK_NAME}write_bytes_total", "wr.bytes", "Bytes written"),
    _Figure(f"{_BLOCK_NAME}write_requests_total", "wr.reqs", "Requests to write"),
    _Figure(f"{_BLOCK_NAME}write_time_seconds_total", "wr.times", "Time that writing took", _NANO),
    _Figure(f"{_BLOCK_NAME}flush_requests_total", "fl.reqs", "Requests to flush"),
    _Figure(f"{_BLOCK_NAME}flush_time_seconds_total", "fl.times", "Time that flushing took", _NANO),
    _Figure(f"{_BLOCK_NAME}capacity_bytes", "capacity", "Size that the guest sees"),
    _Figure(f"{_BLOCK_NAME}allocation_bytes", "allocation", "Space of the host that was written to"),
    _Figure(f"{_BLOCK_NAME}physical_bytes", "physical", "Space of the host that the image takes"),
)
_NET_NAME = "libvirt_domain_interface_stats_"
_NET = tuple(
    _Figure(f"{_NET_NAME}{word}_{name}_total", f"{way}.{field}", f"{text} {done}")
    for way, word, done in (("rx", "receive", "received"), ("tx", "transmit", "sent"))
    for name, field, text in (
        ("bytes", "bytes", "Bytes"),
        ("packets", "pkts", "Packets"),
        ("errors", "errs", "Errors among packets"),
        ("drops", "drop", "Drops among packets"),
    )
)
_POOL = (
    ("libvirt_storage_pool_capacity_bytes", "capacity", "Size of the storage pool"),
    ("libvirt_storage_pool_allocation_bytes", "allocation", "Space of it that is taken"),
    ("libvirt_storage_pool_available_bytes", "available", "Space of it that is free"),
)

_Key = tuple[int, str]
"""The revision of a guest's record, and what stands before its labels."""

Fixed = tuple[tuple[str, str], ...]
"""Lines that stay as long as a guest's record does, each behind the name of its family."""

FixedLines = Mapping[_Key, Fixed]

Lines = dict[str, list[str]]
"""The samples of each family, by its name."""

FAMILIES: dict[str, str] = {
    "libvirt_up": "Whether libvirt is connected",
    "virtcim_node_group": "A group that the node is in; always 1",
    "libvirt_domains": "Number of domains",
    "libvirt_domain_info": "What a domain is; always 1",
    "libvirt_domain_info_state": "State of the domain, as libvirt numbers it",
    "libvirt_domain_timed_out": "Whether the domain did not answer, so that its figures are not told",
    "libvirt_domain_memory_stats_used_percent": "Memory that the guest uses, of what it sees",
    f"{_BLOCK_NAME}info": "What a disk is; always 1",
    f"{_NET_NAME}info": "What a network interface is; always 1",
    "libvirt_storage_pool_state": "State of the storage pool: 0 inactive, 2 running",
    **{each.name: each.text for each in (*_GUEST, *_VCPU, *_BLOCK, *_NET)},
    **{name: text for name, _, text in _POOL},
}
"""What each family is, in the order in which they are written."""


def figures_text(sources: Callable[[], Iterable[Sources]]) -> Callable[[bool], bytes]:
    """Make the function that writes the figures of hypervisors, from figures that are as new as can be had.

    All are asked before one is waited for: who hangs makes nobody wait twice.

    Parameters:
        sources: gives the hypervisors of each node.
    """

    kept: dict[_Key, Fixed] = {}

    def write(openmetrics: bool) -> bytes:
        nonlocal kept
        nodes = list(sources())
        asked = [(node, each, each.metrics.ask()) for node in nodes for each in node.hypervisors]
        until = max((each.until for _, _, each in asked), default=0.0)
        sampled = [
            (hypervisor, _fresh(hypervisor.metrics.take(each, until)), _labels_of(node, hypervisor))
            for node, hypervisor, each in asked
        ]
        known, kept = kept, {}
        groups = [(node.node, group) for node in nodes if node.node for group in node.groups]
        return expose(sampled, openmetrics, known, kept, groups).encode()

    return write


def _labels_of(node: Sources, hypervisor: Source) -> str:
    """Write the labels that every series of a hypervisor has, each with a comma behind it."""
    labels = {"node": node.node} if node.node else {}
    if len(node.hypervisors) > 1:
        labels["uri"] = hypervisor.uri
    return "".join(f"{_labels(**{name: text})}," for name, text in labels.items())


def _fresh(sample: Sample | None) -> Sample | None:
    """Leave out what would be taken for news: Prometheus has no time of its own for it."""
    return sample if sample is not None and time.monotonic() - sample.clock < _STALE_SECONDS else None


def expose(
    sampled: Sequence[tuple[Source, Sample | None, str]],
    openmetrics: bool = True,
    known: FixedLines = MappingProxyType({}),
    kept: MutableMapping[_Key, Fixed] | None = None,
    groups: Iterable[tuple[str, str]] = (),
) -> str:
    """Write the figures of hypervisors, without the end that OpenMetrics asks for.

    Parameters:
        openmetrics: whether in the OpenMetrics format, where a family of counters is named without `_total`, or in
            Prometheus' older text format.
        known: what `kept` was given the last time.
        kept: takes what can be used again as long as a guest stays what it is.
        sampled: each hypervisor, its newest sample, None where libvirt gave none of late, and the labels that all its
            series have, each with a comma behind it.
        groups: pairs of a node and a group that it is in.
    """
    lines: Lines = {name: [] for name in FAMILIES}
    for source, sample, label in sampled:
        _add_hypervisor(lines, source, sample, label, known, {} if kept is None else kept)
    name = "virtcim_node_group"
    lines[name].extend(f"{name}{{{_labels(node=node, group=group)}}} 1\n" for node, group in groups)
    return "".join(_family(name, samples, openmetrics) for name, samples in lines.items() if samples)


def _family(name: str, samples: list[str], openmetrics: bool) -> str:
    kind = "counter" if name.endswith("_total") else "gauge"
    family = name.removesuffix("_total") if openmetrics else name
    return f"# HELP {family} {FAMILIES[name]}.\n# TYPE {family} {kind}\n" + "".join(samples)


def _add_hypervisor(
    lines: Lines,
    source: Source,
    sample: Sample | None,
    label: str,
    known: FixedLines,
    kept: MutableMapping[_Key, Fixed],
) -> None:
    own = f"{{{label[:-1]}}}" if label else ""
    domains = source.inventory.domains()
    lines["libvirt_up"].append(f"libvirt_up{own} {int(source.connected)}\n")
    lines["libvirt_domains"].append(f"libvirt_domains{own} {len(domains)}\n")
    for domain in domains:
        of_domain = f'{label}domain="{_escaped(domain.name)}"'
        key = (domain.revision, label)
        fixed = kept[key] = known.get(key) or tuple(_definition(domain, of_domain))
        for name, line in fixed:
            lines[name].append(line)
        _add_figures(lines, domain, sample, of_domain)
    for pool in source.inventory.pools():
        _add_pool(lines, pool, f'{{{label}storage_pool="{_escaped(pool.name)}"}}')


def _add_figures(lines: Lines, domain: Domain, sample: Sample | None, label: str) -> None:
    """Add what libvirt tells of a guest."""
    guest = None if sample is None else sample.guests.get(domain.uuid)
    timed_out = domain.active and (sample is None or (guest is not None and not guest.answered))
    lines["libvirt_domain_timed_out"].append(f"libvirt_domain_timed_out{{{label}}} {int(timed_out)}\n")
    if guest is None:
        return
    fields = guest.fields
    _add(lines, _GUEST, fields, "", f"{{{label}}} ")
    available, usable = fields.get("balloon.available"), fields.get("balloon.usable")
    if available and usable is not None:
        name = "libvirt_domain_memory_stats_used_percent"
        lines[name].append(f"{name}{{{label}}} {100 * (available - usable) / available:.6g}\n")
    for number in range(fields.get("vcpu.maximum", 0)):
        _add(lines, _VCPU, fields, f"vcpu.{number}.", f'{{{label},vcpu="{number}"}} ')
    for group, figures in (("block", _BLOCK), ("net", _NET)):
        for number in range(fields.get(f"{group}.count", 0)):
            device = fields.get(f"{group}.{number}.name")
            if device is not None:
                part = f'{{{label},target_device="{_escaped(device)}"}} '
                _add(lines, figures, fields, f"{group}.{number}.", part)


def _add(lines: Lines, figures: Iterable[_Figure], fields: Mapping[str, Any], part: str, labels: str) -> None:
    for name, field, _, factor in figures:
        value = fields.get(part + field)
        if value is not None:
            lines[name].append(f"{name}{labels}{value if factor == 1 else value * factor}\n")


def _definition(domain: Domain, label: str) -> Iterator[tuple[str, str]]:
    """Give what is known of a guest without its figures: lines, each behind the name of its family."""
    state = int(domain.state)
    name = "libvirt_domain_info_state"
    yield name, f'{name}{{{label},state_desc="{_STATES[state]}"}} {state}\n'
    config = domain.config
    if config is None:
        return
    kind = _labels(
        uuid=domain.uuid,
        os_type=config.os_type,
        os_type_arch=config.os_type_arch,
        os_type_machine=config.os_type_machine,
    )
    yield "libvirt_domain_info", f"libvirt_domain_info{{{label},{kind}}} 1\n"
    for disk, target in _named(config, Disk):
        rest = _labels(
            target_device=target,
            disk_type=disk.type,
            device=disk.device,
            driver_type=disk.driver_type,
            target_bus=disk.target_bus,
            source_file=disk.source_file or disk.source_dev,
            serial=disk.serial,
        )
        yield f"{_BLOCK_NAME}info", f"{_BLOCK_NAME}info{{{label},{rest}}} 1\n"
    for port, target in _named(config, Interface):
        rest = _labels(
            target_device=target,
            interface_type=port.type,
            source_bridge=port.source_bridge,
            source_network=port.source_network,
            mac_address=port.mac_address,
            model_type=port.model_type,
        )
        yield f"{_NET_NAME}info", f"{_NET_NAME}info{{{label},{rest}}} 1\n"


def _named(config: DomainConfig, kind: type[Any]) -> Iterator[tuple[Any, str]]:
    """The devices of a kind that have a name on the host, each name once."""
    seen: set[str] = set()
    for device in config.devices:
        if isinstance(device, kind) and device.target_dev and device.target_dev not in seen:
            seen.add(device.target_dev)
            yield device, device.target_dev


def _add_pool(lines: Lines, pool: Pool, labels: str) -> None:
    running = 2 if pool.active else 0
    lines["libvirt_storage_pool_state"].append(f"libvirt_storage_pool_state{labels} {running}\n")
    config = pool.config
    for name, field, _ in _POOL if config is not None else ():
        value = getattr(config, field)
        if value is not None:
            lines[name].append(f"{name}{labels} {value}\n")


def _labels(**values: str | None) -> str:
    return ",".join(f'{name}="{_escaped(value or "")}"' for name, value in values.items())


def _escaped(text: str) -> str:
    """Write a text as the value of a label (OpenMetrics 1.0, ABNF `escaped-string`)."""
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return text
