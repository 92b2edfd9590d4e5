"""The CIM_ObjectManager, which can be told to gather statistics, and what it gathers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import UTC, datetime, timedelta

from virtcim.cimom.discovery.objects import FixedInstance, FixedProvider
from virtcim.cimom.statistics import OTHER, OperationCount, OperationStatistics
from virtcim.providers.interface import (
    Association,
    CIMError,
    End,
    Instance,
    InstanceProvider,
    Keys,
    Properties,
    RequestContext,
    Status,
)

__all__ = ["GatheredStatistics", "ManagerProvider", "StatisticsProvider", "managed"]

STATISTICS_CLASS = "CIM_CIMOMStatisticalData"
SWITCH = "GatherStatisticalData"


class Manager(FixedInstance):
    """The object manager: all of it is fixed but whether it gathers statistics."""

    __slots__ = ("_statistics",)

    def __init__(self, instance: FixedInstance, statistics: OperationStatistics) -> None:
        super().__init__(instance.namespace, instance.class_name, instance.keys(), instance.properties())
        self._statistics = statistics

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self._statistics.gathering

    def properties(self) -> Properties:
        return {**super().properties(), SWITCH: self._statistics.gathering}


def managed(instance: FixedInstance, statistics: OperationStatistics) -> FixedInstance:
    """The object manager `instance`, with the statistics that it can gather."""
    return Manager(instance, statistics)


class ManagerProvider(FixedProvider):
    """Serves the object manager.

    Parameters:
        manager: made by `managed`.
        statistics: that it gathers.
    """

    def __init__(self, manager: FixedInstance, statistics: OperationStatistics) -> None:
        super().__init__([manager])
        self._statistics = statistics

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        known = self.get_instance(class_name, keys, context).properties()
        for name, value in properties.items():
            if name != SWITCH and value != known.get(name):
                raise CIMError(Status.NOT_SUPPORTED, f"{class_name}.{name} cannot be changed")
        wanted = properties.get(SWITCH)
        if wanted is not None:
            self._statistics.gather(bool(wanted))


class Statistics(FixedInstance):
    """What was gathered of one operation.  It changes with every request, so no two of it are the same."""

    __slots__ = ("_revision",)

    def __init__(self, namespace: str, prefix: str, count: OperationCount, started: datetime | None) -> None:
        other = count.operation_type == OTHER
        now = datetime.now(UTC)
        properties: Properties = {
            "ElementName": count.name,
            "OperationType": count.operation_type,
            "OtherOperationType": count.name if other else None,
            "NumberOfOperations": count.number,
            # Time in providers is not measured apart.
            "CimomElapsedTime": timedelta(seconds=count.seconds),
            "ProviderElapsedTime": timedelta(),
            "RequestSize": count.request_bytes,
            "ResponseSize": count.response_bytes,
            "StartStatisticTime": started,
            "StatisticTime": now,
        }
        super().__init__(namespace, STATISTICS_CLASS, {"InstanceID": f"{prefix}:{count.name}"}, properties)
        self._revision = now

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self._revision


class StatisticsProvider(InstanceProvider):
    """Serves what was gathered, an instance for each operation.

    Parameters:
        namespace: where they live.
        prefix: of InstanceID.
        statistics: that are gathered.
    """

    class_names = (STATISTICS_CLASS,)

    def __init__(self, namespace: str, prefix: str, statistics: OperationStatistics) -> None:
        self._namespace = namespace
        self._prefix = prefix
        self._statistics = statistics

    def instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return self._instances()

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        return FixedProvider(self._instances(), self.class_names).get_instance(class_name, keys, context)

    def _instances(self) -> list[FixedInstance]:
        started = self._statistics.started
        return [Statistics(self._namespace, self._prefix, count, started) for count in self._statistics.counts()]


class GatheredStatistics(Association):
    """CIM_ElementStatisticalData: the object manager and what it gathered.

    Parameters:
        manager: the object manager.
        provider: of the statistics.
    """

    class_names = ("CIM_ElementStatisticalData",)

    def __init__(self, manager: FixedInstance, provider: StatisticsProvider) -> None:
        self._manager = manager
        self._provider = provider
        self.left = End("ManagedElement", frozenset({manager.class_name}))
        self.right = End("Stats", frozenset(provider.class_names))

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        return self._provider.instances(STATISTICS_CLASS, context)

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        return (self._manager,)

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return (self._manager,)

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]
