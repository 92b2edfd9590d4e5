"""Figures as pywbem reads them: values, what they belong to, and a summary of all guests."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import pywbem

from tests.bed.server import Server, wait_until

GUEST = pywbem.CIMInstanceName(
    "Test_ComputerSystem",
    keybindings={"CreationClassName": "Test_ComputerSystem", "Name": "test"},
    namespace="root/virt",
)


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with server.pywbem() as connection:
        yield connection


def test_figures_along_the_associations(client: Any) -> None:
    definitions = client.Associators(GUEST, AssocClass="CIM_MetricDefForME")
    assert {each["Name"] for each in definitions} >= {"CPUTime", "CPULoad"}
    links = client.References(GUEST, ResultClass="CIM_MetricDefForME")
    assert {each["MetricCollectionEnabled"] for each in links} == {2}
    [used] = [
        each for each in client.Associators(GUEST, AssocClass="CIM_MetricForME") if "CPUTime" in each["InstanceID"]
    ]
    assert int(used["MetricValue"]) > 0
    assert not used["TimeStamp"].is_interval
    [definition] = client.Associators(used.path, AssocClass="CIM_MetricInstance")
    assert definition["Id"] == used["MetricDefinitionId"] == "Test:CPUTime"
    later = client.GetInstance(used.path)
    assert int(later["MetricValue"]) >= int(used["MetricValue"])
    assert client.ExecQuery("DMTF:CQL", "SELECT * FROM CIM_BaseMetricValue WHERE MetricDefinitionId = 'Test:CPUTime'")


def test_rates_have_a_duration(client: Any) -> None:
    def loads() -> list[Any]:
        return [each for each in client.EnumerateInstances("CIM_BaseMetricValue") if "CPULoad" in each["InstanceID"]]

    found = wait_until(lambda: [each for each in loads() if each["InstanceID"].startswith("Test:6695eb01")])
    assert float(found[0]["MetricValue"]) > 0
    assert found[0]["Duration"].timedelta > timedelta(0)


def test_the_metric_service(client: Any) -> None:
    [service] = client.EnumerateInstanceNames("CIM_MetricService")
    code, out = client.InvokeMethod("ShowMetrics", service, Subject=GUEST)
    assert code == 0
    assert set(out["MetricCollectionEnabled"]) == {2}
    [definition] = [path for path in out["DefinitionList"] if path["Id"] == "Test:CPUTime"]
    code, out = client.InvokeMethod("GetMetricValues", service, Definition=definition, Range=pywbem.Uint16(3))
    assert code == 0
    assert [path["InstanceID"].split(":")[-1] for path in out["Values"]] == ["CPUTime"]


def test_a_summary_of_all_guests(client: Any) -> None:
    [service] = client.EnumerateInstanceNames("CIM_VirtualSystemManagementService")

    def summary() -> Any:
        code, out = client.InvokeMethod("GetSummary", service, IncludeScreens=True, IncludeHistory=True)
        assert code == 0
        [found] = out["Summaries"]
        return found if "ProcessorLoadHistory" in found.properties else None

    found = wait_until(summary)
    assert found.classname == "Virt_GuestSummary"
    assert found["Name"] == "test"
    assert found["NumberOfProcessors"] == 2
    assert base64.b64decode(found["ScreenImage"]).startswith(b"\x89PNG")
    assert len(found["ProcessorLoadHistory"]) == len(found["HistoryTimes"])
    assert not found["HistoryTimes"][0].is_interval
