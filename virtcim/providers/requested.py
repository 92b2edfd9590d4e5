"""The last state that was requested of each guest (CIM_EnabledLogicalElement.RequestedState).

It lives with the guest, as an element of our own in the `<metadata>` of its domain XML, and so outlives both the
server and the host.  Where libvirt does not take it (a transient guest that has stopped, a driver without metadata)
it is remembered for as long as the server runs.
"""

from __future__ import annotations

import itertools
import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple
from weakref import WeakSet
from xml.sax.saxutils import escape, unescape

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.inventory.records import OWN_NAMESPACE, Change, ChangeKind, Document, Domain
from virtcim.providers.memo import Memo
from virtcim.providers.states import RequestedState

__all__ = [
    "SEED",
    "MadeOf",
    "RequestedStates",
    "lasting_xml",
    "own_element",
    "own_xml",
    "recorded_state",
    "template_in",
    "with_template",
    "without_own_metadata",
]

_log = logging.getLogger(__name__)

NAMESPACE = f"{OWN_NAMESPACE}requested-state"
"""A namespace of its own: libvirt keeps one element per namespace, and so writers never meet."""

_TEMPLATE = f"{OWN_NAMESPACE}template"
"""The namespace of what says which template a guest was made of."""
SEED = f"{OWN_NAMESPACE}seed"
"""The namespace of what says where the seed of a guest is, storage pool and volume, and which host name is in it."""
_KEY = "virtcim"
_LOOK_AGAIN = 0.5
"""Seconds between two looks at whether libvirt still holds a guest."""
_START = re.compile(r"<([\w:.-]+)\s+xmlns(?::\w+)?=(['\"])")
_STATE = re.compile(r"[0-9]{1,5}")


def _own_elements(xml: str) -> Iterator[tuple[int, str, str, int]]:
    """What virtcim keeps in a domain XML: start of the element, its namespace and text, and its end.

    Goes through the text once: texts and attributes of a guest are its users'.
    """
    position = 0
    while (found := xml.find(OWN_NAMESPACE, position)) >= 0:
        start = xml.rfind("<", position, found)
        head = _START.match(xml, start) if start >= 0 else None
        if head is None or head.end() != found:
            position = found + len(OWN_NAMESPACE)
            continue
        inside = xml.find(">", found) + 1
        namespace = xml[found : xml.find(head[2], found)]
        closing = f"</{head[1]}>"
        content_end = inside - 1 if xml[inside - 2] == "/" else xml.find(closing, inside)
        if not inside or content_end < 0:
            return  # no domain XML
        position = inside if content_end < inside else content_end + len(closing)
        yield start, namespace, xml[inside:content_end], position


def without_own_metadata(xml: str) -> str:
    """Domain XML without what virtcim keeps in the metadata of a guest, for making another guest of it."""
    kept: list[str] = []
    position = 0
    for start, _, _, end in _own_elements(xml):
        kept.append(xml[position:start].rstrip())
        position = end
    return "".join([*kept, xml[position:]])


class RequestedStates:
    """Remembers requests, and keeps them with the guests.

    Attributes:
        changes: another number after each change of what is remembered.
    """

    def __init__(self) -> None:
        self._requested: dict[str, int] = {}
        self._awaited: dict[str, tuple[int, ...]] = {}
        self._lock = Lock()
        self._waiting: set[str] = set()
        self._numbers = itertools.count(1)
        self.changes = 0
        self._watched: WeakSet[Hypervisor] = WeakSet()

    def get(self, domain: Domain, memo: Memo, as_recorded: bool = False) -> int:
        """Give the last request, under way or accepted; 0 (Unknown) when there never was one.

        Parameters:
            domain: of the guest.
            memo: keeps what the domain XML says, as long as it is this one: the guest.
            as_recorded: what the domain XML says, whatever is remembered beside it.
        """
        known = None if as_recorded else self._requested.get(domain.uuid)
        return memo.memo(RequestedStates, lambda _: recorded_state(lasting_xml(domain))) if known is None else known

    def take_down(self, hypervisor: Hypervisor, domain: Domain, memo: Memo, requested: RequestedState) -> int:
        """Take down what a guest is asked for, before it is; give what it was asked for before that."""
        self._watch(hypervisor)
        before = self.get(domain, memo)
        self._requested[domain.uuid] = int(requested)
        self.changes = next(self._numbers)
        return before

    def put_back(self, domain: Domain, requested: RequestedState, before: int) -> None:
        """Take back a request that was refused, unless there has been another one since."""
        if self._requested.get(domain.uuid) == requested:
            self._requested[domain.uuid] = before
            self.changes = next(self._numbers)

    def awaited(self, domain: Domain) -> int | None:
        """Give the state that a guest is on its way to, as long as a request waits for it; None for none."""
        awaited = self._awaited.get(domain.uuid)
        return awaited[-1] if awaited else None

    @contextmanager
    def awaiting(self, domain: Domain, requested: RequestedState) -> Iterator[None]:
        """Show a guest on its way to a state during the block; of several requests the last one counts."""
        uuid = domain.uuid
        with self._lock:
            self._awaited[uuid] = (*self._awaited.get(uuid, ()), int(requested))
            self.changes = next(self._numbers)
        try:
            yield
        finally:
            with self._lock:
                left = list(self._awaited.pop(uuid))
                left.remove(int(requested))
                if left:
                    self._awaited[uuid] = tuple(left)
                self.changes = next(self._numbers)

    def keep(self, hypervisor: Hypervisor, domain: Domain) -> None:
        """Keep with the guest what was accepted."""
        requested = self._requested.get(domain.uuid)
        if requested is None:
            return  # the guest is gone
        element = f"<requested>{requested}</requested>"
        try:
            hypervisor.domains.set_metadata(domain.uuid, element, _KEY, NAMESPACE)
        except LibvirtError as error:
            if error.is_gone:
                self._forget(domain.uuid)
            if error.is_busy:
                self._keep_later(hypervisor, domain)
            _log.debug("guest %r: the requested state is not kept: %s", domain.name, error.message)

    def _keep_later(self, hypervisor: Hypervisor, domain: Domain) -> None:
        """Keep with the guest what was accepted last, once libvirt holds it for a job no longer."""
        uuid = domain.uuid
        with self._lock:
            if uuid in self._waiting:
                return
            self._waiting.add(uuid)

        def wait() -> None:
            try:
                while uuid in self._requested and hypervisor.domains.is_held(uuid):
                    time.sleep(_LOOK_AGAIN)
            except LibvirtError as error:
                _log.debug("guest %r: the requested state is not kept: %s", domain.name, error.message)
                return
            finally:
                with self._lock:
                    self._waiting.discard(uuid)
            self.keep(hypervisor, domain)

        threading.Thread(target=wait, name="requested-state", daemon=True).start()

    def _watch(self, hypervisor: Hypervisor) -> None:
        if hypervisor not in self._watched:
            self._watched.add(hypervisor)
            hypervisor.inventory.listeners.append(self._forget_removed)

    def _forget_removed(self, change: Change) -> None:
        """What belongs to a guest goes with it: another one may get its UUID."""
        if change.kind is ChangeKind.REMOVED and isinstance(change.before, Domain):
            self._forget(change.before.uuid)

    def _forget(self, uuid: str) -> None:
        if self._requested.pop(uuid, None) is not None:
            self.changes = next(self._numbers)


def lasting_xml(domain: Domain) -> str:
    """Give the XML in which the last request stands, and all else that virtcim keeps in it; "" where there is nothing.

    A guest that is restored runs with that of when it was saved.
    """
    return own_xml(domain.defined_document or domain.live_document)


def own_xml(document: Document[DomainConfig] | None) -> str:
    """Give the XML of a guest in which something stands that virtcim keeps there; "" where there is nothing."""
    return document.text if document is not None and document.names_our_own else ""


def recorded_state(xml: str) -> int:
    """Read the requested state that the domain XML holds; 0 (Unknown) where it holds none."""
    text = own_element(xml, NAMESPACE)
    return int(text) if text is not None and _STATE.fullmatch(text) else int(RequestedState.UNKNOWN)


def own_element(xml: str, namespace: str) -> str | None:
    """Read the text of the element that virtcim keeps under a namespace in a domain XML; None where there is none.

    Parameters:
        namespace: the URI, which begins with `urn:virtcim:`.
    """
    return next((text for _, found, text, _ in _own_elements(xml) if found == namespace), None)


class MadeOf(NamedTuple):
    """The template that a guest was made of.

    Attributes:
        key: its `ID@VERSION`.
        time: when, in UTC, as ISO 8601 has it.
        principal: who asked for it.
    """

    key: str
    time: str
    principal: str


def with_template(xml: str, made: MadeOf, seed: tuple[str, str, str] | None = None) -> str:
    """Domain XML that says in its metadata which template it was made of.

    Parameters:
        xml: without metadata of its own, as of every new guest.
        made: the template.
        seed: the UUID of the storage pool and the volume of a seed that is to be taken out when the guest is done with
            it, and the host name in it; None where it has none, or keeps it.
    """
    element = f'<{_KEY}:template xmlns:{_KEY}="{_TEMPLATE}">{escape(" ".join(made))}</{_KEY}:template>'
    if seed is not None:
        element += f'<{_KEY}:seed xmlns:{_KEY}="{SEED}">{escape(" ".join(seed))}</{_KEY}:seed>'
    start = xml.index(">", xml.index("<domain")) + 1
    return f"{xml[:start]}<metadata>{element}</metadata>{xml[start:]}"


def template_in(xml: str) -> MadeOf | None:
    """Read which template a guest was made of; None where its domain XML does not say it."""
    text = own_element(xml, _TEMPLATE)
    parts = () if text is None else unescape(text).split(" ", 2)
    return MadeOf(*parts) if len(parts) == 3 else None
