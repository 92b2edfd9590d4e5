"""The last state that was requested of each guest (CIM_EnabledLogicalElement.RequestedState).

It lives with the guest, as an element of our own in the `<metadata>` of its domain XML, and so outlives both the
server and the host.  Where libvirt does not take it (a transient guest that has stopped, a driver without metadata)
it is remembered for as long as the server runs.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from libhelper.errors import LibvirtError
from libhelper.metadata import set_metadata
from providers.states import RequestedState

if TYPE_CHECKING:
    from providers.site import Guest

__all__ = ["RequestedStates", "without_own_metadata"]

_log = logging.getLogger(__name__)

NAMESPACE = "urn:virtcim:requested-state"
"""A namespace of its own: libvirt keeps one element per namespace, and so writers never meet."""

_KEY = "virtcim"
_ELEMENT = re.compile(rf"<[^<>]*\sxmlns:\w+=['\"]{re.escape(NAMESPACE)}['\"][^<>]*>(\d{{1,5}})<")


_OWN = re.compile(
    r"\s*<(?P<tag>[\w:]+)\s+xmlns(?::\w+)?=(?P<q>['\"])urn:virtcim:[^'\"]*(?P=q)[^>]*>.*?</(?P=tag)>", re.DOTALL
)


def without_own_metadata(xml: str) -> str:
    """Domain XML without what virtcim keeps in the metadata of a guest, for making another guest of it."""
    return _OWN.sub("", xml) if "urn:virtcim:" in xml else xml


class RequestedStates:
    """Remembers requests, and keeps them with the guests."""

    def __init__(self) -> None:
        self._requested: dict[str, int] = {}

    def get(self, guest: Guest) -> int:
        """The last accepted request; 0 (Unknown) when there never was one."""
        known = self._requested.get(guest.domain.uuid)
        return guest.memo(RequestedStates, _kept) if known is None else known

    def put(self, guest: Guest, requested: RequestedState) -> None:
        """Take down a request that was accepted."""
        self._requested[guest.domain.uuid] = int(requested)
        element = f"<requested>{int(requested)}</requested>"
        try:
            set_metadata(guest.hypervisor, guest.domain.uuid, element, _KEY, NAMESPACE)
        except LibvirtError as error:
            if error.is_gone:
                self._requested.pop(guest.domain.uuid, None)
            _log.debug("guest %r: the requested state is not kept: %s", guest.name, error.message)


def _kept(guest: Guest) -> int:
    """What the domain XML holds."""
    xml = guest.domain.xml
    found = _ELEMENT.search(xml) if NAMESPACE in xml else None
    return int(found[1]) if found else int(RequestedState.UNKNOWN)
