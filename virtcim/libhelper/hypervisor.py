"""One libvirt URI: its connections, its inventory, its operations, and what keeps all this standing.

Layer rule: the top of libhelper; nothing else in it but `search` imports this module.  Knows nothing of CIM.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import libvirt

from virtcim.libhelper.agent import Agents
from virtcim.libhelper.connections import Connections, is_alive, is_local
from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.capabilities import HostCapabilities, parsed
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.domains.backups import Backups
from virtcim.libhelper.domains.domains import Domains
from virtcim.libhelper.domains.freezing import thaw_at_last
from virtcim.libhelper.domains.overlays import Overlays
from virtcim.libhelper.domains.snapshots import Snapshots
from virtcim.libhelper.errors import LibvirtError, translated
from virtcim.libhelper.events import Event, EventSubscription
from virtcim.libhelper.filters import Filters
from virtcim.libhelper.host import HostFacts, NodeInfo, qualified_name, read_capabilities, read_identity
from virtcim.libhelper.inventory.inventory import Inventory
from virtcim.libhelper.inventory.kinds import KINDS
from virtcim.libhelper.inventory.readers import Readers
from virtcim.libhelper.inventory.reconcile import Reconciler
from virtcim.libhelper.inventory.records import CAPABILITIES
from virtcim.libhelper.keeper import Alarm, keep
from virtcim.libhelper.limits import GuestLimits, LimitsReader
from virtcim.libhelper.metrics import Sampler
from virtcim.libhelper.migrations import Migrations
from virtcim.libhelper.networks import Networks
from virtcim.libhelper.probing import address_of, hangs
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.libhelper.storage import Storage
from virtcim.libhelper.threads import Threads
from virtcim.libhelper.uris import shorten_uri

__all__ = ["Hypervisor", "longest_pause"]

_log = logging.getLogger(__name__)

_TICK = 0.25
"""Seconds between two turns of the worker."""
_TICK_EACH = 0.02
_TICK_MOST = 4.0
"""Seconds by which that is longer for each other hypervisor that shares the threads, and how long it is at most: turns
find something to do seldom, and those of two hundred hypervisors, four times in a second each, would keep half a
processor busy.  What libvirt tells is not waited for."""
_BACKOFF_FIRST = 0.1
_BACKOFF_MOST = {True: 0.5, False: 3.0}
"""Seconds between two attempts to connect, at most; here, and where an attempt costs a network connection."""
_BACKOFF_SHARED = 2.5
_FLEET = 100
"""The same for one of many, and from how many on that are down it is as many times longer: they make forty attempts in
a second at most, however many these are."""
_MORE_TIME = 2.0
_MORE_TIME_MOST = 8.0
_MORE_TIME_ENDS = 60.0
"""How many times as long as before who did not answer in time gets in the next attempt, how many times as long
as the settings say at most, and after how many seconds of contact that is over.  Who asks an overloaded host again and
again, each time for no longer, never gets an answer, and keeps it overloaded."""
_TURNS = 6
"""Times the time for an open that one waits for its turn."""
_CAPABILITIES_TIMEOUT = 1.5
"""Seconds that the first connection waits for the capabilities: a daemon that has just started has to find them out."""
_STOP_TIMEOUT = 0.4
"""Seconds that `stop` waits for the connections to close, and likewise for its threads to end."""
_THREADS_MOST = 20
"""Threads at most of a hypervisor that shares them with none, those included that wait for an answer in vain."""

Result = TypeVar("Result")


def longest_pause(down: int | None, is_here: bool) -> float:
    """Tell how many seconds pass between two attempts to connect, at most.

    Parameters:
        down: hypervisors without a connection of those that share the threads; None where it shares them with none.
        is_here: whether it is on this machine.
    """
    return _BACKOFF_MOST[is_here] if down is None else _BACKOFF_SHARED * max(1.0, down / _FLEET)


class _LostError(Exception):
    """The connection was lost, or the hypervisor is being stopped."""


class Hypervisor:
    """A hypervisor under one libvirt URI.

    Nothing is known before `start`; nothing in it blocks on libvirt but the threads.

    Parameters:
        uri: the libvirt URI.
        settings: how to keep the inventory.
        threads: that connect, and read; threads of its own unless given.

    Attributes:
        connections: to it.
        connected: whether the inventory is true: the connection stands and all domains have been read.
        trouble: why there is no connection, in words; "" while it stands and before the first attempt has ended.
        fqdn: the fully qualified name of its host; "" before the first connection.
        inventory: what exists there.
        events: what libvirt says.
        unreached: called after each attempt to connect that has failed, and when a connection has ended.
        metrics: figures of its guests and of its host.
        agents: what the agents in its guests tell.
        domains, snapshots, overlays, backups, migrations, storage, networks, filters: the operations, one object for
            each field of work.
            Each operation takes the identity of its object and its options, returns when libvirt has done it, and
            raises `LibvirtError` when it refused.
    """

    def __init__(self, uri: str, settings: HypervisorSettings | None = None, threads: Threads | None = None) -> None:
        self.uri = uri
        self.settings = settings or HypervisorSettings()
        self._shares_threads = threads is not None
        self._threads = threads or Threads(self.settings.readers + 1, max(_THREADS_MOST, self.settings.readers + 1))
        self.read_only = self.settings.read_only
        self.connections = Connections(
            uri,
            self.read_only,
            (self.settings.keepalive_interval, self.settings.keepalive_count),
            self.settings.open_timeout,
            self._threads,
        )
        self.connected = False
        self.trouble = ""
        self.unreached: Callable[[], None] = lambda: None
        self.fqdn = ""
        self.inventory = Inventory(uri, self.settings)
        self._context = Context(uri, self.connections, self.inventory, self.read_only)
        self.events = self._context.events
        self.domains = Domains(self._context)
        self.snapshots = Snapshots(self._context)
        self.overlays = Overlays(self._context)
        self.backups = Backups(self._context)
        self.storage = Storage(self._context)
        self.networks = Networks(self._context)
        self.filters = Filters(self._context)
        self.migrations = Migrations(self._context)
        self._limits = LimitsReader(self._context)
        self._readers = Readers(
            self.connections,
            1 if self.connections.single else self.settings.readers,
            self.settings.call_budget,
            self.inventory.fetch,
            self._on_lost,
            self._threads,
        )
        self.inventory.readers = self._readers
        self.agents = Agents(self._readers.submit, self.read_only)
        self.metrics = Sampler(self._readers.submit, self.inventory, self.settings)
        self._reconciler = Reconciler(self.inventory, self._readers, self.settings, uri, lambda: self._threads.users)
        self._asking = threading.Lock()
        self._questions: dict[str, Future[Any]] = {}
        self._alarm = Alarm()
        self._stopping = False
        self._lost: str | None = None
        self._more_time = 1.0
        self._attempted = threading.Event()
        self._life: Future[None] | None = None

    @property
    def facts(self) -> HostFacts:
        """What the hypervisor said of itself when it was last connected."""
        return self._context.facts

    @property
    def condition(self) -> Hashable:
        """What is another value once it is connected or not, or says something else of itself."""
        return self.connected, self.fqdn, self.facts

    @property
    def driver(self) -> str:
        """libvirt's name of the driver: `QEMU`, `LXC`, `Xen`, `TEST`; "" before the first connection."""
        return self.facts.driver

    @property
    def hostname(self) -> str:
        """The node's name as libvirt has it."""
        return self.facts.hostname

    @property
    def libvirt_version(self) -> tuple[int, int, int]:
        """libvirt's version over there: major, minor, release."""
        return self.facts.libvirt_version

    @property
    def hypervisor_version(self) -> tuple[int, int, int]:
        """The hypervisor's version: major, minor, release."""
        return self.facts.hypervisor_version

    @property
    def node(self) -> NodeInfo:
        """The node's hardware."""
        return self.facts.node

    @property
    def host_uuid(self) -> str | None:
        """The node's UUID; None where the driver does not say one."""
        return self.facts.host_uuid

    @property
    def attempted(self) -> bool:
        """Whether the first attempt to connect and to read all domains has ended, well or not."""
        return self._attempted.is_set()

    def remember(self, facts: HostFacts, fqdn: str) -> None:
        """Take what it said of itself in an earlier run for true until it says it anew; to be called before `start`."""
        self._context.facts, self.fqdn = facts, fqdn

    def keep_frozen(self, keep: Callable[[str, bool], None], left: Iterable[str]) -> None:
        """Have it kept which guests are frozen, and those thawed that an earlier run may have left so.

        Parameters:
            keep: as `FrozenGuests` has it.
            left: the UUIDs of these guests.
        """
        self._context.frozen.keep = keep
        for uuid in left:
            thaw_at_last(self._context, uuid)

    def host_capabilities(self) -> HostCapabilities:
        """What the host and its guests can have, also while the inventory still waits to be told.

        Returns:
            the parsed document; one that is empty where the driver has none, or there is no connection.
        """
        xml = self.facts.capabilities_xml
        if not xml:
            try:
                with self.connections.connection() as connection:
                    xml = str(connection.getCapabilities())
            except (libvirt.libvirtError, LibvirtError) as error:
                _log.debug("%s: no capabilities: %s", self.uri, error)
        return parsed(HostCapabilities, xml)

    def guest_limits(self, config: DomainConfig) -> GuestLimits:
        """How large a guest can be here.

        Parameters:
            config: the guest, of which its domain type, emulator, architecture and machine count.
        """
        return self._limits.of(config)

    def start(self) -> None:
        """Begin to connect, and to stay connected; returns at once."""
        self._threads.enter()
        self._life = keep(self._run())

    def put_off(self) -> None:
        """Leave undone what can wait, as the sizes of disks, until `catch_up`: for whoever starts, and has nobody who
        asks for that yet."""
        self._readers.put_off()

    def catch_up(self) -> None:
        """Do what has been put off."""
        self._readers.catch_up()

    def wait_ready(self, timeout: float) -> bool:
        """Wait until the first attempt to connect and to read all domains has ended, well or not.

        Returns:
            whether it is connected.
        """
        self._attempted.wait(timeout)
        return self.connected

    def stop(self) -> None:
        """Close all connections, and end all threads that are its own, within a second."""
        self.end()
        self.join(_STOP_TIMEOUT)
        self._readers.stop(_STOP_TIMEOUT)
        if not self._shares_threads:
            self._threads.stop(_STOP_TIMEOUT)

    def join(self, timeout: float) -> None:
        """Wait until nothing is begun any more, no longer than so many seconds after `end`."""
        if self._life is not None:
            with contextlib.suppress(FutureTimeoutError):
                self._life.result(timeout)

    def end(self) -> None:
        """Begin to close all connections; returns at once."""
        if not self._stopping and self._life is not None:
            self._threads.leave(self.uri)
        self._stopping = True
        self._alarm.ring()
        self._readers.end()

    def ask(self, what: str, question: Callable[[libvirt.virConnect], Result], timeout: float) -> Result:
        """Ask libvirt something that the inventory does not hold, such as statistics, within a time budget.

        Flags that keep libvirt from waiting for a guest (`NOWAIT`) are up to the question.  While an earlier question
        of the same name has no answer yet, it is not asked again.

        Parameters:
            what: a name for the question, for the log.
            question: called with a connection of a reader; must keep nothing of it.
            timeout: seconds to wait for the answer.

        Raises:
            LibvirtError: libvirt's answer, no connection, or no answer in time (`is_timeout`).
        """
        return self.take(what, self.begin_ask(what, question), timeout)

    def begin_ask(self, what: str, question: Callable[[libvirt.virConnect], Result]) -> Future[Result]:
        """Ask libvirt as `ask` does, and wait for nothing: whoever asks many waits for all of them together.

        Returns:
            the future of the answer, for `take`.

        Raises:
            LibvirtError: an earlier question of the name has no answer yet.
        """
        with self._asking:
            earlier = self._questions.get(what)
            if earlier is not None and not earlier.done():
                raise LibvirtError(f"{what}: still no answer to the last question", libvirt.VIR_ERR_OPERATION_TIMEOUT)
            future = self._questions[what] = self._readers.submit(what, question)
        return future

    def take(self, what: str, future: Future[Result], timeout: float) -> Result:
        """Wait for the answer to what `begin_ask` asked.

        Raises:
            LibvirtError: as `ask` does.
        """
        try:
            with translated():
                answer: Result = future.result(timeout)
                return answer
        except FutureTimeoutError:
            raise LibvirtError(f"{what}: no answer in {timeout:g} s", libvirt.VIR_ERR_OPERATION_TIMEOUT) from None
        except CancelledError:
            text = f"{what}: no connection to {shorten_uri(self.uri)}"
            raise LibvirtError(text, libvirt.VIR_ERR_NO_CONNECT) from None
        finally:
            with self._asking:
                if future.done() and self._questions.get(what) is future:
                    self._questions.pop(what, None)

    def _on_event(self, event: Event) -> None:
        self.events.tell(event)
        if event.source in KINDS:
            self._readers.mark((event.source, event.key), event)

    def _on_lost(self, reason: str) -> None:
        if self._lost is None:
            self._lost = reason
        self._alarm.ring()

    async def _run(self) -> None:
        delay = _BACKOFF_FIRST
        said = False
        while not self._stopping:
            connection = None
            subscribing: Future[EventSubscription] | None = None
            self._lost = None
            try:
                connection = await self._open()
                subscribing = self._threads.submit(
                    self.uri, partial(EventSubscription, connection, self._on_event, self._on_lost)
                )
                await self._connect(await self._await(subscribing))
                self._threads.note_up(self.uri)
                delay = _BACKOFF_FIRST
                said = False
                self._attempted.set()
                await self._stay(connection)
            except _LostError:
                self._report(self._lost, said)
                if self._threads.hangs(self.uri):
                    self._give_more_time()
            except LibvirtError as error:
                self._report(error.message, said)
            except Exception as error:
                _log.exception("%s", self.uri)
                self._report(str(error), said)
            finally:
                said = True
                if not self._stopping:
                    self._threads.note_down(self.uri)
                self._disconnect()
                if connection is not None:
                    self._threads.submit(self.uri, partial(self._close, connection, subscribing))
                self._attempted.set()
                self.unreached()
            await self._rest(delay)
            down = self._threads.down if self._shares_threads else None
            delay = min(delay * 2, longest_pause(down, is_local(self.uri)))
        self.connections.give_up()

    async def _rest(self, seconds: float) -> None:
        """Try nothing for so many seconds, whatever rings; the end of what was tried last does, too."""
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            await self._alarm.nap(left)

    def _give_more_time(self) -> None:
        """Wait longer than in the attempt that got no answer in time."""
        self._give_time(min(_MORE_TIME_MOST, _MORE_TIME * self._more_time))

    def _give_time(self, times: float) -> None:
        """Wait so many times as long as the settings say from now on."""
        self._more_time = times
        self.connections.open_timeout = self.settings.open_timeout * times
        self._readers.budget = self.settings.call_budget * times

    async def _open(self) -> libvirt.virConnect:
        """Open the connection of the events, unless the other side hangs."""
        timeout = self.settings.open_timeout
        self._readers.check_stuck()
        if self._threads.hangs(self.uri):
            raise LibvirtError("earlier calls still wait for an answer", libvirt.VIR_ERR_OPERATION_TIMEOUT)
        if await hangs(self.uri, self._resolve, timeout):
            raise LibvirtError(f"no answer within {timeout:g} s", libvirt.VIR_ERR_OPERATION_TIMEOUT)
        opening = self.connections.begin_open()
        try:
            await self._await_turn(opening)
            return await self._await(opening, deadline=time.monotonic() + self.connections.open_timeout)
        except FutureTimeoutError:
            self._give_more_time()
            raise self.connections.abandon(opening, comes_back=True) from None
        except _LostError:
            self.connections.abandon(opening)
            raise

    async def _await_turn(self, opening: Future[Any]) -> None:
        """Wait until a thread opens the connection: where many are opened that is no fault of the other side.

        Raises:
            _LostError: the end has come.
            TimeoutError: no thread was free for long.
        """
        deadline = time.monotonic() + _TURNS * self.settings.open_timeout
        opening.add_done_callback(self._alarm.ring)
        while not (opening.running() or opening.done()):
            if self._stopping:
                raise _LostError
            if time.monotonic() >= deadline:
                raise FutureTimeoutError
            self._readers.check_stuck()
            await self._alarm.nap(self._tick)

    async def _resolve(self, host: str, port: int) -> tuple[str, int]:
        return await asyncio.wrap_future(self._threads.submit(self.uri, partial(address_of, host, port)))

    def _close(self, connection: libvirt.virConnect, subscribing: Future[EventSubscription] | None) -> None:
        """Close the connection of the events."""
        if subscribing is not None:
            with contextlib.suppress(Exception):
                subscribing.result().cancel()
        self.connections.release(connection)

    def _report(self, reason: str | None, said: bool) -> None:
        self.trouble = reason or "the connection was lost"
        if not self._stopping:
            _log.log(logging.DEBUG if said else logging.WARNING, "%s: no connection: %s", self.uri, reason)

    async def _connect(self, subscription: EventSubscription) -> None:
        """Read everything that has to be known before the inventory is true."""
        self.events.names = frozenset(subscription.names)
        self._readers.resume()
        identity = self._readers.submit("host", self._read_identity)
        loading = self._reconciler.load(KINDS["domain"])
        await self._identify(*await self._await(identity))
        await self._await(loading.done, loading.check)
        generation = self._readers.generation
        self.inventory.note_loaded(KINDS["domain"].name, generation)
        for kind in list(KINDS.values())[1:]:
            done = self._reconciler.load(kind).done
            done.add_done_callback(partial(self._on_loaded, kind.name, generation))
        self._reconciler.restart()
        self.connected = True
        self.trouble = ""
        self.inventory.regain_contact()
        self.inventory.measure_disks(self.inventory.keys("domain"))
        _log.info(
            "%s: connected, %d domains, libvirt %d.%d.%d",
            self.uri,
            len(self.inventory.keys("domain")),
            *self.libvirt_version,
        )

    def _read_identity(self, connection: libvirt.virConnect) -> tuple[HostFacts, str]:
        """Ask who this is, and for its fully qualified name, for which a name server may be asked."""
        identity = read_identity(connection)
        if self.fqdn and identity.hostname == self.hostname:
            return identity, self.fqdn
        return identity, qualified_name(identity.hostname) if is_local(self.uri) else identity.hostname

    async def _identify(self, identity: HostFacts, fqdn: str) -> None:
        """Take in who this is; what takes longer follows, and until then what was known before stays."""
        self.fqdn = fqdn
        self._context.facts = replace(
            self.facts,
            driver=identity.driver,
            hostname=identity.hostname,
            libvirt_version=identity.libvirt_version,
            node=identity.node,
        )
        first = not self.facts.capabilities_xml
        capabilities = self._readers.submit("capabilities", partial(read_capabilities, identity=identity))
        capabilities.add_done_callback(partial(self._on_capabilities, self._readers.generation))
        if first:
            with contextlib.suppress(FutureTimeoutError, LibvirtError):
                await self._await(capabilities, deadline=time.monotonic() + _CAPABILITIES_TIMEOUT)

    def _on_loaded(self, kind: str, generation: int, done: Future[None]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.inventory.note_loaded(kind, generation)

    def _on_capabilities(self, generation: int, future: Future[HostFacts]) -> None:
        if not future.cancelled() and future.exception() is None and self._lost is None:
            self._context.facts = future.result()
            # Who it is is known by its UUID, which stands in there.
            self.inventory.note_loaded(CAPABILITIES, generation)

    async def _await(
        self, future: Future[Result], check: Callable[[], None] = lambda: None, deadline: float = math.inf
    ) -> Result:
        """Wait for what the threads do.

        Parameters:
            check: called now and then meanwhile.
            deadline: when to give up, a monotonic time.

        Raises:
            _LostError: the connection was lost, or the end has come.
            LibvirtError: libvirt's answer.
            TimeoutError: the deadline has passed.
        """
        future.add_done_callback(self._alarm.ring)
        while not future.done():
            if self._stopping or self._lost is not None:
                raise _LostError
            if time.monotonic() >= deadline:
                raise FutureTimeoutError
            await self._alarm.nap(min(self._tick, deadline - time.monotonic()))
            self._readers.check_stuck()
            check()
        try:
            return future.result()
        except CancelledError:
            raise _LostError from None
        except libvirt.libvirtError as error:
            raise LibvirtError.of(error) from error

    @property
    def _tick(self) -> float:
        return min(_TICK_MOST, _TICK + _TICK_EACH * max(0, self._threads.users - 1))

    async def _stay(self, connection: libvirt.virConnect) -> None:
        """Keep the inventory true until the connection is lost."""
        since = time.monotonic()
        while True:
            if not self._stopping and self._lost is None:
                await self._alarm.nap(self._tick)
            if self._stopping or self._lost is not None:
                raise _LostError
            if not is_alive(connection):
                self._lost = self._lost or "the connection is dead"
                raise _LostError
            self._readers.check_stuck()
            now = time.monotonic()
            if self._more_time > 1.0 and now - since > _MORE_TIME_ENDS:
                self._give_time(1.0)
            self._reconciler.turn(now)
            self.metrics.turn(now)

    def _disconnect(self) -> None:
        self._readers.pause()
        if self.connected:
            self.connected = False
            self.metrics.reset()
            self.agents.reset()
            self.inventory.lose_contact()
