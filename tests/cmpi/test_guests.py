"""Guests of the test driver change, and a CIM server that has subscribed through the bridge is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Server
from tests.bed.views import DISABLED, ENABLED, QUIESCE
from tests.cmpi.broker import Broker, path

PROVIDER = "Virt_Indication"
CLASS = "CIM_InstModification"
QUERY = (
    f"SELECT * FROM {CLASS} WHERE SourceInstance ISA CIM_ComputerSystem"
    " AND SourceInstance.CIM_ComputerSystem::EnabledState <> PreviousInstance.CIM_ComputerSystem::EnabledState"
)


def change(server: Server, *states: int) -> None:
    """Have the guest of the test driver go through some states."""
    with server.pywbem() as connection:
        path = pywbem.CIMInstanceName(
            "Test_ComputerSystem", {"CreationClassName": "Test_ComputerSystem", "Name": "test"}, namespace="root/virt"
        )
        for state in states:
            value, _ = connection.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(state))
            assert value == 0


def states(answer: dict[str, Any]) -> list[tuple[int, int]]:
    """Before and after, as each indication tells."""
    found = []
    for each in answer["indications"]:
        assert each["namespace"] == "root/virt"
        assert each["instance"]["path"]["class"] == "Test_ComputerSystemModifiedIndication"
        properties = each["instance"]["properties"]
        before, after = (properties[name][1]["properties"] for name in ("PreviousInstance", "SourceInstance"))
        assert before["Name"][1] == after["Name"][1] == "test"
        found.append((before["EnabledState"][1], after["EnabledState"][1]))
    return found


@pytest.mark.parametrize("is_pegasus", [False, True])
def test_a_guest(serve: Callable[..., Server], tmp_path: Path, is_pegasus: bool) -> None:
    path = tmp_path / "cmpi.sock"
    server = serve("test:///default", arguments=["--cmpi-socket", str(path)])

    def subscribed() -> Broker:
        broker = Broker(path, pegasus=is_pegasus)
        broker.good("principal", "root")
        broker.good("activate", PROVIDER, "root/virt", CLASS, QUERY)
        broker.good("enable", PROVIDER)
        return broker

    with subscribed() as broker:
        # The library tells the daemon of the filter in a thread of its own.
        answers: list[tuple[int, int]] = []
        while not answers:
            change(server, QUIESCE, ENABLED)
            answers = states(broker.good("wait", 2, 3000))
        change(server, DISABLED, ENABLED, QUIESCE)
        last = [(ENABLED, DISABLED), (DISABLED, ENABLED), (ENABLED, QUIESCE)]
        assert states(broker.good("wait", 3, 60_000))[-3:] == last
    change(server, ENABLED, DISABLED)
    with subscribed() as broker:
        assert states(broker.good("wait", 2, 60_000)) == [(QUIESCE, ENABLED), (ENABLED, DISABLED)]


def test_a_registered_class_of_a_platform_that_is_not_here_has_no_instances(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """A CIM server that is asked for all guests asks for it, too, and an error would be its answer."""
    socket = tmp_path / "cmpi.sock"
    serve("test:///default", arguments=["--cmpi-socket", str(socket)])
    with Broker(socket) as broker:
        for class_name, number in (("Test_ComputerSystem", 1), ("LXC_ComputerSystem", 0)):
            target = path("root/virt", class_name)
            assert len(broker.results("enumerate", "Virt_ComputerSystem", target, None)) == number
            assert len(broker.results("names", "Virt_ComputerSystem", target)) == number
