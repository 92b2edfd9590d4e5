"""What instances have alike is computed once, and is what it is for each of them."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Iterator
from string import ascii_lowercase
from types import FrameType

import pytest

from tests.providers.recorded import DOMAINS, Served, domain_xml, hypervisor, platform, served
from virtcim.libhelper.documents.domain import Controller, Disk
from virtcim.libhelper.states import DomainState
from virtcim.libhelper.xml import mapping
from virtcim.providers.base import Element
from virtcim.providers.interface import LayeredProperties
from virtcim.providers.kinds import KINDS
from virtcim.providers.layers import MAX_LAYOUTS, MAX_SORTS, Layers
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.providers.Virt_RASD import ResourceSetting

COPIES = 4

MOST_AGAIN = 2 / 3
"""Of the functions that compute a setting of a resource, how many may be called when it is read again."""


@pytest.fixture(autouse=True)
def first_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known yet of what resources have alike: what a process has seen before tells sorts in other ways."""
    monkeypatch.setattr(mapping, "_layouts", {})
    for kind in KINDS:
        monkeypatch.setattr(kind.setting.table, "_layers", None)


def prefix_of(name: str) -> str:
    """The platform of a recorded domain."""
    return {"kvm": "KVM", "xen": "Xen", "lxc": "LXC"}.get(name.partition("-")[0], "Test")


def elements(site: Served) -> Iterator[Element]:
    """All instances whose properties are declared in a table."""
    return (instance for instance in site.everything() if isinstance(instance, Element))


@pytest.mark.parametrize("path", sorted(DOMAINS.glob("*.xml")), ids=lambda path: path.stem)
def test_values_are_those_of_the_table(path) -> None:  # type: ignore[no-untyped-def]
    prefix = prefix_of(path.stem)
    host = hypervisor(prefix)
    for number in range(COPIES):
        name = path.stem.partition("-")[0]
        uuid = f"00000000-0000-4000-8000-{number:012}"
        xml = re.sub("<uuid>.*</uuid>", f"<uuid>{uuid}</uuid>", path.read_text())
        host.put(xml, name=f"{name}{number}", uuid=uuid)
    layered = 0
    for element in elements(Served([(platform(prefix), host)])):
        values = element.declared_values()
        layered += isinstance(values, LayeredProperties)
        assert values == element.table.values_of(element), element
    assert layered > 0


def resource(site: Served, base: str) -> LayeredProperties:
    """The properties of the one setting of a kind."""
    (instance,) = site.instances(f"KVM_{base}ResourceAllocationSettingData")
    values = instance.properties()
    assert isinstance(values, LayeredProperties)
    return values


def laid_out(name: str) -> str:
    """The XML of a guest with a mouse, as libvirt lays it out."""
    xml = domain_xml(name, "\n    <input type='mouse' bus='ps2'/>\n  ")
    return xml.replace("<memory", "\n  <memory").replace("<devices>", "\n  <devices>").replace("</domain", "\n</domain")


def test_guests_share_the_values_of_what_they_have_alike() -> None:
    found = [resource(served("KVM", laid_out(name)), "Input") for name in "abcd"]
    assert found[2].shared is found[3].shared
    assert found[2].shared.values["BusType"] == "ps2"
    assert [each["InstanceID"] for each in found] == [f"{name}/mouse:ps2" for name in "abcd"]


def settings_of(*devices: str, base: str) -> list[Element]:
    """The settings of a kind, of guests that have one of these devices each."""
    host = hypervisor("KVM")
    for number, device in enumerate(devices):
        host.put(domain_xml(f"g{number:03}", device))
    found = Served([(platform("KVM"), host)]).instances(f"KVM_{base}ResourceAllocationSettingData")
    return [each for each in found if isinstance(each, Element)]


def calls_of(work: Callable[[], object]) -> int:
    """Count the functions of Python that something calls."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_settings_that_are_read_again_are_not_computed_again() -> None:
    """Those of many guests do not fit the cache of a front end: each answer asks for their properties."""
    site = served("KVM", *(laid_out(f"g{number}") for number in range(20)))
    settings = [each for each in elements(site) if isinstance(each, ResourceSetting)]
    for each in settings:
        each.properties()
    again = calls_of(lambda: [each.properties() for each in settings])
    assert again < MOST_AGAIN * calls_of(lambda: [each.table.values_of(each) for each in settings])


def test_what_is_of_one_guest_only_is_its_own() -> None:
    numbers = range(2 * MAX_SORTS)
    settings = settings_of(
        *(f"<disk><source file='/{each}'/><target dev='vda'/></disk>" for each in numbers), base="Disk"
    )
    found = [layered(each) for each in settings]
    assert [each["Address"] for each in found] == [f"/{each}" for each in numbers]
    *_, one, other = found
    assert one.shared is other.shared
    assert "VirtualDevice" in one.shared.values
    assert "Address" in one.own


def test_sorts_of_devices_are_told_from_each_other() -> None:
    kinds = itertools.product(("raw", "qcow2"), ("none", "writeback"), ascii_lowercase)
    settings = settings_of(
        *(
            f"<disk><driver type='{form}' cache='{cache}'/><source file='/{number}'/><target dev='vd{letter}'/></disk>"
            for number, (form, cache, letter) in enumerate(kinds)
        ),
        base="Disk",
    )
    for setting in settings:
        assert layered(setting) == setting.table.values_of(setting)
    sorts = {id(layered(setting).shared): layered(setting).shared for setting in settings}
    assert 2 <= len(sorts) <= MAX_SORTS
    assert {sort.values["DriverType"] for sort in sorts.values()} == {"raw", "qcow2"}


def test_a_getter_that_fails_is_asked_for_each_instance() -> None:
    def fail(handle: object) -> int:
        raise ZeroDivisionError

    layers = Layers([("Wrong", fail)], "device")
    with pytest.raises(ZeroDivisionError):
        layers.of_part(object(), Disk())


def test_layouts_are_kept_within_a_bound() -> None:
    class Handle:
        def __init__(self, device: Controller) -> None:
            self.device = device

    def alias_of(handle: Handle) -> str | None:
        return handle.device.alias_name

    layers = Layers([("Name", alias_of)], "device")
    fields = [name for name, field in Controller.declared().items() if not field.many][:12]
    for number in range(2 * MAX_LAYOUTS):
        values = {name: "x" for place, name in enumerate(fields) if number >> place & 1}
        device = Controller(**values)
        assert layers.of_part(Handle(device), device) == ({"Name": "x"} if "alias_name" in values else {})
    assert len(layers) == MAX_LAYOUTS


def test_guests_have_the_values_of_their_own_states() -> None:
    host = hypervisor("KVM")
    changes: list[dict[str, object]] = [
        {},
        {"autostart": True},
        {"has_managed_save": True},
        {"state": DomainState.CRASHED},
        {"contact": False},
        {"active": True, "state": DomainState.RUNNING},
        {"active": True, "state": DomainState.PAUSED},
        {"active": True, "state": DomainState.PAUSED, "autostart": True},
        {"active": True, "state": DomainState.RUNNING, "persistent": False},
        {"active": True, "state": DomainState.SHUTDOWN},
    ]
    for number, change in enumerate(2 * changes):
        host.put(domain_xml(f"g{number}"), **change)
    site = Served([(platform("KVM"), host)])
    systems = [each for each in elements(site) if isinstance(each, ComputerSystem)]
    shared = {id(layered(system).shared) for system in systems}
    assert (len(systems), len(shared)) == (2 * len(changes), len(changes))
    for system in systems:
        assert system.declared_values() == system.table.values_of(system)
    host.read_only = True
    for system in systems:
        assert system.declared_values() == system.table.values_of(system)


def layered(element: Element) -> LayeredProperties:
    """The properties of an instance, which shares some."""
    values = element.declared_values()
    assert isinstance(values, LayeredProperties)
    return values
