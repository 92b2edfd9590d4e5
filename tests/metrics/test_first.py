"""The processor time of a guest, from libvirt to a client and along every association."""

from __future__ import annotations

from pathlib import Path

from tests.metrics.node import serve_node, uuid_of


def test_the_processor_time_of_a_guest(tmp_path: Path) -> None:
    with serve_node(tmp_path) as node:
        value = node.value("CPUTime")
        with node.hypervisor.domains.handle(uuid_of(0)) as domain:
            used = domain.info()[4]
        assert value["MetricDefinitionId"] == "Test:CPUTime"
        assert value["MeasuredElementName"] == "guest0"
        assert 0 < int(value["MetricValue"]) <= used
        assert value["TimeStamp"].utcoffset() is not None
        assert "Duration" not in value
        definition = node.get("Test_BaseMetricDefinition", Id="Test:CPUTime")
        assert definition.properties()["ProgrammaticUnits"] == "second * 10^-9"
        system = node.get("Test_ComputerSystem", CreationClassName="Test_ComputerSystem", Name="guest0")
        assert definition in node.associated(system, "Test_MetricDefForME")
        key = f"Test:{uuid_of(0)}:CPUTime"
        assert key in [each.keys()["InstanceID"] for each in node.associated(system, "Test_MetricForME")]
        assert [each.keys()["InstanceID"] for each in node.associated(definition, "Test_MetricInstance")] == [key]
