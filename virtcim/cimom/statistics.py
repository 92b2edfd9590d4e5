"""Statistics of operations, gathered while CIM_ObjectManager.GatherStatisticalData is true."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from virtcim.immutable import immutable

__all__ = ["OTHER", "OperationCount", "OperationStatistics"]

OTHER: Final = 1

OPERATION_TYPES = {
    name: number
    for number, name in enumerate(
        (
            "GetClass", "GetInstance", "DeleteClass", "DeleteInstance", "CreateClass", "CreateInstance", "ModifyClass",
            "ModifyInstance", "EnumerateClasses", "EnumerateClassNames", "EnumerateInstances",
            "EnumerateInstanceNames", "ExecQuery", "Associators", "AssociatorNames", "References", "ReferenceNames",
            "GetProperty", "SetProperty", "GetQualifier", "SetQualifier", "DeleteQualifier", "EnumerateQualifiers",
        ),
        3,
    )
}  # fmt: skip
"""CIM_CIMOMStatisticalData.OperationType."""

METHODS = "InvokeMethod"
"""Extrinsic methods are counted as one: classes have many."""


@immutable
class OperationCount:
    """What was gathered of one operation.

    Attributes:
        name: of the operation.
        number: of requests.
        seconds: from the request's arrival to its answer, all together.
        request_bytes, response_bytes: of all bodies.
    """

    name: str
    number: int = 0
    seconds: float = 0.0
    request_bytes: int = 0
    response_bytes: int = 0

    @property
    def operation_type(self) -> int:
        """OperationType."""
        return OPERATION_TYPES.get(self.name, OTHER)


class OperationStatistics:
    """Counts operations while it gathers.  Safe to use from several threads at once.

    Parameters:
        known: the intrinsic operations that there are; others are not counted.

    Attributes:
        started: when it began to gather; None while it does not.
    """

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        self.started: datetime | None = None
        self._lock = threading.Lock()
        self._counts: dict[str, OperationCount] = {}

    @property
    def gathering(self) -> bool:
        """Whether operations are counted."""
        return self.started is not None

    def gather(self, wanted: bool) -> None:
        """Begin to count, from nothing, or stop and forget."""
        with self._lock:
            if wanted is not self.gathering:
                self._counts = {}
                self.started = datetime.now(UTC) if wanted else None

    def record(self, name: str, extrinsic: bool, seconds: float, request_bytes: int, response_bytes: int) -> None:
        """Take in one operation.

        Parameters:
            name: of the operation.
            extrinsic: whether it is a method.
            seconds: that it took.
            request_bytes, response_bytes: of the bodies.
        """
        if not self.gathering or not (extrinsic or name in self._known):
            return
        name = METHODS if extrinsic else name
        with self._lock:
            count = self._counts.get(name) or OperationCount(name)
            self._counts[name] = replace(
                count,
                number=count.number + 1,
                seconds=count.seconds + seconds,
                request_bytes=count.request_bytes + request_bytes,
                response_bytes=count.response_bytes + response_bytes,
            )

    def counts(self) -> list[OperationCount]:
        """What was gathered, by operation."""
        with self._lock:
            return sorted(self._counts.values(), key=lambda count: count.name)
