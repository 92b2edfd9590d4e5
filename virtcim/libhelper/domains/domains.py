"""Operations on domains, each on a connection of its own, so that a slow one delays nobody.

Layer rule: imports libvirt, context, documents, errors, eventhub and its siblings; knows nothing of CIM.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import libvirt
from lxml import etree

from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.domain import Device, DomainConfig, DomainDocument
from virtcim.libhelper.domains.change import DomainChange, DomainWork, PartlyDoneError, change_domains, check_read_again
from virtcim.libhelper.domains.freezing import limited_agent
from virtcim.libhelper.domains.handle import domain_handle, refuse_directory, run_of
from virtcim.libhelper.domains.jobs import follow, holding_job, refuse_held
from virtcim.libhelper.domains.live import device_steps
from virtcim.libhelper.domains.waiting import wait_for_event
from virtcim.libhelper.errors import LibvirtError, translated
from virtcim.libhelper.eventhub import EventWait
from virtcim.libhelper.work import Work

__all__ = ["Domains"]

_NATIVE_FORMATS = {"QEMU": "qemu-argv", "Xen": "xen-xl"}
"""By driver, what libvirt can make of a domain without defining it; making it checks the domain."""

_NAME_PATIENCE = 2
"""Seconds that an agent gets to tell the host name: changes of the guest wait meanwhile."""

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


class Domains:
    """The operations on the domains of one hypervisor.

    Each takes the UUID or the name of a domain, returns when libvirt has answered, and raises `LibvirtError` when it
    refused.  Whether the inventory shows the effect already is another matter: `Inventory.wait_for`.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def handle(self, domain: str) -> contextlib.AbstractContextManager[libvirt.virDomain]:
        """libvirt's own object of a domain on a fresh connection, for the length of a block.

        Raises:
            LibvirtError: no connection, no such domain, and for every libvirt error in the block.
        """
        return domain_handle(self._context, domain)

    @contextlib.contextmanager
    def _free(self, domain: str) -> Iterator[libvirt.virDomain]:
        """As `handle`, of a domain that libvirt does not hold for a job."""
        with self.handle(domain) as target:
            refuse_held(target)
            yield target

    def is_held(self, domain: str) -> bool:
        """Tell whether libvirt holds a domain for a job, so that it cannot be changed."""
        with self.handle(domain) as target:
            return holding_job(target) is not None

    def start(self, domain: str, *, paused: bool = False, force_boot: bool = False) -> None:
        """Start it, from its managed save where there is one; a change of its definition under way comes first.

        Parameters:
            paused: leave it paused.
            force_boot: throw the managed save away.
        """
        flags = libvirt.VIR_DOMAIN_START_PAUSED if paused else 0
        flags |= libvirt.VIR_DOMAIN_START_FORCE_BOOT if force_boot else 0
        with self._context.locks.hold(self._uuid(domain)), self.handle(domain) as target:
            begins_anew = force_boot or not target.hasManagedSaveImage()
            defined = DomainConfig.parse(target.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)) if begins_anew else None
            if flags:
                target.createWithFlags(flags)
            else:
                target.create()
            if defined is not None and defined.current_memory is not None:
                uuid = target.UUIDString()
                inventory = self._context.inventory
                inventory.memory_requests.add(uuid, run_of(target), defined.current_memory)
                inventory.refresh(uuid)

    def resume(self, domain: str) -> None:
        """Let a paused domain run on."""
        with self._free(domain) as target:
            target.resume()

    def suspend(self, domain: str) -> None:
        """Pause it."""
        with self.handle(domain) as target:
            target.suspend()

    def destroy(self, domain: str, *, graceful: bool = False) -> None:
        """Stop it at once.

        Parameters:
            graceful: refuse rather than kill a process that does not end.
        """
        with self.handle(domain) as target:
            if graceful:
                target.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
            else:
                target.destroy()

    def shutdown(self, domain: str) -> None:
        """Ask the guest to shut down; that it does is up to the guest."""
        with self._free(domain) as target:
            if self._context.facts.driver == "LXC":
                target.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_SIGNAL)
            else:
                target.shutdown()

    def reboot(self, domain: str) -> None:
        """Ask the guest to reboot; that it does is up to the guest, and told by the event `reboot`."""
        with self._free(domain) as target:
            target.reboot(0)

    def reset(self, domain: str) -> None:
        """Press the reset button."""
        with self._free(domain) as target:
            target.reset(0)

    def managed_save(self, domain: str) -> None:
        """Save its memory to disk and stop it; the next start goes on from there."""
        with self._free(domain) as target:
            target.managedSave(0)

    def managed_save_remove(self, domain: str) -> None:
        """Throw the managed save away."""
        with self.handle(domain) as target:
            target.managedSaveRemove(0)

    def pm_wakeup(self, domain: str) -> None:
        """Wake a guest that put itself to sleep."""
        with self.handle(domain) as target:
            target.pMWakeup(0)

    def event_wait(self, domain: str, name: str) -> EventWait:
        """Something to wait with for an event (`reboot`, `device-removed`, ...) of a domain."""
        return wait_for_event(self._context, self._uuid(domain), name)

    def follow(self, domain: str, work: Work) -> contextlib.AbstractContextManager[None]:
        """A block with one call that libvirt counts as a job of a domain: reports how far it is, and can stop it.

        Parameters:
            work: told how far it is (virDomainGetJobStats), and asked whether to stop (virDomainAbortJob).

        Raises:
            WorkCancelledError: the call was stopped.
        """
        return follow(self._context, self._uuid(domain), work)

    def xml(self, domain: str) -> str:
        """The XML of a domain as it is defined, else as it runs; with its passwords, for defining another one of it."""
        with self.handle(domain) as target:
            return str(target.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE))

    def check(self, xml: str) -> LibvirtError | None:
        """Why libvirt would not take a domain, as far as it tells without taking it; None when it tells nothing."""
        native = _NATIVE_FORMATS.get(self._context.facts.driver)
        if native is None or self._context.read_only:
            return None
        try:
            with self._context.connections.connection() as connection:
                connection.domainXMLToNative(native, xml, 0)
        except libvirt.libvirtError as error:
            found = LibvirtError.of(error)
            return None if found.is_no_call else found
        except LibvirtError as error:
            return error
        return None

    def check_processor(self, model: str, features: Sequence[str] = ()) -> LibvirtError | None:
        """Why there is no such processor of the host's architecture; None where there is, or libvirt does not tell.

        Parameters:
            model: its name.
            features: their names.
        """
        processor = etree.Element("cpu", mode="custom", match="exact")
        etree.SubElement(processor, "model").text = model
        for name in features:
            etree.SubElement(processor, "feature", policy="require", name=name)
        try:
            with self._context.connections.connection() as connection:
                connection.compareCPU(etree.tostring(processor, encoding="unicode"), 0)
        except libvirt.libvirtError as error:
            found = LibvirtError.of(error)
            return None if found.is_no_call else found
        except LibvirtError:
            return None
        return None

    def from_native(self, format_: str, text: str) -> str:
        """Make domain XML of a configuration in a format of the hypervisor's own; nothing is defined.

        Parameters:
            format_: in libvirt's word, such as `xen-xl`.
            text: the configuration.
        """
        with self._context.connections.connection() as connection, translated():
            return str(connection.domainXMLFromNative(format_, text, 0))

    def to_native(self, format_: str, xml: str) -> str:
        """Make a configuration in a format of the hypervisor's own of domain XML; parameters as of `from_native`."""
        with self._context.connections.connection() as connection, translated():
            return str(connection.domainXMLToNative(format_, xml, 0))

    def define(
        self, xml: str, *, autostart: bool = False, check: Callable[[DomainConfig], None] = lambda _kept: None
    ) -> str:
        """Define a domain that does not exist yet, and have the inventory take it in.

        Parameters:
            check: called with the definition as libvirt keeps it; raises `NotKeptError` where that is not what was
                asked for.

        Returns:
            its UUID.

        Raises:
            LibvirtError: libvirt refused, or made something else of it, and there is no new domain; or its name is that
                of a directory.
        """
        config, inventory = DomainConfig.parse(xml), self._context.inventory
        refuse_directory(config.name)
        known = inventory.domain(config.name or "") or inventory.domain_by_uuid(config.uuid or "")
        # The event of a new domain tells all of it but what is set once it is defined.
        read_again = inventory.take_in if known is None and not autostart else inventory.refresh
        uuid = ""
        try:
            with self._context.connections.connection() as connection, translated():
                domain = connection.defineXML(xml)
                uuid = domain.UUIDString()
                try:
                    kept = DomainConfig.parse(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
                    check(kept)
                    check_read_again(domain, config, kept)
                    if autostart:
                        domain.setAutostart(1)
                except (libvirt.libvirtError, LibvirtError):
                    # What was there for a moment may have been taken in as well.
                    read_again = inventory.refresh
                    _undefine(domain)
                    raise
        finally:
            if uuid:
                read_again(uuid)
        return uuid

    def remove(self, domain: str) -> None:
        """Stop a domain and remove its definition, with all that libvirt keeps of it: its managed save, what it knows
        of snapshots and checkpoints, the variables of its firmware, the state of its TPM.  Disks are kept.

        Raises:
            LibvirtError: libvirt refused.
            PartlyDoneError: it is stopped and still defined.
        """
        uuid = self._uuid(domain)
        with self._context.locks.hold(uuid):
            try:
                with self.handle(uuid) as target:
                    persistent = bool(target.isPersistent())
                    stopped = bool(target.isActive())
                    if stopped:
                        target.destroy()
                    if persistent:
                        try:
                            _undefine(target)
                        except libvirt.libvirtError as error:
                            if not stopped or error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                                raise
                            raise PartlyDoneError(LibvirtError.of(error), ["the guest is stopped"]) from error
            finally:
                self._context.inventory.refresh(uuid)

    def work(self, domain: str, edit: Callable[[DomainChange], None]) -> DomainWork:
        """One of the changes of several domains, for `change_domains`.

        Parameters:
            edit: see `DomainWork`.
        """
        return DomainWork(self._context, self._uuid(domain), edit)

    def change(self, domain: str, edit: Callable[[DomainChange], None]) -> None:
        """Change a domain, and have the inventory take the change in.

        Parameters:
            edit: see `DomainWork`.

        Raises:
            LibvirtError: libvirt refused, and nothing has changed; whatever `edit` raises.
            PartlyDoneError: libvirt refused, and something could not be undone.
        """
        change_domains([self.work(domain, edit)])

    def filter_interface(self, domain: str, find: Callable[[DomainDocument], Device | None], name: str | None) -> None:
        """Give an interface of a domain another filter: in the definition and, where the domain runs, at once.

        Parameters:
            find: the interface in a document of the domain; None where it is not there.
            name: of the filter; None for none.  The parameters of the old one go with it.

        Raises:
            LibvirtError: libvirt refused, and nothing has changed.
        """
        values = {"filterref_filter": name, "filterref_parameters": ()}

        def edit(change: DomainChange) -> None:
            if change.defined is not None:
                device = find(change.defined)
                if device is not None:
                    change.defined.set(device, values)
            if change.live is not None:
                device = find(change.live)
                if device is not None:
                    change.steps.extend(device_steps(change.live, device, values))

        self.change(domain, edit)

    def host_names(self, domain: str) -> frozenset[str]:
        """Ask for the host names that a running guest has told: to its agent, and to whoever gave it an address.

        Returns:
            them; none where nobody answers.
        """
        found = set()
        with self._context.locks.hold(self._uuid(domain)), self._free(domain) as target:
            for flag in (libvirt.VIR_DOMAIN_GET_HOSTNAME_LEASE, libvirt.VIR_DOMAIN_GET_HOSTNAME_AGENT):
                with contextlib.suppress(libvirt.libvirtError), limited_agent(target, _NAME_PATIENCE):
                    found.add(str(target.hostname(flag)))
        return frozenset(found)

    def lease_addresses(self, domain: str) -> frozenset[str]:
        """Ask which IP addresses libvirt's own networks have given to a running guest.

        Returns:
            them; none where it has none of these.
        """
        found = set()
        with self.handle(domain) as target, contextlib.suppress(libvirt.libvirtError):
            told = target.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, 0)
            found |= {str(each["addr"]) for interface in told.values() for each in interface["addrs"] or ()}
        return frozenset(found)

    def set_metadata(self, domain: str, element: str, key: str, namespace: str) -> None:
        """Put an element into the metadata of a domain: of the running one and of the definition, where it has them.

        Parameters:
            element: the XML, without namespace; it replaces the element that the namespace had.
            key: the prefix that libvirt is to write.
            namespace: the URI.
        """
        with self._context.locks.hold(self._uuid(domain)), self._free(domain) as target:
            try:
                _set_element(target, element, key, namespace)
            except libvirt.libvirtError as error:
                if not LibvirtError.of(error).is_invalid_state:
                    raise
                _set_element(target, element, key, namespace)  # it has stopped in between

    def remove_metadata(self, domain: str, namespace: str) -> None:
        """Take an element out of the metadata of the definition of a domain.

        Parameters:
            namespace: the URI.
        """
        kind, flags = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_CONFIG
        with self._context.locks.hold(self._uuid(domain)), self._free(domain) as target:
            target.setMetadata(kind, None, None, namespace, flags)
        self._context.inventory.refresh(domain)

    def _uuid(self, domain: str) -> str:
        record = self._context.inventory.domain(domain)
        return record.uuid if record is not None else domain


def _set_element(domain: libvirt.virDomain, element: str, key: str, namespace: str) -> None:
    flags = libvirt.VIR_DOMAIN_AFFECT_CURRENT
    if domain.isActive():
        flags = libvirt.VIR_DOMAIN_AFFECT_LIVE
        flags |= libvirt.VIR_DOMAIN_AFFECT_CONFIG if domain.isPersistent() else 0
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, element, key, namespace, flags)


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
