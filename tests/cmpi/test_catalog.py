"""All that virtcim serves, through the library and through the embedded server: the same, class by class.

What is served are the recorded guests and hosts of all platforms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pywbem

from tests.bed.classes import class_store
from tests.cimom.harness import RunningServer
from tests.cmpi.broker import Broker, path, typed
from tests.cmpi.views import in_order, of_broker, of_client
from tests.providers.recorded import PLATFORMS, Served
from virtcim.app.assembly import make_daemon
from virtcim.cimom.core import Core
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cmpi.settings import CmpiSettings
from virtcim.registration.table import ASSOCIATIONS, Entry, Table, make_table

SHARE = 10
"""One of how many classes is asked for, of platforms that have no recorded guests: they show nothing."""


@dataclass
class Both:
    """The two ways to the same providers."""

    table: Table
    client: pywbem.WBEMConnection
    broker: Broker

    def entries(self) -> Iterator[Entry]:
        """What is asked for."""
        empty = {platform.prefix for platform in PLATFORMS if not platform.tried}
        for number, entry in enumerate(self.table.entries):
            if number % SHARE == 0 or entry.class_name.partition("_")[0] not in empty:
                yield entry


@pytest.fixture(scope="module")
def both(corpus: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    directory = tmp_path_factory.mktemp("catalog")
    classes = class_store(PLATFORMS.prefixes)
    table = make_table(corpus.catalog, classes)
    socket = directory / "cmpi.sock"
    core = Core(corpus.catalog, classes, ServerSettings())
    daemon = make_daemon(core, table.provider_of, CmpiSettings(socket=socket))
    daemon.start()
    server = RunningServer(corpus.catalog, classes)
    client = pywbem.WBEMConnection(server.url)
    with Broker(socket) as broker:
        yield Both(table, client, broker)
    client.close()
    server.stop()
    daemon.stop()


def test_instances(both: Both) -> None:
    served = set()
    for entry in both.entries():
        answer = both.client.EnumerateInstances(entry.class_name, namespace=entry.namespace)
        expected = [of_client(each) for each in answer if each.classname == entry.class_name]
        target = path(entry.namespace, entry.class_name)
        found = [of_broker(each) for each in both.broker.results("enumerate", entry.provider, target, None)]
        assert in_order(found) == in_order(expected), entry
        names = [of_broker(each) for each in both.broker.results("names", entry.provider, target)]
        assert in_order(names) == in_order(each[0] for each in expected), entry
        if found:
            served.add(entry.class_name)
    assert {"KVM_ComputerSystem", "Xen_Processor", "LXC_SystemDevice"} <= served
    assert len(served) > 100


def wire_path(item: Any) -> tuple[Any, ...]:
    """A path that the test broker printed, to be given back to it."""
    keys = {}
    for name, (cim_type, value) in item["keys"].items():
        keys[name] = typed(cim_type, wire_path(value) if cim_type == "reference" else value)
    return path(item["namespace"], item["class"], **keys)


def client_path(item: Any) -> pywbem.CIMInstanceName:
    """The same for the client."""
    keys = {name: client_path(value) if kind == "reference" else value for name, (kind, value) in item["keys"].items()}
    return pywbem.CIMInstanceName(item["class"], keys, namespace=item["namespace"])


@pytest.mark.parametrize("sample", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_single_instances_and_associations(both: Both, sample: int) -> None:
    """Of so many instances of each class."""
    compared = 0
    for entry in both.entries():
        for name in both.broker.results("names", entry.provider, path(entry.namespace, entry.class_name))[:sample]:
            target = wire_path(name)
            (found,) = both.broker.results("get", entry.provider, target, None)
            expected = both.client.GetInstance(client_path(name))
            expected.path = client_path(name)
            assert of_broker(found) == of_client(expected)
            for operation, filters, ask in (
                ("associator-names", 4, both.client.AssociatorNames),
                ("reference-names", 2, both.client.ReferenceNames),
            ):
                others = [
                    of_broker(each) for each in both.broker.results(operation, ASSOCIATIONS, target, *[None] * filters)
                ]
                assert in_order(others) == in_order(of_client(each) for each in ask(client_path(name))), (
                    operation,
                    name,
                )
                compared += len(others)
    assert compared > 50
