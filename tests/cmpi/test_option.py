"""The option of `virtcim serve` that opens the bridge's socket."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Server, wait_until
from tests.bed.views import request_state
from tests.cmpi.broker import ROOT, Broker

PROVIDER, CHANGED, GUEST = "Virt_Indication", "CIM_InstModification", "Test_ComputerSystem"
QUERY = f"SELECT * FROM {CHANGED} WHERE SourceInstance ISA CIM_ComputerSystem"


def test_one_option_opens_the_socket(serve: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "cmpi.sock"
    server = serve("test:///default", arguments=["--cmpi-socket", str(path)], config='[cmpi]\nsocket = "/nowhere"\n')
    assert path.is_socket()
    assert path.stat().st_mode & 0o777 == 0o600
    server.stop()
    assert not path.exists()


def listed(server: Server) -> list[dict[str, Any]]:
    """What `virtcim subscriptions` lists."""
    command = [sys.executable, "-m", "virtcim.app.main", "subscriptions", "--json", "--url", server.url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VIRTCIM_PASSWORD": str(server.password)}
    done = subprocess.run(
        [*command, "--user", str(server.user)], capture_output=True, text=True, timeout=120, check=True, env=environment
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def figure(server: Server, name: str) -> float:
    """A figure of `/metrics`."""
    with server.client() as client:
        return client.figure(name)


def test_what_a_cim_server_has_subscribed_to_is_shown(serve: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "cmpi.sock"
    settings = "[indications]\nqueue_length = 2\n"
    server = serve("test:///default", arguments=["--cmpi-socket", str(path)], config=settings)
    assert listed(server) == []
    with Broker(path) as broker:
        broker.good("activate", PROVIDER, "root/virt", CHANGED, QUERY)
        broker.good("enable", PROVIDER)
        wait_until(lambda: listed(server))
        (line,) = listed(server)
        assert (line["state"], line["query"]) == ("enabled", QUERY)
        assert line["listener"].startswith("cmpi:")
        assert figure(server, "subscriptions") == 1
        assert figure(server, "destinations_failing") == 0
    wait_until(lambda: listed(server)[0]["state"] == "failing")
    assert figure(server, "destinations_failing") == 1
    for state in (9, 2, 9, 2):
        assert request_state(server, "test", state, GUEST) == 0
    wait_until(lambda: figure(server, "indications_dropped") >= 2)
    assert figure(server, "indications_waiting") == 2
    assert figure(server, "indications_waiting_bytes") > 0
    assert re.match("2 waiting, 0 delivered, [1-9][0-9]* dropped", listed(server)[0]["deliveries"])
    assert (
        len(re.findall("CIM server [0-9a-f]+: the oldest are dropped: too many indications wait", server.errors)) == 1
    )


def test_what_a_cim_server_has_subscribed_to_is_not_changed_here(serve: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "cmpi.sock"
    server = serve("test:///default", arguments=["--cmpi-socket", str(path)])
    with Broker(path) as broker, server.pywbem("root/interop") as interop:
        broker.good("activate", PROVIDER, "root/virt", CHANGED, QUERY)
        broker.good("enable", PROVIDER)
        wait_until(lambda: interop.EnumerateInstances("CIM_IndicationSubscription"))
        (subscription,) = interop.EnumerateInstances("CIM_IndicationSubscription")
        assert interop.GetInstance(subscription.path) == subscription
        (selected,) = interop.Associators(subscription["Handler"], AssocClass="CIM_IndicationSubscription")
        assert (selected["Query"], selected["SourceNamespaces"]) == (QUERY, ["root/virt"])
        (back,) = interop.References(selected.path, ResultClass="CIM_IndicationSubscription")
        assert back["Handler"] == subscription["Handler"]
        server_of = interop.GetInstance(subscription["Handler"])
        assert (server_of["Protocol"], server_of["OtherProtocol"]) == (1, "CMPI")
        again = pywbem.CIMInstance(
            "CIM_IndicationSubscription", {"Filter": selected.path, "Handler": subscription["Handler"]}
        )
        changes: tuple[Callable[[], object], ...] = (
            lambda: interop.DeleteInstance(subscription.path),
            lambda: interop.DeleteInstance(selected.path),
            lambda: interop.DeleteInstance(subscription["Handler"]),
            lambda: interop.ModifyInstance(subscription),
            lambda: interop.ModifyInstance(selected),
            lambda: interop.CreateInstance(again),
        )
        for change in changes:
            with pytest.raises(pywbem.CIMError) as refused:
                change()
            assert refused.value.status_code == pywbem.CIM_ERR_NOT_SUPPORTED
        assert interop.EnumerateInstances("CIM_IndicationSubscription") == [subscription]
