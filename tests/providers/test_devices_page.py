"""The page of the devices, held against libvirt's schema on this machine and what the properties show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.providers.recorded import DOMAINS
from tests.providers.test_vsms_edits import served_file
from virtcim.libhelper.documents.domain import DEVICE_CLASSES, DomainConfig
from virtcim.providers.guest import Configuration, ConfigurationKind
from virtcim.providers.hidden import HIDDEN, hidden_because
from virtcim.providers.Virt_RASD import settings_of
from virtcim.registration.devices import (
    document_devices,
    mapped_paths,
    shown_as,
    shown_paths,
    unexplained,
)

PAGE = Path(__file__).parents[2] / "docs" / "devices.md"
SCHEMAS = Path("/usr/share/libvirt/schemas")
RNG = "{http://relaxng.org/ns/structure/1.0}"
#: What is said in two places at once, so that one that goes leaves the other; and what is the default.
TOGETHER = frozenset(
    {
        "graphics/@listen",
        "graphics/@socket",
        "graphics/listen/@type",
        "graphics/listen/@address",
        "graphics/listen/@network",
        "graphics/listen/@socket",
        "rng/backend/protocol/@type",
    }
)


NEWER = frozenset({"disk/source/dataStore/@type"})
"""What an older libvirt does not know, as that of this machine may be, and what is hidden for a reason of its own."""


def definitions(name: str, found: dict[str, list[etree._Element]], seen: set[str]) -> None:
    """Every definition of a schema and of those that it includes, by name."""
    if name in seen:
        return
    seen.add(name)
    root = etree.parse(SCHEMAS / name).getroot()
    for included in root.iter(f"{RNG}include"):
        definitions(str(included.get("href")), found, seen)
    for definition in root.iter(f"{RNG}define"):
        found.setdefault(str(definition.get("name")), []).append(definition)


def walk(
    element: etree._Element, path: str, found: dict[str, list[etree._Element]], stack: tuple[str, ...]
) -> Iterator[str]:
    """The paths of all elements and attributes that a part of the schema allows; what recurs is walked once."""
    for child in element:
        kind = str(child.tag).removeprefix(RNG)
        name = str(child.get("name") or "*")
        if kind == "attribute":
            yield f"{path}/@{name}"
        elif kind == "element":
            below = f"{path}/{name}" if path else name
            yield below
            yield from walk(child, below, found, stack)
        elif kind == "ref" and name not in stack:
            for definition in found.get(name, ()):
                yield from walk(definition, path, found, (*stack, name))
        elif kind not in ("ref", "value", "data"):
            yield from walk(child, path, found, stack)


@pytest.fixture(scope="module")
def schema_paths() -> set[str]:
    """Every attribute, and every element without any, that the schema allows below `<devices>`."""
    if not (SCHEMAS / "domaincommon.rng").is_file():
        pytest.skip(f"libvirt's schema is not in {SCHEMAS}")
    found: dict[str, list[etree._Element]] = {}
    definitions("domain.rng", found, set())
    paths = {path.partition("/")[2] for path in walk(found["devices"][0], "", found, ("devices",))} - {""}
    inner = {path.rpartition("/")[0] for path in paths}
    return {path for path in paths if path not in inner}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == document_devices(), "run `make docs`"


def test_what_is_mapped_is_shown_or_hidden_for_a_reason() -> None:
    assert unexplained(mapped_paths()) == []


def test_what_libvirt_knows_is_shown_or_hidden_for_a_reason(schema_paths: set[str]) -> None:
    assert len(schema_paths) > 1000
    assert unexplained(sorted(schema_paths)) == []


def test_each_reason_is_of_something(schema_paths: set[str]) -> None:
    shown = shown_paths()
    hidden = [path for path in {*schema_paths, *mapped_paths(), *NEWER} if not shown_as(path, shown)]
    needed = {reason for path in hidden if (reason := hidden_because(path)) is not None}
    assert set(HIDDEN.values()) - needed == set()


def test_nothing_is_said_to_be_shown_that_is_not_mapped() -> None:
    mapped = mapped_paths()
    for path in shown_paths():
        assert any(each == path or each.startswith(f"{path}/") for each in mapped), path


def shown_values(guest: Any, config: DomainConfig, ordinal: int) -> list[dict[str, object]]:
    """The properties of the settings that show one device."""
    configuration = Configuration(guest, config, ConfigurationKind.DEFINED)
    device = config.devices[ordinal]
    return [dict(setting.properties()) for setting in settings_of(configuration) if setting.device is device]


def test_what_is_said_to_be_shown_shows() -> None:
    """A field that is taken out of a device changes a property that is said to show it, in some sample."""
    shown, seen = shown_paths(), set[str]()
    silent: dict[str, str] = {}
    for file in sorted(DOMAINS.glob("*.xml")):
        text = file.read_text()
        _, guest = served_file(text)
        config = DomainConfig.parse(text)
        for ordinal, device in enumerate(config.devices):
            if device.tag not in DEVICE_CLASSES:
                continue
            before = shown_values(guest, config, ordinal)
            for name in device.as_dict():
                path = type(device).field_path(name).removeprefix("devices/")
                names = [each for each in shown_as(path, shown) if "." not in each]
                if not names or path in seen:
                    continue
                devices = list(config.devices)
                devices[ordinal] = device.replace(**{name: None})
                after = shown_values(guest, config.replace(devices=tuple(devices)), ordinal)
                is_seen = len(before) != len(after) or any(
                    one.get(each) != other.get(each) for one, other in zip(before, after, strict=True) for each in names
                )
                if is_seen:
                    seen.add(path)
                    silent.pop(path, None)
                else:
                    silent.setdefault(path, f"{file.stem}: {names}")
    assert len(seen) > 200
    unseen = [f"{path} {where}" for path, where in silent.items() if path not in TOGETHER]
    assert not unseen, "\n".join(unseen)
