"""Open enumerations (DSP0200 1.4, section 5.4.2.24): what a client has not pulled yet.

An open enumeration holds handles on instances, none of them encoded; each is handed out when it is pulled, and then let
go.  The handles were gathered when it was opened, so that what changes underneath neither doubles nor hides anything.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

from virtcim.cimom.capabilities import PullLimits
from virtcim.cimom.requests import ALL, Projection
from virtcim.cimom.results import PullKind
from virtcim.cimom.settings import ServerSettings
from virtcim.providers.interface import CIMError, Instance, Status

__all__ = ["Enumeration", "Enumerations", "pull_limits"]

log = logging.getLogger(__name__)

CONTEXT_BYTES = 24
"""Random bytes of an enumeration context: nobody guesses that of somebody else."""

PULL_SECONDS = 5.0
"""Seconds after which a pull answers with what it has: a filter may pass over any number of instances, and clients
give up after 30 seconds or more."""


class Enumeration:
    """One open enumeration.

    Parameters:
        kind: the kind of its pull operation.
        waiting: what is left; an error among them is given to the client in its place.
        projection: what of each instance is asked for.
        selects: the filter, or None.
        continue_on_error: whether the client wants to know of what cannot be shown, and to go on after it.
    """

    __slots__ = (
        "closed",
        "context",
        "continue_on_error",
        "deadline",
        "empty_pulls",
        "kind",
        "lock",
        "namespace",
        "principal",
        "projection",
        "selects",
        "timeout",
        "waiting",
    )

    def __init__(
        self,
        kind: PullKind,
        waiting: Iterable[Instance | CIMError],
        projection: Projection = ALL,
        selects: Callable[[Instance], bool] | None = None,
        continue_on_error: bool = False,
    ) -> None:
        self.kind = kind
        self.waiting = deque(waiting)
        self.projection = projection
        self.selects = selects
        self.continue_on_error = continue_on_error
        self.lock = threading.Lock()
        self.context = ""
        self.principal = ""
        self.namespace = ""
        self.timeout = 0.0
        self.deadline = float("inf")
        self.empty_pulls = 0
        self.closed = False

    def take(self, count: int, opening: bool = False) -> list[Instance]:
        """Take up to `count` instances and let them go.

        Parameters:
            opening: the enumeration is being opened: an error waits for the first pull, as the client would not
                learn the context otherwise.

        Raises:
            CIMError: PULL_HAS_BEEN_ABANDONED when the enumeration was closed meanwhile; with `continue_on_error` the
                error that stands next.
        """
        taken: list[Instance] = []
        waiting, until = self.waiting, time.monotonic() + PULL_SECONDS
        while waiting and len(taken) < count and not self.closed and time.monotonic() < until:
            each = waiting[0]
            if isinstance(each, CIMError):
                if opening or taken:
                    break
                waiting.popleft()
                raise each
            try:
                selected = self._is_selected(each)
            except Exception as exc:
                log.exception("A %s is left out: %r", each.class_name, each.identity)
                if self.continue_on_error:
                    waiting[0] = CIMError(Status.FAILED, f"An instance of {each.class_name} is left out: {exc}")
                else:
                    waiting.popleft()
                continue
            waiting.popleft()
            if selected:
                taken.append(each)
        if self.closed:
            raise CIMError(Status.PULL_HAS_BEEN_ABANDONED, "The enumeration was closed during the pull")
        return taken

    def _is_selected(self, instance: Instance) -> bool:
        """Whether an instance is handed out.  Raises whatever a broken one raises, if that is to be told."""
        if self.continue_on_error:
            instance.keys()
            instance.properties()
        return self.selects is None or self.selects(instance)


class Enumerations:
    """The open enumerations of a server.  Safe to use from several threads at once.

    Parameters:
        settings: limits and times.
        clock: seconds; for tests.
    """

    def __init__(self, settings: ServerSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._open: dict[str, Enumeration] = {}
        self._per_user: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._stopping = False

    def __len__(self) -> int:
        return len(self._open)

    @property
    def held(self) -> int:
        """The instances that wait in all of them."""
        with self._lock:
            return sum(len(each.waiting) for each in self._open.values())

    def timeout(self, wanted: int | None) -> float:
        """The seconds between two operations on an enumeration, by OperationTimeout.

        Raises:
            CIMError: INVALID_OPERATION_TIMEOUT; SERVER_IS_SHUTTING_DOWN.
        """
        if self._stopping:
            raise _shutting_down()
        settings = self._settings
        if wanted is None:
            return float(settings.pull_timeout)
        if wanted == 0:
            if settings.pull_unlimited:
                return float("inf")
            raise CIMError(Status.INVALID_OPERATION_TIMEOUT, "OperationTimeout 0 (no time-out) is not allowed")
        low, high = settings.pull_min_timeout, settings.pull_max_timeout
        if not low <= wanted <= high:
            raise CIMError(Status.INVALID_OPERATION_TIMEOUT, f"OperationTimeout is from {low} to {high} seconds")
        return float(wanted)

    def add(self, enumeration: Enumeration, principal: str, namespace: str, timeout: float) -> None:
        """Keep an enumeration, under a new context.

        Raises:
            CIMError: SERVER_LIMITS_EXCEEDED; SERVER_IS_SHUTTING_DOWN.
        """
        settings = self._settings
        self.sweep()
        with self._lock:
            if self._stopping:
                raise _shutting_down()
            if (
                len(self._open) >= settings.pull_max_open
                or self._per_user[principal] >= settings.pull_max_open_per_user
            ):
                raise CIMError(Status.SERVER_LIMITS_EXCEEDED, "Too many enumerations are open")
            if (
                sum(len(each.waiting) for each in self._open.values()) + len(enumeration.waiting)
                > settings.pull_max_held
            ):
                raise CIMError(Status.SERVER_LIMITS_EXCEEDED, "The open enumerations hold too many instances")
            enumeration.context = secrets.token_urlsafe(CONTEXT_BYTES)
            enumeration.principal, enumeration.namespace = principal, namespace
            enumeration.timeout, enumeration.deadline = timeout, self._clock() + timeout
            self._open[enumeration.context] = enumeration
            self._per_user[principal] += 1

    def _find(self, context: str, principal: str, namespace: str) -> Enumeration:
        """The enumeration with this context.  To others than its owner it does not exist."""
        if self._stopping:
            raise _shutting_down()
        found = self._open.get(context)
        if found is None or found.principal != principal or found.namespace != namespace or self._is_over(found):
            raise _invalid_context()
        return found

    def _is_over(self, enumeration: Enumeration) -> bool:
        return enumeration.deadline < self._clock()

    def pull(
        self, context: str, principal: str, namespace: str, kind: PullKind, count: int
    ) -> tuple[list[Instance], Projection, str | None]:
        """Take up to `count` objects.

        A pull waits for another one on the same enumeration, so that each gets its own part.

        Returns:
            the instances, what of them is asked for, and the context for the next pull, None at the end.

        Raises:
            CIMError: INVALID_ENUMERATION_CONTEXT, PULL_HAS_BEEN_ABANDONED, SERVER_LIMITS_EXCEEDED,
                SERVER_IS_SHUTTING_DOWN, or what was met on the way by an enumeration that goes on after errors.
        """
        enumeration = self._find(context, principal, namespace)
        if enumeration.kind is not kind:
            raise _invalid_context()
        with enumeration.lock:
            if enumeration.closed:
                raise _invalid_context()
            self._count_empty(enumeration, count)
            enumeration.deadline = float("inf")
            try:
                taken = enumeration.take(min(count, self._settings.pull_max_objects))
            except Exception:
                if not enumeration.continue_on_error:
                    self._forget(enumeration)
                raise
            finally:
                enumeration.deadline = self._clock() + enumeration.timeout
            if enumeration.waiting:
                return taken, enumeration.projection, enumeration.context
            self._forget(enumeration)
            return taken, enumeration.projection, None

    def _count_empty(self, enumeration: Enumeration, count: int) -> None:
        enumeration.empty_pulls = 0 if count else enumeration.empty_pulls + 1
        if enumeration.empty_pulls > self._settings.pull_max_empty:
            self._forget(enumeration)
            raise CIMError(Status.SERVER_LIMITS_EXCEEDED, "Too many pulls of nothing: the enumeration is closed")

    def close(self, context: str, principal: str, namespace: str) -> None:
        """Close an enumeration; a pull under way is abandoned.  Raises CIMError INVALID_ENUMERATION_CONTEXT."""
        if not self._forget(self._find(context, principal, namespace)):
            raise _invalid_context()

    def _forget(self, enumeration: Enumeration) -> bool:
        """Whether it was still open."""
        with self._lock:
            enumeration.closed = True
            if self._open.pop(enumeration.context, None) is None:
                return False
            self._per_user[enumeration.principal] -= 1
            if not self._per_user[enumeration.principal]:
                del self._per_user[enumeration.principal]
            return True

    def sweep(self) -> None:
        """Close the enumerations whose time is over.  To be called now and then."""
        with self._lock:
            over = [each for each in self._open.values() if self._is_over(each)]
        for each in over:
            self._forget(each)
            log.info("An enumeration of %r in %s was not pulled in time: it is closed", each.principal, each.namespace)

    def stop(self) -> None:
        """Open and pull no more: the server ends."""
        self._stopping = True


def pull_limits(settings: ServerSettings) -> PullLimits:
    """What is told of the limits to clients that ask."""
    return PullLimits(
        minimum_timeout=settings.pull_min_timeout,
        maximum_timeout=settings.pull_max_timeout,
        no_timeout=settings.pull_unlimited,
        continuation_on_error=True,
        closes_on_limits=True,
    )


def _invalid_context() -> CIMError:
    return CIMError(Status.INVALID_ENUMERATION_CONTEXT, "No such enumeration is open")


def _shutting_down() -> CIMError:
    return CIMError(Status.SERVER_IS_SHUTTING_DOWN, "The server is shutting down")
