"""Changing the configuration of a domain: all of it or nothing, and nobody else's change lost.

A change reads the XML of the domain afresh, edits it, and puts it in force: first the definition, which libvirt checks
and which can be put back, then step by step the running domain.  When a step fails, those before it are undone.  Two
changes of one domain never run at a time in this process, and none while it starts; when somebody else redefines,
starts or stops the domain in between, the change begins again with the new XML.

Layer rule: imports libvirt, domainxml, errors; knows nothing of CIM.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import libvirt

from virtcim.libhelper.documents.domain import DomainDocument
from virtcim.libhelper.errors import LibvirtError, translated

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.inventory.memory_requests import Balloons

__all__ = [
    "DomainChange",
    "DomainWork",
    "LiveStep",
    "PartlyDoneError",
    "change_domains",
    "check_domain",
    "define_domain",
    "domain_xml",
    "exclusive",
    "host_capabilities",
    "remove_domain",
    "run_of",
]

_log = logging.getLogger(__name__)

_ATTEMPTS = 5
"""How often a change begins again because somebody else was faster."""


class PartlyDoneError(LibvirtError):
    """A change failed, and what it had done could not be undone altogether.

    Attributes:
        stands: what still stands, in words.
    """

    def __init__(self, error: LibvirtError, stands: list[str]) -> None:
        super().__init__(f"{error.message}; what stands: {', '.join(stands)}", error.code, error.domain, error.level)
        self.stands = stands


class _OvertakenError(Exception):
    """The definition is not the one any more that was edited, or the domain was started or stopped."""


@dataclass(frozen=True, slots=True)
class LiveStep:
    """One thing that is done to a running domain.

    Attributes:
        what: in words.
        do: does it; returns when it is done.
        undo: takes it back; None where that cannot be.
    """

    what: str
    do: Callable[[libvirt.virDomain], Any]
    undo: Callable[[libvirt.virDomain], Any] | None


_locks: WeakKeyDictionary[Hypervisor, dict[str, threading.Lock]] = WeakKeyDictionary()
_locks_lock = threading.Lock()


@contextlib.contextmanager
def exclusive(hypervisor: Hypervisor, name: str) -> Iterator[None]:
    """Keep others from changing the same thing for the length of a block.

    Parameters:
        name: the UUID of a domain; or a name of something else, such as that of a domain to be.
    """
    with _locks_lock:
        lock = _locks.setdefault(hypervisor, {}).setdefault(name, threading.Lock())
    with lock:
        yield


class DomainChange:
    """A change of one domain under way.

    Attributes:
        domain: libvirt's object.
        defined: the definition, to be edited; None for a domain that has none.
        live: the running domain, to be edited; None for one that does not run.  Editing it changes nothing by itself:
            that is what `steps` are for.  Its memory is what it was asked to have, where it is on its way there.
        steps: what is to be done to the running domain, in order.
        autostart: whether it is to be started with the host; None to leave that.
        name: its new name; None to leave that.
    """

    def __init__(self, domain: libvirt.virDomain, balloons: Balloons) -> None:
        self.domain = domain
        secure = libvirt.VIR_DOMAIN_XML_SECURE
        self._before = domain.XMLDesc(secure | libvirt.VIR_DOMAIN_XML_INACTIVE) if domain.isPersistent() else None
        self.defined = None if self._before is None else DomainDocument(self._before)
        self._number = run_of(domain)
        self.live = DomainDocument(domain.XMLDesc(secure)) if domain.isActive() else None
        if self.live is not None:
            _fill_balloon(self.live, balloons, domain.UUIDString(), self._number)
        self.steps: list[LiveStep] = []
        self.autostart: bool | None = None
        self.name: str | None = None
        self._done: list[LiveStep] = []

    def commit(self) -> None:
        """Put the change in force.

        Raises:
            LibvirtError: libvirt refused, and nothing has changed.
            PartlyDoneError: libvirt refused, and something could not be undone.
        """
        self._check()
        for step in (*self._persistent_steps(), *self.steps):
            try:
                step.do(self.domain)
            except libvirt.libvirtError as error:
                raise _with_stands(LibvirtError.of(error), self.undo()) from error
            except LibvirtError as error:
                raise _with_stands(error, self.undo()) from error
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

    def _check(self) -> None:
        flags = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE
        with translated():
            if run_of(self.domain) != self._number:
                raise _OvertakenError
            if self._before is not None and self.domain.XMLDesc(flags) != self._before:
                raise _OvertakenError

    def _persistent_steps(self) -> Iterator[LiveStep]:
        connection, before = self.domain.connect(), self._before
        if before is not None and self.defined is not None:
            after = self.defined.tostring()
            if after != DomainDocument(before).tostring():
                yield LiveStep(
                    "the definition",
                    lambda _domain: connection.defineXML(after),
                    lambda _domain: connection.defineXML(before),
                )
        name, wanted = self.name, self.autostart
        if wanted is not None and bool(self.domain.autostart()) != wanted:
            yield LiveStep(
                "autostart",
                lambda domain: domain.setAutostart(int(wanted)),
                lambda domain: domain.setAutostart(int(not wanted)),
            )
        if name is not None:
            old = self.domain.name()
            yield LiveStep(
                f"the name {name}", lambda domain: domain.rename(name, 0), lambda domain: domain.rename(old, 0)
            )


def run_of(domain: libvirt.virDomain) -> int:
    """libvirt's number of a domain's run, from libvirt itself: its object holds the one of when it was looked up."""
    return int(domain.connect().lookupByUUIDString(domain.UUIDString()).ID())


def _fill_balloon(live: DomainDocument, balloons: Balloons, uuid: str, number: int) -> None:
    """Write into the document of a running domain the memory that it was asked to have, where it is on its way."""
    config = live.config
    asked = balloons.asked(uuid, number, config.current_memory)
    if asked is not None:
        live.set(config, {"current_memory": asked})


def _with_stands(error: LibvirtError, stands: list[str]) -> LibvirtError:
    return PartlyDoneError(error, stands) if stands else error


@dataclass(frozen=True, slots=True)
class DomainWork:
    """What is to be changed of one domain.

    Attributes:
        hypervisor, uuid: the domain.
        edit: edits the documents of the change and adds its steps; called again when somebody else changed the domain
            in the meantime.
    """

    hypervisor: Hypervisor
    uuid: str
    edit: Callable[[DomainChange], None]


def change_domains(works: Sequence[DomainWork]) -> None:
    """Change domains, all of them or none, and have the inventory take the changes in.

    Raises:
        LibvirtError: no such domain, or libvirt refused; whatever `edit` raises.
        PartlyDoneError: libvirt refused, and something could not be undone.
    """
    with contextlib.ExitStack() as stack:
        for work in sorted(works, key=lambda work: work.uuid):
            stack.enter_context(exclusive(work.hypervisor, work.uuid))
        domains = []
        for work in works:
            stack.callback(work.hypervisor.inventory.refresh, work.uuid)
            domains.append(stack.enter_context(work.hypervisor.lifecycle.domain(work.uuid)))
        for _ in range(_ATTEMPTS):
            try:
                _attempt(works, domains)
            except _OvertakenError:
                continue
            return
        raise LibvirtError("The domain is being changed by others all the time", libvirt.VIR_ERR_OPERATION_TIMEOUT)


def _attempt(works: Sequence[DomainWork], domains: Sequence[libvirt.virDomain]) -> None:
    changes = [DomainChange(domain, work.hypervisor.balloons) for work, domain in zip(works, domains, strict=True)]
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


def domain_xml(hypervisor: Hypervisor, uuid: str) -> str:
    """The XML of a domain as it is defined, else as it runs; with its passwords, for defining another one of it.

    Raises:
        LibvirtError: no such domain.
    """
    with hypervisor.lifecycle.domain(uuid) as domain:
        flags = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE
        return str(domain.XMLDesc(flags))


def define_domain(hypervisor: Hypervisor, xml: str, *, autostart: bool = False) -> str:
    """Define a domain that does not exist yet, and have the inventory take it in.

    Returns:
        its UUID.

    Raises:
        LibvirtError: libvirt refused, and there is no new domain.
    """
    with hypervisor.connections.connection() as connection:
        try:
            domain = connection.defineXML(xml)
            try:
                uuid: str = domain.UUIDString()
                if autostart:
                    domain.setAutostart(1)
            except libvirt.libvirtError:
                domain.undefine()
                raise
        except libvirt.libvirtError as error:
            raise LibvirtError.of(error) from error
    hypervisor.inventory.refresh(uuid)
    return uuid


def remove_domain(hypervisor: Hypervisor, uuid: str) -> None:
    """Stop a domain and remove its definition, with all that libvirt keeps of it: its managed save, what it knows of
    snapshots and checkpoints, the variables of its firmware, the state of its TPM.  Disks are kept.

    Raises:
        LibvirtError: libvirt refused.
        PartlyDoneError: it is stopped and still defined.
    """
    with exclusive(hypervisor, uuid):
        try:
            with hypervisor.lifecycle.domain(uuid) as domain:
                persistent = bool(domain.isPersistent())
                stopped = bool(domain.isActive())
                if stopped:
                    domain.destroy()
                if persistent:
                    try:
                        _undefine(domain)
                    except libvirt.libvirtError as error:
                        if not stopped or error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                            raise
                        raise PartlyDoneError(LibvirtError.of(error), ["the guest is stopped"]) from error
        finally:
            hypervisor.inventory.refresh(uuid)


_UNDEFINE_FLAGS = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    | getattr(libvirt, "VIR_DOMAIN_UNDEFINE_TPM", 0),
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM,
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA,
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE,
    0,
)
"""What drivers take, the most complete first."""


def _undefine(domain: libvirt.virDomain) -> None:
    *attempts, last = _UNDEFINE_FLAGS
    for flags in attempts:
        try:
            domain.undefineFlags(flags)
        except libvirt.libvirtError as error:
            if not LibvirtError.of(error).is_unsupported:
                raise
        else:
            return
    domain.undefineFlags(last)


_NATIVE_FORMATS = {"QEMU": "qemu-argv", "Xen": "xen-xl"}
"""By driver, what libvirt can make of a domain without defining it; making it checks the domain."""


def host_capabilities(hypervisor: Hypervisor) -> str:
    """The capabilities document, also while the inventory still waits for it; "" where the driver has none."""
    if hypervisor.facts.capabilities_xml:
        return hypervisor.facts.capabilities_xml
    try:
        with hypervisor.connections.connection() as connection:
            return str(connection.getCapabilities())
    except (libvirt.libvirtError, LibvirtError) as error:
        _log.debug("%s: no capabilities: %s", hypervisor.uri, error)
        return ""


def check_domain(hypervisor: Hypervisor, xml: str) -> LibvirtError | None:
    """Why libvirt would not take a domain, as far as it tells without taking it; None when it tells nothing."""
    native = _NATIVE_FORMATS.get(hypervisor.driver)
    if native is None or hypervisor.read_only:
        return None
    try:
        with hypervisor.connections.connection() as connection:
            connection.domainXMLToNative(native, xml, 0)
    except libvirt.libvirtError as error:
        found = LibvirtError.of(error)
        return None if found.code == libvirt.VIR_ERR_NO_SUPPORT else found
    except LibvirtError as error:
        return error
    return None
