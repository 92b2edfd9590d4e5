"""The settings of one hypervisor connection, each with its unit and the reason for its default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from virtcim.immutable import immutable

__all__ = ["HypervisorSettings"]


@immutable
class HypervisorSettings:
    """How a `Hypervisor` keeps its inventory.

    Attributes:
        read_only: open read-only connections: no operation is possible, and no password presence is known.
        interval: seconds within which a change that libvirt announces by no event is seen.
        readers: threads, each with its own connection, that fetch from libvirt.
        call_budget: seconds after which a fetch counts as stuck: it is reported, and another reader takes the
            place of the one that waits.
        keepalive_interval, keepalive_count: seconds between probes and probes missed before a silent libvirtd is
            taken for lost; only libvirt's own transports have this.
        open_timeout: seconds for one attempt to open a connection.
        watch_directories: directories with libvirt's XML files, each with the kind of object it holds (see
            `watch.xml_directories`); None means those that belong to the URI, an empty mapping none.
        watch_interval: seconds between two looks at these directories.
        volume_interval: seconds after which the XML of all volumes of a pool is read again, and the disks of each
            domain are measured; that volumes came or went is seen within `interval`.
        sample_floor: seconds between two samplings of figures at least, however many ask.
        sample_interval: seconds between two samplings while somebody looks.
        sample_linger: seconds for which sampling goes on after somebody looked.
        sample_patience: seconds that who asks for figures waits for libvirt; then there are those of last time, and
            libvirt is asked again without the guest that does not answer.
        sample_history: seconds for which samples are kept.
    """

    read_only: bool = False
    interval: float = 10.0
    readers: int = 4
    call_budget: float = 5.0
    keepalive_interval: int = 5
    keepalive_count: int = 3
    open_timeout: float = 10.0
    watch_directories: Mapping[Path, str] | None = None
    watch_interval: float = 0.5
    volume_interval: float = 60.0
    sample_floor: float = 1.0
    sample_interval: float = 10.0
    sample_linger: float = 120.0
    sample_patience: float = 2.0
    sample_history: float = 900.0
