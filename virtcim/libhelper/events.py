"""libvirt's event loop, and libvirt's many event callbacks as one kind of value.

The loop is libvirt's own default implementation, run by one daemon thread for the whole process.  It has to be
registered before the first connection is opened.  (The asyncio one of libvirt-python loses wake-ups when another
thread calls libvirt on the same connection.)

Layer rule: imports libvirt and nothing of this project.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

import libvirt

from virtcim.immutable import immutable

__all__ = ["Event", "EventSubscription", "ensure_event_loop"]

_log = logging.getLogger(__name__)

_DOMAIN_EVENTS = {
    "lifecycle": "LIFECYCLE",
    "reboot": "REBOOT",
    "rtc-change": "RTC_CHANGE",
    "watchdog": "WATCHDOG",
    "io-error": "IO_ERROR_REASON",
    "graphics": "GRAPHICS",
    "control-error": "CONTROL_ERROR",
    "block-job": "BLOCK_JOB_2",
    "disk-change": "DISK_CHANGE",
    "tray-change": "TRAY_CHANGE",
    "pm-wakeup": "PMWAKEUP",
    "pm-suspend": "PMSUSPEND",
    "pm-suspend-disk": "PMSUSPEND_DISK",
    "balloon-change": "BALLOON_CHANGE",
    "device-added": "DEVICE_ADDED",
    "device-removed": "DEVICE_REMOVED",
    "device-removal-failed": "DEVICE_REMOVAL_FAILED",
    "tunable": "TUNABLE",
    "agent-lifecycle": "AGENT_LIFECYCLE",
    "migration-iteration": "MIGRATION_ITERATION",
    "job-completed": "JOB_COMPLETED",
    "metadata-change": "METADATA_CHANGE",
    "block-threshold": "BLOCK_THRESHOLD",
    "memory-failure": "MEMORY_FAILURE",
    "memory-device-size-change": "MEMORY_DEVICE_SIZE_CHANGE",
}


@immutable
class Event:
    """Something that libvirt said.

    Attributes:
        source: the kind of object: `domain`, `network`, `pool`, `nodedev`, `secret`.
        name: what happened: `lifecycle`, `reboot`, `device-added`, ...
        key: the UUID of the object, the name of a node device.
        object_name: the name of the object.
        detail: what libvirt gave along, as it gave it; for `lifecycle` the event and its detail.
        time: when it reached us, in UTC.
    """

    source: str
    name: str
    key: str
    object_name: str
    detail: tuple[Any, ...] = ()
    time: datetime = field(default_factory=lambda: datetime.now(UTC))


class _EventLoop:
    """libvirt's default event loop in a daemon thread."""

    def __init__(self) -> None:
        self._stopping = False
        libvirt.virEventRegisterDefaultImpl()
        self._thread = threading.Thread(target=self._run, name="libvirt-events", daemon=True)
        self._thread.start()
        atexit.register(self._stop)

    def _run(self) -> None:
        while not self._stopping:
            try:
                libvirt.virEventRunDefaultImpl()
            except libvirt.libvirtError as error:
                _log.error("libvirt's event loop: %s", error)

    def _stop(self) -> None:
        self._stopping = True
        with contextlib.suppress(libvirt.libvirtError):
            libvirt.virEventAddTimeout(0, lambda timer, _opaque: libvirt.virEventRemoveTimeout(timer), None)
        self._thread.join(0.5)


_loop_lock = threading.Lock()
_loop: _EventLoop | None = None


def ensure_event_loop() -> None:
    """Register and run libvirt's event loop, once for the process; has to precede the first open."""
    global _loop
    with _loop_lock:
        if _loop is None:
            _loop = _EventLoop()


class EventSubscription:
    """All events of one connection, told to one function; whatever the driver does not have is left out.

    Parameters:
        connection: kept for events alone.
        sink: called in libvirt's event thread; must return at once.
        closed: called there with a reason in words when libvirt loses the connection.
    """

    def __init__(
        self, connection: libvirt.virConnect, sink: Callable[[Event], None], closed: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._sink = sink
        self._closed = closed
        self._deregister: list[Callable[[], Any]] = []
        self.names: set[str] = set()
        self._subscribe()

    def cancel(self) -> None:
        """Deregister all, so that the connection can be freed."""
        for deregister in self._deregister:
            with contextlib.suppress(libvirt.libvirtError):
                deregister()
        self._deregister.clear()

    def _subscribe(self) -> None:
        connection = self._connection
        for name, constant in _DOMAIN_EVENTS.items():
            number = getattr(libvirt, f"VIR_DOMAIN_EVENT_ID_{constant}", None)
            if number is not None:
                self._register(
                    "domain", name, connection.domainEventRegisterAny, connection.domainEventDeregisterAny, number
                )
        self._register(
            "network",
            "lifecycle",
            connection.networkEventRegisterAny,
            connection.networkEventDeregisterAny,
            libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE,
        )
        metadata = getattr(libvirt, "VIR_NETWORK_EVENT_ID_METADATA_CHANGE", None)
        if metadata is not None:
            self._register(
                "network",
                "metadata-change",
                connection.networkEventRegisterAny,
                connection.networkEventDeregisterAny,
                metadata,
            )
        for name, number in (
            ("lifecycle", libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE),
            ("refresh", libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH),
        ):
            self._register(
                "pool",
                name,
                connection.storagePoolEventRegisterAny,
                connection.storagePoolEventDeregisterAny,
                number,
            )
        for name, number in (
            ("lifecycle", libvirt.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE),
            ("update", libvirt.VIR_NODE_DEVICE_EVENT_ID_UPDATE),
        ):
            self._register(
                "nodedev",
                name,
                connection.nodeDeviceEventRegisterAny,
                connection.nodeDeviceEventDeregisterAny,
                number,
            )
        for name, number in (
            ("lifecycle", libvirt.VIR_SECRET_EVENT_ID_LIFECYCLE),
            ("value-changed", libvirt.VIR_SECRET_EVENT_ID_VALUE_CHANGED),
        ):
            self._register(
                "secret", name, connection.secretEventRegisterAny, connection.secretEventDeregisterAny, number
            )
        with contextlib.suppress(libvirt.libvirtError):
            connection.registerCloseCallback(self._on_close, None)
            self._deregister.append(connection.unregisterCloseCallback)

    def _register(
        self,
        source: str,
        name: str,
        register: Callable[..., int],
        deregister: Callable[[int], Any],
        number: int,
    ) -> None:
        try:
            handle = register(None, number, self._on_event, (source, name))
        except libvirt.libvirtError as error:
            _log.debug("no %s events of %s: %s", name, source, error)
            return
        self._deregister.append(lambda: deregister(handle))
        self.names.add(f"{source}/{name}")

    def _on_event(self, _connection: libvirt.virConnect, subject: Any, *arguments: Any) -> None:
        *detail, (source, name) = arguments
        try:
            key = subject.name() if source == "nodedev" else subject.UUIDString()
            object_name = subject.usageID() if source == "secret" else subject.name()
            self._sink(Event(source, name, key, object_name, tuple(detail)))
        except Exception:
            _log.exception("event %s of a %s", name, source)

    def _on_close(self, _connection: libvirt.virConnect, reason: int, _opaque: Any) -> None:
        reasons = {
            libvirt.VIR_CONNECT_CLOSE_REASON_ERROR: "I/O error",
            libvirt.VIR_CONNECT_CLOSE_REASON_EOF: "end of file",
            libvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE: "no keepalive",
            libvirt.VIR_CONNECT_CLOSE_REASON_CLIENT: "closed here",
        }
        self._closed(reasons.get(reason, f"reason {reason}"))
