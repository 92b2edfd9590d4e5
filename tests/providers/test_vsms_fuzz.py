"""Whatever typed values a client sends, the service makes a guest, says what is wrong, or refuses: nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers.recorded import platform
from tests.providers.test_vsms_define import NODE, VALID, Node, system
from virtcim.providers.interface import CIMError, EmbeddedInstance
from virtcim.providers.Virt_AllocationCapabilities import Sample, templates_of
from virtcim.providers.Virt_DevicePool import pools_of
from virtcim.schema.classes import ClassStore

KINDS = ("Disk", "Net", "Mem", "Proc", "Graphics", "Input", "Console", "Controller", "")
TEXT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "/",
            "/dev/null",
            "vda",
            "bridge",
            "network",
            "user",
            "NetworkPool/default",
            "DiskPool/images",
            "guest/mem",
            "guest/vda",
            "vnc",
            "127.0.0.1:-1",
            "[::1]:5900",
            "file:///x",
            "tcp://h:1",
            "a:b:c",
            "udp://[::",
            "rbd://h:99999/x",
            "52:54:00:00:00:07",
            "require:vmx",
            "0:1",
            "scsi",
            "mouse",
        ]
    ),
)
GUEST_KINDS = ("Mem", "Proc", "NetResource", "DiskResource", "Graphics", "Input")
NUMBERS = {"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}


def values(cim_type: str, is_array: bool) -> st.SearchStrategy[Any]:
    if cim_type == "boolean":
        scalar: st.SearchStrategy[Any] = st.booleans()
    elif cim_type in NUMBERS:
        scalar = st.one_of(st.integers(0, 20), st.integers(0, 2 ** NUMBERS[cim_type] - 1))
    else:
        scalar = TEXT
    return st.lists(scalar, max_size=3) if is_array else scalar


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    file = Path(tmp_path_factory.mktemp("node")) / "node.xml"
    file.write_text(NODE)
    made = Node(f"test://{file}")
    made.act(lambda domain: domain.destroy())
    yield made
    made.hypervisor.stop()


@pytest.fixture(scope="module")
def instance(classes: ClassStore) -> Callable[[Any, str], EmbeddedInstance]:
    """Draws an instance of a class with some of its properties."""

    def drawn(data: Any, class_name: str) -> EmbeddedInstance:
        declared = {
            each.name: each
            for each in classes[class_name].properties.values()
            if each.type not in ("datetime", "reference")
        }
        names = data.draw(st.lists(st.sampled_from(sorted(declared)), max_size=6, unique=True))
        properties = {name: data.draw(values(declared[name].type, declared[name].is_array)) for name in names}
        return EmbeddedInstance(class_name, properties)

    return drawn


quick = settings(max_examples=150)


@quick
@given(data=st.data())
def test_definitions(node: Node, instance: Callable[[Any, str], EmbeddedInstance], data: Any) -> None:
    kinds = data.draw(st.lists(st.sampled_from(KINDS), max_size=3))
    resources = [instance(data, f"Test_{kind}ResourceAllocationSettingData") for kind in kinds]
    whole = instance(data, "Test_VirtualSystemSettingData")
    result = node.call("ValidateSystemSettings", SystemSettings=whole, ResourceSettings=resources or None)
    assert all(isinstance(text, str) and text for text in result.out["Messages"])


@quick
@given(data=st.data())
def test_changes(node: Node, instance: Callable[[Any, str], EmbeddedInstance], data: Any) -> None:
    kind, identifier = data.draw(
        st.sampled_from(
            [
                ("Disk", "vda"),
                ("Disk", "hdc"),
                ("Net", "52:54:00:00:00:01"),
                ("Mem", "mem"),
                ("Proc", "proc"),
                ("Graphics", "vnc"),
                ("", "vda"),
            ]
        )
    )
    made = instance(data, f"Test_{kind}ResourceAllocationSettingData")
    wanted = EmbeddedInstance(made.class_name, {**made.properties, "InstanceID": f"guest/{identifier}"})
    before = node.xml("guest")
    try:
        node.call("ModifyResourceSettings", ResourceSettings=[wanted])
    except CIMError:
        assert node.xml("guest") == before
    finally:
        node.act(lambda domain: domain.connect().defineXML(before))


@quick
@given(data=st.data())
def test_changes_of_the_whole(node: Node, instance: Callable[[Any, str], EmbeddedInstance], data: Any) -> None:
    made = instance(data, "Test_VirtualSystemSettingData")
    given_ = {
        name: value for name, value in made.properties.items() if name not in ("VirtualSystemIdentifier", "ElementName")
    }
    before = node.xml("guest")
    try:
        node.call(
            "ModifySystemSettings",
            SystemSettings=EmbeddedInstance(made.class_name, {**given_, "InstanceID": "Test:guest"}),
        )
    except CIMError:
        assert node.xml("guest") == before
    finally:
        node.act(lambda domain: domain.connect().defineXML(before))


def test_what_the_pools_offer_can_be_asked_for(node: Node) -> None:
    """Clients take the settings that show what a pool can give, and send them back; of a disk they add the source."""
    offered = [
        template
        for pool in pools_of(node.site, platform("Test"))
        for template in templates_of(pool)
        if template.sample is Sample.DEFAULT and template.base.startswith(GUEST_KINDS)
    ]
    assert offered
    for setting in offered:
        instance_ = EmbeddedInstance(setting.class_name, dict(setting.properties()))
        if "DiskResource" in setting.class_name and not setting.properties().get("Address"):
            continue
        result = node.call("ValidateSystemSettings", SystemSettings=system(), ResourceSettings=[instance_])
        assert (result.out["Verdict"], result.out["Messages"]) == (VALID, []), instance_
