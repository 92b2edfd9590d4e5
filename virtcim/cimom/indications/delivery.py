"""Delivery: a loop in a thread of its own, with a task for each destination that something waits for.

A destination that hangs, refuses or is slow keeps its own task waiting, and no other.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Protocol

from virtcim.cimom.indications.journal import Body, own_properties
from virtcim.cimom.indications.names import NamingLoop
from virtcim.cimom.indications.queue import DestinationQueue, Queues, Waiting
from virtcim.cimom.indications.records import DestinationRecord, OnFatalError, SubscriptionState
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.cimom.indications.subscriptions import Subscriptions
from virtcim.providers.interface import CIMError, Properties

__all__ = ["Deliverer", "DeliveryError", "Sender"]

_log = logging.getLogger(__name__)

STOP_TIMEOUT = 0.3
"""Seconds that deliveries under way get at a stop; what is not delivered stays in the journal."""

HOUSEKEEPING = 10.0
"""Seconds between two looks at durations and connections."""


class DeliveryError(Exception):
    """A listener did not take an indication; the text says why."""


class Sender(Protocol):
    """Speaks to listeners: a front end."""

    async def send(self, destination: DestinationRecord, body: Body, own: Properties) -> None:
        """Send an indication, and read that it was taken.

        Parameters:
            destination: where to.
            body: what all who receive it are told.
            own: the properties that only this destination is told.

        Raises:
            DeliveryError: it was not.
        """

    async def sweep(self) -> None:
        """Close connections that nothing was sent on lately; called now and then."""

    async def close(self) -> None:
        """Close all connections."""


class Deliverer:
    """Delivers what is queued.

    Parameters:
        subscriptions: where indications go, and what becomes of those that cannot be delivered.
        queues: what waits.
        sender: speaks to listeners.
        settings: patience.
    """

    def __init__(
        self, subscriptions: Subscriptions, queues: Queues, sender: Sender, settings: IndicationSettings
    ) -> None:
        self._subscriptions = subscriptions
        self._queues = queues
        self._sender = sender
        self._settings = settings
        self._loop = NamingLoop()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Queues that something was put into, and whether the loop is on its way to them.
        self._filled: deque[DestinationQueue] = deque()
        self._is_called = False
        self._pauses: dict[str, tuple[DestinationRecord, asyncio.Event]] = {}
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
        self._sweeping: asyncio.Task[None] | None = None
        subscriptions.listeners.append(self._on_changed)
        queues.filled = self._on_filled

    def start(self) -> None:
        """Begin to deliver, what an earlier run of the server left first."""
        self._thread.start()
        self._queues.recover(self._subscriptions.destination)

    def stop(self) -> None:
        """End, within `STOP_TIMEOUT`."""
        self._queues.filled = lambda queue: None
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop)
            self._thread.join(2 * STOP_TIMEOUT)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._sweeping = self._loop.create_task(self._keep_house())
        self._loop.run_forever()
        self._loop.close()

    async def _close(self) -> None:
        tasks = [*self._tasks.values(), *([self._sweeping] if self._sweeping is not None else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_TIMEOUT)
        await self._sender.close()
        await self._loop.end_lookups()
        self._loop.stop()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING)
            self._subscriptions.remove_expired()
            await self._sender.sweep()

    def _on_filled(self, queue: DestinationQueue) -> None:
        """Have a queue delivered; called in any thread.

        To wake the loop costs as much as all else about a queue, so that it is done once for many.
        """
        if queue.key not in self._tasks:
            self._filled.append(queue)
            if not self._is_called:
                self._is_called = True
                self._loop.call_soon_threadsafe(self._begin_all)

    def _on_changed(self, key: str) -> None:
        """Have what is gone forgotten, and a destination that changed tried at once; called in any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._look, key)

    def _look(self, key: str) -> None:
        if self._queues.find(key) is not None and self._subscriptions.destination(key) is None:
            self._queues.remove(key)
        if key in self._queues.last and self._subscriptions.subscription(key) is None:
            self._queues.last.pop(key, None)
        record, woken = self._pauses.get(key, (None, None))
        if woken is not None and self._subscriptions.destination(key) is not record:
            woken.set()

    def _begin_all(self) -> None:
        self._is_called = False
        while self._filled:
            self._begin(self._filled.popleft())

    def _begin(self, queue: DestinationQueue) -> None:
        if queue.key not in self._tasks and len(queue):
            task = self._tasks[queue.key] = self._loop.create_task(self._deliver(queue))
            task.add_done_callback(lambda done: self._ended(queue, done))

    def _ended(self, queue: DestinationQueue, task: asyncio.Task[None]) -> None:
        del self._tasks[queue.key]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            _log.error("%s: delivery failed", queue.name, exc_info=error)
        # Something may have come between the last look and the end.
        self._begin(queue)

    async def _deliver(self, queue: DestinationQueue) -> None:
        """Deliver what waits for one destination, in order, until nothing does."""
        pause = self._settings.retry_first
        while (waiting := queue.first()) is not None:
            destination = self._subscriptions.destination(queue.key)
            if destination is None:
                self._queues.remove(queue.key)
                return
            try:
                own = own_properties(waiting.route, waiting.number)
                await self._sender.send(destination, waiting.body, own)
            except DeliveryError as error:
                if queue.failing_since is None:
                    _log.warning("destination %s: %s: %s", destination.name, destination.url, error)
                    self._set_degraded(queue.key, degraded=True)
                queue.failed(str(error))
                if self._is_over(waiting):
                    self._give_up(queue, waiting, destination)
                    continue
                await self._pause(destination, pause)
                pause = min(pause * 2, self._settings.retry_interval)
            except Exception:  # what cannot be written must not keep back what comes behind it
                _log.exception("destination %s: a %s cannot be sent", destination.name, waiting.body.class_name)
                queue.give_up(waiting)
            else:
                if queue.failing_since is not None:
                    _log.info("destination %s: %s takes indications again", destination.name, destination.url)
                    self._set_degraded(queue.key, degraded=False)
                queue.done(waiting)
                pause = self._settings.retry_first

    async def _pause(self, destination: DestinationRecord, seconds: float) -> None:
        """Wait before the next attempt; less when the destination is changed meanwhile."""
        woken = asyncio.Event()
        self._pauses[destination.key] = destination, woken
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            pass
        finally:
            del self._pauses[destination.key]

    def _is_over(self, waiting: Waiting) -> bool:
        age = datetime.now(UTC) - waiting.queued
        return age > timedelta(seconds=self._settings.lifetime)

    def _give_up(self, queue: DestinationQueue, waiting: Waiting, destination: DestinationRecord) -> None:
        """Give up an indication, and do what its subscription wants for this case."""
        queue.give_up(waiting)
        _log.error("destination %s: a %s is given up", destination.name, waiting.body.class_name)
        record = self._subscriptions.subscription(waiting.route.subscription)
        if record is None:
            return
        since = queue.failing_since
        failing = 0.0 if since is None else (datetime.now(UTC) - since).total_seconds()
        action = int(record.on_fatal_error)
        interval = record.properties.get("FailureTriggerTimeInterval")
        if isinstance(interval, int) and failing < interval:
            action = int(OnFatalError.IGNORE)
        if failing > self._settings.removal_seconds:
            # Whichever of the two goes further.
            action = max(action, OnFatalError[self._settings.removal_action.upper()])
        if action == OnFatalError.REMOVE or destination.is_transient:
            _log.error("the subscription of %s is removed: nobody takes its indications", destination.name)
            self._subscriptions.remove_subscription(record.key)
            if destination.is_transient:
                self._remove_unused(destination)
        elif action == OnFatalError.DISABLE:
            _log.error("the subscription of %s is disabled: nobody takes its indications", destination.name)
            self._subscriptions.set_state(record.key, SubscriptionState.DISABLED)

    def _remove_unused(self, destination: DestinationRecord) -> None:
        try:
            self._subscriptions.remove_destination(destination)
        except CIMError as error:
            _log.debug("%s", error)

    def _set_degraded(self, key: str, degraded: bool) -> None:
        """Show in the subscriptions of a destination whether it takes indications."""
        wanted = SubscriptionState.ENABLED_DEGRADED if degraded else SubscriptionState.ENABLED
        for record in self._subscriptions.subscriptions_of(key):
            if record.state not in (wanted, SubscriptionState.DISABLED):
                self._subscriptions.set_state(record.key, wanted)
