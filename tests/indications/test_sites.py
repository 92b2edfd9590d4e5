"""One server for two nodes: what happens on each is told with its namespace, to whoever wants it from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt
import pytest
from lxml import etree

from tests.bed import wait_until
from tests.indications.nodes import Nodes
from tests.indications.parts import Scripted
from tests.providers.test_two_nodes import GUESTS, LOCAL, OTHER
from virtcim.app.store import read_table
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.libhelper.inventory.kept import KeptRecord
from virtcim.libhelper.inventory.records import Domain
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.lifecycle import source
from virtcim.providers.lifecycle.survey import Survey
from virtcim.providers.Virt_DevicePool import NetworkPool

NAMED = "PROPERTY[@NAME='{}']/VALUE"
QUERY = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem"


def told(listener: Scripted) -> set[tuple[str, Any]]:
    """The namespaces and names of the guests that a listener was told of."""
    found = set()
    for body in listener.bodies:
        root = etree.fromstring(body)
        path = root.findtext(".//PROPERTY[@NAME='SourceInstanceModelPath']/VALUE") or ""
        source = etree.fromstring(root.findtext(".//PROPERTY[@NAME='SourceInstance']/VALUE") or "")
        found.add((path.partition(":")[0].strip("/"), source.findtext("PROPERTY[@NAME='Name']/VALUE")))
    return found


def test_each_node_is_told_of_in_its_namespace(nodes: Nodes, listen: Callable[..., Scripted]) -> None:
    here, there, everywhere = listen(), listen(), listen()
    for listener, name, spaces in ((here, "here", (LOCAL,)), (there, "there", (OTHER,)), (everywhere, "all", ())):
        nodes.service.subscribe(listener.url, QUERY, name, spaces=spaces)
    with pytest.raises(CIMError) as refused:
        nodes.service.subscribe(here.url, QUERY, "nowhere", spaces=("root/interop",))
    assert refused.value.status is Status.INVALID_PARAMETER
    assert f"{LOCAL} and {OTHER}" in refused.value.description
    for namespace in GUESTS:
        nodes.run(namespace, lambda each: each.lookupByName("same").suspend())
    wait_until(lambda: told(everywhere) == {(LOCAL, "same"), (OTHER, "same")})
    here.wait_for(1)
    there.wait_for(1)
    assert told(here) == {(LOCAL, "same")}
    assert told(there) == {(OTHER, "same")}


def test_pools_are_not_looked_at_with_each_change(
    nodes: Nodes, listen: Callable[..., Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To tell what a pool has given, all guests are asked: that waits where many change in a row."""
    looks: list[Any] = []
    look = Survey.look

    def looked(survey: Survey, *given: Any) -> Any:
        looks.append(given)
        return look(survey, *given)

    def switch(connection: Any) -> None:
        guest = connection.lookupByName("same")
        guest.resume() if guest.info()[0] == libvirt.VIR_DOMAIN_PAUSED else guest.suspend()

    monkeypatch.setattr(Survey, "look", looked)
    monkeypatch.setattr(source, "SURVEY_PAUSE", 3600.0)
    pools, guests = listen(), listen()
    of_pools = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ResourcePool"
    nodes.service.subscribe(pools.url, of_pools, "pools", spaces=(LOCAL,))
    nodes.service.subscribe(guests.url, QUERY, "guests", spaces=(LOCAL,))
    wait_until(lambda: looks)
    for number in range(1, 6):
        nodes.run(LOCAL, switch)
        guests.wait_for(number)
    assert [kind for _, *kind in looks].count([Domain]) == 1


NETWORK = "<network><name>lan</name><bridge name='virbr9'/><ip address='192.0.2.1' netmask='255.255.255.0'/></network>"
PLUGGED = (
    "<domain type='test'><name>plugged</name><memory>65536</memory><os><type>hvm</type></os><devices>"
    "<interface type='network'><mac address='52:54:00:00:00:09'/><source network='lan'/></interface></devices></domain>"
)


def test_a_network_says_what_guests_take_from_it(
    nodes: Nodes, listen: Callable[..., Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an image of libvirt's network, which does not change by that."""
    looks: list[bool] = []
    look = Survey.look

    def looked(survey: Survey, wants: Callable[[str], bool], *given: Any) -> Any:
        found = list(look(survey, wants, *given))
        looks.append(wants("Test_NetworkPool"))
        return found

    monkeypatch.setattr(Survey, "look", looked)
    monkeypatch.setattr(source, "SURVEY_PAUSE", 0.0)
    nodes.run(LOCAL, lambda each: each.networkDefineXML(NETWORK).create())
    nodes.run(LOCAL, lambda each: each.defineXML(PLUGGED).create())
    site = nodes.sites[LOCAL]
    (platform,) = (each for each in site.platforms if each.prefix == "Test")

    def consumed() -> Any:
        pool = NetworkPool.with_key(site, platform, "NetworkPool/lan")
        return pool is not None and pool.properties().get("CurrentlyConsumedResource")

    wait_until(lambda: consumed() == 1)
    pools = listen()
    of_pools = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ResourcePool"
    nodes.service.subscribe(pools.url, of_pools, "pools", spaces=(LOCAL,))
    wait_until(lambda: any(looks))

    def changes() -> list[Any]:
        """What was told of the network: what guests took before and then, and the properties that changed."""
        roots = [etree.fromstring(body) for body in pools.bodies]
        of_lan = [
            each for each in roots if "NetworkPool/lan" in (each.findtext(f".//{NAMED.format('SourceInstance')}") or "")
        ]
        return [
            [
                *(
                    etree.fromstring(each.findtext(f".//{NAMED.format(name)}") or "").findtext(
                        NAMED.format("CurrentlyConsumedResource")
                    )
                    for name in ("PreviousInstance", "SourceInstance")
                ),
                [value.text for value in each.iterfind(".//PROPERTY.ARRAY[@NAME='ChangedPropertyNames']//VALUE")],
            ]
            for each in of_lan
        ]

    nodes.run(LOCAL, lambda each: each.lookupByName("plugged").destroy())
    wait_until(changes)
    nodes.run(LOCAL, lambda each: each.lookupByName("plugged").create())
    wait_until(lambda: len(changes()) > 1)
    taken = ["CurrentlyConsumedResource"]
    assert changes() == [["1", "0", taken], ["0", "1", taken]]


def test_nothing_is_kept_for_streams_which_end_with_the_server(
    nodes: Nodes, listen: Callable[..., Scripted], tmp_path: Path
) -> None:
    def kept() -> list[str]:
        found = read_table(tmp_path / "state.sqlite", f"last known state of {LOCAL}", KeptRecord)
        return [record.name for _, record in found]

    service, listener = nodes.service, listen()
    stream = service.service.streams.open([("DMTF:CQL", QUERY)], [LOCAL], Principal("root", Mechanism.LOCAL))
    nodes.run(LOCAL, lambda each: each.lookupByName("same").suspend())
    wait_until(lambda: service.service.streams.take(stream, 1)[0])
    assert kept() == []
    service.subscribe(listener.url, QUERY, spaces=(LOCAL,))
    nodes.run(LOCAL, lambda each: each.lookupByName("same").resume())
    listener.wait_for(1)
    wait_until(lambda: "same" in kept())
