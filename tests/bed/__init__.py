"""The test bed: real libvirt daemons, real guests, a real `virtcim serve` and real clients, all of them private.

Everything is started on directories and ports of its own, and only what was started here is ended here.
"""

from tests.bed.daemon import Libvirtd, why_unavailable
from tests.bed.guests import baseline_xml, boot_sector_xml, container_root, container_xml
from tests.bed.server import RawClient, Server, WbemcliError, wait_until

__all__ = [
    "Libvirtd",
    "RawClient",
    "Server",
    "WbemcliError",
    "baseline_xml",
    "boot_sector_xml",
    "container_root",
    "container_xml",
    "wait_until",
    "why_unavailable",
]
