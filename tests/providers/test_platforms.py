"""The registry of platforms: built-in ones, plugins, broken plugins."""

from __future__ import annotations

import dataclasses
import logging
import sys
import threading
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from tests.providers.recorded import CONTEXT, RecordedHypervisor, Served, domain_xml, hypervisor
from virtcim.platforms.base import BusDefaults, Feature, Platform, PlatformError
from virtcim.platforms.registry import GROUP, Registry, load_platforms
from virtcim.providers.kinds import KINDS
from virtcim.providers.methods import MethodFailedError
from virtcim.providers.site import Site
from virtcim.providers.Virt_HostSystem import HostSystem
from virtcim.providers.Virt_SettingField import SettingField
from virtcim.registration.catalog import build_catalog

BUILT_IN = (
    "KVM", "Xen", "LXC", "Test", "Bhyve", "CloudHypervisor", "ESX", "HyperV", "VBox", "Virtuozzo", "VMwareHosted",
)  # fmt: skip


def plugin_platform(prefix: str, *drivers: str) -> Platform:
    return Platform(prefix, prefix, drivers, (), ("x",), ("hvm",), Feature(0), BusDefaults(disk="virtio"))


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("virtcim_test_plugins")
    module.JAILS = plugin_platform("Jails", "jails")  # type: ignore[attr-defined]
    module.DOUBLE = plugin_platform("kvm", "QEMU")  # type: ignore[attr-defined]
    module.NOTHING = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def test_built_in_platforms_are_found_in_a_source_tree() -> None:
    assert load_platforms(()).prefixes == BUILT_IN


def test_built_in_platforms_are_not_doubled_when_installed() -> None:
    installed = [entry("kvm", "virtcim.platforms.kvm:PLATFORM"), entry("test", "virtcim.platforms.test:PLATFORM")]
    assert load_platforms(installed).prefixes == BUILT_IN


def test_plugins(plugins: ModuleType) -> None:
    registry = load_platforms([entry("jails", "virtcim_test_plugins:JAILS")])
    assert registry.prefixes == (*BUILT_IN, "Jails")
    assert registry.by_driver("JAILS") is plugins.JAILS
    assert registry.by_prefix("jails") is plugins.JAILS


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("virtcim_no_such_module:PLATFORM", "cannot be loaded: ModuleNotFoundError"),
        ("virtcim_test_plugins:MISSING", "cannot be loaded: AttributeError"),
        ("virtcim_test_plugins:NOTHING", "its entry point names a object; expected a Platform"),
        ("virtcim_test_plugins:DOUBLE", "the class prefix kvm is that of the platform kvm; expected another"),
        ("virtcim_test_exit:PLATFORM", "cannot be loaded: SystemExit"),
    ],
)
def test_broken_plugins_are_reported_and_skipped(
    plugins: ModuleType,
    caplog: pytest.LogCaptureFixture,
    tmp_path: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    said: str,
) -> None:
    (tmp_path / "virtcim_test_exit.py").write_text("raise SystemExit(1)")  # type: ignore[operator]
    monkeypatch.syspath_prepend(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        registry = load_platforms([entry("aaa", value), entry("jails", "virtcim_test_plugins:JAILS")])
    assert registry.prefixes == (*BUILT_IN, "Jails")
    assert said in caplog.text


@pytest.mark.parametrize("prefix", ["", "A_B", "CIM", "virt", "Platform", "1x", "a b", "VMware", "msvm"])
def test_impossible_prefixes(prefix: str) -> None:
    with pytest.raises(PlatformError):
        plugin_platform(prefix, "driver")


def test_a_platform_needs_a_driver() -> None:
    with pytest.raises(PlatformError):
        plugin_platform("X")


@pytest.mark.parametrize(
    ("driver", "prefix"),
    [
        ("QEMU", "KVM"),
        ("LXC", "LXC"),
        ("Xen", "Xen"),
        ("Test", "Test"),
        ("TEST", "Test"),
        ("VMware", "VMwareHosted"),
        ("Hyper-V", "HyperV"),
        ("OpenVZ", None),
    ],
)
def test_platform_of_a_driver(driver: str, prefix: str | None) -> None:
    found = load_platforms(()).by_driver(driver)
    assert (found.prefix if found else None) == prefix


def test_a_plugin_gets_all_classes_without_a_provider_of_its_own(plugins: ModuleType) -> None:
    host = hypervisor()
    host.put(domain_xml("g", kind="bhyve"))
    registry = Registry([plugins.JAILS])
    site = Site([(plugins.JAILS, host)], registry, KINDS)  # type: ignore[list-item]
    catalog = build_catalog(site)
    names = {name for provider in catalog.namespaces["root/virt"] for name in provider.class_names}
    expected = {name.replace("KVM_", "Jails_") for name in Served([]).providers if name.startswith("KVM_")}
    assert names == expected


def test_a_platform_gets_the_time_that_the_settings_say(caplog: pytest.LogCaptureFixture) -> None:
    """What it says of hosts and of forms, too: one that hangs would keep a client for longer."""
    never = threading.Event()

    def hang(*_about: object) -> tuple[str, ...]:
        never.wait()
        return ()

    slow = dataclasses.replace(plugin_platform("Jails", "jails"), check_settings=hang, host_facts=hang)  # type: ignore[arg-type]
    host = RecordedHypervisor("jails:///", "jails")
    made = Site([(slow, host)], Registry([slow], patience=0.05), KINDS)  # type: ignore[list-item]
    field = next(iter(SettingField.all_of(made, slow)))
    check = next(each for each in SettingField.methods if each.name == "CheckSettings")
    try:
        with pytest.raises(MethodFailedError, match=r"no answer in 0\.05 s"):
            check.run(field, {"Mode": 2}, CONTEXT)
        [shown] = HostSystem.all_of(made, slow)
        with caplog.at_level(logging.ERROR):
            assert "HostFactNames" not in shown.properties()
        assert "no answer in 0.05 s" in caplog.text
    finally:
        never.set()
