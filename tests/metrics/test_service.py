"""CIM_MetricService: what is measured, the values of a metric, and switching collection off and on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.metrics.node import Node, serve_node, uuid_of
from tests.providers.recorded import CONTEXT
from virtcim.providers.interface import CIMError, Instance, InstancePath, Status

SERVICE = "Test_MetricService"
ENABLE, DISABLE, RESET = 2, 3, 4
MINIMUM, MAXIMUM = 2, 3
SUCCESS, NOT_SUPPORTED, FAILED = 0, 1, 2


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with serve_node(tmp_path_factory.mktemp("node"), guests=2) as node:
        yield node


def definition(node: Node, name: str) -> InstancePath:
    return node.get("Test_BaseMetricDefinition", Id=f"Test:{name}").path()


def system(node: Node, name: str = "guest0") -> Instance:
    return node.get("Test_ComputerSystem", CreationClassName="Test_ComputerSystem", Name=name)


def show(node: Node, method: str = "ShowMetrics", /, **parameters: Any) -> dict[str, Any]:
    result = node.call(SERVICE, method, **parameters)
    assert result.return_value == SUCCESS
    return dict(result.out)


def test_what_is_measured_of_a_guest(node: Node) -> None:
    shown = show(node, Subject=system(node).path())
    assert shown["MetricNames"] == ["CPUTime", "CPUUserTime", "CPUSystemTime", "CPULoad"]
    assert [path.keys["Id"] for path in shown["DefinitionList"]] == [f"Test:{each}" for each in shown["MetricNames"]]
    assert {path.keys["Name"] for path in shown["ManagedElements"]} == {"guest0"}
    assert shown["MetricCollectionEnabled"] == [ENABLE] * 4


def test_of_what_a_metric_is_measured(node: Node) -> None:
    shown = show(node, Definition=definition(node, "ReadBytes"))
    assert [path.keys["DeviceID"] for path in shown["ManagedElements"]] == ["guest0/vda", "guest1/vda"]
    assert set(shown["MetricNames"]) == {"ReadBytes"}


def test_everything_that_is_measured(node: Node) -> None:
    shown = show(node)
    lengths = {len(shown[name]) for name in ("ManagedElements", "DefinitionList", "MetricNames")}
    assert len(lengths) == 1
    assert {path.class_name for path in shown["ManagedElements"]} == {
        f"Test_{base}" for base in ("HostSystem", "ComputerSystem", "Processor", "Memory", "LogicalDisk", "NetworkPort")
    }


def test_what_is_measured_of_a_class(node: Node) -> None:
    shown = show(node, "ShowMetricsByClass", Subject=system(node).path())
    assert shown["MetricNames"] == ["CPUTime", "CPUUserTime", "CPUSystemTime", "CPULoad"]


@pytest.mark.parametrize("metric", ["CPUTime", "MemoryCurrent"])
def test_the_greatest_values_come_first(node: Node, metric: str) -> None:
    found = {}
    for order in (MINIMUM, MAXIMUM):
        result = node.call(SERVICE, "GetMetricValues", Definition=definition(node, metric), Range=order)
        paths = result.out["Values"]
        assert isinstance(paths, list)
        found[order] = [int(str(node.get(path.class_name, **path.keys).properties()["MetricValue"])) for path in paths]
        assert len(paths) == 2
    assert found[MINIMUM] == sorted(found[MINIMUM])
    assert found[MAXIMUM] == sorted(found[MAXIMUM], reverse=True)


def test_as_many_values_as_wanted(node: Node) -> None:
    result = node.call(SERVICE, "GetMetricValues", Definition=definition(node, "CPUTime"), Count=1)
    assert len(list(result.out["Values"])) == 1  # type: ignore[arg-type]


def test_collection_is_switched_off_and_on(node: Node) -> None:
    chosen: dict[str, Any] = {"Subject": system(node).path(), "Definition": definition(node, "CPUTime")}
    try:
        assert node.call(SERVICE, "ControlMetrics", **chosen, MetricCollectionEnabled=DISABLE).return_value == SUCCESS
        assert show(node, **chosen)["MetricCollectionEnabled"] == [DISABLE]
        with pytest.raises(CIMError) as caught:
            node.value("CPUTime")
        assert caught.value.status is Status.NOT_FOUND
        assert node.value("CPUTime", uuid=uuid_of(1))
        assert show(node, "ShowMetricsByClass", **chosen)["MetricCollectionEnabled"] == [DISABLE]
    finally:
        node.call(SERVICE, "ControlMetricsByClass", **chosen, MetricCollectionEnabled=ENABLE)
    assert node.value("CPUTime")


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("ControlMetrics", {"MetricCollectionEnabled": RESET}, NOT_SUPPORTED),
        ("ControlMetricsByClass", {"MetricCollectionEnabled": DISABLE}, FAILED),
        ("GetMetricValues", {}, FAILED),
        ("ControlSampleTimes", {}, NOT_SUPPORTED),
        ("ShowMetrics", {"Subject": InstancePath("Test_ComputerSystem", {"Name": "none"}, "root/virt")}, FAILED),
        ("ShowMetrics", {"Definition": InstancePath("Test_BaseMetricDefinition", {"Id": "x"}, "root/virt")}, FAILED),
        ("ShowMetrics", {"Subject": InstancePath("Test_BaseMetricDefinition", {"Id": "Test:CPUTime"})}, FAILED),
    ],
)
def test_bad_parameters(node: Node, method: str, parameters: dict[str, Any], code: int) -> None:
    assert node.call(SERVICE, method, **parameters).return_value == code


def test_a_range_that_there_is_not(node: Node) -> None:
    result = node.call(SERVICE, "GetMetricValues", Definition=definition(node, "CPUTime"), Range=9)
    assert result.return_value == NOT_SUPPORTED


def test_capabilities_and_profile(node: Node) -> None:
    [capabilities] = node.instances("Test_MetricServiceCapabilities")
    assert capabilities.properties()["SupportedMethods"] == [2, 3, 4, 5, 6]
    [profiles] = node.catalog.namespaces["root/interop"]
    registered = [each.properties() for each in profiles.instances("Test_RegisteredProfile", CONTEXT)]
    assert "Base Metrics" in [each["RegisteredName"] for each in registered]


def test_every_value_is_found_by_its_key(node: Node) -> None:
    values = node.instances("Test_BaseMetricValue")
    assert len(values) > 30
    for value in values:
        assert node.get("Test_BaseMetricValue", **value.keys()).identity == value.identity
        assert isinstance(value.properties()["MetricValue"], str)


@pytest.mark.parametrize(
    "key", ["", "Test:", "Test:x:CPUTime", f"Test:{uuid_of(0)}", f"KVM:{uuid_of(0)}:CPUTime", ":::"]
)
def test_keys_of_nothing(node: Node, key: str) -> None:
    with pytest.raises(CIMError) as caught:
        node.get("Test_BaseMetricValue", InstanceID=key)
    assert caught.value.status is Status.NOT_FOUND
