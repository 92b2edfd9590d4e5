"""How large a guest can be on its host.

Layer rule: imports libvirt, context, documents, errors, host; knows nothing of CIM.
"""

from __future__ import annotations

import logging

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.capabilities import DomainCapabilities, parsed
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.host import HostFacts

__all__ = ["GuestLimits", "LimitsReader"]

_log = logging.getLogger(__name__)


@immutable
class GuestLimits:
    """What a guest can have at most; None where nothing is known.

    Attributes:
        memory: KiB, what the host has.
        processors: for guests of its domain type and machine.
    """

    memory: int | None = None
    processors: int | None = None


_Key = tuple[str | None, str | None, str | None, str | None]


class LimitsReader:
    """Tells the limits of guests of one hypervisor, and asks libvirt once for each kind of guest."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._facts = HostFacts()
        self._processors: dict[_Key, int | None] = {}

    def of(self, config: DomainConfig) -> GuestLimits:
        """The limits of a guest.

        The limit of the processors is that of the domain capabilities for its emulator, architecture, machine and
        domain type (`vcpu/@max`); where the driver has none, what it says for guests of all types.
        """
        facts = self._context.facts
        if facts is not self._facts:
            # Connected again: another libvirt may say something else.
            self._facts, self._processors = facts, {}
        processors = self._processors_of((config.emulator, config.os_type_arch, config.os_type_machine, config.type))
        return GuestLimits(facts.memory, processors or facts.max_vcpus or None)

    def _processors_of(self, key: _Key) -> int | None:
        if key not in self._processors:
            try:
                with self._context.connections.connection() as connection:
                    xml = connection.getDomainCapabilities(*key, 0)
            except (libvirt.libvirtError, LibvirtError) as error:
                _log.debug("%s: no capabilities of domains %s: %s", self._context.uri, key, error)
                return None
            self._processors[key] = parsed(DomainCapabilities, xml).vcpu_max
        return self._processors[key]
