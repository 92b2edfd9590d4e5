"""Changing the configuration of a domain: all of it or nothing, and nobody else's change lost.

A change reads the XML of the domain afresh, edits it, and puts it in force: first the definition, which libvirt checks
and which can be put back, then step by step the running domain.  When a step fails, those before it are undone.  Two
changes of one domain never run at a time in this process, and none while it starts; when somebody else redefines,
starts or stops the domain in between, the change begins again with the new XML.

Layer rule: imports libvirt, context, documents, errors, handle; knows nothing of CIM.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.domain import Controller, DomainConfig, DomainDocument
from virtcim.libhelper.documents.domain.companions import spellings_of
from virtcim.libhelper.domains.handle import domain_handle, refuse_directory, run_of
from virtcim.libhelper.domains.jobs import refuse_held
from virtcim.libhelper.errors import LibvirtError, translated
from virtcim.libhelper.inventory.memory_requests import MemoryRequests

__all__ = [
    "DomainChange",
    "DomainWork",
    "LiveStep",
    "NotKeptError",
    "PartlyDoneError",
    "change_domains",
    "check_read_again",
]

_log = logging.getLogger(__name__)

_DEFINITION = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE
"""What is asked for: the definition, with its passwords."""
_ATTEMPTS = 5
"""How often a change begins again because somebody else was faster."""


def check_read_again(domain: libvirt.virDomain, given: DomainConfig, kept: DomainConfig) -> None:
    """Make sure that libvirt reads its own definition of a domain, without which the domain is gone at its next start.

    libvirt may put a controller beside one of the same type that does not bear another: one of USB beside one that
    says that there is none.

    Parameters:
        given: what it was given.
        kept: what it made of that.

    Raises:
        libvirt.libvirtError: it does not.
    """
    before, after = (
        Counter(each.type for each in config.devices if isinstance(each, Controller)) for config in (given, kept)
    )
    if any(0 < before[kind] < count for kind, count in after.items()):
        domain.connect().defineXML(domain.XMLDesc(_DEFINITION))


class PartlyDoneError(LibvirtError):
    """A change failed, and what it had done could not be undone altogether.

    Attributes:
        stands: what still stands, in words.
    """

    def __init__(self, error: LibvirtError, stands: list[str]) -> None:
        super().__init__(f"{error.message}; what stands: {', '.join(stands)}", error.code, error.domain, error.level)
        self.stands = stands


class NotKeptError(LibvirtError):
    """libvirt took a change and made something else of it; what was before is in force again.

    Parameters:
        message: what it did not keep.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, libvirt.VIR_ERR_CONFIG_UNSUPPORTED)


class _OvertakenError(Exception):
    """The definition is not the one any more that was edited, or the domain was started or stopped."""


@immutable
class LiveStep:
    """One thing that is done to a running domain.

    Attributes:
        what: in words.
        do: does it; returns when it is done.
        undo: takes it back; None where that cannot be.
        may_wait: whether the next start will do where the driver has no call for it: the definition says the same.
    """

    what: str
    do: Callable[[libvirt.virDomain], Any]
    undo: Callable[[libvirt.virDomain], Any] | None
    may_wait: bool = False


class DomainChange:
    """A change of one domain under way.

    Attributes:
        context: where the domain is.
        domain: libvirt's object.
        defined: the definition, to be edited; None for a domain that has none.
        live: the running domain, to be edited; None for one that does not run.  Editing it changes nothing by itself:
            that is what `steps` are for.  Its memory is what it was asked to have, where it is on its way there.
        checks: called with the new definition as libvirt keeps it; each raises `NotKeptError` where that is not what
            was asked for, and the change is undone.
        steps: what is to be done to the running domain, in order.
        live_checks: the same as `checks` for the running domain, after the steps; not called where a step waits for the
            next start.
        autostart: whether it is to be started with the host; None to leave that.
        name: its new name; None to leave that.
    """

    def __init__(self, context: Context, domain: libvirt.virDomain) -> None:
        self.context = context
        self.domain = domain
        self._before = domain.XMLDesc(_DEFINITION) if domain.isPersistent() else None
        self.defined = None if self._before is None else DomainDocument(self._before)
        self._number = run_of(domain)
        self.live = DomainDocument(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)) if domain.isActive() else None
        if self.live is not None:
            requests = context.inventory.memory_requests
            _write_requested_memory(self.live, requests, domain.UUIDString(), self._number)
        self.checks: list[Callable[[DomainConfig], None]] = []
        self.steps: list[LiveStep] = []
        self.live_checks: list[Callable[[DomainConfig], None]] = []
        self.autostart: bool | None = None
        self.name: str | None = None
        self._done: list[LiveStep] = []
        self._waits = False

    def commit(self) -> None:
        """Put the change in force.

        Raises:
            LibvirtError: libvirt refused, and nothing has changed.
            NotKeptError: libvirt made something else of the definition or of the running domain, and nothing has
                changed.
            PartlyDoneError: libvirt refused, and something could not be undone.
        """
        self._check()
        for step in (*self._persistent_steps(), *self._live_steps()):
            try:
                with translated():
                    step.do(self.domain)
            except LibvirtError as error:
                if step.may_wait and error.is_no_call:
                    _log.info("%s: %s waits for the next start: %s", self.domain.name(), step.what, error.message)
                    self._waits = True
                    continue
                stands = self.undo()
                if stands:
                    raise PartlyDoneError(error, stands) from error
                raise
            self._done.append(step)

    def undo(self) -> list[str]:
        """Take back what was done, last first; what could not be taken back, in words."""
        stands = []
        while self._done:
            step = self._done.pop()
            try:
                if step.undo is None:
                    stands.append(step.what)
                else:
                    step.undo(self.domain)
            except (libvirt.libvirtError, LibvirtError) as failure:
                _log.warning("%s: %s cannot be undone: %s", self.domain.name(), step.what, failure)
                stands.append(step.what)
        return stands

    def _put_back(self, definition: str) -> None:
        """Define the domain as it was, in the spelling of which libvirt makes just that again; else in its own."""
        define = self.domain.connect().defineXML
        for text in spellings_of(definition):
            with contextlib.suppress(libvirt.libvirtError):
                define(text)
                # libvirt orders the controllers that it added anew.
                if sorted(self.domain.XMLDesc(_DEFINITION).splitlines()) == sorted(definition.splitlines()):
                    return
        define(definition)

    def _check(self) -> None:
        with translated():
            if run_of(self.domain) != self._number:
                raise _OvertakenError
            if self._before is not None and self.domain.XMLDesc(_DEFINITION) != self._before:
                raise _OvertakenError

    def _check_kept(self, domain: libvirt.virDomain) -> None:
        """Hold the definition that libvirt made of ours against what was asked for."""
        kept = DomainConfig.parse(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        for check in self.checks:
            check(kept)
        if self.defined is not None:
            check_read_again(domain, self.defined.config, kept)

    def _check_live(self, domain: libvirt.virDomain) -> None:
        """Hold what the running domain is now against what was asked for."""
        if self._waits:
            return
        now = DomainConfig.parse(domain.XMLDesc(0))
        for check in self.live_checks:
            check(now)

    def _live_steps(self) -> Iterator[LiveStep]:
        yield from self.steps
        if self.steps:
            yield LiveStep("the check of the running domain", self._check_live, lambda _domain: None)

    def _persistent_steps(self) -> Iterator[LiveStep]:
        connection, before = self.domain.connect(), self._before
        if before is not None and self.defined is not None:
            after = self.defined.tostring()
            if after != DomainDocument(before).tostring():
                yield LiveStep(
                    "the definition",
                    lambda _domain: connection.defineXML(after),
                    lambda _domain: self._put_back(before),
                )
                yield LiveStep("the check of the definition", self._check_kept, lambda _domain: None)
        name, wanted = self.name, self.autostart
        if wanted is not None and bool(self.domain.autostart()) != wanted:
            yield LiveStep(
                "autostart",
                lambda domain: domain.setAutostart(int(wanted)),
                lambda domain: domain.setAutostart(int(not wanted)),
            )
        if name is not None:
            refuse_directory(name)
            old = self.domain.name()
            yield LiveStep(
                f"the name {name}", lambda domain: domain.rename(name, 0), lambda domain: domain.rename(old, 0)
            )


def _write_requested_memory(live: DomainDocument, requests: MemoryRequests, uuid: str, number: int) -> None:
    """Write into the document of a running domain the memory that it was asked to have, where it is on its way."""
    config = live.config
    size = requests.pending(uuid, number, config.current_memory)
    if size is not None:
        live.set(config, {"current_memory": size})


@immutable
class DomainWork:
    """What is to be changed of one domain.

    Attributes:
        context: where the domain is.
        uuid: of the domain.
        edit: edits the documents of the change and adds its steps; called again when somebody else changed the domain
            in the meantime.
    """

    context: Context
    uuid: str
    edit: Callable[[DomainChange], None]


def change_domains(works: Sequence[DomainWork]) -> None:
    """Change domains, of whatever hypervisors, all of them or none, and have the inventories take the changes in.

    Raises:
        LibvirtError: no such domain, or libvirt refused; whatever `edit` raises.
        PartlyDoneError: libvirt refused, and something could not be undone.
    """
    with contextlib.ExitStack() as stack:
        for work in sorted(works, key=lambda work: work.uuid):
            stack.enter_context(work.context.locks.hold(work.uuid))
        domains = []
        for work in works:
            stack.callback(work.context.inventory.refresh, work.uuid)
            domains.append(stack.enter_context(domain_handle(work.context, work.uuid)))
            refuse_held(domains[-1])
        for _ in range(_ATTEMPTS):
            try:
                _attempt(works, domains)
            except _OvertakenError:
                continue
            return
        raise LibvirtError("The domain is being changed by others all the time", libvirt.VIR_ERR_OPERATION_TIMEOUT)


def _attempt(works: Sequence[DomainWork], domains: Sequence[libvirt.virDomain]) -> None:
    changes = [DomainChange(work.context, domain) for work, domain in zip(works, domains, strict=True)]
    for work, change in zip(works, changes, strict=True):
        work.edit(change)
    for place, change in enumerate(changes):
        try:
            change.commit()
        except (LibvirtError, _OvertakenError) as error:
            stands = [text for earlier in reversed(changes[:place]) for text in earlier.undo()]
            if stands and isinstance(error, LibvirtError):
                raise PartlyDoneError(error, stands) from error
            raise
