"""Associations are told of as what they connect comes and goes, to whoever asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from tests.bed import wait_until
from tests.cimom.harness import DTD
from tests.indications.nodes import Nodes
from tests.indications.parts import Scripted
from tests.providers.test_two_nodes import LOCAL
from virtcim.cimom.associations import Link
from virtcim.providers.associations.relation import Relation
from virtcim.providers.interface import InstancePath, RequestContext
from virtcim.schema.paths import format_path

GUEST = (
    "<domain type='test'><name>new</name><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os><devices>"
    "<disk type='file' device='disk'><source file='/new'/><target dev='vda' bus='virtio'/></disk></devices></domain>"
)
CREATED, DELETED = "CIM_InstCreation", "CIM_InstDeletion"


def told(listener: Scripted) -> list[tuple[str, str]]:
    """What a listener was told, in order: the class of the indication, and the path of what it is about."""
    found = []
    for body in listener.bodies:
        root = etree.fromstring(body)
        indication = root.find(".//INSTANCE")
        assert indication is not None
        path = indication.findtext("PROPERTY[@NAME='SourceInstanceModelPath']/VALUE") or ""
        found.append((str(indication.get("CLASSNAME")), path))
    return found


def present(nodes: Nodes, class_name: str) -> set[str]:
    """The paths of all associations of a class that have to do with the guest, by asking for them."""
    context, found = RequestContext(LOCAL), set()
    for relation in nodes.catalog.associations[LOCAL]:
        if isinstance(relation, Relation) and class_name in relation.class_names:
            for left in relation.sources(class_name, context):
                for right in relation.to_right(left, context):
                    path = Link(LOCAL, class_name, relation, left, right).path()
                    if any("new" in str(value) for end in path.keys.values() for value in keys_of(end)):
                        found.add(format_path(path))
    return found


def keys_of(end: Any) -> list[Any]:
    assert isinstance(end, InstancePath)
    return list(end.keys.values())


@pytest.mark.parametrize(
    "class_name",
    ["SystemDevice", "SettingsDefineState", "ElementSettingData", "ElementAllocatedFromPool", "HostedDependency"],
)
def test_associations_come_and_go_with_what_they_connect(
    nodes: Nodes, listen: Callable[..., Scripted], class_name: str
) -> None:
    wanting, general = listen(), listen()
    for kind in (CREATED, DELETED):
        query = f"SELECT * FROM {kind} WHERE SourceInstance ISA CIM_{class_name}"
        nodes.service.subscribe(wanting.url, query, kind, spaces=(LOCAL,))
    everything = nodes.service.subscribe(general.url, f"SELECT * FROM {CREATED}", "everything")
    nodes.run(LOCAL, lambda each: each.defineXML(GUEST))
    wait_until(lambda: present(nodes, f"Test_{class_name}"))
    links = present(nodes, f"Test_{class_name}")
    wanting.wait_for(len(links))
    assert sorted(told(wanting)) == sorted((CREATED, path) for path in links)
    queue = nodes.service.queue
    wait_until(lambda: queue(everything) is not None and queue(everything).delivered and not len(queue(everything)))
    nodes.run(LOCAL, lambda each: each.lookupByName("new").undefine())
    wanting.wait_for(2 * len(links))
    assert sorted(told(wanting)[len(links) :]) == sorted((DELETED, path) for path in links)
    # Whoever does not ask for associations is not told of them.
    classes = {path.partition(":")[2].partition(".")[0] for _, path in told(general)}
    assert "Test_VirtualSystemSettingData" in classes
    assert not {each for each in classes if each.endswith(class_name)}


def test_either_of_several_classes_can_be_asked_for(nodes: Nodes, listen: Callable[..., Scripted]) -> None:
    listener = listen()
    names = ("CIM_SystemDevice", "CIM_ComputerSystem")
    wanted = " OR ".join(f"SourceInstance ISA {name}" for name in names)
    nodes.service.subscribe(listener.url, f"SELECT * FROM {CREATED} WHERE {wanted}", spaces=(LOCAL,))
    nodes.run(LOCAL, lambda each: each.defineXML(GUEST))
    wait_until(lambda: present(nodes, "Test_SystemDevice"))
    links = present(nodes, "Test_SystemDevice")
    listener.wait_for(len(links) + 1)
    systems = [each for each in told(listener) if "SystemDevice" not in each[1]]
    assert [name for name, _ in systems] == ["Test_ComputerSystemCreatedIndication"]
    body = next(each for each in listener.bodies if b"Test_SystemDevice" in each)
    source = etree.fromstring(etree.fromstring(body).findtext(".//PROPERTY[@NAME='SourceInstance']/VALUE") or "")
    assert DTD.validate(source), DTD.error_log
    ends = {each.get("NAME") for each in source.findall("PROPERTY.REFERENCE")}
    assert ends == {"GroupComponent", "PartComponent"}
